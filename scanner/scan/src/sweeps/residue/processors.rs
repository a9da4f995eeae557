//! Stacks that belong to no thread: those on which a processor runs deferred calls and interrupts, and the one on which
//! a small dump says that the system crashed.

use super::places::Stack;
use crate::stack::Starts;
use memory::{Architecture, PAGE_SIZE, Va};
use nt::{System, processor::Kprcb};

/// The stacks of all processors, then the one that a small dump states, which mostly is one of others.
pub fn stacks(system: &System<'_>, starts: &Starts<'_>) -> Vec<Stack> {
    let layout = Kprcb::of(system);
    let mut tops = Vec::new();
    for processor in system.processors() {
        let view = system.kprcb(&layout, &processor);
        let stated = [layout.dpc_stack, layout.isr_stack].map(|field| view.pointer(field));
        // `DpcStack` leads to the frame at the top, a `_KDPC_STACK_FRAME`; `IsrStack` to the top itself.
        tops.extend(stated.into_iter().flatten().filter_map(|va| va.0.checked_next_multiple_of(PAGE_SIZE)));
    }
    let size = size(system.architecture);
    let found = tops.iter().filter_map(|&top| Some((top.checked_sub(size?)?, top, Some(top))));
    found
        .chain(stated(system))
        .filter(|(limit, base, _)| limit < base && system.is_kernel(Va(*limit)))
        .map(|(limit, base, top)| Stack {
            limit,
            base,
            top,
            sp: starts.stack_pointers().find(|sp| (limit..base).contains(sp)),
            thread: None,
        })
        .collect()
}

/// Bytes of such a stack: `KERNEL_STACK_SIZE` of wdm.h, and the distance of these stacks in dumps of x64 systems. Of
/// ARM64 nothing tells it.
fn size(architecture: Architecture) -> Option<u64> {
    match architecture {
        Architecture::X64 => Some(0x6000),
        Architecture::X86 => Some(0x3000),
        Architecture::Arm64 => None,
    }
}

/// The part of a stack that a small dump holds; its top need not be the stack's.
fn stated(system: &System<'_>) -> Option<(u64, u64, Option<u64>)> {
    let triage = system.dump.records.header.triage.as_ref()?;
    let limit = system.narrow(triage.top_of_stack).0;
    Some((limit, limit.checked_add(triage.size_of_call_stack.into())?, None))
}
