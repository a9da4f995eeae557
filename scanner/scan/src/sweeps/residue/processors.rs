//! Stacks that belong to no thread: those on which a processor runs deferred calls and interrupts, and the one on which
//! a small dump says that the system crashed.

use super::places::Stack;
use crate::stack::{Starts, size_below};
use memory::{PAGE_SIZE, Va};
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
    let limit = |top: u64| top.checked_sub(size_below(system, top));
    let found = tops.iter().filter_map(|&top| Some((limit(top)?, top, Some(top))));
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

/// The part of a stack that a small dump holds; its top need not be the stack's.
fn stated(system: &System<'_>) -> Option<(u64, u64, Option<u64>)> {
    let triage = system.dump.records.header.triage.as_ref()?;
    let limit = system.narrow(triage.top_of_stack).0;
    Some((limit, limit.checked_add(triage.size_of_call_stack.into())?, None))
}
