//! DumpTypes 8 (kernel), 9 (kernel and user) and 10 (complete), as newer debugger engines write
//! them: a list of page ranges, then their pages, packed in the order of the list.
//!
//! The list of types 8 and 9 ends with an entry whose first frame is 0, or where the first page
//! begins. Type 10 counts its ranges and pages; the list ends when the pages are complete. Ranges
//! need not ascend.
//!
//! Source: kdmp-parser `RDMP_HEADER64`, `FULL_RDMP_HEADER64`. A 32-bit form is not documented; it is
//! read the same behind the smaller header.

use super::{
    Format, Memory, Opened, header,
    header::{Header, dump_type},
    packed::Packed,
    secondary,
};
use crate::{
    PAGE_SIZE,
    bytes::Bytes,
    error::Result,
    records::{Problem, Records},
    runs::PhysRuns,
};

pub(crate) static FORMAT: Format = Format {
    name: "kernel ranges",
    about: "kernel or complete dump of newer debugger engines (DumpType 8, 9, 10): pages of a range list",
    probe: |map| {
        let types = [dump_type::RANGES_KERNEL, dump_type::RANGES_KERNEL_USER, dump_type::RANGES_FULL];
        header::dump_type(map.bytes()).is_some_and(|found| types.contains(&found))
    },
    open: |map| open(map.bytes()),
};

const STRUCTURE: &str = "RDMP_HEADER64";

/// Offset of the first range behind the dump header; size of a range.
const LIST: u64 = 0x30;
const RANGE: u64 = 0x10;

/// `RDMP_HEADER64`.
struct Rdmp {
    /// File offset of the header.
    at: u64,
    metadata_size: u64,
    first_page: u64,
    /// `NumberOfRanges` and `TotalNumberOfPages`, which only type 10 has.
    totals: Option<(u32, u64)>,
}

fn open(file: &[u8]) -> Result<Opened> {
    let Header { kind, dump_type, mut records, .. } = header::read(file)?;
    records.reaches(kind.size() + LIST);
    let rdmp = state(file, kind.size(), dump_type == Some(dump_type::RANGES_FULL));
    let runs = match records.keep(rdmp) {
        Some(rdmp) => pages(file, &rdmp, &mut records),
        None => PhysRuns::default(),
    };
    Ok(Opened::new(Memory::Physical(runs), records))
}

fn state(file: &[u8], at: u64, complete: bool) -> Result<Rdmp> {
    let head = Bytes::at(file, at, LIST, STRUCTURE)?;
    let signature = head.array::<8>(4)?;
    if &signature != b"RDMPDUMP" {
        return Err(head.invalid("Signature", 4, "RDMPDUMP", format!("{signature:02x?}")));
    }
    let totals = if complete { Some((head.u32(0x20)?, head.u64(0x28)?)) } else { None };
    let (metadata_size, first_page) = (head.u64(0x10)?, head.u64(0x18)?);
    if first_page < at + LIST {
        let expected = format!("an offset behind {:#x}", at + LIST);
        return Err(head.invalid("FirstPageOffset", 0x18, expected, format!("{first_page:#x}")));
    }
    Ok(Rdmp { at, metadata_size, first_page, totals })
}

/// The runs, and the blobs behind the pages.
fn pages(file: &[u8], rdmp: &Rdmp, records: &mut Records) -> PhysRuns {
    check_metadata(rdmp, records);
    // The ranges lie between the header and the first page, whatever MetadataSize says.
    let list_at = rdmp.at + LIST;
    let list = Bytes::up_to(file, list_at, rdmp.first_page - list_at, STRUCTURE);
    if (file.len() as u64) < rdmp.first_page {
        // The list of ranges is cut off: only type 10 says how many pages there are.
        let pages = rdmp.totals.map_or(0, |(_, pages)| pages);
        let end = rdmp.first_page.saturating_add(pages.saturating_mul(PAGE_SIZE));
        records.reaches_by_count((STRUCTURE, rdmp.at), end);
    }
    let mut packed = Packed::new(rdmp.first_page, file.len() as u64);
    let complete = walk(&list, rdmp, &mut packed, records);
    check_totals(rdmp, complete, packed.frames(), records);
    let end = packed.end();
    let runs = packed.finish(STRUCTURE, records);
    secondary::read(file, end, records);
    runs
}

/// Pushes the ranges; returns how many there were.
fn walk(list: &Bytes<'_>, rdmp: &Rdmp, packed: &mut Packed, records: &mut Records) -> u64 {
    let mut ranges = 0;
    for entry in list.data().as_chunks::<16>().0 {
        let entry = u128::from_le_bytes(*entry);
        let (first, count) = (entry as u64, (entry >> 64) as u64);
        let ended = match rdmp.totals {
            Some((_, total)) => packed.frames() >= total || entry == 0,
            None => first == 0,
        };
        if ended {
            break;
        }
        if !packed.push(first, count) {
            let at = list.start() + ranges * RANGE;
            let found = format!("{count} frames at {first:#x}");
            let expected = "frames of physical memory";
            records.fault(Problem::new("invalid", STRUCTURE, "Range", at, expected, found));
            break;
        }
        ranges += 1;
    }
    ranges
}

/// `MetadataSize` counts from the 0x20th byte on, the first page follows it at once.
fn check_metadata(rdmp: &Rdmp, records: &mut Records) {
    let expected = rdmp.first_page - rdmp.at - 0x20;
    if rdmp.metadata_size != expected {
        let (field, at) = ("MetadataSize", rdmp.at + 0x10);
        let expected = format!("{expected:#x}, up to FirstPageOffset");
        let found = format!("{:#x}", rdmp.metadata_size);
        records.fault(Problem::new("invalid", STRUCTURE, field, at, expected, found));
    }
}

fn check_totals(rdmp: &Rdmp, ranges: u64, frames: u64, records: &mut Records) {
    let Some((stated_ranges, stated_pages)) = rdmp.totals else { return };
    let mut check = |field, at, stated: u64, found: u64| {
        if stated != found {
            let expected = format!("{found}, as in the list");
            let at = rdmp.at + at;
            records.fault(Problem::new("invalid", STRUCTURE, field, at, expected, stated.to_string()));
        }
    };
    check("TotalNumberOfPages", 0x28, stated_pages, frames);
    check("NumberOfRanges", 0x20, stated_ranges.into(), ranges);
}

#[cfg(test)]
mod tests;
