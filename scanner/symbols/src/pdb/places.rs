//! Where variables and functions are: the symbol records of a PDB, as addresses relative to the image base.

use super::{Debug, Msf, cursor::Cursor, cursor::records};
use crate::Result;
use std::collections::HashMap;

/// Places in the list of further streams (`DBGTYPE`).
const FROM_SOURCE: usize = 4;
const SECTIONS: usize = 5;
const SECTIONS_BEFORE: usize = 10;
const X86: u16 = 0x014c;

/// Public symbols, then global and static variables. Of several with one name the first counts, public ones first.
pub fn symbols(file: &Msf, debug: &Debug) -> Result<HashMap<String, u32>> {
    let Some(map) = Map::read(file, debug)? else { return Ok(HashMap::new()) };
    let stream = match debug.symbols {
        0xffff => None,
        number => file.stream(number.into())?,
    };
    let mut found: HashMap<String, (u8, u32)> = HashMap::new();
    let mut offer = |name: String, rank: u8, rva: u32| {
        let known = found.entry(name).or_insert((rank, rva));
        if rank < known.0 {
            *known = (rank, rva);
        }
    };
    for (kind, record) in stream.iter().flat_map(|stream| records(stream)) {
        let Some((rank, place, name)) = symbol(kind, record) else { continue };
        let Some(rva) = map.rva(place) else { continue };
        if let Some(plain) = undecorated(&name).filter(|_| debug.machine == X86) {
            offer(plain.to_string(), rank + 3, rva);
        }
        offer(name, rank, rva);
    }
    Ok(found.into_iter().map(|(name, (_, rva))| (name, rva)).collect())
}

/// Public symbols alone, sorted by address and name; of an x86 file without the linker's decoration.
pub fn publics(file: &Msf, debug: &Debug, map: &Map) -> Result<Vec<(u32, String)>> {
    let stream = match debug.symbols {
        0xffff => None,
        number => file.stream(number.into())?,
    };
    let named = |(kind, record)| {
        let (_, place, name) = symbol(kind, record).filter(|(rank, ..)| *rank == 0)?;
        let plain = undecorated(&name).filter(|_| debug.machine == X86).map(str::to_string);
        Some((map.rva(place)?, plain.unwrap_or(name)))
    };
    let mut found: Vec<(u32, String)> =
        stream.iter().flat_map(|stream| records(stream)).filter_map(named).collect();
    found.sort_unstable();
    Ok(found)
}

/// Rank, section and offset, name of a record that has all of them.
fn symbol(kind: u16, mut record: Cursor) -> Option<(u8, (u16, u32), String)> {
    let (rank, short) = match kind {
        0x110e => (0, false), // S_PUB32
        0x1009 => (0, true),
        0x110d => (1, false), // S_GDATA32
        0x1008 => (1, true),
        0x110c => (2, false), // S_LDATA32
        0x1007 => (2, true),
        _ => return None,
    };
    let _flags_or_type = record.u32()?;
    let (offset, section) = (record.u32()?, record.u16()?);
    let name = if short { record.short_text() } else { record.text() }?;
    Some((rank, (section, offset), name)).filter(|(_, _, name)| !name.is_empty())
}

/// x86 linkers see `_name`, `_name@8` and `@name@8`; everyone else says `name`.
fn undecorated(name: &str) -> Option<&str> {
    let plain = name.strip_prefix(['_', '@'])?;
    let plain = match plain.rsplit_once('@') {
        Some((before, bytes)) if bytes.bytes().all(|b| b.is_ascii_digit()) => before,
        _ => plain,
    };
    Some(plain).filter(|plain| !plain.is_empty())
}

/// From section and offset to an address.
pub struct Map {
    /// `VirtualAddress` of each section, of the image as the linker first made it.
    sections: Vec<u32>,
    /// Where its pieces went when the image was rearranged after linking (`OMAP` from source): sorted pairs of
    /// addresses; the second is 0 for what was dropped.
    moved: Option<Vec<(u32, u32)>>,
}

impl Map {
    pub fn read(file: &Msf, debug: &Debug) -> Result<Option<Map>> {
        let before = debug.further(file, SECTIONS_BEFORE)?;
        let moved = debug.further(file, FROM_SOURCE)?;
        let (headers, moved) = match (before, moved) {
            (Some(before), Some(moved)) => (Some(before), Some(moved)),
            _ => (debug.further(file, SECTIONS)?, None),
        };
        let Some(headers) = headers else { return Ok(None) };
        let pairs = |bytes: &[u8]| {
            let mut cursor = Cursor(bytes);
            std::iter::from_fn(|| Some((cursor.u32()?, cursor.u32()?))).collect()
        };
        let address = |header: &[u8]| u32::from_le_bytes([header[12], header[13], header[14], header[15]]);
        Ok(Some(Map {
            sections: headers.chunks_exact(40).map(address).collect(),
            moved: moved.map(|moved| pairs(&moved)),
        }))
    }

    /// Number of the section that holds an address, if its sections are those of the image as it is.
    pub fn section(&self, rva: u32) -> Option<usize> {
        let before = |start: &&u32| **start <= rva;
        self.moved.is_none().then(|| self.sections.iter().filter(before).count())
    }

    pub fn rva(&self, (section, offset): (u16, u32)) -> Option<u32> {
        let start = self.sections.get(usize::from(section).checked_sub(1)?)?;
        let at = start.checked_add(offset)?;
        let Some(moved) = &self.moved else { return Some(at) };
        let next = moved.partition_point(|&(from, _)| from <= at);
        let (from, to) = moved[..next].last()?;
        if *to == 0 {
            return None;
        }
        to.checked_add(at - from)
    }
}
