//! DumpType 2, the kernel dump of Windows before version 8: a bitmap as in types 5 to 7, behind a
//! header of 32-bit fields and an `RTL_BITMAP` as it stood in memory.
//!
//! The offsets 0x08-0x14 look like those of the newer bitmap header, which shares the signature: the
//! dump type alone decides. Source: a public listing of `SUMMARY_DUMP32/64` (Singularity), agreeing
//! with windows-sys `DUMP_TYPE_SUMMARY` and its flags.

use super::{
    Format, Memory, Opened,
    bitmap::{self, Bitmap},
    header,
    header::{Header, Kind, dump_type},
};
use crate::{bytes::Bytes, error::Result, records::Problem, records::Records, runs::PhysRuns};

pub(crate) static FORMAT: Format = Format {
    name: "kernel summary",
    about: "kernel dump of older Windows (DumpType 2): the pages of a bitmap",
    probe: |map| header::dump_type(map.bytes()) == Some(dump_type::SUMMARY),
    open: |map| open(map.bytes()),
};

fn open(file: &[u8]) -> Result<Opened> {
    let Header { kind, mut records, .. } = header::read(file)?;
    let bitmap = state(file, kind, &mut records);
    let runs = match records.keep(bitmap) {
        Some(bitmap) => bitmap::pages(file, &bitmap, &mut records),
        None => PhysRuns::default(),
    };
    Ok(Opened::new(Memory::Physical(runs), records))
}

/// `SUMMARY_DUMP32/64` behind the dump header.
fn state(file: &[u8], kind: Kind, records: &mut Records) -> Result<Bitmap> {
    let (structure, size) = match kind {
        Kind::Bits32 => ("SUMMARY_DUMP32", 0x20),
        Kind::Bits64 => ("SUMMARY_DUMP64", 0x28),
    };
    let at = kind.size();
    records.reaches(at + size);
    let head = Bytes::at(file, at, size, structure)?;
    bitmap::check_signature(&head)?;
    let bits = u64::from(head.u32(0x10)?);
    let same = u64::from(head.u32(0x18)?);
    if bits != same {
        let expected = format!("{bits}, as BitmapSize");
        let (field, offset) = ("Bitmap.SizeOfBitMap", at + 0x18);
        records.fault(Problem::new("invalid", structure, field, offset, expected, same.to_string()));
    }
    Ok(Bitmap {
        structure,
        header: at,
        first_page: head.u32(0x0c)?.into(),
        set: head.u32(0x14)?.into(),
        bits,
        bits_at: at + size,
    })
}

#[cfg(test)]
mod tests;
