//! `pages`: every page frame of the dump.

use crate::table;

table! {
    /// One row for every page of memory that the dump holds: who maps it, and what is on it. Of small dumps, one for every page or part of a page that was captured.
    pub pages: Pages of PageRow {
        /// Physical address; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// Virtual address that leads to it in the page tables; NULL where none does. Of several, the kernel's, then that of the first process in the order of `processes`, then the lowest.
        va: Option<u64>,
        /// Id of the process whose tables lead to it; NULL for the kernel's half and for pages that nothing maps.
        process_id: Option<u32>,
        /// Address of that process's `_EPROCESS`.
        process: Option<u64>,
        /// Whether several entries of page tables lead to it.
        shared: bool,
        /// What is on it: `zero`, `data`.
        content: String,
    }
}
