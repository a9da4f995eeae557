//! Whether all files of a lake have the columns that this version writes.
//!
//! Files of different versions can lie side by side; who reads them must then open each to learn its columns before the
//! first row is read, which takes gigabytes and minutes for ten thousand dumps. So a lake says in a file `shape` with
//! which columns it was begun. As soon as a version with others opens it for writing, that file goes; it comes back when
//! somebody has the lake repaired and every file of it turns out to have the columns of this version.

use crate::{
    all,
    compact::{Compacted, footer, is_alike, with_id},
    disk,
    error::{Error, Result},
    publish,
};
use arrow::datatypes::SchemaRef;
use rayon::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Tables and columns of this version, a line each. Made once: every commit compares with it.
fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut text = String::new();
        for table in all() {
            text.extend(["table ", table.name, "\n"]);
            for column in table.columns {
                text.extend([column.name, " ", column.cell.sql(), "\n"]);
            }
        }
        text
    });
    &TEXT
}

fn path(root: &Path) -> PathBuf {
    root.join("shape")
}

/// Whether all files of the lake at `root` have the columns that this version writes.
pub fn is_uniform(root: &Path) -> bool {
    fs::read(path(root)).is_ok_and(|stated| stated == text().as_bytes())
}

/// Notes that this version is going to write into a lake, which may be a new one: that is only asked where the lake states
/// nothing.
pub fn note(root: &Path, is_new: impl FnOnce() -> bool) -> Result<()> {
    let path = path(root);
    let failed = |error| Error::new("write", &path, error);
    match path.exists() {
        false if is_new() => disk::write(&path, text().as_bytes()).map_err(failed),
        true if !is_uniform(root) => forget(root),
        _ => Ok(()),
    }
}

/// From now on nobody relies on the files having the same columns.
///
/// # Errors
/// The file system refuses.
pub fn forget(root: &Path) -> Result<()> {
    let path = path(root);
    match path.exists() {
        true => disk::remove_file(&path).map_err(|error| Error::new("remove", &path, error)),
        false => Ok(()),
    }
}

/// Looks at the ends of all files, wherever they came from, and says so if they have the columns of this version. True if
/// they do. Nobody publishes meanwhile.
///
/// # Errors
/// The file system refuses, or nobody can say which merged files there are.
pub fn find(root: &Path) -> Result<bool> {
    let shapes = all().iter().map(|spec| (spec.name, spec.schema()));
    find_tables(root, &shapes.collect::<Vec<_>>())
}

fn find_tables(root: &Path, tables: &[(&str, SchemaRef)]) -> Result<bool> {
    forget(root)?;
    let staging = publish::staging(root); // a copy of the lake may be without
    disk::create_folders(&staging).map_err(|error| Error::new("create", &staging, error))?;
    let _alone = publish::lock_publication(root)?;
    let compacted = Compacted::read(root)?;
    let merged = |table: &str| -> Vec<PathBuf> {
        compacted.known().filter_map(|generation| generation.file(root, table)).collect()
    };
    let uniform = tables.iter().all(|(table, shape)| {
        let own = partitions(&root.join(table)).into_par_iter().all(|file| has(&file, shape));
        let merged_shape = with_id(shape);
        own && merged(table).par_iter().all(|file| has(file, &merged_shape))
    });
    if uniform {
        let path = path(root);
        disk::write(&path, text().as_bytes()).map_err(|error| Error::new("write", &path, error))?;
    }
    Ok(uniform)
}

fn has(file: &Path, shape: &SchemaRef) -> bool {
    footer(file).is_ok_and(|end| is_alike(shape, end.schema()))
}

/// The files of a table that a view over it reads.
fn partitions(table: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path, start: &'static str| -> Vec<PathBuf> {
        let is_named = move |entry: &fs::DirEntry| {
            entry.file_name().to_str().is_some_and(|name| name.starts_with(start))
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter(is_named).map(|entry| entry.path()).collect()
    };
    let files = entries(table, "dump_id=").into_iter().flat_map(|partition| entries(&partition, "part-"));
    files.filter(|file| file.extension().is_some_and(|end| end == "parquet")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Lake, Table,
        scratch::{ID, Samples, Scratch, convert},
    };

    #[test]
    fn a_lake_is_uniform_until_another_version_opens_it() {
        let scratch = Scratch::new("shape");
        let root = &scratch.0;
        assert!(!is_uniform(root), "a lake of before says nothing");
        note(root, || false).unwrap();
        assert!(!is_uniform(root));
        note(root, || true).unwrap();
        note(root, || false).unwrap();
        assert!(is_uniform(root));
        // What another version states.
        fs::write(path(root), text().replace("UBIGINT", "UINTEGER")).unwrap();
        assert!(!is_uniform(root));
        note(root, || true).unwrap();
        note(root, || false).unwrap();
        assert!(!is_uniform(root) && !path(root).exists());
    }

    /// As when a repair by that version ends while this one converts.
    #[test]
    fn what_another_version_states_of_an_open_lake_does_not_outlive_a_commit() {
        let scratch = Scratch::new("shape of two");
        let root = &scratch.0;
        let lake = Lake::create_or_open(root).unwrap();
        fs::write(path(root), "table others\n").unwrap();
        convert(&lake, ID, "1", &["dumps"]).unwrap();
        assert!(!path(root).exists());
    }

    /// Also of merged files, and of a file that somebody put beside ours.
    #[test]
    fn a_repair_finds_whether_the_files_are_alike() {
        let scratch = Scratch::new("found shape");
        let root = &scratch.0;
        let lake = Lake::create_or_open(root).unwrap();
        convert(&lake, "d00000000000000aa", "1", &["dumps", "modules"]).unwrap();
        let tables = ["dumps", "modules"].map(|table| (table, Samples::spec().schema()));
        lake.compact_tables(tables.iter().map(|(table, shape)| (table.to_string(), shape.clone())).collect())
            .unwrap();
        lake.prune().unwrap();
        convert(&lake, ID, "1", &["dumps", "modules"]).unwrap();
        assert!(find_tables(root, &tables).unwrap() && is_uniform(root));
        // Files of other columns than those of the tables: of a partition, of a merged file.
        assert!(!find(root).unwrap() && !is_uniform(root));
        lake.remove(ID).unwrap();
        assert!(!find(root).unwrap() && !is_uniform(root));
        assert!(find_tables(root, &tables).unwrap() && is_uniform(root));
        let beside = root.join("modules/dump_id=d00000000000000bb");
        fs::create_dir_all(&beside).unwrap();
        fs::write(beside.join("part-7.parquet"), "damaged").unwrap();
        assert!(!find_tables(root, &tables).unwrap() && !is_uniform(root));
        fs::remove_dir_all(beside).unwrap();
        assert!(find_tables(root, &tables).unwrap());
        // A copy has all that counts.
        fs::remove_dir_all(publish::staging(root)).unwrap();
        assert!(find_tables(root, &tables).unwrap() && is_uniform(root));
    }
}
