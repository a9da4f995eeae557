//! Which files are in an archive?
//!
//! [`expand`] writes the members of `.zip`, `.7z`, `.gz`, `.xz` and `.zst` files into a folder. An archive is enemy
//! data: the name of a member is told and never becomes a path (files are numbered), and a bomb is given up when it
//! has become too large, by size or by how many times the archive it is. A member that cannot be read costs itself;
//! what came before a damage counts.

#![forbid(unsafe_code)]

mod kind;
mod out;
#[cfg(test)]
mod tests;

pub use kind::{Kind, kind};

use out::{Out, Stop};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

/// How far an archive may expand.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all members together.
    pub bytes: u64,
    /// How many times the size of the archive they may be, once they are more than `free` bytes.
    pub ratio: u64,
    /// Bytes from which on `ratio` counts: small archives of zeros are no danger.
    pub free: u64,
    /// Number of members.
    pub members: usize,
}

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name as the archive states it; that of the archive without its extension where it states none.
    pub name: String,
    /// The file it was written to, or why there is none.
    pub file: Result<PathBuf, String>,
}

/// Memory for the dictionary of `.xz`, in KiB: what the strongest setting of `xz` needs, and some more. The file says
/// how much it wants, up to 4 GiB.
const XZ_MEMORY: u32 = 80 << 10;

/// Writes the members of `archive` into `folder` as numbered files and gives them in order; what ended it before the
/// end, if anything, comes second.
pub fn expand(archive: &Path, folder: &Path, limits: Limits) -> (Vec<Member>, Option<String>) {
    let size = archive.metadata().map_or(0, |data| data.len());
    let mut out = Out::new(folder, limits, size);
    let done = match kind(archive) {
        Ok(Some(kind)) => one(kind, archive, &mut out),
        Ok(None) => Err(Stop("no archive that can be read".into())),
        Err(error) => Err(error.into()),
    };
    (out.members, done.err().map(|Stop(why)| why))
}

fn one(kind: Kind, archive: &Path, out: &mut Out) -> Result<(), Stop> {
    let file = || Ok::<_, io::Error>(BufReader::with_capacity(1 << 16, File::open(archive)?));
    match kind {
        Kind::Zip => zipped(File::open(archive)?, out),
        Kind::SevenZip => seven_zipped(File::open(archive)?, out),
        Kind::Gzip => packed(archive, flate2::bufread::MultiGzDecoder::new(file()?), out),
        Kind::Xz => packed(archive, lzma_rust2::XzReader::new_mem_limit(file()?, true, XZ_MEMORY), out),
        // Its window is at most 128 MiB unless the reader asks for more.
        Kind::Zstd => packed(archive, zstd::stream::read::Decoder::with_buffer(file()?)?, out),
    }
}

/// A format that holds one file and no name to speak of.
fn packed(archive: &Path, mut content: impl Read, out: &mut Out) -> Result<(), Stop> {
    let name = archive.file_stem().unwrap_or_default().to_string_lossy();
    out.member(&name, &mut content)
}

fn zipped(file: File, out: &mut Out) -> Result<(), Stop> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(stop)?;
    for index in 0..archive.len() {
        let name = archive.name_for_index(index).unwrap_or("?").to_string();
        match archive.by_index(index) {
            Ok(member) if !member.is_file() => {} // folders, links
            Ok(mut member) => out.member(&name, &mut member)?,
            Err(error) => out.bad(&name, &error.to_string())?,
        }
    }
    Ok(())
}

fn seven_zipped(file: File, out: &mut Out) -> Result<(), Stop> {
    let password = sevenz_rust2::Password::empty();
    let mut archive = sevenz_rust2::ArchiveReader::new(BufReader::new(file), password).map_err(stop)?;
    let mut stopped = None;
    let done = archive.for_each_entries(|entry, content| {
        if entry.is_directory() || !entry.has_stream() {
            return Ok(true);
        }
        stopped = out.member(entry.name(), content).err();
        // The members of a block are one stream: the rest of a member must be read before the next one.
        let rest = if stopped.is_none() { io::copy(content, &mut io::sink()).err() } else { None };
        stopped = stopped.take().or(rest.map(Stop::from));
        Ok(stopped.is_none())
    });
    match stopped {
        Some(stop) => Err(stop),
        None => done.map_err(stop),
    }
}

fn stop(error: impl std::fmt::Display) -> Stop {
    Stop(error.to_string())
}
