//! `big_pool` and `pool_tags`: the pool's own books.

use crate::table;

table! {
    /// One row for every entry of the kernel's table of big pool allocations (`PoolBigPageTable`): memory that has pages of its own, without a pool header. Entries that were never used are left out.
    pub big_pool: BigPool of BigPoolRow {
        /// Address of the allocation (`_POOL_TRACKER_BIG_PAGES.Va` without its low bit).
        address: u64,
        /// True if the allocation was freed (low bit of `_POOL_TRACKER_BIG_PAGES.Va`).
        free: bool,
        /// Pool tag (`_POOL_TRACKER_BIG_PAGES.Key` without its protected bit); what cannot be printed is a dot.
        tag: String,
        /// The number in `_POOL_TRACKER_BIG_PAGES.Key`.
        key: u32,
        /// True for a protected tag (bit 31 of `_POOL_TRACKER_BIG_PAGES.Key`).
        protected: bool,
        /// Length in bytes (`_POOL_TRACKER_BIG_PAGES.NumberOfBytes`; on Windows XP `NumberOfPages` × 4096).
        size: Option<u64>,
        /// `POOL_TYPE` (`_POOL_TRACKER_BIG_PAGES.PoolType`); NULL where the kernel or its layout source does not state it.
        pool_type: Option<u32>,
        /// Name of `pool_type`.
        pool_type_name: Option<String>,
        /// True for paged pool, false for nonpaged pool (bit 0 of `_POOL_TRACKER_BIG_PAGES.PoolType`).
        paged: Option<bool>,
        /// `_POOL_TRACKER_BIG_PAGES.Pattern` (Windows 10 and later).
        pattern: Option<u32>,
        /// `_POOL_TRACKER_BIG_PAGES.SlushSize` (Windows 10 and later).
        slush_size: Option<u32>,
        /// Address of the `_EPROCESS` that the allocation is charged to (`_POOL_TRACKER_BIG_PAGES.ProcessBilled`, Windows Server 2022 and later).
        process_billed: Option<u64>,
        /// Process id of `process_billed`, where it is a known process.
        process_id: Option<u32>,
        /// Address of the entry.
        entry: u64,
    }
}

table! {
    /// One row for every pool tag that the kernel counts (`!poolused`): the sum over `PoolTrackTable`, `PoolTrackTableExpansion` and the processors' `ExPoolTagTables`.
    pub pool_tags: PoolTags of PoolTagRow {
        /// Pool tag (`_POOL_TRACKER_TABLE.Key` without its protected bit); what cannot be printed is a dot.
        tag: String,
        /// The number in `_POOL_TRACKER_TABLE.Key`.
        key: u32,
        /// True for a protected tag (bit 31 of `_POOL_TRACKER_TABLE.Key`).
        protected: bool,
        /// Allocations from nonpaged pool since boot (`_POOL_TRACKER_TABLE.NonPagedAllocs`).
        nonpaged_allocs: u64,
        /// Frees to nonpaged pool since boot (`_POOL_TRACKER_TABLE.NonPagedFrees`).
        nonpaged_frees: u64,
        /// Nonpaged bytes in use (`_POOL_TRACKER_TABLE.NonPagedBytes`).
        nonpaged_bytes: u64,
        /// Allocations from paged pool since boot (`_POOL_TRACKER_TABLE.PagedAllocs`).
        paged_allocs: u64,
        /// Frees to paged pool since boot (`_POOL_TRACKER_TABLE.PagedFrees`).
        paged_frees: u64,
        /// Paged bytes in use (`_POOL_TRACKER_TABLE.PagedBytes`).
        paged_bytes: u64,
        /// How many of the tables have an entry for the tag. 1 with several processors means that only one table was found: the numbers are that table's, not the system's.
        tables: u32,
    }
}
