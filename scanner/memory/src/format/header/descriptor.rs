//! `PhysicalMemoryBlock`: the physical memory of the machine as runs of frames.
//!
//! A full dump holds exactly these pages, in this order; any other type may state them as well.
//! Pitfall: in the 64-bit header `NumberOfPages` is at offset 8, not at 4 as some parsers have it,
//! and it can be wrong: the runs are what counts.

use super::{Fields, Kind, Layout};
use crate::records::{Problem, Records};

/// Size of the slot in the header.
const SIZE: u64 = 700;

/// Where things are in the descriptor.
struct Shape {
    pages: u64,
    runs: u64,
    run: u64,
}

/// The runs in the order of the file, empty where the descriptor was never written. Writes
/// `stated_pages`, and faults for a count that cannot be and for a sum that disagrees.
pub(super) fn read(f: &Fields<'_>, layout: &Layout, kind: Kind, records: &mut Records) -> Vec<(u64, u64)> {
    let shape = match kind {
        Kind::Bits32 => Shape { pages: 4, runs: 8, run: 8 },
        Kind::Bits64 => Shape { pages: 8, runs: 0x10, run: 0x10 },
    };
    let at = layout.descriptor;
    let problem = |field, offset, expected: String, found: String| {
        Problem::new("invalid", kind.structure(), field, offset, expected, found)
    };
    let stated = f.word(at + shape.pages);
    let (Some(count), true) = (f.u32(at), stated.is_some()) else { return Vec::new() };
    let most = (SIZE - shape.runs) / shape.run;
    if u64::from(count) > most {
        let field = "PhysicalMemoryBlock.NumberOfRuns";
        records.fault(problem(field, at, format!("at most {most}"), count.to_string()));
        return Vec::new();
    }
    records.header.stated_pages = stated;
    let run = |n| {
        let run_at = at + shape.runs + n * shape.run;
        Some((f.word(run_at)?, f.word(run_at + f.word_size())?))
    };
    let runs: Vec<(u64, u64)> = (0..u64::from(count)).map_while(run).collect();
    if runs.len() as u64 != u64::from(count) {
        let field = "PhysicalMemoryBlock.Run";
        records.fault(problem(field, at + shape.runs, format!("{count} runs"), runs.len().to_string()));
    }
    let sum = runs.iter().fold(0u64, |sum, (_, pages)| sum.saturating_add(*pages));
    if stated != Some(sum) {
        let field = "PhysicalMemoryBlock.NumberOfPages";
        let found = stated.unwrap_or(0).to_string();
        records.fault(problem(field, at + shape.pages, format!("{sum}, the sum of the runs"), found));
    }
    runs
}
