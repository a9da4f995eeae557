//! `interrupts`: gates and the interrupt objects behind them.

use crate::{Job, out::Out};
use memory::Va;
use nt::{
    System,
    interrupt::{self, Gate, Kinterrupt},
    processor::Kpcr,
};
use schema::{
    Sink,
    tables::{InterruptRow, Interrupts},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Interrupts>::new(sink);
    let Some(system) = job.system.filter(|system| interrupt::has_gates(system)) else { return out.finish() };
    let (kpcr, layout) = (Kpcr::of(system), Kinterrupt::of(system));
    for processor in system.processors() {
        let gates = interrupt::gates(system, &kpcr, &processor);
        let objects = interrupt::objects(system, &layout, &gates, &processor);
        for gate in &gates {
            let row = InterruptRow { processor: processor.number, ..of_gate(system, gate) };
            let chain = objects.get(&gate.vector).map(Vec::as_slice).unwrap_or_default();
            if chain.is_empty() {
                out.push(row.clone())?;
            }
            for (position, &object) in (0..).zip(chain) {
                out.push(with_object(system, &layout, row.clone(), position, object))?;
            }
        }
    }
    out.finish()
}

fn of_gate(system: &System, gate: &Gate) -> InterruptRow {
    let owner = system.owner(gate.handler);
    InterruptRow {
        vector: gate.vector,
        handler: gate.handler.0,
        handler_module: owner.map(|owner| owner.name.clone()),
        handler_text: owner.map(|owner| owner.text(gate.handler)),
        selector: gate.selector,
        gate_type: gate.kind,
        dpl: gate.dpl,
        ist: gate.ist,
        ..InterruptRow::default()
    }
}

fn with_object(
    system: &System,
    layout: &Kinterrupt,
    row: InterruptRow,
    position: u32,
    object: Va,
) -> InterruptRow {
    let view = system.view(object, layout.size);
    let (routine, message) = (view.pointer(layout.routine), view.pointer(layout.message_routine));
    let owner = routine.and_then(|va| system.owner(va));
    InterruptRow {
        chain_position: Some(position),
        interrupt_object: Some(object.0),
        irql: view.u32(layout.irql),
        object_vector: view.u32(layout.vector),
        connected: view.flag(layout.connected),
        service_routine: routine.map(|va| va.0),
        service_routine_module: owner.map(|owner| owner.name.clone()),
        service_routine_text: routine.and_then(|va| system.owner_text(va)),
        service_context: view.uint(layout.context),
        message_routine: message.map(|va| va.0),
        message_routine_text: message.and_then(|va| system.owner_text(va)),
        ..row
    }
}
