//! `discovery`: the roots of page tables that were tried.

use crate::{Job, out::Out};
use nt::mode_name;
use schema::{
    Sink,
    tables::{Discovery, DiscoveryRow},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Discovery>::new(sink);
    let candidates = job.system.map(|system| system.candidates.as_slice()).unwrap_or_default();
    for (index, candidate) in (0..).zip(candidates) {
        out.push(DiscoveryRow {
            index,
            source: candidate.source.clone(),
            root: candidate.root.0,
            mode: mode_name(candidate.mode).into(),
            kernel_base: candidate.kernel_base.map(|va| va.0),
            build: candidate.build,
            outcome: candidate.outcome.clone(),
            chosen: candidate.chosen,
        })?;
    }
    out.finish()
}
