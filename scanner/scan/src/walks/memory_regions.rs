//! `memory_regions`: the memory map of the process that a user minidump states.

use super::process_id;
use crate::{Job, out::Out};
use schema::{
    Sink,
    tables::{MemoryRegionRow, MemoryRegions},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<MemoryRegions>::new(sink);
    for region in &job.dump.records.regions {
        let free = region.state == MEM_FREE; // the other fields of a free region mean nothing
        out.push(MemoryRegionRow {
            process_id: process_id(job),
            base: region.base,
            allocation_base: (!free).then_some(region.allocation_base),
            allocation_protect: (!free).then_some(region.allocation_protect),
            size: region.size,
            state: Some(region.state),
            state_name: state_name(region.state).map(Into::into),
            protect: (!free).then_some(region.protect),
            r#type: (!free).then_some(region.kind),
            type_name: type_name(region.kind).map(Into::into),
        })?;
    }
    out.finish()
}

const MEM_FREE: u32 = 0x10000;

/// `MEMORY_BASIC_INFORMATION.State`, winnt.h.
fn state_name(state: u32) -> Option<&'static str> {
    match state {
        0x1000 => Some("MEM_COMMIT"),
        0x2000 => Some("MEM_RESERVE"),
        MEM_FREE => Some("MEM_FREE"),
        _ => None,
    }
}

/// `MEMORY_BASIC_INFORMATION.Type`, winnt.h.
fn type_name(kind: u32) -> Option<&'static str> {
    match kind {
        0x20000 => Some("MEM_PRIVATE"),
        0x40000 => Some("MEM_MAPPED"),
        0x0100_0000 => Some("MEM_IMAGE"),
        _ => None,
    }
}
