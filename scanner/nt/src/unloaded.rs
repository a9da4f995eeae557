//! Drivers that were unloaded: the ring `MmUnloadedDrivers`.
//!
//! The structure is in no PDB: a `UNICODE_STRING`, the first and the last address, a FILETIME. 50 slots;
//! `MmLastUnloadedDriver` is the slot that is written next.

use crate::System;
use memory::{Time, Va};

/// Slots of the ring.
const SLOTS: u64 = 50;
/// No driver is larger; a slot that says so holds something else.
const MOST_BYTES: u64 = 256 << 20;

/// A driver that was unloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unloaded {
    /// Slot of the ring.
    pub slot: u32,
    /// `Name`.
    pub name: Option<String>,
    /// `StartAddress`.
    pub start: Va,
    /// `EndAddress`.
    pub end: Va,
    /// `CurrentTime`: when it was unloaded.
    pub time: Option<Time>,
}

impl System<'_> {
    /// The unloaded drivers, oldest first.
    pub fn unloaded_drivers(&self) -> Vec<Unloaded> {
        let Some(variable) = self.needed_global("MmUnloadedDrivers") else { return Vec::new() };
        let array = match self.space.pointer(variable) {
            Ok(Va(0)) => return Vec::new(), // none was ever unloaded
            Ok(array) => array,
            Err(fault) => {
                self.unreadable("MmUnloadedDrivers", "", variable, &fault);
                return Vec::new();
            }
        };
        let next = self.global("MmLastUnloadedDriver").and_then(|va| self.space.u32(va).ok());
        let first = next.map_or(0, u64::from) % SLOTS;
        (0..SLOTS).filter_map(|n| self.unloaded(array, (first + n) % SLOTS)).collect()
    }

    /// One slot; `None` if it is empty.
    fn unloaded(&self, array: Va, slot: u64) -> Option<Unloaded> {
        let width = u64::from(self.pointer_size());
        let size = 4 * width + 8;
        let at = array.checked_add(slot * size)?;
        let mut bytes = [0; 0x28];
        if let Err(fault) = self.space.read(at, &mut bytes[..size as usize]) {
            self.unreadable("UNLOADED_DRIVERS", "", at, &fault);
            return None;
        }
        let number = |offset: u64, width: u64| {
            let bytes = bytes[offset as usize..(offset + width) as usize].iter().rev();
            bytes.fold(0u64, |value, &byte| value << 8 | u64::from(byte))
        };
        let (start, end) = (number(2 * width, width), number(3 * width, width));
        let time = number(4 * width, 8);
        if (start, end, time) == (0, 0, 0) {
            return None;
        }
        let sane = self.is_kernel(Va(start)) && start.is_multiple_of(0x1000) && end > start;
        if !sane || end - start > MOST_BYTES || number(0, 2) % 2 == 1 {
            let found = format!("{start:#x} to {end:#x}");
            self.problem(
                "bad_value",
                "UNLOADED_DRIVERS",
                "",
                Some(at),
                "a range of the kernel's memory",
                &found,
            );
            return None;
        }
        Some(Unloaded {
            slot: slot as u32,
            name: self.unicode(at),
            start: Va(start),
            end: Va(end),
            time: Time::from_filetime(time).filter(|_| time != 0),
        })
    }
}
