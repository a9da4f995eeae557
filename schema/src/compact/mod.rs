//! Compaction: the many small files of small dumps become few, while others read and write the lake.
//!
//! ```text
//! LAKE/compacted/state                        which generations there are, and which of their dumps are gone
//! LAKE/compacted/<generation>/<table>.parquet the rows of many dumps, `dump_id` as a column
//! LAKE/compacted/<generation>/members.parquet what the conversions of those dumps said of them
//! ```
//!
//! 1. A new generation is written in the staging folder. The small files stay, so nothing changes for anybody.
//! 2. **Commit**: under the publication lock its folder is moved to `compacted`, and one rename replaces `state`.
//!    A dump that was converted again or removed meanwhile is *gone* from it.
//! 3. `lake.duckdb` is replaced by one rename. Its views name the merged files and leave the partitions of merged
//!    dumps out, so either file shows each row once.
//! 4. [`Lake::prune`] removes the small files, once nobody reads through the old views.
//!
//! A merged dump that is converted again or removed is said to be gone at the end of its publication; its old rows are
//! what readers of older views see until `lake.duckdb` is written anew. A later compaction drops them.

mod check;
mod merge;
mod prune;
mod state;
#[cfg(test)]
mod tests;

use crate::{
    check::Damage,
    disk,
    error::{Error, Result},
    lake::{Lake, check_id, rows_in},
    publish,
};
use arrow::datatypes::{Schema, SchemaRef};
pub(crate) use merge::with_id;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    basic::Type,
    file::metadata::RowGroupMetaData,
};
pub use prune::Pruned;
use rayon::prelude::*;
pub use state::{Compacted, Generation};
pub(crate) use state::{Pairs, bury, read_text};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, Metadata},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Where the merged files are.
const FOLDER: &str = "compacted";

/// Bytes of a dump's files from which on merging them gains nothing.
const SMALL: u64 = 16 << 20;

/// Bytes that they may become when they are read.
const UNPACKED: u64 = 512 << 20;

/// Keys of what is kept of a dump beside the metadata of its files.
pub(crate) const PATH: &str = "path";

/// What a compaction did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Dumps whose files were merged.
    pub merged: u64,
    /// Dumps of older generations that were merged with them.
    pub absorbed: u64,
    /// Dumps whose files stay as they are, each with the reason.
    pub left: BTreeMap<String, String>,
    /// Merged files that are damaged, for each dump that has rows in them. Their generations stay as they are.
    pub damaged: Vec<Damage>,
}

/// A dump whose files can be merged.
struct Candidate {
    files: BTreeMap<String, PathBuf>,
    pairs: Pairs,
    stamp: Stamp,
    /// Bytes of its rows once they are read.
    unpacked: u64,
}

/// What a compaction merges.
struct Job {
    /// The tables, with the shape of their files.
    tables: BTreeMap<String, SchemaRef>,
    dumps: BTreeMap<String, Candidate>,
    absorbed: Vec<Generation>,
    /// Dumps of the absorbed generations that still count.
    kept: BTreeMap<String, Pairs>,
    failed: BTreeMap<String, String>,
    /// Generation and table of each merged file that has rows of them: others need not be read, whole or not.
    wanted: BTreeSet<(String, String)>,
    /// A file of an absorbed generation that cannot be read to its end: the generation, the table, the reason.
    broken: Option<Broken>,
}

/// A merged file that cannot be read to its end.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub generation: Generation,
    pub table: String,
    pub why: String,
}

/// Tells a file from one that came into its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, Option<SystemTime>, u64);

impl Stamp {
    fn of(data: &Metadata) -> Stamp {
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(data);
        #[cfg(not(unix))]
        let number = 0;
        Stamp(data.len(), data.modified().ok(), number)
    }
}

impl Lake {
    /// Merges the files of small dumps. Their own files stay until [`Lake::prune`]; the views have to be written anew
    /// before that.
    ///
    /// # Errors
    /// Another compaction is at work, or the file system refuses. The lake is what it was then. A merged file that is
    /// damaged is no error: its generation stays as it is, and [`Compaction::damaged`] says which dumps that concerns.
    pub fn compact(&self) -> Result<Compaction> {
        let shapes = crate::all().iter().map(|spec| (spec.name.to_string(), spec.schema()));
        self.compact_tables(shapes.collect())
    }

    pub(crate) fn compact_tables(&self, tables: BTreeMap<String, SchemaRef>) -> Result<Compaction> {
        let _alone = self.alone()?;
        let mut broken: Vec<Broken> = Vec::new();
        loop {
            let (mut job, left) = self.plan(tables.clone(), &broken)?;
            let nothing = job.dumps.is_empty() && job.absorbed.is_empty();
            match if nothing { Ok(()) } else { self.write_generation(&mut job) } {
                Ok(()) => {
                    let merged = (job.dumps.len() - job.failed.len()) as u64;
                    let left = left.into_iter().chain(job.failed).collect();
                    let damaged = self.damage_of_merged(&broken)?;
                    return Ok(Compaction { merged, absorbed: job.kept.len() as u64, left, damaged });
                }
                // Without the generation that has it: each time around it is another one.
                Err(error) => broken.push(job.broken.take().ok_or(error)?),
            }
        }
    }

    /// What is wrong with merged files: those whose ends say so, and those that were found out while they were read.
    fn damage_of_merged(&self, broken: &[Broken]) -> Result<Vec<Damage>> {
        let now = Compacted::read(self.root())?;
        let mut found = now.damage(self);
        for one in broken {
            found.extend(now.damage_by(self.root(), one));
        }
        Ok(found)
    }

    /// What is to be merged without generations that are known to be damaged, and the dumps that must stay as they are.
    fn plan(
        &self,
        tables: BTreeMap<String, SchemaRef>,
        broken: &[Broken],
    ) -> Result<(Job, BTreeMap<String, String>)> {
        let before = Compacted::read(self.root())?;
        let (dumps, left) = self.candidates(&before, &tables);
        let mut absorbed = absorbed(&before, dumps.len(), self.root(), &tables);
        absorbed.retain(|one| !broken.iter().any(|other| other.generation.name == one.name));
        let in_absorbed = |id: &&String| before.generation_of(id).is_some_and(|of| absorbed.contains(of));
        let kept = before.dumps.iter().map(|(id, (_, pairs))| (id, pairs));
        let kept = kept.filter(|(id, _)| in_absorbed(id)).map(|(id, pairs)| (id.clone(), pairs.clone()));
        let kept: BTreeMap<String, Pairs> = kept.collect();
        let wanted = wanted(&before, &kept, &tables);
        let (failed, broken) = Default::default();
        Ok((Job { tables, dumps, absorbed, kept, failed, wanted, broken }, left))
    }

    /// The lock of the one compaction that may be at work.
    fn alone(&self) -> Result<File> {
        disk::create_folders(&publish::staging(self.root()))
            .map_err(|error| Error::new("compact", self.root(), error))?;
        let path = publish::staging(self.root()).join(publish::COMPACTION);
        let lock = disk::open_lock(&path).map_err(|error| Error::new("lock", &path, error))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                Error::new("compact", self.root(), "another compaction is at work")
            }
            fs::TryLockError::Error(error) => Error::new("lock", &path, error),
        })?;
        Ok(lock)
    }

    /// Dumps that are not merged yet, and those that must stay as they are.
    fn candidates(
        &self,
        state: &Compacted,
        shapes: &BTreeMap<String, SchemaRef>,
    ) -> (BTreeMap<String, Candidate>, BTreeMap<String, String>) {
        // First what tells whether a dump is replaced, then its files: not the other way around.
        let stamps = stamps(self.root());
        let mut files: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
        for (id, table, file) in self.partitions() {
            files.entry(id).or_default().insert(table, file);
        }
        let (mut found, mut left) = (BTreeMap::new(), BTreeMap::new());
        let new = files.into_par_iter().filter_map(|(id, files)| {
            let stamp = *stamps.get(&id).filter(|_| !state.has(&id))?;
            let candidate = self.candidate(&id, files, stamp, shapes);
            Some((id, candidate))
        });
        for (id, candidate) in new.collect::<Vec<_>>() {
            match candidate {
                Ok(candidate) => drop(found.insert(id, candidate)),
                Err(why) => drop(left.insert(id, why)),
            }
        }
        (found, left)
    }

    /// A dump that can be merged, or why it must stay as it is.
    fn candidate(
        &self,
        id: &str,
        files: BTreeMap<String, PathBuf>,
        stamp: Stamp,
        shapes: &BTreeMap<String, SchemaRef>,
    ) -> Result<Candidate, String> {
        let unpacked = small(&files, shapes)?;
        let pairs = self.described(id);
        match missing(&pairs, &files) {
            None => Ok(Candidate { files, pairs, stamp, unpacked }),
            Some(table) => Err(format!("its table {table} is not there")),
        }
    }

    /// What is kept of a dump when its own files go.
    fn described(&self, dump_id: &str) -> Pairs {
        let stored = self.partition_metadata(dump_id).unwrap_or_default().into_iter();
        let mut pairs: Pairs = stored
            .filter(|pair| pair.key.starts_with("dumplake."))
            .filter_map(|pair| Some((pair.key, pair.value?)))
            .collect();
        pairs.extend(self.partition_path(dump_id).map(|path| (PATH.into(), path)));
        pairs
    }

    fn write_generation(&self, job: &mut Job) -> Result<()> {
        let root = self.root();
        let (folder, lock) = publish::claim(root, "compact")?;
        let done = merge::write(job, root, &folder).and_then(|mut files| {
            files.push(folder.clone());
            disk::sync(root, &files).map_err(|error| Error::new("write", &folder, error))?;
            self.commit_generation(job, &folder)
        });
        if done.is_err() && folder.exists() {
            let _ = disk::remove_folder(&folder);
        }
        drop(lock);
        publish::remove_lock(&folder);
        done
    }

    fn commit_generation(&self, job: &Job, folder: &Path) -> Result<()> {
        let root = self.root();
        let failed = |error: std::io::Error| Error::new("commit", folder, error);
        let _publication = publish::lock_publication(root)?;
        // A publication that was killed would bury the merged rows when it is made up for.
        publish::publish_pending(root, |_| true)?;
        let now = Compacted::read(root)?;
        let name = publish::number();
        let stamps = stamps(root);
        // Replaced or removed since, or not readable to its end.
        let stale =
            job.dumps.iter().filter(|(id, one)| stamps.get(*id) != Some(&one.stamp)).map(|(id, _)| id);
        let buried = job.kept.keys().filter(|id| !now.has(id));
        let gone: BTreeSet<String> = stale.chain(buried).chain(job.failed.keys()).cloned().collect();
        let known: BTreeSet<String> = now.known().map(|one| one.name.clone()).collect();
        let live: BTreeSet<usize> = now.dumps.values().map(|(number, _)| *number).collect();
        let was_absorbed = |one: &Generation| job.absorbed.iter().any(|other| other.name == one.name);
        let numbered = now.generations.into_iter().enumerate();
        // One of which nobody knows what it holds is not ours to remove.
        let counts = |number: &usize, one: &Generation| live.contains(number) || !known.contains(&one.name);
        let stays = numbered.filter(|(number, one)| counts(number, one) && !was_absorbed(one));
        let mut generations: Vec<Generation> = stays.map(|(_, one)| one).collect();
        generations.push(Generation { name: name.clone(), gone });
        disk::create_folders(&root.join(FOLDER)).map_err(failed)?;
        disk::rename(folder, &root.join(FOLDER).join(&name)).map_err(failed)?;
        disk::sync_folder(&root.join(FOLDER)).map_err(failed)?;
        Compacted::write(root, &generations)
    }
}

/// Which merged files have rows of some dumps, by generation and table. One of which nobody counted the rows has them
/// anywhere.
fn wanted(
    state: &Compacted,
    kept: &BTreeMap<String, Pairs>,
    tables: &BTreeMap<String, SchemaRef>,
) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (id, pairs) in kept {
        let Some(generation) = state.generation_of(id) else { continue };
        let rows = rows_in(pairs);
        let has =
            |table: &&String| rows.as_ref().is_none_or(|rows| rows.get(*table).is_some_and(|&rows| rows > 0));
        found.extend(tables.keys().filter(has).map(|table| (generation.name.clone(), table.clone())));
    }
    found
}

/// Which row of `dumps` each partition has: replaced with its dump.
fn stamps(root: &Path) -> BTreeMap<String, Stamp> {
    let folder = fs::read_dir(root.join("dumps")).into_iter().flatten().flatten();
    let stamp = |entry: fs::DirEntry| {
        let id = entry.file_name().to_str()?.strip_prefix("dump_id=")?.to_string();
        check_id(&id).ok()?;
        Some((id, Stamp::of(&entry.path().join(publish::PART).metadata().ok()?)))
    };
    folder.filter_map(stamp).collect()
}

/// Bytes of the rows of files that can be merged, once they are read; or why they are left alone.
fn small(files: &BTreeMap<String, PathBuf>, shapes: &BTreeMap<String, SchemaRef>) -> Result<u64, String> {
    let bytes: u64 = files.values().map(|file| file.metadata().map_or(0, |data| data.len())).sum();
    if bytes > SMALL {
        return Err("it is large".into());
    }
    let mut unpacked = 0_u64;
    for (table, file) in files {
        let end = footer(file)?;
        if shapes.get(table).is_none_or(|shape| !is_alike(shape, end.schema())) {
            return Err(format!("its table {table} was written by another version of the converter"));
        }
        let groups = end.metadata().row_groups().iter();
        unpacked = groups.fold(unpacked, |sum, group| sum.saturating_add(in_memory(group)));
    }
    if unpacked > UNPACKED {
        return Err("its rows are large".into());
    }
    Ok(unpacked)
}

/// Bytes that the rows of a group take once they are read, whatever they were encoded as: of differences and of what
/// repeats the file holds a small part of that.
fn in_memory(group: &RowGroupMetaData) -> u64 {
    let rows = group.num_rows().unsigned_abs();
    let columns = group.columns().iter().map(|column| match column.column_type() {
        Type::BOOLEAN => rows,
        Type::INT32 | Type::FLOAT => rows.saturating_mul(4),
        Type::INT64 | Type::DOUBLE => rows.saturating_mul(8),
        Type::INT96 => rows.saturating_mul(12),
        Type::FIXED_LEN_BYTE_ARRAY => {
            rows.saturating_mul(column.column_descr().type_length().unsigned_abs().into())
        }
        // Files of few rows do not say it, but are not encoded either.
        Type::BYTE_ARRAY => {
            let stated = column.unencoded_byte_array_data_bytes().unwrap_or(column.uncompressed_size());
            rows.saturating_mul(4).saturating_add(stated.unsigned_abs())
        }
    });
    columns.fold(0, u64::saturating_add)
}

/// A table that has rows by the count of the conversion, and no file: a folder that could not be read, or damage.
fn missing(pairs: &Pairs, files: &BTreeMap<String, PathBuf>) -> Option<String> {
    let counted = rows_in(pairs).unwrap_or_default().into_iter();
    counted.filter(|(_, rows)| *rows > 0).map(|(table, _)| table).find(|table| !files.contains_key(table))
}

/// The end of a file, which says what its columns and groups are; its rows are not read. What it says of Arrow is not
/// needed: the types of our columns are those that Parquet has.
pub(crate) fn footer(file: &Path) -> Result<ArrowReaderMetadata, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let opened = File::open(file).map_err(|error| failed(&error))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ArrowReaderMetadata::load(&opened, options).map_err(|error| failed(&error))
}

/// The same columns, whatever is said of them.
pub(crate) fn is_alike(one: &Schema, other: &Schema) -> bool {
    let columns = |of: &Schema| -> Vec<_> {
        of.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
    };
    columns(one) == columns(other)
}

/// Generations to merge with so many new dumps: those that are no larger, so that a lake which is compacted every day
/// has few of them and each row is copied a few times only; and those of which a good part is gone.
fn absorbed(
    state: &Compacted,
    new: usize,
    root: &Path,
    shapes: &BTreeMap<String, SchemaRef>,
) -> Vec<Generation> {
    let mut sizes = vec![0; state.generations.len()];
    state.dumps.values().for_each(|(number, _)| sizes[*number] += 1);
    let known: BTreeSet<&String> = state.known().map(|one| &one.name).collect();
    let (mut found, mut total) = (Vec::new(), new);
    for (number, generation) in state.generations.iter().enumerate().rev() {
        let grown = sizes[number] <= total && new > 0;
        // One without a dump that counts is dropped unread.
        let is_wanted = known.contains(&generation.name) && sizes[number] > 0;
        if is_wanted
            && (grown || generation.gone.len() * 4 > sizes[number])
            && is_readable(generation, root, shapes)
        {
            total += sizes[number];
            found.push(generation.clone());
        }
    }
    found.reverse();
    found
}

/// True if all files of a generation are as this version writes them.
fn is_readable(generation: &Generation, root: &Path, shapes: &BTreeMap<String, SchemaRef>) -> bool {
    let alike = |file: &PathBuf, shape: &Schema| {
        let builder =
            File::open(file).ok().and_then(|file| ParquetRecordBatchReaderBuilder::try_new(file).ok());
        builder.is_some_and(|builder| is_alike(&merge::with_id(shape), builder.schema()))
    };
    let entries = fs::read_dir(generation.folder(root)).into_iter().flatten().flatten();
    let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.all(|name| match name.strip_suffix(".parquet") {
        Some("members") => true,
        Some(table) => {
            shapes.get(table).is_some_and(|shape| alike(&generation.folder(root).join(&name), shape))
        }
        None => false,
    })
}
