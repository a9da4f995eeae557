//! The driver list and the string pool with the drivers' names.
//!
//! An entry is a string offset and a frozen copy of `KLDR_DATA_TABLE_ENTRY`: 0x90 bytes in every
//! 64-bit dump from build 19041 to 26100, *not* the live kernel's layout. The distance of list and
//! pool says how long entries are; another length than expected is noted, and used when the entries
//! prove it. Situation: a damaged count of 3 instead of 5 gives entries of 0xf0 bytes, which is
//! possible. Handling: read so, they are no drivers, and the known length stays.

use super::{super::header::Kind, super::tally::Tally, Reader, header::DRIVER_COUNT};
use crate::{
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
/// Entries that prove a length, where there are as many.
const PROOF: u64 = 8;
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
            if !self.is_kernel_page(module.base) {
                let expected = "the address of a page of the kernel's half";
                let found = || format!("{:#x}", module.base);
                odd.note(|| Problem::new("invalid", STRUCTURE, "DllBase", at, expected, found()));
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
        let distance = u64::from(pool).saturating_sub(list.into());
        let stated = distance / u64::from(count);
        let (usual, range, alignment) = match self.kind {
            Kind::Bits64 => (Some(ENTRY64), NEEDED64..=0x200, 8),
            Kind::Bits32 => (None, NEEDED32..=0x100, 4),
        };
        if usual == Some(stated) {
            return usual;
        }
        let possible = range.contains(&stated) && stated.is_multiple_of(alignment);
        let proven = (possible && self.are_drivers(stated)).then_some(stated);
        if usual.is_some() || proven.is_none() {
            let expected = match usual {
                Some(usual) => format!("entries of {usual:#x} bytes up to the string pool"),
                None => "drivers up to the string pool".into(),
            };
            let found = format!("{count} entries between {list:#x} and {pool:#x}");
            records.fault(header.problem("invalid", DRIVER_COUNT, expected, found));
        }
        proven.or(usual)
    }

    /// Whether the first entries are drivers when each has `stride` bytes.
    fn are_drivers(&self, stride: u64) -> bool {
        let (start, count) = (self.header.driver_list_offset.into(), self.header.driver_count.into());
        let is_driver = |index: u64| {
            let entry =
                Bytes::at(self.file, index.checked_mul(stride)?.checked_add(start)?, stride, STRUCTURE);
            self.entry(&entry.ok()?).map(|(_, module)| self.is_kernel_page(module.base))
        };
        (0..PROOF.min(count)).all(|index| is_driver(index) == Some(true))
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

/// A string of the pool: the number of *characters*, then UTF-16, then NUL. Text that does not end where
/// the number says is none: the offset, or the number, is damaged.
pub(super) fn string(file: &[u8], offset: u64, limit: u64) -> Result<String> {
    let head = Bytes::at(file, offset, 4, STRING)?;
    let characters = head.u32(0)?;
    let (start, bytes) = (offset + 4, u64::from(characters) * 2);
    if !(1..=LONGEST_NAME).contains(&characters) || start + bytes + 2 > limit {
        let expected = format!("1 to {LONGEST_NAME} characters that end before {limit:#x}");
        return Err(head.invalid("Length", 0, expected, characters.to_string()));
    }
    let text = Bytes::at(file, start, bytes + 2, STRING)?;
    let ends = text.data().as_chunks::<2>().0.iter().position(|unit| *unit == [0, 0]);
    if ends != usize::try_from(characters).ok() {
        let found = ends.map_or("no NUL there".into(), |at| format!("NUL behind {at}"));
        return Err(head.invalid("Buffer", 4, format!("NUL behind {characters} characters"), found));
    }
    Ok(utf16_lossy(text.data()))
}
