//! Procedures, and the sites in them where other functions were inlined.

use super::{
    super::{cursor::Cursor, cursor::records, places::Map},
    Asked, Steps,
};
use crate::Result;

/// A function of a module.
pub struct Procedure<'s> {
    pub name: String,
    pub start: u32,
    pub end: u32,
    /// In the order of the file: a site lies in the nearest one before it that is one less deep.
    pub sites: Vec<Site<'s>>,
}

/// A place where a function was inlined.
pub struct Site<'s> {
    /// Number of the function in the stream of ids.
    pub inlinee: u32,
    /// 0 is inlined into the procedure itself.
    pub depth: u32,
    pub annotations: &'s [u8],
}

/// Kinds of records (`S_*`).
const END: u16 = 0x0006;
const PROCEDURE_END: u16 = 0x114f;
const SITE: u16 = 0x114d;
const SITE_2: u16 = 0x115d;
const SITE_END: u16 = 0x114e;

/// Procedures that hold one of the addresses.
pub fn wanted<'s>(
    symbols: &'s [u8],
    map: &Map,
    asked: &Asked,
    steps: &mut Steps,
) -> Result<Vec<Procedure<'s>>> {
    let mut found: Vec<Procedure> = Vec::new();
    // Depth of sites while inside a wanted procedure.
    let mut inside: Option<u32> = None;
    for (kind, record) in records(symbols) {
        match (kind, inside) {
            (END, None) | (PROCEDURE_END, _) => inside = None,
            (SITE | SITE_2, Some(depth)) => {
                steps.take(1)?;
                inside = Some(depth.saturating_add(1));
                if let Some((site, procedure)) = site(kind, record, depth).zip(found.last_mut()) {
                    procedure.sites.push(site);
                }
            }
            (SITE_END, Some(depth)) => inside = Some(depth.saturating_sub(1)),
            _ if is_procedure(kind) => {
                inside = None;
                let procedure = procedure(record, map);
                let procedure = procedure.filter(|p| !asked.within(p.start, p.end).is_empty());
                if let Some(procedure) = procedure {
                    found.push(procedure);
                    inside = Some(0);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// `S_GPROC32`, `S_LPROC32`, their forms with an id, and those of deferred procedure calls.
fn is_procedure(kind: u16) -> bool {
    matches!(kind, 0x110f | 0x1110 | 0x1146 | 0x1147 | 0x1155 | 0x1156)
}

fn procedure<'s>(mut record: Cursor<'s>, map: &Map) -> Option<Procedure<'s>> {
    let _parent_end_next = record.take(12)?;
    let length = record.u32()?;
    let _debug_start_end_type = record.take(12)?;
    let (offset, section) = (record.u32()?, record.u16()?);
    let _flags = record.u8()?;
    let name = record.text()?;
    let start = map.rva((section, offset))?;
    Some(Procedure { name, start, end: start.checked_add(length)?, sites: Vec::new() })
}

fn site(kind: u16, mut record: Cursor, depth: u32) -> Option<Site> {
    let _parent_end = record.take(8)?;
    let inlinee = record.u32()?;
    if kind == SITE_2 {
        let _invocations = record.u32()?;
    }
    Some(Site { inlinee, depth, annotations: record.0 })
}
