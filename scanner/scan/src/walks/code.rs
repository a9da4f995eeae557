//! `code_checks` and `code_changes`: code and imports of the kernel's modules beside what they should be.

use crate::{Job, integrity, out::Out};
use schema::{
    Sink,
    tables::{CodeChanges, CodeChecks},
};

pub fn checks(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<CodeChecks>::new(sink);
    if let Some(system) = job.system {
        integrity::check(system, |checked| out.push(checked.row))?;
    }
    out.finish()
}

pub fn changes(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<CodeChanges>::new(sink);
    if let Some(system) = job.system {
        integrity::check(system, |checked| checked.changes.into_iter().try_for_each(|row| out.push(row)))?;
    }
    out.finish()
}
