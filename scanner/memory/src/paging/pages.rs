//! All pages that the tables of a space name, in ascending order of address.
//!
//! Windows maps its own tables by an entry of the root that refers to the root. Followed as it
//! stands, that would list every table again at every level. So a table that stands on its own path is
//! not entered; this leaves out the window of the self-reference, and any cycle in damaged memory. PAE's
//! root is no page and cannot map itself: there the last directory maps all four, as if they were page
//! tables, so a directory of the root is not entered as one.
//!
//! Bound: tables that share tables without a cycle can still make a few pages of file look like
//! millions of tables. No more tables are entered than the file holds frames, times the number of levels,
//! since only damage or malice shares tables that often. A table that the file does not hold is not
//! entered at all. Where the bound ends the iteration, [`Pages::truncated`] says so.

use super::{
    Entry, PagingMode, low_bits,
    walk::{Rights, Step, Walk},
};
use crate::addr::{Pa, Va};

/// Iterates over the pages of a space: the first address of each, and its leaf.
pub(crate) struct Pages<'a> {
    walk: Walk<'a>,
    /// From the root to the innermost table. Of two roots, the user half's stands behind the kernel's.
    path: Vec<Visit<'a>>,
    /// Pages below are left out: address bits, sign not extended.
    from: u64,
    visits_left: u64,
    truncated: bool,
}

/// A table on the way down, and how far it has been read.
struct Visit<'a> {
    table: Pa,
    entries: &'a [u8],
    depth: usize,
    /// Address bits of the levels above, sign not extended.
    base: u64,
    next: usize,
    end: usize,
    rights: Rights,
}

impl<'a> Pages<'a> {
    /// The pages that do not lie wholly below `first`.
    pub fn from(walk: Walk<'a>, first: Va) -> Pages<'a> {
        let rules = walk.mode.rules();
        let visits_left = walk.image.frames_in_file().saturating_mul(rules.levels.len() as u64);
        let from = first.0 & low_bits(rules.va_bits);
        let mut pages = Pages { walk, path: Vec::with_capacity(6), from, visits_left, truncated: false };
        pages.enter_roots();
        pages
    }

    /// True when the bound on entered tables ended the iteration.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The root of each half, or the one root of both.
    fn enter_roots(&mut self) {
        let rules = self.walk.mode.rules();
        let kernel = Va(rules.extend(1 << (rules.va_bits - 1)));
        let (user, kernel) = (self.walk.root_of(rules, Va(0)), self.walk.root_of(rules, kernel));
        let end = rules.levels.first().map_or(0, |level| 1 << level.bits);
        if user == kernel {
            self.push(kernel, 0, 0, 0..end, Rights::ALL);
        } else {
            self.push(kernel, 0, 0, end / 2..end, Rights::ALL);
            self.push(user, 0, 0, 0..end / 2, Rights::ALL);
        }
    }

    fn push(&mut self, table: Pa, depth: usize, base: u64, range: std::ops::Range<usize>, rights: Rights) {
        let rules = self.walk.mode.rules();
        let Some(level) = rules.levels.get(depth) else { return };
        let len = rules.entry_size as usize * (1 << level.bits);
        let below = usize::try_from(self.from.saturating_sub(base) >> level.shift).unwrap_or(usize::MAX);
        let next = range.start.max(below);
        if let Ok(entries) = self.walk.image.bytes(table, len) {
            self.path.push(Visit { table, entries, depth, base, next, end: range.end, rights });
        }
    }

    /// Enters a table of the level below the innermost one, at `va`.
    fn enter(&mut self, table: Pa, depth: usize, va: u64, rights: Rights) {
        if self.path.iter().any(|visit| visit.table == table) || self.is_pae_directory(table, depth) {
            return;
        }
        let rules = self.walk.mode.rules();
        let Some(level) = rules.levels.get(depth) else { return };
        let before = self.path.len();
        self.push(table, depth, va & low_bits(rules.va_bits), 0..1 << level.bits, rights);
        if self.path.len() == before {
            return;
        }
        match self.visits_left.checked_sub(1) {
            Some(left) => self.visits_left = left,
            None => self.truncated = true,
        }
    }

    /// True for one of the four directories of PAE where a page table should be.
    fn is_pae_directory(&self, table: Pa, depth: usize) -> bool {
        let pae = self.walk.mode == PagingMode::X86Pae && depth == 2;
        let frame_mask = self.walk.mode.rules().frame_mask;
        let refers = |entry: &[u8; 8]| u64::from_le_bytes(*entry) & frame_mask == table.0;
        pae && self.path.first().is_some_and(|root| root.entries.as_chunks::<8>().0.iter().any(refers))
    }
}

impl Visit<'_> {
    /// The next entry that is not zero: its index and value.
    fn next_entry(&mut self, mode: PagingMode) -> Option<(u64, u64)> {
        while self.next < self.end {
            let index = self.next;
            self.next += 1;
            let entry = match mode {
                PagingMode::X86 => {
                    u64::from(u32::from_le_bytes(*self.entries.as_chunks::<4>().0.get(index)?))
                }
                _ => u64::from_le_bytes(*self.entries.as_chunks::<8>().0.get(index)?),
            };
            if entry != 0 {
                return Some((index as u64, entry));
            }
        }
        None
    }
}

impl Iterator for Pages<'_> {
    type Item = (Va, Entry);

    fn next(&mut self) -> Option<(Va, Entry)> {
        let rules = self.walk.mode.rules();
        while !self.truncated {
            let visit = self.path.last_mut()?;
            let Some((index, raw)) = visit.next_entry(self.walk.mode) else {
                self.path.pop();
                continue;
            };
            let (depth, mut rights) = (visit.depth, visit.rights);
            let level = rules.levels.get(depth)?;
            let va = rules.extend(visit.base | index << level.shift);
            match self.walk.step(rules, level, raw, Va(va), &mut rights) {
                Step::Table(table) => self.enter(table, depth + 1, va, rights),
                Step::Leaf(entry) => return Some((Va(va), entry)),
                Step::Prototype(at) => {
                    if let Ok(entry) = self.walk.prototype(Va(va), at) {
                        return Some((Va(va), entry));
                    }
                }
                Step::Fault(_) => {}
            }
        }
        None
    }
}
