//! `firmware`: the SMBIOS table that Windows keeps in a dump's tagged data.
//!
//! Sources: DMTF DSP0134 for the structures; Microsoft's `GetSystemFirmwareTable` for `RawSMBIOSData` in front of them.
//! That the blob with this tag holds it was seen in dumps of Windows 10 and 11 (16 of 17 small ones have it, x64 and
//! ARM64); a blob that holds something else gives a row of `faults`.

use super::tagged_blobs::data;
use crate::{Job, out::Out};
use memory::Va;
use memory::records::{Blob, guid};
use schema::{
    Sink,
    tables::{Firmware, FirmwareRow},
};

/// Tag of the blob.
const TAG: &str = "bc5c008f-1e3a-44d7-988d-86f6884c6758";
/// Bytes of `RawSMBIOSData` in front of the table.
const HEADER: usize = 8;
/// A table of more structures lies: the largest servers have a few thousand.
const MOST: u32 = 0x4000;
/// Bytes of a text that are kept.
const LONGEST: usize = 128;
/// Type of the structure that ends a table.
const END: u8 = 127;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Firmware>::new(sink);
    for blob in job.dump.records.blobs.iter().filter(|blob| guid(&blob.tag) == TAG) {
        if let Some(row) = data(job.dump.file(), blob).and_then(|data| row(job, blob, data)) {
            out.push(row)?;
        }
    }
    out.finish()
}

fn row(job: &Job, blob: &Blob, data: &[u8]) -> Option<FirmwareRow> {
    let problem = |kind: &str, expected: &str, found: String| {
        if let Some(system) = job.system {
            system.problem(kind, "RawSMBIOSData", "", None::<Va>, expected, &found);
        }
    };
    let stated = data.get(4..HEADER).and_then(|len| len.try_into().ok()).map(u32::from_le_bytes);
    let Some(stated) = stated.filter(|&stated| stated > 0) else {
        problem("invalid", "a table of firmware", format!("a blob of {} bytes", data.len()));
        return None;
    };
    let table = &data[HEADER..];
    let table = &table[..table.len().min(stated as usize)];
    let offset = blob.offset.saturating_add(HEADER as u64);
    let smbios_version = format!("{}.{}", data[1], data[2]);
    let mut row =
        FirmwareRow { source: "tagged blob".into(), offset, smbios_version, ..FirmwareRow::default() };
    let mut rest = table;
    while row.structures < MOST
        && let Some((structure, behind)) = Structure::take(rest)
    {
        row.structures += 1;
        structure.tell(&mut row);
        rest = behind;
        if structure.kind == END {
            row.complete = true;
            break;
        }
    }
    row.complete |= rest.is_empty() && table.len() == stated as usize;
    if !row.complete {
        let found = format!("{} structures, then none", row.structures);
        problem("truncated", &format!("a table of {stated} bytes"), found);
    }
    Some(row)
}

/// A structure and its texts.
struct Structure<'a> {
    kind: u8,
    /// With its header of four bytes, so that offsets are those of the standard.
    bytes: &'a [u8],
    texts: &'a [u8],
}

impl<'a> Structure<'a> {
    /// The first structure of a table, and what lies behind it.
    fn take(table: &'a [u8]) -> Option<(Structure<'a>, &'a [u8])> {
        let (kind, length) = (*table.first()?, usize::from(*table.get(1)?));
        let bytes = table.get(..length).filter(|bytes| bytes.len() >= 4)?;
        let behind = &table[length..];
        // Texts end with an empty one; where there are none two zeros stand.
        let end = behind.windows(2).position(|pair| pair == [0, 0])?;
        Some((Structure { kind, bytes, texts: &behind[..end] }, &behind[end + 2..]))
    }

    fn u8(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes.get(at..at + 2)?.try_into().ok()?))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes.get(at..at + 4)?.try_into().ok()?))
    }

    /// The text whose number stands at an offset; 0 is no text.
    fn text(&self, at: usize) -> Option<String> {
        let number = usize::from(self.u8(at)?).checked_sub(1)?;
        let text = self.texts.split(|&byte| byte == 0).nth(number)?;
        let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST)]).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// A release of two numbers, 255 each where there is none.
    fn release(&self, at: usize) -> Option<String> {
        let (major, minor) = (self.u8(at)?, self.u8(at + 1)?);
        (major != 0xff || minor != 0xff).then(|| format!("{major}.{minor}"))
    }

    /// Puts what it says into the row. Of boards and processors the first counts.
    fn tell(&self, row: &mut FirmwareRow) {
        match self.kind {
            0 => {
                (row.bios_vendor, row.bios_version) = (self.text(4), self.text(5));
                (row.bios_date, row.bios_release) = (self.text(8), self.release(0x14));
                row.controller_release = self.release(0x16);
            }
            1 => {
                (row.system_manufacturer, row.system_product) = (self.text(4), self.text(5));
                (row.system_version, row.system_family) = (self.text(6), self.text(0x1a));
            }
            2 if row.board_manufacturer.is_none() && row.board_product.is_none() => {
                (row.board_manufacturer, row.board_product) = (self.text(4), self.text(5));
                row.board_version = self.text(6);
            }
            4 => {
                row.processor = row.processor.take().or_else(|| self.text(0x10));
                // Bit 6: the socket is populated.
                row.processor_sockets += u32::from(self.u8(0x18).is_some_and(|status| status & 0x40 != 0));
            }
            17 => {
                let size = self.memory_size();
                row.memory_modules += u32::from(size.is_some());
                row.memory_bytes = row.memory_bytes.saturating_add(size.unwrap_or(0));
            }
            _ => {}
        }
    }

    /// Bytes of a memory module, 0 where it does not say; `None` for an empty slot.
    fn memory_size(&self) -> Option<u64> {
        match self.u16(0xc)? {
            0 => None,
            0xffff => Some(0),
            0x7fff => Some(u64::from(self.u32(0x1c).unwrap_or(0) & 0x7fff_ffff) << 20),
            size if size & 0x8000 != 0 => Some(u64::from(size & 0x7fff) << 10),
            size => Some(u64::from(size) << 20),
        }
    }
}
