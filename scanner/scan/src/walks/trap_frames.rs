//! `trap_frames`: what was interrupted, or called the system.

use super::stacks::{all, is_listed, text};
use crate::{
    Job,
    out::Out,
    stack::{ThreadStack, Trap},
};
use memory::Architecture;
use schema::{
    Sink,
    tables::{TrapFrameRow, TrapFrames},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<TrapFrames>::new(sink);
    for stack in all(job).iter().filter(|stack| is_listed(stack)) {
        for trap in &stack.traps {
            out.push(row(stack, trap))?;
        }
    }
    out.finish()
}

fn row(stack: &ThreadStack, trap: &Trap) -> TrapFrameRow {
    let (machine, symbol) = (&trap.machine, &trap.symbol);
    let set = if machine.is_32_bit() { Architecture::X86 } else { Architecture::X64 };
    TrapFrameRow {
        ethread: stack.ids.ethread,
        thread_id: stack.ids.thread,
        process_id: stack.ids.process,
        trap_frame: trap.frame,
        machine_frame: trap.at,
        ip: machine.rip,
        sp: machine.rsp,
        frame_pointer: trap.rbp,
        flags_register: machine.eflags,
        code_segment: machine.cs,
        mode: if machine.is_user() { "user" } else { "kernel" }.into(),
        instruction_set: set.name().into(),
        error_code: trap.error_code,
        fault_address: trap.fault_address,
        module: symbol.module.clone(),
        symbol: symbol.name.clone(),
        offset: symbol.offset,
        text: text(symbol, machine.rip),
        source: trap.source.into(),
        confidence: trap.confidence.name().into(),
        live: trap.live,
    }
}
