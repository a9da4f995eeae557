//! Headers of an image in memory: identity, size, link time.
//!
//! Source: Microsoft's PE format document; the `RSDS` record as symbol servers use it.

use memory::{Space, Va};
use symbols::PdbId;

/// What an image's headers say. Pages of it may be missing, so everything may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// `IMAGE_FILE_HEADER.Machine`.
    pub machine: u16,
    /// `IMAGE_FILE_HEADER.TimeDateStamp`.
    pub timestamp: Option<u32>,
    /// `IMAGE_OPTIONAL_HEADER.SizeOfImage`.
    pub size: Option<u32>,
    /// `IMAGE_OPTIONAL_HEADER.CheckSum`.
    pub checksum: Option<u32>,
    /// `IMAGE_OPTIONAL_HEADER.AddressOfEntryPoint`, relative.
    pub entry_point: Option<u32>,
    /// PDB name of the CodeView record, untrusted text.
    pub pdb_name: Option<String>,
    /// PDB GUID and age of the CodeView record.
    pub pdb: Option<PdbId>,
    /// Data directories: relative address and size.
    pub directories: Vec<(u32, u32)>,
    /// Names, relative addresses and sizes of the sections.
    pub sections: Vec<(String, u32, u32)>,
    /// Relative addresses and sizes of the sections that may be executed (`IMAGE_SCN_MEM_EXECUTE`).
    pub executable: Vec<(u32, u32)>,
    /// The same of the sections that are discarded after the start (`IMAGE_SCN_MEM_DISCARDABLE`).
    pub discardable: Vec<(u32, u32)>,
    /// The same of the sections that may be written to (`IMAGE_SCN_MEM_WRITE`).
    pub writable: Vec<(u32, u32)>,
    /// Its pointers have eight bytes (`IMAGE_OPTIONAL_HEADER64`).
    pub wide: bool,
    /// The section table is cut off, as it is in small dumps that captured the front of an image: there are more sections.
    pub sections_missing: bool,
}

impl ImageFacts {
    /// Relative address and size of a data directory; zeros where the image has none.
    pub fn directory(&self, number: usize) -> (u32, u32) {
        self.directories.get(number).copied().unwrap_or_default()
    }
}

/// Numbers of data directories (`IMAGE_DIRECTORY_ENTRY_...`).
pub mod directory {
    /// Exports.
    pub const EXPORTS: usize = 0;
    /// Imports.
    pub const IMPORTS: usize = 1;
    /// Resources.
    pub const RESOURCES: usize = 2;
    /// Unwind data.
    pub const EXCEPTION: usize = 3;
    /// Base relocations.
    pub const RELOCATIONS: usize = 5;
    /// Debug entries.
    pub const DEBUG: usize = 6;
    /// Load configuration.
    pub const LOAD_CONFIG: usize = 10;
    /// Import address table.
    pub const IMPORT_ADDRESSES: usize = 12;
}

/// `IMAGE_SCN_MEM_EXECUTE`.
pub const MEM_EXECUTE: u32 = 0x2000_0000;
/// `IMAGE_SCN_MEM_DISCARDABLE`.
pub const MEM_DISCARDABLE: u32 = 0x0200_0000;
/// `IMAGE_SCN_MEM_WRITE`.
pub const MEM_WRITE: u32 = 0x8000_0000;

/// An image has at most so many debug entries and sections that are looked at.
const MOST_DEBUG_ENTRIES: u32 = 32;
const MOST_SECTIONS: u16 = 96;
/// Number of CodeView entries of the debug directory.
const CODEVIEW: u32 = 2;

/// Reads the headers at an image's base. `None` if there is no image.
pub fn image_facts(space: Space<'_>, base: Va) -> Option<ImageFacts> {
    if space.u16(base).ok()? != 0x5a4d {
        return None;
    }
    let new_header = space.u32(base.checked_add(0x3c)?).ok().filter(|&at| at < 0x1000)?;
    let pe = base.checked_add(new_header.into())?;
    let at = |offset: u64| pe.checked_add(offset);
    if space.u32(pe).ok()? != 0x4550 {
        return None;
    }
    let optional = at(0x18)?;
    let wide = match space.u16(optional).ok()? {
        0x20b => true,
        0x10b => false,
        _ => return None,
    };
    let field = |offset: u64| space.u32(optional.checked_add(offset)?).ok();
    let mut facts = ImageFacts {
        machine: space.u16(at(4)?).ok()?,
        timestamp: space.u32(at(8)?).ok(),
        size: field(56),
        checksum: field(64),
        entry_point: field(16),
        wide,
        ..ImageFacts::default()
    };
    let directories = if wide { 112 } else { 96 };
    let count = field(directories - 4).unwrap_or(0).min(16);
    facts.directories = (0..u64::from(count))
        .map_while(|n| Some((field(directories + n * 8)?, field(directories + n * 8 + 4)?)))
        .collect();
    let (sections, missing) = sections(space, pe).unwrap_or((Vec::new(), true));
    facts.sections_missing = missing;
    for (name, rva, size, flags) in sections {
        if flags & MEM_EXECUTE != 0 {
            facts.executable.push((rva, size));
        }
        if flags & MEM_DISCARDABLE != 0 {
            facts.discardable.push((rva, size));
        }
        if flags & MEM_WRITE != 0 {
            facts.writable.push((rva, size));
        }
        facts.sections.push((name, rva, size));
    }
    if let Some((name, id)) = codeview(space, base, &facts) {
        (facts.pdb_name, facts.pdb) = (Some(name), Some(id));
    }
    Some(facts)
}

/// Name, relative address, size, characteristics.
type Section = (String, u32, u32, u32);

/// The section table as far as it is there, and whether some of it is not.
fn sections(space: Space<'_>, pe: Va) -> Option<(Vec<Section>, bool)> {
    let count = space.u16(pe.checked_add(6)?).ok()?.min(MOST_SECTIONS);
    let optional = space.u16(pe.checked_add(0x14)?).ok()?;
    let table = pe.checked_add(0x18 + u64::from(optional))?;
    let section = |n: u16| {
        let header = space.bytes(table.checked_add(u64::from(n) * 0x28)?, 0x28).ok()?;
        let name = header[..8].iter().take_while(|&&b| b != 0).map(|&b| char::from(b)).collect();
        let number = |at: usize| header[at..at + 4].try_into().map(u32::from_le_bytes).unwrap_or(0);
        Some((name, number(12), number(8), number(36)))
    };
    let found: Vec<Section> = (0..count).map_while(section).collect();
    let missing = found.len() < usize::from(count);
    Some((found, missing))
}

/// The `RSDS` record that the debug directory names.
fn codeview(space: Space<'_>, base: Va, facts: &ImageFacts) -> Option<(String, PdbId)> {
    let &(rva, size) = facts.directories.get(directory::DEBUG)?;
    (0..(size / 28).min(MOST_DEBUG_ENTRIES)).find_map(|n| {
        let entry = base.checked_add(u64::from(rva) + u64::from(n) * 28)?;
        let number = |at: u64| space.u32(entry.checked_add(at)?).ok();
        if number(12)? != CODEVIEW {
            return None;
        }
        rsds(space, base.checked_add(number(20)?.into())?, number(16)?)
    })
}

/// An `RSDS` record: signature, GUID, age, name.
pub fn rsds(space: Space<'_>, va: Va, size: u32) -> Option<(String, PdbId)> {
    let mut head = [0; 24];
    space.read(va, &mut head).ok()?;
    if &head[..4] != b"RSDS" {
        return None;
    }
    let guid = head[4..20].try_into().ok()?;
    let age = u32::from_le_bytes(head[20..24].try_into().ok()?);
    let most = size.saturating_sub(24).min(260) as usize;
    let name = space.bytes(va.checked_add(24)?, most).ok()?;
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    Some((String::from_utf8_lossy(&name[..end]).into_owned(), PdbId { guid, age }))
}
