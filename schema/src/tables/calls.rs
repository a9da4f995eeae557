//! Calls that wait: `timers`, `dpcs`, `apcs`, `work_items`.

use crate::{cell::Time, table};

table! {
    /// One row for every kernel timer in the timer tables, with the deferred procedure call that it queues when it fires. A routine in no loaded module deserves a look.
    pub timers: Timers of TimerRow {
        /// Processor whose table holds it (`_KPRCB.TimerTable`); NULL before Windows 7, when there was one table for all (`KiTimerTableListHead`).
        processor: Option<u32>,
        /// Slot of the timer table, from 0; two arrays of 256 count on, to 511.
        slot: u32,
        /// Address of the `_KTIMER`.
        timer: u64,
        /// `notification` (stays signaled) or `synchronization` (wakes one thread), from `_DISPATCHER_HEADER.Type` 8 or 9; NULL for any other value, which is damage.
        timer_type: Option<String>,
        /// True if it has fired and was not reset (`_DISPATCHER_HEADER.SignalState`).
        signaled: Option<bool>,
        /// Interrupt time at which it fires, in units of 100 ns (`_KTIMER.DueTime`).
        due_time: Option<u64>,
        /// The same as a moment in UTC: system time plus `due_time` minus interrupt time (`_KUSER_SHARED_DATA.SystemTime`, `InterruptTime`).
        due_at: Option<Time>,
        /// Milliseconds between firings; 0 for once (`_KTIMER.Period`).
        period_ms: Option<u32>,
        /// Address of the `_KDPC` that it queues (`_KTIMER.Dpc`, decoded with `KiWaitNever` and `KiWaitAlways` on x64); NULL for none: a thread waits for it.
        dpc: Option<u64>,
        /// What `_KTIMER.Dpc` holds: on x64 since Windows 7 the encoded address, elsewhere the address itself.
        dpc_stored: Option<u64>,
        /// Routine that is called (`_KDPC.DeferredRoutine`).
        routine: Option<u64>,
        /// File name of the loaded kernel module that holds `routine`; NULL if none does.
        routine_module: Option<String>,
        /// `module+offset` of `routine`.
        routine_text: Option<String>,
        /// Value passed to the routine (`_KDPC.DeferredContext`).
        context: Option<u64>,
    }
}

table! {
    /// One row for every deferred procedure call in the queue of a processor.
    pub dpcs: Dpcs of DpcRow {
        /// Processor whose queue holds it.
        processor: u32,
        /// `normal` or `threaded` (`_KPRCB.DpcData[0]` and `[1]`).
        queue: String,
        /// Place in the queue, from 0.
        position: u32,
        /// Address of the `_KDPC`.
        dpc: u64,
        /// Kind of object (`_KDPC.Type`): 19 for a DPC, 24 (26 in new builds) for a threaded one.
        object_type: Option<u32>,
        /// 0 low, 1 medium, 2 high, 3 medium high (`_KDPC.Importance`).
        importance: Option<u32>,
        /// Routine that is called (`_KDPC.DeferredRoutine`).
        routine: Option<u64>,
        /// File name of the loaded kernel module that holds `routine`; NULL if none does.
        routine_module: Option<String>,
        /// `module+offset` of `routine`.
        routine_text: Option<String>,
        /// First value passed to the routine (`_KDPC.DeferredContext`).
        context: Option<u64>,
        /// Second value (`_KDPC.SystemArgument1`).
        argument1: Option<u64>,
        /// Third value (`_KDPC.SystemArgument2`).
        argument2: Option<u64>,
    }
}

table! {
    /// One row for every asynchronous procedure call that waits for a thread.
    pub apcs: Apcs of ApcRow {
        /// Process id of the thread's owner.
        process_id: Option<u32>,
        /// Thread id.
        thread_id: Option<u32>,
        /// Address of the `_ETHREAD`.
        ethread: u64,
        /// `kernel` or `user`: list of the thread (`_KAPC_STATE.ApcListHead[0]` and `[1]`).
        mode: String,
        /// Place in the list, from 0.
        position: u32,
        /// Address of the `_KAPC`.
        apc: u64,
        /// Kind of object (`_KAPC.Type`): 18.
        object_type: Option<u32>,
        /// Mode that it states itself (`_KAPC.ApcMode`): 0 kernel, 1 user.
        apc_mode: Option<u32>,
        /// Which address space it is for (`_KAPC.ApcStateIndex`): 0 original, 1 attached, 2 current.
        state_index: Option<u32>,
        /// True while it is in a list (`_KAPC.Inserted`).
        inserted: Option<bool>,
        /// Routine called at APC level first (`_KAPC.KernelRoutine`).
        kernel_routine: Option<u64>,
        /// `module+offset` of `kernel_routine`; NULL if no loaded kernel module holds it.
        kernel_routine_text: Option<String>,
        /// Routine called instead if the thread ends (`_KAPC.RundownRoutine`); NULL for none.
        rundown_routine: Option<u64>,
        /// `module+offset` of `rundown_routine`.
        rundown_routine_text: Option<String>,
        /// Routine that does the work (`_KAPC.NormalRoutine`): a user-mode address for user APCs; NULL for a special kernel APC.
        normal_routine: Option<u64>,
        /// `module+offset` of `normal_routine`; NULL if no loaded kernel module holds it.
        normal_routine_text: Option<String>,
        /// First value passed to the normal routine (`_KAPC.NormalContext`).
        context: Option<u64>,
        /// Second value (`_KAPC.SystemArgument1`).
        argument1: Option<u64>,
        /// Third value (`_KAPC.SystemArgument2`).
        argument2: Option<u64>,
    }
}

table! {
    /// One row for every work item that waits for a system worker thread.
    pub work_items: WorkItems of WorkItemRow {
        /// NUMA node of the queue (`KeNodeBlock`, `_EX_PARTITION.WorkQueues`); NULL before Windows 8.
        node: Option<u32>,
        /// Number of the queue: index of `_ENODE.ExWorkQueues` or of the node's `_EX_PARTITION.WorkQueues`; before Windows 8 of `ExWorkerQueue`: 0 critical, 1 delayed, 2 hypercritical.
        queue: u32,
        /// Address of the `_EX_WORK_QUEUE`.
        work_queue: u64,
        /// Priority within the queue, 0 to 31 (index of `_KPRIQUEUE.EntryListHead`); NULL before Windows 8.
        priority: Option<u32>,
        /// Place in the list, from 0.
        position: u32,
        /// Address of the `_WORK_QUEUE_ITEM`.
        work_item: u64,
        /// Routine that is called (`_WORK_QUEUE_ITEM.WorkerRoutine`).
        routine: Option<u64>,
        /// File name of the loaded kernel module that holds `routine`; NULL if none does.
        routine_module: Option<String>,
        /// `module+offset` of `routine`.
        routine_text: Option<String>,
        /// Value passed to the routine (`_WORK_QUEUE_ITEM.Parameter`).
        parameter: Option<u64>,
    }
}
