//! `discovery`.

use crate::table;

table! {
    /// One row for every root of page tables that was tried to find Windows in physical memory, in the order in which they were tried. Dumps of virtual memory (triage dumps, user minidumps) have none.
    pub discovery: Discovery of DiscoveryRow {
        /// Position in the order in which they were tried, from 0.
        index: u32,
        /// Who named it: `header` (`DUMP_HEADER.DirectoryTableBase`), `CPU state` (a processor's CR3 or TTBR as the file states it), `low stub` (`PROCESSOR_START_BLOCK`), `scan of ...` (a page that refers to itself, in that part of memory), `PsInitialSystemProcess` (`_KPROCESS.DirectoryTableBase` of the process `System`).
        source: String,
        /// Physical address of the root.
        root: u64,
        /// How it was read: `x86`, `x86 PAE`, `x64 4 levels`, `x64 5 levels` or `ARM64`.
        mode: String,
        /// Base address of the kernel image that was found through it; NULL when none was.
        kernel_base: Option<u64>,
        /// Build number that the kernel's own memory states through it (`NtBuildLab`, else `KUSER_SHARED_DATA.NtBuildNumber`).
        build: Option<u32>,
        /// What became of it, in words.
        outcome: String,
        /// True for the one that everything else is read by.
        chosen: bool,
    }
}
