//! `handles`: as the file states them (user minidumps), or of every process of the kernel and of `PspCidTable`.

use super::process_id;
use crate::{Job, out::Out};
use memory::{Va, records::Handle};
use nt::{System, handle::Handle as Open, object::Header};
use schema::{
    Sink,
    tables::{HandleRow, Handles},
};
use std::collections::HashMap;

/// Bytes of objects that are kept for their next handle. A busy system has some ten thousand objects.
const MOST_KNOWN: usize = 32 << 20;

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
    let mut known = Known::default();
    for process in system.processes() {
        let table = system.handle_table_of(process.va);
        for handle in table.map(|table| system.handles(table)).unwrap_or_default() {
            let object = known.object(system, handle.target);
            out.push(HandleRow {
                process_id: process.pid,
                eprocess: Some(process.va.0),
                source: "_EPROCESS.ObjectTable".into(),
                ..row(system, object, &handle)
            })?;
        }
    }
    for handle in system.cid_table() {
        let object = Object::of(system, system.object(handle.target));
        let source = "PspCidTable".into();
        // It grants nothing: its entries have no access mask.
        out.push(HandleRow { granted_access: None, source, ..row(system, &object, &handle) })?;
    }
    Ok(())
}

/// Objects by the address of their header: many handles lead to one.
#[derive(Default)]
struct Known {
    objects: HashMap<u64, Object>,
    bytes: usize,
}

impl Known {
    /// The object at a header. With too many they are forgotten and read again: a forged table has millions.
    fn object(&mut self, system: &System, at: Va) -> &Object {
        if self.bytes > MOST_KNOWN {
            *self = Known::default();
        }
        self.objects.entry(at.0).or_insert_with(|| {
            let object = Object::of(system, system.object_at(at));
            self.bytes += object.bytes();
            object
        })
    }
}

/// What handles tell of their object.
struct Object {
    header: Header,
    /// Its full name.
    name: Option<String>,
}

impl Object {
    fn of(system: &System, header: Option<Header>) -> Object {
        let header = header.unwrap_or_default();
        let name = if header.body.0 == 0 { None } else { system.object_name(&header) };
        // Its own name is part of the full one; one text may be the name of a million objects.
        Object { header: Header { name: None, ..header }, name }
    }

    /// What it takes in memory.
    fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Object>() + text(&self.name) + text(&self.header.type_name)
    }
}

fn row(system: &System, Object { header, name }: &Object, handle: &Open) -> HandleRow {
    HandleRow {
        handle: handle.value,
        type_name: header.type_name.clone(),
        object_name: system.text("handles.object_name", name.clone()),
        attributes: handle.attributes,
        granted_access: handle.access,
        handle_count: header.handle_count.and_then(|count| u32::try_from(count).ok()),
        pointer_count: header.pointer_count,
        object: Some(header.body.0).filter(|&va| va != 0),
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
