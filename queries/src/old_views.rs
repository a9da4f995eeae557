//! Who still reads a lake through views that were replaced?
//!
//! A reader that opened `lake.duckdb` before it was replaced keeps its views, and they name small files that a
//! compaction has merged. So a replaced file gets a second name in the staging folder as long as the lake has merged
//! files. Every DuckDB holds a lock on the file that it reads: when a file can be opened for writing nobody reads
//! through it, and its name can go. Where locks do not reach (some network file systems) readers are not seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use duckdb::{AccessMode, Config, Connection};

use crate::lake::FILE_NAME;

const ENDING: &str = "views";

/// Gives the file that is about to be replaced its second name. A file system without such names is no obstacle.
pub fn keep(root: &Path) {
    let staging = root.join(".staging");
    if staging.is_dir() {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let name = staging.join(format!("{}-{nanos}.{ENDING}", std::process::id()));
        let _ = fs::hard_link(root.join(FILE_NAME), name);
    }
}

/// Whether somebody reads the lake at `root` through views that were replaced.
pub fn in_use(root: &Path) -> bool {
    forget(root);
    !kept(root).is_empty()
}

/// Removes the second names of files that nobody reads. Not before the new file is in its place: until then somebody
/// may still open the old one.
pub fn forget(root: &Path) {
    for file in kept(root) {
        let config = Config::default().access_mode(AccessMode::ReadWrite);
        let opened = config.and_then(|config| Connection::open_with_flags(&file, config));
        // What is no database has no readers.
        if opened.is_ok() || opened.is_err_and(|error| !is_locked(&error)) {
            let _ = fs::remove_file(&file);
        }
    }
}

fn kept(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(".staging")).into_iter().flatten().flatten();
    let files =
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())).map(|entry| entry.path());
    files.filter(|file| file.extension().is_some_and(|found| found == ENDING)).collect()
}

/// Another process has the file open: "Could not set lock on file" on Unix, "being used by another process" on Windows.
pub fn is_locked(error: &duckdb::Error) -> bool {
    let text = error.to_string();
    ["set lock", "used by another process"].iter().any(|words| text.contains(words))
}
