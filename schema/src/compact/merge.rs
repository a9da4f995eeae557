//! Writing the files of a new generation: table by table, dump by dump.

use super::{
    Broken, Candidate, Job, SMALL,
    state::{Generation, MEMBERS, Pairs},
};
use crate::{
    disk,
    error::{Error, Result},
    staged,
};
use arrow::{
    array::{AsArray, BooleanArray, RecordBatch, StringArray},
    compute::filter_record_batch,
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use bytes::Bytes;
use parquet::arrow::{
    ArrowWriter,
    arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
};
use rayon::prelude::*;
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of a row group after which it is written: wide rows must not pile up in memory.
const GROUP_BYTES: usize = 32 << 20;

/// Bytes of rows that are held at once, when no dump has more.
const HELD: u64 = 64 << 20;

/// One merged file on its way. It is there from its first row on.
struct Merged {
    path: PathBuf,
    schema: SchemaRef,
    writer: Option<ArrowWriter<File>>,
}

/// Writes every table of the job, and the list of members, into `folder`. The value is the files. Dumps whose files
/// fail while they are read are moved to `job.failed`: what is in the merged files of them does not count.
pub fn write(job: &mut Job, root: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let groups = groups(&job.dumps);
    for (table, shape) in job.tables.clone() {
        let mut merged = Merged::new(folder.join(format!("{table}.parquet")), &shape);
        for generation in &job.absorbed {
            let is_wanted = job.wanted.contains(&(generation.name.clone(), table.clone()));
            if let Some(file) = generation.file(root, &table).filter(|_| is_wanted)
                && let Err(why) = absorb(&file, generation, &mut merged)?
            {
                let error = Error::new("read", &file, &why);
                job.broken = Some(Broken { generation: generation.clone(), table, why });
                return Err(error);
            }
        }
        for group in &groups {
            for (dump_id, rows) in read_group(group, &table, &job.failed, &merged.schema) {
                match rows {
                    Ok(batches) => batches.iter().try_for_each(|batch| merged.rows(batch))?,
                    Err(why) => drop(job.failed.insert(dump_id.clone(), why)),
                }
            }
        }
        files.extend(merged.close()?);
    }
    files.push(write_members(job, folder)?);
    Ok(files)
}

impl Merged {
    fn new(path: PathBuf, shape: &Schema) -> Merged {
        Merged { path, schema: with_id(shape), writer: None }
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let failed = |path: &Path, error: &dyn std::fmt::Display| Error::new("write", path, error);
        if self.writer.is_none() {
            let file = disk::create_file(&self.path).map_err(|error| failed(&self.path, &error))?;
            let writer = ArrowWriter::try_new_with_options(file, self.schema.clone(), staged::options(batch));
            self.writer = Some(writer.map_err(|error| failed(&self.path, &error))?);
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write(batch).map_err(|error| failed(&self.path, &error))?;
        if writer.in_progress_size() > GROUP_BYTES {
            writer.flush().map_err(|error| failed(&self.path, &error))?;
        }
        Ok(())
    }

    fn close(self) -> Result<Option<PathBuf>> {
        let Some(writer) = self.writer else { return Ok(None) };
        writer.close().map_err(|error| Error::new("write", &self.path, error))?;
        Ok(Some(self.path))
    }
}

/// The shape of a merged file: that of its table behind the id.
pub fn with_id(shape: &Schema) -> SchemaRef {
    let id = Field::new("dump_id", DataType::Utf8, false);
    let fields = std::iter::once(Arc::new(id)).chain(shape.fields().iter().cloned());
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), shape.metadata().clone()))
}

/// Dumps whose files are read side by side.
type Group<'a> = Vec<(&'a String, &'a Candidate)>;

/// The dumps in groups of so many rows as may be held at once, in their order.
fn groups(dumps: &BTreeMap<String, Candidate>) -> Vec<Group<'_>> {
    let (mut groups, mut bytes) = (Vec::<Group>::new(), 0);
    for (dump_id, one) in dumps {
        bytes += one.unpacked;
        match groups.last_mut().filter(|_| bytes <= HELD) {
            Some(group) => group.push((dump_id, one)),
            None => {
                bytes = one.unpacked;
                groups.push(vec![(dump_id, one)]);
            }
        }
    }
    groups
}

/// Opens the file of a small dump. It is read at once: a file of twenty columns has fifty places to read from, and a
/// call for each would take longer than all else.
fn open(file: &Path) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    #[cfg(test)]
    super::tests::note_read(file);
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(SMALL).read_to_end(&mut bytes));
    read.map_err(|error| failed(&error))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(bytes), options);
    builder.map_err(|error| failed(&error))
}

/// Rows of a dump, or why they cannot be read.
type Rows = Result<Vec<RecordBatch>, String>;

/// The rows of a table of those dumps of a group that have not failed, side by side.
fn read_group<'a>(
    group: &Group<'a>,
    table: &str,
    failed: &BTreeMap<String, String>,
    schema: &SchemaRef,
) -> Vec<(&'a String, Rows)> {
    let sound = group.par_iter().filter(|(dump_id, _)| !failed.contains_key(*dump_id));
    let files = sound.filter_map(|&(dump_id, one)| Some((dump_id, one.files.get(table)?)));
    files.map(|(dump_id, file)| (dump_id, read(dump_id, file, schema))).collect()
}

/// The rows of a small file. They are held until all are read: half a dump must not be written.
fn read(dump_id: &str, file: &Path, schema: &SchemaRef) -> Rows {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let batches = open(file)?.build().map_err(|error| failed(&error))?;
    let named = batches.map(|batch| batch.and_then(|batch| with_ids(dump_id, &batch, schema)));
    named.collect::<Result<_, _>>().map_err(|error| failed(&error))
}

/// Rows of a dump, with its id as their first column.
fn with_ids(dump_id: &str, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let ids = StringArray::from_iter_values(std::iter::repeat_n(dump_id, batch.num_rows()));
    let columns = std::iter::once(Arc::new(ids) as _).chain(batch.columns().iter().cloned()).collect();
    RecordBatch::try_new(schema.clone(), columns)
}

/// Copies the rows of an older generation that still count; `Ok(Err)` if they cannot be read.
fn absorb(file: &Path, generation: &Generation, merged: &mut Merged) -> Result<Result<(), String>> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot be read to its end ({error})");
    let opened = File::open(file).map_err(|error| failed(&error));
    let reader = opened.and_then(|opened| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(opened).and_then(|builder| builder.build());
        reader.map_err(|error| failed(&error))
    });
    let reader = match reader {
        Ok(reader) => reader,
        Err(why) => return Ok(Err(why)),
    };
    for batch in reader {
        let counted = batch.map_err(|error| failed(&error)).and_then(|batch| counting(&batch, generation));
        match counted {
            Ok(batch) => merged.rows(&batch)?,
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Ok(()))
}

/// Of some rows of a generation those that still count.
fn counting(batch: &RecordBatch, generation: &Generation) -> Result<RecordBatch, String> {
    let ids = batch.column(0).as_string_opt::<i32>().ok_or("its ids are no text")?;
    let counts: BooleanArray =
        ids.iter().map(|id| Some(id.is_some_and(|id| !generation.gone.contains(id)))).collect();
    filter_record_batch(batch, &counts).map_err(|error| error.to_string())
}

fn write_members(job: &Job, folder: &Path) -> Result<PathBuf> {
    let field = |name| Field::new(name, DataType::Utf8, false);
    let schema = Schema::new(vec![field("dump_id"), field("key"), field("value")]);
    let mut members: BTreeMap<&str, &Pairs> =
        job.kept.iter().map(|(id, pairs)| (id.as_str(), pairs)).collect();
    members.extend(job.dumps.iter().map(|(id, candidate)| (id.as_str(), &candidate.pairs)));
    let rows =
        || members.iter().flat_map(|(id, pairs)| pairs.iter().map(move |(key, value)| (*id, key, value)));
    let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as _;
    let batch = RecordBatch::try_new(
        Arc::new(schema.clone()),
        vec![
            column(rows().map(|(id, ..)| id).collect()),
            column(rows().map(|(_, key, _)| key.as_str()).collect()),
            column(rows().map(|(.., value)| value.as_str()).collect()),
        ],
    )?;
    let path = folder.join(MEMBERS);
    let file = disk::create_file(&path).map_err(|error| Error::new("create", &path, error))?;
    let written = ArrowWriter::try_new_with_options(file, Arc::new(schema), staged::options(&batch))
        .and_then(|mut writer| writer.write(&batch).and_then(|()| writer.close()));
    written.map_err(|error| Error::new("write", &path, error))?;
    Ok(path)
}
