//! `memory_counters`: what `!vm` shows.

use crate::{Job, out::Out};
use schema::{
    Sink,
    tables::{MemoryCounterRow, MemoryCounters},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<MemoryCounters>::new(sink);
    for counter in job.system.map(nt::System::memory_counters).unwrap_or_default() {
        out.push(MemoryCounterRow {
            name: counter.name.into(),
            value: counter.value,
            unit: counter.unit.into(),
            bytes: counter.bytes(),
            address: counter.va.0,
            source: counter.source,
        })?;
    }
    out.finish()
}
