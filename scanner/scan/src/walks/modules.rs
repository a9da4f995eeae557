//! `modules` as the file states them: driver list of a triage dump, module list of a user minidump.

use super::process_id;
use crate::{Job, out::Out};
use schema::{
    Sink,
    tables::{ModuleRow, Modules},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Modules>::new(sink);
    for (order, module) in (0u32..).zip(&job.dump.records.modules) {
        out.push(ModuleRow {
            process_id: process_id(job),
            name: module.path.as_deref().map(base_name),
            path: module.path.clone(),
            base: module.base,
            size: module.size,
            timestamp: module.timestamp,
            checksum: module.checksum,
            version: module.version.clone(),
            product_version: module.product_version.clone(),
            pdb_name: module.pdb_name.clone(),
            pdb_guid: module.pdb_guid.clone(),
            pdb_age: module.pdb_age,
            entry_point: module.entry_point,
            flags: module.flags,
            load_order: Some(order),
            source: module.source.into(),
        })?;
    }
    out.finish()
}

/// The last part of a Windows path.
pub fn base_name(path: &str) -> String {
    path.rsplit(['\\', '/']).next().unwrap_or(path).to_string()
}
