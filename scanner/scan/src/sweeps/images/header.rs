//! A PE header in the bytes of a page, an `RSDS` record, a debugger block.
//!
//! Source: Microsoft's PE format document; the CodeView record as symbol servers use it; `KDDEBUGGER_DATA64` of the
//! Win32 metadata.

/// The parts of a PE header that are on every page which holds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `Machine`.
    pub machine: u16,
    /// `NumberOfSections`.
    pub sections: u16,
    /// `TimeDateStamp`.
    pub timestamp: u32,
    /// `Characteristics`.
    pub characteristics: u16,
    /// `AddressOfEntryPoint`.
    pub entry_point: u32,
    /// `ImageBase`.
    pub image_base: u64,
    /// `SizeOfImage`.
    pub size_of_image: u32,
    /// `CheckSum`.
    pub checksum: u32,
    /// `Subsystem`.
    pub subsystem: u16,
}

/// `IMAGE_FILE_MACHINE_*` of Windows on processors of this century.
pub const MACHINES: [(u16, &str); 5] =
    [(0x14c, "x86"), (0x8664, "x64"), (0xaa64, "arm64"), (0x1c4, "arm"), (0x200, "ia64")];

/// The loader of Windows takes no more sections.
const MOST_SECTIONS: u16 = 96;
/// The signature, as a little-endian word.
pub const PE: u32 = 0x4550;
/// `RSDS` and `KDBG` likewise.
pub const RSDS: u32 = u32::from_le_bytes(*b"RSDS");
pub const KDBG: u32 = u32::from_le_bytes(*b"KDBG");

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The place of the PE signature that an `MZ` at the front of the bytes leads to.
pub fn signature(bytes: &[u8]) -> Option<usize> {
    let at = u32_at(bytes, 0x3c)? as usize;
    (bytes.starts_with(b"MZ") && at < bytes.len()).then_some(at)
}

/// The header at a PE signature; `None` if it cannot be one.
pub fn parse(bytes: &[u8], at: usize) -> Option<Header> {
    if u32_at(bytes, at)? != PE {
        return None;
    }
    let optional = at.checked_add(24)?;
    let magic = u16_at(bytes, optional)?;
    let (wide, least) = match magic {
        0x10b => (false, 96),
        0x20b => (true, 112),
        _ => return None,
    };
    let header = Header {
        machine: u16_at(bytes, at + 4)?,
        sections: u16_at(bytes, at + 6)?,
        timestamp: u32_at(bytes, at + 8)?,
        characteristics: u16_at(bytes, at + 22)?,
        entry_point: u32_at(bytes, optional + 16)?,
        image_base: if wide { u64_at(bytes, optional + 24)? } else { u32_at(bytes, optional + 28)?.into() },
        size_of_image: u32_at(bytes, optional + 56)?,
        checksum: u32_at(bytes, optional + 64)?,
        subsystem: u16_at(bytes, optional + 68)?,
    };
    let known = MACHINES.iter().any(|(machine, _)| *machine == header.machine);
    let sane = u16_at(bytes, at + 20)? >= least
        && (1..=MOST_SECTIONS).contains(&header.sections)
        && header.size_of_image != 0
        && header.entry_point <= header.size_of_image;
    (known && sane).then_some(header)
}

/// An `RSDS` record: GUID, age, and its name as far as it lies in the bytes.
pub struct Rsds<'a> {
    /// GUID as it stands there.
    pub guid: [u8; 16],
    /// Age.
    pub age: u32,
    /// Name without its NUL.
    pub name: &'a [u8],
}

/// Longest name that is read.
const LONGEST: usize = 260;
/// Ages beyond this are no ages: a PDB that is written every minute for a year.
const MOST_AGE: u32 = 0x10_0000;

/// The record at a place; `None` if it cannot be one.
pub fn rsds(bytes: &[u8], at: usize) -> Option<Rsds<'_>> {
    let record = bytes.get(at..)?;
    let guid: [u8; 16] = *record.get(4..)?.first_chunk()?;
    let age = u32_at(record, 20)?;
    let rest = record.get(24..)?;
    let rest = &rest[..rest.len().min(LONGEST)];
    let end = rest.iter().position(|&byte| byte == 0);
    let name = &rest[..end.unwrap_or(rest.len())];
    let cut = end.is_none() && rest.len() < LONGEST;
    let text = name.len() > 4 && name.iter().all(|&byte| byte >= 0x20 && byte != 0x7f);
    let pdb = name.len() > 4 && name[name.len() - 4..].eq_ignore_ascii_case(b".pdb");
    let sane = guid != [0; 16] && (1..=MOST_AGE).contains(&age) && text && (pdb || cut);
    sane.then_some(Rsds { guid, age, name })
}

/// `Header.Size` and `KernBase` of the debugger block whose `OwnerTag` is at a place.
pub fn kdbg(bytes: &[u8], at: usize) -> Option<(u32, u64)> {
    let (size, base) = (u32_at(bytes, at + 4)?, u64_at(bytes, at + 8)?);
    // The least is that of Windows 2000; the kernel's base is an address of the upper half, of a page.
    let sane = (0x208..0x1000).contains(&size) && base % 0x1000 == 0 && base >= 0x8000_0000;
    sane.then_some((size, base))
}
