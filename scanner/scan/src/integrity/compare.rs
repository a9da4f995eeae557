//! Code in memory beside code of the file.

use super::{
    effect::{self, Effect},
    file::{LONGEST_SITE, Original, Part, Site},
};
use memory::{Architecture, PAGE_SIZE, Space, Va};

const PAGE: usize = PAGE_SIZE as usize;
/// Equal bytes between two that differ, at most, in one change.
const GAP: usize = 8;
/// Changes of one module that are kept.
pub const MOST_CHANGES: usize = 4096;
/// Bytes of a change that are shown.
pub const SHOWN: usize = 16;
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
}

impl Pair<'_> {
    /// All code of the module, as far as the number of pages lasts.
    pub fn compare(&self, pages: &mut u64) -> Compared {
        let mut all = Compared::default();
        for part in &self.original.parts {
            for offset in (0..part.bytes.len()).step_by(PAGE) {
                let inside = u64::from(part.rva) + (offset as u64) < self.size;
                if !inside || *pages == 0 {
                    break;
                }
                *pages -= 1;
                all.pages += 1;
                self.page(part, offset, &mut all);
            }
        }
        all
    }

    fn page(&self, part: &Part, offset: usize, all: &mut Compared) {
        let mut expected = self.original.page(part, offset, PAGE);
        let rva = u64::from(part.rva) + offset as u64;
        let mut found = vec![0; expected.len()];
        let Some(va) = self.base.checked_add(rva) else { return };
        if self.space.read(Va(va), &mut found).is_err() {
            return;
        }
        all.compared += 1;
        if expected == found {
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
        self.changes(part, (va, &expected, &found), all);
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

    /// Runs of bytes that differ, those close to each other as one.
    fn changes(&self, part: &Part, (va, expected, found): (u64, &[u8], &[u8]), all: &mut Compared) {
        let differs = |at: usize| expected[at] != found[at] && !self.is_lock_prefix(expected[at], found[at]);
        let mut at = 0;
        while at < expected.len() {
            if !differs(at) {
                at += 1;
                continue;
            }
            let (start, mut last) = (at, at);
            while at < expected.len() && at - last <= GAP {
                if differs(at) {
                    last = at;
                }
                at += 1;
            }
            all.changed = all.changed.saturating_add(1);
            if all.changes.len() < MOST_CHANGES {
                let shown = |bytes: &[u8]| bytes[start..(last + 1).min(start + SHOWN)].to_vec();
                let change = Change {
                    va: va + start as u64,
                    len: (last + 1 - start) as u32,
                    section: part.name.clone(),
                    expected: shown(expected),
                    found: shown(found),
                    effect: self.effect((va, expected, found), start, last),
                };
                all.changes.push(change);
            }
        }
    }

    /// Windows takes lock prefixes out on machines with one processor.
    fn is_lock_prefix(&self, expected: u8, found: u8) -> bool {
        self.architecture != Architecture::Arm64 && expected == 0xf0 && found == 0x90
    }

    fn effect(&self, (va, expected, found): (u64, &[u8], &[u8]), start: usize, last: usize) -> Effect {
        let pointer = |at: u64| pointer(self.space, self.architecture, at);
        if let Some(redirected) = redirected(self.architecture, (expected, found), start, last)
            && let before =
                effect::of(self.architecture, &expected[redirected..], va + redirected as u64, &pointer)
            && before.target.is_some_and(|to| to.wrapping_sub(self.base) < self.size)
        {
            return effect::of(self.architecture, &found[redirected..], va + redirected as u64, &pointer);
        }
        let start = if self.architecture == Architecture::Arm64 { start & !3 } else { start };
        let mut bytes = [0; effect::LONGEST];
        let at = va + start as u64;
        let len = found[start..].len().min(effect::LONGEST);
        bytes[..len].copy_from_slice(&found[start..start + len]);
        effect::of(self.architecture, &bytes[..len], at, &pointer)
    }
}

/// Where the operand alone of a call or jump was changed: the offset of its first byte.
fn redirected(
    architecture: Architecture,
    (expected, found): (&[u8], &[u8]),
    start: usize,
    last: usize,
) -> Option<usize> {
    if architecture == Architecture::Arm64 {
        return None; // an instruction is four bytes at a multiple of four
    }
    (1..=4).find_map(|back| {
        let at = start.checked_sub(back)?;
        let is_branch = matches!(expected[at], 0xe8 | 0xe9) && expected[at] == found[at];
        (is_branch && last <= at + 4).then_some(at)
    })
}

/// A pointer in memory.
pub fn pointer(space: Space<'_>, architecture: Architecture, va: u64) -> Option<u64> {
    match architecture.pointer_size() {
        4 => space.u32(Va(va & 0xffff_ffff)).ok().map(u64::from),
        _ => space.u64(Va(va)).ok(),
    }
}
