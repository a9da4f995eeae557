//! The driver list and the string pool with the drivers' names.
//!
//! An entry is a string offset and a frozen copy of `KLDR_DATA_TABLE_ENTRY`: 0x90 bytes in every
//! 64-bit dump from build 19041 to 26100, *not* the live kernel's layout. The distance of list and
//! pool says how long entries are; another length than expected is used and noted.

use super::{super::header::Kind, super::tally::Tally, Reader, header::DRIVER_COUNT};
use crate::{
    addr::PAGE_SIZE,
    bytes::{Bytes, utf16_lossy},
    error::Result,
    records::{Module, Problem, Records},
};

const STRUCTURE: &str = "DUMP_DRIVER_ENTRY";
const STRING: &str = "DUMP_STRING";
/// Bytes of a 64-bit entry; the 32-bit length is not established and comes from the list alone.
const ENTRY64: u64 = 0x90;
/// First byte behind the fields that are read.
const NEEDED64: u64 = 0x8c;
const NEEDED32: u64 = 0x28;
/// The longest path that Windows knows, in characters.
const LONGEST_NAME: u32 = 32_767;
/// All names together may be so many times larger than the dump. An honest writer stores each name once
/// for each driver; a small file with thousands of references to one long name must not fill memory.
const NAMES_PER_BYTE: u64 = 2;

impl Reader<'_> {
    /// Fills `modules` in the order of the list.
    pub(super) fn drivers(&self, records: &mut Records) {
        let Some(stride) = self.stride(records) else { return };
        let (start, stated) =
            (u64::from(self.header.driver_list_offset), u64::from(self.header.driver_count));
        let room = self.limit.saturating_sub(start) / stride;
        if stated > room {
            records.fault(self.too_many(DRIVER_COUNT, stated, room));
        }
        let (mut nameless, mut odd) = (Tally::default(), Tally::default());
        let mut budget = self.limit.saturating_mul(NAMES_PER_BYTE).saturating_add(LONGEST_NAME.into());
        for index in 0..stated.min(room) {
            let at = start + index * stride;
            let Ok(entry) = Bytes::at(self.file, at, stride, STRUCTURE) else { break };
            let Some((name, mut module)) = self.entry(&entry) else { break };
            if module.base % PAGE_SIZE != 0 || module.base == 0 {
                let found = format!("{:#x}", module.base);
                odd.note(|| {
                    Problem::new("invalid", STRUCTURE, "DllBase", at, "the address of a page", found)
                });
                continue; // not a driver entry: a row would be a guess
            }
            match string(self.file, name.into(), self.limit) {
                Ok(path) if path.len() as u64 <= budget => {
                    budget -= path.len() as u64;
                    module.path = Some(path);
                }
                Ok(_) => nameless.note(|| {
                    let found = "references to the same bytes over and over";
                    Problem::new("limit", STRING, "", name.into(), "every name to have its own bytes", found)
                }),
                Err(error) => nameless.note(|| error.into()),
            }
            records.modules.push(module);
        }
        nameless.finish(records);
        odd.finish(records);
    }

    /// Bytes of an entry; `None` when there is no list, or none that can be read.
    fn stride(&self, records: &mut Records) -> Option<u64> {
        let header = &self.header;
        let (list, pool, count) = (header.driver_list_offset, header.string_pool_offset, header.driver_count);
        if list == 0 || count == 0 {
            return None;
        }
        let distance = u64::from(pool).checked_sub(list.into());
        let stride = distance.map(|distance| distance / u64::from(count));
        let needed = if self.kind == Kind::Bits64 { NEEDED64 } else { NEEDED32 };
        match (self.kind, stride) {
            (Kind::Bits64, Some(ENTRY64)) => Some(ENTRY64),
            // A count that lies makes the derived length absurd; the one that all real dumps have stays.
            (Kind::Bits64, stride) => {
                let found =
                    stride.map_or("a string pool before the list".into(), |stride| format!("{stride:#x}"));
                let expected = format!("entries of {ENTRY64:#x} bytes up to the string pool");
                records.fault(header.problem("invalid", DRIVER_COUNT, expected, found));
                Some(stride.filter(|stride| (needed..=0x200).contains(stride)).unwrap_or(ENTRY64))
            }
            (Kind::Bits32, Some(stride)) if (needed..=0x100).contains(&stride) => Some(stride),
            (Kind::Bits32, _) => {
                let found = format!("{count} entries between {list:#x} and {pool:#x}");
                records.fault(header.problem(
                    "invalid",
                    DRIVER_COUNT,
                    "a list that ends at the string pool",
                    found,
                ));
                None
            }
        }
    }

    /// The offset of the name, and the fields of the entry. The 32-bit copy's later fields are not
    /// established and stay unread.
    fn entry(&self, entry: &Bytes<'_>) -> Option<(u32, Module)> {
        let name = entry.u32(0).ok()?;
        let source = "triage driver list";
        let module = match self.kind {
            Kind::Bits64 => Module {
                base: entry.u64(0x38).ok()?,
                entry_point: entry.u64(0x40).ok(),
                size: entry.u32(0x48).ok()?.into(),
                flags: entry.u32(0x70).ok(),
                checksum: entry.u32(0x80).ok(),
                timestamp: entry.u32(0x88).ok(),
                source,
                ..Module::default()
            },
            Kind::Bits32 => Module {
                base: entry.u32(0x1c).ok()?.into(),
                entry_point: entry.u32(0x20).ok().map(u64::from),
                size: entry.u32(0x24).ok()?.into(),
                source,
                ..Module::default()
            },
        };
        Some((name, module))
    }
}

/// A string of the pool: the number of *characters*, then UTF-16.
pub(super) fn string(file: &[u8], offset: u64, limit: u64) -> Result<String> {
    let characters = Bytes::at(file, offset, 4, STRING)?.u32(0)?;
    let (start, bytes) = (offset + 4, u64::from(characters) * 2);
    if characters > LONGEST_NAME || start + bytes > limit {
        let head = Bytes::at(file, offset, 4, STRING)?;
        let expected = format!("at most {LONGEST_NAME} characters that end before {limit:#x}");
        return Err(head.invalid("Length", 0, expected, characters.to_string()));
    }
    Ok(utf16_lossy(Bytes::at(file, start, bytes, STRING)?.data()))
}
