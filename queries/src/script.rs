//! The SQL that makes `lake.duckdb`: macros, a view for each table, the library of views, and all descriptions.
//!
//! The script depends on nothing but the lake's path, on which tables have a partition, on which dumps are in merged
//! files, and on the version of `dumplake`, so its checksum tells whether an existing `lake.duckdb` still is what would be written now.

use std::fmt::Write;
use std::path::PathBuf;

use crate::path::{self, glob_literal, quote};
use crate::tables::{Column, Table};
use crate::{diffs, macros, views};

/// The whole script, where `sources` gives the queries whose rows a table has, and `merged` are the dumps whose
/// partitions are leftovers of a compaction.
pub fn script<'m>(
    tables: &[Table],
    merged: impl Iterator<Item = &'m str>,
    sources: impl Fn(&Table) -> Vec<String>,
) -> String {
    let mut sql = String::new();
    merged_dumps(&mut sql, merged);
    sql.push_str(&views(tables, sources));
    for view in views::LIBRARY {
        comment(&mut sql, "VIEW", &name(view.name), &view.question());
    }
    tables.iter().for_each(|table| comments(&mut sql, table));
    sql
}

/// The macros and views alone, without their descriptions: these are nine of ten statements.
pub fn views(tables: &[Table], sources: impl Fn(&Table) -> Vec<String>) -> String {
    let mut sql = String::from(macros::FIRST);
    // A view is checked when it is made, and that opens every file below it and goes through every view below it. The
    // library is made over real tables without rows, which the views take the place of.
    for table in tables {
        let columns = columns_of(table, |column| format!("{} {}", name(column.name), column.sql_type));
        let _ = writeln!(sql, "CREATE TABLE {} ({columns});", name(table.name));
    }
    sql.push_str(&macros::last());
    for view in views::LIBRARY {
        let _ = writeln!(sql, "{}", view.sql);
    }
    for diff in diffs::DIFFS {
        let _ = writeln!(sql, "{}", diff.sql);
    }
    for table in tables {
        table_view(&mut sql, table, &sources(table));
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
pub fn partitions(root: &str, table: &str, merged: bool, columns: Columns) -> String {
    let pattern = quote(&format!("{}/{table}/dump_id=*/part-*.parquet", glob_literal(root)));
    let files = read_parquet(&pattern, PARTITIONED, columns);
    query(&files, merged)
}

/// What reads these partitions only.
pub fn files(paths: &[PathBuf], merged: bool) -> String {
    query(&read_parquet(&list(paths), PARTITIONED, Columns::OfEach), merged)
}

/// What reads these merged files, but for the dumps that are gone from them.
pub fn merged_files<'g>(
    paths: &[PathBuf],
    gone: impl Iterator<Item = &'g String>,
    columns: Columns,
) -> String {
    let gone: Vec<String> = gone.map(|id| quote(id)).collect();
    let files = read_parquet(&list(paths), "", columns);
    match gone.is_empty() {
        true => format!("SELECT * FROM {files}"),
        false => format!("SELECT * FROM {files} WHERE dump_id NOT IN ({})", gone.join(", ")),
    }
}

/// What reads the rows of one dump in a merged file.
pub fn merged_rows(file: PathBuf, dump: &str) -> String {
    format!(
        "SELECT * FROM {} WHERE dump_id = {}",
        read_parquet(&list(&[file]), "", Columns::OfEach),
        quote(dump)
    )
}

/// Partitions of merged dumps are leftovers of a compaction: their rows are in the merged files.
fn query(files: &str, merged: bool) -> String {
    let leave_out = if merged { " ANTI JOIN lake_compacted USING (dump_id)" } else { "" };
    format!("SELECT * FROM {files}{leave_out}")
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| quote(&glob_literal(&path::text(path)))).collect();
    format!("[{}]", names.join(", "))
}

/// The folder's name says of which dump a partition is.
const PARTITIONED: &str = ", hive_partitioning = true, hive_types = {'dump_id': VARCHAR}";

/// Where DuckDB learns the columns of many files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// From the end of each file, so that files of an older version may lack some. All those ends are held in memory.
    OfEach,
    /// From the first file: all have the same.
    OfFirst,
}

fn read_parquet(what: &str, options: &str, columns: Columns) -> String {
    let by_name = columns == Columns::OfEach;
    format!("read_parquet({what}{options}, union_by_name = {by_name})")
}

/// `lake_compacted`: the merged dumps. A lake without any has no such table.
fn merged_dumps<'m>(sql: &mut String, merged: impl Iterator<Item = &'m str>) {
    let ids: Vec<&str> = merged.collect();
    if !ids.is_empty() {
        // One text is parsed much faster than ten thousand.
        let _ = writeln!(
            sql,
            "CREATE TABLE lake_compacted AS SELECT unnest(string_split('{}', ',')) AS dump_id;\n\
             COMMENT ON TABLE lake_compacted IS 'Dumps whose rows are in merged files: see `dumplake lake compact`.';",
            ids.join(",")
        );
    }
}

fn columns_of(table: &Table, each: fn(&Column) -> String) -> String {
    table.columns.iter().map(each).collect::<Vec<_>>().join(", ")
}

/// A view in the place of the table, with its columns in their order. The empty first half gives it those columns and types even where
/// no partition has them, or where there is no partition at all; DuckDB's optimizer drops it from every plan.
fn table_view(sql: &mut String, table: &Table, sources: &[String]) {
    let names = columns_of(table, |column| name(column.name));
    let typed = columns_of(table, |column| format!("NULL::{} AS {}", column.sql_type, name(column.name)));
    let _ = write!(
        sql,
        "DROP TABLE {0};\nCREATE VIEW {0} AS SELECT {names} FROM (SELECT {typed} WHERE false",
        name(table.name)
    );
    for source in sources {
        let _ = write!(sql, " UNION ALL BY NAME {source}");
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
