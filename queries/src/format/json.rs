//! An array of objects, one a line.
//!
//! Most readers of JSON hold a number as a double, which knows whole numbers up to 2^53 only. So a word of the machine
//! (an address, a register; `schema::is_word`) is always a text, `0x` and 16 digits, and any other whole number that is
//! larger is a text of its decimal digits. [`Style::exact`](super::Style::exact) leaves all of them numbers.

use std::io::{self, Write};

use duckdb::arrow::array::{Array, AsArray};
use duckdb::arrow::datatypes::{DataType, Schema, UInt64Type};
use duckdb::arrow::record_batch::RecordBatch;

use super::cell::{Cells, Columns};
use super::{Answer, names};
use crate::safe;

pub struct Json<'o> {
    out: &'o mut dyn Write,
    /// The names as they stand in each object, quotes and colon included.
    keys: Vec<String>,
    /// Which columns are words of the machine.
    kinds: Vec<Kind>,
    first: bool,
}

/// How numbers of a column are written.
#[derive(Clone, Copy)]
enum Kind {
    /// As they are, with all digits.
    Exact,
    /// Unsigned 64-bit ones in hexadecimal.
    Word,
    /// As numbers while a double holds them.
    Number,
}

impl Kind {
    fn of(column: &str, exact: bool) -> Self {
        match exact {
            true => Self::Exact,
            false if schema::is_word(column) => Self::Word,
            false => Self::Number,
        }
    }
}

impl<'o> Json<'o> {
    pub fn new(schema: &Schema, exact: bool, out: &'o mut dyn Write) -> Self {
        let kinds = names(schema).iter().map(|name| Kind::of(name, exact)).collect();
        let keys = unique(names(schema)).iter().map(|name| format!("{}: ", string(name))).collect();
        Self { out, keys, kinds, first: true }
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
            let columns = self.keys.iter().zip(&self.kinds).zip(&cells);
            for (at, ((key, kind), column)) in columns.enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                text.push_str(key);
                value(column, row, *kind, &mut text)?;
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

fn value(cells: &Cells<'_>, row: usize, kind: Kind, json: &mut String) -> io::Result<()> {
    let array = cells.array();
    if array.is_null(row) {
        json.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::List(_) => items(array.as_list::<i32>().value(row).as_ref(), kind, json),
        DataType::LargeList(_) => items(array.as_list::<i64>().value(row).as_ref(), kind, json),
        DataType::FixedSizeList(_, _) => items(array.as_fixed_size_list().value(row).as_ref(), kind, json),
        DataType::Struct(_) => members(array, row, kind, json),
        // Pairs, because keys need be neither texts nor known beforehand.
        DataType::Map(_, _) => items(&array.as_map().value(row), kind, json),
        _ => scalar(cells, row, kind, json),
    }
}

fn items(array: &dyn Array, kind: Kind, json: &mut String) -> io::Result<()> {
    let cells = Cells::new(array, "")?;
    json.push('[');
    for row in 0..array.len() {
        json.push_str(if row == 0 { "" } else { ", " });
        value(&cells, row, kind, json)?;
    }
    json.push(']');
    Ok(())
}

fn members(array: &dyn Array, row: usize, kind: Kind, json: &mut String) -> io::Result<()> {
    let fields = array.as_struct();
    json.push('{');
    for (at, (field, column)) in fields.fields().iter().zip(fields.columns()).enumerate() {
        json.push_str(if at == 0 { "" } else { ", " });
        json.push_str(&string(field.name()));
        json.push_str(": ");
        let kind = Kind::of(field.name(), matches!(kind, Kind::Exact));
        value(&Cells::new(column.as_ref(), "")?, row, kind, json)?;
    }
    json.push('}');
    Ok(())
}

fn scalar(cells: &Cells<'_>, row: usize, kind: Kind, json: &mut String) -> io::Result<()> {
    let mut text = String::new();
    let text = cells.text(row, &mut text)?.unwrap_or_default();
    let array = cells.array();
    match array.data_type() {
        // JSON knows no infinity and no "not a number".
        DataType::Float32 | DataType::Float64 if !text.parse::<f64>().is_ok_and(f64::is_finite) => {
            json.push_str("null");
        }
        DataType::Boolean | DataType::Float16 | DataType::Float32 | DataType::Float64 => json.push_str(text),
        DataType::UInt64 if matches!(kind, Kind::Word) => {
            let word = array.as_primitive::<UInt64Type>().value(row);
            json.push_str(&string(&schema::word_text(word)));
        }
        number if number.is_numeric() && (matches!(kind, Kind::Exact) || is_held(text)) => {
            json.push_str(text)
        }
        _ => json.push_str(&string(text)),
    }
    Ok(())
}

/// Whether a double holds a number with all its digits. Of decimals it keeps 15.
fn is_held(number: &str) -> bool {
    match number.parse::<i128>() {
        Ok(whole) => schema::is_held(whole),
        Err(_) => number.bytes().filter(u8::is_ascii_digit).count() <= f64::DIGITS as usize,
    }
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
