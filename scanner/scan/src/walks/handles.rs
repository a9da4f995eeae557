//! `handles` as the file states them (user minidumps).

use super::process_id;
use crate::{Job, out::Out};
use memory::records::Handle;
use schema::{
    Sink,
    tables::{HandleRow, Handles},
};

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
            pointer_count: handle.pointer_count,
            object_info: object_info(handle),
            source: handle.source.into(),
        })?;
    }
    out.finish()
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
