//! What the sweep over memory found of one kind, for walks that join it with what lists lead to.

use crate::{Job, sweeps::FoundObject};
use memory::Va;
use nt::{
    System,
    shape::{Kind, Level, Shapes},
};
use std::collections::{BTreeMap, BTreeSet};

/// Where rows come from that no list leads to.
pub const POOL: &str = "pool header";
pub const SHAPE: &str = "object's members";

/// Findings of a kind by their addresses.
pub struct Findings<'a> {
    all: Vec<&'a FoundObject>,
    by_va: BTreeMap<u64, &'a FoundObject>,
    by_pa: BTreeMap<u64, &'a FoundObject>,
    /// Whether a kind's pool headers, and its members, can be recognised with what is known of this kernel.
    knows: [bool; 2],
    /// A dump of a few blocks: nothing follows from what is not in it.
    small: bool,
}

impl<'a> Findings<'a> {
    /// Those of a kind.
    pub fn of(job: &Job<'a>, kind: Kind) -> Findings<'a> {
        let small = job.dump.records.header.triage.is_some();
        let objects = job.found.map_or(&[][..], |found| &found.objects);
        let shapes = job.found.and(job.system).map(Shapes::of);
        let knows = shapes.map_or([false; 2], |s| [s.knows_headers(kind), s.knows_members(kind)]);
        let all: Vec<&FoundObject> = objects.iter().filter(|found| found.kind == kind).collect();
        let by_va = all.iter().filter_map(|found| Some((found.va?, *found))).collect();
        let by_pa = all.iter().filter_map(|found| Some((found.pa?, *found))).collect();
        Findings { all, by_va, by_pa, knows, small }
    }

    /// The finding at an address, by whatever address it was found.
    pub fn at(&self, system: &System<'_>, va: Va) -> Option<&'a FoundObject> {
        let by_pa = || self.by_pa.get(&self.pa(system, va)?);
        self.by_va.get(&va.0).or_else(by_pa).copied()
    }

    /// Physical address of what a list leads to.
    pub fn pa(&self, system: &System<'_>, va: Va) -> Option<u64> {
        system.dump.image()?;
        system.space.translate(va).ok().map(|pa| pa.0)
    }

    /// Cells of a row: whether it was found behind a pool header, and by its members. Not to be found says nothing
    /// where the layouts are too poor to find any, or where most of memory is missing.
    pub fn cells(&self, found: Option<&FoundObject>) -> (Option<bool>, Option<bool>) {
        let [pool, shape] = self.knows;
        let cell = |knows: bool, seen: bool| (seen || knows && !self.small).then_some(seen);
        let [in_pool, by_shape] =
            [found.is_some_and(|found| found.pool), found.is_some_and(|found| found.shape)];
        (cell(pool, in_pool), cell(shape, by_shape))
    }

    /// Those that can be told from chance and that no list leads to, in the order of memory. A copy of something that
    /// is known is none. In a small dump lists lead to next to nothing, so that these would not be hidden:
    /// `found_objects` has them.
    pub fn others(&self, system: &System<'_>, known: impl Iterator<Item = Va>) -> Vec<&'a FoundObject> {
        if self.small {
            return Vec::new();
        }
        let known: BTreeSet<u64> = known.map(|va| va.0).collect();
        let physical: BTreeSet<u64> = known.iter().filter_map(|&va| self.pa(system, Va(va))).collect();
        let is_known = |found: &&&FoundObject| {
            let of = |set: &BTreeSet<u64>, address: Option<u64>| address.is_some_and(|at| set.contains(&at));
            let stated = found.verdict.stated.map(|va| va.0);
            of(&known, found.va) || of(&physical, found.pa) || of(&known, stated)
        };
        let sure = self.all.iter().filter(|found| found.user.is_none() && found.verdict.level > Level::Low);
        sure.filter(|found| !is_known(found)).copied().collect()
    }
}

impl FoundObject {
    /// What its row says of where it comes from.
    pub fn source(&self) -> &'static str {
        if self.pool { POOL } else { SHAPE }
    }

    /// Whether the kernel maps it and its pool block was not freed: it may be in use.
    pub fn is_in_use(&self) -> bool {
        self.va.is_some() && !self.freed
    }
}
