//! Image files (`.exe`, `.dll`, `.sys`) for code that a dump does not hold: found by name, believed only if link time
//! and size are the image's own.
//!
//! `FOLDER/NAME`, and as symbol servers keep images, `FOLDER/NAME/TIMESTAMPSIZE/NAME`: the link time as eight digits,
//! the size as few as it needs, both hexadecimal (Microsoft's public "Using SymStore"). Servers are asked for the same.

use super::{
    Limits, Options,
    download::{self, Identity, another},
    folder::child,
    name,
    path::Element,
    path::SymbolPath,
};
use crate::{Error, Result};
use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// Larger ones are none of Windows.
const MOST_BYTES: u64 = 512 << 20;
/// Bytes in which the headers lie: they are on an image's first page.
const HEAD_BYTES: u64 = 4096;

/// By what a symbol server knows an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageId {
    /// `IMAGE_FILE_HEADER.TimeDateStamp`.
    pub timestamp: u32,
    /// `IMAGE_OPTIONAL_HEADER.SizeOfImage`.
    pub size: u32,
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link time {:08X} and size {:#x}", self.timestamp, self.size)
    }
}

impl Identity for ImageId {
    type Known = Vec<u8>;

    fn key(self) -> String {
        format!("{:08X}{:x}", self.timestamp, self.size)
    }

    fn check(self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        match identity(&bytes) {
            Some(id) if id == self => Ok(bytes),
            Some(theirs) => Err(another(theirs, self)),
            None => Err(Error::new("it is not an image: no PE header")),
        }
    }
}

/// The file of an image, if one of the places has it.
pub fn find(places: &[PathBuf], path: &SymbolPath, image: &str, id: ImageId) -> Option<Vec<u8>> {
    first(places.iter().chain(path.elements.iter().flat_map(folders)), image, id)
}

/// The same without stores that keep downloads: what they hold depends on what was asked for before.
pub fn at_hand(places: &[PathBuf], path: &SymbolPath, image: &str, id: ImageId) -> Option<Vec<u8>> {
    let downloads =
        |element: &&Element| matches!(element, Element::Chain { servers, .. } if !servers.is_empty());
    let local = path.elements.iter().filter(|element| !downloads(element));
    first(places.iter().chain(local.flat_map(folders)), image, id)
}

fn folders(element: &Element) -> &[PathBuf] {
    match element {
        Element::Place(place) => std::slice::from_ref(place),
        Element::Chain { stores, .. } => stores,
    }
}

fn first<'a>(places: impl Iterator<Item = &'a PathBuf>, image: &str, id: ImageId) -> Option<Vec<u8>> {
    let image = name::check(image).ok()?;
    let candidates = places.flat_map(|place| candidates(place, image, id));
    candidates.filter_map(|path| load(&path, id)).find(|bytes| identity(bytes) == Some(id))
}

/// The file of an image from the first server that has it; kept in the store of that server. An error: all that went
/// wrong, and none had it.
pub fn download(path: &SymbolPath, image: &str, id: ImageId, options: &Options) -> Result<Option<Vec<u8>>> {
    let Some(image) = name::check(image).ok().filter(|_| options.download) else { return Ok(None) };
    let limits = Limits { bytes: options.limits.bytes.min(MOST_BYTES), ..options.limits.clone() };
    let chains = path.elements.iter().filter_map(|element| match element {
        Element::Chain { stores, servers } => Some((stores.first()?, servers)),
        Element::Place(_) => None,
    });
    let mut problems = Vec::new();
    for (store, server) in chains.flat_map(|(store, servers)| servers.iter().map(move |s| (store, s))) {
        match download::fetch(server, store, image, id, &limits) {
            Ok(Some((bytes, _))) => return Ok(Some(bytes)),
            Ok(None) => {}
            Err(e) => problems.push(e.to_string()),
        }
    }
    if problems.is_empty() { Ok(None) } else { Err(Error::new(problems.join("; "))) }
}

fn candidates(place: &Path, image: &str, id: ImageId) -> Vec<PathBuf> {
    if place.is_file() {
        let same = place.file_name().is_some_and(|name| name.eq_ignore_ascii_case(image));
        return if same { vec![place.to_path_buf()] } else { Vec::new() };
    }
    let Some(found) = child(place, image) else { return Vec::new() };
    if found.is_file() {
        return vec![found];
    }
    child(&found, &id.key()).and_then(|folder| child(&folder, image)).into_iter().collect()
}

/// The file, read as a whole only if its head says that it is the one: whoever asks may name a large file many times.
fn load(path: &Path, id: ImageId) -> Option<Vec<u8>> {
    of_identity(File::open(path).ok()?, id)
}

fn of_identity(mut file: impl Read, id: ImageId) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut bytes).ok()?;
    identity(&bytes).filter(|found| *found == id)?;
    file.take(MOST_BYTES + 1 - HEAD_BYTES).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MOST_BYTES).then_some(bytes)
}

/// What the headers state.
fn identity(bytes: &[u8]) -> Option<ImageId> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let pe = u32_at(0x3c)? as usize;
    let signature = bytes.get(pe..pe.checked_add(4)?)?;
    (bytes.starts_with(b"MZ") && signature == b"PE\0\0").then_some(())?;
    Some(ImageId { timestamp: u32_at(pe.checked_add(8)?)?, size: u32_at(pe.checked_add(24 + 56)?)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what is read.
    struct Counted<'a>(&'a [u8], &'a mut usize);

    impl Read for Counted<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let read = self.0.read(out)?;
            *self.1 += read;
            Ok(read)
        }
    }

    #[test]
    fn a_file_of_another_build_is_not_read_to_its_end() {
        let mut file = vec![0; 0x10_0000];
        file[..2].copy_from_slice(b"MZ");
        file[0x3c] = 0x80;
        file[0x80..0x84].copy_from_slice(b"PE\0\0");
        file[0x88] = 7;
        file[0x80 + 24 + 56 + 2] = 0x20;
        let id = ImageId { timestamp: 7, size: 0x20_0000 };
        let mut read = 0;
        assert_eq!(of_identity(Counted(&file, &mut read), id).as_deref(), Some(&file[..]));
        assert_eq!(read, file.len());
        let other = ImageId { timestamp: 8, ..id };
        let mut read = 0;
        assert_eq!(of_identity(Counted(&file, &mut read), other), None);
        assert_eq!(read as u64, HEAD_BYTES);
    }
}
