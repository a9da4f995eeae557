//! Whether all files of a lake have the columns that this version writes.
//!
//! Files of different versions can lie side by side; who reads them must then open each to learn its columns before the
//! first row is read, which takes gigabytes and minutes for ten thousand dumps. So a lake says in a file `shape` with
//! which columns it was begun. As soon as a version with others opens it for writing, that file goes, and for good.

use crate::{
    all, disk,
    error::{Error, Result},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Tables and columns of this version, a line each.
fn text() -> String {
    let mut text = String::new();
    for table in all() {
        text.extend(["table ", table.name, "\n"]);
        for column in table.columns {
            text.extend([column.name, " ", column.cell.sql(), "\n"]);
        }
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

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
}
