//! `processors`: what Windows keeps of each one.

use crate::table;

table! {
    /// One row for every processor that `KiProcessorBlock` of a kernel dump leads to: what ran on it, what it is, its system registers. The registers of programs are in `contexts`.
    pub processors: Processors of ProcessorRow {
        /// Number of the processor: index in `KiProcessorBlock`.
        number: u32,
        /// Address of its `_KPRCB`.
        kprcb: u64,
        /// Address of its `_KPCR`, which holds the `_KPRCB`.
        kpcr: Option<u64>,
        /// Number that the processor block itself states (`_KPRCB.Number`); other than `number` only after damage.
        stated_number: Option<u32>,
        /// Processor group (`_KPRCB.Group`).
        group_number: Option<u32>,
        /// Number within the group (`_KPRCB.GroupIndex`).
        group_index: Option<u32>,
        /// Address of the `_KTHREAD` that runs (`_KPRCB.CurrentThread`).
        current_thread: Option<u64>,
        /// Its thread id (`_ETHREAD.Cid.UniqueThread`).
        current_thread_id: Option<u32>,
        /// Its process id (`_ETHREAD.Cid.UniqueProcess`).
        current_process_id: Option<u32>,
        /// Address of the `_KTHREAD` chosen to run next (`_KPRCB.NextThread`); NULL for none.
        next_thread: Option<u64>,
        /// Address of the idle `_KTHREAD` (`_KPRCB.IdleThread`).
        idle_thread: Option<u64>,
        /// True if the idle thread runs (`_KPRCB.CurrentThread` equals `_KPRCB.IdleThread`).
        idle: Option<bool>,
        /// Interrupt request level: on x64 `CR8` among the registers that were saved of the processor (a processor that another one's crash stopped was raised to 15 by that), on x86 `_KPCR.Irql`, on ARM64 `_KPCR.CurrentIrql` (of the processor that crashed: what the bug check raised it to). In dumps of a running system that is its level while the memory was written, and NULL on x64, where no registers are saved. NULL too where a small dump of x86 or ARM64 has only the `_KPRCB`.
        irql: Option<u32>,
        /// Interrupt request level before the debugger or the bug check raised it (`_KPRCB.DebuggerSavedIRQL`).
        debugger_saved_irql: Option<u32>,
        /// Maker (`_KPRCB.VendorString`), such as `GenuineIntel`.
        vendor: Option<String>,
        /// CPU family (`_KPRCB.CpuType`).
        family: Option<u32>,
        /// CPU model (high byte of `_KPRCB.CpuStep`).
        model: Option<u32>,
        /// CPU stepping (low byte of `_KPRCB.CpuStep`).
        stepping: Option<u32>,
        /// `EAX` of CPUID leaf 1 (`_KPRCB.ProcessorSignature`); 0 where Windows does not fill it.
        processor_signature: Option<u32>,
        /// Clock rate in MHz as measured at boot (`_KPRCB.MHz`).
        mhz: Option<u32>,
        /// Microcode revision as the CPU reports it (`_KPRCB.UpdateSignature`, MSR 0x8b): in the upper 32 bits on Intel, in the lower ones on AMD.
        update_signature: Option<u64>,
        /// `KF_*` bits of what Windows uses of the CPU (`_KPRCB.FeatureBits`).
        feature_bits: Option<u64>,
        /// Local APIC id (`_KPRCB.InitialApicId`).
        apic_id: Option<u32>,
        /// True while a deferred procedure call runs (`_KPRCB.DpcRoutineActive`).
        dpc_active: Option<bool>,
        /// DPCs waiting in the normal queue (`_KDPC_DATA.DpcQueueDepth` of `_KPRCB.DpcData[0]`, `_KPRCB.DpcQueueDepth` before Windows Vista).
        dpc_queue_depth: Option<u32>,
        /// DPCs queued since boot (`_KDPC_DATA.DpcCount` of `_KPRCB.DpcData[0]`, `_KPRCB.DpcCount` before Windows Vista).
        dpc_count: Option<u32>,
        /// DPCs waiting in the queue of threaded ones (`_KDPC_DATA.DpcQueueDepth` of `_KPRCB.DpcData[1]`).
        threaded_dpc_queue_depth: Option<u32>,
        /// Address of the DPC that runs (`_KDPC_DATA.ActiveDpc` of `_KPRCB.DpcData[0]`); NULL for none.
        active_dpc: Option<u64>,
        /// Upper end of the DPC stack (`_KPRCB.DpcStack`).
        dpc_stack: Option<u64>,
        /// Upper end of the interrupt stack (`_KPRCB.IsrStack`).
        isr_stack: Option<u64>,
        /// Clock ticks spent in the kernel (`_KPRCB.KernelTime`); times `tick_seconds` are seconds.
        kernel_ticks: Option<u32>,
        /// Clock ticks spent in user mode (`_KPRCB.UserTime`).
        user_ticks: Option<u32>,
        /// Clock ticks spent in interrupts (`_KPRCB.InterruptTime`).
        interrupt_ticks: Option<u32>,
        /// Clock ticks spent in DPCs (`_KPRCB.DpcTime`).
        dpc_ticks: Option<u32>,
        /// Length of a clock tick in seconds (`KeMaximumIncrement`, in units of 100 ns).
        tick_seconds: Option<f64>,
        /// Interrupts since boot, wraps at 2^32 (`_KPRCB.InterruptCount`).
        interrupts: Option<u32>,
        /// Context switches since boot, wraps at 2^32 (`_KPRCB.KeContextSwitches`).
        context_switches: Option<u32>,
        /// System calls since boot, wraps at 2^32 (`_KPRCB.KeSystemCalls`).
        system_calls: Option<u32>,
        /// Page faults since boot, wraps at 2^32 (`_KPRCB.MmPageFaultCount`).
        page_faults: Option<u32>,
        /// Address of the interrupt descriptor table (`_KPCR.IdtBase`, `IDT` on x86).
        idt_base: Option<u64>,
        /// Address of the global descriptor table (`_KPCR.GdtBase`, `GDT` on x86).
        gdt_base: Option<u64>,
        /// Address of the task state segment (`_KPCR.TssBase`, `TSS` on x86).
        tss_base: Option<u64>,
        /// Base of register IDTR as saved at the crash (`_KSPECIAL_REGISTERS.Idtr`).
        idtr_base: Option<u64>,
        /// Limit of register IDTR (`_KSPECIAL_REGISTERS.Idtr`).
        idtr_limit: Option<u32>,
        /// Base of register GDTR as saved at the crash (`_KSPECIAL_REGISTERS.Gdtr`).
        gdtr_base: Option<u64>,
        /// Limit of register GDTR (`_KSPECIAL_REGISTERS.Gdtr`).
        gdtr_limit: Option<u32>,
        /// Register CR0 (`_KSPECIAL_REGISTERS.Cr0`).
        cr0: Option<u64>,
        /// Register CR2, the address of the last page fault (`_KSPECIAL_REGISTERS.Cr2`).
        cr2: Option<u64>,
        /// Register CR3, the root of page tables and its flags (`_KSPECIAL_REGISTERS.Cr3`).
        cr3: Option<u64>,
        /// Register CR4 (`_KSPECIAL_REGISTERS.Cr4`); bit 12 is five-level paging.
        cr4: Option<u64>,
        /// Register CR8, the IRQL; x64 only (`_KSPECIAL_REGISTERS.Cr8`).
        cr8: Option<u64>,
        /// Register XCR0, the states that XSAVE saves (`_KSPECIAL_REGISTERS.Xcr0`).
        xcr0: Option<u64>,
        /// Kernel's debug register DR0 (`_KSPECIAL_REGISTERS.KernelDr0`).
        kernel_dr0: Option<u64>,
        /// Kernel's debug register DR1 (`_KSPECIAL_REGISTERS.KernelDr1`).
        kernel_dr1: Option<u64>,
        /// Kernel's debug register DR2 (`_KSPECIAL_REGISTERS.KernelDr2`).
        kernel_dr2: Option<u64>,
        /// Kernel's debug register DR3 (`_KSPECIAL_REGISTERS.KernelDr3`).
        kernel_dr3: Option<u64>,
        /// Kernel's debug register DR6 (`_KSPECIAL_REGISTERS.KernelDr6`).
        kernel_dr6: Option<u64>,
        /// Kernel's debug register DR7 (`_KSPECIAL_REGISTERS.KernelDr7`).
        kernel_dr7: Option<u64>,
        /// Entry point of 64-bit system calls, MSR LSTAR (`_KSPECIAL_REGISTERS.MsrLStar`); x64 only, and 0 where Windows did not save it, as in most crashes.
        lstar: Option<u64>,
        /// `module+offset` of `lstar`; NULL if no loaded kernel module holds it.
        lstar_owner: Option<String>,
        /// Entry point of compatibility-mode system calls, MSR CSTAR (`_KSPECIAL_REGISTERS.MsrCStar`); x64 only.
        cstar: Option<u64>,
        /// Base of segment GS, MSR GS_BASE (`_KSPECIAL_REGISTERS.MsrGsBase`); x64 only.
        gs_base: Option<u64>,
        /// Base that SWAPGS brings in, MSR KERNEL_GS_BASE (`_KSPECIAL_REGISTERS.MsrGsSwap`); x64 only.
        gs_swap: Option<u64>,
    }
}
