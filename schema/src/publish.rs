//! How the tables of a dump become part of a lake: whole or not at all.
//!
//! 1. They are written to `.staging/<id>.<n>.tmp`, under a lock file that their writer holds.
//! 2. **Commit**: one rename to `.staging/<id>.<n>.ready`, with a `manifest` of the tables in it.
//! 3. **Publication**: under the lake's publication lock, the old `dumps` partition is retired (the
//!    dump is out of the lake), every table's partition is replaced, `dumps` comes last.
//!
//! A kill before 2 leaves a `.tmp` that the next opening removes; a kill after 2 leaves a `.ready`
//! that the next opening publishes, from wherever it stopped: every step can be done again.

use crate::{
    commit::Commit,
    error::{Error, Result},
};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Where tables wait until they are whole.
pub fn staging(root: &Path) -> PathBuf {
    root.join(".staging")
}

/// Makes a staging folder that nobody else uses, and locks it.
///
/// Errors: the file system refuses, or it is one that knows no locks.
pub fn claim(root: &Path, dump_id: &str) -> Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Recovery removes lock files that nobody holds; it must not come between making and holding ours.
    let _publication = lock_publication(root)?;
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = staging(root).join(format!("{dump_id}.{}-{number}.tmp", std::process::id()));
        // The lock comes first: a folder without a held lock is free to be removed by anybody.
        let path = lock_path(&folder);
        let lock = File::create(&path).map_err(|error| Error::new("create", &path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue, // another machine on a shared folder has our process id
            Err(TryLockError::Error(error)) => return Err(Error::new("lock", &path, error)),
        }
        match fs::create_dir(&folder) {
            Ok(()) => return Ok((folder, lock)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(Error::new("create", &folder, error)),
        }
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

/// Removes the lock file of a staging folder that is gone.
pub fn remove_lock(folder: &Path) {
    // A leftover lock file does no harm; the next opening removes it.
    let _ = fs::remove_file(lock_path(folder));
}

/// Commits a staging folder and publishes it.
pub fn commit(root: &Path, dump_id: &str, folder: &Path, tables: &[&str]) -> Result<()> {
    let commit =
        Commit { dump_id: dump_id.into(), tables: tables.iter().map(|&table| table.into()).collect() };
    let synced = tables.iter().try_for_each(|table| sync_folder(&folder.join(table)));
    let written = synced.and_then(|()| commit.write(folder)).and_then(|()| sync_folder(folder));
    written.map_err(|error| Error::new("write", folder, error))?;
    let ready = folder.with_extension("ready");
    let publication = lock_publication(root)?;
    let renamed = fs::rename(folder, &ready).and_then(|()| sync_folder(&staging(root)));
    renamed.map_err(|error| Error::new("commit", folder, error))?;
    publish(root, &ready)?;
    drop(publication);
    Ok(())
}

/// True when a committed conversion waits for its publication.
pub fn is_pending(root: &Path) -> bool {
    let mut entries = fs::read_dir(staging(root)).into_iter().flatten().flatten();
    entries.any(|entry| entry.path().extension().is_some_and(|extension| extension == "ready"))
}

/// Completes or removes what interrupted conversions left behind.
pub fn recover(root: &Path) -> Result<()> {
    let staging = staging(root);
    if staging.is_symlink() {
        return Err(Error::new("use", &staging, "it is a link; what is in it is not this lake's to remove"));
    }
    if !staging.is_dir() {
        return Ok(());
    }
    let publication = lock_publication(root)?;
    for folder in entries(&staging)? {
        match folder.extension().and_then(|extension| extension.to_str()) {
            Some("ready") => publish(root, &folder)?,
            Some("tmp") => remove_abandoned(&folder),
            Some("trash") => drop(fs::remove_dir_all(&folder)),
            Some("lock") if !folder.with_extension("tmp").exists() => remove_if_free(&folder),
            _ => {}
        }
    }
    drop(publication);
    Ok(())
}

/// One process publishes at a time; it takes a few renames.
fn lock_publication(root: &Path) -> Result<File> {
    let path = staging(root).join("publication");
    // Not truncated: a lock that is only taken leaves no trace in the folder.
    let open = || {
        let file = File::options().create(true).append(true).open(&path)?;
        file.lock().map(|()| file)
    };
    open().map_err(|error| Error::new("lock", &path, error))
}

/// Moves every table of a committed folder into the lake. May be called again after an interruption.
fn publish(root: &Path, ready: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::new("publish", ready, error);
    // The note goes last but for the folder itself: without one, everything is published or nothing is.
    let Some(Commit { dump_id, mut tables }) = Commit::read(ready).map_err(failed)? else {
        return fs::remove_dir_all(ready).map_err(failed);
    };
    let partition = format!("dump_id={dump_id}");
    tables.sort_by_key(|table| *table == "dumps"); // the table that says "it is there" comes last
    if ready.join("dumps").exists() {
        retire(root, &root.join("dumps").join(&partition)).map_err(failed)?;
        retire_others(root, &partition, &tables).map_err(failed)?;
    }
    for table in &tables {
        replace(root, &ready.join(table), &root.join(table), &partition).map_err(failed)?;
    }
    sync_folder(root).and_then(|()| Commit::remove(ready)).map_err(failed)?;
    fs::remove_dir_all(ready).map_err(failed)
}

/// Puts one staged table folder in the place of a partition; nothing to do when it has been moved.
fn replace(root: &Path, staged: &Path, table: &Path, partition: &str) -> io::Result<()> {
    if !staged.exists() {
        return Ok(());
    }
    fs::create_dir_all(table)?;
    let target = table.join(partition);
    retire(root, &target)?;
    fs::rename(staged, &target)?;
    sync_folder(table)
}

/// Retires the partitions of tables that the new conversion did not write.
fn retire_others(root: &Path, partition: &str, tables: &[String]) -> io::Result<()> {
    for folder in fs::read_dir(root)? {
        let folder = folder?.path();
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !tables.iter().any(|table| table == name) {
            retire(root, &folder.join(partition))?;
        }
    }
    Ok(())
}

/// Takes a partition out of the lake by one rename, then deletes it.
fn retire(root: &Path, partition: &Path) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    if !partition.is_dir() {
        return Ok(());
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let trash = staging(root).join(format!("{}-{number}.trash", std::process::id()));
    let _ = fs::remove_dir_all(&trash); // left by an earlier process of our number
    fs::rename(partition, &trash)?;
    let _ = fs::remove_dir_all(&trash); // what cannot be deleted now goes at the next opening
    Ok(())
}

/// Removes a staging folder whose writer is gone, which its lock tells.
fn remove_abandoned(folder: &Path) {
    let path = lock_path(folder);
    let lock = File::create(&path);
    let held = lock.as_ref().is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    if !held {
        let _ = fs::remove_dir_all(folder);
        drop(lock);
        let _ = fs::remove_file(path);
    }
}

fn remove_if_free(lock: &Path) {
    let held = File::open(lock).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
    if !held {
        let _ = fs::remove_file(lock);
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: io::Error| Error::new("read", folder, error);
    let paths: io::Result<Vec<PathBuf>> =
        fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// Makes renames within a folder survive a power loss, where the system lets a folder be synced.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
