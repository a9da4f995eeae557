//! `exceptions`: the exception record of a kernel header or of a user minidump.

use super::process_id;
use crate::{Job, names::exception_name, out::Out};
use memory::records::Exception;
use schema::{
    Sink,
    tables::{ExceptionRow, Exceptions},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Exceptions>::new(sink);
    for exception in &job.dump.records.exceptions {
        out.push(row(job, exception))?;
    }
    out.finish()
}

fn row(job: &Job, exception: &Exception) -> ExceptionRow {
    let parameter = |index: usize| exception.parameters.get(index).copied();
    ExceptionRow {
        source: exception.source.into(),
        process_id: process_id(job),
        thread_id: exception.thread_id,
        code: exception.code,
        code_name: exception_name(exception.code).map(Into::into),
        flags: exception.flags,
        record: exception.record,
        address: exception.address,
        parameters: Some(exception.parameters.len() as u32),
        parameter0: parameter(0),
        parameter1: parameter(1),
        parameter2: parameter(2),
        parameter3: parameter(3),
        parameter4: parameter(4),
        parameter5: parameter(5),
        parameter6: parameter(6),
        parameter7: parameter(7),
        parameter8: parameter(8),
        parameter9: parameter(9),
        parameter10: parameter(10),
        parameter11: parameter(11),
        parameter12: parameter(12),
        parameter13: parameter(13),
        parameter14: parameter(14),
    }
}
