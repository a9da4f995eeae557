//! The tables of one dump while they are written: a folder of its own beside the lake's tables, which
//! nobody reads until it is whole.

use crate::{
    disk,
    error::{Error, Result},
    lake::{Identity, Lake, check_id},
    publish,
    table::TableSpec,
};
use arrow::array::RecordBatch;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::{metadata::KeyValue, properties::WriterProperties},
};
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Rows in a row group: DuckDB's own vector-group size, so that its threads share a file well.
const ROW_GROUP: usize = 122_880;

/// Bytes of distinct values after which a column stops collecting them in a dictionary.
///
/// A row group's worth of distinct u64 is 960 KiB, just below the writer's own limit of 1 MiB: columns of
/// addresses would become dictionaries of every address, in files a third larger and written at 0.6 of
/// the speed. What does repeat (names, sizes, protections) has few distinct values in a row group.
const DICTIONARY: usize = 64 * 1024;

/// Takes batches of rows: the lake, or a collection in a test.
pub trait Sink: Sync {
    /// Adds `batch` to `table`. A batch without rows makes the table exist.
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> Result<()>;
}

type Writer = Arc<Mutex<ArrowWriter<File>>>;

/// The tables of one dump on their way into a lake. Dropped without [`Staged::commit`], it leaves
/// nothing behind.
pub struct Staged<'a> {
    lake: &'a Lake,
    name: Option<(String, Identity)>,
    folder: PathBuf,
    /// Held while we live, so that another process can tell our folder from one left by a kill.
    lock: Option<File>,
    writers: Mutex<BTreeMap<&'static str, Writer>>,
}

impl<'a> Staged<'a> {
    pub(crate) fn new(lake: &'a Lake, name: Option<(String, Identity)>) -> Result<Staged<'a>> {
        let prefix = name.as_ref().map_or("unnamed", |(dump_id, _)| dump_id);
        let (folder, lock) = publish::claim(lake.root(), prefix)?;
        Ok(Staged { lake, name, folder, lock: Some(lock), writers: Mutex::default() })
    }

    /// Says which dump it is, if that was not known when it began.
    ///
    /// Errors: the id is none.
    pub fn name(&mut self, dump_id: &str, identity: &Identity) -> Result<()> {
        check_id(dump_id)?;
        self.name = Some((dump_id.into(), identity.clone()));
        Ok(())
    }

    /// Makes all tables part of the lake, replacing those of an earlier conversion of the same dump.
    ///
    /// Errors: it has no name, or the file system refuses.
    pub fn commit(self) -> Result<()> {
        let Some((dump_id, identity)) = &self.name else {
            return Err(Error::plain("tables without the id of their dump cannot be committed"));
        };
        let writers = std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        let mut tables = Vec::new();
        for (name, writer) in writers {
            close(writer, identity, &self.folder)?;
            tables.push(name);
        }
        publish::commit(self.lake.root(), dump_id, &self.folder, &tables)
    }

    fn writer(&self, table: &TableSpec) -> Result<Writer> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writers.get(table.name) {
            return Ok(writer.clone());
        }
        let folder = self.folder.join(table.name);
        disk::create_folders(&folder).map_err(|error| Error::new("create", &folder, error))?;
        let path = folder.join("part-0.parquet");
        let file = disk::create_file(&path).map_err(|error| Error::new("create", &path, error))?;
        let writer = ArrowWriter::try_new(file, table.schema(), Some(properties()))
            .map_err(|error| Error::new("write", &path, error))?;
        let writer = Arc::new(Mutex::new(writer));
        writers.insert(table.name, writer.clone());
        Ok(writer)
    }
}

impl Sink for Staged<'_> {
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> Result<()> {
        let writer = self.writer(table)?;
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write(&batch).map_err(|error| Error::new("write", &self.folder.join(table.name), error))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // Windows deletes no file that is open.
        self.writers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // Nobody reads this folder; what cannot be removed now goes at the next opening. After a commit
        // it bears another name, and there is nothing to remove.
        if self.folder.exists() {
            let _ = disk::remove_folder(&self.folder);
        }
        drop(self.lock.take());
        publish::remove_lock(&self.folder);
    }
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_dictionary_page_size_limit(DICTIONARY)
        .build()
}

/// Writes the footer and waits until the file is on the disk: the commit must not come before it.
fn close(writer: Writer, identity: &Identity, folder: &Path) -> Result<()> {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, value) in identity.pairs() {
        writer.append_key_value_metadata(KeyValue::new(key.to_string(), value.to_string()));
    }
    writer.finish().map_err(|error| Error::new("write", folder, error))?;
    disk::sync(writer.inner()).map_err(|error| Error::new("write", folder, error))
}

/// A sink that keeps everything, for tests.
impl Sink for Mutex<Vec<(String, RecordBatch)>> {
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> Result<()> {
        let mut kept = self.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((table.name.to_string(), batch));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Table,
        tables::{MemoryRunRow, MemoryRuns},
    };

    /// Bytes per value, before compression, of two columns in a full row group: every `start` is another
    /// address, every `length` one of four.
    #[test]
    fn only_what_repeats_goes_through_a_dictionary() {
        let mut rows = MemoryRuns::new();
        for row in 0..ROW_GROUP as u64 {
            rows.push(MemoryRunRow { start: row * 4096, length: row % 4 * 4096, ..MemoryRunRow::default() });
        }
        let schema = MemoryRuns::spec().schema();
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties())).unwrap();
        writer.write(&rows.finish().unwrap()).unwrap();
        let metadata = writer.close().unwrap();
        let columns = metadata.row_group(0).columns().iter();
        let width = |name: &str| {
            let column = columns.clone().find(|column| column.column_descr().name() == name).unwrap();
            column.uncompressed_size() as f64 / ROW_GROUP as f64
        };
        assert!((8.0..8.3).contains(&width("start")), "{}", width("start"));
        assert!((0.25..0.4).contains(&width("length")), "{}", width("length"));
    }
}
