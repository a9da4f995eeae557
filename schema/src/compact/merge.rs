//! Writing the files of a new generation: table by table, dump by dump.

use super::{
    Broken, Job,
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
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of a row group after which it is written: wide rows must not pile up in memory.
const GROUP_BYTES: usize = 32 << 20;

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
        for (dump_id, candidate) in &job.dumps {
            let Some(file) = candidate.files.get(&table).filter(|_| !job.failed.contains_key(dump_id)) else {
                continue;
            };
            let named = |batch: &RecordBatch| merged.named(dump_id, batch).map_err(|error| error.to_string());
            match read(file).and_then(|batches| batches.iter().map(named).collect::<Result<Vec<_>, _>>()) {
                Ok(batches) => batches.iter().try_for_each(|batch| merged.rows(batch))?,
                Err(why) => drop(job.failed.insert(dump_id.clone(), why)),
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

    /// The rows of a dump, with its id as their first column.
    fn named(&self, dump_id: &str, batch: &RecordBatch) -> Result<RecordBatch> {
        let ids = StringArray::from_iter_values(std::iter::repeat_n(dump_id, batch.num_rows()));
        let columns = std::iter::once(Arc::new(ids) as _).chain(batch.columns().iter().cloned()).collect();
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let failed = |path: &Path, error: &dyn std::fmt::Display| Error::new("write", path, error);
        if self.writer.is_none() {
            let file = disk::create_file(&self.path).map_err(|error| failed(&self.path, &error))?;
            let writer = ArrowWriter::try_new(file, self.schema.clone(), Some(staged::properties()));
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

/// The rows of a small file. They are held until all are read: half a dump must not be written.
fn read(file: &Path) -> Result<Vec<RecordBatch>, String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(opened).and_then(|builder| builder.build());
    let batches = reader.map_err(|error| error.to_string())?;
    batches.collect::<Result<Vec<_>, _>>().map_err(|error| format!("{}: {error}", file.display()))
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
    let written = ArrowWriter::try_new(file, Arc::new(schema), Some(staged::properties()))
        .and_then(|mut writer| writer.write(&batch).and_then(|()| writer.close()));
    written.map_err(|error| Error::new("write", &path, error))?;
    Ok(path)
}
