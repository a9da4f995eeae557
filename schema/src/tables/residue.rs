//! `residue` and `residue_pages`: return addresses that execution left in memory.

use crate::table;

table! {
    /// One row for every word of a stack, or of a page that nothing maps, that is an address of executable code behind a call instruction: what ran there, now or earlier. Kernel stacks, those of processors, and unmapped pages are looked at for addresses of kernel modules, user stacks for those of their process's modules; other pages are only counted, in `residue_pages`.
    pub residue: Residue of ResidueRow {
        /// Virtual address of the word; NULL on a page that nothing maps.
        va: Option<u64>,
        /// Physical address of the word; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// `kernel stack` (of a thread), `processor stack` (on which a processor runs deferred calls, interrupts or exceptions; of ARM64 down to the first page that is not there, if that is within 72 KiB, and none of small dumps but the one that they state), `user stack`, `unmapped`.
        page_kind: String,
        /// Address of the `_ETHREAD` whose stack it is; NULL on stacks of processors.
        ethread: Option<u64>,
        /// Thread id of that thread.
        thread_id: Option<u32>,
        /// Id of that thread's process.
        process_id: Option<u32>,
        /// Bytes from the word up to the top of the stack (`_KTHREAD.StackBase`; of user stacks `_NT_TIB.StackBase`); NULL where the top is not known.
        depth: Option<u64>,
        /// Whether it lies at or above the thread's stack pointer, where frames are that have not returned yet; below are those of calls that have. NULL where the stack pointer is not known.
        live: Option<bool>,
        /// The return address.
        target: u64,
        /// The module that holds it.
        module: String,
        /// The function: an export of the module (of modules of processes too, as far as the directory of exports is in the dump), or a name of the kernel's symbols; NULL where neither tells.
        symbol: Option<String>,
        /// Bytes from the function's beginning; from the module's beginning where no function is known.
        offset: u64,
        /// Bytes from the beginning of the function that holds the call, by its name or, where it has none, by the unwind data of its module (x64); NULL where neither tells.
        function_offset: Option<u64>,
        /// The module is one of those that were unloaded.
        unloaded: bool,
        /// The call instruction before the target: `direct`, `import` (through a pointer at a fixed distance, such as an import), `indirect`; NULL: that code is not in the dump.
        call: Option<String>,
        /// Target of a direct call: the function that was to return here.
        called: Option<u64>,
        /// `high`: a call whose own target is code, or a pointer in its own module; `medium`: a call through a register or memory, which other bytes can look like; `low`: the code is not in the dump, so nothing says that a call is there.
        confidence: String,
    }
}

table! {
    /// One row for every page with words that point into executable code of kernel modules. On pages of images and in tables of pointers (imports, dispatch tables) they are no residue.
    pub residue_pages: ResiduePages of ResiduePageRow {
        /// Virtual address of the page; NULL where nothing maps it.
        va: Option<u64>,
        /// Physical address of the page; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// `kernel stack`, `processor stack`, `user stack`, `unmapped`, `image` (of a kernel module), `kernel` (pool and all other kernel memory), `user`.
        page_kind: String,
        /// Process whose tables map it; NULL for kernel memory and unmapped pages.
        process_id: Option<u32>,
        /// Words that point into executable code.
        candidates: u32,
        /// Those of them behind a call instruction.
        validated: u32,
        /// Those of them whose code is not in the dump.
        unverified: u32,
        /// Candidates in rows of four or more: tables of pointers.
        in_tables: u32,
        /// Number of modules that candidates point into.
        modules: u32,
    }
}
