//! Memory: which addresses the file holds (`MemoryListStream`, `Memory64ListStream`, the stacks of
//! `ThreadListStream`) and what the address space looked like (`MemoryInfoListStream`).

use super::{
    directory::{self, Stream},
    reader::Reader,
};
use crate::{
    addr::Va,
    error::Result,
    records::{Records, Region},
    runs::{VirtRun, VirtRuns},
};

/// `MINIDUMP_MEMORY_LIST`: every block says where its bytes are.
pub(super) fn list<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let count = stream.bytes.u32(0)?.into();
    let header = directory::plain_header(stream, 16, count);
    let before = reader.blocks.len();
    for entry in directory::list(reader, stream, header, 16, count, "MINIDUMP_MEMORY_DESCRIPTOR") {
        let (start, len, offset) = (Va(entry.u64(0)?), entry.u32(8)?.into(), entry.u32(12)?.into());
        reader.blocks.push(VirtRun { start, len, offset, source: "MemoryListStream" });
    }
    Ok(reader.blocks.len() - before)
}

/// `MINIDUMP_MEMORY64_LIST`: the bytes of all blocks follow each other from `BaseRva` on. The memory
/// of a full dump; where the file is cut short, the blocks that lie behind the end stay listed.
pub(super) fn list64<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let (count, mut offset) = (stream.bytes.u64(0)?, stream.bytes.u64(8)?);
    let before = reader.blocks.len();
    for entry in directory::list(reader, stream, 16, 16, count, "MINIDUMP_MEMORY_DESCRIPTOR64") {
        let (start, len) = (Va(entry.u64(0)?), entry.u64(8)?);
        reader.blocks.push(VirtRun { start, len, offset, source: "Memory64ListStream" });
        let Some(next) = offset.checked_add(len) else {
            let found = format!("{len:#x} from {offset:#x} on");
            return Err(entry.invalid("DataSize", 8, "an end within 64 bits", found));
        };
        offset = next;
    }
    if offset > reader.file.len() as u64 {
        doubt_overlaps(reader, stream, before);
    }
    Ok(reader.blocks.len() - before)
}

/// Blocks of one list that lie on each other: one of them has a size that is none, and what it would miss is not missing.
fn doubt_overlaps<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>, from: usize) {
    let end = |block: &VirtRun| block.start.0.checked_add(block.len);
    let mut blocks: Vec<&VirtRun> = reader.blocks[from..].iter().collect();
    blocks.sort_by_key(|block| block.start.0);
    let apart = |pair: &[&VirtRun]| end(pair[0]).is_some_and(|end| end <= pair[1].start.0);
    let Some(pair) = blocks.windows(2).find(|pair| !apart(pair)) else { return };
    let found = format!("{:#x} bytes at {:#x}, and {:#x}", pair[0].len, pair[0].start.0, pair[1].start.0);
    reader.records.header.memory_in_doubt = true;
    reader.note(stream.bytes.invalid("MemoryRanges", 16, "blocks apart from each other", found));
}

/// `MINIDUMP_MEMORY_INFO_LIST`.
pub(super) fn regions<'a>(reader: &mut Reader<'a>, stream: &Stream<'a>) -> Result<usize> {
    let (header, size) = directory::sizes(stream, 16, 48)?;
    let count = stream.bytes.u64(8)?;
    for entry in directory::list(reader, stream, header, size, count, "MINIDUMP_MEMORY_INFO") {
        reader.records.regions.push(Region {
            base: entry.u64(0)?,
            allocation_base: entry.u64(8)?,
            allocation_protect: entry.u32(16)?,
            size: entry.u64(24)?,
            state: entry.u32(32)?,
            protect: entry.u32(36)?,
            kind: entry.u32(40)?,
        });
    }
    Ok(reader.records.regions.len())
}

/// The runs, once all streams are read.
///
/// Writers put each thread's stack into the memory list as well as into the thread's entry. Only a
/// stack that no list covers is added: added regardless, its bounds would cut the block that it lies in.
pub(super) fn finish(reader: Reader<'_>) -> (VirtRuns, Records) {
    let Reader { blocks, stacks, records, .. } = reader;
    let (runs, _) = VirtRuns::new(blocks.clone());
    let covered = extents(&runs);
    let missing: Vec<VirtRun> = stacks.into_iter().filter(|stack| !covers(&covered, stack)).collect();
    if missing.is_empty() {
        return (runs, records);
    }
    let (runs, _) = VirtRuns::new(blocks.into_iter().chain(missing).collect());
    (runs, records)
}

/// Start and end of every stretch of addresses without a gap, ascending.
fn extents(runs: &VirtRuns) -> Vec<(u64, u64)> {
    let mut extents: Vec<(u64, u64)> = Vec::new();
    for run in runs.as_slice() {
        let (start, end) = (run.start.0, run.start.0.saturating_add(run.len));
        match extents.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => extents.push((start, end)),
        }
    }
    extents
}

/// True when one stretch holds every address of `stack`.
fn covers(extents: &[(u64, u64)], stack: &VirtRun) -> bool {
    let after = extents.partition_point(|extent| extent.0 <= stack.start.0);
    let extent = after.checked_sub(1).and_then(|index| extents.get(index));
    extent.is_some_and(|&(_, end)| stack.start.0.saturating_add(stack.len) <= end)
}
