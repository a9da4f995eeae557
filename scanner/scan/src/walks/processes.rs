//! `processes`: as the file states them (user minidumps: one row), or every one that a list of the kernel leads to.

mod kernel;

use super::time;
use crate::{Job, out::Out};
use memory::records::{Process, VmCounters};
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
        kernel::walk(job, system, &mut out)?;
    }
    out.finish()
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
