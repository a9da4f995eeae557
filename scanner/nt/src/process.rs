//! Processes: `_EPROCESS`, and the lists that lead to them.

use crate::{System, layout};
use memory::Va;
use std::collections::HashMap;

layout! {
    /// `_EPROCESS` with its `_KPROCESS` (`Pcb`).
    Eprocess = "_EPROCESS" {
        dispatcher_type: "Pcb.Header.Type",
        dtb: "Pcb.DirectoryTableBase",
        threads: "Pcb.ThreadListHead",
        kernel_links ? "Pcb.ProcessListEntry",
        pid: "UniqueProcessId",
        links: "ActiveProcessLinks",
        parent: "InheritedFromUniqueProcessId",
        name: "ImageFileName",
        create_time: "CreateTime",
        exit_time: "ExitTime",
        peb: "Peb",
        wow64 ? "WoW64Process" | "Wow64Process",
    }
}

/// A process that some source led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Address of its `_EPROCESS`.
    pub va: Va,
    /// `UniqueProcessId`.
    pub pid: Option<u32>,
    /// `Pcb.DirectoryTableBase`.
    pub dtb: Option<u64>,
    /// `Peb`; `None` for processes without user memory.
    pub peb: Option<Va>,
    /// `ImageFileName`, at most 15 characters.
    pub name: Option<String>,
    /// Which sources saw it.
    pub seen: Seen,
}

/// Sources that can lead to a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// `PsActiveProcessHead`, forward.
    pub active_list: bool,
    /// `PsActiveProcessHead`, backward only, past a broken link.
    pub active_list_backward: bool,
    /// `KiProcessListHead`.
    pub kernel_list: bool,
    /// The copy of the crashed process in a triage dump.
    pub triage_copy: bool,
}

impl System<'_> {
    /// Every process that any list leads to: those of the active list in its order, then the others by address.
    pub fn processes(&self) -> &[Process] {
        self.processes.get_or_init(|| find(self))
    }
}

fn find(system: &System<'_>) -> Vec<Process> {
    let layout = Eprocess::of(system);
    let mut seen: HashMap<Va, Seen> = HashMap::new();
    let mut order = Vec::new();
    for (index, va, forward) in listed(system, "PsActiveProcessHead", layout.links) {
        let entry = seen.entry(va).or_default();
        (entry.active_list, entry.active_list_backward) = (forward, !forward);
        order.push((0, index as u64, va));
    }
    for (_, va, _) in listed(system, "KiProcessListHead", layout.kernel_links) {
        if !seen.contains_key(&va) {
            order.push((1, va.0, va));
        }
        seen.entry(va).or_default().kernel_list = true;
    }
    let triage = system.dump.records.header.triage.as_ref();
    if let Some(va) = triage.and_then(|triage| triage.process_address).map(|va| system.narrow(va)) {
        if !seen.contains_key(&va) {
            order.push((1, va.0, va));
        }
        seen.entry(va).or_default().triage_copy = true;
    }
    order.sort();
    order.into_iter().map(|(_, _, va)| process(system, &layout, va, seen[&va])).collect()
}

/// Processes of a list: position, address, and whether the forward walk met it.
fn listed(system: &System<'_>, head: &str, links: Option<symbols::Field>) -> Vec<(usize, Va, bool)> {
    let (Some(head_va), Some(links)) = (system.global(head), links) else { return Vec::new() };
    let list = system.list(system.space, head_va, head);
    let entries = list.entries.iter().enumerate();
    let base = |at: Va| at.0.checked_sub(links.offset.into()).map(Va);
    entries.filter_map(|(index, &at)| Some((index, base(at)?, index < list.forward))).collect()
}

fn process(system: &System<'_>, layout: &Eprocess, va: Va, seen: Seen) -> Process {
    let view = system.view(va, layout.size);
    Process {
        va,
        pid: view.u32(layout.pid),
        dtb: view.uint(layout.dtb),
        peb: view.pointer(layout.peb),
        name: view.ascii(layout.name),
        seen,
    }
}
