//! `processes`: as the file states them (user minidumps: one row), or every one that a list of the kernel leads to.

use super::time;
use crate::{Job, out::Out};
use memory::records::{Process, VmCounters};
use nt::{System, peb::Halves, process::Eprocess};
use schema::{
    Sink,
    tables::{ProcessRow, Processes},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Processes>::new(sink);
    for process in &job.dump.records.processes {
        out.push(row(job, process))?;
    }
    if let Some(system) = job.system {
        kernel(system, &mut out)?;
    }
    out.finish()
}

fn kernel(system: &System, out: &mut Out<Processes>) -> schema::Result<()> {
    let layout = Eprocess::of(system);
    let halves = Halves::of(system);
    // NULL, not false, where the list cannot be followed.
    let kernel_list = layout.kernel_links.and(system.global("KiProcessListHead"));
    for process in system.processes() {
        let view = system.view(process.va, layout.size);
        let Some(process_id) = process.pid else {
            let expected = "a process id";
            system.problem("unreadable", "_EPROCESS", "UniqueProcessId", Some(process.va), expected, "none");
            continue;
        };
        out.push(ProcessRow {
            process_id,
            eprocess: Some(process.va.0),
            name: process.name.clone(),
            parent_id: view.u32(layout.parent),
            create_time: time(view.time(layout.create_time)),
            exit_time: time(view.time(layout.exit_time)),
            dtb: process.dtb,
            peb: process.peb.map(|va| va.0),
            in_active_list: Some(process.seen.active_list),
            in_active_list_backward: Some(process.seen.active_list || process.seen.active_list_backward),
            in_kernel_list: kernel_list.map(|_| process.seen.kernel_list),
            source: if process.seen.triage_copy { "triage copy" } else { "kernel lists" }.into(),
            ..parameters(system, &halves, process)
        })?;
    }
    Ok(())
}

/// The columns of what the process says of itself in its PEB.
fn parameters(system: &System, halves: &Halves, process: &nt::process::Process) -> ProcessRow {
    let Some(parameters) = system.process_parameters(halves, process) else { return ProcessRow::default() };
    ProcessRow {
        command_line: parameters.command_line,
        peb_image_path: parameters.image_path,
        current_directory: parameters.current_directory,
        window_title: parameters.window_title,
        desktop: parameters.desktop,
        environment: parameters.environment,
        ..ProcessRow::default()
    }
}

fn row(job: &Job, process: &Process) -> ProcessRow {
    let records = &job.dump.records;
    let listed = |name: &str| records.streams.iter().any(|s| s.name == Some(name) && s.understood);
    let (threads, handles) = (records.threads.len() as u32, records.handles.len() as u32);
    ProcessRow {
        process_id: process.process_id,
        name: process.name.clone(),
        parent_id: process.parent_id,
        create_time: time(process.create_time),
        user_time_seconds: process.user_time_seconds,
        kernel_time_seconds: process.kernel_time_seconds,
        integrity_level: process.integrity_level,
        execute_flags: process.execute_flags,
        protected: process.protected,
        wow64: process.wow64,
        process_cookie: process.process_cookie,
        cpu_max_mhz: process.cpu_max_mhz,
        cpu_current_mhz: process.cpu_current_mhz,
        cpu_mhz_limit: process.cpu_mhz_limit,
        time_zone_id: process.time_zone_id,
        time_zone_bias: process.time_zone_bias,
        time_zone_name: process.time_zone_name.clone(),
        handle_count: listed("HandleDataStream").then_some(handles),
        thread_count: (threads > 0).then_some(threads),
        source: process.source.into(),
        ..counters(process.vm.as_ref())
    }
}

/// The columns that come from the process's memory counters.
fn counters(vm: Option<&VmCounters>) -> ProcessRow {
    let Some(vm) = vm else { return ProcessRow::default() };
    ProcessRow {
        page_fault_count: Some(vm.page_fault_count),
        peak_working_set: Some(vm.peak_working_set),
        working_set: Some(vm.working_set),
        quota_peak_paged_pool: Some(vm.quota_peak_paged_pool),
        quota_paged_pool: Some(vm.quota_paged_pool),
        quota_peak_nonpaged_pool: Some(vm.quota_peak_nonpaged_pool),
        quota_nonpaged_pool: Some(vm.quota_nonpaged_pool),
        pagefile_usage: Some(vm.pagefile_usage),
        peak_pagefile_usage: Some(vm.peak_pagefile_usage),
        private_usage: Some(vm.private_usage),
        virtual_size: vm.virtual_size,
        peak_virtual_size: vm.peak_virtual_size,
        private_working_set: vm.private_working_set,
        peak_private_working_set: vm.peak_private_working_set,
        shared_commit: vm.shared_commit,
        job_shared_commit_usage: vm.job_shared_commit_usage,
        job_private_commit_usage: vm.job_private_commit_usage,
        job_peak_private_commit_usage: vm.job_peak_private_commit_usage,
        job_private_commit_limit: vm.job_private_commit_limit,
        job_total_commit_limit: vm.job_total_commit_limit,
        ..ProcessRow::default()
    }
}
