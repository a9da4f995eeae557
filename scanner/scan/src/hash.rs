//! The identity of a dump: the BLAKE3 hash of its content.

use memory::{Map, Result};
use std::path::Path;

/// Bytes hashed between two reports of progress: large enough to keep all cores busy.
const STEP: usize = 64 << 20;

/// BLAKE3 of the file at `path` (and of the other file of a pair), as 64 hexadecimal digits, and its
/// size in bytes. `progress` hears how many more bytes were read.
pub fn content_hash(path: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0;
    let state = memory::state_file_of(path);
    for path in std::iter::once(path).chain(state.as_deref()) {
        let map = Map::open(path)?;
        for step in map.bytes().chunks(STEP) {
            hasher.update_rayon(step);
            progress(step.len() as u64);
        }
        bytes += map.bytes().len() as u64;
    }
    Ok((hasher.finalize().to_hex().to_string(), bytes))
}

/// The id that names a dump in the lake: `d` and the first 16 digits of the content hash. The letter
/// keeps every engine from taking a partition value made of digits for a number.
pub fn dump_id(content_hash: &str) -> String {
    format!("d{}", &content_hash.get(..16).unwrap_or(content_hash))
}
