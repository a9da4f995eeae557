//! DumpType 1, complete memory dump: the pages of the header's physical memory descriptor, packed,
//! right behind the header.
//!
//! Source: kdmp-parser, LeechCore.

use super::{
    Format, Memory, Opened, header,
    header::{Header, dump_type},
    packed::Packed,
    secondary,
};
use crate::{error::Result, records::Problem};

pub(crate) static FORMAT: Format = Format {
    name: "kernel full",
    about: "complete memory dump (DumpType 1): every page of physical memory, as runs",
    probe: |map| header::dump_type(map.bytes()) == Some(dump_type::FULL),
    open: |map| open(map.bytes()),
};

fn open(file: &[u8]) -> Result<Opened> {
    let Header { kind, mut records, runs, .. } = header::read(file)?;
    let structure = kind.structure();
    let field = "PhysicalMemoryBlock";
    let at = kind.descriptor();
    if runs.is_empty() {
        let expected = "the runs of a full dump";
        records.fault(Problem::new("invalid", structure, field, at, expected, "none that can be read"));
    }
    let mut packed = Packed::new(kind.size(), file.len() as u64);
    for (first, count) in runs {
        if !packed.push(first, count) {
            let found = format!("{count} frames at {first:#x}");
            let expected = "frames of physical memory";
            records.fault(Problem::new("invalid", structure, field, at, expected, found));
            break;
        }
    }
    let end = packed.end();
    let memory = Memory::Physical(packed.finish(structure, &mut records));
    secondary::read(file, end, &mut records);
    Ok(Opened::new(memory, records))
}

#[cfg(test)]
mod tests;
