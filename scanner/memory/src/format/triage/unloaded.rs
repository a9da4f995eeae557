//! Drivers that were unloaded before the crash (`DUMP_UNLOADED_DRIVERS`).
//!
//! The 64-bit layout is settled by real dumps: a count of 8 bytes, then 0x38 bytes each. The 32-bit
//! one follows from the same declaration with pointers of 4 bytes, but no sample has confirmed it: it
//! is taken only when every entry proves itself, else the list is left out with a fault.

use super::{super::header::Kind, Reader};
use crate::{
    bytes::{Bytes, utf16_lossy},
    error::Result,
    records::{Problem, Records, UnloadedModule},
};

const STRUCTURE: &str = "DUMP_UNLOADED_DRIVERS";
/// No driver is as large; the same limit as other tools use.
const TOO_LARGE: u64 = 256 << 20;
/// Bytes of `DriverName`, which stands in the entry itself: 12 characters.
const NAME: u64 = 24;

/// Offsets of the entry, by size of pointers.
struct Layout {
    count: u64,
    entry: u64,
    name: u64,
    start: u64,
    pointer: u64,
}

const LAYOUT64: Layout = Layout { count: 8, entry: 0x38, name: 0x10, start: 0x28, pointer: 8 };
const LAYOUT32: Layout = Layout { count: 4, entry: 0x28, name: 0x08, start: 0x20, pointer: 4 };

impl Reader<'_> {
    /// Fills `unloaded_modules` in the order of the file.
    pub(super) fn unloaded_drivers(&self, records: &mut Records) {
        let at = u64::from(self.header.unloaded_drivers_offset);
        if at == 0 {
            return;
        }
        let layout = if self.kind == Kind::Bits64 { &LAYOUT64 } else { &LAYOUT32 };
        let Some(stated) = records.keep(count(self.file, at, layout)) else { return };
        let room = self.limit.saturating_sub(at + layout.count) / layout.entry;
        if stated > room {
            let expected = format!("at most {room} drivers, for which there is room");
            records.fault(Problem::new("invalid", STRUCTURE, "Count", at, expected, stated.to_string()));
        }
        let first = at + layout.count;
        let offsets = (0..stated.min(room)).map(|index| first + index * layout.entry);
        let read: Result<Vec<UnloadedModule>> = offsets.map(|at| entry(self.file, at, layout)).collect();
        let Some(modules) = records.keep(read) else { return };
        self.take(modules, at, records);
    }

    fn take(&self, modules: Vec<UnloadedModule>, at: u64, records: &mut Records) {
        let (good, bad): (Vec<_>, Vec<_>) = modules.into_iter().partition(|module| self.is_plausible(module));
        if !bad.is_empty() {
            let found = format!("{} entries that have not", bad.len());
            let expected = "a start at a page of the kernel's half and an end behind it";
            records.fault(Problem::new("invalid", STRUCTURE, "StartAddress", at, expected, found));
        }
        if self.kind == Kind::Bits64 || bad.is_empty() {
            records.unloaded_modules.extend(good);
        }
    }

    fn is_plausible(&self, module: &UnloadedModule) -> bool {
        let size = module.end.checked_sub(module.start);
        self.is_kernel_page(module.start) && size.is_some_and(|size| (1..TOO_LARGE).contains(&size))
    }
}

fn count(file: &[u8], at: u64, layout: &Layout) -> Result<u64> {
    let bytes = Bytes::at(file, at, layout.count, STRUCTURE)?;
    if layout.count == 8 { bytes.u64(0) } else { bytes.u32(0).map(u64::from) }
}

fn entry(file: &[u8], at: u64, layout: &Layout) -> Result<UnloadedModule> {
    let bytes = Bytes::at(file, at, layout.entry, STRUCTURE)?;
    let pointer = |at| if layout.pointer == 8 { bytes.u64(at) } else { bytes.u32(at).map(u64::from) };
    // The UNICODE_STRING's length is valid, its pointer is not: the first 12 characters stand in the entry.
    let length = u64::from(bytes.u16(0)?).min(NAME);
    let name = utf16_lossy(bytes.sub(layout.name, length, STRUCTURE)?.data());
    Ok(UnloadedModule {
        name: (!name.is_empty()).then_some(name),
        start: pointer(layout.start)?,
        end: pointer(layout.start + layout.pointer)?,
        source: "triage unloaded drivers",
        ..UnloadedModule::default()
    })
}
