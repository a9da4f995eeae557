//! `processors`: `_KPCR` and `_KPRCB` of each.

use crate::{Job, out::Out};
use memory::{Architecture, Va};
use nt::{
    System, View, dpc,
    processor::{Kpcr, Kprcb, Processor},
    thread::Ethread,
};
use schema::{
    Sink,
    tables::{ProcessorRow, Processors},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Processors>::new(sink);
    if let Some(system) = job.system {
        let (kpcr, kprcb) = (Kpcr::of(system), Kprcb::of(system));
        for processor in system.processors() {
            out.push(row(system, &processor, &kpcr, &kprcb))?;
        }
    }
    out.finish()
}

fn row(system: &System, processor: &Processor, kpcr: &Kpcr, layout: &Kprcb) -> ProcessorRow {
    let view = system.kprcb(layout, processor);
    if view.uint(layout.current_thread).is_none() {
        let expected = "readable memory";
        system.problem("unreadable", "_KPRCB", "", Some(processor.kprcb), expected, "none");
    }
    let (current, idle) = (view.pointer(layout.current_thread), view.pointer(layout.idle_thread));
    let (thread_id, process_id) = ids(system, current);
    let step = view.u32(layout.cpu_step);
    ProcessorRow {
        number: processor.number,
        kprcb: processor.kprcb.0,
        kpcr: processor.kpcr.map(|va| va.0),
        stated_number: view.u32(layout.number),
        group_number: view.u32(layout.group),
        group_index: view.u32(layout.group_index),
        current_thread: current.map(|va| va.0),
        current_thread_id: thread_id,
        current_process_id: process_id,
        next_thread: view.pointer(layout.next_thread).map(|va| va.0),
        idle_thread: idle.map(|va| va.0),
        idle: current.zip(idle).map(|(current, idle)| current == idle),
        vendor: view.ascii(layout.vendor).filter(|vendor| !vendor.is_empty()),
        family: view.u32(layout.cpu_type),
        model: step.map(|step| step >> 8),
        stepping: step.map(|step| step & 0xff),
        processor_signature: view.u32(layout.processor_signature),
        mhz: view.u32(layout.mhz),
        update_signature: view.uint(layout.update_signature),
        feature_bits: view.uint(layout.feature_bits),
        apic_id: view.u32(layout.initial_apic_id),
        ..counters(system, processor, &view, layout, registers(system, processor, kpcr, &view, layout))
    }
}

/// Thread and process id of a thread.
fn ids(system: &System, thread: Option<Va>) -> (Option<u32>, Option<u32>) {
    let Some(thread) = thread.filter(|&va| system.is_kernel(va)) else { return (None, None) };
    let layout = Ethread::of(system);
    let view = system.view(thread, layout.size);
    (view.u32(layout.tid), view.u32(layout.pid))
}

fn counters(
    system: &System,
    processor: &Processor,
    view: &View,
    layout: &Kprcb,
    row: ProcessorRow,
) -> ProcessorRow {
    let queues = dpc::queues(system, layout, processor);
    let increment = system.global("KeMaximumIncrement").and_then(|va| system.space.u32(va).ok());
    ProcessorRow {
        debugger_saved_irql: view.u32(layout.debugger_irql),
        dpc_active: view.flag(layout.dpc_active),
        dpc_queue_depth: queues.first().and_then(|queue| queue.depth),
        dpc_count: queues.first().and_then(|queue| queue.count),
        threaded_dpc_queue_depth: queues.get(1).and_then(|queue| queue.depth),
        active_dpc: queues.first().and_then(|queue| queue.active).map(|va| va.0),
        dpc_stack: view.pointer(layout.dpc_stack).map(|va| va.0),
        isr_stack: view.pointer(layout.isr_stack).map(|va| va.0),
        kernel_ticks: view.u32(layout.kernel_time),
        user_ticks: view.u32(layout.user_time),
        interrupt_ticks: view.u32(layout.interrupt_time),
        dpc_ticks: view.u32(layout.dpc_time),
        tick_seconds: increment.filter(|&units| units != 0).map(|units| f64::from(units) / 1e7),
        interrupts: view.u32(layout.interrupt_count),
        context_switches: view.u32(layout.context_switches),
        system_calls: view.u32(layout.system_calls),
        page_faults: view.u32(layout.page_faults),
        ..row
    }
}

/// `CR8`, the level of x64, among the registers that were saved of a processor: of a system that ran on while the dump
/// was made they are zeros, `CR0` too, which is never zero while Windows runs.
fn saved_level(view: &View, layout: &Kprcb) -> Option<u32> {
    view.uint(layout.cr0).filter(|&cr0| cr0 != 0)?;
    u32::try_from(view.uint(layout.cr8)?).ok().filter(|&level| level < 16)
}

/// The level at which the processor that runs a thread was when it noted its state: before the bug check raised it.
pub fn level_of(system: &System, thread: Va) -> Option<u32> {
    let layout = Kprcb::of(system);
    let views = system.processors().into_iter().map(|processor| system.kprcb(&layout, &processor));
    let view = views.into_iter().find(|view| view.pointer(layout.current_thread) == Some(thread))?;
    match system.architecture {
        Architecture::X64 => saved_level(&view, &layout),
        Architecture::X86 | Architecture::Arm64 => view.u32(layout.debugger_irql).filter(|&level| level < 32),
    }
}

fn registers(
    system: &System,
    processor: &Processor,
    kpcr: &Kpcr,
    view: &View,
    layout: &Kprcb,
) -> ProcessorRow {
    let pcr = processor.kpcr.map(|va| system.view(va, 0));
    let of_pcr = |field| pcr.as_ref().and_then(|pcr| pcr.pointer(field)).map(|va| va.0);
    let lstar = view.uint(layout.lstar).filter(|_| system.architecture == Architecture::X64);
    ProcessorRow {
        irql: match system.architecture {
            Architecture::X86 | Architecture::Arm64 => {
                pcr.as_ref().and_then(|pcr| pcr.u32(kpcr.irql)).filter(|&level| level < 32)
            }
            Architecture::X64 => saved_level(view, layout),
        },
        idt_base: of_pcr(kpcr.idt_base),
        gdt_base: of_pcr(kpcr.gdt_base),
        tss_base: of_pcr(kpcr.tss_base),
        idtr_base: view.uint(layout.idtr_base),
        idtr_limit: view.u32(layout.idtr_limit),
        gdtr_base: view.uint(layout.gdtr_base),
        gdtr_limit: view.u32(layout.gdtr_limit),
        cr0: view.uint(layout.cr0),
        cr2: view.uint(layout.cr2),
        cr3: view.uint(layout.cr3),
        cr4: view.uint(layout.cr4),
        cr8: view.uint(layout.cr8),
        xcr0: view.uint(layout.xcr0),
        kernel_dr0: view.uint(layout.dr0),
        kernel_dr1: view.uint(layout.dr1),
        kernel_dr2: view.uint(layout.dr2),
        kernel_dr3: view.uint(layout.dr3),
        kernel_dr6: view.uint(layout.dr6),
        kernel_dr7: view.uint(layout.dr7),
        lstar,
        lstar_owner: lstar.and_then(|va| system.owner_text(Va(va))),
        cstar: view.uint(layout.cstar),
        gs_base: view.uint(layout.gs_base),
        gs_swap: view.uint(layout.gs_swap),
        ..ProcessorRow::default()
    }
}
