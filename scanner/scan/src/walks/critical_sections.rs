//! `critical_sections`: those that the PEBs of each process lead to.

use crate::{Job, out::Out};
use nt::{lock::Lock, peb::Halves, process::Process};
use schema::{
    Sink,
    tables::{CriticalSectionRow, CriticalSections},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<CriticalSections>::new(sink);
    // The process of a triage dump is there without its memory.
    let system = job.system.filter(|system| system.dump.records.header.triage.is_none());
    let Some(system) = system else { return out.finish() };
    let halves = Halves::of(system);
    for process in system.processes() {
        for half in halves.of_process(system, process) {
            for lock in half.locks(system) {
                out.push(CriticalSectionRow { is_wow64: half.is_wow64, ..row(process, lock) })?;
            }
        }
    }
    out.finish()
}

fn row(process: &Process, lock: Lock) -> CriticalSectionRow {
    CriticalSectionRow {
        process_id: process.pid,
        eprocess: process.va.0,
        critical_section: lock.va.0,
        source: lock.source.into(),
        debug_info: lock.debug.map(|va| va.0),
        lock_count: lock.lock_count,
        locked: lock.state.map(|state| state.locked),
        waiters: lock.state.map(|state| state.waiters),
        waiter_woken: lock.state.and_then(|state| state.woken),
        recursion_count: lock.recursion,
        owning_thread_id: lock.owner,
        spin_count: lock.spin,
        entry_count: lock.entries,
        contention_count: lock.contention,
        ..CriticalSectionRow::default()
    }
}
