//! Processes of a kernel dump: every one that a list of the kernel, a session, a job or a thread leads to, and those
//! that only memory holds.

use super::super::{found::Findings, time};
use crate::{Job, out::Out, sweeps::FoundObject};
use nt::{
    System, View,
    account::{Account, SessionSpace, Wow64Process, pool_quota},
    peb::Halves,
    process::{Eprocess, Process, Seen},
    shape::Kind,
    thread::Ethread,
    token::Token,
};
use schema::tables::{ProcessRow, Processes};
use std::collections::BTreeSet;

/// Bytes of a page on every architecture of Windows.
const PAGE: u64 = 0x1000;

struct Layouts {
    process: Eprocess,
    account: Account,
    session: SessionSpace,
    wow64: Wow64Process,
    halves: Halves,
    token: Token,
    tick_seconds: Option<f64>,
    sources: Seen,
    pointer: u32,
}

pub fn walk(job: &Job, system: &System, out: &mut Out<Processes>) -> schema::Result<()> {
    let (processes, findings) = (system.processes(), Findings::of(job, Kind::Process));
    let layouts = Layouts {
        process: Eprocess::of(system),
        account: Account::of(system),
        session: SessionSpace::of(system),
        wow64: Wow64Process::of(system),
        halves: Halves::of(system),
        token: Token::of(system),
        tick_seconds: system.tick_seconds(),
        sources: system.process_sources(),
        pointer: system.pointer_size(),
    };
    for process in processes {
        let view = system.view(process.va, layouts.process.size);
        let Some(process_id) = process.pid else {
            let expected = "a process id";
            system.problem("unreadable", "_EPROCESS", "UniqueProcessId", Some(process.va), expected, "none");
            continue;
        };
        let found = findings.at(system, process.va);
        let (found_in_pool, found_by_shape) = findings.cells(found);
        let table = system.handle_table_of(process.va);
        let handle_count = table.and_then(|table| system.handle_count(table));
        let row = ProcessRow {
            process_id,
            handle_count,
            found_in_pool,
            found_by_shape,
            pa: findings.pa(system, process.va),
            ..row(system, &layouts, process, &view)
        };
        out.push(with_parameters(system, &layouts.halves, process, row))?;
    }
    let owners = owners_of_hidden_threads(job, system);
    for found in findings.others(system, processes.iter().map(|process| process.va)) {
        let (found_in_pool, found_by_shape) = findings.cells(Some(found));
        if let Some(row) = hidden(system, &layouts, found) {
            let owner = found.va.is_some_and(|va| owners.contains(&va));
            let is_thread_owner = row.is_thread_owner.map(|is| is || owner);
            out.push(ProcessRow { found_in_pool, found_by_shape, is_thread_owner, ..row })?;
        }
    }
    Ok(())
}

/// Processes that threads name which only memory holds: they may be in no list either.
fn owners_of_hidden_threads(job: &Job, system: &System) -> BTreeSet<u64> {
    let layout = Ethread::of(system);
    let threads = Findings::of(job, Kind::Thread);
    let others = threads.others(system, system.threads().iter().map(|thread| thread.va)).into_iter();
    let in_use = others.filter(|found| found.is_in_use());
    in_use.filter_map(|found| Some(found.view(system, layout.size).pointer(layout.owner)?.0)).collect()
}

/// A process that only memory holds. Nobody knows what became of the memory that it names unless the kernel maps it.
fn hidden(system: &System, layouts: &Layouts, found: &FoundObject) -> Option<ProcessRow> {
    let view = found.view(system, layouts.process.size);
    let process = Process::of(system, &layouts.process, &view, Seen::default());
    let process_id = process.pid?;
    let idle = system.global_pointer("PsIdleProcess");
    if process_id == 0 && idle.is_none_or(|idle| Some(idle.0) == found.va) {
        return None; // the Idle process is in no list, and nobody hides it
    }
    let row = row(system, layouts, &process, &view);
    let exited = row.exit_time.is_some();
    let row = ProcessRow {
        process_id,
        eprocess: found.va,
        pa: found.pa,
        hidden: match exited {
            true => Some(false),
            false => row.hidden.filter(|_| found.is_in_use()),
        },
        source: found.source().into(),
        ..row
    };
    if !found.is_in_use() || exited {
        return Some(row);
    }
    let table = system.handle_table_of(process.va);
    let handle_count = table.and_then(|table| system.handle_count(table));
    Some(with_parameters(system, &layouts.halves, &process, ProcessRow { handle_count, ..row }))
}

/// Who it is and who knows it.
fn row(system: &System, layouts: &Layouts, process: &Process, view: &View) -> ProcessRow {
    let (layout, seen, sources) = (&layouts.process, &process.seen, &layouts.sources);
    let active = seen.active_list || seen.active_list_backward;
    let ended = view.time(layout.exit_time).is_some();
    let (wow64, wow64_peb) = system.wow64(&layouts.wow64, layout.wow64, view);
    ProcessRow {
        eprocess: Some(process.va.0),
        name: process.name.clone(),
        parent_id: view.u32(layout.parent),
        create_time: time(view.time(layout.create_time)),
        exit_time: time(view.time(layout.exit_time)),
        exited: view.uint(layout.exit_time).map(|time| time != 0),
        dtb: process.dtb,
        peb: process.peb.map(|va| va.0),
        wow64,
        wow64_peb: wow64_peb.map(|va| va.0),
        in_active_list: is_in(seen.active_list, sources.active_list),
        in_active_list_backward: is_in(active, sources.active_list_backward),
        in_kernel_list: is_in(seen.kernel_list, sources.kernel_list),
        in_session_list: sources.session_list.then_some(seen.session_list),
        in_job_list: sources.job_list.then_some(seen.job_list),
        in_cid_table: sources.cid_table.then_some(seen.cid_table),
        in_csrss_handles: sources.csrss_handles.then_some(seen.csrss_handles),
        is_thread_owner: sources.thread_owner.then_some(seen.thread_owner),
        hidden: if active { Some(false) } else { sources.active_list_backward.then_some(!ended) },
        integrity_level: integrity_level(system, layouts, view),
        session_id: system.session_id(&layouts.account, &layouts.session, view),
        image_path: system.text("processes.image_path", system.image_path(&layouts.account, view)),
        source: seen.first().into(),
        ..state(layouts, view)
    }
}

/// Whether a list leads to it: of a list that is not whole nobody knows what is not in it.
fn is_in(seen: bool, whole: bool) -> Option<bool> {
    (seen || whole).then_some(seen)
}

fn integrity_level(system: &System, layouts: &Layouts, view: &View) -> Option<u32> {
    let token = view.fast_ref(layouts.account.token).filter(|&token| system.is_kernel(token))?;
    system.integrity_level(&layouts.token, &system.view(token, 0))
}

/// What it is attached to, and its state.
fn state(layouts: &Layouts, view: &View) -> ProcessRow {
    let layout = &layouts.account;
    let pointer = |field| view.pointer(field).map(|va| va.0);
    let protection = view.u32(layout.protection);
    let kind = protection.map(|protection| protection & 7);
    ProcessRow {
        user_dtb: view.uint(layout.user_dtb),
        token: view.fast_ref(layout.token).map(|va| va.0),
        handle_table: pointer(layout.object_table),
        job: pointer(layout.job),
        section_object: pointer(layout.section),
        image_base: pointer(layout.section_base),
        debug_port: pointer(layout.debug_port),
        win32_process: pointer(layout.win32_process),
        exit_status: view.u32(layout.exit_status),
        base_priority: view.int(layout.base_priority).map(|priority| priority as i32),
        priority_class: view.u32(layout.priority_class),
        protected: kind.map(|kind| kind != 0).or_else(|| view.flag(layout.protected)),
        protection_type: kind,
        protection_signer: protection.map(|protection| protection >> 4),
        freeze_count: view.u32(layout.freeze_count),
        deep_frozen: view.flag(layout.deep_freeze),
        exiting: view.flag(layout.exiting),
        deleted: view.flag(layout.deleted),
        memory_deleted: view.flag(layout.memory_deleted),
        break_on_termination: view.flag(layout.critical),
        minimal: view.flag(layout.minimal),
        sequence_number: view.uint(layout.sequence),
        process_cookie: view.u32(layout.cookie),
        flags: view.u32(layout.flags),
        flags2: view.u32(layout.flags2),
        flags3: view.u32(layout.flags3),
        ..counters(layouts, view)
    }
}

/// What it used.
fn counters(layouts: &Layouts, view: &View) -> ProcessRow {
    let layout = &layouts.account;
    let seconds = |field| Some(view.uint(field)? as f64 * layouts.tick_seconds?);
    let pages = |field| view.uint(field)?.checked_mul(PAGE);
    let quota = |field, kind| pool_quota(view, field, kind, layouts.pointer);
    ProcessRow {
        kernel_time_seconds: seconds(layout.kernel_ticks),
        user_time_seconds: seconds(layout.user_ticks),
        cycles: view.uint(layout.cycles),
        context_switches: view.uint(layout.context_switches),
        thread_count: view.u32(layout.active_threads),
        peak_thread_count: view.u32(layout.most_threads),
        page_fault_count: view.u32(layout.page_faults),
        working_set: pages(layout.working_set),
        peak_working_set: pages(layout.peak_working_set),
        private_usage: pages(layout.private_pages),
        pagefile_usage: pages(layout.commit),
        peak_pagefile_usage: pages(layout.peak_commit),
        virtual_size: view.uint(layout.virtual_size),
        peak_virtual_size: view.uint(layout.peak_virtual_size),
        quota_nonpaged_pool: quota(layout.quotas, 0),
        quota_paged_pool: quota(layout.quotas, 1),
        quota_peak_nonpaged_pool: quota(layout.quota_peaks, 0),
        quota_peak_paged_pool: quota(layout.quota_peaks, 1),
        read_operations: view.uint(layout.read_operations),
        write_operations: view.uint(layout.write_operations),
        other_operations: view.uint(layout.other_operations),
        read_bytes: view.uint(layout.read_bytes),
        write_bytes: view.uint(layout.write_bytes),
        other_bytes: view.uint(layout.other_bytes),
        ..ProcessRow::default()
    }
}

/// The columns of what the process says of itself in its PEB.
fn with_parameters(system: &System, halves: &Halves, process: &Process, row: ProcessRow) -> ProcessRow {
    let Some(parameters) = system.process_parameters(halves, process) else { return row };
    ProcessRow {
        command_line: parameters.command_line,
        peb_image_path: parameters.image_path,
        current_directory: parameters.current_directory,
        window_title: parameters.window_title,
        desktop: parameters.desktop,
        environment: parameters.environment,
        ..row
    }
}
