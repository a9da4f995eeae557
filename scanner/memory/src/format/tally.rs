//! One row of `faults` for many problems of one kind: a file with a million odd entries must not
//! cost a million rows.

use crate::records::{Problem, Records};

/// Counts problems of one kind and keeps the first.
#[derive(Default)]
pub(super) struct Tally {
    first: Option<Problem>,
    more: u64,
}

impl Tally {
    /// Notes one more problem; only the first one is built.
    pub fn note(&mut self, problem: impl FnOnce() -> Problem) {
        match self.first {
            None => self.first = Some(problem()),
            Some(_) => self.more += 1,
        }
    }

    /// Turns what was counted into at most one row.
    pub fn finish(self, records: &mut Records) {
        let Some(mut problem) = self.first else { return };
        if self.more > 0 {
            problem.found.push_str(&format!(" (and {} more like this)", self.more));
        }
        records.fault(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_one_row() {
        let mut records = Records::default();
        Tally::default().finish(&mut records);
        assert_eq!(records.faults, []);
        let mut tally = Tally::default();
        for offset in 5..8 {
            tally.note(|| Problem::new("odd", "THING", "field", offset, "1", "2"));
        }
        tally.finish(&mut records);
        let expected = Problem::new("odd", "THING", "field", 5, "1", "2 (and 2 more like this)");
        assert_eq!(records.faults, [expected]);
    }
}
