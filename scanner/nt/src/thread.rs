//! Threads: `_ETHREAD`, and the sources that lead to them.

use crate::{System, layout};
use memory::Va;

layout! {
    /// `_ETHREAD` with its `_KTHREAD` (`Tcb`): what finds threads and tells them apart.
    Ethread = "_ETHREAD" {
        dispatcher_type ? "Tcb.Header.Type",
        links: "Tcb.ThreadListEntry",
        executive_links ? "ThreadListEntry",
        /// The owner; before Windows Server 2003 it stands in `_ETHREAD`.
        owner ? "Tcb.Process" | "ThreadsProcess",
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
    /// Its owner among [`System::processes`]: the process whose list holds it, else the one that it names itself.
    pub process: usize,
    /// `Cid.UniqueThread`.
    pub tid: Option<u32>,
    /// Which sources saw it.
    pub seen: ThreadSeen,
}

/// Sources that can lead to a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThreadSeen {
    /// `_KPROCESS.ThreadListHead`.
    pub kernel_list: bool,
    /// `_EPROCESS.ThreadListHead`.
    pub executive_list: bool,
    /// `_KPRCB.CurrentThread` or `_KPRCB.NextThread`.
    pub processor: bool,
    /// `PspCidTable`.
    pub cid_table: bool,
    /// The copy of the crashed thread in a triage dump.
    pub triage_copy: bool,
}

impl System<'_> {
    /// Threads of all processes, in the order of the processes and of their lists; then those in no list.
    pub fn threads(&self) -> &[Thread] {
        &self.census().threads
    }
}
