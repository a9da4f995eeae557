//! Who is there: processes and threads by every source that leads to them.
//!
//! A rootkit unlinks its process from one list; the others still know it. Lists give processes, processes give
//! threads, sessions and jobs, and threads name processes again, until nothing new turns up.

use crate::{
    System,
    account::{Job, SessionSpace},
    object::ObjectHeader,
    process::{self, Eprocess, Process, Seen},
    processor::Kprcb,
    thread::{Ethread, Thread, ThreadSeen},
};
use memory::Va;
use std::collections::{HashMap, HashSet};
use symbols::Field;

/// Entries of all lists together; a damaged dump could have many heads that lead into one long list.
const MOST_STEPS: usize = 1 << 22;
/// There is one for each session; anybody can give a program that name.
const MOST_CSRSS: usize = 256;

/// Processes and threads of a system.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub processes: Vec<Process>,
    pub threads: Vec<Thread>,
    pub sources: Seen,
    /// Place of each process by its address.
    index: HashMap<Va, usize>,
}

impl System<'_> {
    pub(crate) fn census(&self) -> &Census {
        self.census.get_or_init(|| Taking::new(self).run())
    }

    /// The process at an address, if any source leads to it.
    pub fn process_at(&self, va: Va) -> Option<&Process> {
        let census = self.census();
        census.processes.get(*census.index.get(&va)?)
    }
}

/// A census under way.
struct Taking<'s, 'a> {
    system: &'s System<'a>,
    process: Eprocess,
    thread: Ethread,
    session: SessionSpace,
    job: Job,
    seen: HashMap<Va, Seen>,
    /// Processes in the order of their rows: rank, key, address.
    order: Vec<(u8, u64, Va)>,
    /// Processes whose threads, session and job were not looked at yet.
    fresh: Vec<Va>,
    heads: HashSet<Va>,
    threads: HashMap<Va, (Va, ThreadSeen)>,
    /// Threads as they were met.
    met: Vec<Va>,
    sources: Seen,
    steps: usize,
}

impl<'s, 'a> Taking<'s, 'a> {
    fn new(system: &'s System<'a>) -> Self {
        Taking {
            system,
            process: Eprocess::of(system),
            thread: Ethread::of(system),
            session: SessionSpace::of(system),
            job: Job::of(system),
            seen: HashMap::new(),
            order: Vec::new(),
            fresh: Vec::new(),
            heads: HashSet::new(),
            threads: HashMap::new(),
            met: Vec::new(),
            sources: Seen::default(),
            steps: 0,
        }
    }

    fn run(mut self) -> Census {
        let active = self.process_list("PsActiveProcessHead", self.process.links, |seen, forward| {
            (seen.active_list, seen.active_list_backward) = (forward, !forward);
        });
        let kernel = self
            .process_list("KiProcessListHead", self.process.kernel_links, |seen, _| seen.kernel_list = true);
        // In a list that is broken a process can be missing for that reason alone.
        self.sources.active_list = active == Some(true);
        self.sources.active_list_backward = active == Some(true);
        self.sources.kernel_list = kernel == Some(true);
        self.follow();
        self.running();
        self.triage();
        self.cid_table();
        self.follow();
        self.csrss();
        self.follow();
        self.sources.thread_owner = self.thread.owner.is_some();
        self.finish()
    }

    fn follow(&mut self) {
        while let Some(va) = self.fresh.pop() {
            self.groups(va);
            self.threads_of(va);
        }
    }

    /// The process, wherever it was found; whoever calls says which source it was.
    fn found(&mut self, va: Va, rank: u8, key: u64) -> &mut Seen {
        if !self.seen.contains_key(&va) {
            self.order.push((rank, key, va));
            self.fresh.push(va);
        }
        self.seen.entry(va).or_default()
    }

    /// A list of all processes: `None` if there is none, else whether it is whole.
    fn process_list(&mut self, head: &str, links: Option<Field>, mark: fn(&mut Seen, bool)) -> Option<bool> {
        let at = self.system.global(head)?;
        let rank = u8::from(head != "PsActiveProcessHead");
        let (entries, whole) = self.list(at, links?, head);
        for (index, (va, forward)) in entries.into_iter().enumerate() {
            let key = if rank == 0 { index as u64 } else { va.0 };
            mark(self.found(va, rank, key), forward);
        }
        Some(whole)
    }

    /// Structures of a list with whether the forward walk met them, and whether the list is whole. A head is
    /// followed once.
    fn list(&mut self, head: Va, links: Field, name: &str) -> (Vec<(Va, bool)>, bool) {
        if !self.heads.insert(head) {
            return (Vec::new(), true);
        }
        if self.steps > MOST_STEPS {
            let (expected, found) = (format!("at most {MOST_STEPS} entries of all lists"), "more");
            self.system.problem("too_many", "_LIST_ENTRY", "", None, &expected, found);
            return (Vec::new(), false);
        }
        let list = self.system.list(self.system.space, head, name);
        self.steps += list.entries.len() + 1;
        let base = |at: &Va| at.0.checked_sub(links.offset.into()).map(Va);
        let entries = list.entries.iter().enumerate();
        let found = entries.filter_map(|(index, at)| Some((base(at)?, index < list.forward)));
        (found.collect(), list.closed)
    }

    /// True for an address that is aligned as pool is and where `_DISPATCHER_HEADER.Type` says what it should.
    fn is_object(&self, va: Va, field: Option<Field>, kind: u8) -> bool {
        let aligned = va.0.is_multiple_of(8) && self.system.is_kernel(va);
        // Bit 7 is a lock.
        aligned && self.system.view(va, 0).u8(field).is_some_and(|found| found & 0x7f == kind)
    }

    fn is_process(&self, va: Va) -> bool {
        let known = self.seen.contains_key(&va);
        known || self.is_object(va, self.process.dispatcher_type, 3) && self.pid(va) != Some(0)
    }

    fn pid(&self, va: Va) -> Option<u32> {
        self.system.view(va, 0).u32(self.process.pid)
    }

    /// The session and the job of a process: both have lists of their processes.
    fn groups(&mut self, va: Va) {
        // A triage dump holds one process; asking for others would only make rows of `faults`.
        if self.is_triage() {
            return;
        }
        let (layout, view) = (self.process, self.system.view(va, self.process.size));
        let (session, job) = (self.session.processes, self.job.processes);
        let session_mark: fn(&mut Seen) = |seen| seen.session_list = true;
        let job_mark: fn(&mut Seen) = |seen| seen.job_list = true;
        for (group, head, links, name, mark) in [
            (layout.session, session, layout.session_links, "_MM_SESSION_SPACE.ProcessList", session_mark),
            (layout.job, job, layout.job_links, "_EJOB.ProcessListHead", job_mark),
        ] {
            let (Some(head), Some(links)) = (head, links) else { continue };
            mark(&mut self.sources);
            let group = view.pointer(group).filter(|&group| self.system.is_kernel(group));
            let Some(head) = group.and_then(|group| group.checked_add(head.offset.into())) else { continue };
            for (va, _) in self.list(head, links, name).0 {
                if self.is_process(va) {
                    mark(self.found(va, 1, va.0));
                }
            }
        }
    }

    fn threads_of(&mut self, owner: Va) {
        let kernel: fn(&mut ThreadSeen) = |seen| seen.kernel_list = true;
        let executive: fn(&mut ThreadSeen) = |seen| seen.executive_list = true;
        let (process, thread) = (self.process, self.thread);
        for (head, links, name, mark) in [
            (process.threads, thread.links, "_KPROCESS.ThreadListHead", kernel),
            (process.executive_threads, thread.executive_links, "_EPROCESS.ThreadListHead", executive),
        ] {
            let (Some(head), Some(links)) = (head, links) else { continue };
            let Some(head) = owner.checked_add(head.offset.into()) else { continue };
            for (va, _) in self.list(head, links, name).0 {
                mark(self.thread(va, owner));
            }
        }
    }

    /// A thread of a process's list, with the process that it names.
    fn thread(&mut self, va: Va, listed: Va) -> &mut ThreadSeen {
        if !self.threads.contains_key(&va) {
            self.met.push(va);
            if let Some(owner) = self.owner(va) {
                self.found(owner, 1, owner.0).thread_owner = true;
            }
        }
        &mut self.threads.entry(va).or_insert((listed, ThreadSeen::default())).1
    }

    fn owner(&self, thread: Va) -> Option<Va> {
        let owner = self.system.view(thread, 0).pointer(self.thread.owner)?;
        self.is_process(owner).then_some(owner)
    }

    /// A thread that no list of a process led to.
    fn lone(&mut self, va: Va, mark: fn(&mut ThreadSeen)) {
        if !self.is_object(va, self.thread.dispatcher_type, 6) {
            return;
        }
        if let Some(owner) = self.owner(va) {
            mark(self.thread(va, owner));
        }
    }

    /// Threads that a processor runs. Idle threads belong to no process of the lists, and are none of a user's.
    fn running(&mut self) {
        if self.system.global("KiProcessorBlock").is_none() {
            return;
        }
        let layout = Kprcb::of(self.system);
        for processor in self.system.processors() {
            let view = self.system.kprcb(&layout, &processor);
            for field in [layout.current_thread, layout.next_thread] {
                if let Some(va) = view.pointer(field) {
                    self.lone(va, |seen| seen.processor = true);
                }
            }
        }
    }

    /// Every process and thread by its id.
    fn cid_table(&mut self) {
        let system = self.system;
        let kinds = self.process.dispatcher_type.is_some();
        if self.is_triage() || !kinds || system.global("PspCidTable").is_none() {
            return;
        }
        for handle in system.cid_table() {
            self.sources.cid_table = true;
            if self.is_object(handle.target, self.process.dispatcher_type, 3) {
                self.found(handle.target, 1, handle.target.0).cid_table = true;
            } else {
                self.lone(handle.target, |seen| seen.cid_table = true);
            }
        }
    }

    /// The subsystem process has a handle to every process that was started in its session.
    fn csrss(&mut self) {
        let (system, body) = (self.system, ObjectHeader::of(self.system).body);
        let Some(body) = body.filter(|_| !self.is_triage()) else { return };
        let name = |va: &Va| system.view(*va, 0).ascii(self.process.name);
        let all = self.order.iter().map(|entry| entry.2);
        let csrss: Vec<Va> =
            all.filter(|va| name(va).as_deref() == Some("csrss.exe")).take(MOST_CSRSS).collect();
        for table in csrss.into_iter().filter_map(|va| system.handle_table_of(va)) {
            self.sources.csrss_handles = true;
            for handle in system.handles(table) {
                let Some(va) = handle.target.checked_add(body.offset.into()) else { continue };
                if self.is_object(va, self.process.dispatcher_type, 3) {
                    self.found(va, 1, va.0).csrss_handles = true;
                }
            }
        }
    }

    fn is_triage(&self) -> bool {
        self.system.dump.records.header.triage.is_some()
    }

    /// The copies that a triage dump holds.
    fn triage(&mut self) {
        let Some(process) = self.system.stated_process() else { return };
        self.found(process, 1, process.0).triage_copy = true;
        if let Some(thread) = self.system.stated_thread() {
            self.thread(thread, process).triage_copy = true;
        }
    }

    fn finish(mut self) -> Census {
        self.order.sort();
        let (system, layout) = (self.system, self.process);
        let addresses = self.order.iter().map(|entry| entry.2);
        let processes: Vec<Process> =
            addresses.map(|va| process::read(system, &layout, va, self.seen[&va])).collect();
        let index: HashMap<Va, usize> = processes.iter().enumerate().map(|(at, p)| (p.va, at)).collect();
        let threads = self.met.iter().enumerate().filter_map(|(at, va)| {
            let (owner, seen) = self.threads[va];
            let tid = system.view(*va, 0).u32(self.thread.tid);
            let listed = seen.kernel_list || seen.executive_list;
            Some(((!listed, *index.get(&owner)?, at), Thread { va: *va, process: index[&owner], tid, seen }))
        });
        let mut threads: Vec<_> = threads.collect();
        threads.sort_by_key(|(key, _)| *key);
        let threads = threads.into_iter().map(|(_, thread)| thread).collect();
        Census { processes, threads, sources: self.sources, index }
    }
}
