//! Pages stored one after another: what full, bitmap, summary and range dumps have in common. Each
//! states which frames it holds; the first frame's bytes are at a known offset and every further
//! frame follows at once.

use super::physical;
use crate::{
    addr::{PAGE_SIZE, Pfn},
    records::{Problem, Records},
    runs::{PhysRun, PhysRuns},
};

/// Runs that lie wholly behind the end of the file, of which no more are kept: a file that is cut
/// off, or lies, must not make us store what it does not hold.
const BEYOND_LIMIT: u64 = 0x1_0000;

/// Builds runs from frames in the order of the file.
pub(super) struct Packed {
    runs: Vec<PhysRun>,
    first_page: u64,
    next: u64,
    file_size: u64,
    frames: u64,
    beyond: u64,
    left_out: u64,
}

impl Packed {
    /// Pages start at file offset `first_page` of a file of `file_size` bytes.
    pub fn new(first_page: u64, file_size: u64) -> Packed {
        let (runs, next) = (Vec::new(), first_page);
        Packed { runs, first_page, next, file_size, frames: 0, beyond: 0, left_out: 0 }
    }

    /// The next `count` frames of the file are `first` and those behind it. False when no machine
    /// has such frames: then nobody can say where the following ones are.
    pub fn push(&mut self, first: u64, count: u64) -> bool {
        let fits = first.checked_add(count).is_some_and(|end| end <= PhysRuns::LIMIT);
        let bytes = count.checked_mul(PAGE_SIZE).and_then(|bytes| self.next.checked_add(bytes));
        let (true, Some(next)) = (fits, bytes) else { return false };
        if count > 0 {
            self.keep(PhysRun { first: Pfn(first), count, offset: self.next });
        }
        self.next = next;
        self.frames += count;
        true
    }

    fn keep(&mut self, run: PhysRun) {
        // Pages are packed, so a run that goes on in memory goes on in the file. Once frames have
        // been left out, a later run does not adjoin the last one in the file any more.
        if let Some(last) = self.runs.last_mut()
            && last.first.0 + last.count == run.first.0
            && self.left_out == 0
        {
            last.count += run.count;
            return;
        }
        if run.offset >= self.file_size {
            self.beyond += 1;
            if self.beyond > BEYOND_LIMIT {
                self.left_out += run.count;
                return;
            }
        }
        self.runs.push(run);
    }

    /// Frames pushed so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// File offset behind the last page: where secondary data can start.
    pub fn end(&self) -> u64 {
        self.next
    }

    /// The sorted runs, with faults for frames stated twice and frames left out.
    pub fn finish(self, structure: &str, records: &mut Records) -> PhysRuns {
        if self.left_out > 0 {
            let expected = format!("at most {BEYOND_LIMIT} runs beyond the end of the file");
            let found = format!("more, whose {} frames are left out", self.left_out);
            records.fault(Problem::new("beyond_end", structure, "runs", self.first_page, expected, found));
        }
        physical(self.runs, structure, self.first_page, records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_each_other_in_the_file() {
        let (mut packed, mut records) = (Packed::new(0x2000, 0x4000), Records::default());
        for (first, count) in [(9, 1), (0x10, 2), (0x12, 1), (5, 0), (2, 1)] {
            assert!(packed.push(first, count));
        }
        assert_eq!((packed.frames(), packed.end()), (5, 0x7000));
        let run = |first, count, offset| PhysRun { first: Pfn(first), count, offset };
        let expected = [run(2, 1, 0x6000), run(9, 1, 0x2000), run(0x10, 3, 0x3000)];
        assert_eq!(packed.finish("THING", &mut records).as_slice(), expected);
        assert_eq!(records.faults, []);
    }

    #[test]
    fn impossible_frames_are_refused() {
        let mut packed = Packed::new(0x2000, 0x4000);
        assert!(!packed.push(u64::MAX, 2));
        assert!(!packed.push(1, u64::MAX));
        assert!(!packed.push(1 << 40, 1));
        assert!(packed.push((1 << 40) - 1, 1));
        assert_eq!((packed.frames(), packed.end()), (1, 0x3000));
    }

    #[test]
    fn runs_behind_the_end_are_bounded() {
        let (mut packed, mut records) = (Packed::new(0x2000, 0x3000), Records::default());
        for n in 0..0x1_0004 {
            assert!(packed.push(3 * n, 2));
        }
        assert!(packed.push(3 * 0x1_0003 + 2, 1));
        let runs = packed.finish("THING", &mut records);
        // The first run begins within the file; 65,536 more are kept.
        assert_eq!((runs.as_slice().len(), runs.frames()), (0x1_0001, 0x2_0002));
        assert_eq!(records.faults.len(), 1);
        assert_eq!(records.faults[0].found, "more, whose 7 frames are left out");
    }
}
