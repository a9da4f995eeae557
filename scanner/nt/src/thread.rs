//! Threads: `_ETHREAD`, and the sources that lead to them.

use crate::{System, View, layout};
use memory::{Time, Va};
use symbols::Field;

layout! {
    /// `_ETHREAD` with its `_KTHREAD` (`Tcb`): what finds threads and tells them apart.
    Ethread = "_ETHREAD" {
        dispatcher_type ? "Tcb.Header.Type",
        links: "Tcb.ThreadListEntry",
        executive_links ? "ThreadListEntry",
        /// The owner; before Windows Server 2003 it stands in `_ETHREAD`.
        owner ? "Tcb.Process" | "ThreadsProcess",
        state: "Tcb.State",
        teb: "Tcb.Teb",
        tid: "Cid.UniqueThread",
        pid: "Cid.UniqueProcess",
    }
}

layout! {
    /// `_KTHREAD`.
    Kthread = "_KTHREAD" {
        apc_process: "ApcState.Process",
    }
}

layout! {
    /// `_ETHREAD` with its `_KTHREAD` (`Tcb`): what it does and may do.
    ThreadState = "_ETHREAD" {
        state ? "Tcb.State",
        wait_reason ? "Tcb.WaitReason",
        wait_mode ? "Tcb.WaitMode",
        wait_objects ? "Tcb.WaitBlockCount",
        wait_time ? "Tcb.WaitTime",
        priority ? "Tcb.Priority",
        base_priority ? "Tcb.BasePriority",
        ideal_processor ? "Tcb.IdealProcessor",
        next_processor ? "Tcb.NextProcessor",
        affinity ? "Tcb.Affinity.Mask",
        /// A mask of its own before Windows 7.
        old_affinity ? "Tcb.Affinity",
        kernel_ticks ? "Tcb.KernelTime",
        user_ticks ? "Tcb.UserTime",
        context_switches ? "Tcb.ContextSwitches",
        cycles ? "Tcb.CycleTime",
        stack_base ? "Tcb.StackBase",
        stack_limit ? "Tcb.StackLimit",
        initial_stack ? "Tcb.InitialStack",
        kernel_stack ? "Tcb.KernelStack",
        trap_frame ? "Tcb.TrapFrame",
        system_call ? "Tcb.SystemCallNumber",
        previous_mode ? "Tcb.PreviousMode",
        kernel_apc_disable ? "Tcb.KernelApcDisable",
        special_apc_disable ? "Tcb.SpecialApcDisable",
        suspend_count ? "Tcb.SuspendCount",
        freeze_count ? "Tcb.FreezeCount",
        queue ? "Tcb.Queue",
        win32_thread ? "Tcb.Win32Thread",
        apc_process ? "Tcb.ApcState.Process",
        teb ? "Tcb.Teb",
        create_time ? "CreateTime",
        exit_time ? "ExitTime",
        exit_status ? "ExitStatus",
        start_address ? "StartAddress",
        win32_start_address ? "Win32StartAddress",
        irps ? "IrpList",
        alpc_message ? "AlpcMessage",
        client_security ? "ClientSecurity",
        cross_thread_flags ? "CrossThreadFlags",
        system_thread ? "Tcb.SystemThread" | "SystemThread",
        critical ? "BreakOnTermination",
        name ? "ThreadName",
        /// Only before Windows Server 2003.
        old_owner ? "ThreadsProcess",
    }
}

/// A thread that some source led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Address of its `_ETHREAD`.
    pub va: Va,
    /// Its owner among [`System::processes`]: the process whose list holds it, else the one that it names itself.
    pub process: usize,
    /// `Cid.UniqueThread`.
    pub tid: Option<u32>,
    /// Which sources saw it.
    pub seen: ThreadSeen,
}

/// Sources that can lead to a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThreadSeen {
    /// `_KPROCESS.ThreadListHead`.
    pub kernel_list: bool,
    /// `_EPROCESS.ThreadListHead`.
    pub executive_list: bool,
    /// `_KPRCB.CurrentThread` or `_KPRCB.NextThread`.
    pub processor: bool,
    /// `PspCidTable`.
    pub cid_table: bool,
    /// The copy of the crashed thread in a triage dump.
    pub triage_copy: bool,
}

impl System<'_> {
    /// Threads of all processes, in the order of the processes and of their lists; then those in no list.
    pub fn threads(&self) -> &[Thread] {
        &self.census().threads
    }
}

impl System<'_> {
    /// When a thread was created. Before Windows Server 2003 the three low bits of the member are something else, and
    /// the time is shifted.
    pub fn thread_create_time(&self, layout: &ThreadState, thread: &View<'_>) -> Option<Time> {
        let value = thread.uint(layout.create_time)?;
        let value = if layout.old_owner.is_some() { value >> 3 } else { value };
        Some(value).filter(|&value| value != 0).and_then(Time::from_filetime)
    }

    /// Where a thread started. Since Windows Vista the member shares its place with a list of registry notifications
    /// (`_ETHREAD.PostBlockList`), whose first word is `ForwardLinkShadow`: once that is set, the start is gone.
    pub fn thread_start(&self, layout: &ThreadState, thread: &View<'_>) -> Option<Va> {
        let (field, width) = (layout.start_address?, self.pointer_size());
        if self.build >= 6000 {
            let shadow = Field { offset: field.offset.checked_sub(width)?, size: width, bits: None };
            thread.uint(Some(shadow)).filter(|&link| link == 0)?;
        }
        thread.pointer(Some(field))
    }

    /// Low half of the number of clock ticks since boot. `KUSER_SHARED_DATA.TickCount` lies at a fixed place since
    /// Windows Server 2003 (phnt `ntexapi.h`); before, there is `KeTickCount`.
    pub fn ticks(&self) -> Option<u32> {
        const TICK_COUNT: u64 = 0x320;
        if self.build < 3790 {
            return self.space.u32(self.global("KeTickCount")?).ok();
        }
        let shared = if self.pointer_size() == 4 { 0xffdf_0000 } else { 0xffff_f780_0000_0000 };
        self.space.u32(Va(shared + TICK_COUNT)).ok()
    }
}

impl ThreadSeen {
    /// The name of the first source that saw it.
    pub fn first(&self) -> &'static str {
        let sources = [
            (self.triage_copy, "triage copy"),
            (self.kernel_list, "_KPROCESS.ThreadListHead"),
            (self.executive_list, "_EPROCESS.ThreadListHead"),
            (self.processor, "_KPRCB.CurrentThread"),
        ];
        sources.into_iter().find(|source| source.0).map_or("PspCidTable", |source| source.1)
    }
}
