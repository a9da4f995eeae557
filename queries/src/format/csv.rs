//! Comma-separated values by RFC 4180.

use std::io::{self, Write};

use duckdb::arrow::datatypes::Schema;
use duckdb::arrow::record_batch::RecordBatch;

use super::cell::Columns;
use super::{Answer, names};
use crate::safe;

pub struct Csv<'o> {
    out: &'o mut dyn Write,
    terminal: bool,
    header: Option<Vec<String>>,
}

impl<'o> Csv<'o> {
    pub fn new(schema: &Schema, terminal: bool, out: &'o mut dyn Write) -> Self {
        Self { out, terminal, header: Some(names(schema)) }
    }

    fn header(&mut self) -> io::Result<()> {
        let names = self.header.take().unwrap_or_default();
        for (at, name) in names.iter().enumerate() {
            self.field(at, Some(name))?;
        }
        if names.is_empty() { Ok(()) } else { self.out.write_all(b"\r\n") }
    }

    fn field(&mut self, at: usize, value: Option<&str>) -> io::Result<()> {
        if at > 0 {
            self.out.write_all(b",")?;
        }
        let Some(value) = value else { return Ok(()) };
        let value = if self.terminal { safe::terminal(value) } else { value.into() };
        if value.is_empty() || value.contains(['"', ',', '\r', '\n']) {
            return write!(self.out, "\"{}\"", value.replace('"', "\"\""));
        }
        self.out.write_all(value.as_bytes())
    }
}

impl Answer for Csv<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.header()?;
        let (columns, mut text) = (Columns::new(batch), String::new());
        let cells = columns.cells()?;
        for row in 0..batch.num_rows() {
            for (at, column) in cells.iter().enumerate() {
                self.field(at, column.text(row, &mut text)?)?;
            }
            self.out.write_all(b"\r\n")?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.header()
    }
}
