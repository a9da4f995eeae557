//! `unloaded_modules`: as the file states them, or those of the kernel's ring.

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
            ..UnloadedModuleRow::default()
        })?;
    }
    // A triage dump states them; the kernel's ring is not in it.
    let system = job.system.filter(|system| system.dump.records.header.triage.is_none());
    for driver in system.map(nt::System::unloaded_drivers).unwrap_or_default() {
        out.push(UnloadedModuleRow {
            name: driver.name.as_deref().map(base_name),
            path: driver.name,
            start: driver.start.0,
            end: driver.end.0,
            unload_time: time(driver.time),
            slot: Some(driver.slot),
            source: "MmUnloadedDrivers".into(),
            ..UnloadedModuleRow::default()
        })?;
    }
    out.finish()
}
