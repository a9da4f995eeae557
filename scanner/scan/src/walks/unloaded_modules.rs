//! `unloaded_modules` as the file states them.

use super::{modules::base_name, process_id, time};
use crate::{Job, out::Out};
use schema::{
    Sink,
    tables::{UnloadedModuleRow, UnloadedModules},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<UnloadedModules>::new(sink);
    for module in &job.dump.records.unloaded_modules {
        out.push(UnloadedModuleRow {
            process_id: process_id(job),
            name: module.name.as_deref().map(base_name),
            path: module.name.clone(),
            start: module.start,
            end: module.end,
            unload_time: time(module.unload_time),
            timestamp: module.timestamp,
            checksum: module.checksum,
            source: module.source.into(),
        })?;
    }
    out.finish()
}
