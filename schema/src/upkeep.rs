//! Looking after a lake: what it holds, taking a dump out of it, reading all of it to see whether it is whole.

use crate::{
    check::Damage,
    error::Result,
    lake::{Lake, check_id},
    publish,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

/// What the lake holds of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The dump.
    pub dump_id: String,
    /// Path of its file as it was named at its conversion; `None` if that cannot be read.
    pub path: Option<String>,
    /// Tables that have rows of it.
    pub tables: u64,
    /// Rows of all its tables; `None` where its conversion did not count them.
    pub rows: Option<u64>,
    /// Bytes of its files; `None` for a merged dump, whose rows are in files with those of others.
    pub bytes: Option<u64>,
}

/// Files together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A file with rows of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFile {
    /// The table whose rows they are.
    pub table: String,
    /// The file.
    pub path: PathBuf,
    /// The dump whose rows they are; `None` where a column `dump_id` says it.
    pub dump_id: Option<String>,
    /// Dumps whose rows in it do not count.
    pub gone: BTreeSet<String>,
}

impl Lake {
    /// All files whose rows are those of the lake, for engines that do not read them through `lake.duckdb`.
    pub fn row_files(&self) -> Vec<RowFile> {
        let partition = |(id, table, path)| RowFile { table, path, dump_id: Some(id), gone: BTreeSet::new() };
        let mut files: Vec<RowFile> = self.files().into_iter().map(partition).collect();
        let compacted = self.compacted();
        for spec in crate::all() {
            for (path, number) in compacted.files(self.root(), spec.name) {
                let gone = compacted.generations[number].gone.clone();
                files.push(RowFile { table: spec.name.into(), path, dump_id: None, gone });
            }
        }
        files
    }

    /// The files whose rows are those of the lake: partitions of single dumps, and merged files.
    pub fn sizes(&self) -> [Sizes; 2] {
        let mut sizes = [Sizes::default(); 2];
        for file in self.row_files() {
            let of = &mut sizes[usize::from(file.dump_id.is_none())];
            of.files += 1;
            of.bytes += file.path.metadata().map_or(0, |data| data.len());
        }
        sizes
    }

    /// What the lake holds, by dump.
    pub fn holdings(&self) -> Vec<Holding> {
        let mut sizes: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (dump_id, _, file) in self.files() {
            let (tables, bytes) = sizes.entry(dump_id).or_default();
            *tables += 1;
            *bytes += file.metadata().map_or(0, |data| data.len());
        }
        let compacted = self.compacted();
        let holding = |dump_id: String| {
            let counted = self.rows_of(&dump_id);
            let (tables, bytes) = match (compacted.has(&dump_id), &counted) {
                (true, Some(rows)) => (rows.values().filter(|rows| **rows > 0).count() as u64, None),
                (true, None) => (0, None),
                (false, _) => {
                    let (tables, bytes) = sizes.get(&dump_id).copied().unwrap_or_default();
                    (tables, Some(bytes))
                }
            };
            let rows = counted.map(|rows| rows.values().sum());
            Holding { path: self.path_of(&dump_id), tables, rows, bytes, dump_id }
        };
        self.dump_ids().into_iter().map(holding).collect()
    }

    /// Takes a dump out of the lake: first the row that says that it is there, then its tables. False if it is not in
    /// the lake. A removal that is interrupted is completed by the next opening.
    ///
    /// # Errors
    /// The id is none, or the file system refuses.
    pub fn remove(&self, dump_id: &str) -> Result<bool> {
        check_id(dump_id)?;
        let known = self.compacted().has(dump_id) || self.partitions().iter().any(|(id, ..)| id == dump_id);
        if known {
            publish::remove(self.root(), dump_id)?;
        }
        Ok(known)
    }

    /// Reads every row of every table: what [`Lake::damage`] finds, files whose content cannot be read or has another
    /// number of rows than its conversion counted, and tables of dumps that are not in the lake.
    pub fn verify(&self) -> Vec<Damage> {
        let mut found = self.partition_damage();
        let mut counted: BTreeMap<String, Option<BTreeMap<String, u64>>> =
            self.dump_ids().into_iter().map(|id| (id.clone(), self.rows_of(&id))).collect();
        for (dump_id, table, file) in self.files() {
            if found.iter().any(|damage| damage.file == file) {
                continue;
            }
            let why = match (counted.get_mut(&dump_id), rows(&file)) {
                (None, _) => "is of a dump that is not in the lake".into(),
                (_, Err(error)) => format!("cannot be read to its end ({error})"),
                (Some(Some(counted)), Ok(rows)) => match counted.get(&table).copied().unwrap_or(0) {
                    expected if expected == rows => continue,
                    expected => format!("has {rows} rows, its conversion counted {expected}"),
                },
                (Some(None), Ok(_)) => continue,
            };
            found.push(Damage { dump_id, table, file, why });
        }
        found.extend(self.compacted().verify(self));
        found.sort_by(|a, b| (&a.dump_id, &a.table).cmp(&(&b.dump_id, &b.table)));
        found
    }

    /// Dump, table and path of every partition that counts, by table and dump.
    fn files(&self) -> Vec<(String, String, PathBuf)> {
        let compacted = self.compacted();
        let known = |table: &str| crate::all().iter().any(|spec| spec.name == table);
        let mut files = self.partitions();
        files.retain(|(id, table, _)| known(table) && !compacted.has(id));
        files
    }

    /// Dump, table and path of every partition, those too of tables that this version does not know and of merged dumps.
    pub(crate) fn partitions(&self) -> Vec<(String, String, PathBuf)> {
        let names = |folder: &Path| -> BTreeSet<String> {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        };
        let mut files = Vec::new();
        for table in names(self.root()) {
            let folder = self.root().join(&table);
            for name in names(&folder) {
                let Some(id) = name.strip_prefix("dump_id=").filter(|id| check_id(id).is_ok()) else {
                    continue;
                };
                files.push((id.to_string(), table.clone(), folder.join(&name).join(publish::PART)));
            }
        }
        files
    }
}

/// Rows of a file, every one of them read.
fn rows(file: &Path) -> std::result::Result<u64, String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(opened).and_then(|builder| builder.build());
    let mut rows = 0;
    for batch in reader.map_err(|error| error.to_string())? {
        rows += batch.map_err(|error| error.to_string())?.num_rows() as u64;
    }
    Ok(rows)
}
