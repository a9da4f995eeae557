//! `waits`, `eresources` and `eresource_owners`: who waits for whom.

use crate::table;

table! {
    /// One row for every object that a waiting thread waits on: a row for each of its wait blocks. From `ethread` to `owner_thread` is an edge of a wait chain; a ring of them is a deadlock.
    pub waits: Waits of WaitRow {
        /// Process id of the waiting thread.
        process_id: Option<u32>,
        /// Thread id of the waiting thread.
        thread_id: Option<u32>,
        /// Address of the waiting thread (`_ETHREAD`).
        ethread: u64,
        /// Why it waits (`_KTHREAD.WaitReason`).
        wait_reason: Option<u8>,
        /// Name of `wait_reason` (`_KWAIT_REASON`); NULL for 21 to 25 of Windows XP, where they are spares.
        wait_reason_name: Option<String>,
        /// Who waits: 0 the kernel, 1 the program (`_KTHREAD.WaitMode`).
        wait_mode: Option<u8>,
        /// Number of the wait block, from 0.
        index: u32,
        /// Address of the wait block (`_KWAIT_BLOCK`).
        wait_block: u64,
        /// What the wait returns when this object ends it (`_KWAIT_BLOCK.WaitKey`).
        wait_key: Option<u16>,
        /// `_KWAIT_BLOCK.WaitType`: 0 all objects, 1 any of them, 2 notification, 3 dequeue, 4 DPC.
        wait_type: Option<u8>,
        /// Name of `wait_type`.
        wait_type_name: Option<String>,
        /// `_KWAIT_BLOCK.BlockState`; NULL for Windows XP.
        block_state: Option<u8>,
        /// True if the block's neighbours in the object's list of waiters (`_KWAIT_BLOCK.WaitListEntry`) point back to it; false for a leftover of an earlier wait.
        linked: Option<bool>,
        /// Address of the object (`_KWAIT_BLOCK.Object`).
        object: Option<u64>,
        /// `_DISPATCHER_HEADER.Type` of the object without its lock bit (0x80).
        object_type: Option<u8>,
        /// Name of `object_type` (`_KOBJECTS`).
        object_kind: Option<String>,
        /// `_DISPATCHER_HEADER.SignalState` of the object: positive when signalled; of a mutant 1 minus the times it was acquired.
        signal_state: Option<i32>,
        /// Address of the resource lock that the thread waits for (`_ERESOURCE` of `eresources`): the one whose semaphore or event it waits on, or whose list of waiters starts on its stack.
        resource: Option<u64>,
        /// Address of the thread that holds the object or must end first (`_KMUTANT.OwnerThread`, `_FAST_MUTEX.Owner`, `_OWNER_ENTRY.OwnerThread` of an exclusive owner, or the thread that is waited on); NULL where nothing records one.
        owner_thread: Option<u64>,
        /// Thread id of `owner_thread`, where it is a known thread.
        owner_thread_id: Option<u32>,
        /// Process id of `owner_thread`, where it is a known thread.
        owner_process_id: Option<u32>,
        /// How the owner is known: `mutant`, `thread`, `fast mutex`, `guarded mutex`, `resource`.
        owner_kind: Option<String>,
        /// Process id of the object, where it is a process (its end is waited for).
        object_process_id: Option<u32>,
    }
}

table! {
    /// One row for every resource lock (`_ERESOURCE`) of the kernel's list `ExpSystemResourcesList` (`!locks`).
    pub eresources: Eresources of EresourceRow {
        /// Address of the lock.
        address: u64,
        /// `module+offset`, where the lock lies in a loaded kernel module.
        module: Option<String>,
        /// True if its owner has it alone (bit 7 of `_ERESOURCE.Flag`).
        exclusive: Option<bool>,
        /// How often it is held (`_ERESOURCE.ActiveCount`); 0 for a free lock.
        active_count: Option<i32>,
        /// Owner entries in use (`_ERESOURCE.ActiveEntries`); NULL for Windows XP.
        active_entries: Option<u32>,
        /// `_ERESOURCE.Flag`; its high byte is the waiters' priority since Windows 8.1.
        flags: Option<u16>,
        /// How often a thread had to wait (`_ERESOURCE.ContentionCount`).
        contention_count: Option<u32>,
        /// Threads that wait to share it (`_ERESOURCE.NumberOfSharedWaiters`).
        shared_waiters: Option<u32>,
        /// Threads that wait to have it alone (`_ERESOURCE.NumberOfExclusiveWaiters`).
        exclusive_waiters: Option<u32>,
        /// Where threads wait to share it (`_ERESOURCE.SharedWaiters`): a semaphore, in Windows 10 the first waiter's block on its stack.
        shared_waiters_at: Option<u64>,
        /// Where threads wait to have it alone (`_ERESOURCE.ExclusiveWaiters`): an event, in Windows 10 the first waiter's block on its stack.
        exclusive_waiters_at: Option<u64>,
        /// `_ERESOURCE.Address`, a union with `CreatorBackTraceIndex`.
        creator: Option<u64>,
        /// Owners of the lock: rows of `eresource_owners`.
        owners: u32,
        /// Address of the thread that has it alone (`_OWNER_ENTRY.OwnerThread`).
        owner_thread: Option<u64>,
        /// Thread id of `owner_thread`, where it is a known thread.
        owner_thread_id: Option<u32>,
        /// Process id of `owner_thread`, where it is a known thread.
        owner_process_id: Option<u32>,
    }
}

table! {
    /// One row for every owner of a resource lock (`_OWNER_ENTRY`).
    pub eresource_owners: EresourceOwners of EresourceOwnerRow {
        /// Address of the lock (`_ERESOURCE`).
        resource: u64,
        /// Number of the owner, from 0.
        index: u32,
        /// Address of the entry (`_OWNER_ENTRY`).
        entry: u64,
        /// True for an entry of the owner table (`_ERESOURCE.OwnerTable`), false for one in the lock.
        in_table: bool,
        /// `_OWNER_ENTRY.OwnerThread` as it stands.
        owner: u64,
        /// Address of the owning thread; NULL for an owner set with `ExSetResourceOwnerPointer`, which has its two low bits set.
        owner_thread: Option<u64>,
        /// Thread id of the owner, where it is a known thread.
        thread_id: Option<u32>,
        /// Process id of the owner, where it is a known thread.
        process_id: Option<u32>,
        /// How often it holds the lock (`_OWNER_ENTRY.OwnerCount`).
        count: Option<u32>,
        /// True if it has the lock alone.
        exclusive: Option<bool>,
    }
}
