//! The manual of all tables, `TABLES.md`, from their declarations.

use crate::{ColumnSpec, DUMP_ID, TableSpec};
use std::fmt::Write;

/// The text of `TABLES.md`.
pub fn manual() -> String {
    let mut text = String::from(
        "# Tables\n\nGenerated from `schema/src/tables` (`UPDATE=1 cargo test` refreshes it). NULL means \"not stated \
         by the file, or not readable\" (then `faults` says why); zero means zero. Sizes and counts are `UBIGINT`, and \
         so are words of the machine such as addresses and registers: those are marked `hex`, and JSON output has them as \
         text (`0x` and 16 digits). Times are `TIMESTAMP` in UTC.\n",
    );
    for spec in crate::all() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n## {}\n\n{}\n", spec.name, spec.description());
        let _ = writeln!(text, "| column | type | NULL | meaning |\n|---|---|---|---|");
        for column in std::iter::once(&DUMP_ID).chain(spec.columns) {
            let _ = writeln!(text, "{}", row(column));
        }
    }
    let _ = writeln!(text, "\n{} tables, {} columns.", crate::all().len(), columns(crate::all()));
    text
}

fn row(column: &ColumnSpec) -> String {
    let null = if column.nullable { "yes" } else { "" };
    let word = column.cell == crate::CellType::U64 && crate::is_word(column.name);
    let kind = if word { " hex" } else { "" };
    let meaning = column.description().replace('|', "\\|");
    format!("| `{}` | {}{kind} | {null} | {meaning} |", column.name, column.cell.sql())
}

fn columns(tables: &[&TableSpec]) -> usize {
    tables.iter().map(|spec| spec.columns.len() + 1).sum()
}
