//! The walk itself, and the same walk over all pages of a space.

use super::{Entry, EntryKind, Level, PagingMode, Rules, low_bits, software::Meaning, software::Software};
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
    /// ARM64: the root of the user half (TTBR0).
    pub user_root: Option<Pa>,
    pub mode: PagingMode,
    pub software: Software,
}

/// What one entry comes to.
enum Step {
    Table(Pa),
    Leaf(Entry),
    Fault(Fault),
}

/// Rights gathered on the way down.
#[derive(Clone, Copy)]
struct Rights([bool; 3]);

impl Rights {
    const ALL: Rights = Rights([true; 3]);

    fn and(self, rules: &Rules, other: [bool; 3]) -> Rights {
        let [w, u, x] = if rules.rights_add_up { self.0 } else { Rights::ALL.0 };
        Rights([w && other[0], u && other[1], x && other[2]])
    }
}

impl<'a> Walk<'a> {
    /// The leaf for `va`.
    pub fn entry(&self, va: Va) -> Result<Entry, Fault> {
        let rules = self.mode.rules();
        if !rules.is_canonical(va.0) {
            return Err(Fault::NonCanonical(va));
        }
        let (mut table, mut rights) = (self.root_of(rules, va), Rights::ALL);
        for (depth, level) in (0u8..).zip(rules.levels) {
            let at = Pa(table.0 + (va.0 >> level.shift & low_bits(level.bits)) * rules.entry_size);
            let raw = self.raw(rules, at).map_err(|_| Fault::TableMissing { va, table, level: depth })?;
            match self.step(rules, level, raw, va, &mut rights) {
                Step::Table(next) => table = next,
                Step::Leaf(entry) => return Ok(entry),
                Step::Fault(fault) => return Err(fault),
            }
        }
        Err(Fault::NotMapped(va)) // not reached: the last level has leaves and faults only
    }

    fn root_of(&self, rules: &Rules, va: Va) -> Pa {
        let root = if rules.is_kernel(va.0) { self.root } else { self.user_root.unwrap_or(self.root) };
        Pa(root.0 & rules.root_mask)
    }

    fn raw(&self, rules: &Rules, at: Pa) -> Result<u64, Fault> {
        if rules.entry_size == 4 { self.image.u32(at).map(u64::from) } else { self.image.u64(at) }
    }

    fn step(&self, rules: &Rules, level: &Level, raw: u64, va: Va, rights: &mut Rights) -> Step {
        let last = level.shift == 12;
        if !(rules.valid)(raw, last) {
            return self.invalid(rules, level, raw, va);
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
    fn invalid(&self, rules: &Rules, level: &Level, raw: u64, va: Va) -> Step {
        let last = level.shift == 12;
        match self.software.decode(self.mode, raw, va) {
            Meaning::Resident(one, other) => match (self.resident(one, other), last) {
                (pa, true) => Step::Leaf(leaf(pa, PAGE_SIZE, raw, EntryKind::Transition, [false; 3])),
                (pa, false) => Step::Table(pa),
            },
            Meaning::Prototype(at) if last => match self.prototype(rules, va, at) {
                Ok(entry) => Step::Leaf(entry),
                Err(fault) => Step::Fault(fault),
            },
            Meaning::Prototype(prototype) => Step::Fault(Fault::Prototype { va, prototype }),
            Meaning::Absent(fault) => Step::Fault(fault),
        }
    }

    /// Of the two readings of a transition entry the plain one, unless only the other is in the dump.
    fn resident(&self, one: Pa, other: Pa) -> Pa {
        let here = |pa: Pa| self.image.runs().find(pa.pfn()).is_some();
        if !here(one) && here(other) { other } else { one }
    }

    /// Follows one prototype entry in system space, never another one from there.
    fn prototype(&self, rules: &Rules, va: Va, at: Va) -> Result<Entry, Fault> {
        let lost = Fault::Prototype { va, prototype: at };
        if !rules.is_kernel(at.0) || at.0 == va.0 {
            return Err(lost);
        }
        let raw = self.read_prototype(rules, at).ok_or(lost)?;
        if (rules.valid)(raw, true) {
            let pa = Pa(raw & rules.frame_mask);
            let rights = (rules.rights)(raw, rules.is_kernel(va.0));
            return Ok(leaf(pa, PAGE_SIZE, raw, EntryKind::Prototype, rights));
        }
        match self.software.decode(self.mode, raw, va) {
            Meaning::Resident(one, other) => {
                Ok(leaf(self.resident(one, other), PAGE_SIZE, raw, EntryKind::Prototype, [false; 3]))
            }
            Meaning::Prototype(_) => Err(lost), // a subsection: the page is in a file
            Meaning::Absent(Fault::NotMapped(_)) => Err(lost),
            Meaning::Absent(fault) => Err(fault),
        }
    }

    fn read_prototype(&self, rules: &Rules, at: Va) -> Option<u64> {
        let entry = self.without_prototypes(at)?;
        self.raw(rules, Pa(entry.pa.0 + at.0 % entry.size)).ok()
    }

    /// [`Walk::entry`] for where prototypes are: paged pool, which is described by entries of its own.
    fn without_prototypes(&self, va: Va) -> Option<Entry> {
        let rules = self.mode.rules();
        let (mut table, mut rights) = (self.root_of(rules, va), Rights::ALL);
        for level in rules.levels {
            let at = Pa(table.0 + (va.0 >> level.shift & low_bits(level.bits)) * rules.entry_size);
            let raw = self.raw(rules, at).ok()?;
            let valid = (rules.valid)(raw, level.shift == 12);
            if !valid && matches!(self.software.decode(self.mode, raw, va), Meaning::Prototype(_)) {
                return None;
            }
            match self.step(rules, level, raw, va, &mut rights) {
                Step::Table(next) => table = next,
                Step::Leaf(entry) => return Some(entry),
                Step::Fault(_) => return None,
            }
        }
        None
    }

    /// All pages that the tables name, in ascending order of address.
    pub fn pages(self) -> Pages<'a> {
        Pages::new(self)
    }
}

fn leaf(pa: Pa, size: u64, raw: u64, kind: EntryKind, [writable, user, executable]: [bool; 3]) -> Entry {
    Entry { pa, size, raw, kind, writable, user, executable }
}

/// A page of a space.
pub(crate) type Mapped = (Va, Entry);

/// Iterates over the pages of a space.
///
/// Bounds: a table that stands on its own path (the self-reference of Windows, or a cycle in damaged
/// memory) is not entered; and no more tables are visited than eight times the frames of the dump,
/// since only damage or malice shares tables that often.
pub(crate) struct Pages<'a> {
    walk: Walk<'a>,
    path: Vec<Visit>,
    visits_left: u64,
    truncated: bool,
}

/// A table on the way down, and how far it has been read.
struct Visit {
    table: Pa,
    /// Address bits of the levels above, sign not extended.
    base: u64,
    next: u64,
    rights: Rights,
}

/// Tables that even a tiny dump may visit.
const FEW_TABLES: u64 = 4096;

impl<'a> Pages<'a> {
    fn new(walk: Walk<'a>) -> Pages<'a> {
        let rules = walk.mode.rules();
        let root = Visit { table: Pa(walk.root.0 & rules.root_mask), base: 0, next: 0, rights: Rights::ALL };
        let visits_left = walk.image.runs().frames().saturating_mul(8).saturating_add(FEW_TABLES);
        Pages { walk, path: vec![root], visits_left, truncated: false }
    }

    /// True when the bound on visited tables ended the iteration.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The next entry of the innermost table: its address and value, or nothing when the table ends.
    fn next_raw(&mut self) -> Option<(u64, Option<u64>)> {
        let rules = self.walk.mode.rules();
        let depth = self.path.len() - 1;
        let visit = self.path.last_mut()?;
        let level = rules.levels.get(depth)?;
        if visit.next > low_bits(level.bits) {
            return None;
        }
        let va = rules.extend(visit.base | visit.next << level.shift);
        let table = match (depth, self.walk.user_root) {
            (0, Some(user)) if !rules.is_kernel(va) => Pa(user.0 & rules.root_mask),
            _ => visit.table,
        };
        let at = Pa(table.0 + visit.next * rules.entry_size);
        visit.next += 1;
        Some((va, self.walk.raw(rules, at).ok()))
    }

    fn enter(&mut self, table: Pa, va: u64, rights: Rights) {
        if self.path.iter().any(|visit| visit.table == table) {
            return;
        }
        let Some(left) = self.visits_left.checked_sub(1) else {
            self.truncated = true;
            return;
        };
        self.visits_left = left;
        let base = va & low_bits(self.walk.mode.rules().va_bits);
        self.path.push(Visit { table, base, next: 0, rights });
    }
}

impl Iterator for Pages<'_> {
    type Item = Mapped;

    fn next(&mut self) -> Option<Mapped> {
        let rules = self.walk.mode.rules();
        while !self.path.is_empty() && !self.truncated {
            let Some((va, raw)) = self.next_raw() else {
                self.path.pop();
                continue;
            };
            let Some(raw) = raw.filter(|&raw| raw != 0) else { continue };
            let Some(level) = rules.levels.get(self.path.len() - 1) else { continue };
            let mut rights = self.path.last().map_or(Rights::ALL, |visit| visit.rights);
            match self.walk.step(rules, level, raw, Va(va), &mut rights) {
                Step::Table(table) => self.enter(table, va, rights),
                Step::Leaf(entry) => return Some((Va(va), entry)),
                Step::Fault(_) => {}
            }
        }
        None
    }
}
