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
        out.push(row(process_id(job), context))?;
    }
    out.finish()
}

fn row(process_id: Option<u32>, context: &Context) -> ContextRow {
    let mut row = ContextRow { process_id, ..common(context) };
    match &context.registers {
        Registers::X86(registers) => x86::fill(&mut row, registers),
        Registers::X64(registers) => x64::fill(&mut row, registers),
        Registers::Arm64(registers) => arm64::fill(&mut row, registers),
    }
    row
}

/// The columns that every architecture has.
fn common(context: &Context) -> ContextRow {
    let control = context.has_control();
    ContextRow {
        source: context.source.into(),
        thread_id: context.thread_id,
        processor: context.processor,
        architecture: context.architecture().name().into(),
        // Every real value names the architecture; registers that come from no CONTEXT have none.
        context_flags: Some(context.context_flags()).filter(|&flags| flags != 0),
        ip: control.then(|| context.ip()),
        sp: control.then(|| context.sp()),
        frame_pointer: context.has_frame_pointer().then(|| context.frame_pointer()),
        flags_register: control.then(|| context.flags_register().into()),
        ..ContextRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memory::{Parts, X64};

    /// A note of QEMU has registers and nothing else of a `CONTEXT`: no flags, no home slots.
    #[test]
    fn what_no_context_states_is_null() {
        let parts = Parts { control: true, integer: true, ..Parts::default() };
        let registers = Registers::X64(Box::new(X64 { parts, rip: 7, rcx: 8, ..X64::default() }));
        let context = Context { source: "qemu cpu", thread_id: None, processor: Some(1), registers };
        let row = row(None, &context);
        assert_eq!((row.rip, row.ip, row.rcx), (Some(7), Some(7), Some(8)));
        assert_eq!(
            (row.context_flags, row.p1_home, row.p6_home, row.vector_control),
            (None, None, None, None)
        );
    }

    #[test]
    fn what_a_context_states_is_in_the_row() {
        let parts = Parts { integer: true, ..Parts::default() };
        let (home, vector_control) = (Some([1, 2, 3, 4, 5, 6]), Some(9));
        let x64 = X64 { parts, context_flags: 0x10_0002, home, vector_control, ..X64::default() };
        let registers = Registers::X64(Box::new(x64));
        let row = row(Some(4), &Context { source: "thread", thread_id: Some(8), processor: None, registers });
        assert_eq!((row.process_id, row.context_flags, row.rip), (Some(4), Some(0x10_0002), None));
        assert_eq!((row.p1_home, row.p6_home, row.vector_control), (Some(1), Some(6), Some(9)));
    }
}
