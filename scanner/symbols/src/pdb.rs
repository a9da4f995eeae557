//! A PDB file: the types and symbols that Microsoft's linker wrote beside an image.
//!
//! Source: LLVM's "The PDB File Format" and Microsoft's public microsoft-pdb sources. The reader is our own, because
//! the crates (`pdb`, `pdb2`) trust the file: nested field lists overflow their stack, a count out of the file is
//! allocated as it stands, and neither can be caught. They are the oracle of the tests instead.
//!
//! A file may be damaged or made to do harm. Every read is checked; a stream is never longer than the file, all
//! members together never take more than a small multiple of the bytes that describe them.

mod cursor;
pub mod frames;
mod msf;
mod places;
pub mod source;
#[cfg(test)]
mod tests;
mod types;

use crate::{Error, PdbId, Profile, Result, profile::architecture};
use cursor::Cursor;
use msf::Msf;
use std::{io::Read, path::Path};

/// A kernel's PDB has 15 MB; those of browsers have more than a gigabyte, and nobody wants their types here.
const MOST_BYTES: u64 = 1 << 30;

/// Streams of fixed number.
const INFO: usize = 1;
const TYPES: usize = 2;
const DEBUG: usize = 3;

/// Reads a file.
pub fn read(path: &Path) -> Result<Profile> {
    let bytes = load(path)?;
    parse(&bytes).map_err(|e| Error::new(format!("{}: {e}", path.display())))
}

/// Reads the bytes of a file.
pub fn parse(bytes: &[u8]) -> Result<Profile> {
    let file = Msf::open(bytes)?;
    let debug = file.stream(DEBUG)?.unwrap_or_default();
    let debug = if debug.is_empty() { None } else { Some(Debug::parse(&debug)?) };
    let mut profile = Profile {
        id: Some(identity(&file, debug.as_ref())?),
        architecture: debug.as_ref().and_then(|debug| architecture(debug.machine)),
        pointer_size: debug.as_ref().map_or(0, |debug| pointer_size(debug.machine)),
        ..Profile::default()
    };
    if let Some(types) = file.stream(TYPES)? {
        types::read(&types, &mut profile)?;
    }
    if let Some(debug) = debug {
        profile.symbols = places::symbols(&file, &debug)?;
    }
    Ok(profile)
}

/// Only GUID and age: cheap, for whoever looks whether a file is the wanted one.
pub fn identify(bytes: &[u8]) -> Result<PdbId> {
    let file = Msf::open(bytes)?;
    let debug = file.stream(DEBUG)?.filter(|debug| !debug.is_empty());
    identity(&file, debug.map(|debug| Debug::parse(&debug)).transpose()?.as_ref())
}

/// The bytes of a file, none of them allocated before they were read.
pub(crate) fn load(path: &Path) -> Result<Vec<u8>> {
    let broken = |why: String| Error::new(format!("{}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|e| broken(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|e| broken(e.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(broken(format!("more than {MOST_BYTES} bytes, too large for a PDB")));
    }
    Ok(bytes)
}

fn damaged(what: &str) -> Error {
    Error::new(format!("not a readable PDB: {what}"))
}

/// The `RSDS` record of an image holds the age of the debug stream; the one of the info stream counts writes by
/// tools that the image never saw (pdbstr, source indexing).
fn identity(file: &Msf, debug: Option<&Debug>) -> Result<PdbId> {
    let info = file.stream(INFO)?.ok_or_else(|| damaged("no info stream"))?;
    let mut cursor = Cursor(&info);
    let read = |cursor: &mut Cursor| {
        let (_version, _signature) = (cursor.u32()?, cursor.u32()?);
        let age = cursor.u32()?;
        Some((age, cursor.take(16)?.try_into().ok()?))
    };
    let (age, guid) = read(&mut cursor).ok_or_else(|| damaged("the info stream is cut off"))?;
    let age = debug.map(|debug| debug.age).filter(|&age| age != 0).unwrap_or(age);
    Ok(PdbId { guid, age })
}

/// `IMAGE_FILE_MACHINE_*`.
fn pointer_size(machine: u16) -> u8 {
    match machine {
        0x014c | 0x01c4 => 4,
        0x8664 | 0xaa64 | 0xa641 => 8,
        _ => 0,
    }
}

/// What matters of the debug stream's header (`NewDBIHdr`).
struct Debug {
    age: u32,
    machine: u16,
    /// Stream of the symbol records.
    symbols: u16,
    /// Numbers of further streams, in the order of `DBGTYPE`; 0xffff is none.
    streams: Vec<u16>,
}

impl Debug {
    const HEADER: usize = 64;

    fn parse(stream: &[u8]) -> Result<Debug> {
        Debug::header(stream).ok_or_else(|| damaged("the debug stream is cut off"))
    }

    fn header(stream: &[u8]) -> Option<Debug> {
        let u16_at = |at| Cursor(stream.get(at..)?).u16();
        let u32_at = |at: usize| Cursor(stream.get(at..)?).u32();
        // Modules, section contributions, section map, files, type servers, edit and continue.
        let mut at = Debug::HEADER;
        for size in [24, 28, 32, 36, 40, 52] {
            at = at.checked_add(u32_at(size)? as usize)?;
        }
        let table = stream.get(at..)?;
        let table = &table[..table.len().min(u32_at(48)? as usize)];
        let streams = table.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        Some(Debug { age: u32_at(8)?, machine: u16_at(58)?, symbols: u16_at(20)?, streams })
    }

    /// A further stream by its `DBGTYPE`.
    fn further<'f>(&self, file: &Msf<'f>, kind: usize) -> Result<Option<std::borrow::Cow<'f, [u8]>>> {
        match self.streams.get(kind) {
            None | Some(0xffff) => Ok(None),
            Some(&number) => file.stream(number.into()),
        }
    }
}
