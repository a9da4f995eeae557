//! `contexts`: register sets. Each architecture fills its own columns, and only the parts that the
//! register set marks as valid.

mod arm64;
mod x64;
mod x86;

use super::process_id;
use crate::{Job, out::Out};
use memory::{Context, Registers};
use schema::{
    Sink,
    tables::{ContextRow, Contexts},
};

/// Copies the registers of a part into the columns of the same name.
macro_rules! copy {
    ($row:ident, $registers:ident, if $valid:expr => $($name:ident)*) => {
        if $valid {
            $($row.$name = Some($registers.$name.into());)*
        }
    };
}
/// Copies the registers of an array into columns, one each.
macro_rules! spread {
    ($row:ident, $array:expr, if $valid:expr => $($name:ident)*) => {
        if $valid {
            let mut values = $array.iter().cloned();
            $($row.$name = values.next().map(Into::into);)*
        }
    };
}
use {copy, spread};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Contexts>::new(sink);
    for context in &job.dump.records.contexts {
        let mut row = common(job, context);
        match &context.registers {
            Registers::X86(registers) => x86::fill(&mut row, registers),
            Registers::X64(registers) => x64::fill(&mut row, registers),
            Registers::Arm64(registers) => arm64::fill(&mut row, registers),
        }
        out.push(row)?;
    }
    out.finish()
}

/// The columns that every architecture has.
fn common(job: &Job, context: &Context) -> ContextRow {
    let control = context.has_control();
    ContextRow {
        source: context.source.into(),
        process_id: process_id(job),
        thread_id: context.thread_id,
        processor: context.processor,
        architecture: context.architecture().name().into(),
        context_flags: Some(context.context_flags()),
        ip: control.then(|| context.ip()),
        sp: control.then(|| context.sp()),
        frame_pointer: context.has_frame_pointer().then(|| context.frame_pointer()),
        flags_register: control.then(|| context.flags_register().into()),
        ..ContextRow::default()
    }
}
