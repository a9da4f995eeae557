//! `processes`.

use crate::{cell::Time, table};

table! {
    /// One row for every process: the one of a user minidump (`MiscInfo`, `ProcessVmCounters`), or each that any list of the kernel leads to.
    pub processes: Processes of ProcessRow {
        /// Process id (`MINIDUMP_MISC_INFO.ProcessId`; `_EPROCESS.UniqueProcessId`).
        process_id: u32,
        /// Address of its `_EPROCESS`.
        eprocess: Option<u64>,
        /// File name of its main module; of a kernel dump its first 15 characters (`_EPROCESS.ImageFileName`).
        name: Option<String>,
        /// Process id of its creator, which may have ended since (`_EPROCESS.InheritedFromUniqueProcessId`).
        parent_id: Option<u32>,
        /// When it was created, UTC (`MINIDUMP_MISC_INFO.ProcessCreateTime`; `_EPROCESS.CreateTime`).
        create_time: Option<Time>,
        /// When it ended, UTC (`_EPROCESS.ExitTime`); NULL while it runs.
        exit_time: Option<Time>,
        /// Physical address of its page-table root as it stands (`_KPROCESS.DirectoryTableBase`); low bits may hold a PCID.
        dtb: Option<u64>,
        /// Address of its PEB (`_EPROCESS.Peb`); NULL for processes without user memory.
        peb: Option<u64>,
        /// Whether following `PsActiveProcessHead` forward leads to it; NULL for one that is not met in a list that is damaged or not in the dump.
        in_active_list: Option<bool>,
        /// Whether following `PsActiveProcessHead` in either direction leads to it; NULL as above.
        in_active_list_backward: Option<bool>,
        /// Whether `KiProcessListHead` leads to it (`_KPROCESS.ProcessListEntry`); NULL as above.
        in_kernel_list: Option<bool>,
        /// Whether the list of a session leads to it (`_MM_SESSION_SPACE.ProcessList`); System and the first processes are in none.
        in_session_list: Option<bool>,
        /// Whether the list of a job leads to it (`_EJOB.ProcessListHead`); false for most processes.
        in_job_list: Option<bool>,
        /// Whether the table of process and thread ids leads to it (`PspCidTable`); processes that have ended are not in it.
        in_cid_table: Option<bool>,
        /// Whether a csrss.exe has a handle to it; System and the first processes are in none.
        in_csrss_handles: Option<bool>,
        /// Whether a thread names it as its owner (`_KTHREAD.Process`); false for a process whose threads have all ended.
        is_thread_owner: Option<bool>,
        /// True for a process that has not ended, is missing in `PsActiveProcessHead` though that list is whole, and is known to another source: somebody hides it, or it is being created right now; NULL when the list is damaged.
        hidden: Option<bool>,
        /// Seconds in user mode (`MINIDUMP_MISC_INFO.ProcessUserTime`; `_KPROCESS.UserTime` in clock ticks).
        user_time_seconds: Option<f64>,
        /// Seconds in kernel mode (`MINIDUMP_MISC_INFO.ProcessKernelTime`; `_KPROCESS.KernelTime` in clock ticks).
        kernel_time_seconds: Option<f64>,
        /// Integrity level, the last part of its SID: 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system (`MINIDUMP_MISC_INFO_3.ProcessIntegrityLevel`; of the primary `_TOKEN`).
        integrity_level: Option<u32>,
        /// Execution options, such as data execution prevention (`MINIDUMP_MISC_INFO_3.ProcessExecuteFlags`).
        execute_flags: Option<u32>,
        /// Whether it is a protected process (`MINIDUMP_MISC_INFO_3.ProtectedProcess`; `_PS_PROTECTION.Type` is not 0, before Windows 8.1 `_EPROCESS.ProtectedProcess`).
        protected: Option<bool>,
        /// True when a 32-bit process ran on a 64-bit system: the dump is a 64-bit one and lists `wow64.dll` (`_EPROCESS.WoW64Process` is not NULL).
        wow64: Option<bool>,
        /// Cookie with which its pointers are encoded (`MINIDUMP_MISC_INFO_5.ProcessCookie`; `_EPROCESS.Cookie`).
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
        /// Page faults since it started (`MINIDUMP_PROCESS_VM_COUNTERS.PageFaultCount`; `_MMSUPPORT.PageFaultCount`).
        page_fault_count: Option<u32>,
        /// Peak of the working set in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.PeakWorkingSetSize`; `_MMSUPPORT.PeakWorkingSetSize` times the page size).
        peak_working_set: Option<u64>,
        /// Working set in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.WorkingSetSize`; `_MMSUPPORT.WorkingSetSize` times the page size).
        working_set: Option<u64>,
        /// Peak of paged pool charged to it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.QuotaPeakPagedPoolUsage`; `_EPROCESS.ProcessQuotaPeak`).
        quota_peak_paged_pool: Option<u64>,
        /// Paged pool charged to it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.QuotaPagedPoolUsage`; `_EPROCESS.ProcessQuotaUsage`).
        quota_paged_pool: Option<u64>,
        /// Peak of nonpaged pool charged to it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.QuotaPeakNonPagedPoolUsage`; `_EPROCESS.ProcessQuotaPeak`).
        quota_peak_nonpaged_pool: Option<u64>,
        /// Nonpaged pool charged to it, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.QuotaNonPagedPoolUsage`; `_EPROCESS.ProcessQuotaUsage`).
        quota_nonpaged_pool: Option<u64>,
        /// Committed memory in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.PagefileUsage`; `_EPROCESS.CommitCharge` times the page size).
        pagefile_usage: Option<u64>,
        /// Peak of committed memory in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.PeakPagefileUsage`; `_EPROCESS.CommitChargePeak` times the page size).
        peak_pagefile_usage: Option<u64>,
        /// Private committed memory in bytes (`MINIDUMP_PROCESS_VM_COUNTERS.PrivateUsage`; `_EPROCESS.NumberOfPrivatePages` times the page size).
        private_usage: Option<u64>,
        /// Address space in use, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.VirtualSize`; `_EPROCESS.VirtualSize`).
        virtual_size: Option<u64>,
        /// Peak of address space in use, in bytes (`MINIDUMP_PROCESS_VM_COUNTERS_2.PeakVirtualSize`; `_EPROCESS.PeakVirtualSize`).
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
        /// Open handles: as many as a user minidump lists; of a kernel dump as the table states (`_HANDLE_TABLE.HandleCount`, up to Windows 7) or counted; NULL where not all of the table could be read.
        handle_count: Option<u32>,
        /// Threads that the dump lists; of a kernel dump, threads that have not ended (`_EPROCESS.ActiveThreads`).
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
        /// Most threads that it had at once (`_EPROCESS.ActiveThreadsHighWatermark`).
        peak_thread_count: Option<u32>,
        /// Session (`_MM_SESSION_SPACE.SessionId`); NULL for processes in none, such as System.
        session_id: Option<u32>,
        /// Path of its image as the kernel opened it (`_EPROCESS.SeAuditProcessCreationInfo`).
        image_path: Option<String>,
        /// Page-table root for user mode where page tables are isolated (`_KPROCESS.UserDirectoryTableBase`); 0 or 1 where they are not.
        user_dtb: Option<u64>,
        /// Address of the 32-bit PEB of a 32-bit process on a 64-bit system (`_EWOW64PROCESS.Peb`).
        wow64_peb: Option<u64>,
        /// Address of the primary token (`_EPROCESS.Token` without its reference count).
        token: Option<u64>,
        /// Address of the handle table (`_EPROCESS.ObjectTable`); NULL once the process has ended.
        handle_table: Option<u64>,
        /// Address of its job (`_EPROCESS.Job`).
        job: Option<u64>,
        /// Address of the section of its image (`_EPROCESS.SectionObject`).
        section_object: Option<u64>,
        /// Address at which its image is mapped (`_EPROCESS.SectionBaseAddress`).
        image_base: Option<u64>,
        /// Address of its debug port (`_EPROCESS.DebugPort`); NULL when nobody debugs it.
        debug_port: Option<u64>,
        /// Address of what win32k keeps of it (`_EPROCESS.Win32Process`); NULL for processes without windows.
        win32_process: Option<u64>,
        /// Exit status, an NTSTATUS; 0x103 while it runs (`_EPROCESS.ExitStatus`).
        exit_status: Option<u32>,
        /// Base priority of its threads, 0 to 31 (`_KPROCESS.BasePriority`).
        base_priority: Option<i32>,
        /// Priority class: 1 idle, 2 normal, 3 high, 4 real time, 5 below normal, 6 above normal (`_EPROCESS.PriorityClass`).
        priority_class: Option<u32>,
        /// Processor cycles of its threads that have ended (`_KPROCESS.CycleTime`).
        cycles: Option<u64>,
        /// Context switches of its threads that have ended (`_KPROCESS.ContextSwitches`).
        context_switches: Option<u64>,
        /// Read operations (`_EPROCESS.ReadOperationCount`).
        read_operations: Option<u64>,
        /// Write operations (`_EPROCESS.WriteOperationCount`).
        write_operations: Option<u64>,
        /// Operations that neither read nor write (`_EPROCESS.OtherOperationCount`).
        other_operations: Option<u64>,
        /// Bytes read (`_EPROCESS.ReadTransferCount`).
        read_bytes: Option<u64>,
        /// Bytes written (`_EPROCESS.WriteTransferCount`).
        write_bytes: Option<u64>,
        /// Bytes of other operations (`_EPROCESS.OtherTransferCount`).
        other_bytes: Option<u64>,
        /// Kind of protection: 0 none, 1 protected light, 2 protected (`_PS_PROTECTION.Type`).
        protection_type: Option<u32>,
        /// Signer of a protected process: 1 Authenticode, 2 code generation, 3 antimalware, 4 LSA, 5 Windows, 6 Windows TCB, 7 system, 8 app (`_PS_PROTECTION.Signer`).
        protection_signer: Option<u32>,
        /// Times it was frozen as a whole; 0 while it may run (`_KPROCESS.FreezeCount`).
        freeze_count: Option<u32>,
        /// Whether it is deeply frozen, as suspended store apps are (`_KPROCESS.DeepFreeze`).
        deep_frozen: Option<bool>,
        /// Whether it is ending (`_EPROCESS.ProcessExiting`).
        exiting: Option<bool>,
        /// Whether it is being deleted (`_EPROCESS.ProcessDelete`).
        deleted: Option<bool>,
        /// Whether its address space is gone (`_EPROCESS.VmDeleted`).
        memory_deleted: Option<bool>,
        /// Whether the system stops when it ends (`_EPROCESS.BreakOnTermination`).
        break_on_termination: Option<bool>,
        /// Whether it has an empty address space, as pico processes do (`_EPROCESS.Minimal`).
        minimal: Option<bool>,
        /// Number that no other process since boot has (`_EPROCESS.SequenceNumber`).
        sequence_number: Option<u64>,
        /// All flags (`_EPROCESS.Flags`); their meaning depends on the build.
        flags: Option<u32>,
        /// More flags (`_EPROCESS.Flags2`).
        flags2: Option<u32>,
        /// More flags (`_EPROCESS.Flags3`).
        flags3: Option<u32>,
        /// Where it stands: `MiscInfoStream`, …; of a kernel dump the first source that leads to it, such as `PsActiveProcessHead`.
        source: String,
    }
}
