//! `processes`.

use crate::{cell::Time, table};

table! {
    /// One row for every process: the one of a user minidump (`MiscInfo`, `ProcessVmCounters`), or each that any list of the kernel leads to.
    pub processes: Processes of ProcessRow {
        /// Process id (`MINIDUMP_MISC_INFO.ProcessId`).
        process_id: u32,
        /// Address of its `_EPROCESS`.
        eprocess: Option<u64>,
        /// File name of its main module; of a kernel dump its first 15 characters (`_EPROCESS.ImageFileName`).
        name: Option<String>,
        /// Process id of its creator, which may have ended since.
        parent_id: Option<u32>,
        /// When it was created, UTC (`MINIDUMP_MISC_INFO.ProcessCreateTime`).
        create_time: Option<Time>,
        /// When it ended, UTC (`_EPROCESS.ExitTime`); NULL while it runs.
        exit_time: Option<Time>,
        /// Physical address of its page-table root as it stands (`_KPROCESS.DirectoryTableBase`); low bits may hold a PCID.
        dtb: Option<u64>,
        /// Address of its PEB (`_EPROCESS.Peb`); NULL for processes without user memory.
        peb: Option<u64>,
        /// Whether following `PsActiveProcessHead` forward leads to it.
        in_active_list: Option<bool>,
        /// Whether following `PsActiveProcessHead` in either direction leads to it.
        in_active_list_backward: Option<bool>,
        /// Whether `KiProcessListHead` leads to it (`_KPROCESS.ProcessListEntry`).
        in_kernel_list: Option<bool>,
        /// Seconds in user mode (`MINIDUMP_MISC_INFO.ProcessUserTime`).
        user_time_seconds: Option<f64>,
        /// Seconds in kernel mode (`MINIDUMP_MISC_INFO.ProcessKernelTime`).
        kernel_time_seconds: Option<f64>,
        /// Integrity level, the last part of its SID: 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system (`MINIDUMP_MISC_INFO_3.ProcessIntegrityLevel`).
        integrity_level: Option<u32>,
        /// Execution options, such as data execution prevention (`MINIDUMP_MISC_INFO_3.ProcessExecuteFlags`).
        execute_flags: Option<u32>,
        /// Whether it is a protected process (`MINIDUMP_MISC_INFO_3.ProtectedProcess`).
        protected: Option<bool>,
        /// True when a 32-bit process ran on a 64-bit system: the dump is a 64-bit one and lists `wow64.dll`.
        wow64: Option<bool>,
        /// Cookie with which its pointers are encoded (`MINIDUMP_MISC_INFO_5.ProcessCookie`).
        process_cookie: Option<u32>,
        /// Highest clock of the processor in MHz (`MINIDUMP_MISC_INFO_2.ProcessorMaxMhz`).
        cpu_max_mhz: Option<u32>,
        /// Clock of the processor in MHz (`MINIDUMP_MISC_INFO_2.ProcessorCurrentMhz`).
        cpu_current_mhz: Option<u32>,
        /// Clock limit of the processor in MHz (`MINIDUMP_MISC_INFO_2.ProcessorMhzLimit`).
        cpu_mhz_limit: Option<u32>,
        /// 0 unknown, 1 standard time, 2 daylight time (`MINIDUMP_MISC_INFO_3.TimeZoneId`).
        time_zone_id: Option<u32>,
        /// Minutes that local time is behind UTC (`TIME_ZONE_INFORMATION.Bias`).
        time_zone_bias: Option<i32>,
        /// Name of the time zone (`TIME_ZONE_INFORMATION.StandardName`).
        time_zone_name: Option<String>,
        /// Page faults since it started (`MINIDUMP_PROCESS_VM_COUNTERS.PageFaultCount`).
        page_fault_count: Option<u32>,
        /// Peak of the working set in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.PeakWorkingSetSize`).
        peak_working_set: Option<u64>,
        /// Working set in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.WorkingSetSize`).
        working_set: Option<u64>,
        /// Peak of paged pool charged to it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.QuotaPeakPagedPoolUsage`).
        quota_peak_paged_pool: Option<u64>,
        /// Paged pool charged to it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.QuotaPagedPoolUsage`).
        quota_paged_pool: Option<u64>,
        /// Peak of nonpaged pool charged to it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.QuotaPeakNonPagedPoolUsage`).
        quota_peak_nonpaged_pool: Option<u64>,
        /// Nonpaged pool charged to it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.QuotaNonPagedPoolUsage`).
        quota_nonpaged_pool: Option<u64>,
        /// Committed memory in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.PagefileUsage`).
        pagefile_usage: Option<u64>,
        /// Peak of committed memory in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.PeakPagefileUsage`).
        peak_pagefile_usage: Option<u64>,
        /// Private committed memory in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.PrivateUsage`).
        private_usage: Option<u64>,
        /// Address space in use, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.VirtualSize`).
        virtual_size: Option<u64>,
        /// Peak of address space in use, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.PeakVirtualSize`).
        peak_virtual_size: Option<u64>,
        /// Private part of the working set in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.PrivateWorkingSetSize`).
        private_working_set: Option<u64>,
        /// Peak of the private part of the working set in bytes; no minidump stream states it.
        peak_private_working_set: Option<u64>,
        /// Shared memory committed by it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.SharedCommitUsage`).
        shared_commit: Option<u64>,
        /// Shared commit of its job in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.JobSharedCommitUsage`).
        job_shared_commit_usage: Option<u64>,
        /// Private commit of its job in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.JobPrivateCommitUsage`).
        job_private_commit_usage: Option<u64>,
        /// Peak of the private commit of its job in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.JobPeakPrivateCommitUsage`).
        job_peak_private_commit_usage: Option<u64>,
        /// Limit of the private commit of its job in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.JobPrivateCommitLimit`).
        job_private_commit_limit: Option<u64>,
        /// Limit of the whole commit of its job in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.JobTotalCommitLimit`).
        job_total_commit_limit: Option<u64>,
        /// Handles that the dump lists; NULL when it lists none because it was not asked to.
        handle_count: Option<u32>,
        /// Threads that the dump lists.
        thread_count: Option<u32>,
        /// Command line (`_RTL_USER_PROCESS_PARAMETERS.CommandLine`), which the process itself may have changed.
        command_line: Option<String>,
        /// Path of its program as its creator gave it (`_RTL_USER_PROCESS_PARAMETERS.ImagePathName`).
        peb_image_path: Option<String>,
        /// Current directory (`_RTL_USER_PROCESS_PARAMETERS.CurrentDirectory`).
        current_directory: Option<String>,
        /// Title of its first window (`_RTL_USER_PROCESS_PARAMETERS.WindowTitle`).
        window_title: Option<String>,
        /// Window station and desktop (`_RTL_USER_PROCESS_PARAMETERS.DesktopInfo`).
        desktop: Option<String>,
        /// Address of its environment block (`_RTL_USER_PROCESS_PARAMETERS.Environment`).
        environment: Option<u64>,
        /// Where it stands: `MiscInfoStream`, …
        source: String,
    }
}
