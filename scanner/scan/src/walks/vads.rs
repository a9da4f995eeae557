//! `vads`: the descriptor trees of all processes.

use crate::{Job, out::Out};
use nt::{
    process::Process,
    vad::{self, Vad},
};
use schema::{
    Sink,
    tables::{VadRow, Vads},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Vads>::new(sink);
    // The process of a triage dump is there without its tree.
    let system = job.system.filter(|system| system.dump.records.header.triage.is_none());
    let Some(system) = system else { return out.finish() };
    let layouts = vad::Vads::of(system);
    for process in system.processes() {
        for vad in layouts.read(system, process) {
            out.push(row(process, vad))?;
        }
    }
    out.finish()
}

fn row(process: &Process, vad: Vad) -> VadRow {
    let page_protection = vad.protection.map(vad::page_protection);
    VadRow {
        process_id: process.pid,
        eprocess: process.va.0,
        vad: vad.va,
        parent: vad.parent,
        depth: vad.depth,
        tag: vad.tag,
        start: vad.start,
        end: vad.end,
        size: vad.end.saturating_sub(vad.start).saturating_add(1),
        vad_type: vad.kind.map(Into::into),
        vad_type_name: vad.kind.and_then(vad::kind_name).map(Into::into),
        is_image: vad.is_image,
        protection: vad.protection.map(Into::into),
        page_protection,
        protection_name: page_protection.map(vad::page_protection_name),
        private: vad.private,
        commit_charge: vad.commit,
        mem_commit: vad.mem_commit,
        control_area: vad.control_area.map(|va| va.0),
        file_object: vad.file_object.map(|va| va.0),
        file: vad.file,
    }
}
