//! `HandleDataStream` and `TokenStream`.

use super::{
    directory::{self, Stream},
    reader::Reader,
};
use crate::{
    error::{Error, Result},
    records::{Handle, Token},
};

/// Longest chain of object information that is followed: writers chain one or two per handle.
const MAX_CHAIN: usize = 64;

/// `MINIDUMP_HANDLE_DATA_STREAM` with `MINIDUMP_HANDLE_DESCRIPTOR` (32 bytes) or `_2` (40).
pub(super) fn handles<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let (header, size) = directory::sizes(stream, 12, 32)?;
    let count = stream.bytes.u32(8)?.into();
    for entry in directory::list(reader, stream, header, size, count, "MINIDUMP_HANDLE_DESCRIPTOR") {
        let chain = if size >= 40 { entry.u32(32)? } else { 0 };
        let handle = Handle {
            handle: entry.u64(0)?,
            type_name: reader.optional_string(entry.u32(8)?),
            object_name: reader.optional_string(entry.u32(12)?),
            attributes: Some(entry.u32(16)?),
            granted_access: Some(entry.u32(20)?),
            handle_count: Some(entry.u32(24)?),
            pointer_count: Some(entry.u32(28)?),
            object_info: object_info(reader, chain),
            source: "HandleDataStream",
        };
        reader.records.handles.push(handle);
    }
    Ok(reader.records.handles.len())
}

/// The chain of `MINIDUMP_HANDLE_OBJECT_INFORMATION` from `rva` on: type, and the bytes behind the
/// header. The part before the first bad link stays.
fn object_info(reader: &mut Reader<'_>, mut rva: u32) -> Vec<(u32, Vec<u8>)> {
    let (mut seen, mut blocks) = (Vec::new(), Vec::new());
    while rva != 0 {
        if seen.len() == MAX_CHAIN || seen.contains(&rva) {
            let expected = format!("a chain of at most {MAX_CHAIN} blocks without a loop");
            let structure = "MINIDUMP_HANDLE_OBJECT_INFORMATION";
            reader.note(Error::invalid(
                structure,
                "NextInfoRva",
                rva.into(),
                expected,
                format!("{rva:#x} again"),
            ));
            break;
        }
        seen.push(rva);
        let block = block(reader, rva);
        let Some((next, kind, data)) = reader.keep(block) else { break };
        blocks.push((kind, data));
        rva = next;
    }
    blocks
}

/// `NextInfoRva`, `InfoType`, and the `SizeOfInfo` bytes that follow.
fn block(reader: &mut Reader<'_>, rva: u32) -> Result<(u32, u32, Vec<u8>)> {
    let structure = "MINIDUMP_HANDLE_OBJECT_INFORMATION";
    let header = reader.referred(rva.into(), 12, structure)?;
    let data = reader.referred(u64::from(rva) + 12, header.u32(8)?.into(), structure)?;
    Ok((header.u32(0)?, header.u32(4)?, data.data().to_vec()))
}

/// `MINIDUMP_TOKEN_INFO_LIST`: a header with its own size and that of each element's header, then
/// elements of different sizes, each with its size in front.
pub(super) fn tokens<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let bytes = stream.bytes;
    let (count, mut offset) = (bytes.u32(4)?, u64::from(bytes.u32(8)?));
    if offset < 16 {
        return Err(bytes.invalid("ListHeaderSize", 8, "at least 16", offset.to_string()));
    }
    for _ in 0..count {
        let element = bytes.sub(offset, 16, "MINIDUMP_TOKEN_INFO_HEADER")?;
        let size = u64::from(element.u32(0)?);
        if size < 16 {
            return Err(element.invalid("TokenSize", 0, "at least 16", size.to_string()));
        }
        let id = element.u32(4)?;
        reader.records.tokens.push(token(reader, id, element.start(), size));
        offset = offset.saturating_add(size);
    }
    Ok(reader.records.tokens.len())
}

/// `TokenId` is the id of the process, or of the thread that impersonates: which one is not said, so
/// it is looked up among the ids that the file has.
fn token(reader: &Reader<'_>, id: u32, offset: u64, size: u64) -> Token {
    Token {
        process_id: reader.process_id.filter(|&process| process == id),
        thread_id: reader.thread_index.contains_key(&id).then_some(id),
        token_id: id.into(),
        offset,
        size,
    }
}
