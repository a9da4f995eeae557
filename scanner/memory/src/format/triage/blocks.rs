//! The blocks of virtual memory: call stack, data page, debugger data block, data blocks.
//!
//! The table of data blocks has a count and lies before the data that it names: in every real dump the
//! first block begins where the table ends. Situation: a count that is too high but fits in the file.
//! Handling: an entry that would lie in the data of an entry before it is none, and ends the table.

use super::{super::header::Kind, super::tally::Tally, Reader, header};
use crate::{
    addr::Va,
    bytes::Bytes,
    records::{Problem, Records},
    runs::VirtRun,
};

const TABLE: &str = "TRIAGE_DATA_BLOCK";

/// A block as the file states it.
struct Stated {
    va: u64,
    offset: u32,
    size: u32,
    source: &'static str,
    /// File offset of the statement.
    at: u64,
}

/// The blocks that were taken, and those that cannot be.
#[derive(Default)]
struct Blocks {
    runs: Vec<VirtRun>,
    odd: Tally,
}

impl Reader<'_> {
    /// All blocks, in the order in which the header names the parts.
    pub(super) fn blocks(&self, records: &mut Records) -> Vec<VirtRun> {
        let header = &self.header;
        let debugger_data = records.header.kd_debugger_data_block.unwrap_or(0);
        let parts = [
            (header.top_of_stack, header.call_stack_offset, header.size_of_call_stack, "call stack"),
            (header.data_page_address, header.data_page_offset, header.data_page_size, "data page"),
            (debugger_data, header.debugger_data_offset, header.debugger_data_size, "debugger data"),
        ];
        let mut blocks = Blocks::default();
        for (va, offset, size, source) in parts {
            if va != 0 && offset != 0 {
                self.add(Stated { va, offset, size, source, at: offset.into() }, &mut blocks);
            }
        }
        self.data_blocks(records, &mut blocks);
        blocks.odd.finish(records);
        blocks.runs
    }

    fn data_blocks(&self, records: &mut Records, blocks: &mut Blocks) {
        let (stride, count_field) = match self.kind {
            Kind::Bits64 => (16, header::DATA_BLOCKS_COUNT_64),
            Kind::Bits32 => (12, header::DATA_BLOCKS_COUNT_32),
        };
        let (start, stated) =
            (u64::from(self.header.data_blocks_offset), u64::from(self.header.data_blocks_count));
        let mut room = self.limit.saturating_sub(start) / stride;
        let table = Bytes::up_to(self.file, start, stated.min(room) * stride, TABLE);
        let mut data = u64::MAX;
        for index in 0..table.len() / stride {
            let end = start + (index + 1) * stride;
            if end > data {
                room = index;
                break;
            }
            let Some(block) = self.entry_of_table(&table, index * stride) else { break };
            let offset = u64::from(block.offset);
            if self.add(block, blocks) && offset >= end {
                data = data.min(offset);
            }
        }
        if stated > room {
            records.fault(self.too_many(count_field, stated, room));
        }
    }

    fn entry_of_table(&self, table: &Bytes<'_>, at: u64) -> Option<Stated> {
        let (va, rest) = match self.kind {
            Kind::Bits64 => (table.u64(at).ok()?, at + 8),
            Kind::Bits32 => (table.u32(at).ok()?.into(), at + 4),
        };
        let (offset, size) = (table.u32(rest).ok()?, table.u32(rest + 4).ok()?);
        Some(Stated { va, offset, size, source: "data block", at: table.start() + at })
    }

    /// A block is taken when it lies behind the dump header and within what the dump says is its size.
    /// Where the *file* is shorter than that, the block stays and reading it tells that it is beyond
    /// the end. Says whether the block has bytes.
    fn add(&self, block: Stated, blocks: &mut Blocks) -> bool {
        let Stated { va, offset, size, source, at } = block;
        let (start, len) = (u64::from(offset), u64::from(size));
        let within = start >= self.kind.size() && start + len <= self.header.size_of_dump.into();
        let fits = within && va.checked_add(len).is_some();
        if !fits {
            blocks.odd.note(|| {
                let expected = format!("a block within {} bytes", self.header.size_of_dump);
                let found = format!("{size} bytes at offset {offset:#x} for address {va:#x}");
                Problem::new("invalid", TABLE, source, at, expected, found)
            });
        } else if len > 0 {
            blocks.runs.push(VirtRun { start: Va(va), len, offset: start, source });
        }
        fits && len > 0
    }
}
