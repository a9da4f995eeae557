//! Resource locks: `ExpSystemResourcesList`, the owners of each, and who waits.

use crate::{System, View, layout};
use memory::Va;
use std::collections::BTreeMap;
use symbols::Field;

/// Largest owner table that is believed.
const MOST_OWNERS: u64 = 0x4000;

/// `ResourceOwnedExclusive` of `_ERESOURCE.Flag` (WDK, `wdm.h`).
const OWNED_EXCLUSIVE: u16 = 0x80;

/// Wait reason of resource locks (`WrResource`).
const WR_RESOURCE: u8 = 27;

layout! {
    /// `_ERESOURCE`.
    Eresource = "_ERESOURCE" {
        owner_table: "OwnerTable",
        active_count: "ActiveCount",
        flag: "Flag",
        shared_waiters: "SharedWaiters",
        exclusive_waiters: "ExclusiveWaiters",
        owner: "OwnerEntry" | "OwnerThreads",
        owners_of_xp ? "OwnerThreads",
        active_entries ? "ActiveEntries",
        contention: "ContentionCount",
        shared_count: "NumberOfSharedWaiters",
        exclusive_count: "NumberOfExclusiveWaiters",
        creator ? "Address",
    }
}

layout! {
    /// `_OWNER_ENTRY`.
    OwnerEntry = "_OWNER_ENTRY" {
        thread: "OwnerThread",
        count ? "OwnerCount",
        table_size: "TableSize",
    }
}

/// A resource lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Where it is.
    pub va: Va,
    /// `ActiveCount`.
    pub active_count: Option<i16>,
    /// `Flag`.
    pub flags: Option<u16>,
    /// `ActiveEntries`.
    pub active_entries: Option<u32>,
    /// `ContentionCount`.
    pub contention: Option<u32>,
    /// `NumberOfSharedWaiters`.
    pub shared_count: Option<u32>,
    /// `NumberOfExclusiveWaiters`.
    pub exclusive_count: Option<u32>,
    /// `SharedWaiters`: a semaphore, or the first waiter's block on its stack.
    pub shared_waiters: Option<Va>,
    /// `ExclusiveWaiters`: an event, or the first waiter's block on its stack.
    pub exclusive_waiters: Option<Va>,
    /// `Address`.
    pub creator: Option<Va>,
    /// Its owners.
    pub owners: Vec<ResourceOwner>,
}

/// Who holds a resource lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceOwner {
    /// The `_OWNER_ENTRY`.
    pub entry: Va,
    /// `OwnerThread` as it stands.
    pub stated: u64,
    /// How often.
    pub count: Option<u32>,
    /// True for an entry of the table, false for one in the lock itself.
    pub in_table: bool,
}

impl ResourceOwner {
    /// The owning thread; `None` if the owner was set with `ExSetResourceOwnerPointer`, which marks it by its two
    /// low bits and need not be a thread.
    pub fn thread(&self) -> Option<Va> {
        (self.stated & 3 == 0).then_some(Va(self.stated))
    }
}

impl Resource {
    /// True if its owner has it alone.
    pub fn is_exclusive(&self) -> Option<bool> {
        self.flags.map(|flags| flags & OWNED_EXCLUSIVE != 0)
    }

    /// The thread that has it alone.
    pub fn exclusive_owner(&self) -> Option<Va> {
        self.owners.first().filter(|_| self.is_exclusive() == Some(true))?.thread()
    }
}

/// Finds the resource lock behind a wait.
pub struct ResourceWaits {
    /// By the address in `SharedWaiters` and `ExclusiveWaiters`, the number of the lock.
    starts: BTreeMap<Va, usize>,
}

impl ResourceWaits {
    /// Of all locks of a system.
    pub fn new(resources: &[Resource]) -> ResourceWaits {
        let pointers = |(index, lock): (usize, &Resource)| {
            [lock.shared_waiters, lock.exclusive_waiters].into_iter().flatten().map(move |va| (va, index))
        };
        ResourceWaits { starts: resources.iter().enumerate().flat_map(pointers).collect() }
    }

    /// The lock that a thread waits for: the one whose semaphore or event it waits on, or, for the wait reason of
    /// resource locks, the one whose list of waiters starts on the thread's stack.
    pub fn find(&self, object: Va, reason: Option<u8>, stack: Option<(Va, Va)>) -> Option<usize> {
        if reason != Some(WR_RESOURCE) {
            return None;
        }
        let on_stack =
            |(low, high): (Va, Va)| (low < high).then(|| self.starts.range(low..high).next()).flatten();
        let found = self.starts.get(&object).or_else(|| on_stack(stack?).map(|found| found.1));
        found.copied()
    }
}

impl System<'_> {
    /// Every resource lock of `ExpSystemResourcesList`, in its order.
    pub fn resources(&self) -> &[Resource] {
        self.resources.get_or_init(|| {
            let (layout, entry) = (Eresource::of(self), OwnerEntry::of(self));
            let Some(head) = self.needed_global("ExpSystemResourcesList").filter(|_| layout.size > 0) else {
                return Vec::new();
            };
            // `SystemResourcesList` is the first member (WDK, `wdm.h`).
            let list = self.list(self.space, head, "ExpSystemResourcesList");
            let locks = list.entries.iter().map(|&at| self.view(at, layout.size));
            locks.filter(View::is_whole).map(|view| resource(self, &layout, &entry, &view)).collect()
        })
    }
}

fn resource(system: &System<'_>, layout: &Eresource, entry: &OwnerEntry, view: &View<'_>) -> Resource {
    // Some sources do not know what these point to, nor their size.
    let pointer = |field: Option<Field>| {
        let width = system.pointer_size();
        view.pointer(field.map(|field| Field { size: width, ..field }))
    };
    Resource {
        va: view.va(),
        active_count: view.int(layout.active_count).map(|value| value as i16),
        flags: view.uint(layout.flag).map(|value| value as u16),
        active_entries: view.u32(layout.active_entries),
        contention: view.u32(layout.contention),
        shared_count: view.u32(layout.shared_count),
        exclusive_count: view.u32(layout.exclusive_count),
        shared_waiters: pointer(layout.shared_waiters),
        exclusive_waiters: pointer(layout.exclusive_waiters),
        creator: view.pointer(layout.creator),
        owners: owners(system, layout, entry, view),
    }
}

/// The entries in the lock (two in XP, else one) and those of its table that have an owner.
fn owners(
    system: &System<'_>,
    layout: &Eresource,
    entry: &OwnerEntry,
    view: &View<'_>,
) -> Vec<ResourceOwner> {
    let size = u64::from(entry.size);
    let owner = |va: Va, in_table: bool| {
        let view = system.view(va, entry.size);
        let stated = view.uint(entry.thread).filter(|&thread| thread != 0)?;
        Some(ResourceOwner { entry: va, stated, count: view.u32(entry.count), in_table })
    };
    let inside = if layout.owners_of_xp.is_some() { 2 } else { 1 };
    let first = view.at(layout.owner);
    let inside = (0..inside).filter_map(|index| first?.checked_add(index * size));
    let mut found: Vec<_> = inside.filter_map(|va| owner(va, false)).collect();
    if let Some(table) = view.pointer(layout.owner_table) {
        let entries = system.view(table, entry.size).uint(entry.table_size);
        let Some(entries) = entries.filter(|&entries| entries <= MOST_OWNERS) else {
            let text = entries.map_or("no memory".to_string(), |entries| entries.to_string());
            let expected = format!("at most {MOST_OWNERS} entries");
            system.problem("bad_count", "_OWNER_ENTRY", "TableSize", Some(table), &expected, &text);
            return found;
        };
        let entries = entries.min(system.left("_OWNER_ENTRY", size));
        system.spend("_OWNER_ENTRY", entries);
        let rest = (1..entries).map_while(|index| table.checked_add(index * size));
        found.extend(rest.filter_map(|va| owner(va, true)));
    }
    found
}
