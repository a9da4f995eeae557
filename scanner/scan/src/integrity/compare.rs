//! Code in memory beside code of the file.

use super::{
    effect::{self, Effect},
    file::{LONGEST_SITE, Original, Part, Site},
    starts::Starts,
};
use memory::{Architecture, PAGE_SIZE, Space, Va};
use std::cell::{Cell, OnceCell};

const PAGE: usize = PAGE_SIZE as usize;
/// Equal bytes between two that differ, at most, in one change.
const GAP: u64 = 8;
/// Changes of one module that are kept.
pub const MOST_CHANGES: usize = 4096;
/// Bytes of a change that are shown.
pub const SHOWN: usize = 16;
/// Jumps within a change that are followed.
const MOST_HOPS: usize = 4;
/// Room behind an image for the stubs that Windows maps there against speculation.
const STUBS: u64 = 0x1_0000;

/// Bytes that differ.
pub struct Change {
    pub va: u64,
    pub len: u32,
    pub section: String,
    pub expected: Vec<u8>,
    pub found: Vec<u8>,
    pub effect: Effect,
}

/// What a comparison gave.
#[derive(Default)]
pub struct Compared {
    pub pages: u32,
    pub compared: u32,
    pub patched: u32,
    pub changed: u32,
    pub changes: Vec<Change>,
}

/// A module that is compared.
pub struct Pair<'a> {
    pub architecture: Architecture,
    pub original: &'a Original,
    pub space: Space<'a>,
    pub base: u64,
    pub size: u64,
    /// Whether an address lies in a loaded module.
    pub loaded: &'a dyn Fn(u64) -> bool,
    /// Where the function begins that holds a relative address, where symbols tell.
    pub named: &'a dyn Fn(u32) -> Option<u32>,
    /// Instructions of all modules that may still be followed.
    pub steps: &'a Cell<u64>,
    /// Where code begins, once something differs.
    pub starts: OnceCell<Starts<'a>>,
}

/// Bytes that differ, as far as they were seen.
struct Run {
    /// Relative addresses of the first and the last one.
    first: u64,
    last: u64,
    /// From the first one on, also those behind the last one.
    expected: Vec<u8>,
    found: Vec<u8>,
}

impl Pair<'_> {
    /// All code of the module, as far as the number of pages lasts.
    pub fn compare(&self, pages: &mut u64) -> Compared {
        let mut all = Compared::default();
        for part in &self.original.parts {
            let mut open = None;
            for offset in (0..part.bytes.len()).step_by(PAGE) {
                let inside = u64::from(part.rva) + (offset as u64) < self.size;
                if !inside || *pages == 0 {
                    break;
                }
                *pages -= 1;
                all.pages += 1;
                self.page(part, offset, &mut open, &mut all);
            }
            self.close(part, open, &mut all);
        }
        all
    }

    fn page(&self, part: &Part, offset: usize, open: &mut Option<Run>, all: &mut Compared) {
        let mut expected = self.original.page(part, offset, PAGE);
        let rva = u64::from(part.rva) + offset as u64;
        let mut found = vec![0; expected.len()];
        let Some(va) = self.base.checked_add(rva) else { return };
        if self.space.read(Va(va), &mut found).is_err() {
            return;
        }
        all.compared += 1;
        if expected == found && open.is_none() {
            return;
        }
        let mut allow = |from: u64, len: u64| {
            for at in from.max(rva)..(from + len).min(rva + expected.len() as u64) {
                expected[(at - rva) as usize] = found[(at - rva) as usize];
            }
        };
        for &(from, len) in &self.original.filled {
            allow(from.into(), len.into());
        }
        let sites = &self.original.sites;
        let from = sites.partition_point(|site| u64::from(site.rva) + (LONGEST_SITE as u64) <= rva);
        for site in sites[from..].iter().take_while(|site| u64::from(site.rva) < rva + PAGE_SIZE) {
            if self.is_patched_well(site) {
                allow(site.rva.into(), site.len.into());
                // A place over the end of a page counts where it begins.
                all.patched += u32::from(u64::from(site.rva) >= rva && self.differs(site));
            }
        }
        self.changes(part, (rva, &expected, &found), open, all);
    }

    /// Bytes of a place as they are in memory.
    fn of_site(&self, site: &Site) -> Option<Vec<u8>> {
        let mut bytes = vec![0; site.len as usize];
        self.space.read(Va(self.base.checked_add(site.rva.into())?), &mut bytes).ok()?;
        Some(bytes)
    }

    fn differs(&self, site: &Site) -> bool {
        let file = self.original.at(site.rva, site.len as usize);
        self.of_site(site).is_some_and(|bytes| file.is_some_and(|file| file != bytes))
    }

    /// Whether what stands at a place may be Windows' own work: each branch leads to loaded code or to the stubs.
    fn is_patched_well(&self, site: &Site) -> bool {
        let Some(bytes) = self.of_site(site).filter(|_| site.branch) else { return true };
        let va = self.base.wrapping_add(site.rva.into());
        let near = |to: u64| to.wrapping_sub(self.base) < self.size.saturating_add(STUBS);
        let branches = match self.architecture {
            Architecture::Arm64 => (bytes.as_chunks::<4>().0.iter().zip(0u64..))
                .flat_map(|(word, n)| effect::branches(self.architecture, word, va + n * 4))
                .collect(),
            _ => effect::branches(self.architecture, &bytes, va),
        };
        branches.into_iter().all(|to| near(to) || (self.loaded)(to))
    }

    /// Runs of bytes that differ, those close to each other as one, also over the end of a page.
    fn changes(
        &self,
        part: &Part,
        (rva, expected, found): (u64, &[u8], &[u8]),
        open: &mut Option<Run>,
        all: &mut Compared,
    ) {
        for (at, (&expected, &found)) in (rva..).zip(expected.iter().zip(found)) {
            let differs = expected != found && !self.is_lock_prefix(expected, found);
            if open.as_ref().is_some_and(|run| at - run.last > GAP) {
                self.close(part, open.take(), all);
            }
            if differs {
                let new = || Run { first: at, last: at, expected: Vec::new(), found: Vec::new() };
                open.get_or_insert_with(new).last = at;
            }
            if let Some(run) = open.as_mut().filter(|run| run.found.len() < SHOWN) {
                run.expected.push(expected);
                run.found.push(found);
            }
        }
    }

    /// Keeps what a run of bytes gave.
    fn close(&self, part: &Part, run: Option<Run>, all: &mut Compared) {
        let Some(mut run) = run else { return };
        all.changed = all.changed.saturating_add(1);
        if all.changes.len() >= MOST_CHANGES {
            return;
        }
        let len = run.last - run.first + 1;
        run.expected.truncate(len as usize);
        run.found.truncate(len as usize);
        all.changes.push(Change {
            va: self.base + run.first,
            len: len as u32,
            section: part.name.clone(),
            effect: self.effect(&run).unwrap_or(effect::OTHER),
            expected: run.expected,
            found: run.found,
        });
    }

    /// Windows takes lock prefixes out on machines with one processor.
    fn is_lock_prefix(&self, expected: u8, found: u8) -> bool {
        self.architecture != Architecture::Arm64 && expected == 0xf0 && found == 0x90
    }

    /// What the changed instruction does; `None` where no known start of code leads to it.
    fn effect(&self, run: &Run) -> Option<Effect> {
        let at = match self.architecture {
            Architecture::Arm64 => run.first & !3,
            _ => {
                let (first, last) = (u32::try_from(run.first).ok()?, u32::try_from(run.last).ok()?);
                let starts = || Starts::new(self.original, self.base, self.architecture);
                let starts = self.starts.get_or_init(starts);
                starts.instruction(first, last, (self.named)(first), self.steps)?.into()
            }
        };
        let pointer = |at: u64| pointer(self.space, self.architecture, at);
        let of = |va: u64| Some(effect::of(self.architecture, &self.code(va)?, va, &pointer));
        let mut effect = of(self.base.checked_add(at)?)?;
        // A short jump to the room in front of a function, and from there the long one.
        let within = |to: u64| (run.first..=run.last).contains(&to.wrapping_sub(self.base));
        for _ in 0..MOST_HOPS {
            match effect.target.filter(|&to| effect.name == "jump" && within(to)).and_then(of) {
                Some(next) if next.name == "jump" => effect = next,
                _ => break,
            }
        }
        Some(effect)
    }

    /// Code in memory, as much as is looked at, or up to the end of a page.
    fn code(&self, va: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; effect::LONGEST];
        if self.space.read(Va(va), &mut bytes).is_err() {
            bytes.truncate((PAGE_SIZE - va % PAGE_SIZE).min(effect::LONGEST as u64) as usize);
            self.space.read(Va(va), &mut bytes).ok()?;
        }
        Some(bytes)
    }
}

/// A pointer in memory.
pub fn pointer(space: Space<'_>, architecture: Architecture, va: u64) -> Option<u64> {
    match architecture.pointer_size() {
        4 => space.u32(Va(va & 0xffff_ffff)).ok().map(u64::from),
        _ => space.u64(Va(va)).ok(),
    }
}
