//! Processes: `_EPROCESS`, and the sources that lead to them.

use crate::{System, layout};
use memory::Va;

layout! {
    /// `_EPROCESS` with its `_KPROCESS` (`Pcb`): what finds processes and tells them apart.
    Eprocess = "_EPROCESS" {
        dispatcher_type: "Pcb.Header.Type",
        dtb: "Pcb.DirectoryTableBase",
        threads: "Pcb.ThreadListHead",
        kernel_links ? "Pcb.ProcessListEntry",
        executive_threads ? "ThreadListHead",
        pid: "UniqueProcessId",
        links: "ActiveProcessLinks",
        session_links ? "SessionProcessLinks",
        session ? "Session",
        job_links ? "JobLinks",
        job ? "Job",
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

/// Sources that can lead to a process. Of the system as a whole: which of them could be asked,
/// and of the lists of all processes whether they are whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// `PsActiveProcessHead`, forward.
    pub active_list: bool,
    /// `PsActiveProcessHead`, backward only, past a broken link.
    pub active_list_backward: bool,
    /// `KiProcessListHead`.
    pub kernel_list: bool,
    /// `_MM_SESSION_SPACE.ProcessList` of its session or of another process's.
    pub session_list: bool,
    /// `_EJOB.ProcessListHead` of its job or of another process's.
    pub job_list: bool,
    /// `_KTHREAD.Process` of a thread.
    pub thread_owner: bool,
    /// `PspCidTable`.
    pub cid_table: bool,
    /// A handle of a csrss.exe.
    pub csrss_handles: bool,
    /// The copy of the crashed process in a triage dump.
    pub triage_copy: bool,
}

impl Seen {
    /// The name of the first source that saw it.
    pub fn first(&self) -> &'static str {
        let sources = [
            (self.triage_copy, "triage copy"),
            (self.active_list || self.active_list_backward, "PsActiveProcessHead"),
            (self.kernel_list, "KiProcessListHead"),
            (self.session_list, "_MM_SESSION_SPACE.ProcessList"),
            (self.job_list, "_EJOB.ProcessListHead"),
            (self.cid_table, "PspCidTable"),
            (self.csrss_handles, "csrss.exe handles"),
        ];
        sources.into_iter().find(|source| source.0).map_or("_KTHREAD.Process", |source| source.1)
    }
}

impl System<'_> {
    /// Every process that any source leads to: those of the active list in its order, then the others by address.
    pub fn processes(&self) -> &[Process] {
        &self.census().processes
    }

    /// Which sources of processes could be asked.
    pub fn process_sources(&self) -> Seen {
        self.census().sources
    }
}

pub(crate) fn read(system: &System<'_>, layout: &Eprocess, va: Va, seen: Seen) -> Process {
    let view = system.view(va, layout.size);
    Process {
        va,
        pid: view.u32(layout.pid),
        // Windows XP has two numbers there; the second is the page of hyperspace.
        dtb: view.uint(layout.dtb).map(|dtb| system.narrow(dtb).0),
        peb: view.pointer(layout.peb),
        name: view.ascii(layout.name),
        seen,
    }
}
