//! `streams`: the directory of a user minidump, with what we made of each entry.

use crate::{Job, out::Out};
use schema::{
    Sink,
    tables::{StreamRow, Streams},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Streams>::new(sink);
    for (index, stream) in (0u32..).zip(&job.dump.records.streams) {
        out.push(StreamRow {
            index,
            r#type: stream.kind,
            name: stream.name.map(Into::into),
            size: stream.size,
            offset: stream.offset,
            understood: stream.understood,
        })?;
    }
    out.finish()
}
