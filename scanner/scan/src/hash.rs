//! The identity of a dump: the BLAKE3 hash of its content. And SHA-256, by which evidence is known elsewhere.

use crate::pieces::{CHUNK, Pieces};
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use memory::{Dump, Map, Result};
use sha2::{Digest, Sha256};
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

/// The hash of a file made of hashes of its chunks, so that whoever reads the chunks for something else need not read
/// them twice. Chunks are ranges of [`crate::pieces::CHUNK`] bytes, which BLAKE3's tree has as whole subtrees.
pub struct Subtrees {
    size: u64,
    values: Vec<ChainingValue>,
}

impl Subtrees {
    /// For a file of more than one chunk; shorter ones have no subtrees.
    pub fn new(size: u64) -> Option<Subtrees> {
        (size > CHUNK).then_some(Subtrees { size, values: Vec::new() })
    }

    /// The value of one chunk.
    pub fn chunk(index: u64, bytes: &[u8]) -> ChainingValue {
        blake3::Hasher::new().set_input_offset(index * CHUNK).update(bytes).finalize_non_root()
    }

    /// Adds the value of the next chunk.
    pub fn push(&mut self, value: ChainingValue) {
        self.values.push(value);
    }

    /// The hash, as [`content_hash`] gives it; `None` unless every chunk was added.
    pub fn finish(&self) -> Option<String> {
        if self.values.len() as u64 != self.size.div_ceil(CHUNK) {
            return None;
        }
        let left = left_subtree_len(self.size);
        let (first, second) = self.values.split_at((left / CHUNK) as usize);
        let root = merge_subtrees_root(&merged(first, left), &merged(second, self.size - left), Mode::Hash);
        Some(root.to_hex().to_string())
    }
}

/// The value of a subtree over whole chunks; its depth is the logarithm of their number.
fn merged(values: &[ChainingValue], size: u64) -> ChainingValue {
    match values {
        [] => [0; 32], // no subtree is empty
        [only] => *only,
        _ => {
            let left = left_subtree_len(size);
            let (first, second) = values.split_at((left / CHUNK) as usize);
            merge_subtrees_non_root(&merged(first, left), &merged(second, size - left), Mode::Hash)
        }
    }
}

/// The hash of an open dump that no pass went over.
pub fn of_dump(dump: &Dump) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update_rayon(dump.file());
    if let Some((_, bytes)) = dump.companion() {
        hasher.update_rayon(bytes);
    }
    hasher.finalize().to_hex().to_string()
}

/// SHA-256 of bytes, as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Chunks that may wait for SHA-256.
const WAITING: usize = 16;

/// SHA-256 of the file that a pass goes over. It has no subtrees: it takes the bytes one after the other, so that one
/// thread of its own follows the pass. The pass waits for it when it is [`WAITING`] chunks behind; what it reads was
/// swept just before and need not come from the disk again.
pub struct Follower<'a> {
    pieces: &'a Pieces<'a>,
    chunks: Receiver<u64>,
}

impl<'a> Follower<'a> {
    /// A follower, and where it is told of chunks that are swept, in their order.
    pub fn new(pieces: &'a Pieces<'a>) -> (Sender<u64>, Follower<'a>) {
        let (swept, chunks) = bounded(WAITING);
        (swept, Follower { pieces, chunks })
    }

    /// Follows until nobody tells of chunks any more; the digest, if that were all.
    pub fn run(self) -> Option<String> {
        let mut hasher = Sha256::new();
        let mut next = 0;
        for chunk in self.chunks {
            if chunk != next {
                return None;
            }
            hasher.update(self.pieces.bytes(chunk));
            next += 1;
        }
        (next == self.pieces.chunks()).then(|| hex(hasher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: NIST's FIPS 180-2, appendix B.1; `printf '' | sha256sum`.
    #[test]
    fn sha256_as_published() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), nothing);
    }

    /// Expected: blake3::hash over the whole.
    #[test]
    fn subtrees_give_the_hash_of_the_whole() {
        let bytes: Vec<u8> = (0..CHUNK * 5 + 12_345).map(|at| ((at * at) >> 7) as u8).collect();
        for len in [CHUNK + 1, CHUNK * 2, CHUNK * 3, CHUNK * 4 + 1024, CHUNK * 5 + 12_345] {
            let bytes = &bytes[..len as usize];
            let mut subtrees = Subtrees::new(len).unwrap();
            assert_eq!(subtrees.finish(), None);
            for (index, chunk) in bytes.chunks(CHUNK as usize).enumerate() {
                subtrees.push(Subtrees::chunk(index as u64, chunk));
            }
            assert_eq!(subtrees.finish().unwrap(), blake3::hash(bytes).to_hex().as_str(), "{len}");
        }
        assert!(Subtrees::new(CHUNK).is_none());
    }
}
