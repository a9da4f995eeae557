//! `work_items`: what waits for system worker threads.

use crate::{Job, out::Out};
use nt::work::WorkQueueItem;
use schema::{
    Sink,
    tables::{WorkItemRow, WorkItems},
};
use std::collections::HashSet;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<WorkItems>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    let layout = WorkQueueItem::of(system);
    let mut seen = HashSet::new();
    for list in system.work_lists() {
        for (position, at) in (0..).zip(system.work_items(&list, &layout)) {
            // Lists that were damaged can run into each other.
            if !seen.insert(at) {
                continue;
            }
            let view = system.view(at, layout.size);
            let routine = view.pointer(layout.routine);
            let owner = routine.and_then(|va| system.owner(va));
            out.push(WorkItemRow {
                node: list.node,
                queue: list.queue,
                work_queue: list.va.0,
                priority: list.priority,
                position,
                work_item: at.0,
                routine: routine.map(|va| va.0),
                routine_module: owner.map(|owner| owner.name.clone()),
                routine_text: routine.and_then(|va| system.owner_text(va)),
                parameter: view.uint(layout.parameter),
            })?;
        }
    }
    out.finish()
}
