//! `TRIAGE_DUMP64` and `TRIAGE_DUMP32`, which stand right behind the dump header.

use super::super::header::Kind;
use crate::{bytes::Bytes, error::Result, records::Problem};

/// The header's fields, by their documented names; offsets are file offsets, 0 where a part is absent.
pub struct TriageHeader {
    start: u64,
    pub service_pack_build: u32,
    pub size_of_dump: u32,
    pub valid_offset: u32,
    pub mm_offset: u32,
    pub unloaded_drivers_offset: u32,
    pub prcb_offset: u32,
    pub process_offset: u32,
    pub thread_offset: u32,
    pub call_stack_offset: u32,
    pub size_of_call_stack: u32,
    pub driver_list_offset: u32,
    pub driver_count: u32,
    pub string_pool_offset: u32,
    pub broken_driver_offset: u32,
    pub triage_options: u32,
    /// Despite its name the lowest captured address of the stack.
    pub top_of_stack: u64,
    pub data_page_address: u64,
    pub data_page_offset: u32,
    pub data_page_size: u32,
    pub debugger_data_offset: u32,
    pub debugger_data_size: u32,
    pub data_blocks_offset: u32,
    pub data_blocks_count: u32,
}

/// Fields that can be wrong in themselves, with their offsets in the header.
pub const SIZE_OF_DUMP: (&str, u64) = ("SizeOfDump", 0x04);
pub const PRCB_OFFSET: (&str, u64) = ("PrcbOffset", 0x1c);
pub const PROCESS_OFFSET: (&str, u64) = ("ProcessOffset", 0x20);
pub const THREAD_OFFSET: (&str, u64) = ("ThreadOffset", 0x24);
pub const DRIVER_COUNT: (&str, u64) = ("DriverCount", 0x34);
pub const DATA_BLOCKS_COUNT_64: (&str, u64) = ("DataBlocksCount", 0x7c);
pub const DATA_BLOCKS_COUNT_32: (&str, u64) = ("DataBlocksCount", 0x64);

/// The documented name of the structure.
pub const STRUCTURE: &str = "TRIAGE_DUMP";

impl TriageHeader {
    /// Bytes of the structure.
    pub fn size(kind: Kind) -> u64 {
        match kind {
            Kind::Bits64 => 0x80,
            Kind::Bits32 => 0x68,
        }
    }

    pub fn read(file: &[u8], kind: Kind) -> Result<TriageHeader> {
        // Offsets of: DataPageAddress, DataPageOffset and what follows it.
        let (data_page, rest) = match kind {
            Kind::Bits64 => (0x60, 0x68),
            Kind::Bits32 => (0x4c, 0x50),
        };
        let bytes = Bytes::at(file, kind.size(), TriageHeader::size(kind), STRUCTURE)?;
        let address = |at| match kind {
            Kind::Bits64 => bytes.u64(at),
            Kind::Bits32 => bytes.u32(at).map(u64::from),
        };
        Ok(TriageHeader {
            start: kind.size(),
            service_pack_build: bytes.u32(0)?,
            size_of_dump: bytes.u32(0x04)?,
            valid_offset: bytes.u32(0x08)?,
            mm_offset: bytes.u32(0x14)?,
            unloaded_drivers_offset: bytes.u32(0x18)?,
            prcb_offset: bytes.u32(0x1c)?,
            process_offset: bytes.u32(0x20)?,
            thread_offset: bytes.u32(0x24)?,
            call_stack_offset: bytes.u32(0x28)?,
            size_of_call_stack: bytes.u32(0x2c)?,
            driver_list_offset: bytes.u32(0x30)?,
            driver_count: bytes.u32(0x34)?,
            string_pool_offset: bytes.u32(0x38)?,
            broken_driver_offset: bytes.u32(0x40)?,
            triage_options: bytes.u32(0x44)?,
            top_of_stack: address(0x48)?,
            data_page_address: address(data_page)?,
            data_page_offset: bytes.u32(rest)?,
            data_page_size: bytes.u32(rest + 4)?,
            debugger_data_offset: bytes.u32(rest + 8)?,
            debugger_data_size: bytes.u32(rest + 12)?,
            data_blocks_offset: bytes.u32(rest + 16)?,
            data_blocks_count: bytes.u32(rest + 20)?,
        })
    }

    /// Where the parts begin.
    pub fn offsets(&self) -> [u32; 11] {
        [
            self.mm_offset,
            self.unloaded_drivers_offset,
            self.prcb_offset,
            self.process_offset,
            self.thread_offset,
            self.call_stack_offset,
            self.debugger_data_offset,
            self.driver_list_offset,
            self.string_pool_offset,
            self.data_blocks_offset,
            self.data_page_offset,
        ]
    }

    /// A row of `faults` about the field at `at` of the header.
    pub fn problem(
        &self,
        kind: &str,
        (field, at): (&str, u64),
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Problem {
        Problem::new(kind, STRUCTURE, field, self.start + at, expected, found)
    }
}
