//! `needles`: where bytes that somebody looks for lie.

use crate::table;

table! {
    /// One row for every place of memory with a text or with bytes that `--needle` asked for; without it there are none. A needle over a border of pages is found where the pages follow each other in virtual memory.
    pub needles: Needles of NeedleRow {
        /// The needle as it was asked for.
        needle: String,
        /// How it lies there: `utf-8`, `utf-16`, `bytes`.
        encoding: String,
        /// Physical address; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// Virtual address; NULL where nothing maps the page.
        va: Option<u64>,
        /// Process whose tables map it; NULL for kernel memory and unmapped pages.
        process_id: Option<u32>,
        /// Address of that process's `_EPROCESS`.
        process: Option<u64>,
        /// Several entries of page tables lead to the page.
        shared: bool,
        /// Up to 32 bytes before, the needle, up to 64 bytes behind, as far as they lie on the page: ASCII, a dot for other bytes; of UTF-16 every second byte.
        context: String,
    }
}
