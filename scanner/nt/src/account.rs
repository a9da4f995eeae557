//! What a process did and may do: times, counters, quotas, flags; its session, job, image and 32-bit half.

use crate::{System, View, layout};
use memory::Va;
use symbols::Field;

layout! {
    /// `_EPROCESS` with its `_KPROCESS` (`Pcb`), as far as it keeps accounts.
    Account = "_EPROCESS" {
        base_priority ? "Pcb.BasePriority",
        kernel_ticks ? "Pcb.KernelTime",
        user_ticks ? "Pcb.UserTime",
        cycles ? "Pcb.CycleTime",
        context_switches ? "Pcb.ContextSwitches",
        user_dtb ? "Pcb.UserDirectoryTableBase",
        freeze_count ? "Pcb.FreezeCount",
        deep_freeze ? "Pcb.DeepFreeze",
        active_threads ? "ActiveThreads",
        most_threads ? "ActiveThreadsHighWatermark",
        exit_status ? "ExitStatus",
        priority_class ? "PriorityClass",
        virtual_size ? "VirtualSize",
        peak_virtual_size ? "PeakVirtualSize",
        commit ? "CommitCharge",
        peak_commit ? "CommitChargePeak",
        working_set ? "Vm.Instance.WorkingSetSize" | "Vm.WorkingSetSize",
        peak_working_set ? "Vm.Instance.PeakWorkingSetSize" | "Vm.PeakWorkingSetSize",
        page_faults ? "Vm.Instance.PageFaultCount" | "Vm.PageFaultCount",
        private_pages ? "NumberOfPrivatePages",
        /// One number for each kind of pool: nonpaged, paged.
        quotas ? "ProcessQuotaUsage" | "QuotaUsage",
        quota_peaks ? "ProcessQuotaPeak" | "QuotaPeak",
        read_operations ? "ReadOperationCount",
        write_operations ? "WriteOperationCount",
        other_operations ? "OtherOperationCount",
        read_bytes ? "ReadTransferCount",
        write_bytes ? "WriteTransferCount",
        other_bytes ? "OtherTransferCount",
        cookie ? "Cookie",
        sequence ? "SequenceNumber",
        flags ? "Flags",
        flags2 ? "Flags2",
        flags3 ? "Flags3",
        exiting ? "ProcessExiting",
        deleted ? "ProcessDelete",
        memory_deleted ? "VmDeleted",
        critical ? "BreakOnTermination",
        minimal ? "Minimal",
        protection ? "Protection",
        protected ? "ProtectedProcess",
        session ? "Session",
        job ? "Job",
        token ? "Token",
        object_table ? "ObjectTable",
        section ? "SectionObject",
        section_base ? "SectionBaseAddress",
        debug_port ? "DebugPort",
        win32_process ? "Win32Process",
        image ? "SeAuditProcessCreationInfo",
    }
}

layout! {
    /// `_MM_SESSION_SPACE`.
    SessionSpace = "_MM_SESSION_SPACE" {
        id ? "SessionId",
        processes ? "ProcessList",
    }
}

layout! {
    /// `_EJOB`.
    Job = "_EJOB" {
        processes ? "ProcessListHead",
    }
}

layout! {
    /// `_EWOW64PROCESS`.
    Wow64Process = "_EWOW64PROCESS" {
        peb ? "Peb",
    }
}

impl<'a> System<'a> {
    /// Path of a process's image: `SE_AUDIT_PROCESS_CREATION_INFO` is a pointer to an `OBJECT_NAME_INFORMATION`,
    /// which is a `UNICODE_STRING`.
    pub fn image_path(&self, layout: &Account, process: &View<'_>) -> Option<String> {
        let name = self.space.pointer(process.at(layout.image)?).ok().filter(|name| name.0 != 0)?;
        self.unicode(name)
    }

    /// `_MM_SESSION_SPACE.SessionId` of a process; `None` for one in no session, such as System.
    pub fn session_id(&self, layout: &Account, session: &SessionSpace, process: &View<'_>) -> Option<u32> {
        let space = process.pointer(layout.session)?;
        self.view(space, 0).u32(session.id)
    }

    /// Address of the 32-bit PEB of a process on a 64-bit system, and whether there is one. Since Windows 10 a
    /// structure stands between; before, the member itself was the address.
    pub fn wow64(
        &self,
        layout: &Wow64Process,
        member: Option<Field>,
        process: &View<'_>,
    ) -> (Option<bool>, Option<Va>) {
        let Some(value) = process.uint(member) else { return (None, None) };
        if value == 0 {
            return (Some(false), None);
        }
        if self.is_kernel(Va(value)) {
            return (Some(true), self.view(Va(value), 0).pointer(layout.peb));
        }
        (Some(true), Some(Va(value)))
    }

    /// Seconds of a clock-tick count (`KeMaximumIncrement` times 100 ns each).
    pub fn tick_seconds(&self) -> Option<f64> {
        let increment = self.space.u32(self.global("KeMaximumIncrement")?).ok()?;
        // A timer interrupt comes every 0.5 to 15.625 ms, in odd cases some more.
        (1_000..=1_000_000).contains(&increment).then(|| f64::from(increment) / 1e7)
    }
}

/// One number of an array that has one for each kind of pool: 0 nonpaged, 1 paged.
pub fn pool_quota(process: &View<'_>, array: Option<Field>, kind: u32, pointer: u32) -> Option<u64> {
    let array = array?;
    let offset = array.offset.checked_add(kind.checked_mul(pointer)?)?;
    let inside = (kind + 1).checked_mul(pointer)? <= array.size;
    inside.then(|| process.uint(Some(Field { offset, size: pointer, bits: None })))?
}
