//! The SQL that makes `lake.duckdb`: macros, a view for each table, the library of views, and all descriptions.
//!
//! The script depends on nothing but the lake's path, on which tables have a partition, and on the version of
//! `dumplake`, so its checksum tells whether an existing `lake.duckdb` still is what would be written now.

use std::fmt::Write;
use std::path::PathBuf;

use crate::path::{self, glob_literal, quote};
use crate::tables::{Column, Table};
use crate::{diffs, macros, views};

/// The whole script, where `source` gives what reads the partitions of a table, if it has any.
pub fn script(tables: &[Table], source: impl Fn(&Table) -> Option<String>) -> String {
    let mut sql = String::from(macros::FIRST);
    // A view is checked when it is made, and that opens every file below it. The library is made over tables that have
    // none yet, or it would open all files of the lake once for each of its views.
    for table in tables {
        table_view(&mut sql, table, None);
    }
    sql.push_str(&macros::last());
    for view in views::LIBRARY {
        let _ = writeln!(sql, "{}", view.sql);
        comment(&mut sql, "VIEW", &name(view.name), &view.question());
    }
    for diff in diffs::DIFFS {
        let _ = writeln!(sql, "{}", diff.sql);
    }
    for table in tables {
        if let Some(source) = source(table) {
            table_view(&mut sql, table, Some(&source));
        }
        comments(&mut sql, table);
    }
    sql
}

/// The row of `lake_info`: where this lake was when the script ran, and the script's checksum.
pub fn info(root: &str, script: &str) -> String {
    format!(
        "CREATE TABLE lake_info (path VARCHAR, script VARCHAR, tool_version VARCHAR);\n\
         INSERT INTO lake_info VALUES ({}, '{}', '{}');\n\
         COMMENT ON TABLE lake_info IS 'Where the lake was when this file was written. Moved it? dumplake lake repair';\n",
        quote(root),
        checksum(script),
        env!("CARGO_PKG_VERSION")
    )
}

/// FNV-1a, 64 bits: tells scripts apart, protects from nothing.
pub fn checksum(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// What reads all partitions of a table of the lake at `root`, those too that come later.
pub fn partitions(root: &str, table: &str) -> String {
    read_parquet(&quote(&format!("{}/{table}/dump_id=*/part-*.parquet", glob_literal(root))))
}

/// What reads these files only.
pub fn files(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| quote(&glob_literal(&path::text(path)))).collect();
    read_parquet(&format!("[{}]", names.join(", ")))
}

/// `union_by_name` lets partitions of an older version lack a column.
fn read_parquet(what: &str) -> String {
    format!(
        "read_parquet({what}, hive_partitioning = true, hive_types = {{'dump_id': VARCHAR}}, union_by_name = true)"
    )
}

/// A view with the table's columns in their order. The empty first half gives it those columns and types even where
/// no partition has them, or where there is no partition at all; DuckDB's optimizer drops it from every plan.
fn table_view(sql: &mut String, table: &Table, source: Option<&str>) {
    let list = |each: fn(&Column) -> String| table.columns.iter().map(each).collect::<Vec<_>>().join(", ");
    let names = list(|column| name(column.name));
    let typed = list(|column| format!("NULL::{} AS {}", column.sql_type, name(column.name)));
    let _ = write!(
        sql,
        "CREATE OR REPLACE VIEW {} AS SELECT {names} FROM (SELECT {typed} WHERE false",
        name(table.name)
    );
    if let Some(source) = source {
        let _ = write!(sql, " UNION ALL BY NAME SELECT * FROM {source}");
    }
    sql.push_str(");\n");
}

fn comments(sql: &mut String, table: &Table) {
    comment(sql, "VIEW", &name(table.name), table.doc);
    for column in &table.columns {
        comment(sql, "COLUMN", &format!("{}.{}", name(table.name), name(column.name)), column.doc);
    }
}

fn comment(sql: &mut String, kind: &str, what: &str, text: &str) {
    let _ = writeln!(sql, "COMMENT ON {kind} {what} IS {};", quote(text));
}

/// A quoted name: `end` and `type` are columns.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
