//! `callbacks`: what drivers registered.

use crate::{Job, out::Out};
use schema::{
    Sink,
    tables::{CallbackRow, Callbacks},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Callbacks>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    for callback in system.callbacks() {
        let owner = callback.routine.and_then(|va| system.owner(va));
        out.push(CallbackRow {
            kind: callback.kind.into(),
            source: callback.source.into(),
            slot: callback.slot,
            entry: callback.entry.0,
            routine: callback.routine.map(|va| va.0),
            routine_module: owner.map(|owner| owner.name.clone()),
            routine_text: callback.routine.and_then(|va| system.owner_text(va)),
            name: callback.name,
            context: callback.context,
            reason: callback.reason,
            device: callback.device.map(|va| va.0),
            driver: callback.driver.map(|va| va.0),
            object_type: callback.object_type,
            operations: callback.operations,
        })?;
    }
    out.finish()
}
