//! An answer as a file for other programs: Parquet, or Arrow's IPC file format (also called Feather).

use crate::{
    error::{Error, Result},
    staged,
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use std::{fmt::Display, fs::File};

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// As the lake itself is written.
    Parquet,
    /// Arrow IPC file.
    Arrow,
}

/// A file on its way. It is whole after [`Export::finish`].
pub enum Export {
    /// Parquet.
    Parquet(Box<ArrowWriter<File>>),
    /// Arrow IPC file.
    Arrow(Box<FileWriter<File>>),
}

impl Export {
    /// Begins a file of rows with these columns.
    ///
    /// # Errors
    /// A column has a type that the format does not know, or the file cannot be written.
    pub fn new(format: FileFormat, file: File, schema: &SchemaRef) -> Result<Export> {
        Ok(match format {
            FileFormat::Parquet => {
                let options = staged::options(&RecordBatch::new_empty(schema.clone()));
                let writer = ArrowWriter::try_new_with_options(file, schema.clone(), options);
                Export::Parquet(Box::new(writer.map_err(failed)?))
            }
            FileFormat::Arrow => Export::Arrow(Box::new(FileWriter::try_new(file, schema).map_err(failed)?)),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// They are not of the columns that were said, or the file cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Export::Parquet(writer) => writer.write(batch).map_err(failed),
            Export::Arrow(writer) => writer.write(batch).map_err(failed),
        }
    }

    /// Writes what describes the rows.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<()> {
        match self {
            Export::Parquet(writer) => writer.close().map(drop).map_err(failed),
            Export::Arrow(mut writer) => writer.finish().map_err(failed),
        }
    }
}

fn failed(error: impl Display) -> Error {
    Error::plain(format!("the rows cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::{Scratch, batch, read};

    #[test]
    fn both_formats_hold_the_rows() {
        let scratch = Scratch::new("export");
        let rows = batch("some text");
        let path = |format| scratch.0.join(format!("{format:?}"));
        for format in [FileFormat::Parquet, FileFormat::Arrow] {
            let mut export =
                Export::new(format, File::create(path(format)).unwrap(), &rows.schema()).unwrap();
            export.write(&rows).unwrap();
            export.write(&rows).unwrap();
            export.finish().unwrap();
        }
        let twice = arrow::compute::concat_batches(&rows.schema(), [&rows, &rows]).unwrap();
        assert_eq!(read(&path(FileFormat::Parquet)).columns(), twice.columns());
        let file = File::open(path(FileFormat::Arrow)).unwrap();
        let batches = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
        assert_eq!(batches.map(|batch| batch.unwrap()).collect::<Vec<_>>(), [rows.clone(), rows]);
    }
}
