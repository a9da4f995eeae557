//! Whether merged files are as they were written.

use super::{
    Broken,
    state::{Compacted, MEMBERS},
};
use crate::{
    check::{Damage, broken},
    lake::{Lake, rows_in},
};
use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

impl Compacted {
    /// Merged files that cannot be read.
    pub fn unreadable_files(&self, root: &Path) -> Vec<PathBuf> {
        let files =
            |table: &str| self.files(root, table).into_iter().map(|(file, _)| file).collect::<Vec<_>>();
        let all = crate::all().iter().flat_map(|spec| files(spec.name));
        all.filter(|file| broken(file).is_some()).collect()
    }

    /// The merged files of a table, each with the number of its generation.
    pub(crate) fn files(&self, root: &Path, table: &str) -> Vec<(PathBuf, usize)> {
        let numbered = self.generations.iter().enumerate();
        numbered.filter_map(|(number, one)| Some((one.file(root, table)?, number))).collect()
    }

    /// Merged files that are gone or not readable, for each dump that has rows in them.
    pub(crate) fn damage(&self, lake: &Lake) -> Vec<Damage> {
        self.compare(lake, |file| broken(file).map_or(Ok(None), Err))
    }

    /// The same, and files that hold another number of rows of a dump than its conversion counted.
    pub(crate) fn verify(&self, lake: &Lake) -> Vec<Damage> {
        self.compare(lake, |file| counts(file).map(Some))
    }

    /// A merged file that could not be read to its end, for each dump that has rows in it.
    pub(super) fn damage_by(&self, root: &Path, broken: &Broken) -> Vec<Damage> {
        let Broken { generation, table, why } = broken;
        let file = generation.folder(root).join(format!("{table}.parquet"));
        let of_it = self.dumps.iter().filter(|(_, (number, pairs))| {
            let due = rows_in(pairs).and_then(|rows| rows.get(table).copied()).unwrap_or(0);
            due > 0 && self.generations.get(*number).is_some_and(|one| one.name == generation.name)
        });
        let damage = |id: &String| Damage {
            dump_id: id.clone(),
            table: table.clone(),
            file: file.clone(),
            why: why.clone(),
        };
        of_it.map(|(id, _)| damage(id)).collect()
    }

    fn compare(
        &self,
        lake: &Lake,
        look: impl Fn(&Path) -> Result<Option<BTreeMap<String, u64>>, String>,
    ) -> Vec<Damage> {
        let root = lake.root();
        let mut found: Vec<Damage> = self.unknown.iter().map(|file| no_members(file)).collect();
        for spec in crate::all() {
            let files = self.files(root, spec.name);
            let looked: BTreeMap<usize, _> =
                files.iter().map(|(file, number)| (*number, look(file))).collect();
            for (id, (number, pairs)) in &self.dumps {
                let due = rows_in(pairs).and_then(|rows| rows.get(spec.name).copied());
                let why = match (looked.get(number), due.unwrap_or(0)) {
                    (None, 0) | (Some(Ok(None)), _) => continue,
                    (None, _) => "is missing".into(),
                    (Some(Err(_)), 0) => continue,
                    (Some(Err(why)), _) => why.clone(),
                    (Some(Ok(Some(counted))), due) => match counted.get(id).copied().unwrap_or(0) {
                        rows if rows == due => continue,
                        rows => format!("has {rows} rows of it, its conversion counted {due}"),
                    },
                };
                let file = self.generations[*number].folder(root).join(format!("{}.parquet", spec.name));
                found.push(Damage { dump_id: id.clone(), table: spec.name.into(), file, why });
            }
        }
        found
    }
}

fn no_members(file: &Path) -> Damage {
    let why = "cannot be read: which dumps the files beside it hold is not known".to_string();
    Damage { dump_id: Damage::UNKNOWN.into(), table: MEMBERS.into(), file: file.into(), why }
}

/// Rows of each dump, every one of them read.
fn counts(file: &Path) -> Result<BTreeMap<String, u64>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot be read to its end ({error})");
    let opened = File::open(file).map_err(|error| failed(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| failed(&error))?;
    let reader = builder.build().map_err(|error| failed(&error))?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for batch in reader {
        let batch = batch.map_err(|error| failed(&error))?;
        let ids = batch.column_by_name("dump_id").and_then(|ids| ids.as_string_opt::<i32>());
        for id in ids.ok_or_else(|| failed(&"it has no ids"))?.iter().flatten() {
            match counts.get_mut(id) {
                Some(count) => *count += 1,
                None => drop(counts.insert(id.into(), 1)),
            }
        }
    }
    Ok(counts)
}
