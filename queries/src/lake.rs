//! `LAKE/lake.duckdb`: the views that let any DuckDB question the lake.
//!
//! The file holds no rows of dumps, only views over the Parquet files, so a dump that is converted later is seen at
//! once and the file can be thrown away and written anew at any time. It is written under another name and appears by
//! one rename: whoever opens the lake sees the old views or the new ones.
//!
//! The views hold absolute paths (`path.rs` says why), so moving the lake makes them stale. [`is_current`] sees that,
//! and every `dumplake` command on the lake writes them anew; `dumplake lake repair` does nothing else. What a user
//! adds to this file with another DuckDB is lost then: own views belong into a database of their own that attaches
//! this one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use duckdb::{AccessMode, Config, Connection};
use schema::{Compacted, Generation, Lake};

use crate::error::{Error, Result};
use crate::old_views;
use crate::path;
use crate::script::{self, Columns};
use crate::tables::{self, Table};

/// Name of the file in the lake's folder.
pub const FILE_NAME: &str = "lake.duckdb";

/// Writes `lake.duckdb` anew. The value is the Parquet files that had to be left out because they cannot be read: one
/// damaged table must not cost the answers of all others.
///
/// # Errors
/// The folder is not there, its name cannot be used in SQL (see `path.rs`), or it is read-only; the old file stays then.
pub fn rebuild(lake: &Path) -> Result<Vec<PathBuf>> {
    match replace(lake, false)? {
        Some(left_out) => Ok(left_out),
        None => replace(lake, true).map(Option::unwrap_or_default),
    }
}

/// Writes the file and puts it in the place of the old one. `None` if the lake has changed meanwhile so that the views
/// would be those of before: after a compaction they would name files that go. Nothing can change when nobody may
/// publish (`alone`), but then others wait.
fn replace(lake: &Path, alone: bool) -> Result<Option<Vec<PathBuf>>> {
    let root = path::canonical(lake, &tables::all())?;
    let hold = || Lake::hold(&root);
    let before = alone.then(hold);
    let plan = Plan::of(lake)?;
    let staging = Staging::new(&plan.root)?;
    let new = staging.0.join(FILE_NAME);
    let connection = Connection::open(&new)?;
    let left_out = plan.run_with_what_can_be_read(&connection)?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(Error::io(&new))?;
    let _now = before.or_else(|| Some(hold()));
    if !alone && Plan::of(lake)?.script != plan.script {
        return Ok(None);
    }
    old_views::keep(&plan.root);
    let old = plan.root.join(FILE_NAME);
    fs::rename(&new, &old).map_err(Error::io(old))?;
    old_views::forget(&plan.root);
    Ok(Some(left_out))
}

/// Whether `lake.duckdb` is what [`rebuild`] would write now: same place, same tables with rows, same version.
///
/// # Errors
/// The lake itself cannot be used. A missing, broken or locked `lake.duckdb` is no error: it is not current.
pub fn is_current(lake: &Path) -> Result<bool> {
    Ok(matches!(Plan::of(lake)?.open_file(), Found::Current(_)))
}

/// Opens the views of a lake and gives its canonical path; writes `lake.duckdb` anew first if it has to be.
///
/// Where that cannot be (another user's lake, a read-only medium, another program has the file open for writing) the
/// views are made in memory.
pub(crate) fn open(lake: &Path) -> Result<(Connection, PathBuf, Vec<PathBuf>)> {
    let plan = Plan::of(lake)?;
    let mut found = plan.open_file();
    if matches!(found, Found::Stale) && rebuild(lake).is_ok() {
        found = plan.open_file();
    }
    if let Found::Current(connection) = found {
        return Ok((connection, plan.root, Vec::new()));
    }
    let connection = Connection::open_in_memory()?;
    let left_out = plan.run_with_what_can_be_read(&connection)?;
    Ok((connection, plan.root, left_out))
}

/// The same views over the rows of one dump, in memory: of the thousands of files of a lake DuckDB opens those that hold
/// the dump.
///
/// # Errors
/// A file of the dump cannot be read. A dump that is not in the lake is no error: its tables are empty.
pub(crate) fn open_dump(lake: &Path, dump: &str) -> Result<(Connection, PathBuf)> {
    let plan = Plan::of_dump(lake, dump)?;
    let connection = Connection::open_in_memory()?;
    // The patterns go to the same few files hundreds of times. Of a whole lake that would be too many to keep.
    connection.execute_batch("SET parquet_metadata_cache = true")?;
    plan.run(&connection)?;
    Ok((connection, plan.root))
}

/// Whether this is the id of a dump of the lake; what cannot be one is none.
pub(crate) fn has_dump(root: &Path, id: &str) -> bool {
    let merged = || Compacted::read(root).is_ok_and(|compacted| compacted.has(id));
    schema::check_id(id).is_ok() && (root.join("dumps").join(format!("dump_id={id}")).is_dir() || merged())
}

/// Whether a lake has another dump than this one.
pub(crate) fn has_other(root: &Path, id: &str) -> bool {
    let own = format!("dump_id={id}");
    let mut partitions = entries(&root.join("dumps"), "dump_id=", "");
    let merged = || Compacted::read(root).is_ok_and(|compacted| compacted.ids().any(|other| other != id));
    partitions.any(|partition| !partition.ends_with(&own)) || merged()
}

/// What there is under the name `lake.duckdb`.
enum Found {
    /// What has to be there, opened read-only.
    Current(Connection),
    /// Nothing, or something else.
    Stale,
    /// Another program writes to it; it must not be replaced under its hands.
    Busy,
}

/// What `lake.duckdb` of a lake has to hold.
struct Plan {
    root: PathBuf,
    script: String,
}

impl Plan {
    fn of(lake: &Path) -> Result<Self> {
        Self::without(lake, &[])
    }

    /// The same without some files: the tables that have one of them name their other files one by one.
    fn without(lake: &Path, left_out: &[PathBuf]) -> Result<Self> {
        let tables = tables::all();
        let root = path::canonical(lake, &tables)?;
        let compacted = Compacted::read(&root).map_err(|error| Error::lake(lake, error.to_string()))?;
        let columns = if schema::is_uniform(&root) { Columns::OfFirst } else { Columns::OfEach };
        let sources = |table: &Table| {
            let mut sources = merged(&compacted, &root, table, left_out, columns);
            sources.extend(partitions(&root, table, left_out, compacted.ids().next().is_some(), columns));
            sources
        };
        let script = script::script(&tables, compacted.ids(), sources);
        Ok(Self { root, script })
    }

    /// Over the rows of one dump.
    fn of_dump(lake: &Path, dump: &str) -> Result<Self> {
        let tables = tables::all();
        let root = path::canonical(lake, &tables)?;
        let compacted = Compacted::read(&root).map_err(|error| Error::lake(lake, error.to_string()))?;
        let merged = compacted.generation_of(dump);
        let source = |table: &Table| match merged {
            Some(merged) => merged.file(&root, table.name).map(|file| script::merged_rows(file, dump)),
            None => {
                let partition = root.join(table.name).join(format!("dump_id={dump}"));
                let files: Vec<PathBuf> = files_of(&partition).collect();
                (!files.is_empty()).then(|| script::files(&files, false))
            }
        };
        let script = script::views(&tables, |table| source(table).into_iter().collect());
        Ok(Self { root, script })
    }

    /// Runs the script; where a file that cannot be read makes that fail, without such files. They are the value.
    fn run_with_what_can_be_read(&self, connection: &Connection) -> Result<Vec<PathBuf>> {
        let Err(error) = self.run(connection) else { return Ok(Vec::new()) };
        let left_out = schema::unreadable_files(&self.root);
        if left_out.is_empty() {
            return Err(error);
        }
        connection.execute_batch("ROLLBACK")?;
        Self::without(&self.root, &left_out)?.run(connection)?;
        Ok(left_out)
    }

    fn run(&self, connection: &Connection) -> Result<()> {
        let info = script::info(&path::text(&self.root), &self.script);
        // Waking threads for each of 1,500 tiny statements would take longer than all of them, and there is nothing in
        // them to optimize.
        let script = format!(
            "SET threads = 1; PRAGMA disable_optimizer; BEGIN;\n{}{info}COMMIT;
             PRAGMA enable_optimizer; RESET threads;",
            self.script
        );
        connection.execute_batch(&script)?;
        Ok(())
    }

    fn open_file(&self) -> Found {
        let file = self.root.join(FILE_NAME);
        // DuckDB would try to open a folder too, and has no clear words for it.
        if !file.is_file() {
            return Found::Stale;
        }
        let config = Config::default().access_mode(AccessMode::ReadOnly);
        let connection = match config.and_then(|config| Connection::open_with_flags(file, config)) {
            Ok(connection) => connection,
            Err(error) if old_views::is_locked(&error) => return Found::Busy,
            Err(_) => return Found::Stale,
        };
        let script: Option<String> =
            connection.query_row("SELECT script FROM lake_info", [], |row| row.get(0)).ok();
        let current = script.is_some_and(|script| script == script::checksum(&self.script));
        if current { Found::Current(connection) } else { Found::Stale }
    }
}

/// What reads the partitions of a table, if it has any.
fn partitions(
    root: &Path,
    table: &Table,
    left_out: &[PathBuf],
    merged: bool,
    columns: Columns,
) -> Option<String> {
    let folder = root.join(table.name);
    if !left_out.iter().any(|file| file.starts_with(&folder)) {
        let all = || script::partitions(&path::text(root), table.name, merged, columns);
        return has_partition(root, table).then(all);
    }
    let files: Vec<PathBuf> = partition_files(root, table).filter(|file| !left_out.contains(file)).collect();
    (!files.is_empty()).then(|| script::files(&files, merged))
}

/// What reads the merged files of a table: at once those that count whole, one by one those that do not.
fn merged(
    compacted: &Compacted,
    root: &Path,
    table: &Table,
    left_out: &[PathBuf],
    columns: Columns,
) -> Vec<String> {
    let file = |one: &Generation| one.file(root, table.name).filter(|file| !left_out.contains(file));
    let (whole, others): (Vec<&Generation>, Vec<&Generation>) =
        compacted.known().partition(|one| one.gone.is_empty());
    let whole: Vec<PathBuf> = whole.into_iter().filter_map(file).collect();
    let others = others.into_iter().filter_map(|one| Some((file(one)?, one)));
    let others = others.map(|(file, one)| script::merged_files(&[file], one.gone.iter(), columns));
    let whole = (!whole.is_empty()).then(|| script::merged_files(&whole, [].iter(), columns));
    whole.into_iter().chain(others).collect()
}

/// Whether a table has a file that the pattern of its view matches. DuckDB refuses a pattern that matches none.
fn has_partition(root: &Path, table: &Table) -> bool {
    partition_files(root, table).next().is_some()
}

fn partition_files(root: &Path, table: &Table) -> impl Iterator<Item = PathBuf> {
    let partitions = entries(&root.join(table.name), "dump_id=", "");
    partitions.flat_map(|partition| files_of(&partition))
}

/// The files of a partition.
fn files_of(partition: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    entries(partition, "part-", ".parquet")
}

/// What a folder has by names that start and end like this.
fn entries(folder: &Path, start: &'static str, end: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    let named = move |entry: &fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| name.starts_with(start) && name.ends_with(end))
    };
    fs::read_dir(folder).into_iter().flatten().flatten().filter(named).map(|entry| entry.path())
}

/// A folder of our own in the lake for the new file; removed with whatever is left in it.
///
/// The new file already bears its final name there, because DuckDB calls a database by the name of its file.
struct Staging(PathBuf);

impl Staging {
    fn new(root: &Path) -> Result<Self> {
        remove_old(root);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let folder = root.join(format!(".lake-{}-{nanos}.tmp", std::process::id()));
        fs::create_dir(&folder).map_err(Error::io(&folder))?;
        Ok(Self(folder))
    }
}

/// Removes the folders of those that were killed: no rebuild takes a day.
fn remove_old(root: &Path) {
    let is_old = |folder: &PathBuf| {
        let changed = fs::symlink_metadata(folder).and_then(|data| data.modified());
        changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > Duration::from_secs(24 * 3600)))
    };
    for folder in entries(root, ".lake-", ".tmp").filter(is_old) {
        let _ = fs::remove_dir_all(folder);
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
