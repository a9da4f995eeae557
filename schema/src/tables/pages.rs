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
        /// What is on it, by a look at some of its words: `zero` (every byte), `image` (a loaded kernel module is mapped there), `text` (printable characters of one or two bytes), `pointers` (a quarter of the words are kernel addresses), `random` (compressed or encrypted: nearly every byte value occurs), `data` (anything else).
        content: &'static str,
        /// List that it is on (`_MMPFN.u3.e1.PageLocation`): `zeroed`, `free`, `standby`, `modified`, `modified no write`, `bad`, `transition`; `active` is none. NULL where the page-frame database is not in the dump.
        list: Option<&'static str>,
        /// Number of page-table entries that lead to it (`_MMPFN.u2.ShareCount`), of active pages.
        share_count: Option<u64>,
        /// Reasons to keep it in memory (`_MMPFN.u3.ReferenceCount`).
        reference_count: Option<u32>,
        /// Priority, 0 to 7 (`_MMPFN.u3.e3.Priority`).
        priority: Option<u32>,
        /// Differs from what is on disk (`_MMPFN.u3.e1.Modified`).
        modified: Option<bool>,
        /// Address of the page-table entry or prototype entry that leads to it (`_MMPFN.PteAddress`).
        pte_address: Option<u64>,
        /// That entry is a prototype: the page belongs to a section (`_MMPFN.u4.PrototypePte`).
        prototype_pte: Option<bool>,
    }
}
