//! What the tests of this crate share: a folder of their own, a table, and a look at a lake.

use crate::{Compacted, Identity, Lake, Result, Sink, Staged, Table, TableSpec};
use arrow::array::{AsArray, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

/// An id as they are.
pub const ID: &str = "d0123456789abcdef";

/// An empty folder of this test's own, removed with it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("dumplake-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An identity that differs by the version of the converter.
pub fn identity(version: &str) -> Identity {
    Identity {
        content_hash: "c0ffee".into(),
        tool_version: version.into(),
        options: String::new(),
        file_size: 1,
    }
}

crate::table! {
    /// One row for a test.
    pub sample: Samples of Sample {
        /// Which conversion wrote it.
        version: String,
    }
}

/// `sample` under another name: commits need several tables, one of them called `dumps`.
pub fn spec(name: &'static str) -> TableSpec {
    TableSpec { name, ..*Samples::spec() }
}

/// A batch of one row.
pub fn batch(version: &str) -> RecordBatch {
    let mut rows = Samples::new();
    rows.push(Sample { version: version.into() });
    rows.finish().unwrap()
}

/// Converts a dump: `tables`, each with one row that says `version`.
pub fn convert(lake: &Lake, id: &str, version: &str, tables: &[&'static str]) -> Result<()> {
    staged(lake, id, version, tables)?.commit()
}

/// The same without the commit.
pub fn staged<'a>(lake: &'a Lake, id: &str, version: &str, tables: &[&'static str]) -> Result<Staged<'a>> {
    let staged = lake.begin(id, &identity(version))?;
    for table in tables {
        staged.write(&spec(table), batch(version))?;
    }
    Ok(staged)
}

/// What a lake holds of a dump: for each table with its rows, the version in its row. Merged files count where the
/// state says so, as in the views.
pub fn content(root: &Path, id: &str) -> BTreeMap<String, String> {
    let state = Compacted::read(root).unwrap();
    let Some(generation) = state.generation_of(id) else { return partitions(root, id) };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(generation.folder(root)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let table = name.strip_suffix(".parquet").unwrap();
        if table == "members" {
            continue;
        }
        let batch = read(&generation.file(root, table).unwrap());
        let (ids, versions) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let rows: Vec<usize> = (0..batch.num_rows()).filter(|row| ids.value(*row) == id).collect();
        assert!(rows.len() < 2, "{id} has {} rows in {table}", rows.len());
        found.extend(rows.iter().map(|row| (table.to_string(), versions.value(*row).to_string())));
    }
    found
}

/// The same from the partitions of the dump, which is what views see that know of no merged files.
pub fn partitions(root: &Path, id: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let table = entry.unwrap().file_name().into_string().unwrap();
        let partition = root.join(&table).join(format!("dump_id={id}"));
        if partition.exists() {
            found.insert(table, row(&partition.join("part-0.parquet")));
        }
    }
    found
}

/// The one row of a file of `sample`.
fn row(path: &Path) -> String {
    let batch = read(path);
    assert_eq!(batch.num_rows(), 1, "{}", path.display());
    batch.column(0).as_string::<i32>().value(0).to_string()
}

/// The rows of a Parquet file as Arrow's reader sees them.
pub fn read(path: &Path) -> RecordBatch {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(|batch| batch.unwrap()).collect();
    arrow::compute::concat_batches(&schema, &batches).unwrap()
}

/// Names in the staging folder, without the locks that stay.
pub fn staging(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join(".staging")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "publication" && name != "compaction").collect()
}
