//! Processors: `_KPCR` and `_KPRCB` of each, by `KiProcessorBlock`.

use crate::{System, View, layout};
use memory::Va;

layout! {
    /// `_KPCR`, the part of it that is about the processor itself. On x86 the block is called `PrcbData`, and `Prcb`
    /// is the pointer to it.
    Kpcr = "_KPCR" {
        prcb_data ? "PrcbData",
        prcb ? "Prcb",
        idt_base ? "IdtBase" | "IDT",
        gdt_base ? "GdtBase" | "GDT",
        tss_base ? "TssBase" | "TSS",
        /// `CurrentIrql` is that of ARM64, which has no register for it that a dump holds.
        irql ? "Irql" | "CurrentIrql",
    }
}

layout! {
    /// `_KPRCB`.
    Kprcb = "_KPRCB" {
        number: "Number",
        current_thread: "CurrentThread",
        next_thread: "NextThread",
        idle_thread: "IdleThread",
        group ? "Group",
        group_index ? "GroupIndex",
        cpu_type ? "CpuType",
        /// Model in the high byte, stepping in the low one.
        cpu_step ? "CpuStep",
        mhz ? "MHz",
        vendor ? "VendorString",
        feature_bits ? "FeatureBits",
        update_signature ? "UpdateSignature",
        initial_apic_id ? "InitialApicId",
        processor_signature ? "ProcessorSignature",
        dpc_active ? "DpcRoutineActive",
        dpc_stack ? "DpcStack",
        isr_stack ? "IsrStack",
        dpc_data ? "DpcData",
        /// Before Windows Vista the queue was not in a `_KDPC_DATA`.
        dpc_list ? "DpcListHead",
        dpc_depth ? "DpcQueueDepth",
        dpc_count ? "DpcCount",
        timer_table ? "TimerTable",
        interrupt_objects ? "InterruptObject",
        kernel_time ? "KernelTime",
        user_time ? "UserTime",
        interrupt_time ? "InterruptTime",
        dpc_time ? "DpcTime",
        interrupt_count ? "InterruptCount",
        context_switches ? "KeContextSwitches",
        system_calls ? "KeSystemCalls",
        page_faults ? "MmPageFaultCount",
        debugger_irql ? "DebuggerSavedIRQL",
        context ? "ProcessorState.ContextFrame",
        cr0 ? "ProcessorState.SpecialRegisters.Cr0",
        cr2 ? "ProcessorState.SpecialRegisters.Cr2",
        cr3 ? "ProcessorState.SpecialRegisters.Cr3",
        cr4 ? "ProcessorState.SpecialRegisters.Cr4",
        cr8 ? "ProcessorState.SpecialRegisters.Cr8",
        xcr0 ? "ProcessorState.SpecialRegisters.Xcr0",
        dr0 ? "ProcessorState.SpecialRegisters.KernelDr0",
        dr1 ? "ProcessorState.SpecialRegisters.KernelDr1",
        dr2 ? "ProcessorState.SpecialRegisters.KernelDr2",
        dr3 ? "ProcessorState.SpecialRegisters.KernelDr3",
        dr6 ? "ProcessorState.SpecialRegisters.KernelDr6",
        dr7 ? "ProcessorState.SpecialRegisters.KernelDr7",
        gdtr_base ? "ProcessorState.SpecialRegisters.Gdtr.Base",
        gdtr_limit ? "ProcessorState.SpecialRegisters.Gdtr.Limit",
        idtr_base ? "ProcessorState.SpecialRegisters.Idtr.Base",
        idtr_limit ? "ProcessorState.SpecialRegisters.Idtr.Limit",
        lstar ? "ProcessorState.SpecialRegisters.MsrLStar",
        cstar ? "ProcessorState.SpecialRegisters.MsrCStar",
        gs_base ? "ProcessorState.SpecialRegisters.MsrGsBase",
        gs_swap ? "ProcessorState.SpecialRegisters.MsrGsSwap",
    }
}

/// Windows has had at most this many; a count above it is damage.
const MOST: u32 = 2048;

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processor {
    /// Index in `KiProcessorBlock`.
    pub number: u32,
    /// Address of its `_KPRCB`.
    pub kprcb: Va,
    /// Address of its `_KPCR`, which holds the `_KPRCB`.
    pub kpcr: Option<Va>,
}

impl<'a> System<'a> {
    /// Every processor that `KiProcessorBlock` leads to, in its order; of a triage dump the crashed one at least.
    pub fn processors(&self) -> Vec<Processor> {
        let mut found = self.listed_processors();
        found.extend(self.copied_processor(&found));
        found
    }

    /// The copy of the crashed processor in a triage dump, unless the list led to it.
    fn copied_processor(&self, listed: &[Processor]) -> Option<Processor> {
        let kprcb = self.narrow(self.dump.records.header.triage.as_ref()?.prcb_address?);
        let (layout, pcr) = (Kprcb::of(self), Kpcr::of(self));
        if listed.iter().any(|processor| processor.kprcb == kprcb) {
            return None;
        }
        let number = self.view(kprcb, layout.size).u32(layout.number)?;
        let inside = pcr.prcb_data.or(pcr.prcb);
        let kpcr = inside.and_then(|inside| kprcb.0.checked_sub(inside.offset.into())).map(Va);
        Some(Processor { number, kprcb, kpcr })
    }

    fn listed_processors(&self) -> Vec<Processor> {
        let Some(block) = self.needed_global("KiProcessorBlock") else { return Vec::new() };
        let pcr = Kpcr::of(self);
        let inside = pcr.prcb_data.or(pcr.prcb);
        let kpcr = |kprcb: Va| kprcb.0.checked_sub(inside?.offset.into()).map(Va);
        let mut found = Vec::new();
        for number in 0..self.processor_count() {
            let slot = block.checked_add(u64::from(number) * u64::from(self.pointer_size()));
            let kprcb = slot.map(|slot| self.space.pointer(slot));
            match kprcb {
                Some(Ok(kprcb)) if self.is_kernel(kprcb) => {
                    found.push(Processor { number, kprcb, kpcr: kpcr(kprcb) });
                }
                Some(Ok(kprcb)) => {
                    let (expected, is) = ("the address of a _KPRCB", kprcb.to_string());
                    self.problem(
                        "wild_pointer",
                        "KiProcessorBlock",
                        &number.to_string(),
                        slot,
                        expected,
                        &is,
                    );
                }
                Some(Err(fault)) => {
                    self.unreadable("KiProcessorBlock", "", block, &fault);
                    break; // those behind it are on the same page or the next
                }
                None => break,
            }
        }
        found
    }

    /// `KeNumberProcessors`, else what the dump's header states.
    fn processor_count(&self) -> u32 {
        let stated = self.dump.records.header.processors;
        let counted = self.global("KeNumberProcessors").and_then(|va| match self.space.u32(va) {
            // It was a CCHAR before Windows 7.
            Ok(count) if self.build < 7600 => Some(count & 0xff),
            Ok(count) => Some(count),
            Err(fault) => {
                self.unreadable("KeNumberProcessors", "", va, &fault);
                None
            }
        });
        let good = |count: &u32| (1..=MOST).contains(count);
        if let Some(wrong) = counted.filter(|count| !good(count)) {
            let expected = format!("1 to {MOST}");
            self.problem("bad_count", "KeNumberProcessors", "", None, &expected, &wrong.to_string());
        }
        let count = counted.filter(good).or(stated.filter(good));
        if count.is_none() {
            let expected = "KeNumberProcessors, or a count in the header";
            self.problem("missing_symbol", "KeNumberProcessors", "", None, expected, "neither");
        }
        count.unwrap_or(0)
    }

    /// The `_KPRCB` of a processor.
    pub fn kprcb(&self, layout: &Kprcb, processor: &Processor) -> View<'a> {
        self.view(processor.kprcb, layout.size)
    }
}
