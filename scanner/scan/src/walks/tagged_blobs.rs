//! `tagged_blobs`: secondary data that bug-check callbacks left in the dump.

use crate::{Job, out::Out};
use memory::records::{Blob, guid};
use schema::{
    Sink,
    tables::{TaggedBlobRow, TaggedBlobs},
};

/// Bytes of each blob kept in the row: enough to recognise what it is.
const PREVIEW: usize = 64;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<TaggedBlobs>::new(sink);
    for (index, blob) in (0u32..).zip(&job.dump.records.blobs) {
        let data = data(job.dump.file(), blob);
        out.push(TaggedBlobRow {
            index,
            guid: guid(&blob.tag),
            offset: blob.offset,
            size: blob.size,
            pre_pad: Some(blob.pre_pad),
            post_pad: Some(blob.post_pad),
            content_hash: data.map(|data| blake3::hash(data).to_hex().to_string()),
            preview: data.map(|data| data[..data.len().min(PREVIEW)].to_vec()),
        })?;
    }
    out.finish()
}

/// The blob's bytes, `None` when the file ends before them.
pub(super) fn data<'a>(file: &'a [u8], blob: &Blob) -> Option<&'a [u8]> {
    let start = usize::try_from(blob.offset).ok()?;
    let end = usize::try_from(blob.offset.checked_add(blob.size)?).ok()?;
    file.get(start..end)
}
