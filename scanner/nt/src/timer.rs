//! Kernel timers: a table in each `_KPRCB` since Windows 7, one table for all before.

use crate::{System, layout, processor::Kprcb};
use memory::{Architecture, Va};

layout! {
    /// `_KTIMER`.
    Ktimer = "_KTIMER" {
        kind ? "Header.Type",
        signal_state ? "Header.SignalState",
        due_time: "DueTime",
        links: "TimerListEntry",
        dpc: "Dpc",
        period: "Period",
    }
}

layout! {
    /// `_KTIMER_TABLE`.
    KtimerTable = "_KTIMER_TABLE" {
        entries ? "TimerEntries",
        /// What lies behind the entries in newer builds.
        state ? "TableState",
    }
}

layout! {
    /// `_KTIMER_TABLE_ENTRY`.
    KtimerTableEntry = "_KTIMER_TABLE_ENTRY" {
        list ? "Entry",
    }
}

/// A table never had more slots.
const MOST_SLOTS: u32 = 512;

/// Slots of `KiTimerTableListHead`: of 32-bit Windows XP and 2003, and of Windows Vista and 64-bit 2003.
const OLD_SLOTS: [u32; 2] = [256, 512];

/// A list head in a timer table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Processor, where each has a table.
    pub processor: Option<u32>,
    /// Number of the slot.
    pub number: u32,
    /// Address of the list head.
    pub head: Va,
}

impl System<'_> {
    /// The list heads of all timer tables.
    pub fn timer_slots(&self) -> Vec<Slot> {
        let kprcb = Kprcb::of(self);
        if kprcb.timer_table.is_some() {
            return self.slots_of_processors(&kprcb);
        }
        if self.build >= 7600 {
            let expected = "a member of this kernel";
            self.problem("missing_field", "_KPRCB", "TimerTable", None, expected, "no such member");
            return Vec::new();
        }
        let Some(array) = self.needed_global("KiTimerTableListHead") else { return Vec::new() };
        let wide = self.pointer_size() == 8 || self.build >= 6000;
        let head = |number| array.checked_add(u64::from(number) * 2 * u64::from(self.pointer_size()));
        (0..OLD_SLOTS[usize::from(wide)])
            .filter_map(|number| Some(Slot { processor: None, number, head: head(number)? }))
            .collect()
    }

    fn slots_of_processors(&self, kprcb: &Kprcb) -> Vec<Slot> {
        let (table, entry) = (KtimerTable::of(self), KtimerTableEntry::of(self));
        let (Some(start), Some(entries), Some(list)) = (kprcb.timer_table, table.entries, entry.list) else {
            let expected = "_KTIMER_TABLE.TimerEntries and _KTIMER_TABLE_ENTRY.Entry";
            self.problem("missing_field", "_KTIMER_TABLE", "TimerEntries", None, expected, "not both");
            return Vec::new();
        };
        // Not every symbol source knows how many there are; what lies around them tells.
        let end = table.state.map_or(table.size, |state| state.offset);
        let slots = end.saturating_sub(entries.offset).checked_div(entry.size).unwrap_or(0).min(MOST_SLOTS);
        let first = u64::from(start.offset) + u64::from(entries.offset) + u64::from(list.offset);
        let of =
            |kprcb: Va, number: u32| kprcb.checked_add(first + u64::from(number) * u64::from(entry.size));
        let mut found = Vec::new();
        for processor in self.processors() {
            found.extend((0..slots).filter_map(|number| {
                Some(Slot { processor: Some(processor.number), number, head: of(processor.kprcb, number)? })
            }));
        }
        found
    }

    /// Addresses of the `_KTIMER`s of a slot.
    pub fn timers_of(&self, slot: &Slot, layout: &Ktimer) -> Vec<Va> {
        let Some(links) = layout.links else { return Vec::new() };
        // Most slots are empty: their head points to itself.
        let first = self.space.pointer(slot.head);
        if first == Ok(slot.head) {
            return Vec::new();
        }
        let readable = first.is_ok_and(|first| self.space.pointer(first).is_ok());
        if !readable && self.small_dump_lacks("_KTIMER_TABLE_ENTRY", "Entry") {
            return Vec::new();
        }
        let list = self.list(self.space, slot.head, "_KTIMER_TABLE_ENTRY.Entry");
        list.entries.iter().filter_map(|at| at.0.checked_sub(links.offset.into()).map(Va)).collect()
    }

    /// How `_KTIMER.Dpc` is hidden; `None` if it cannot be told.
    pub fn timer_code(&self) -> Option<TimerCode> {
        if self.architecture != Architecture::X86 && self.build == 0 {
            let expected = "a build, which tells whether it is encoded";
            self.problem("unknown_build", "_KTIMER", "Dpc", None, expected, "none");
            return None;
        }
        if self.architecture == Architecture::X86 || self.build < 7600 {
            return Some(TimerCode::Plain);
        }
        let value = |name| {
            let va = self.needed_global(name)?;
            self.space.u64(va).map_err(|fault| self.unreadable(name, "", va, &fault)).ok()
        };
        Some(TimerCode::Hidden { never: value("KiWaitNever")?, always: value("KiWaitAlways")? })
    }
}

/// How the kernel writes the address of a timer's `_KDPC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerCode {
    /// As it is.
    Plain,
    /// 64-bit kernels since Windows 7.
    Hidden {
        /// Value of `KiWaitNever`.
        never: u64,
        /// Value of `KiWaitAlways`.
        always: u64,
    },
}

impl TimerCode {
    /// Address of the `_KDPC` out of `_KTIMER.Dpc`. Source: volatility3's `KTIMER.get_dpc`.
    pub fn decode(self, raw: u64, timer: Va) -> u64 {
        match self {
            TimerCode::Plain => raw,
            TimerCode::Hidden { never, always } => {
                let value = (raw ^ never).rotate_left((never & 0x3f) as u32);
                (value ^ timer.0).swap_bytes() ^ always
            }
        }
    }
}
