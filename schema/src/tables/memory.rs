//! `memory_runs` and `memory_regions`: which memory is in the file, and what it was for.

use crate::table;

table! {
    /// One row for every run of memory that the dump names: where it was in memory, where it is in the file.
    pub memory_runs: MemoryRuns of MemoryRunRow {
        /// `physical` or `virtual`: which kind of address `start` is.
        kind: String,
        /// First address.
        start: u64,
        /// Length in bytes.
        length: u64,
        /// Offset of the first byte in the file.
        file_offset: u64,
        /// Bytes that the file really holds; fewer than `length` when it is truncated.
        bytes_in_file: u64,
        /// Structure of the file that names the run: the format, `data block`, `call stack`, `Memory64ListStream`, …
        source: String,
    }
}

table! {
    /// One row for every region of the address space of a process (minidump `MemoryInfoListStream`).
    pub memory_regions: MemoryRegions of MemoryRegionRow {
        /// Process id, where the minidump states it.
        process_id: Option<u32>,
        /// First address (`MINIDUMP_MEMORY_INFO.BaseAddress`).
        base: u64,
        /// First address of the allocation that it belongs to (`MINIDUMP_MEMORY_INFO.AllocationBase`); NULL for free memory.
        allocation_base: Option<u64>,
        /// Protection when it was allocated, `PAGE_*` (`MINIDUMP_MEMORY_INFO.AllocationProtect`); NULL for free memory.
        allocation_protect: Option<u32>,
        /// Length in bytes (`MINIDUMP_MEMORY_INFO.RegionSize`).
        size: u64,
        /// `MEM_COMMIT` 0x1000, `MEM_RESERVE` 0x2000 or `MEM_FREE` 0x10000 (`MINIDUMP_MEMORY_INFO.State`).
        state: Option<u32>,
        /// Name of `state`.
        state_name: Option<String>,
        /// Protection now, `PAGE_*` (`MINIDUMP_MEMORY_INFO.Protect`); NULL for free memory.
        protect: Option<u32>,
        /// `MEM_PRIVATE` 0x20000, `MEM_MAPPED` 0x40000 or `MEM_IMAGE` 0x1000000 (`MINIDUMP_MEMORY_INFO.Type`); NULL for free memory.
        r#type: Option<u32>,
        /// Name of `type`.
        type_name: Option<String>,
    }
}
