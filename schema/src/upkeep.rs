//! Looking after a lake: what it holds, taking a dump out of it, reading all of it to see whether it is whole.

use crate::{
    check::Damage,
    error::Result,
    lake::{Lake, check_id},
    publish,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    collections::BTreeMap,
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
    /// Bytes of its files.
    pub bytes: u64,
}

impl Lake {
    /// What the lake holds, by dump.
    pub fn holdings(&self) -> Vec<Holding> {
        let mut sizes: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (dump_id, _, file) in self.files() {
            let (tables, bytes) = sizes.entry(dump_id).or_default();
            *tables += 1;
            *bytes += file.metadata().map_or(0, |data| data.len());
        }
        let holding = |dump_id: String| {
            let (tables, bytes) = sizes.get(&dump_id).copied().unwrap_or_default();
            let rows = self.rows_of(&dump_id).map(|rows| rows.values().sum());
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
        let known = self.files().iter().any(|(id, ..)| id == dump_id);
        if known {
            publish::remove(self.root(), dump_id)?;
        }
        Ok(known)
    }

    /// Reads every row of every table: what [`Lake::damage`] finds, files whose content cannot be read or has another
    /// number of rows than its conversion counted, and tables of dumps that are not in the lake.
    pub fn verify(&self) -> Vec<Damage> {
        let mut found = self.damage();
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
        found.sort_by(|a, b| (&a.dump_id, &a.table).cmp(&(&b.dump_id, &b.table)));
        found
    }

    /// Dump, table and path of every file, by table and dump.
    fn files(&self) -> Vec<(String, String, PathBuf)> {
        let mut files = Vec::new();
        for spec in crate::all() {
            let names = fs::read_dir(self.root().join(spec.name)).into_iter().flatten().flatten();
            let names = names.filter_map(|entry| entry.file_name().into_string().ok());
            let ids = names.filter_map(|name| name.strip_prefix("dump_id=").map(str::to_string));
            let mut ids: Vec<String> = ids.filter(|id| check_id(id).is_ok()).collect();
            ids.sort();
            let file =
                |id: &String| self.root().join(spec.name).join(format!("dump_id={id}")).join(publish::PART);
            files.extend(ids.iter().map(|id| (id.clone(), spec.name.to_string(), file(id))));
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
