//! From physical to virtual: which address leads to a frame, and in whose space.
//!
//! One number of 8 bytes for each frame that the file holds. Several entries may lead to one frame; the kernel's half
//! goes before processes, processes go in the order of `processes`, and within a space the lowest address wins. The
//! numbers are made so that the least of them is the one wanted: then the result does not depend on threads.

use crate::{pieces::Piece, sweeps::Owner};
use memory::{Dump, Image, Mapped, Memory, PAGE_SIZE, Pfn, Space, Va};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// No entry leads to the frame.
const NONE: u64 = u64::MAX;
/// Bits of the page number of an address, for 57-bit addresses.
const PAGE_BITS: u32 = 45;
/// Processes whose user halves are walked; more do not fit into the number, and no real system has them.
const MOST_PROCESSES: usize = 0x3ffe;
/// Spaces walked side by side before the budget is looked at.
const SIDE_BY_SIDE: usize = 16;

/// A process whose user half was walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// Address of its `_EPROCESS`.
    pub va: Va,
    /// `UniqueProcessId`.
    pub pid: Option<u32>,
}

/// Which virtual address leads to which frame.
#[derive(Default)]
pub struct ReverseMap {
    /// First frame of each run, and the rank of that frame among all.
    runs: Vec<(u64, u64, usize)>,
    slots: Vec<AtomicU64>,
    shared: Vec<AtomicU64>,
    processes: Vec<Walked>,
    /// Processes whose tables were not walked, because the tables before them named too many pages.
    pub left_out: usize,
    /// Spaces whose tables were not walked to their end, because they name too many pages: a frame again and again.
    pub cut_short: AtomicU64,
}

/// Where a piece of memory is seen from.
pub struct Place {
    /// Virtual address.
    pub va: Option<Va>,
    /// Whose.
    pub owner: Owner,
    /// Led to by several entries.
    pub shared: bool,
}

impl ReverseMap {
    /// Walks the tables of the kernel and of every process. Dumps of virtual memory need none.
    pub fn new(system: &nt::System<'_>) -> ReverseMap {
        let (Some(image), Memory::Physical(_)) = (system.dump.image(), &system.dump.memory) else {
            return ReverseMap::default();
        };
        let mut map = ReverseMap::empty(system.dump, image);
        let budget = map.slots.len().saturating_mul(4).saturating_add(0x1_0000);
        map.walk(system.space, 0, budget, |va| system.is_kernel(va));
        map.user_halves(system, budget);
        map
    }

    fn empty(dump: &Dump, image: Image<'_>) -> ReverseMap {
        let size = dump.memory_file().len() as u64;
        let mut runs = Vec::new();
        let mut frames = 0usize;
        for run in image.runs().as_slice() {
            let held = size.saturating_sub(run.offset).div_ceil(PAGE_SIZE).min(run.count);
            runs.push((run.first.0, held, frames));
            // Runs that share bytes of the file cannot make more frames than it has.
            frames = frames.saturating_add(held as usize).min(size.div_ceil(PAGE_SIZE) as usize);
        }
        let slots = (0..frames).map(|_| AtomicU64::new(NONE)).collect();
        let shared = (0..frames.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        ReverseMap { runs, slots, shared, ..ReverseMap::default() }
    }

    /// Spaces side by side, a few at a time. The budget bounds tables that lead to the same frames again and again.
    fn user_halves(&mut self, system: &nt::System<'_>, budget: usize) {
        let spaces: Vec<(Walked, Space<'_>)> = user_spaces(system);
        let mut left = budget.saturating_mul(16);
        let first = 1u64;
        let mut walked = 0;
        for group in spaces.chunks(SIDE_BY_SIDE) {
            if left == 0 {
                break;
            }
            let used = group.par_iter().enumerate().map(|(index, (_, space))| {
                let owner = first + (walked + index) as u64;
                self.walk(*space, owner, budget, |va| !system.is_kernel(va))
            });
            left = left.saturating_sub(used.sum());
            walked += group.len();
        }
        self.left_out = spaces.len() - walked;
        self.processes = spaces.into_iter().take(walked).map(|(process, _)| process).collect();
    }

    /// Enters the pages of one half of a space, and returns how many it looked at.
    fn walk(&self, space: Space<'_>, owner: u64, budget: usize, wanted: impl Fn(Va) -> bool) -> usize {
        let kernel = owner == 0;
        let mut looked = 0;
        for mapped in space.pages() {
            if !kernel && !wanted(mapped.va) {
                break;
            }
            if looked >= budget {
                self.cut_short.fetch_add(1, Ordering::Relaxed);
                break;
            }
            looked += if wanted(mapped.va) { self.enter(&mapped, owner) } else { 1 };
        }
        looked
    }

    /// Enters a page, which may be a large one, and returns how many frames that were.
    fn enter(&self, mapped: &Mapped, owner: u64) -> usize {
        let Some(entry) = mapped.entry else { return 1 };
        let first = entry.pa.pfn().0;
        let last = first.saturating_add(entry.size / PAGE_SIZE);
        let mut entered = 1;
        let start = self.runs.partition_point(|&(run, count, _)| run + count <= first);
        for &(run, count, rank) in self.runs[start..].iter().take_while(|&&(run, ..)| run < last) {
            for frame in first.max(run)..last.min(run + count) {
                let va = mapped.va.0.wrapping_add((frame - first) * PAGE_SIZE);
                self.claim(
                    rank + (frame - run) as usize,
                    owner << PAGE_BITS | (va / PAGE_SIZE) & ((1 << PAGE_BITS) - 1),
                );
                entered += 1;
            }
        }
        entered
    }

    fn claim(&self, rank: usize, value: u64) {
        let Some(slot) = self.slots.get(rank) else { return };
        if slot.fetch_min(value, Ordering::Relaxed) != NONE {
            self.shared[rank / 64].fetch_or(1 << (rank % 64), Ordering::Relaxed);
        }
    }

    fn rank(&self, pfn: Pfn) -> Option<usize> {
        let after = self.runs.partition_point(|&(run, ..)| run <= pfn.0);
        let &(run, count, rank) = self.runs.get(after.checked_sub(1)?)?;
        (pfn.0 - run < count).then(|| rank + (pfn.0 - run) as usize)
    }

    /// Where a frame is seen from: address of its first byte, owner, and whether several entries lead to it.
    pub fn frame(&self, pfn: Pfn) -> Option<(Va, Owner, bool)> {
        let rank = self.rank(pfn)?;
        let value = self.slots.get(rank)?.load(Ordering::Relaxed);
        if value == NONE {
            return None;
        }
        let shared = self.shared[rank / 64].load(Ordering::Relaxed) >> (rank % 64) & 1 == 1;
        let owner = match value >> PAGE_BITS {
            0 => Owner::Kernel,
            index => Owner::Process((index - 1) as u16),
        };
        // The page number keeps the low 57 bits of the address; bit 56 is its sign.
        let va = ((value << 12 << (64 - 57)) as i64 >> (64 - 57)) as u64 & !(PAGE_SIZE - 1);
        Some((Va(va), owner, shared))
    }

    /// Where a piece of memory is seen from.
    pub(crate) fn place(&self, piece: &Piece<'_>) -> Place {
        let Some(pa) = piece.pa else {
            return Place { va: piece.va, owner: Owner::Kernel, shared: false };
        };
        match self.frame(pa.pfn()) {
            Some((va, owner, shared)) => Place { va: Some(Va(va.0 | (pa.0 % PAGE_SIZE))), owner, shared },
            None => Place { va: None, owner: Owner::Nobody, shared: false },
        }
    }

    /// The process of [`Owner::Process`].
    pub fn process(&self, index: u16) -> Option<&Walked> {
        self.processes.get(usize::from(index))
    }
}

/// The processes with a space of their own, each root once.
fn user_spaces<'a>(system: &nt::System<'a>) -> Vec<(Walked, Space<'a>)> {
    let mut roots = std::collections::BTreeSet::new();
    let kernel = system.root.map(|root| root.0);
    let mut spaces = Vec::new();
    for process in system.processes().iter().take(MOST_PROCESSES) {
        let Some(dtb) = process.dtb.filter(|dtb| Some(*dtb) != kernel && roots.insert(*dtb)) else {
            continue;
        };
        if let Some(space) = system.process_space(dtb) {
            spaces.push((Walked { va: process.va, pid: process.pid }, space));
        }
    }
    spaces
}
