//! The blocks of virtual memory: call stack, data page, debugger data block, data blocks.

use super::{super::header::Kind, super::tally::Tally, Reader, header};
use crate::{
    addr::Va,
    bytes::Bytes,
    records::{Problem, Records},
    runs::VirtRun,
};

const TABLE: &str = "TRIAGE_DATA_BLOCK";

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
        let mut blocks = Vec::new();
        let mut odd = Tally::default();
        for (va, offset, size, source) in parts {
            if va != 0 && offset != 0 {
                self.add(va, offset, size, source, u64::from(offset), &mut blocks, &mut odd);
            }
        }
        self.data_blocks(records, &mut blocks, &mut odd);
        odd.finish(records);
        blocks
    }

    fn data_blocks(&self, records: &mut Records, blocks: &mut Vec<VirtRun>, odd: &mut Tally) {
        let (stride, count_field) = match self.kind {
            Kind::Bits64 => (16, header::DATA_BLOCKS_COUNT_64),
            Kind::Bits32 => (12, header::DATA_BLOCKS_COUNT_32),
        };
        let (start, stated) =
            (u64::from(self.header.data_blocks_offset), u64::from(self.header.data_blocks_count));
        let room = self.limit.saturating_sub(start) / stride;
        if stated > room {
            records.fault(self.too_many(count_field, stated, room));
        }
        let table = Bytes::up_to(self.file, start, stated.min(room) * stride, TABLE);
        for index in 0..table.len() / stride {
            let at = index * stride;
            let (va, rest) = match self.kind {
                Kind::Bits64 => (table.u64(at), at + 8),
                Kind::Bits32 => (table.u32(at).map(u64::from), at + 4),
            };
            let (Ok(va), Ok(offset), Ok(size)) = (va, table.u32(rest), table.u32(rest + 4)) else { return };
            self.add(va, offset, size, "data block", start + at, blocks, odd);
        }
    }

    /// A block is taken when it lies within what the dump says is its size. Where the *file* is
    /// shorter than that, the block stays and reading it tells that it is beyond the end.
    #[allow(clippy::too_many_arguments)]
    fn add(
        &self,
        va: u64,
        offset: u32,
        size: u32,
        source: &'static str,
        stated_at: u64,
        blocks: &mut Vec<VirtRun>,
        odd: &mut Tally,
    ) {
        let end = u64::from(offset) + u64::from(size);
        if end > self.header.size_of_dump.into() || va.checked_add(size.into()).is_none() {
            odd.note(|| {
                let expected = format!("a block within {} bytes", self.header.size_of_dump);
                let found = format!("{size} bytes at offset {offset:#x} for address {va:#x}");
                Problem::new("invalid", TABLE, source, stated_at, expected, found)
            });
        } else if size > 0 {
            blocks.push(VirtRun { start: Va(va), len: size.into(), offset: offset.into(), source });
        }
    }
}
