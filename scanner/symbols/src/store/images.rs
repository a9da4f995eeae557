//! Image files (`.exe`, `.dll`, `.sys`) for code that a dump does not hold: found by name, believed only if link time
//! and size are the image's own.
//!
//! `FOLDER/NAME`, and as symbol servers keep images, `FOLDER/NAME/TIMESTAMPSIZE/NAME`: the link time as eight digits,
//! the size as few as it needs, both hexadecimal (Microsoft's public "Using SymStore").

use super::{folder::child, name, path::Element, path::SymbolPath};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// Larger ones are none of Windows.
const MOST_BYTES: u64 = 512 << 20;

/// The file of an image, if one of the places has it.
pub fn find(
    places: &[PathBuf],
    path: &SymbolPath,
    image: &str,
    timestamp: u32,
    size: u32,
) -> Option<Vec<u8>> {
    let image = name::check(image).ok()?;
    let of_path = path.elements.iter().flat_map(|element| match element {
        Element::Place(place) => std::slice::from_ref(place),
        Element::Chain { stores, .. } => &stores[..],
    });
    let all = places.iter().chain(of_path);
    let candidates = all.flat_map(|place| candidates(place, image, timestamp, size));
    candidates.filter_map(|path| load(&path)).find(|bytes| identity(bytes) == Some((timestamp, size)))
}

fn candidates(place: &Path, image: &str, timestamp: u32, size: u32) -> Vec<PathBuf> {
    if place.is_file() {
        let same = place.file_name().is_some_and(|name| name.eq_ignore_ascii_case(image));
        return if same { vec![place.to_path_buf()] } else { Vec::new() };
    }
    let Some(found) = child(place, image) else { return Vec::new() };
    if found.is_file() {
        return vec![found];
    }
    let key = format!("{timestamp:08X}{size:x}");
    child(&found, &key).and_then(|folder| child(&folder, image)).into_iter().collect()
}

fn load(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_BYTES + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MOST_BYTES).then_some(bytes)
}

/// `IMAGE_FILE_HEADER.TimeDateStamp` and `IMAGE_OPTIONAL_HEADER.SizeOfImage`.
fn identity(bytes: &[u8]) -> Option<(u32, u32)> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let pe = u32_at(0x3c)? as usize;
    let signature = bytes.get(pe..pe.checked_add(4)?)?;
    (bytes.starts_with(b"MZ") && signature == b"PE\0\0").then_some(())?;
    Some((u32_at(pe + 8)?, u32_at(pe + 24 + 56)?))
}
