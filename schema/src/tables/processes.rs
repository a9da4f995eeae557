//! `processes`.

use crate::{cell::Time, table};

table! {
    /// One row for every process that the dump states: the one of a user minidump (`MiscInfo`, `ProcessVmCounters`).
    pub processes: Processes of ProcessRow {
        /// Process id (`MINIDUMP_MISC_INFO.ProcessId`).
        process_id: u32,
        /// File name of its main module.
        name: Option<String>,
        /// Process id of its creator.
        parent_id: Option<u32>,
        /// When it was created, UTC (`ProcessCreateTime`).
        create_time: Option<Time>,
        /// Seconds in user mode (`ProcessUserTime`).
        user_time_seconds: Option<f64>,
        /// Seconds in kernel mode (`ProcessKernelTime`).
        kernel_time_seconds: Option<f64>,
        /// Integrity level, the last part of its SID: 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system.
        integrity_level: Option<u32>,
        /// Execution options, such as data execution prevention (`ProcessExecuteFlags`).
        execute_flags: Option<u32>,
        /// Whether it is a protected process (`ProtectedProcess`).
        protected: Option<bool>,
        /// True when a 32-bit process ran on a 64-bit system: the dump is a 64-bit one and lists `wow64.dll`.
        wow64: Option<bool>,
        /// Cookie with which its pointers are encoded (`ProcessCookie`).
        process_cookie: Option<u32>,
        /// Highest clock of the processor in MHz.
        cpu_max_mhz: Option<u32>,
        /// Clock of the processor in MHz.
        cpu_current_mhz: Option<u32>,
        /// Clock limit of the processor in MHz.
        cpu_mhz_limit: Option<u32>,
        /// 0 unknown, 1 standard time, 2 daylight time (`TimeZoneId`).
        time_zone_id: Option<u32>,
        /// Minutes that local time is behind UTC (`TIME_ZONE_INFORMATION.Bias`).
        time_zone_bias: Option<i32>,
        /// Name of the time zone (`TIME_ZONE_INFORMATION.StandardName`).
        time_zone_name: Option<String>,
        /// Page faults since it started.
        page_fault_count: Option<u32>,
        /// Peak of the working set in bytes.
        peak_working_set: Option<u64>,
        /// Working set in bytes.
        working_set: Option<u64>,
        /// Peak of paged pool charged to it, in bytes.
        quota_peak_paged_pool: Option<u64>,
        /// Paged pool charged to it, in bytes.
        quota_paged_pool: Option<u64>,
        /// Peak of nonpaged pool charged to it, in bytes.
        quota_peak_nonpaged_pool: Option<u64>,
        /// Nonpaged pool charged to it, in bytes.
        quota_nonpaged_pool: Option<u64>,
        /// Committed memory in bytes (`PagefileUsage`).
        pagefile_usage: Option<u64>,
        /// Peak of committed memory in bytes.
        peak_pagefile_usage: Option<u64>,
        /// Private committed memory in bytes.
        private_usage: Option<u64>,
        /// Address space in use, in bytes.
        virtual_size: Option<u64>,
        /// Peak of address space in use, in bytes.
        peak_virtual_size: Option<u64>,
        /// Private part of the working set in bytes.
        private_working_set: Option<u64>,
        /// Peak of the private part of the working set in bytes.
        peak_private_working_set: Option<u64>,
        /// Shared memory committed by it, in bytes.
        shared_commit: Option<u64>,
        /// Shared commit of its job in bytes.
        job_shared_commit_usage: Option<u64>,
        /// Private commit of its job in bytes.
        job_private_commit_usage: Option<u64>,
        /// Peak of the private commit of its job in bytes.
        job_peak_private_commit_usage: Option<u64>,
        /// Limit of the private commit of its job in bytes.
        job_private_commit_limit: Option<u64>,
        /// Limit of the whole commit of its job in bytes.
        job_total_commit_limit: Option<u64>,
        /// Handles that the dump lists; NULL when it lists none because it was not asked to.
        handle_count: Option<u32>,
        /// Threads that the dump lists.
        thread_count: Option<u32>,
        /// Where it stands: `MiscInfoStream`, …
        source: String,
    }
}
