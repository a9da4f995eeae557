//! Aligned columns for people.
//!
//! Widths come from the first thousand rows; a later, longer value pushes its own line out of line, which is the
//! price for not holding a big answer in memory. A table that is wider than the terminal is written as records, one
//! line for each value: two hundred registers in a row cannot be read.

use std::io::{self, Write};

use duckdb::arrow::datatypes::Schema;
use duckdb::arrow::record_batch::RecordBatch;
use unicode_width::UnicodeWidthStr;

use super::cell::Columns;
use super::{Answer, names};
use crate::safe;

/// Rows whose widths are looked at before the first line is written.
const SAMPLE: usize = 1000;

const NULL: &str = "NULL";

pub struct Table<'o> {
    out: &'o mut dyn Write,
    limit: Option<usize>,
    names: Vec<String>,
    numbers: Vec<bool>,
    layout: Layout,
    count: u64,
}

enum Layout {
    /// Not known yet: the rows so far.
    Waiting(Vec<Vec<String>>),
    /// Columns of these widths.
    Lines(Vec<usize>),
    /// One line for each value, after a name of this width.
    Records(usize),
}

impl<'o> Table<'o> {
    pub fn new(schema: &Schema, limit: Option<usize>, out: &'o mut dyn Write) -> Self {
        let names = names(schema).iter().map(|name| safe::terminal(name).into_owned()).collect();
        let numbers = schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
        Self { out, limit, names, numbers, layout: Layout::Waiting(Vec::new()), count: 0 }
    }

    /// Decides the layout and writes the rows that waited for it.
    fn settle(&mut self) -> io::Result<()> {
        let Layout::Waiting(rows) = &mut self.layout else { return Ok(()) };
        let rows = std::mem::take(rows);
        let mut widths: Vec<usize> = self.names.iter().map(|name| name.width()).collect();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let total = widths.iter().map(|width| width + 3).sum::<usize>().saturating_sub(1);
        if self.limit.is_some_and(|limit| total > limit) && self.names.len() > 1 {
            self.layout = Layout::Records(self.names.iter().map(|name| name.width()).max().unwrap_or(0));
        } else {
            self.header(&widths)?;
            self.layout = Layout::Lines(widths);
        }
        rows.iter().try_for_each(|row| self.row(row))
    }

    fn header(&mut self, widths: &[usize]) -> io::Result<()> {
        let left = vec![false; widths.len()];
        line(self.out, &self.names, widths, &left)?;
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        writeln!(self.out, "{}", rules.join("+"))
    }

    fn row(&mut self, row: &[String]) -> io::Result<()> {
        self.count += 1;
        match &self.layout {
            Layout::Lines(widths) => line(self.out, row, widths, &self.numbers),
            Layout::Records(width) => {
                writeln!(self.out, "-[ {} ]-", self.count)?;
                self.names
                    .iter()
                    .zip(row)
                    .try_for_each(|(name, cell)| writeln!(self.out, "{}{} | {cell}", name, pad(name, *width)))
            }
            Layout::Waiting(_) => Ok(()),
        }
    }
}

impl Answer for Table<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let (columns, mut text) = (Columns::new(batch), String::new());
        let cells = columns.cells()?;
        for at in 0..batch.num_rows() {
            let mut row = Vec::with_capacity(cells.len());
            for column in &cells {
                row.push(safe::terminal(column.text(at, &mut text)?.unwrap_or(NULL)).into_owned());
            }
            match &mut self.layout {
                Layout::Waiting(rows) => rows.push(row),
                Layout::Lines(_) | Layout::Records(_) => self.row(&row)?,
            }
            if matches!(&self.layout, Layout::Waiting(rows) if rows.len() >= SAMPLE) {
                self.settle()?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.settle()?;
        writeln!(self.out, "({} row{})", self.count, if self.count == 1 { "" } else { "s" })
    }
}

/// One line; numbers stand to the right, and nothing trails.
fn line(out: &mut dyn Write, cells: &[String], widths: &[usize], right: &[bool]) -> io::Result<()> {
    let mut text = String::new();
    for ((cell, width), right) in cells.iter().zip(widths).zip(right) {
        if !text.is_empty() {
            text.push('|');
        }
        let pad = pad(cell, *width);
        text.extend([" ", if *right { &pad } else { cell }, if *right { cell } else { &pad }, " "]);
    }
    writeln!(out, "{}", text.trim_end())
}

fn pad(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.width()))
}
