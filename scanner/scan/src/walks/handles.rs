//! `handles`: as the file states them (user minidumps), or of every process of the kernel and of `PspCidTable`.

use super::process_id;
use crate::{Job, out::Out};
use memory::records::Handle;
use nt::{System, handle::Handle as Open, object::Header};
use schema::{
    Sink,
    tables::{HandleRow, Handles},
};
use std::collections::HashMap;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Handles>::new(sink);
    for handle in &job.dump.records.handles {
        out.push(HandleRow {
            process_id: process_id(job),
            handle: handle.handle,
            type_name: handle.type_name.clone(),
            object_name: handle.object_name.clone(),
            attributes: handle.attributes,
            granted_access: handle.granted_access,
            handle_count: handle.handle_count,
            pointer_count: handle.pointer_count.map(i64::from),
            object_info: object_info(handle),
            source: handle.source.into(),
            ..HandleRow::default()
        })?;
    }
    if let Some(system) = job.system {
        kernel(system, &mut out)?;
    }
    out.finish()
}

/// The tables of all processes, then the one of process and thread ids, whose entries lead to bodies.
fn kernel(system: &System, out: &mut Out<Handles>) -> schema::Result<()> {
    let mut names = Names::default();
    for process in system.processes() {
        let table = system.handle_table_of(process.va);
        for handle in table.map(|table| system.handles(table)).unwrap_or_default() {
            let header = system.object_at(handle.target);
            out.push(HandleRow {
                process_id: process.pid,
                eprocess: Some(process.va.0),
                source: "_EPROCESS.ObjectTable".into(),
                ..row(system, &mut names, &handle, header)
            })?;
        }
    }
    for handle in system.cid_table() {
        let header = system.object(handle.target);
        let source = "PspCidTable".into();
        // It grants nothing: its entries have no access mask.
        let row = HandleRow { granted_access: None, ..row(system, &mut names, &handle, header) };
        out.push(HandleRow { source, ..row })?;
    }
    Ok(())
}

/// Full names by object: many handles lead to one.
type Names = HashMap<u64, Option<String>>;

fn row(system: &System, names: &mut Names, handle: &Open, header: Option<Header>) -> HandleRow {
    let header = header.unwrap_or_default();
    let body = Some(header.body.0).filter(|&va| va != 0);
    let name = body.and_then(|va| names.entry(va).or_insert_with(|| system.object_name(&header)).clone());
    HandleRow {
        handle: handle.value,
        type_name: header.type_name.clone(),
        object_name: system.text("handles.object_name", name),
        attributes: handle.attributes,
        granted_access: handle.access,
        handle_count: header.handle_count.and_then(|count| u32::try_from(count).ok()),
        pointer_count: header.pointer_count,
        object: body,
        entry: Some(handle.entry.0),
        ..HandleRow::default()
    }
}

/// The object-information blocks as JSON: `[{"kind":"mutant 1","bytes":"…"}]`. Bytes stay hexadecimal,
/// because most of the blocks' layouts are published for some kinds only.
fn object_info(handle: &Handle) -> Option<String> {
    let block = |(kind, bytes): &(u32, Vec<u8>)| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{{\"kind\":\"{}\",\"bytes\":\"{hex}\"}}", kind_name(*kind))
    };
    let blocks: Vec<String> = handle.object_info.iter().map(block).collect();
    (!blocks.is_empty()).then(|| format!("[{}]", blocks.join(",")))
}

/// `MINIDUMP_HANDLE_OBJECT_INFORMATION_TYPE`, minidumpapiset.h.
fn kind_name(kind: u32) -> String {
    let name = match kind {
        1 => "thread 1",
        2 => "mutant 1",
        3 => "mutant 2",
        4 => "process 1",
        5 => "process 2",
        6 => "event 1",
        7 => "section 1",
        8 => "semaphore 1",
        _ => return kind.to_string(),
    };
    name.into()
}
