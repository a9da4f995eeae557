//! `LAKE/lake.duckdb`: the views that let any DuckDB question the lake.
//!
//! The file holds no rows of dumps, only views over the Parquet files, so a dump that is converted later is seen at
//! once and the file can be thrown away and written anew at any time. It is written under another name and appears by
//! one rename: whoever opens the lake sees the old views or the new ones.
//!
//! The views hold absolute paths (`path.rs` says why), so moving the lake makes them stale. [`is_current`] sees that,
//! and every `dumplake` command on the lake writes them anew; `dumplake lake repair` does nothing else.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use duckdb::{AccessMode, Config, Connection};

use crate::error::{Error, Result};
use crate::path;
use crate::script;
use crate::tables::{self, Table};

/// Name of the file in the lake's folder.
pub const FILE_NAME: &str = "lake.duckdb";

/// Writes `lake.duckdb` anew.
///
/// # Errors
/// The folder is not there, its name cannot be used in SQL (see `path.rs`), it is read-only, or a Parquet file in it is broken; the old file stays then.
pub fn rebuild(lake: &Path) -> Result<()> {
    let plan = Plan::of(lake)?;
    let staging = Staging::new(&plan.root)?;
    let new = staging.0.join(FILE_NAME);
    let connection = Connection::open(&new)?;
    plan.run(&connection)?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(Error::io(&new))?;
    let old = plan.root.join(FILE_NAME);
    fs::rename(&new, &old).map_err(Error::io(old))
}

/// Whether `lake.duckdb` is what [`rebuild`] would write now: same place, same tables with rows, same version.
///
/// # Errors
/// The lake itself cannot be used. A missing or broken `lake.duckdb` is no error: it is not current.
pub fn is_current(lake: &Path) -> Result<bool> {
    Ok(Plan::of(lake)?.open_current().is_some())
}

/// Opens the views of a lake and gives its canonical path; writes `lake.duckdb` anew first if it has to be.
///
/// Where the lake cannot be written to (another user's, or on a read-only medium) the views are made in memory.
pub(crate) fn open(lake: &Path) -> Result<(Connection, PathBuf)> {
    let plan = Plan::of(lake)?;
    if let Some(connection) = plan.open_current() {
        return Ok((connection, plan.root));
    }
    if rebuild(lake).is_ok()
        && let Some(connection) = plan.open_current()
    {
        return Ok((connection, plan.root));
    }
    let connection = Connection::open_in_memory()?;
    plan.run(&connection)?;
    Ok((connection, plan.root))
}

/// What `lake.duckdb` of a lake has to hold.
struct Plan {
    root: PathBuf,
    script: String,
}

impl Plan {
    fn of(lake: &Path) -> Result<Self> {
        let tables = tables::all();
        let root = path::canonical(lake, &tables)?;
        let script = script::script(&path::text(&root), &tables, |table| has_partition(&root, table));
        Ok(Self { root, script })
    }

    fn run(&self, connection: &Connection) -> Result<()> {
        let info = script::info(&path::text(&self.root), &self.script);
        connection.execute_batch(&format!("BEGIN;\n{}{info}COMMIT;", self.script))?;
        Ok(())
    }

    /// The file as it is, read-only, if it is what it has to be.
    fn open_current(&self) -> Option<Connection> {
        let file = self.root.join(FILE_NAME);
        // DuckDB says "no such file" for what is no regular file in many ways; and never make one here.
        if !file.is_file() {
            return None;
        }
        let config = Config::default().access_mode(AccessMode::ReadOnly).ok()?;
        let connection = Connection::open_with_flags(file, config).ok()?;
        let found: String =
            connection.query_row("SELECT script FROM lake_info", [], |row| row.get(0)).ok()?;
        (found == script::checksum(&self.script)).then_some(connection)
    }
}

/// Whether a table has a file that the pattern of its view matches. DuckDB refuses a pattern that matches none.
fn has_partition(root: &Path, table: &Table) -> bool {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let named = |name: &std::ffi::OsStr, start: &str, end: &str| {
        name.to_str().is_some_and(|name| name.starts_with(start) && name.ends_with(end))
    };
    entries(&root.join(table.name))
        .filter(|partition| named(&partition.file_name(), "dump_id=", ""))
        .any(|partition| entries(&partition.path()).any(|file| named(&file.file_name(), "part-", ".parquet")))
}

/// A folder of our own in the lake for the new file; removed with whatever is left in it.
///
/// The new file already bears its final name there, because DuckDB calls a database by the name of its file.
struct Staging(PathBuf);

impl Staging {
    fn new(root: &Path) -> Result<Self> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let folder = root.join(format!(".lake-{}-{nanos}.tmp", std::process::id()));
        fs::create_dir(&folder).map_err(Error::io(&folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
