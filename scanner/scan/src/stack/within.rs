//! Memory of one stack and of nothing else.

use memory::{Space, Va};
use std::ops::Range;
use unwind::Memory;

/// Reads inside a range only.
pub struct Within<'a> {
    /// The address space.
    pub space: &'a Space<'a>,
    /// The stack.
    pub range: Range<u64>,
}

impl Memory for Within<'_> {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let end = va.checked_add(out.len() as u64);
        va >= self.range.start
            && end.is_some_and(|end| end <= self.range.end)
            && self.space.read(Va(va), out).is_ok()
    }
}
