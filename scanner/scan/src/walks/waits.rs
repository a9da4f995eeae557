//! `waits`, `eresources` and `eresource_owners`.

use crate::{Job, names, out::Out};
use memory::Va;
use nt::{
    System,
    eresource::{Resource, ResourceOwner, ResourceWaits},
    wait::{PROCESS, WaitBlock, Waiter},
};
use schema::{
    Sink,
    tables::{EresourceOwnerRow, EresourceOwners, EresourceRow, Eresources, WaitRow, Waits},
};
use std::collections::HashMap;

/// Thread and process ids of known threads by address.
pub struct Threads(HashMap<Va, (Option<u32>, Option<u32>)>);

impl Threads {
    pub fn of(system: &System) -> Threads {
        let processes = system.processes();
        let process_id = |index: usize| processes.get(index).and_then(|process| process.pid);
        let known = system.threads().iter();
        Threads(known.map(|thread| (thread.va, (thread.tid, process_id(thread.process)))).collect())
    }

    /// Thread id and process id.
    pub fn ids(&self, thread: Option<Va>) -> (Option<u32>, Option<u32>) {
        thread.and_then(|va| self.0.get(&va).copied()).unwrap_or_default()
    }
}

pub fn waits(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Waits>::new(sink);
    if let Some(system) = job.system {
        let (threads, resources) = (Threads::of(system), system.resources());
        let locks = ResourceWaits::new(resources);
        for waiter in system.waiters() {
            for (index, block) in (0..).zip(&waiter.blocks) {
                let object = block.object.filter(|_| block.linked == Some(true));
                let lock = object.and_then(|object| locks.find(object, waiter.reason, waiter.stack));
                out.push(wait(system, &threads, &waiter, index, block, lock.map(|lock| &resources[lock])))?;
            }
        }
    }
    out.finish()
}

fn wait(
    system: &System,
    threads: &Threads,
    waiter: &Waiter,
    index: u32,
    block: &WaitBlock,
    lock: Option<&Resource>,
) -> WaitRow {
    let ethread = system.threads()[waiter.thread].va;
    let (thread_id, process_id) = threads.ids(Some(ethread));
    let by_lock = lock.and_then(Resource::exclusive_owner).map(|owner| (owner, "resource"));
    let owner = block.owner.zip(block.owner_kind).or(by_lock);
    let (owner_thread_id, owner_process_id) = threads.ids(owner.map(|owner| owner.0));
    let process = |va: Va| system.process_at(va)?.pid;
    WaitRow {
        process_id,
        thread_id,
        ethread: ethread.0,
        wait_reason: waiter.reason,
        wait_reason_name: waiter.reason.and_then(|reason| names::wait_reason(reason, system.build)),
        wait_mode: waiter.mode,
        index,
        wait_block: block.va.0,
        wait_key: block.key,
        wait_type: block.wait_type,
        wait_type_name: block.wait_type.and_then(names::wait_type),
        block_state: block.state,
        linked: block.linked,
        object: block.object.map(|va| va.0),
        object_type: block.kind,
        object_kind: block.kind.and_then(|kind| names::dispatcher_kind(kind, system.build)),
        signal_state: block.signal,
        resource: lock.map(|lock| lock.va.0),
        owner_thread: owner.map(|owner| owner.0.0),
        owner_thread_id,
        owner_process_id,
        owner_kind: owner.map(|owner| owner.1.to_string()),
        object_process_id: block.object.filter(|_| block.kind == Some(PROCESS)).and_then(process),
    }
}

pub fn eresources(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Eresources>::new(sink);
    if let Some(system) = job.system {
        let threads = Threads::of(system);
        for lock in system.resources() {
            out.push(eresource(system, &threads, lock))?;
        }
    }
    out.finish()
}

fn eresource(system: &System, threads: &Threads, lock: &Resource) -> EresourceRow {
    let owner = lock.exclusive_owner();
    let (owner_thread_id, owner_process_id) = threads.ids(owner);
    EresourceRow {
        address: lock.va.0,
        module: system.owner_text(lock.va),
        exclusive: lock.is_exclusive(),
        active_count: lock.active_count.map(i32::from),
        active_entries: lock.active_entries,
        flags: lock.flags,
        contention_count: lock.contention,
        shared_waiters: lock.shared_count,
        exclusive_waiters: lock.exclusive_count,
        shared_waiters_at: lock.shared_waiters.map(|va| va.0),
        exclusive_waiters_at: lock.exclusive_waiters.map(|va| va.0),
        creator: lock.creator.map(|va| va.0),
        owners: lock.owners.len() as u32,
        owner_thread: owner.map(|va| va.0),
        owner_thread_id,
        owner_process_id,
    }
}

pub fn owners(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<EresourceOwners>::new(sink);
    if let Some(system) = job.system {
        let threads = Threads::of(system);
        for lock in system.resources() {
            for (index, owner) in (0..).zip(&lock.owners) {
                out.push(owner_row(&threads, lock, index, owner))?;
            }
        }
    }
    out.finish()
}

fn owner_row(threads: &Threads, lock: &Resource, index: u32, owner: &ResourceOwner) -> EresourceOwnerRow {
    let (thread_id, process_id) = threads.ids(owner.thread());
    EresourceOwnerRow {
        resource: lock.va.0,
        index,
        entry: owner.entry.0,
        in_table: owner.in_table,
        owner: owner.stated,
        owner_thread: owner.thread().map(|va| va.0),
        thread_id,
        process_id,
        count: owner.count,
        exclusive: lock.is_exclusive(),
    }
}
