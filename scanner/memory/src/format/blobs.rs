//! Tagged blobs: secondary data that bug-check callbacks of drivers left behind the dump, each under
//! the GUID of its owner (`_DUMP_BLOB_FILE_HEADER`, `_DUMP_BLOB_HEADER`).
//!
//! The chain has no count. It ends at the end of the file, or at the first record whose `HeaderSize`
//! is not 0x20: dumps written at crash time have unaligned records, then zeros or leftovers. A blob
//! with a GUID of zeros and no data is an ordinary link of the chain (seen in real dumps).

use crate::{
    bytes::Bytes,
    records::{Blob, Problem, Records},
};

/// Bytes of `_DUMP_BLOB_FILE_HEADER`.
const FILE_HEADER: u64 = 0x10;
/// Bytes of `_DUMP_BLOB_HEADER`.
const HEADER: u32 = 0x20;
/// Real dumps have some dozens.
const MOST: usize = 65_536;

/// Reads the chain whose file header is at `start`. Without the signature there is nothing to read.
pub(super) fn walk(file: &[u8], start: u64, records: &mut Records) {
    let Ok(header) = Bytes::at(file, start, FILE_HEADER, "_DUMP_BLOB_FILE_HEADER") else { return };
    if !header.data().starts_with(b"DumpBlob") {
        return;
    }
    let mut at = start.saturating_add(header.u32(8).map_or(FILE_HEADER, u64::from));
    while let Some((blob, next)) = link(file, at) {
        if records.blobs.len() == MOST {
            let expected = format!("at most {MOST} blobs");
            records.fault(Problem::new("limit", "_DUMP_BLOB_HEADER", "", at, expected, "more"));
            return;
        }
        let end = blob.offset.saturating_add(blob.size);
        if end > file.len() as u64 {
            let have = (file.len() as u64).saturating_sub(blob.offset);
            let (expected, found) =
                (format!("{} bytes of data", blob.size), format!("{have} before the end"));
            records.fault(Problem::new("truncated", "_DUMP_BLOB_HEADER", "DataSize", at, expected, found));
            return;
        }
        records.blobs.push(blob);
        at = next;
    }
}

/// The blob whose header is at `at`, and where the next header is.
fn link(file: &[u8], at: u64) -> Option<(Blob, u64)> {
    let header = Bytes::at(file, at, HEADER.into(), "_DUMP_BLOB_HEADER").ok()?;
    if header.u32(0).ok()? != HEADER {
        return None;
    }
    let [size, pre_pad, post_pad] = [header.u32(0x14).ok()?, header.u32(0x18).ok()?, header.u32(0x1c).ok()?];
    let offset = at.checked_add(u64::from(HEADER))?.checked_add(pre_pad.into())?;
    let next = offset.checked_add(size.into())?.checked_add(post_pad.into())?;
    Some((Blob { tag: header.array(4).ok()?, offset, size: size.into(), pre_pad, post_pad }, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(blobs: &[(u8, &[u8], u32)]) -> Vec<u8> {
        let mut file = b"..DumpBlob\x10\0\0\0\x61\x4a\0\xf0".to_vec();
        for (tag, data, post_pad) in blobs {
            file.extend(0x20u32.to_le_bytes());
            file.extend([*tag; 16]);
            file.extend((data.len() as u32).to_le_bytes());
            file.extend(0u32.to_le_bytes());
            file.extend(post_pad.to_le_bytes());
            file.extend(*data);
            file.extend(vec![0; *post_pad as usize]);
        }
        file
    }

    #[test]
    fn a_chain_ends_at_the_end_of_the_file_or_at_another_size() {
        let mut file = chain(&[(1, b"one", 5), (0, b"", 0), (2, b"two", 0)]);
        for leftovers in [&b""[..], &[0; 64]] {
            file.extend(leftovers);
            let mut records = Records::default();
            walk(&file, 2, &mut records);
            let found: Vec<(u8, u64)> = records.blobs.iter().map(|blob| (blob.tag[0], blob.size)).collect();
            assert_eq!(found, [(1, 3), (0, 0), (2, 3)]);
            assert_eq!(records.blobs[2].offset, 2 + 16 + 32 + 8 + 32 + 32);
            assert_eq!(records.faults, []);
        }
    }

    #[test]
    fn a_cut_blob_is_a_fault_and_nothing_is_no_chain() {
        let file = chain(&[(1, b"one", 0), (2, b"cut", 0)]);
        let mut records = Records::default();
        walk(&file[..file.len() - 1], 2, &mut records);
        assert_eq!((records.blobs.len(), records.faults.len()), (1, 1));
        let mut records = Records::default();
        walk(&file, 0, &mut records);
        walk(&file, u64::MAX, &mut records);
        assert_eq!((records.blobs.len(), records.faults.len()), (0, 0));
        super::super::scratch::damaged(&file, |bytes| walk(bytes, 2, &mut Records::default()));
    }
}
