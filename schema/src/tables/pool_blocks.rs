//! `pool_allocations` and `pool_pages`: kernel pool as it lies in memory.

use crate::{InlineText, table};

table! {
    /// One row for every block of kernel pool that has a header (`_POOL_HEADER`), in use or freed, found page by page in all kernel memory and in memory that nothing maps. Only headers that agree with a neighbour are believed, and those that the segment heap's own books name; one that stands alone is left out, but for tags that `pool_tags` counts in a segment heap. Allocations of a page and more have no header: those that the kernel's table of big pages names are here where their first page is in the dump, and all of them in `big_pool`.
    pub pool_allocations: PoolAllocations of PoolAllocationRow {
        /// Virtual address of the header; the memory that was asked for begins 16 bytes behind it, on x86 8. NULL where nothing maps the page. Of an allocation with pages of its own, the address of the first.
        va: Option<u64>,
        /// Physical address of the header; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// Pool tag (`_POOL_HEADER.PoolTag` without its protected bit); what cannot be printed is a dot.
        tag: InlineText<4>,
        /// The number in `_POOL_HEADER.PoolTag`.
        key: u32,
        /// True for a protected tag (bit 31 of `_POOL_HEADER.PoolTag`).
        protected: bool,
        /// Bytes, the header included (`_POOL_HEADER.BlockSize`, `_POOL_TRACKER_BIG_PAGES.NumberOfBytes`).
        size: u64,
        /// `allocated` or `freed`.
        state: &'static str,
        /// `nonpaged`, `nonpaged_nx`, `paged` or `session`. A free block of a classic pool does not say; it has the kind of the other blocks of its page. `nonpaged_nx` is told from `nonpaged` only where the heap is known.
        kind: Option<&'static str>,
        /// What manages the page: `classic` (before Windows 10 1809), `vs` or `lfh` (the two allocators of the segment heap), `segment` (one of these, and nothing tells which), `special` (a block of a segment heap of special pool, which `ExPoolState.SpecialHeaps` names), `big` (pages of its own, in any kernel). Special pool before Windows 10 1809 is not told: no public source states how its pages look.
        allocator: &'static str,
        /// The number in `_POOL_HEADER.PoolType`; of a big allocation `POOL_TYPE`, NULL where the kernel or its layout source does not state it.
        pool_type: Option<u32>,
        /// Address of the `_EPROCESS` that the block is charged to. NULL where it is charged to none, and where the pointer is hidden behind a cookie that is not known.
        process_billed: Option<u64>,
        /// Process id of `process_billed`, where it is a known process.
        process_id: Option<u32>,
        /// How sure it is that there is a block, and in this state: `high`, `medium`, `low`.
        confidence: &'static str,
        /// Why.
        reason: &'static str,
        /// Whether the headers before and behind agree with this one, or the page begins or ends there; NULL where blocks do not know their neighbours: in an LFH subsegment, and in a segment heap that is not known.
        chain_ok: Option<bool>,
        /// The first 16 bytes behind the header: as text if all can be printed, else in hexadecimal.
        preview: InlineText<32>,
    }
}

table! {
    /// One row for every page with blocks of kernel pool: how full it is, and where its blocks disagree.
    pub pool_pages: PoolPages of PoolPageRow {
        /// Virtual address of the page; NULL where nothing maps it.
        va: Option<u64>,
        /// Physical address of the page; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// `nonpaged`, `nonpaged_nx`, `paged` or `session`, as of the blocks; NULL where all of them are freed.
        kind: Option<&'static str>,
        /// What manages the page; see `pool_allocations`.
        allocator: &'static str,
        /// Number of blocks found.
        blocks: u32,
        /// Bytes in allocated blocks, headers included.
        bytes_used: u32,
        /// Bytes in freed blocks, headers included.
        bytes_free: u32,
        /// Whether the sizes of all blocks agree from the start of the page to its end; NULL where blocks do not know their neighbours: in an LFH subsegment, and in a segment heap that is not known.
        chain_ok: Option<bool>,
        /// Number of headers that are wrong.
        breaks: u32,
        /// Offset in the page of the first header that is wrong; one that breaks the chain goes before others.
        broken_at: Option<u32>,
        /// What is wrong with it: `zero_size` (`BlockSize` is 0), `past_page_end` (`BlockSize` leads out of the page), `previous_size` (not the size of the block before), `block_size` (does not lead to the block behind), `tag` (no text, though in use; sizes agree), `pool_index` (another one than in the rest of the page; sizes agree).
        wrong: Option<&'static str>,
        /// The first 32 bytes there, in hexadecimal.
        wrong_bytes: Option<String>,
        /// What these bytes are, where that can be told: `zeros` (16 bytes), `repeating` (16 bytes that are the same 1, 2, 4 or 8 over and over), `text`, `utf-16 text` (8 characters or more from the start), `pointers` (16 bytes or more of kernel addresses).
        wrong_content: Option<&'static str>,
        /// Address of the block before it, whose owner may have written too far; physical where the page is mapped nowhere.
        suspect: Option<u64>,
        /// Tag of that block.
        suspect_tag: Option<InlineText<4>>,
        /// Size of that block.
        suspect_size: Option<u32>,
    }
}
