//! Arrays of structures, read in pieces: a table of a million entries must cost neither a million look-ups nor a
//! million entries of memory.

use crate::{System, View};
use memory::Va;

/// Bytes that are read at once.
const PIECE: u64 = 1 << 16;

/// An array that is unreadable for this many pieces in a row has ended, whatever its count says.
const MOST_MISSING: u32 = 64;

impl System<'_> {
    /// Shows every structure of an array to `visit`, those that are not in the dump left out: `faults` says where
    /// the first of them is and how many bytes were missing. `name` is how the array is called there.
    pub fn array<E>(
        &self,
        name: &str,
        va: Va,
        size: u32,
        count: u64,
        mut visit: impl FnMut(u64, View<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if size == 0 {
            return Ok(());
        }
        // One page can be mapped where a whole array should be, and many tables can begin in one.
        let most = self.left(name, size.into());
        if count > most {
            let (expected, found) = (format!("at most {most} entries"), count.to_string());
            self.problem("bad_count", name, "", Some(va), &expected, &found);
        }
        let count = count.min(most);
        let per_piece = (PIECE / u64::from(size)).max(1);
        let (mut gaps, mut in_a_row, mut index) = (Gaps::default(), 0, 0);
        while index < count && in_a_row < MOST_MISSING {
            let number = per_piece.min(count - index);
            let Some(at) = element(va, size, index) else { break };
            match self.space.bytes(at, (number * u64::from(size)) as usize) {
                Ok(bytes) => {
                    in_a_row = 0;
                    for (nth, bytes) in (0..).zip(bytes.chunks_exact(size as usize)) {
                        let Some(at) = element(at, size, nth) else { break };
                        visit(index + nth, View::within(self.space, at, bytes, self.pointer_size()))?;
                    }
                }
                // A page of the piece is missing: one by one, to lose no more than that page.
                Err(_) => {
                    let found = self.one_by_one(at, size, index..index + number, &mut gaps, &mut visit)?;
                    in_a_row = if found == 0 { in_a_row + 1 } else { 0 };
                }
            }
            index += number;
        }
        self.spend(name, index);
        gaps.tell(self, name);
        Ok(())
    }

    /// Elements of a piece that is not whole; returns how many are there.
    fn one_by_one<E>(
        &self,
        at: Va,
        size: u32,
        indexes: std::ops::Range<u64>,
        gaps: &mut Gaps,
        visit: &mut impl FnMut(u64, View<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut found = 0;
        for (nth, index) in (0..).zip(indexes) {
            let Some(at) = element(at, size, nth) else { break };
            let view = self.view(at, size);
            if view.is_whole() {
                visit(index, view)?;
                found += 1;
            } else {
                gaps.first.get_or_insert(at);
                gaps.bytes += u64::from(size);
            }
        }
        Ok(found)
    }
}

/// What an array lacked.
#[derive(Default)]
struct Gaps {
    first: Option<Va>,
    bytes: u64,
}

impl Gaps {
    fn tell(&self, system: &System<'_>, name: &str) {
        if let Some(first) = self.first {
            let found = format!("{} bytes or more are not in the dump", self.bytes);
            system.problem("unreadable", name, "", Some(first), "a whole array", &found);
        }
    }
}

fn element(va: Va, size: u32, index: u64) -> Option<Va> {
    va.checked_add(index.checked_mul(size.into())?)
}
