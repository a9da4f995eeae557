//! `dpcs`: the queues of each processor.

use crate::{Job, out::Out};
use nt::{
    dpc::{self, Kdpc},
    processor::Kprcb,
};
use schema::{
    Sink,
    tables::{DpcRow, Dpcs},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Dpcs>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    let (kprcb, layout) = (Kprcb::of(system), Kdpc::of(system));
    for processor in system.processors() {
        let queues = dpc::queues(system, &kprcb, &processor);
        if queues.is_empty() {
            let expected = "a member of this kernel";
            system.problem("missing_field", "_KPRCB", "DpcData", None, expected, "no such member");
        }
        for queue in queues {
            for (position, at) in (0..).zip(dpc::entries(system, &layout, &queue)) {
                let view = system.view(at, layout.size);
                let routine = view.pointer(layout.routine);
                let owner = routine.and_then(|va| system.owner(va));
                out.push(DpcRow {
                    processor: processor.number,
                    queue: if queue.threaded { "threaded" } else { "normal" }.into(),
                    position,
                    dpc: at.0,
                    object_type: view.u32(layout.kind),
                    importance: view.u32(layout.importance),
                    routine: routine.map(|va| va.0),
                    routine_module: owner.map(|owner| owner.name.clone()),
                    routine_text: routine.and_then(|va| system.owner_text(va)),
                    context: view.uint(layout.context),
                    argument1: view.uint(layout.argument1),
                    argument2: view.uint(layout.argument2),
                })?;
            }
        }
    }
    out.finish()
}
