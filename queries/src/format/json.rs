//! An array of objects, one a line.

use std::io::{self, Write};

use duckdb::arrow::array::{Array, AsArray};
use duckdb::arrow::datatypes::{DataType, Schema};
use duckdb::arrow::record_batch::RecordBatch;

use super::cell::{Cells, Columns};
use super::{Answer, names};
use crate::safe;

pub struct Json<'o> {
    out: &'o mut dyn Write,
    /// The names as they stand in each object, quotes and colon included.
    keys: Vec<String>,
    first: bool,
}

impl<'o> Json<'o> {
    pub fn new(schema: &Schema, out: &'o mut dyn Write) -> Self {
        let keys = unique(names(schema)).iter().map(|name| format!("{}: ", string(name))).collect();
        Self { out, keys, first: true }
    }
}

impl Answer for Json<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let columns = Columns::new(batch);
        let cells = columns.cells()?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            text.clear();
            text.push_str(if self.first { "[\n{" } else { ",\n{" });
            self.first = false;
            for (at, (key, column)) in self.keys.iter().zip(&cells).enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                text.push_str(key);
                value(column, row, &mut text)?;
            }
            text.push('}');
            self.out.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(if self.first { b"[]\n" } else { b"\n]\n" })
    }
}

/// An object cannot have two members of one name; the second `x` becomes `x:1`, as DuckDB calls it in a subquery.
fn unique(names: Vec<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let taken = |candidate: &String| !found.contains(candidate);
        let mut candidates = std::iter::once(name.clone()).chain((1..).map(|n: u64| format!("{name}:{n}")));
        found.extend(candidates.find(taken));
    }
    found
}

fn value(cells: &Cells<'_>, row: usize, json: &mut String) -> io::Result<()> {
    let array = cells.array();
    if array.is_null(row) {
        json.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::List(_) => items(array.as_list::<i32>().value(row).as_ref(), json),
        DataType::LargeList(_) => items(array.as_list::<i64>().value(row).as_ref(), json),
        DataType::FixedSizeList(_, _) => items(array.as_fixed_size_list().value(row).as_ref(), json),
        DataType::Struct(_) => members(array, row, json),
        // Pairs, because keys need be neither texts nor known beforehand.
        DataType::Map(_, _) => items(&array.as_map().value(row), json),
        kind => scalar(cells, row, kind, json),
    }
}

fn items(array: &dyn Array, json: &mut String) -> io::Result<()> {
    let cells = Cells::new(array, "")?;
    json.push('[');
    for row in 0..array.len() {
        json.push_str(if row == 0 { "" } else { ", " });
        value(&cells, row, json)?;
    }
    json.push(']');
    Ok(())
}

fn members(array: &dyn Array, row: usize, json: &mut String) -> io::Result<()> {
    let fields = array.as_struct();
    json.push('{');
    for (at, (field, column)) in fields.fields().iter().zip(fields.columns()).enumerate() {
        json.push_str(if at == 0 { "" } else { ", " });
        json.push_str(&string(field.name()));
        json.push_str(": ");
        value(&Cells::new(column.as_ref(), "")?, row, json)?;
    }
    json.push('}');
    Ok(())
}

fn scalar(cells: &Cells<'_>, row: usize, kind: &DataType, json: &mut String) -> io::Result<()> {
    let mut text = String::new();
    let text = cells.text(row, &mut text)?.unwrap_or_default();
    match kind {
        // JSON knows no infinity and no "not a number".
        DataType::Float32 | DataType::Float64 if !text.parse::<f64>().is_ok_and(f64::is_finite) => {
            json.push_str("null");
        }
        kind if kind.is_numeric() || *kind == DataType::Boolean => json.push_str(text),
        _ => json.push_str(&string(text)),
    }
    Ok(())
}

/// A JSON string. What a terminal would obey is written as `\uXXXX`, which means the same text.
fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if safe::is_unsafe(c) => safe::json_escape(c, &mut quoted),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
