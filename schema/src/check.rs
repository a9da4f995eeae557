//! What is wrong with the files of a lake: damaged on their medium, removed by hand, lost in a copy.
//!
//! Only the ends of files are read, where Parquet keeps what describes the rest: that takes no longer than opening the
//! lake in DuckDB does.

use crate::{
    compact::{self, Compacted},
    lake::Lake,
    table::TableSpec,
};
use arrow::array::AsArray;
use parquet::{
    arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
    file::reader::SerializedFileReader,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// A partition that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The dump whose rows it has.
    pub dump_id: String,
    /// Its table.
    pub table: String,
    /// The file, which may not be there.
    pub file: PathBuf,
    /// What is wrong with it, in a few words.
    pub why: String,
}

impl Damage {
    /// Stands for the dumps of merged files of which nobody knows which dumps they hold.
    pub const UNKNOWN: &str = "(unknown)";
}

impl Lake {
    /// Files that cannot be read, and those that a dump of `dumps` lacks, by table and dump.
    pub fn damage(&self) -> Vec<Damage> {
        let compacted = self.compacted();
        let mut found = self.partition_damage();
        found.extend(compacted.damage(self));
        found
    }

    /// The same of the partitions that count.
    pub(crate) fn partition_damage(&self) -> Vec<Damage> {
        let compacted = self.compacted();
        let ids = self.dump_ids().into_iter().filter(|id| !compacted.has(id));
        let ids: Vec<(String, Due)> = ids.map(|id| (id.clone(), self.due(&id))).collect();
        let mut found = Vec::new();
        for spec in crate::all() {
            let folder = self.root().join(spec.name);
            let lacking = ids.iter().filter(|(_, due)| due.has(spec.name)).map(|(id, _)| id);
            let lacking = lacking.filter(|id| !folder.join(format!("dump_id={id}")).is_dir());
            found.extend(lacking.map(|id| Damage {
                dump_id: id.clone(),
                table: spec.name.into(),
                file: part(&folder.join(format!("dump_id={id}"))),
                why: "is missing".into(),
            }));
            let broken = unreadable(&folder, spec.name).into_iter();
            found.extend(broken.filter(|damage| !compacted.has(&damage.dump_id)));
        }
        found
    }

    /// Which tables of a dump must have a file. One whose row of `dumps` cannot be read says nothing.
    fn due(&self, dump_id: &str) -> Due {
        if let Some(rows) = self.rows_of(dump_id) {
            return Due::These(
                rows.into_iter().filter(|(_, rows)| *rows > 0).map(|(table, _)| table).collect(),
            );
        }
        let Some(options) = self.stored(dump_id, "dumplake.options") else { return Due::These(Vec::new()) };
        let named = options.split(' ').find_map(|option| option.strip_prefix("tables="));
        named.map_or(Due::All, |tables| Due::These(tables.split(',').map(str::to_string).collect()))
    }

    /// Path of a dump's file as it was named at its conversion.
    pub fn path_of(&self, dump_id: &str) -> Option<String> {
        match self.compacted().pairs(dump_id) {
            Some(pairs) => pairs.get(compact::PATH).cloned(),
            None => self.partition_path(dump_id),
        }
    }

    /// The same from the dump's own file.
    pub(crate) fn partition_path(&self, dump_id: &str) -> Option<String> {
        let file = part(&self.root().join("dumps").join(format!("dump_id={dump_id}")));
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file).ok()?).ok()?;
        let column = ProjectionMask::columns(builder.parquet_schema(), ["path"]);
        let batch = builder.with_projection(column).build().ok()?.next()?.ok()?;
        let paths = batch.column_by_name("path")?.as_string_opt::<i32>()?;
        paths.iter().next().flatten().map(str::to_string)
    }
}

/// Tables that a dump must have a file of.
enum Due {
    /// Every table: an older version wrote files without rows too.
    All,
    These(Vec<String>),
}

impl Due {
    fn has(&self, table: &str) -> bool {
        match self {
            Due::All => true,
            Due::These(tables) => tables.iter().any(|name| name == table),
        }
    }
}

/// Files of the lake at `root` that cannot be read, by table and dump.
pub fn unreadable_files(root: &Path) -> Vec<PathBuf> {
    let of_table = |spec: &&TableSpec| unreadable(&root.join(spec.name), spec.name);
    let mut files: Vec<PathBuf> = crate::all()
        .iter()
        .flat_map(of_table)
        .map(|damage| damage.file)
        .filter(|file| file.exists())
        .collect();
    files.extend(Compacted::read(root).unwrap_or_default().unreadable_files(root));
    files
}

/// Partitions of a table that are there and cannot be read.
fn unreadable(folder: &Path, table: &str) -> Vec<Damage> {
    let partitions = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = partitions.filter_map(|entry| entry.file_name().into_string().ok());
    let mut ids: Vec<String> =
        named.filter_map(|name| name.strip_prefix("dump_id=").map(str::to_string)).collect();
    ids.sort();
    let damage = |id: String| {
        let file = part(&folder.join(format!("dump_id={id}")));
        let why = broken(&file)?;
        Some(Damage { dump_id: id, table: table.into(), file, why })
    };
    ids.into_iter().filter_map(damage).collect()
}

fn part(partition: &Path) -> PathBuf {
    partition.join(crate::publish::PART)
}

/// Why a file cannot be read.
pub(crate) fn broken(file: &Path) -> Option<String> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) => return Some(format!("cannot be opened ({error})")),
    };
    SerializedFileReader::new(opened).err().map(|error| format!("cannot be read ({error})"))
}
