//! Interrupt descriptor tables and the interrupt objects behind them. x86 and x64.
//!
//! Gates are the CPU's: Intel's manual, volume 3, chapter 6.

use crate::{
    System, layout,
    processor::{Kpcr, Kprcb, Processor},
};
use memory::{Architecture, Va};
use std::collections::HashMap;
use symbols::Field;

layout! {
    /// `_KINTERRUPT`.
    Kinterrupt = "_KINTERRUPT" {
        kind ? "Type",
        links ? "InterruptListEntry",
        routine ? "ServiceRoutine",
        message_routine ? "MessageServiceRoutine",
        context ? "ServiceContext",
        vector ? "Vector",
        irql ? "Irql",
        connected ? "Connected",
        /// Before Windows 8 gates lead here.
        code ? "DispatchCode",
    }
}

/// `KOBJECTS` value of an interrupt object.
const INTERRUPT_OBJECT: u64 = 22;

/// Objects that share one vector, at most.
const MOST_CHAINED: usize = 256;

/// A present gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Interrupt vector.
    pub vector: u32,
    /// Address of the handler.
    pub handler: Va,
    /// Code segment.
    pub selector: u32,
    /// Gate type.
    pub kind: u32,
    /// Descriptor privilege level.
    pub dpl: u32,
    /// Index in the interrupt stack table; x64 only.
    pub ist: Option<u32>,
}

/// The present gates of a processor. A task gate has no handler but a segment; its `handler` is 0.
pub fn gates(system: &System, pcr: &Kpcr, processor: &Processor) -> Vec<Gate> {
    let base = processor.kpcr.and_then(|va| system.view(va, 0).pointer(pcr.idt_base));
    let Some(base) = base.filter(|&va| system.is_kernel(va)) else {
        if !system.small_dump_lacks("_KPCR", "IdtBase") {
            let expected = "the address of an interrupt descriptor table";
            system.problem("unreadable", "_KPCR", "IdtBase", processor.kpcr, expected, "none");
        }
        return Vec::new();
    };
    let wide = system.pointer_size() == 8;
    let size = if wide { 16u32 } else { 8 };
    let mut found = Vec::new();
    for vector in 0..256u32 {
        let Some(at) = base.checked_add(u64::from(vector * size)) else { break };
        let bytes = match system.space.bytes(at, size as usize) {
            Ok(bytes) => bytes,
            Err(fault) => {
                if !system.small_dump_lacks("IDT", "") {
                    system.unreadable("IDT", &vector.to_string(), at, &fault);
                }
                break; // a table is one page
            }
        };
        found.extend(gate(vector, &bytes, wide));
    }
    found
}

fn gate(vector: u32, bytes: &[u8], wide: bool) -> Option<Gate> {
    let word = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let flags = word(4)?;
    if flags & 0x8000 == 0 {
        return None;
    }
    let high = if wide { u64::from(word(10)?) << 16 | u64::from(word(8)?) } else { 0 };
    let kind = u32::from(flags >> 8 & 0x1f);
    let offset = high << 32 | u64::from(word(6)?) << 16 | u64::from(word(0)?);
    Some(Gate {
        vector,
        handler: Va(if kind == 5 { 0 } else { offset }),
        selector: word(2)?.into(),
        kind,
        dpl: u32::from(flags >> 13 & 3),
        ist: wide.then_some(u32::from(flags & 7)),
    })
}

/// Interrupt objects of a processor by vector, each vector's in the order of their chain.
pub fn objects(
    system: &System,
    layout: &Kinterrupt,
    gates: &[Gate],
    processor: &Processor,
) -> HashMap<u32, Vec<Va>> {
    let kprcb = Kprcb::of(system);
    let width = system.pointer_size();
    let listed = |vector: u32| -> Option<Va> {
        let array = kprcb.interrupt_objects?;
        let slot = Field { offset: array.offset.checked_add(vector * width)?, size: width, bits: None };
        system.view(processor.kprcb, 0).pointer(Some(slot)).filter(|&va| system.is_kernel(va))
    };
    // Before Windows 8 the gate of a connected interrupt leads into its object.
    let around = |gate: &Gate| -> Option<Va> {
        let at = gate.handler.0.checked_sub(layout.code?.offset.into()).map(Va)?;
        let view = system.view(at, 0);
        let is_object = system.is_kernel(at) && view.uint(layout.kind) == Some(INTERRUPT_OBJECT);
        (is_object && view.u32(layout.vector) == Some(gate.vector)).then_some(at)
    };
    let mut found = HashMap::new();
    for gate in gates {
        let Some(first) = listed(gate.vector).or_else(|| around(gate)) else { continue };
        found.insert(gate.vector, chain(system, layout, first));
    }
    found
}

/// An object and those that share its vector.
fn chain(system: &System, layout: &Kinterrupt, first: Va) -> Vec<Va> {
    let mut all = vec![first];
    let Some(links) = layout.links else { return all };
    let Some(head) = first.checked_add(links.offset.into()) else { return all };
    // An object that shares with nobody points to itself, or was never linked.
    if system.space.pointer(head).is_ok_and(|next| next == head || next.0 == 0) {
        return all;
    }
    let list = system.list(system.space, head, "_KINTERRUPT.InterruptListEntry");
    let others = list.entries.iter().filter_map(|at| at.0.checked_sub(links.offset.into()).map(Va));
    all.extend(others.take(MOST_CHAINED));
    all
}

/// True for processors that have interrupt descriptor tables.
pub fn has_gates(system: &System) -> bool {
    matches!(system.architecture, Architecture::X86 | Architecture::X64)
}
