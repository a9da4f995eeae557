//! `faults`: what could not be read, and why.

use crate::{Found, Job, out::Out};
use memory::records::Problem;
use schema::{
    Sink,
    tables::{FaultRow, Faults},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Faults>::new(sink);
    for problem in &job.dump.records.faults {
        out.push(row(problem, "format"))?;
    }
    for problem in &job.system.map(nt::System::problems).unwrap_or_default() {
        out.push(row(problem, "system"))?;
    }
    for problem in &job.found.map(Found::problems).unwrap_or_default() {
        out.push(row(problem, "system"))?;
    }
    out.finish()
}

fn row(problem: &Problem, stage: &str) -> FaultRow {
    let dot = if problem.field.is_empty() { "" } else { "." };
    let what = format!("{}{dot}{}", problem.structure, problem.field);
    let place = problem.offset.map(|offset| format!(" at offset {offset:#x}")).unwrap_or_default();
    let address = problem.address.map(|address| format!(" for address {address:#x}")).unwrap_or_default();
    FaultRow {
        stage: stage.into(),
        structure: problem.structure.clone(),
        field: (!problem.field.is_empty()).then(|| problem.field.clone()),
        offset: problem.offset,
        address: problem.address,
        kind: problem.kind.clone(),
        expected: Some(problem.expected.clone()),
        found: Some(problem.found.clone()),
        message: format!("{what}{place}{address}: expected {}, found {}", problem.expected, problem.found),
    }
}
