//! The pair that functions with a frame pointer leave: the caller's frame pointer, and above it the return address.
//!
//! Who found a return address by looking for one may find the frame pointer below it. It is believed if it points at
//! such a pair further up on the same stack.

use std::ops::Range;
use unwind::Memory;

/// The caller's frame pointer from the word below a return address that lies at `slot`. `returns` says whether a word
/// can be a return address.
pub fn below(
    memory: &dyn Memory,
    range: &Option<Range<u64>>,
    slot: u64,
    width: u64,
    returns: &dyn Fn(u64) -> bool,
) -> Option<u64> {
    let fp = read(memory, slot.checked_sub(width)?, width)?;
    let range = range.as_ref()?;
    let above = fp > slot && fp.is_multiple_of(width) && range.contains(&fp);
    let leads = || read(memory, fp.checked_add(width)?, width).filter(|word| returns(*word));
    (above && leads().is_some()).then_some(fp)
}

/// A word of so many bytes, 8 at most.
pub fn read(memory: &dyn Memory, at: u64, width: u64) -> Option<u64> {
    let mut word = [0; 8];
    memory.read(at, word.get_mut(..width as usize)?).then(|| u64::from_le_bytes(word))
}
