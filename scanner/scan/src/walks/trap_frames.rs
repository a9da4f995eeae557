//! `trap_frames`: what was interrupted, or called the system.

use super::stacks::{all, is_listed, text};
use crate::{
    Job,
    out::Out,
    stack::{ThreadStack, Trap},
};
use schema::{
    Sink,
    tables::{TrapFrameRow, TrapFrames},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<TrapFrames>::new(sink);
    for stack in all(job).iter().filter(|stack| is_listed(job, stack)) {
        for trap in &stack.traps {
            out.push(row(stack, trap))?;
        }
    }
    out.finish()
}

fn row(stack: &ThreadStack, trap: &Trap) -> TrapFrameRow {
    let (saved, symbol) = (&trap.saved, &trap.symbol);
    TrapFrameRow {
        ethread: stack.ids.ethread,
        thread_id: stack.ids.thread,
        process_id: stack.ids.process,
        trap_frame: saved.frame,
        machine_frame: saved.machine,
        ip: saved.ip,
        sp: saved.sp,
        frame_pointer: saved.frame_pointer,
        flags_register: saved.flags,
        code_segment: saved.cs,
        mode: if saved.user { "user" } else { "kernel" }.into(),
        instruction_set: saved.set.name().into(),
        error_code: trap.error_code,
        fault_address: trap.fault_address,
        module: symbol.module.clone(),
        symbol: symbol.name.clone(),
        offset: symbol.offset,
        text: text(symbol, saved.ip),
        source: trap.source.into(),
        confidence: trap.confidence.name().into(),
        live: trap.live,
    }
}
