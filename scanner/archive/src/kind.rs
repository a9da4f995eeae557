//! What kind of archive a file is: its name says so and its first bytes do.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Zip,
    SevenZip,
    Gzip,
    Xz,
    Zstd,
}

/// Extension, first bytes, kind.
const KINDS: [(&str, &[u8], Kind); 5] = [
    ("zip", b"PK\x03\x04", Kind::Zip),
    ("7z", b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    ("gz", b"\x1f\x8b", Kind::Gzip),
    ("xz", b"\xfd7zXZ\x00", Kind::Xz),
    ("zst", b"\x28\xb5\x2f\xfd", Kind::Zstd),
];

/// The kind of the archive at `path`; `None` for a file that is none of ours. Documents and programs are archives
/// too, so the name counts as well.
///
/// Errors: it cannot be read.
pub fn kind(path: &Path) -> io::Result<Option<Kind>> {
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
    let Some((_, magic, kind)) = KINDS.iter().find(|(name, ..)| *name == extension) else { return Ok(None) };
    if !path.metadata()?.is_file() {
        return Ok(None); // to open a pipe may take for ever
    }
    let mut head = Vec::new();
    File::open(path)?.take(magic.len() as u64).read_to_end(&mut head)?;
    Ok((head == *magic).then_some(*kind))
}
