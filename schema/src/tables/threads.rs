//! `threads`.

use crate::{cell::Time, table};

table! {
    /// One row for every thread that the dump states (minidump thread list, thread information, thread names).
    pub threads: Threads of ThreadRow {
        /// Process id, where the dump states it.
        process_id: Option<u32>,
        /// Thread id (`MINIDUMP_THREAD.ThreadId`).
        thread_id: u32,
        /// Name set by `SetThreadDescription` (`MINIDUMP_THREAD_NAME.RvaOfThreadName`).
        name: Option<String>,
        /// Times it was suspended (`MINIDUMP_THREAD.SuspendCount`).
        suspend_count: Option<u32>,
        /// Priority class of its process (`MINIDUMP_THREAD.PriorityClass`).
        priority_class: Option<u32>,
        /// Priority within the class (`MINIDUMP_THREAD.Priority`).
        priority: Option<i32>,
        /// Address of the TEB (`MINIDUMP_THREAD.Teb`).
        teb: Option<u64>,
        /// Lowest captured address of the stack (`MINIDUMP_THREAD.Stack`).
        stack_start: Option<u64>,
        /// Captured bytes of the stack (`MINIDUMP_THREAD.Stack`).
        stack_size: Option<u64>,
        /// Instruction pointer of its context.
        ip: Option<u64>,
        /// Stack pointer of its context.
        sp: Option<u64>,
        /// When it was created, UTC (`MINIDUMP_THREAD_INFO.CreateTime`).
        create_time: Option<Time>,
        /// When it ended, UTC (`MINIDUMP_THREAD_INFO.ExitTime`); NULL while it runs.
        exit_time: Option<Time>,
        /// Seconds in kernel mode (`MINIDUMP_THREAD_INFO.KernelTime`).
        kernel_time_seconds: Option<f64>,
        /// Seconds in user mode (`MINIDUMP_THREAD_INFO.UserTime`).
        user_time_seconds: Option<f64>,
        /// Where it started (`MINIDUMP_THREAD_INFO.StartAddress`).
        start_address: Option<u64>,
        /// Processors that it may run on, a bit each (`MINIDUMP_THREAD_INFO.Affinity`).
        affinity: Option<u64>,
        /// Exit status, 0x103 while it runs (`MINIDUMP_THREAD_INFO.ExitStatus`).
        exit_status: Option<u32>,
        /// What the writer could not capture (`MINIDUMP_THREAD_INFO.DumpFlags`): 1 error, 4 exited, 8 invalid information, 0x10 invalid context, 0x20 invalid TEB; 2 is the thread that wrote the dump.
        dump_flags: Option<u32>,
        /// HRESULT of the writer for this thread (`MINIDUMP_THREAD_INFO.DumpError`).
        dump_error: Option<u32>,
        /// True for the thread that the exception names.
        crashed: bool,
        /// Where it stands: `ThreadListStream`, …
        source: String,
    }
}
