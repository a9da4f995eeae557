//! `critical_sections`.

use crate::{Job, out::Out};
use schema::{Sink, tables::CriticalSections};

pub fn walk(_: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    Out::<CriticalSections>::new(sink).finish()
}
