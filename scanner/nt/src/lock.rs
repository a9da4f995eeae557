//! Critical sections of user mode, as far as the PEB leads to them.
//!
//! All that have debug information are in a ring whose head is a variable of ntdll, which kernel symbols do not know;
//! the ring is entered at the loader's lock or the PEB's. Source: phnt's `ntrtl.h` for the structures, the debugger's
//! documentation ("Displaying a critical section") for the lock count.

use crate::{System, layout, peb::Half};
use memory::Va;
use std::collections::HashSet;
use symbols::Field;

layout! {
    /// `_RTL_CRITICAL_SECTION`.
    Section = "_RTL_CRITICAL_SECTION" {
        debug: "DebugInfo",
        lock_count: "LockCount",
        recursion: "RecursionCount",
        owner: "OwningThread",
        spin: "SpinCount",
    }
}

layout! {
    /// `_RTL_CRITICAL_SECTION_DEBUG`.
    SectionDebug = "_RTL_CRITICAL_SECTION_DEBUG" {
        section: "CriticalSection",
        links: "ProcessLocksList",
        entries: "EntryCount",
        contention: "ContentionCount",
    }
}

/// A critical section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Its address.
    pub va: Va,
    /// How it was found.
    pub source: &'static str,
    /// Its debug information.
    pub debug: Option<Va>,
    /// `LockCount`.
    pub lock_count: Option<i32>,
    /// What the lock count says.
    pub state: Option<State>,
    /// `RecursionCount`.
    pub recursion: Option<i32>,
    /// `OwningThread`; `None` for a free one.
    pub owner: Option<u32>,
    /// `SpinCount` without its flags.
    pub spin: Option<u32>,
    /// `EntryCount`.
    pub entries: Option<u32>,
    /// `ContentionCount`.
    pub contention: Option<u32>,
}

/// A lock count, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// A thread owns it.
    pub locked: bool,
    /// Threads that wait.
    pub waiters: u32,
    /// Whether one of them has been woken; not known before Windows Vista.
    pub woken: Option<bool>,
}

/// Decodes `LockCount`.
pub fn state(build: u32, lock_count: i32, recursion: i32) -> State {
    if build < 6000 {
        // -1 is free; every entry, the owner's own too, adds one.
        let waiters = i64::from(lock_count) + 1 - i64::from(recursion);
        return State { locked: lock_count >= 0, waiters: clamped(waiters), woken: None };
    }
    let waiters = (-1 - i64::from(lock_count)) >> 2;
    State { locked: lock_count & 1 == 0, waiters: clamped(waiters), woken: Some(lock_count & 2 == 0) }
}

/// Counts that no critical section has, of damaged ones, end at the nearest that is a number of threads.
fn clamped(waiters: i64) -> u32 {
    waiters.clamp(0, u32::MAX.into()) as u32
}

impl<'a> Half<'a> {
    /// The critical sections of this half: those of the PEB, then the others in the order of the ring.
    pub fn locks(&self, system: &System<'a>) -> Vec<Lock> {
        let peb = &self.layouts.peb;
        let known = [(peb.loader_lock, "PEB.LoaderLock"), (peb.fast_lock, "PEB.FastPebLock")];
        let known = known.map(|(field, source)| Some((self.peb.pointer(field)?, source)));
        let mut locks: Vec<Lock> =
            known.into_iter().flatten().filter_map(|(va, source)| self.lock(system, va, source)).collect();
        let mut seen: HashSet<Va> = locks.iter().map(|lock| lock.va).collect();
        let Some(links) = self.layouts.debug.links else { return locks };
        let Some(first) = locks.iter().find_map(|lock| lock.debug) else { return locks };
        let Some(start) = first.checked_add(links.offset.into()) else { return locks };
        let mut strangers = 0;
        for at in self.ring(system, start, "_RTL_CRITICAL_SECTION_DEBUG") {
            let debug = at.0.checked_sub(links.offset.into()).map(Va);
            match debug.and_then(|debug| self.owner(debug)) {
                Some(va) if seen.insert(va) => locks.extend(self.lock(system, va, "ProcessLocksList")),
                Some(_) => {}
                // One of them is the head of the ring.
                None => strangers += 1,
            }
        }
        if strangers > 1 {
            let found = format!("{strangers} without one");
            let name = "_RTL_CRITICAL_SECTION_DEBUG";
            system.problem("bad_value", name, "CriticalSection", Some(start), "a critical section", &found);
        }
        locks
    }

    /// The critical section of debug information, if that points back.
    fn owner(&self, debug: Va) -> Option<Va> {
        let va = self.view(debug, 0).pointer(self.layouts.debug.section)?;
        (self.view(va, 0).pointer(self.layouts.section.debug)? == debug).then_some(va)
    }

    fn lock(&self, system: &System<'a>, va: Va, source: &'static str) -> Option<Lock> {
        let (layout, of_debug) = (&self.layouts.section, &self.layouts.debug);
        let view = self.view(va, layout.size);
        if !view.is_whole() {
            return None;
        }
        // -1: without debug information.
        let debug = view.pointer(layout.debug).filter(|&debug| self.owner(debug) == Some(va));
        let counts = debug.map(|debug| self.view(debug, of_debug.size));
        let lock_count = view.int(layout.lock_count).map(|count| count as i32);
        let recursion = view.int(layout.recursion).map(|count| count as i32);
        Some(Lock {
            va,
            source,
            debug,
            lock_count,
            state: lock_count
                .zip(recursion)
                .filter(|_| system.build != 0) // the count's meaning changed with Windows Vista
                .map(|(count, recursion)| state(system.build, count, recursion)),
            recursion,
            owner: view.u32(layout.owner).filter(|&owner| owner != 0),
            // The upper byte holds flags, such as that there is no debug information on purpose.
            spin: view.u32(layout.spin).map(|spin| spin & 0x00ff_ffff),
            entries: counts.as_ref().and_then(|view| view.u32(of_debug.entries)),
            contention: counts.as_ref().and_then(|view| view.u32(of_debug.contention)),
        })
    }
}

impl Section {
    /// That of 32-bit programs.
    pub(crate) fn narrow() -> Section {
        let field = |offset: u32| Some(Field { offset, size: 4, bits: None });
        Section {
            size: 0x18,
            debug: field(0),
            lock_count: field(4),
            recursion: field(8),
            owner: field(0xc),
            spin: field(0x14),
        }
    }
}

impl SectionDebug {
    /// That of 32-bit programs.
    pub(crate) fn narrow() -> SectionDebug {
        let field = |offset: u32, size: u32| Some(Field { offset, size, bits: None });
        SectionDebug {
            size: 0x20,
            section: field(4, 4),
            links: field(8, 8),
            entries: field(0x10, 4),
            contention: field(0x14, 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: the values that the debugger's documentation works out.
    #[test]
    fn lock_counts() {
        let check = |build, count, recursion, locked, waiters, woken| {
            assert_eq!(state(build, count, recursion), State { locked, waiters, woken }, "{count}");
        };
        check(19041, -1, 0, false, 0, Some(false));
        check(19041, -2, 1, true, 0, Some(false));
        check(19041, -22, 1, true, 5, Some(false));
        check(19041, -8, 1, true, 1, Some(true));
        check(2600, -1, 0, false, 0, None);
        check(2600, 2, 3, true, 0, None);
        check(2600, 2, 1, true, 2, None);
        check(19041, i32::MAX, 0, false, 0, Some(false));
        check(2600, i32::MAX, i32::MIN, true, u32::MAX, None);
    }
}
