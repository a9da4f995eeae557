//! Which memory is a stack already.

use std::{collections::BTreeMap, ops::Range};

/// Stacks that were taken: no two threads have the same one, and a file that says so would make a walk for each thread
/// over all of it.
#[derive(Default)]
pub struct Claims(BTreeMap<u64, u64>);

impl Claims {
    /// The part of a range up to the next stack; an error if it begins in one.
    pub fn take(&mut self, wanted: Range<u64>) -> Result<Range<u64>, &'static str> {
        let below = self.0.range(..=wanted.start).next_back();
        if below.is_some_and(|(_, end)| wanted.start < *end) {
            return Err("another thread has the same stack");
        }
        let end = self.0.range(wanted.start..).next().map_or(wanted.end, |(next, _)| wanted.end.min(*next));
        self.0.insert(wanted.start, end);
        Ok(wanted.start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::Claims;

    #[test]
    fn no_two_threads_share_a_stack() {
        let mut claims = Claims::default();
        assert_eq!(claims.take(0x100..0x200), Ok(0x100..0x200));
        assert!(claims.take(0x180..0x300).is_err());
        assert_eq!(claims.take(0x80..0x300), Ok(0x80..0x100));
        assert_eq!(claims.take(0x200..0x300), Ok(0x200..0x300));
        assert!(claims.take(0x80..0x81).is_err());
    }
}
