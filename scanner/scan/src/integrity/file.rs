//! An image file as it should look in memory: sections, relocations, and the places that Windows patches by itself.
//!
//! Source: Microsoft's PE format document (sections, base relocations); `winnt.h` of the SDK for
//! `IMAGE_LOAD_CONFIG_DIRECTORY` and `IMAGE_DYNAMIC_RELOCATION_TABLE` of version 1. Dynamic relocations name calls of
//! imports (3), indirect calls (4) and switch tables (5) that are rewritten against speculation or made direct, imports
//! of ARM64 kernels (8), function overrides (7), and by a symbol that is an address the constants that are random at
//! each boot. A file with others is not compared: what Windows does to it is not known here.

use super::effect;
use memory::{Architecture, Va};
use nt::{ImageFacts, MEM_DISCARDABLE, MEM_EXECUTE, MEM_WRITE, directory, image_facts, imports};
use std::sync::Arc;

use crate::code::ImageFile;

/// Sections that Windows fills or rewrites as a whole: stubs against speculation, function overrides.
const WRITTEN: [&str; 4] = [".retplne", "RETPOL", "fothk", ".fothk"];
/// Bytes of a place that Windows patches, at most.
pub const LONGEST_SITE: usize = 16;

/// A section of code that stays as it is.
pub struct Part {
    pub name: String,
    pub rva: u32,
    /// Bytes of it that the file has.
    pub bytes: std::ops::Range<usize>,
}

/// A place that Windows patches.
#[derive(Clone, Copy)]
pub struct Site {
    pub rva: u32,
    pub len: u32,
    /// It is one of a branch, which must lead to loaded code; else a constant, and any value may stand there.
    pub branch: bool,
}

/// The file of a module, for the address where that is loaded.
pub struct Original {
    /// The file.
    pub bytes: Arc<Vec<u8>>,
    /// What its headers say.
    pub facts: ImageFacts,
    /// All sections: relative address, place in the file.
    sections: Vec<(u32, std::ops::Range<usize>)>,
    /// Code to compare.
    pub parts: Vec<Part>,
    /// What is added to an address in it.
    delta: u64,
    /// Relative addresses of pointers, and their size, ascending.
    relocations: Vec<(u32, u32)>,
    /// By relative address.
    pub sites: Vec<Site>,
    /// Relative addresses and sizes of what the loader fills in.
    pub filled: Vec<(u32, u32)>,
}

/// Why a file cannot be compared.
pub type Why = &'static str;

impl Original {
    /// Takes a file apart.
    pub fn open(bytes: Arc<Vec<u8>>, base: u64, architecture: Architecture) -> Result<Original, Why> {
        let image = ImageFile::new(bytes.clone(), base).ok_or("a file without sections")?;
        let facts = image_facts(image.space(), Va(base)).ok_or("a file without headers")?;
        let preferred = preferred(&bytes, facts.wide).ok_or("a file without headers")?;
        let mut original = Original {
            sections: Vec::new(),
            parts: Vec::new(),
            delta: base.wrapping_sub(preferred),
            relocations: Vec::new(),
            sites: Vec::new(),
            filled: vec![facts.directory(directory::IMPORT_ADDRESSES)],
            bytes,
            facts: facts.clone(),
        };
        original.read_sections().ok_or("a file without sections")?;
        original.relocate(&facts)?;
        original.read_load_config(&facts, preferred, architecture)?;
        let width = if facts.wide { 8 } else { 4 };
        let imports = imports::imports(image.space(), Va(base), &facts);
        original.filled.extend(imports.functions.iter().map(|import| (import.slot, width)));
        original.sites.sort_by_key(|site| site.rva);
        original.filled.sort_unstable();
        Ok(original)
    }

    /// Bytes of the file at a relative address, as they are.
    pub fn at(&self, rva: u32, len: usize) -> Option<&[u8]> {
        let (first, place) = self.sections.iter().find(|(first, place)| {
            rva.checked_sub(*first).is_some_and(|at| (at as usize).saturating_add(len) <= place.len())
        })?;
        let start = place.start + (rva - first) as usize;
        self.bytes.get(start..start + len)
    }

    /// Code that stays as it is, from a relative address to the end of its section.
    pub fn code(&self, rva: u32) -> Option<&[u8]> {
        let inside = |part: &&Part| rva >= part.rva && ((rva - part.rva) as usize) < part.bytes.len();
        let part = self.parts.iter().find(inside)?;
        self.bytes.get(part.bytes.start + (rva - part.rva) as usize..part.bytes.end)
    }

    /// A part's bytes from an offset on, relocated.
    pub fn page(&self, part: &Part, offset: usize, len: usize) -> Vec<u8> {
        let start = (part.bytes.start + offset).min(part.bytes.end);
        let mut page = self.bytes[start..(start + len).min(part.bytes.end)].to_vec();
        let first = u64::from(part.rva) + offset as u64;
        let end = first + page.len() as u64;
        let from = self.relocations.partition_point(|&(rva, _)| u64::from(rva) + 8 <= first);
        for &(rva, size) in self.relocations[from..].iter().take_while(|(rva, _)| u64::from(*rva) < end) {
            let Some(value) = self.at(rva, size as usize) else { continue };
            let value = little(value).wrapping_add(self.delta).to_le_bytes();
            for (at, byte) in (u64::from(rva)..).zip(&value[..size as usize]) {
                if let Some(place) = at.checked_sub(first).and_then(|at| page.get_mut(at as usize)) {
                    *place = *byte;
                }
            }
        }
        page
    }

    fn u16(&self, rva: u32) -> Option<u16> {
        self.at(rva, 2).map(|bytes| little(bytes) as u16)
    }

    fn u32(&self, rva: u32) -> Option<u32> {
        self.at(rva, 4).map(|bytes| little(bytes) as u32)
    }

    fn pointer(&self, rva: u32, wide: bool) -> Option<u64> {
        self.at(rva, if wide { 8 } else { 4 }).map(little)
    }

    fn read_sections(&mut self) -> Option<()> {
        let number = |at: usize| number(&self.bytes, at);
        let pe = number(0x3c)? as usize;
        let (count, optional) = (number(pe + 6)? as usize & 0xffff, number(pe + 20)? as usize & 0xffff);
        for header in (0..count.min(96)).map(|index| pe + 24 + optional + index * 40) {
            let name = self.bytes.get(header..header + 8)?;
            let name: String = name.iter().take_while(|&&b| b != 0).map(|&b| char::from(b)).collect();
            let (virtual_size, rva) = (number(header + 8)?, number(header + 12)?);
            let (raw, offset, flags) = (number(header + 16)?, number(header + 20)?, number(header + 36)?);
            // Windows maps whole pages of what the file has.
            let len = raw.min(virtual_size.max(1).checked_next_multiple_of(0x1000)?) as usize;
            let start = (offset as usize).min(self.bytes.len());
            let place = start..start.saturating_add(len).min(self.bytes.len());
            let stays = flags & (MEM_EXECUTE | MEM_DISCARDABLE | MEM_WRITE) == MEM_EXECUTE
                && !WRITTEN.contains(&name.as_str());
            self.sections.push((rva, place.clone()));
            if stays && !place.is_empty() {
                self.parts.push(Part { name, rva, bytes: place });
            }
        }
        Some(())
    }

    fn relocate(&mut self, facts: &ImageFacts) -> Result<(), Why> {
        let (rva, size) = facts.directory(directory::RELOCATIONS);
        if self.delta == 0 {
            return Ok(());
        }
        if rva == 0 || size == 0 {
            // Code that names no address needs none; whether that is so, nothing says.
            return Err("a file without relocations, loaded elsewhere");
        }
        let table = self.at(rva, size as usize).ok_or("relocations beyond the file")?;
        let mut found = Vec::new();
        for (page, entries) in blocks(table) {
            for entry in entries.as_chunks::<2>().0.iter().map(|entry| u16::from_le_bytes(*entry)) {
                let at = page.wrapping_add(u32::from(entry & 0xfff));
                match entry >> 12 {
                    0 => {}
                    3 => found.push((at, 4)),
                    10 => found.push((at, 8)),
                    _ => return Err("a relocation of an unknown kind"),
                }
            }
        }
        found.sort_unstable();
        self.relocations = found;
        Ok(())
    }

    /// What the load configuration names: pointers that the loader fills in, and the dynamic relocations.
    fn read_load_config(
        &mut self,
        facts: &ImageFacts,
        preferred: u64,
        architecture: Architecture,
    ) -> Result<(), Why> {
        let (config, _) = facts.directory(directory::LOAD_CONFIG);
        let Some(size) = self.u32(config).filter(|_| config != 0) else { return Ok(()) };
        let has =
            |offset: u32, len: u32| (offset + len <= size).then(|| config.checked_add(offset)).flatten();
        let width = if facts.wide { 8 } else { 4 };
        // SecurityCookie, GuardCFCheckFunctionPointer, GuardCFDispatchFunctionPointer.
        for offset in if facts.wide { [0x58, 0x70, 0x78] } else { [0x3c, 0x48, 0x4c] } {
            let at = has(offset, width).and_then(|rva| self.pointer(rva, facts.wide));
            let rva = at.and_then(|va| va.checked_sub(preferred)).and_then(|rva| u32::try_from(rva).ok());
            self.filled.extend(rva.map(|rva| (rva, width)));
        }
        let place = if facts.wide { 0xe0 } else { 0x88 };
        let Some((offset, section)) =
            has(place, 6).and_then(|rva| Some((self.u32(rva)?, self.u16(rva.checked_add(4)?)?)))
        else {
            return Ok(());
        };
        if offset == 0 || section == 0 {
            return Ok(());
        }
        let section = self.sections.get(usize::from(section) - 1).map(|section| section.0);
        let table =
            section.and_then(|rva| rva.checked_add(offset)).ok_or("dynamic relocations beyond the file")?;
        self.read_dynamic(table, facts.wide, architecture)
    }

    fn read_dynamic(&mut self, table: u32, wide: bool, architecture: Architecture) -> Result<(), Why> {
        const BEYOND: Why = "dynamic relocations beyond the file";
        let (version, size) =
            (self.u32(table).ok_or(BEYOND)?, self.u32(table.wrapping_add(4)).ok_or(BEYOND)?);
        if version != 1 {
            return Err("dynamic relocations of an unknown version");
        }
        let all = self.at(table.checked_add(8).ok_or(BEYOND)?, size as usize).ok_or(BEYOND)?;
        let (mut rest, mut found) = (all, Vec::new());
        let head = if wide { 12 } else { 8 };
        while rest.len() >= head {
            let (symbol, length) = rest[..head].split_at(head - 4);
            let (symbol, length) = (little(symbol), little(length) as usize);
            let body = rest.get(head..head.saturating_add(length)).ok_or(BEYOND)?;
            self.sites_of(symbol, body, architecture, &mut found)?;
            rest = &rest[head + length..];
        }
        self.sites.extend(found);
        Ok(())
    }

    /// The places of one symbol.
    fn sites_of(
        &self,
        symbol: u64,
        body: &[u8],
        architecture: Architecture,
        found: &mut Vec<Site>,
    ) -> Result<(), Why> {
        let branch = |rva: u32| {
            let code = (1..=LONGEST_SITE).rev().find_map(|len| self.at(rva, len)).unwrap_or_default();
            Site { rva, len: effect::length_with_filler(architecture, code).max(1) as u32, branch: true }
        };
        match symbol {
            3 => each::<4>(body, |page, entry| found.push(branch(page.wrapping_add(entry & 0xfff)))),
            4 | 5 => each::<2>(body, |page, entry| found.push(branch(page.wrapping_add(entry & 0xfff)))),
            // The branch and the two instructions in front of it that load its target.
            8 => each::<4>(body, |page, entry| {
                let rva = page.wrapping_add((entry & 0x3ff) * 4).saturating_sub(8);
                found.push(Site { rva, len: 12, branch: true });
            }),
            7 => overrides(body, |page, entry| {
                found.push(Site { rva: page.wrapping_add(entry & 0xfff), len: 4, branch: false });
            })
            .ok_or("function overrides that end early")?,
            0..=0xff => return Err("dynamic relocations of an unknown kind"),
            _ => each::<2>(body, |page, entry| {
                let len = match entry >> 12 {
                    0 => return,
                    3 => 4,
                    _ => 8,
                };
                found.push(Site { rva: page.wrapping_add(entry & 0xfff), len, branch: false });
            }),
        }
        Ok(())
    }
}

/// `IMAGE_OPTIONAL_HEADER.ImageBase`.
fn preferred(bytes: &[u8], wide: bool) -> Option<u64> {
    let optional = number(bytes, 0x3c)? as usize + 24;
    if !wide {
        return number(bytes, optional + 28).map(u64::from);
    }
    Some(u64::from(number(bytes, optional + 24)?) | u64::from(number(bytes, optional + 28)?) << 32)
}

/// Four bytes of a file.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

/// A little-endian number of so many bytes, 8 at most.
fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The blocks of a table of base relocations: page and entries.
fn blocks(mut table: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (page, size) = (number(table, 0)?, number(table, 4)? as usize);
        let entries = table.get(8..size)?;
        table = &table[size..];
        Some((page, entries))
    })
}

/// Each entry of so many bytes, with its page. Zeros at the end of a block fill it up.
fn each<const BYTES: usize>(body: &[u8], mut entry: impl FnMut(u32, u32)) {
    for (page, entries) in blocks(body) {
        let entries = entries.as_chunks::<BYTES>().0;
        for (index, bytes) in entries.iter().enumerate() {
            let value = little(bytes) as u32;
            if value != 0 || index + 1 < entries.len() {
                entry(page, value);
            }
        }
    }
}

/// The entries of `IMAGE_FUNCTION_OVERRIDE_DYNAMIC_RELOCATION`s.
fn overrides(body: &[u8], mut entry: impl FnMut(u32, u32)) -> Option<()> {
    let size = number(body, 0)? as usize;
    let mut rest = body.get(4..4usize.checked_add(size)?)?;
    while !rest.is_empty() {
        let start = 16usize.checked_add(number(rest, 8)? as usize)?;
        let end = start.checked_add(number(rest, 12)? as usize)?;
        each::<2>(rest.get(start..end)?, &mut entry);
        rest = &rest[end..];
    }
    Some(())
}
