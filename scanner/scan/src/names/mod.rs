//! Names for the numbers that a dump states: bug checks, NTSTATUS values, exception codes.
//!
//! The tables are text files, `CODE<tab>NAME` in ascending order of the code (hexadecimal, eight
//! digits), compiled in and parsed once. Codes and names are facts, taken from public documents:
//! each table's module says which.

mod bugcheck;
mod irp;
mod ntstatus;
mod parameters;
mod security;
mod waiting;

pub use bugcheck::{bugcheck_name, is_live_dump};
pub(crate) use irp::{irp_major, irp_minor};
pub use ntstatus::{exception_name, ntstatus_name};
pub(crate) use parameters::{Role, access_name, bugcheck_parameters};
pub(crate) use security::{privilege_name, sid_name};
pub(crate) use waiting::{dispatcher_kind, thread_state, wait_reason, wait_type};

use std::sync::OnceLock;

/// The exception is at the instruction, what was saved behind it.
pub(crate) const STATUS_BREAKPOINT: u32 = 0x8000_0003;

/// A table of names by code.
struct Table {
    text: &'static str,
    rows: OnceLock<Vec<(u32, &'static str)>>,
}

impl Table {
    const fn new(text: &'static str) -> Table {
        Table { text, rows: OnceLock::new() }
    }

    /// All rows, in the order of the file.
    fn rows(&self) -> &[(u32, &'static str)] {
        self.rows.get_or_init(|| self.text.lines().filter_map(row).collect())
    }

    fn name(&self, code: u32) -> Option<&'static str> {
        let rows = self.rows();
        let at = rows.binary_search_by_key(&code, |(code, _)| *code).ok()?;
        rows.get(at).map(|(_, name)| *name)
    }
}

fn row(line: &'static str) -> Option<(u32, &'static str)> {
    let (code, name) = line.split_once('\t')?;
    Some((u32::from_str_radix(code, 16).ok()?, name))
}

/// What every table must keep: all lines are rows, ascending, without duplicates, names of the field.
#[cfg(test)]
fn check_table(table: &Table, at_least: usize) {
    let rows = table.rows();
    assert_eq!(rows.len(), table.text.lines().count());
    assert!(rows.len() >= at_least, "{} rows", rows.len());
    for pair in rows.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{:x?}", pair);
    }
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    assert_eq!(rows.iter().find(|(_, name)| !is_name(name)), None);
}
