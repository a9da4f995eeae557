//! Threads of a kernel dump: every one that a process's list, a processor or the table of ids leads to, and those that
//! only memory holds.

use super::super::{found::Findings, time};
use crate::{
    Job,
    names::{thread_state, wait_reason},
    out::Out,
    sweeps::FoundObject,
};
use memory::Va;
use nt::{
    System, View,
    process::Eprocess,
    shape::Kind,
    thread::{Ethread, Thread, ThreadSeen, ThreadState},
};
use schema::tables::{ThreadRow, Threads};

/// Bits of `_ETHREAD.CrossThreadFlags` that are alike in every kernel (public symbols from XP to Windows 11).
const TERMINATED: u32 = 1;
const HIDE_FROM_DEBUGGER: u32 = 4;
const IMPERSONATING: u32 = 8;
/// Low bits of `_PS_CLIENT_SECURITY_CONTEXT`: the level, and whether only effective rights count.
const SECURITY_BITS: u64 = 7;

struct Layouts<'s, 'a> {
    system: &'s System<'a>,
    thread: Ethread,
    state: ThreadState,
    tick_seconds: Option<f64>,
    now: Option<u32>,
    ids: bool,
    executive_lists: bool,
}

pub fn walk(job: &Job, system: &System, out: &mut Out<Threads>) -> schema::Result<()> {
    let findings = Findings::of(job, Kind::Thread);
    let (thread, process) = (Ethread::of(system), Eprocess::of(system));
    let layouts = Layouts {
        system,
        executive_lists: process.executive_threads.and(thread.executive_links).is_some(),
        thread,
        state: ThreadState::of(system),
        tick_seconds: system.tick_seconds(),
        now: system.ticks(),
        // Without the kind of an object nobody can tell which entries are threads.
        ids: system.process_sources().cid_table && thread.dispatcher_type.is_some(),
    };
    for thread in system.threads() {
        let Some(thread_id) = thread.tid else {
            system.problem(
                "unreadable",
                "_ETHREAD",
                "Cid.UniqueThread",
                Some(thread.va),
                "a thread id",
                "none",
            );
            continue;
        };
        let view = system.view(thread.va, layouts.thread.size);
        let (found_in_pool, found_by_shape) = findings.cells(findings.at(system, thread.va));
        let row = layouts.row(thread, &view);
        let listed = thread.seen.kernel_list || thread.seen.executive_list;
        out.push(ThreadRow {
            thread_id,
            found_in_pool,
            found_by_shape,
            pa: findings.pa(system, thread.va),
            hidden: row.terminated.filter(|_| !thread.seen.triage_copy).map(|ended| !listed && !ended),
            ..row
        })?;
    }
    for found in findings.others(system, system.threads().iter().map(|thread| thread.va)) {
        let (found_in_pool, found_by_shape) = findings.cells(Some(found));
        if let Some(row) = layouts.hidden(found) {
            out.push(ThreadRow { found_in_pool, found_by_shape, ..row })?;
        }
    }
    Ok(())
}

impl Layouts<'_, '_> {
    /// A thread that only memory holds.
    fn hidden(&self, found: &FoundObject) -> Option<ThreadRow> {
        let view = found.view(self.system, self.thread.size);
        let thread_id = view.u32(self.thread.tid).filter(|&id| id != 0)?; // idle threads have 0, and are in no list
        let (va, seen) = (view.va(), ThreadSeen::default());
        let row = self.row(&Thread { va, process: usize::MAX, tid: Some(thread_id), seen }, &view);
        Some(ThreadRow {
            process_id: view.u32(self.thread.pid),
            thread_id,
            ethread: found.va,
            pa: found.pa,
            hidden: match row.terminated {
                Some(true) => Some(false),
                ended => ended.filter(|_| found.is_in_use()).map(|_| true),
            },
            source: found.source().into(),
            ..row
        })
    }

    /// Who it is, where it started, and who knows it.
    fn row(&self, thread: &Thread, view: &View) -> ThreadRow {
        let (system, layout, seen) = (self.system, &self.state, &thread.seen);
        let flags = view.u32(layout.cross_thread_flags);
        let start = system.thread_start(layout, view);
        let win32_start = view.pointer(layout.win32_start_address);
        let owner = |va: Option<Va>| va.and_then(|va| system.owner_text(va));
        let ended = flags.is_some_and(|flags| flags & TERMINATED != 0);
        let name = view.pointer(layout.name).and_then(|name| system.unicode(name));
        let name = system.text("threads.name", name);
        ThreadRow {
            process_id: system.processes().get(thread.process).and_then(|process| process.pid),
            name,
            ethread: Some(thread.va.0),
            eprocess: view.pointer(self.thread.owner).map(|va| va.0),
            create_time: time(system.thread_create_time(layout, view)),
            // While it runs the member is the head of a list.
            exit_time: time(view.time(layout.exit_time).filter(|_| ended)),
            start_address: start.map(|va| va.0),
            start_owner: owner(start),
            win32_start_address: win32_start.map(|va| va.0),
            win32_start_owner: owner(win32_start),
            crashed: seen.triage_copy.then_some(true),
            in_kernel_list: Some(seen.kernel_list),
            in_process_list: self.executive_lists.then_some(seen.executive_list),
            in_cid_table: self.ids.then_some(seen.cid_table),
            source: seen.first().into(),
            ..self.scheduling(view, self.security(view, flags))
        }
    }

    /// The columns of its flags, and of whom it acts as.
    fn security(&self, view: &View, flags: Option<u32>) -> ThreadRow {
        let layout = &self.state;
        let bit = |bit| flags.map(|flags| flags & bit != 0);
        let impersonating = bit(IMPERSONATING);
        let security = view.uint(layout.client_security).filter(|_| impersonating == Some(true));
        ThreadRow {
            impersonating,
            impersonation_token: security.map(|value| value & !SECURITY_BITS).filter(|&token| token != 0),
            impersonation_level: security.map(|value| (value & 3) as u32),
            terminated: bit(TERMINATED),
            hide_from_debugger: bit(HIDE_FROM_DEBUGGER),
            system_thread: view.flag(layout.system_thread),
            break_on_termination: view.flag(layout.critical),
            cross_thread_flags: flags,
            exit_status: view.u32(layout.exit_status),
            irps: self.irps(view),
            alpc_message: view.pointer(layout.alpc_message).map(|va| va.0),
            ..ThreadRow::default()
        }
    }

    /// Entries of its list of I/O requests; a list that was never set up has none to count.
    fn irps(&self, view: &View) -> Option<u32> {
        let head = view.at(self.state.irps)?;
        let first = self.system.space.pointer(head).ok().filter(|first| first.0 != 0)?;
        if first == head {
            return Some(0);
        }
        let list = self.system.list(self.system.space, head, "_ETHREAD.IrpList");
        list.closed.then_some(list.entries.len() as u32) // of a broken list nobody knows the length
    }

    fn scheduling(&self, view: &View, row: ThreadRow) -> ThreadRow {
        let (system, layout) = (self.system, &self.state);
        let seconds = |field| Some(view.uint(field)? as f64 * self.tick_seconds?);
        let pointer = |field| view.pointer(field).map(|va| va.0);
        let small = |field| view.int(field).map(|value| value as i32);
        let (state, reason) = (view.u8(layout.state), view.u8(layout.wait_reason));
        let wait_ticks = view.u32(layout.wait_time);
        let waited = || Some(f64::from(self.now?.wrapping_sub(wait_ticks?)) * self.tick_seconds?);
        // Since Windows 7 a structure has its name, and since 20348 a pointer to one.
        let old_affinity = layout.old_affinity.filter(|_| (1..7600).contains(&system.build));
        ThreadRow {
            state,
            state_name: state.and_then(thread_state),
            wait_reason: reason,
            wait_reason_name: reason.and_then(|reason| wait_reason(reason, system.build)),
            wait_mode: view.u8(layout.wait_mode),
            wait_objects: view.u32(layout.wait_objects),
            wait_ticks,
            wait_seconds: waited(),
            priority: small(layout.priority),
            base_priority: small(layout.base_priority),
            ideal_processor: view.u32(layout.ideal_processor),
            next_processor: view.u32(layout.next_processor),
            affinity: view.uint(layout.affinity.or(old_affinity)),
            kernel_time_seconds: seconds(layout.kernel_ticks),
            user_time_seconds: seconds(layout.user_ticks),
            context_switches: view.u32(layout.context_switches),
            cycles: view.uint(layout.cycles),
            kernel_stack_base: pointer(layout.stack_base),
            kernel_stack_limit: pointer(layout.stack_limit),
            initial_stack: pointer(layout.initial_stack),
            kernel_stack: pointer(layout.kernel_stack),
            trap_frame: pointer(layout.trap_frame),
            teb: pointer(layout.teb),
            apc_process: pointer(layout.apc_process),
            system_call: view.u32(layout.system_call),
            previous_mode: view.u8(layout.previous_mode),
            kernel_apc_disable: small(layout.kernel_apc_disable),
            special_apc_disable: small(layout.special_apc_disable),
            suspend_count: view.u32(layout.suspend_count),
            freeze_count: view.u32(layout.freeze_count),
            queue: pointer(layout.queue),
            win32_thread: pointer(layout.win32_thread),
            ..row
        }
    }
}
