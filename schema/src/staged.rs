//! The tables of one dump while they are written: a folder of its own beside the lake's tables, which
//! nobody reads until it is whole.

use crate::{
    disk,
    error::{Error, Result},
    lake::{Identity, Lake, ROWS, check_id},
    publish,
    table::TableSpec,
};
use arrow::{
    array::{AsArray, RecordBatch, UInt64Array},
    datatypes::{SchemaRef, UInt64Type},
};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder},
    },
    schema::types::ColumnPath,
};
use std::{
    collections::BTreeMap,
    fs::File,
    ops::DerefMut,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Rows in a row group: DuckDB's own vector-group size, so that its threads share a file well.
const ROW_GROUP: usize = 122_880;

/// Bytes of distinct values after which a column stops collecting them in a dictionary.
///
/// A row group's worth of distinct u64 is 960 KiB, just below the writer's own limit of 1 MiB: columns of
/// addresses would become dictionaries of every address, in files a third larger and written at 0.6 of
/// the speed. What does repeat (names, sizes, protections) has few distinct values in a row group.
const DICTIONARY: usize = 64 * 1024;

/// Values of a column that tell whether it repeats.
const SAMPLE: usize = 4096;

/// A table of no more rows is not compressed: it is hardly smaller then, and a compressor for each of a hundred columns
/// costs more than all else in the conversion of a small dump.
const FEW: usize = 64;

/// Takes batches of rows: the lake, or a collection in a test.
pub trait Sink: Sync {
    /// Adds `batch` to `table`. A batch without rows says that the table was looked for.
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> Result<()>;
}

/// One table on its way. It has a file from its first row on: most tables of a small dump have none, and thousands of
/// files that hold nothing but their schema cost more than all rows.
#[derive(Default)]
struct Part {
    rows: u64,
    /// Its first rows, if they are few and no others have come: whether it stays small is known at the end.
    few: Option<(SchemaRef, RecordBatch)>,
    writer: Option<ArrowWriter<File>>,
}

/// The tables of one dump on their way into a lake. Dropped without [`Staged::commit`], it leaves
/// nothing behind.
pub struct Staged<'a> {
    lake: &'a Lake,
    name: Option<(String, Identity)>,
    folder: PathBuf,
    /// Held while we live, so that another process can tell our folder from one left by a kill.
    lock: Option<File>,
    parts: Mutex<BTreeMap<&'static str, Arc<Mutex<Part>>>>,
    /// Tables that have a file, once all files are closed.
    closed: Option<Vec<&'static str>>,
}

impl<'a> Staged<'a> {
    pub(crate) fn new(lake: &'a Lake, name: Option<(String, Identity)>) -> Result<Staged<'a>> {
        let prefix = name.as_ref().map_or("unnamed", |(dump_id, _)| dump_id);
        let (folder, lock) = publish::claim(lake.root(), prefix)?;
        Ok(Staged { lake, name, folder, lock: Some(lock), parts: Mutex::default(), closed: None })
    }

    /// Says which dump it is, if that was not known when it began.
    ///
    /// Errors: the id is none.
    pub fn name(&mut self, dump_id: &str, identity: &Identity) -> Result<()> {
        check_id(dump_id)?;
        self.name = Some((dump_id.into(), identity.clone()));
        Ok(())
    }

    /// Closes the files: nothing more can be written, and what is left to do is [`commit`].
    ///
    /// Errors: it has no name, or the file system refuses.
    pub fn finish(&mut self) -> Result<()> {
        let Some((_, identity)) = &self.name else {
            return Err(Error::plain("tables without the id of their dump cannot be committed"));
        };
        let parts = std::mem::take(lock(&self.parts).deref_mut());
        let rows: Vec<String> =
            parts.iter().map(|(name, part)| format!("{name}={}", lock(part).rows)).collect();
        let rows = rows.join(" ");
        let mut closed = Vec::new();
        for (name, part) in parts {
            let Some(writer) = self.last(name, &mut lock(&part))? else { continue };
            let told = (name == "dumps").then_some((ROWS, rows.clone()));
            close(writer, identity.pairs().into_iter().chain(told), &self.folder)?;
            closed.push(name);
        }
        self.closed = Some(closed);
        Ok(())
    }

    /// Makes all tables part of the lake, replacing those of an earlier conversion of the same dump.
    ///
    /// Errors: it has no name, or the file system refuses.
    pub fn commit(self) -> Result<()> {
        commit(vec![self])
    }

    fn part(&self, table: &TableSpec) -> Arc<Mutex<Part>> {
        lock(&self.parts).entry(table.name).or_default().clone()
    }

    /// The writer of a table that gets no more rows; `None` if it had none.
    fn last(&self, name: &'static str, part: &mut Part) -> Result<Option<ArrowWriter<File>>> {
        let Some((schema, batch)) = part.few.take() else { return Ok(part.writer.take()) };
        let mut writer = self.open(name, schema, plain())?;
        writer.write(&batch).map_err(|error| Error::new("write", &self.folder.join(name), error))?;
        Ok(Some(writer))
    }

    fn open(&self, name: &str, schema: SchemaRef, options: ArrowWriterOptions) -> Result<ArrowWriter<File>> {
        let folder = self.folder.join(name);
        disk::create_folders(&folder).map_err(|error| Error::new("create", &folder, error))?;
        let path = folder.join(publish::PART);
        let file = disk::create_file(&path).map_err(|error| Error::new("create", &path, error))?;
        ArrowWriter::try_new_with_options(file, schema, options)
            .map_err(|error| Error::new("write", &path, error))
    }
}

/// Makes several dumps part of their lake at once: what waits for the disk waits once for all of them. After an error
/// some may be in the lake; each is there whole or not at all.
///
/// Errors: one has no name, or the file system refuses.
pub fn commit(mut staged: Vec<Staged>) -> Result<()> {
    for one in staged.iter_mut().filter(|one| one.closed.is_none()) {
        one.finish()?;
    }
    let mut ready = Vec::new();
    for one in &staged {
        let (Some((dump_id, _)), Some(tables)) = (&one.name, &one.closed) else { continue };
        ready.push(publish::Ready { dump_id, folder: &one.folder, tables });
    }
    match staged.first() {
        Some(first) => publish::commit(first.lake.root(), &ready),
        None => Ok(()),
    }
}

impl Sink for Staged<'_> {
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> Result<()> {
        let part = self.part(table);
        let mut part = lock(&part);
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let is_first = part.rows == 0;
        part.rows += batch.num_rows() as u64;
        if is_first && batch.num_rows() <= FEW {
            part.few = Some((table.schema(), batch));
            return Ok(());
        }
        if part.writer.is_none() {
            part.writer = Some(self.open(table.name, table.schema(), options(&batch))?);
        }
        let all = part.few.take().map(|(_, few)| few).into_iter().chain([batch]);
        let written = part
            .writer
            .as_mut()
            .map_or(Ok(()), |writer| all.into_iter().try_for_each(|batch| writer.write(&batch)));
        written.map_err(|error| Error::new("write", &self.folder.join(table.name), error))
    }
}

/// A thread that panicked leaves no table half written: the dump is never committed then.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // Windows deletes no file that is open.
        lock(&self.parts).clear();
        // Nobody reads this folder; what cannot be removed now goes at the next opening. After a commit
        // it bears another name, and there is nothing to remove.
        if self.folder.exists() {
            let _ = disk::remove_folder(&self.folder);
        }
        drop(self.lock.take());
        publish::remove_lock(&self.folder);
    }
}

/// How a file of the lake is written that begins with these rows: where numbers hardly repeat, as addresses do, the
/// differences of neighbours are stored, which takes no hashing and leaves little to compress.
pub fn options(first: &RecordBatch) -> ArrowWriterOptions {
    let mut properties = properties();
    for (field, column) in first.schema_ref().fields().iter().zip(first.columns()) {
        if column.as_primitive_opt::<UInt64Type>().is_some_and(hardly_repeats) {
            let path = ColumnPath::from(field.name().as_str());
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    ArrowWriterOptions::new().with_properties(properties.build())
}

/// Whether most of the first values are each there once.
fn hardly_repeats(column: &UInt64Array) -> bool {
    let mut values: Vec<u64> = column.iter().flatten().take(SAMPLE).collect();
    let all = values.len();
    values.sort_unstable();
    values.dedup();
    values.len() > all / 2
}

/// How those of [`FEW`] rows are: without what helps a reader to pass over rows, and without what the columns mean, which
/// would be most of the file. That is in `lake.duckdb`, and in the files of a compacted lake.
fn plain() -> ArrowWriterOptions {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true);
    ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true)
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_dictionary_page_size_limit(DICTIONARY)
}

/// Writes the footer; [`publish::commit`] waits until it is on the disk.
fn close(
    mut writer: ArrowWriter<File>,
    pairs: impl Iterator<Item = (&'static str, String)>,
    folder: &Path,
) -> Result<()> {
    for (key, value) in pairs {
        writer.append_key_value_metadata(KeyValue::new(key.to_string(), value));
    }
    writer.close().map(drop).map_err(|error| Error::new("write", folder, error))
}

/// A sink that keeps everything, for tests.
impl Sink for Mutex<Vec<(String, RecordBatch)>> {
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> Result<()> {
        let mut kept = lock(self);
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
    fn widths(options: impl Fn(&RecordBatch) -> ArrowWriterOptions) -> [f64; 2] {
        let mut rows = MemoryRuns::new();
        for row in 0..ROW_GROUP as u64 {
            let start = (row * 4096) ^ 0xffff_8000_0000_0000;
            rows.push(MemoryRunRow { start, length: row % 4 * 4096, ..MemoryRunRow::default() });
        }
        let rows = rows.finish().unwrap();
        let schema = MemoryRuns::spec().schema();
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options(&rows)).unwrap();
        writer.write(&rows).unwrap();
        let metadata = writer.close().unwrap();
        ["start", "length"].map(|name| {
            let mut columns = metadata.row_group(0).columns().iter();
            let column = columns.find(|column| column.column_descr().name() == name).unwrap();
            column.uncompressed_size() as f64 / ROW_GROUP as f64
        })
    }

    #[test]
    fn only_what_repeats_goes_through_a_dictionary() {
        let [start, length] = widths(|rows| options(&rows.slice(0, 0)));
        assert!((8.0..8.3).contains(&start), "{start}");
        assert!((0.25..0.4).contains(&length), "{length}");
    }

    #[test]
    fn of_what_hardly_repeats_differences_are_stored() {
        let [start, length] = widths(options);
        assert!(start < 0.2, "{start}");
        assert!((0.25..0.4).contains(&length), "{length}");
    }
}
