//! `memory_runs`: which memory the dump names, and where it is in the file.

use crate::{Job, out::Out};
use memory::{Memory, PAGE_SIZE};
use schema::{
    Sink,
    tables::{MemoryRunRow, MemoryRuns},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<MemoryRuns>::new(sink);
    let file_size = job.dump.memory_file().len() as u64;
    let row = |kind: &str, start: u64, length: u64, file_offset: u64, source: &str| MemoryRunRow {
        kind: kind.into(),
        start,
        length,
        file_offset,
        bytes_in_file: file_size.saturating_sub(file_offset).min(length),
        source: source.into(),
    };
    match &job.dump.memory {
        Memory::Physical(runs) => {
            for run in runs.as_slice() {
                // Frames are below 2^40 (an invariant of the runs), so the products fit.
                let (start, length) = (run.first.0 * PAGE_SIZE, run.count * PAGE_SIZE);
                out.push(row("physical", start, length, run.offset, job.dump.format.name))?;
            }
        }
        Memory::Virtual(runs) => {
            for run in runs.as_slice() {
                out.push(row("virtual", run.start.0, run.len, run.offset, run.source))?;
            }
        }
        Memory::None => {}
    }
    out.finish()
}
