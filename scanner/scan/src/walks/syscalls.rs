//! `syscalls`: the service tables.

use crate::{Job, out::Out};
use schema::{
    Sink,
    tables::{SyscallRow, Syscalls},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Syscalls>::new(sink);
    let Some(system) = job.system else { return out.finish() };
    for table in system.service_tables() {
        for service in system.services(&table) {
            let owner = system.owner(service.target);
            out.push(SyscallRow {
                table_number: table.number,
                table_address: table.va.0,
                index: service.index,
                service: table.number * 0x1000 + service.index,
                entry: service.entry,
                target: service.target.0,
                target_module: owner.map(|owner| owner.name.clone()),
                target_text: owner.map(|owner| owner.text(service.target)),
                argument_bytes: service.argument_bytes,
            })?;
        }
    }
    out.finish()
}
