//! A table of GitHub's Markdown.

use std::io::{self, Write};

use duckdb::arrow::datatypes::Schema;
use duckdb::arrow::record_batch::RecordBatch;

use super::cell::Columns;
use super::{Answer, names};
use crate::safe;

pub struct Markdown<'o> {
    out: &'o mut dyn Write,
    /// Name and "is a number", until they are written.
    header: Option<Vec<(String, bool)>>,
}

impl<'o> Markdown<'o> {
    pub fn new(schema: &Schema, out: &'o mut dyn Write) -> Self {
        let numbers = schema.fields().iter().map(|field| field.data_type().is_numeric());
        Self { out, header: Some(names(schema).into_iter().zip(numbers).collect()) }
    }

    fn header(&mut self) -> io::Result<()> {
        let Some(header) = self.header.take() else { return Ok(()) };
        let names: String = header.iter().map(|(name, _)| format!(" {} |", safe::markdown(name))).collect();
        let rule: String =
            header.iter().map(|(_, number)| if *number { " ---: |" } else { " --- |" }).collect();
        writeln!(self.out, "|{names}\n|{rule}")
    }
}

impl Answer for Markdown<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.header()?;
        let (columns, mut text) = (Columns::new(batch), String::new());
        let cells = columns.cells()?;
        for row in 0..batch.num_rows() {
            self.out.write_all(b"|")?;
            for column in &cells {
                write!(self.out, " {} |", safe::markdown(column.text(row, &mut text)?.unwrap_or_default()))?;
            }
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.header()
    }
}
