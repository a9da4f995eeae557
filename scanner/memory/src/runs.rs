//! Where pages are in the file: sorted runs of physical frames, or of virtual addresses.
//!
//! Invariants, made by the constructors and relied on by every lookup: runs are sorted by start,
//! never empty, never overlap, never wrap. A file that states overlapping runs keeps the first
//! statement of each page; how many pages were dropped is reported to the caller, who makes a
//! fault of it.

use crate::addr::{PAGE_SIZE, Pfn, Va};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// Consecutive physical frames stored consecutively in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhysRun {
    /// First frame.
    pub first: Pfn,
    /// Number of frames, at least 1.
    pub count: u64,
    /// File offset of the first frame's first byte.
    pub offset: u64,
}

/// Consecutive virtual addresses stored consecutively in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VirtRun {
    /// First address.
    pub start: Va,
    /// Length in bytes, at least 1.
    pub len: u64,
    /// File offset of the first byte.
    pub offset: u64,
    /// Which structure of the file states this run (`data block`, `call stack`, `Memory64List`).
    pub source: &'static str,
}

/// What both kinds of run have in common, in one unit each (frames or bytes).
trait Run: Copy {
    fn start(&self) -> u64;
    fn len(&self) -> u64;
    /// The part of this run from `skip` units on.
    fn tail(&self, skip: u64) -> Self;
    /// The first `len` units of this run.
    fn head(&self, len: u64) -> Self;
    /// True when `next` goes on where this run ends, in memory and in the file.
    fn continues(&self, next: &Self) -> bool;
}

impl Run for PhysRun {
    fn start(&self) -> u64 {
        self.first.0
    }
    fn len(&self) -> u64 {
        self.count
    }
    fn tail(&self, skip: u64) -> PhysRun {
        PhysRun {
            first: Pfn(self.first.0 + skip),
            count: self.count - skip,
            offset: self.offset.saturating_add(skip.saturating_mul(PAGE_SIZE)),
        }
    }
    fn head(&self, len: u64) -> PhysRun {
        PhysRun { count: len, ..*self }
    }
    fn continues(&self, next: &PhysRun) -> bool {
        self.first.0 + self.count == next.first.0
            && self.offset.checked_add(self.count.saturating_mul(PAGE_SIZE)) == Some(next.offset)
    }
}

impl Run for VirtRun {
    fn start(&self) -> u64 {
        self.start.0
    }
    fn len(&self) -> u64 {
        self.len
    }
    fn tail(&self, skip: u64) -> VirtRun {
        VirtRun {
            start: Va(self.start.0 + skip),
            len: self.len - skip,
            offset: self.offset.saturating_add(skip),
            source: self.source,
        }
    }
    fn head(&self, len: u64) -> VirtRun {
        VirtRun { len, ..*self }
    }
    fn continues(&self, _: &VirtRun) -> bool {
        false // each block stays a row of its own: its source and bounds are evidence
    }
}

/// Sorts `runs`, drops empty and wrapping ones, and cuts every overlap in favour of the run that the
/// file states first. Returns the runs and how many units were stated twice.
fn normalise<R: Run>(runs: Vec<R>, limit: u64) -> (Vec<R>, u64) {
    let fits = |run: &R| run.len() > 0 && run.start().checked_add(run.len()).is_some_and(|end| end <= limit);
    let mut stated: Vec<(usize, R)> = runs.into_iter().filter(fits).enumerate().collect();
    stated.sort_by_key(|(order, run)| (run.start(), *order));
    if stated.windows(2).all(|pair| end(&pair[0].1) <= pair[1].1.start()) {
        return (merged(stated.into_iter().map(|(_, run)| run)), 0);
    }
    let (kept, dropped) = cut_overlaps(stated);
    (merged(kept.into_iter()), dropped)
}

fn end<R: Run>(run: &R) -> u64 {
    run.start() + run.len()
}

/// A sweep over the boundaries: between two boundaries the earliest statement that covers wins.
fn cut_overlaps<R: Run>(stated: Vec<(usize, R)>) -> (Vec<R>, u64) {
    let mut edges: Vec<u64> = stated.iter().flat_map(|(_, run)| [run.start(), end(run)]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut active: BTreeMap<usize, R> = BTreeMap::new();
    let mut ends = BinaryHeap::new();
    let mut next = stated.iter().peekable();
    let (mut kept, mut total): (Vec<R>, u64) = (Vec::new(), 0);
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        while let Some((order, run)) = next.next_if(|(_, run)| run.start() <= from) {
            active.insert(*order, *run);
            ends.push(Reverse((end(run), *order)));
        }
        while ends.peek().is_some_and(|Reverse((end, _))| *end <= from) {
            ends.pop().map(|Reverse((_, order))| active.remove(&order));
        }
        if let Some(run) = active.values().next() {
            kept.push(run.tail(from - run.start()).head(to - from));
            total += to - from;
        }
    }
    let said = stated.iter().fold(0u64, |sum, (_, run)| sum.saturating_add(run.len()));
    (kept, said.saturating_sub(total))
}

fn merged<R: Run>(runs: impl Iterator<Item = R>) -> Vec<R> {
    let mut out: Vec<R> = Vec::new();
    for run in runs {
        match out.last_mut() {
            Some(last) if last.continues(&run) => *last = last.head(last.len() + run.len()),
            _ => out.push(run),
        }
    }
    out
}

/// The physical runs of a dump.
#[derive(Debug, Clone, Default)]
pub struct PhysRuns {
    /// First frame of each run, apart from the rest so that a lookup touches few cache lines.
    firsts: Vec<u64>,
    runs: Vec<PhysRun>,
    index: Index,
}

impl PhysRuns {
    /// Frames above this are no physical memory on any architecture (52-bit physical addresses).
    pub(crate) const LIMIT: u64 = 1 << 40;

    /// Sorts and merges `runs`; of frames stated twice the first statement stays. The second value
    /// is the number of frames that were stated again.
    pub fn new(runs: Vec<PhysRun>) -> (PhysRuns, u64) {
        let (runs, dropped) = normalise(runs, PhysRuns::LIMIT);
        let firsts: Vec<u64> = runs.iter().map(|run| run.first.0).collect();
        (PhysRuns { index: Index::new(&firsts), firsts, runs }, dropped)
    }

    /// The runs in ascending order.
    pub fn as_slice(&self) -> &[PhysRun] {
        &self.runs
    }

    /// The run that holds `pfn`.
    pub fn find(&self, pfn: Pfn) -> Option<&PhysRun> {
        let (from, to) = self.index.around(pfn.0);
        let after = from + self.firsts.get(from..to)?.partition_point(|&first| first <= pfn.0);
        let run = self.runs.get(after.checked_sub(1)?)?;
        (pfn.0 - run.first.0 < run.count).then_some(run)
    }

    /// Number of frames in all runs, whether or not the file is long enough.
    pub fn frames(&self) -> u64 {
        self.runs.iter().map(|run| run.count).sum()
    }

    /// Bytes of the runs that a file of `file_size` bytes really holds.
    pub fn bytes_in(&self, file_size: u64) -> u64 {
        self.runs.iter().map(|run| in_file(run.offset, run.count.saturating_mul(PAGE_SIZE), file_size)).sum()
    }
}

/// Narrows the search among sorted numbers: they are cut into ranges of `1 << shift`, about as many as
/// there are numbers, so that a search among 100,000 runs looks at two or three and not at seventeen.
#[derive(Debug, Clone, Default)]
struct Index {
    shift: u32,
    /// How many numbers lie below each range; the last value is their count.
    below: Vec<usize>,
}

impl Index {
    fn new(sorted: &[u64]) -> Index {
        let Some(&last) = sorted.last() else { return Index::default() };
        let mut shift = 0;
        while last >> shift > sorted.len() as u64 {
            shift += 1;
        }
        let mut below = vec![0];
        for (position, &number) in sorted.iter().enumerate() {
            below.resize((number >> shift) as usize + 1, position);
        }
        below.push(sorted.len());
        Index { shift, below }
    }

    /// The positions between which the first number above `number` is, or just behind them.
    fn around(&self, number: u64) -> (usize, usize) {
        let range = (number >> self.shift).min(self.below.len().saturating_sub(2) as u64) as usize;
        let at = |range: usize| self.below.get(range).copied().unwrap_or(0);
        (at(range), at(range + 1))
    }
}

/// The virtual runs of a dump.
#[derive(Debug, Clone, Default)]
pub struct VirtRuns {
    runs: Vec<VirtRun>,
}

impl VirtRuns {
    /// Nothing.
    pub const fn none() -> VirtRuns {
        VirtRuns { runs: Vec::new() }
    }

    /// Sorts `runs`; of bytes stated twice the first statement stays. The second value is the number
    /// of bytes that were stated again (normal in triage dumps: blocks overlap the stack).
    pub fn new(runs: Vec<VirtRun>) -> (VirtRuns, u64) {
        let (runs, dropped) = normalise(runs, u64::MAX);
        (VirtRuns { runs }, dropped)
    }

    /// The runs in ascending order, without overlap.
    pub fn as_slice(&self) -> &[VirtRun] {
        &self.runs
    }

    /// The run that holds `va`.
    pub fn find(&self, va: Va) -> Option<&VirtRun> {
        let after = self.runs.partition_point(|run| run.start <= va);
        let run = self.runs.get(after.checked_sub(1)?)?;
        (va.0 - run.start.0 < run.len).then_some(run)
    }

    /// Bytes in all runs, whether or not the file is long enough.
    pub fn bytes(&self) -> u64 {
        self.runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.len))
    }

    /// Bytes of the runs that a file of `file_size` bytes really holds.
    pub fn bytes_in(&self, file_size: u64) -> u64 {
        self.runs.iter().map(|run| in_file(run.offset, run.len, file_size)).sum()
    }
}

/// How many of `len` bytes at `offset` lie within a file of `file_size` bytes.
fn in_file(offset: u64, len: u64, file_size: u64) -> u64 {
    file_size.saturating_sub(offset).min(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: u64, count: u64, offset: u64) -> PhysRun {
        PhysRun { first: Pfn(first), count, offset }
    }

    #[test]
    fn runs_are_sorted_and_merged() {
        let (runs, dropped) =
            PhysRuns::new(vec![run(8, 2, 0x3000), run(1, 2, 0x1000), run(3, 1, 0x9000), run(10, 1, 0x5000)]);
        assert_eq!(runs.as_slice(), [run(1, 2, 0x1000), run(3, 1, 0x9000), run(8, 3, 0x3000)]);
        assert_eq!(dropped, 0);
        assert_eq!(runs.frames(), 6);
        assert_eq!(runs.find(Pfn(2)).map(|r| r.offset), Some(0x1000));
        assert_eq!(runs.find(Pfn(4)), None);
        assert_eq!(runs.find(Pfn(0)), None);
        assert_eq!(runs.find(Pfn(11)), None);
        assert_eq!(runs.bytes_in(0x4000), 0x2000 + 0x1000);
    }

    #[test]
    fn of_a_frame_stated_twice_the_first_statement_stays() {
        let (runs, dropped) =
            PhysRuns::new(vec![run(4, 4, 0x10000), run(2, 10, 0x50000), run(5, 1, 0x90000)]);
        assert_eq!(runs.as_slice(), [run(2, 2, 0x50000), run(4, 4, 0x10000), run(8, 4, 0x56000)]);
        assert_eq!(dropped, 5);
    }

    #[test]
    fn a_run_is_found_as_by_looking_at_each() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for (count, spread) in [(0, 10), (1, 10), (1, 1 << 40), (7, 100), (50, 200), (300, 1 << 38)] {
            let stated = (0..count).map(|at| run(random() % spread, random() % 9, at << 30)).collect();
            let (runs, _) = PhysRuns::new(stated);
            let edges = runs.as_slice().iter().flat_map(|run| [run.first.0, run.first.0 + run.count]);
            let mut asked: Vec<u64> = edges.flat_map(|edge| [edge.wrapping_sub(1), edge, edge + 1]).collect();
            asked.extend((0..200).map(|_| random() % (spread * 2)).chain([0, u64::MAX]));
            for pfn in asked {
                let holds = |run: &&PhysRun| (run.first.0..run.first.0 + run.count).contains(&pfn);
                assert_eq!(runs.find(Pfn(pfn)), runs.as_slice().iter().find(holds), "{pfn:#x}");
            }
        }
    }

    #[test]
    fn runs_that_wrap_or_are_empty_are_dropped() {
        let (runs, _) =
            PhysRuns::new(vec![run(u64::MAX, 2, 0), run(5, 0, 0), run(1, u64::MAX, 0), run(7, 1, u64::MAX)]);
        assert_eq!(runs.as_slice(), [run(7, 1, u64::MAX)]);
        assert_eq!(runs.bytes_in(100), 0);
    }
}
