//! File version of an image in memory: the version resource.
//!
//! Source: Microsoft's PE format document (resource directory) and the documentation of `VS_VERSIONINFO`.

use crate::{ImageFacts, directory};
use memory::{Space, Va};

/// Number of version resources in the resource directory.
const VERSION: u32 = 16;
/// A table of the tree has at most so many entries that are looked at.
const MOST_ENTRIES: u16 = 1024;
/// `VS_FIXEDFILEINFO.dwSignature`.
const SIGNATURE: u32 = 0xfeef_04bd;

/// What `VS_FIXEDFILEINFO` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// `dwFileVersionMS`, `dwFileVersionLS`.
    pub file: [u16; 4],
    /// `dwProductVersionMS`, `dwProductVersionLS`.
    pub product: [u16; 4],
}

/// Four parts as people write them: `10.0.19041.1`.
pub fn version_text(parts: [u16; 4]) -> String {
    let [a, b, c, d] = parts;
    format!("{a}.{b}.{c}.{d}")
}

/// The version of an image; `None` if it has none or its pages are not there.
pub fn image_version(space: Space<'_>, base: Va, facts: &ImageFacts) -> Option<Version> {
    let &(rva, size) = facts.directories.get(directory::RESOURCES)?;
    let root = base.checked_add(rva.into()).filter(|_| rva != 0 && size != 0)?;
    // Three levels: type, name, language; of the last two the first entry is taken.
    let names = entry(space, root, root, Some(VERSION))?;
    let languages = entry(space, root, names, None)?;
    let data = entry(space, root, languages, None)?;
    let info = base.checked_add(space.u32(data).ok()?.into())?;
    // wLength, wValueLength, wType, the key "VS_VERSION_INFO", and padding to 32 bits come first.
    let fixed = info.checked_add(0x28)?;
    let number = |at: u64| space.u32(fixed.checked_add(at)?).ok();
    let four = |high: u32, low: u32| [(high >> 16) as u16, high as u16, (low >> 16) as u16, low as u16];
    (number(0)? == SIGNATURE).then_some(())?;
    Some(Version { file: four(number(8)?, number(12)?), product: four(number(16)?, number(20)?) })
}

/// Where the entry of a table leads: the one with a number, or the first.
fn entry(space: Space<'_>, root: Va, table: Va, id: Option<u32>) -> Option<Va> {
    let count = |at: u64| space.u16(table.checked_add(at)?).ok();
    let all = count(12)?.saturating_add(count(14)?).min(MOST_ENTRIES);
    (0..u64::from(all)).find_map(|n| {
        let at = table.checked_add(16 + n * 8)?;
        let found = space.u32(at).ok()?;
        let next = space.u32(at.checked_add(4)?).ok()? & 0x7fff_ffff;
        (id.is_none() || id == Some(found)).then(|| root.checked_add(next.into()))?
    })
}
