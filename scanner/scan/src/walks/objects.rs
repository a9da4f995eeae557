//! `objects` and `object_types`: the directory tree of the object manager, and the types.

use super::time;
use crate::{Job, out::Out};
use nt::{
    System, View,
    object::{Listed, ObjectSymbolicLink, ObjectType},
};
use schema::{
    Sink,
    tables::{ObjectRow, ObjectTypeRow, ObjectTypes, Objects},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Objects>::new(sink);
    if let Some(system) = job.system {
        let link = ObjectSymbolicLink::of(system);
        for listed in system.directory_tree() {
            out.push(row(system, &link, listed))?;
        }
    }
    out.finish()
}

fn row(system: &System, link: &ObjectSymbolicLink, listed: &Listed) -> ObjectRow {
    let header = &listed.header;
    let name = header.name.clone();
    let slash = if listed.directory == "\\" { "" } else { "\\" };
    let is_link = header.type_name.as_deref() == Some("SymbolicLink");
    let view = is_link.then(|| system.view(header.body, link.size));
    ObjectRow {
        path: format!("{}{slash}{}", listed.directory, name.as_deref().unwrap_or("")),
        directory: listed.directory.clone(),
        name,
        type_name: header.type_name.clone(),
        object: header.body.0,
        header: header.va.0,
        handle_count: header.handle_count,
        pointer_count: header.pointer_count,
        flags: header.flags,
        link_target: view.as_ref().and_then(|view| link_target(system, link, view)),
        link_created: view.as_ref().and_then(|view| time(view.time(link.created))),
    }
}

/// Text, unless a routine's address stands in its place: the lengths and the gap behind them are no kernel address.
fn link_target(system: &System, link: &ObjectSymbolicLink, view: &View) -> Option<String> {
    match view.pointer(link.callback) {
        Some(va) if system.pointer_size() == 8 && va.0 >> 47 == 0x1_ffff => None,
        _ => view.unicode(link.target),
    }
}

pub fn types(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<ObjectTypes>::new(sink);
    if let Some(system) = job.system {
        let layout = ObjectType::of(system);
        for (index, found) in system.object_types() {
            out.push(type_row(system, &layout, index, found))?;
        }
    }
    out.finish()
}

fn type_row(system: &System, layout: &ObjectType, index: u64, found: &nt::object::Type) -> ObjectTypeRow {
    let view = system.view(found.va, layout.size);
    let tag =
        |key: u32| key.to_le_bytes().map(|byte| if byte.is_ascii_graphic() { byte as char } else { ' ' });
    let routine = |field| view.pointer(field).map(|va| va.0);
    ObjectTypeRow {
        index: index as u32,
        name: found.name.clone(),
        object_type: found.va.0,
        objects: view.u32(layout.objects),
        handles: view.u32(layout.handles),
        most_objects: view.u32(layout.most_objects),
        most_handles: view.u32(layout.most_handles),
        tag: view.u32(layout.key).map(|key| tag(key).iter().collect()),
        valid_access: view.u32(layout.valid_access),
        pool_type: view.u32(layout.pool_type),
        open_procedure: routine(layout.open_procedure),
        close_procedure: routine(layout.close_procedure),
        delete_procedure: routine(layout.delete_procedure),
        parse_procedure: routine(layout.parse_procedure),
        security_procedure: routine(layout.security_procedure),
    }
}
