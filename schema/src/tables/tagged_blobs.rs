//! `tagged_blobs`.

use crate::table;

table! {
    /// One row for every tagged blob: secondary data that bug-check callbacks of drivers left in the dump (`_DUMP_BLOB_HEADER`).
    pub tagged_blobs: TaggedBlobs of TaggedBlobRow {
        /// Place in the chain, from 0.
        index: u32,
        /// Tag of the owner, a GUID in lower case (`_DUMP_BLOB_HEADER.Tag`).
        guid: String,
        /// Offset of the data in the file.
        offset: u64,
        /// Bytes of data (`_DUMP_BLOB_HEADER.DataSize`).
        size: u64,
        /// Bytes of padding before the data (`_DUMP_BLOB_HEADER.PrePad`).
        pre_pad: Option<u32>,
        /// Bytes of padding behind the data (`_DUMP_BLOB_HEADER.PostPad`).
        post_pad: Option<u32>,
        /// BLAKE3 hash of the data, hexadecimal; NULL when the file ends before them.
        content_hash: Option<String>,
        /// First 64 bytes of the data.
        preview: Option<Vec<u8>>,
    }
}
