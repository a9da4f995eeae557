//! DumpTypes 5 (bitmap full), 6 (bitmap kernel; active and live dumps as well) and 7 (automatic):
//! a bit for each frame of physical memory; the frames whose bit is set follow, packed.
//!
//! Type 7 is read as 5 and 6: no document says otherwise and the user's choice "automatic" is a
//! kernel dump in content. Of a map that claims more bits than there are bytes before the first
//! page, those bits count that exist.
//!
//! Source: kdmp-parser `BMP_HEADER64`, LeechCore, rekall; the offsets are the same behind a 32-bit
//! header (volatility3).

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
    name: "kernel bitmap",
    about: "kernel, active, automatic or live dump (DumpType 5, 6, 7): the pages of a bitmap",
    probe: |map| {
        let types = [dump_type::BITMAP_FULL, dump_type::BITMAP_KERNEL, dump_type::AUTOMATIC];
        header::dump_type(map.bytes()).is_some_and(|found| types.contains(&found))
    },
    open: |map| open(map.bytes()),
};

/// Where a bitmap is and where its pages are. Types 5-7 and type 2 state it in different places.
pub(super) struct Bitmap {
    /// Documented name of the header that states it.
    pub structure: &'static str,
    /// File offset of that header.
    pub header: u64,
    /// File offset of the first page.
    pub first_page: u64,
    /// Number of bits that the header claims are set.
    pub set: u64,
    /// Number of bits: frames from 0 on that the map speaks of.
    pub bits: u64,
    /// File offset of the bits.
    pub bits_at: u64,
}

/// Bytes of a `BMP_HEADER64` before the bits.
const SIZE: u64 = 0x38;

fn open(file: &[u8]) -> Result<Opened> {
    let Header { kind, mut records, .. } = header::read(file)?;
    records.reaches(kind.size() + SIZE);
    let bitmap = state(file, kind.size());
    let runs = match records.keep(bitmap) {
        Some(bitmap) => pages(file, &bitmap, &mut records),
        None => PhysRuns::default(),
    };
    Ok(Opened::new(Memory::Physical(runs), records))
}

/// `BMP_HEADER64` at `at`.
fn state(file: &[u8], at: u64) -> Result<Bitmap> {
    let head = Bytes::at(file, at, SIZE, "BMP_HEADER64")?;
    check_signature(&head)?;
    let (first_page, set, bits) = (head.u64(0x20)?, head.u64(0x28)?, head.u64(0x30)?);
    Ok(Bitmap { structure: "BMP_HEADER64", header: at, first_page, set, bits, bits_at: at + SIZE })
}

/// `SDMP` or `FDMP`, then `DUMP`: every reader accepts both whatever the type.
pub(super) fn check_signature(head: &Bytes<'_>) -> Result<()> {
    let signature = head.array::<8>(0)?;
    match &signature {
        b"SDMPDUMP" | b"FDMPDUMP" => Ok(()),
        _ => Err(head.invalid("Signature", 0, "SDMPDUMP or FDMPDUMP", format!("{signature:02x?}"))),
    }
}

/// The runs of a bitmap, and the blobs behind the pages. What contradicts becomes a fault.
pub(super) fn pages(file: &[u8], bitmap: &Bitmap, records: &mut Records) -> PhysRuns {
    let structure = bitmap.structure;
    let problem = |field, expected: String, found: String| {
        Problem::new("invalid", structure, field, bitmap.header, expected, found)
    };
    if bitmap.first_page < bitmap.bits_at {
        let expected = format!("an offset behind {:#x}", bitmap.bits_at);
        records.fault(problem("FirstPage", expected, format!("{:#x}", bitmap.first_page)));
        return PhysRuns::default();
    }
    let room = bitmap.first_page - bitmap.bits_at;
    let whole = bitmap.bits.div_ceil(8).min(room);
    let bytes = Bytes::up_to(file, bitmap.bits_at, whole, structure);
    if bytes.len() < whole {
        // Which frames follow is not known then, but how many.
        let end = bitmap.first_page.saturating_add(bitmap.set.saturating_mul(PAGE_SIZE));
        let most = bitmap.bits.min(PhysRuns::LIMIT);
        match bitmap.set > most {
            true => {
                let expected = format!("at most {most}, the number of bits");
                records.doubt(problem("TotalPresentPages", expected, bitmap.set.to_string()));
            }
            false => records.reaches_by_count((structure, bitmap.header), end),
        }
    }
    let bits = bitmap.bits.min(bytes.len().saturating_mul(8));
    if bits < bitmap.bits {
        let found = format!("{} bits in {} bytes of bitmap", bitmap.bits, bytes.len());
        records.fault(problem("Pages", format!("at most {bits}"), found));
    }
    let mut packed = Packed::new(bitmap.first_page, file.len() as u64);
    runs_of(bytes.data(), bits, |first, count| packed.push(first, count));
    if packed.frames() != bitmap.set {
        let expected = format!("{}, the number of bits that are set", packed.frames());
        records.fault(problem("TotalPresentPages", expected, bitmap.set.to_string()));
    }
    let end = packed.end();
    let runs = packed.finish(structure, records);
    secondary::read(file, end, records);
    runs
}

/// Calls `run` with first bit and number of bits for each run of ones among the first `bits` bits
/// of `map`, until it says false. Lowest bit first, 64 bits at a time: bits behind `bits` are masked.
/// A run that crosses words may come in pieces.
fn runs_of(map: &[u8], bits: u64, mut run: impl FnMut(u64, u64) -> bool) {
    let (words, rest) = map.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    for (n, word) in (0u64..).zip(words.iter().chain([&last])) {
        let base = n * 64;
        let Some(valid) = bits.checked_sub(base).filter(|&valid| valid > 0) else { return };
        let mask = if valid >= 64 { u64::MAX } else { (1 << valid) - 1 };
        if !runs_of_word(u64::from_le_bytes(*word) & mask, base, &mut run) {
            return;
        }
    }
}

fn runs_of_word(mut word: u64, base: u64, run: &mut impl FnMut(u64, u64) -> bool) -> bool {
    let mut at = 0;
    while word != 0 {
        let zeros = word.trailing_zeros();
        word >>= zeros;
        let ones = word.trailing_ones();
        if !run(base + u64::from(at + zeros), ones.into()) {
            return false;
        }
        at += zeros + ones;
        word = word.checked_shr(ones).unwrap_or(0);
    }
    true
}

#[cfg(test)]
mod tests;
