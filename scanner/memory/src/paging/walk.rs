//! The walk from an address to its leaf.

use super::{
    Entry, EntryKind, Level, PagingMode, Rules, low_bits, recent,
    software::{Meaning, Software},
};
use crate::{
    addr::{PAGE_SIZE, Pa, Va},
    error::Fault,
    image::Image,
};

/// Physical memory, a root, and how to read it.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a> {
    pub image: Image<'a>,
    /// Root of the kernel half, and of the user half unless `user_root` is given.
    pub root: Pa,
    /// The root of the user half, where it has one of its own (TTBR0 of ARM64).
    pub user_root: Option<Pa>,
    pub mode: PagingMode,
    pub software: Software,
}

/// What one entry comes to.
pub(crate) enum Step {
    Table(Pa),
    Leaf(Entry),
    /// Another entry, at this address of system space, describes the page.
    Prototype(Va),
    Fault(Fault),
}

/// Rights gathered on the way down.
#[derive(Clone, Copy)]
pub(crate) struct Rights([bool; 3]);

impl Rights {
    pub const ALL: Rights = Rights([true; 3]);

    fn and(self, rules: &Rules, other: [bool; 3]) -> Rights {
        let [w, u, x] = if rules.rights_add_up { self.0 } else { Rights::ALL.0 };
        Rights([w && other[0], u && other[1], x && other[2]])
    }
}

impl<'a> Walk<'a> {
    /// The leaf for `va`.
    pub fn entry(&self, va: Va) -> Result<Entry, Fault> {
        let Some(dump) = self.image.dump() else { return self.search(va, &mut false) };
        let key = recent::Key::of(dump, self.root_of(self.mode.rules(), va), self.mode, va);
        if let Some(entry) = recent::find(&key) {
            return Ok(entry);
        }
        let mut valid = true;
        let found = self.search(va, &mut valid);
        if let Ok(entry) = found
            && valid
        {
            recent::keep(key, entry);
        }
        found
    }

    /// The same by way of the tables; `valid` becomes false where an entry is met that the processor does not follow.
    fn search(&self, va: Va, valid: &mut bool) -> Result<Entry, Fault> {
        match self.down(va, valid) {
            Step::Leaf(entry) => Ok(entry),
            Step::Prototype(at) => self.prototype(va, at),
            Step::Fault(fault) => Err(fault),
            Step::Table(_) => Err(Fault::NotMapped(va)), // not reached: the last level has no tables
        }
    }

    /// From the root to where the tables of `va` end.
    fn down(&self, va: Va, valid: &mut bool) -> Step {
        let rules = self.mode.rules();
        if !rules.is_canonical(va.0) {
            return Step::Fault(Fault::NonCanonical(va));
        }
        let (mut table, mut rights) = (self.root_of(rules, va), Rights::ALL);
        for (depth, level) in (0u8..).zip(rules.levels) {
            let at = Pa(table.0 + (va.0 >> level.shift & low_bits(level.bits)) * rules.entry_size);
            let Ok(raw) = self.raw(rules, at) else {
                return Step::Fault(Fault::TableMissing { va, table, level: depth });
            };
            *valid &= (rules.valid)(raw, level.shift == 12);
            match self.step(rules, level, raw, va, &mut rights) {
                Step::Table(next) => table = next,
                end => return end,
            }
        }
        Step::Table(table)
    }

    /// The root that translates `va`.
    pub fn root_of(&self, rules: &Rules, va: Va) -> Pa {
        let root = if rules.is_kernel(va.0) { self.root } else { self.user_root.unwrap_or(self.root) };
        Pa(root.0 & rules.root_mask)
    }

    fn raw(&self, rules: &Rules, at: Pa) -> Result<u64, Fault> {
        if rules.entry_size == 4 { self.image.u32(at).map(u64::from) } else { self.image.u64(at) }
    }

    /// What `raw`, an entry of `level` on the way to `va`, comes to; `rights` are narrowed on the way.
    pub fn step(&self, rules: &Rules, level: &Level, raw: u64, va: Va, rights: &mut Rights) -> Step {
        let last = level.shift == 12;
        if !(rules.valid)(raw, last) {
            return self.invalid(level, raw, va);
        }
        let own = (rules.rights)(raw, rules.is_kernel(va.0));
        let pointer = rules.levels.len() == 3 && level.shift == 30; // PAE's pointers carry no rights
        if !pointer {
            *rights = rights.and(rules, own);
        }
        let is_page = last || (rules.large)(raw) && level.large.is_some();
        let reserved = match (&level.large, is_page && !last) {
            (Some(large), true) => rules.reserved | large.reserved,
            _ => rules.reserved | level.reserved,
        };
        // An ARM64 block where no block can be has the same meaning as a reserved bit elsewhere.
        let misplaced_block = self.mode == PagingMode::Arm64 && !is_page && (rules.large)(raw);
        if raw & reserved != 0 || misplaced_block {
            return Step::Fault(Fault::Reserved { va, entry: raw });
        }
        if !is_page {
            return Step::Table(Pa(raw & rules.frame_mask));
        }
        let frame = level.large.as_ref().filter(|_| !last);
        let pa = frame.map_or(raw & rules.frame_mask, |large| (large.frame)(raw));
        Step::Leaf(leaf(Pa(pa), 1 << level.shift, raw, EntryKind::Valid, rights.0))
    }

    /// An entry that the processor does not follow. Tables themselves can be in transition.
    fn invalid(&self, level: &Level, raw: u64, va: Va) -> Step {
        let last = level.shift == 12;
        if raw & 1 != 0 {
            // ARM64: bit 0 without bit 1 at the last level is reserved, and no entry that Windows decodes.
            return Step::Fault(Fault::Reserved { va, entry: raw });
        }
        match self.software.decode(self.mode, raw, va) {
            Meaning::Resident(one, other) => match (self.resident(one, other), last) {
                (pa, true) => Step::Leaf(leaf(pa, PAGE_SIZE, raw, EntryKind::Transition, [false; 3])),
                (pa, false) => Step::Table(pa),
            },
            Meaning::Prototype(at) if last => Step::Prototype(at),
            Meaning::Prototype(prototype) => Step::Fault(Fault::Prototype { va, prototype }),
            Meaning::Absent(fault) => Step::Fault(fault),
        }
    }

    /// Of the two readings of a transition entry the first, unless it is not in the dump.
    fn resident(&self, one: Pa, other: Pa) -> Pa {
        if one == other || self.image.runs().find(one.pfn()).is_some() { one } else { other }
    }

    /// The leaf for `va`, whose entry refers to a prototype entry at `at` in system space. The prototype's
    /// own page must be mapped without another prototype, so this is one step and never a chain.
    pub fn prototype(&self, va: Va, at: Va) -> Result<Entry, Fault> {
        let (rules, lost) = (self.mode.rules(), Fault::Prototype { va, prototype: at });
        if !rules.is_kernel(at.0) {
            return Err(lost);
        }
        let Step::Leaf(page) = self.down(at, &mut false) else { return Err(lost) };
        let raw = self.raw(rules, page.at(at)).map_err(|_| lost)?;
        if (rules.valid)(raw, true) {
            let rights = (rules.rights)(raw, rules.is_kernel(va.0));
            return Ok(leaf(Pa(raw & rules.frame_mask), PAGE_SIZE, raw, EntryKind::Prototype, rights));
        }
        match self.software.decode(self.mode, raw, va) {
            Meaning::Resident(one, other) => {
                Ok(leaf(self.resident(one, other), PAGE_SIZE, raw, EntryKind::Prototype, [false; 3]))
            }
            Meaning::Prototype(itself) if itself == at => Err(lost),
            // No prototype refers to another: with this bit it refers to a subsection of a mapped file.
            Meaning::Prototype(_) => Err(Fault::FileBacked(va)),
            Meaning::Absent(Fault::NotMapped(_)) => Err(lost),
            Meaning::Absent(fault) => Err(fault),
        }
    }
}

fn leaf(pa: Pa, size: u64, raw: u64, kind: EntryKind, [writable, user, executable]: [bool; 3]) -> Entry {
    Entry { pa, size, raw, kind, writable, user, executable }
}
