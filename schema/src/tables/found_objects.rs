//! `found_objects`: kernel objects that memory holds.

use crate::table;

table! {
    /// One row for every kernel object that was recognised in memory, whether a list leads to it or not, in the order of memory: behind a pool header with its tag, or by its own members. Objects that have ended and memory that is free are there too.
    pub found_objects: FoundObjects of FoundObjectRow {
        /// What it is: `process`, `thread`, `driver`, `device`, `file`, `mutant`, `symbolic link`, `section`, `port`, `module` (an entry of a list of modules).
        kind: String,
        /// Its address in the kernel's half; NULL where the kernel's page tables do not lead to it.
        va: Option<u64>,
        /// Its physical address; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// Address that its own list heads state, of one that the kernel's page tables do not lead to: it was there once, or is a copy of what was.
        stated_va: Option<u64>,
        /// Name: of a process its image, of a driver, device or link its full name, of a file its device and path, of a module its file.
        name: Option<String>,
        /// Id of a process, or of the process that a thread names.
        process_id: Option<u32>,
        /// Id of a thread.
        thread_id: Option<u32>,
        /// Whether a pool header with the tag of its kind is in front of it.
        found_in_pool: bool,
        /// Whether its own first members are those of its kind, so that it was recognised without a pool header.
        found_by_shape: bool,
        /// Whether any list leads to it: for processes, threads and modules those of the kernel, for others the directory tree or a handle; NULL where that cannot be told, as for what has no address. Files and sections are often in use without either.
        in_list: Option<bool>,
        /// Its memory: `allocated`; `freed` for a pool block that is free; `unmapped` where no page table leads to it; `user` where only a process's own half does.
        state: String,
        /// How sure it is: `high`, `medium`, `low`. `processes`, `threads`, `drivers` and `modules` have no rows for `low`.
        confidence: String,
        /// What the confidence rests on.
        reason: String,
    }
}
