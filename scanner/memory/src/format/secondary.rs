//! Where the tagged blobs of a full, bitmap, summary or range dump are: at `RequiredDumpSpace`, or
//! somewhere behind the pages. A triage dump says it exactly and does not come here.

use super::blobs;
use crate::{bytes::slice, records::Records};

/// The blobs are looked for in at most this much of the file's end.
const TAIL: u64 = 4 << 20;

/// `_DUMP_BLOB_FILE_HEADER`: signatures and `HeaderSize`.
const MAGIC: [u8; 12] = *b"DumpBlob\x10\0\0\0";

/// Reads the blobs of `file`, whose pages end at `pages_end`, into `records`.
pub(super) fn read(file: &[u8], pages_end: u64, records: &mut Records) {
    if let Some(start) = find(file, pages_end, records.header.required_dump_space) {
        blobs::walk(file, start, records);
    }
}

/// File offset of the blobs' file header.
fn find(file: &[u8], pages_end: u64, required_dump_space: Option<u64>) -> Option<u64> {
    let is_magic = |at: &u64| slice(file, *at, MAGIC.len() as u64) == Some(&MAGIC);
    if let Some(at) = required_dump_space.filter(is_magic) {
        return Some(at);
    }
    let size = file.len() as u64;
    let from = pages_end.max(size.saturating_sub(TAIL)).checked_next_multiple_of(4)?;
    let tail = slice(file, from, size.checked_sub(from)?)?;
    let mut words = (from..).step_by(4).zip(tail.as_chunks::<4>().0);
    words.find(|(at, word)| **word == *b"Dump" && is_magic(at)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_found_where_stated_or_in_the_tail() {
        let mut file = vec![0; 0x9000];
        file[0x2000..0x2004].copy_from_slice(b"Dump");
        assert_eq!(find(&file, 0x1000, Some(0x2000)), None);
        for at in [0x1004, 0x5554, 0x6000] {
            file[at..at + 12].copy_from_slice(&MAGIC);
        }
        assert_eq!(find(&file, 0x2000, Some(0x6000)), Some(0x6000));
        assert_eq!(find(&file, 0x2000, Some(0x6004)), Some(0x5554));
        assert_eq!(find(&file, 0x2000, None), Some(0x5554));
        assert_eq!(find(&file, 0x5555, None), Some(0x6000));
        assert_eq!(find(&file, 0x9000, None), None);
        assert_eq!(find(&file, u64::MAX, Some(u64::MAX)), None);
    }

    #[test]
    fn the_search_is_bounded() {
        let mut file = vec![0; (TAIL + 0x1000) as usize];
        file[0x800..0x80c].copy_from_slice(&MAGIC);
        assert_eq!(find(&file, 0, None), None);
        assert_eq!(find(&file, 0, Some(0x800)), Some(0x800));
    }
}
