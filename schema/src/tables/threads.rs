//! `threads`.

use crate::{cell::Time, table};

table! {
    /// One row for every thread: those that a user minidump states (thread list, thread information, thread names), or each of a kernel dump that a process's list, a processor or the table of ids leads to.
    pub threads: Threads of ThreadRow {
        /// Process id, where the dump states it; of a kernel dump that of the process whose list holds it, else of the one that it names.
        process_id: Option<u32>,
        /// Thread id (`MINIDUMP_THREAD.ThreadId`; `_ETHREAD.Cid.UniqueThread`).
        thread_id: u32,
        /// Name set by `SetThreadDescription` (`MINIDUMP_THREAD_NAME.RvaOfThreadName`; `_ETHREAD.ThreadName`).
        name: Option<String>,
        /// Times it was suspended (`MINIDUMP_THREAD.SuspendCount`; `_KTHREAD.SuspendCount`).
        suspend_count: Option<u32>,
        /// Priority class of its process (`MINIDUMP_THREAD.PriorityClass`).
        priority_class: Option<u32>,
        /// Priority within the class (`MINIDUMP_THREAD.Priority`; of a kernel dump the whole priority, 0 to 31: `_KTHREAD.Priority`).
        priority: Option<i32>,
        /// Address of the TEB (`MINIDUMP_THREAD.Teb`; `_KTHREAD.Teb`).
        teb: Option<u64>,
        /// Lowest captured address of the stack (`MINIDUMP_THREAD.Stack`).
        stack_start: Option<u64>,
        /// Captured bytes of the stack (`MINIDUMP_THREAD.Stack`).
        stack_size: Option<u64>,
        /// Instruction pointer of its context.
        ip: Option<u64>,
        /// Stack pointer of its context.
        sp: Option<u64>,
        /// When it was created, UTC (`MINIDUMP_THREAD_INFO.CreateTime`; `_ETHREAD.CreateTime`).
        create_time: Option<Time>,
        /// When it ended, UTC (`MINIDUMP_THREAD_INFO.ExitTime`); NULL while it runs (`_ETHREAD.ExitTime` of a terminated thread).
        exit_time: Option<Time>,
        /// Seconds in kernel mode (`MINIDUMP_THREAD_INFO.KernelTime`; `_KTHREAD.KernelTime` in clock ticks).
        kernel_time_seconds: Option<f64>,
        /// Seconds in user mode (`MINIDUMP_THREAD_INFO.UserTime`; `_KTHREAD.UserTime` in clock ticks).
        user_time_seconds: Option<f64>,
        /// Where it started (`MINIDUMP_THREAD_INFO.StartAddress`; `_ETHREAD.StartAddress`). NULL in a kernel dump once a list of registry notifications (`_ETHREAD.PostBlockList`) took its place.
        start_address: Option<u64>,
        /// Processors that it may run on, a bit each (`MINIDUMP_THREAD_INFO.Affinity`; `_KTHREAD.Affinity.Mask`).
        affinity: Option<u64>,
        /// Exit status, 0x103 while it runs (`MINIDUMP_THREAD_INFO.ExitStatus`; `_ETHREAD.ExitStatus`).
        exit_status: Option<u32>,
        /// What the writer could not capture (`MINIDUMP_THREAD_INFO.DumpFlags`): 1 error, 4 exited, 8 invalid information, 0x10 invalid context, 0x20 invalid TEB; 2 is the thread that wrote the dump.
        dump_flags: Option<u32>,
        /// HRESULT of the writer for this thread (`MINIDUMP_THREAD_INFO.DumpError`).
        dump_error: Option<u32>,
        /// True for the thread that the exception names, and for the one of which a triage dump has a copy; NULL for threads of other kernel dumps.
        crashed: Option<bool>,
        /// Address of its `_ETHREAD`.
        ethread: Option<u64>,
        /// Address of the process that it names as its owner (`_KTHREAD.Process`).
        eprocess: Option<u64>,
        /// Address of the process whose address space it uses (`_KTHREAD.ApcState.Process`); another one than its owner while it is attached.
        apc_process: Option<u64>,
        /// State: 0 initialized, 1 ready, 2 running, 3 standby, 4 terminated, 5 waiting, 6 transition, 7 deferred ready (`_KTHREAD.State`).
        state: Option<u8>,
        /// Name of `state` (`_KTHREAD_STATE`).
        state_name: Option<String>,
        /// Why it waits, or waited the last time (`_KTHREAD.WaitReason`).
        wait_reason: Option<u8>,
        /// Name of `wait_reason` (`_KWAIT_REASON`).
        wait_reason_name: Option<String>,
        /// Who waits: 0 the kernel, 1 the program (`_KTHREAD.WaitMode`).
        wait_mode: Option<u8>,
        /// Objects that it waits on (`_KTHREAD.WaitBlockCount`).
        wait_objects: Option<u32>,
        /// Clock tick at which its wait or its last change of state began, low 32 bits (`_KTHREAD.WaitTime`).
        wait_ticks: Option<u32>,
        /// Seconds since then (`KUSER_SHARED_DATA.TickCount` minus `_KTHREAD.WaitTime`).
        wait_seconds: Option<f64>,
        /// Base priority, 0 to 31 (`_KTHREAD.BasePriority`).
        base_priority: Option<i32>,
        /// Processor that the scheduler prefers (`_KTHREAD.IdealProcessor`).
        ideal_processor: Option<u32>,
        /// Processor on which it runs, ran or will run (`_KTHREAD.NextProcessor`).
        next_processor: Option<u32>,
        /// Kernel module and offset of `start_address`; NULL for addresses in no kernel module.
        start_owner: Option<String>,
        /// Where the program said that it starts (`_ETHREAD.Win32StartAddress`).
        win32_start_address: Option<u64>,
        /// Kernel module and offset of `win32_start_address`; NULL for addresses in no kernel module.
        win32_start_owner: Option<String>,
        /// Times it was switched to (`_KTHREAD.ContextSwitches`).
        context_switches: Option<u32>,
        /// Processor cycles that it used (`_KTHREAD.CycleTime`).
        cycles: Option<u64>,
        /// One past the highest address of its kernel stack (`_KTHREAD.StackBase`).
        kernel_stack_base: Option<u64>,
        /// Lowest address of its kernel stack (`_KTHREAD.StackLimit`).
        kernel_stack_limit: Option<u64>,
        /// Where its kernel stack begins (`_KTHREAD.InitialStack`).
        initial_stack: Option<u64>,
        /// Kernel stack pointer of a thread that does not run (`_KTHREAD.KernelStack`).
        kernel_stack: Option<u64>,
        /// Address of the newest trap frame (`_KTHREAD.TrapFrame`); NULL when there is none.
        trap_frame: Option<u64>,
        /// Number of the system call that it made last (`_KTHREAD.SystemCallNumber`).
        system_call: Option<u32>,
        /// Who called the kernel last: 0 the kernel, 1 the program (`_KTHREAD.PreviousMode`).
        previous_mode: Option<u8>,
        /// Times that normal kernel APCs were disabled, as a negative number (`_KTHREAD.KernelApcDisable`).
        kernel_apc_disable: Option<i32>,
        /// Times that all APCs were disabled, as a negative number (`_KTHREAD.SpecialApcDisable`).
        special_apc_disable: Option<i32>,
        /// Times it was frozen with its process (`_KTHREAD.FreezeCount`).
        freeze_count: Option<u32>,
        /// Address of the queue whose items it processes (`_KTHREAD.Queue`); NULL for most threads.
        queue: Option<u64>,
        /// Address of what win32k keeps of it (`_KTHREAD.Win32Thread`); NULL for threads without windows.
        win32_thread: Option<u64>,
        /// I/O requests under way (`_ETHREAD.IrpList`).
        irps: Option<u32>,
        /// Address of the ALPC message that it waits for or handles (`_ETHREAD.AlpcMessage`, which shares its place with `AlpcReceiveAttributeSet`).
        alpc_message: Option<u64>,
        /// Whether it acts as somebody else (bit 3 of `_ETHREAD.CrossThreadFlags`).
        impersonating: Option<bool>,
        /// Address of the token of whom it acts as (`_ETHREAD.ClientSecurity` without its low bits).
        impersonation_token: Option<u64>,
        /// How far it acts as them: 0 anonymous, 1 identification, 2 impersonation, 3 delegation (`_ETHREAD.ClientSecurity`).
        impersonation_level: Option<u32>,
        /// Whether it has ended (bit 0 of `_ETHREAD.CrossThreadFlags`).
        terminated: Option<bool>,
        /// Whether it is a thread of the kernel (`_KTHREAD.SystemThread`).
        system_thread: Option<bool>,
        /// Whether debuggers do not hear of it (bit 2 of `_ETHREAD.CrossThreadFlags`).
        hide_from_debugger: Option<bool>,
        /// Whether the system stops when it ends (`_ETHREAD.BreakOnTermination`).
        break_on_termination: Option<bool>,
        /// All flags that other threads may change (`_ETHREAD.CrossThreadFlags`).
        cross_thread_flags: Option<u32>,
        /// Whether a process's `_KPROCESS.ThreadListHead` leads to it.
        in_kernel_list: Option<bool>,
        /// Whether a process's `_EPROCESS.ThreadListHead` leads to it.
        in_process_list: Option<bool>,
        /// Whether the table of process and thread ids leads to it (`PspCidTable`).
        in_cid_table: Option<bool>,
        /// Whether the sweep over all of memory met it behind a pool header with its tag.
        found_in_pool: Option<bool>,
        /// Whether the sweep over all of memory recognised it by its own members.
        found_by_shape: Option<bool>,
        /// Physical address of its `_ETHREAD`; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// True for a thread that has not ended and is in no list of a process: somebody hides it, or it is being created or ended right now; NULL for one in memory that is free or that nothing maps.
        hidden: Option<bool>,
        /// Where it stands: `ThreadListStream`, …; of a kernel dump the first source that leads to it, such as `_KPROCESS.ThreadListHead`; `pool header` or `object's members` if only the sweep over memory does.
        source: String,
    }
}
