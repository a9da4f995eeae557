//! The answer to `EXPLAIN`: the second column holds a drawing of lines.

use std::io::{self, Write};

use duckdb::arrow::record_batch::RecordBatch;

use super::Answer;
use super::cell::Columns;
use crate::safe;

pub struct Plan<'o> {
    pub out: &'o mut dyn Write,
}

impl Answer for Plan<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let (columns, mut text) = (Columns::new(batch), String::new());
        let cells = columns.cells()?;
        let Some(drawing) = cells.get(1) else { return Ok(()) };
        for row in 0..batch.num_rows() {
            for line in drawing.text(row, &mut text)?.unwrap_or_default().lines() {
                writeln!(self.out, "{}", safe::terminal(line))?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}
