//! `memory_counters`.

use crate::table;

table! {
    /// One row for every counter of memory management that the kernel keeps: what `!vm` shows. Names are those of Windows 10; older kernels have a variable `Mm...` for each.
    pub memory_counters: MemoryCounters of MemoryCounterRow {
        /// Name of the counter, alike in every build, such as `AvailablePages` or `TotalCommittedPages`.
        name: String,
        /// Its value, in `unit`.
        value: u64,
        /// `pages` of 4 KiB, `bytes` or `files`.
        unit: String,
        /// The value in bytes; NULL for counts of files.
        bytes: Option<u64>,
        /// Variable or structure that it was read from: `MmAvailablePages`, `MiSystemPartition` (`_MI_PARTITION`), `MiState` (`_MI_SYSTEM_INFORMATION.Vs`).
        source: String,
        /// Address that it was read from.
        address: u64,
    }
}
