//! Where rows go: a builder of one table that hands a full batch to the sink.

use schema::{Sink, Table};

/// Rows held before they go to the sink. Parquet buffers a row group behind it anyway; this bounds
/// what one walk holds.
const BATCH: usize = 16 * 1024;

/// The rows of one table on their way to a sink.
pub struct Out<'a, T: Table> {
    rows: T,
    sink: &'a dyn Sink,
    written: u64,
}

impl<'a, T: Table> Out<'a, T> {
    pub fn new(sink: &'a dyn Sink) -> Out<'a, T> {
        Out { rows: T::new(), sink, written: 0 }
    }

    /// Adds a row.
    pub fn push(&mut self, row: T::Row) -> schema::Result<()> {
        self.rows.push(row);
        if self.rows.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Writes what is left and returns the number of rows. Also called for a table without rows, so
    /// that its file exists: "looked and found nothing" differs from "not looked".
    pub fn finish(mut self) -> schema::Result<u64> {
        self.flush()?;
        Ok(self.written)
    }

    fn flush(&mut self) -> schema::Result<()> {
        self.written += self.rows.len() as u64;
        self.sink.write(T::spec(), self.rows.finish()?)
    }
}
