//! Threads: `_ETHREAD`, and the lists that lead to them.

use crate::{System, layout};
use memory::Va;

layout! {
    /// `_ETHREAD` with its `_KTHREAD` (`Tcb`).
    Ethread = "_ETHREAD" {
        links: "Tcb.ThreadListEntry",
        state: "Tcb.State",
        teb: "Tcb.Teb",
        tid: "Cid.UniqueThread",
        pid: "Cid.UniqueProcess",
    }
}

layout! {
    /// `_KTHREAD`.
    Kthread = "_KTHREAD" {
        apc_process: "ApcState.Process",
    }
}

/// A thread that some source led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Address of its `_ETHREAD`.
    pub va: Va,
    /// Its owner among [`System::processes`].
    pub process: usize,
    /// `Cid.UniqueThread`.
    pub tid: Option<u32>,
}

impl System<'_> {
    /// Threads of all processes, in the order of the processes and of their lists.
    pub fn threads(&self) -> &[Thread] {
        self.threads.get_or_init(|| find(self))
    }
}

fn find(system: &System<'_>) -> Vec<Thread> {
    let (layout, owner) = (Ethread::of(system), crate::process::Eprocess::of(system));
    let (Some(head), Some(links)) = (owner.threads, layout.links) else { return Vec::new() };
    let mut threads = Vec::new();
    for (index, process) in system.processes().iter().enumerate() {
        let Some(head) = process.va.checked_add(head.offset.into()) else { continue };
        let list = system.list(system.space, head, "_KPROCESS.ThreadListHead");
        let bases = list.entries.iter().filter_map(|at| at.0.checked_sub(links.offset.into()));
        threads.extend(bases.map(|va| {
            let view = system.view(Va(va), layout.size);
            Thread { va: Va(va), process: index, tid: view.u32(layout.tid) }
        }));
    }
    threads.extend(triage_copy(system, &layout, &threads));
    threads
}

/// The copy of the crashed thread in a triage dump, unless a list led to it.
fn triage_copy(system: &System<'_>, layout: &Ethread, known: &[Thread]) -> Option<Thread> {
    let triage = system.dump.records.header.triage.as_ref()?;
    let va = system.narrow(triage.thread_address?);
    let owner = triage.process_address.map(|va| system.narrow(va));
    let process = system.processes().iter().position(|process| Some(process.va) == owner)?;
    let view = system.view(va, layout.size);
    known.iter().all(|thread| thread.va != va).then(|| Thread { va, process, tid: view.u32(layout.tid) })
}
