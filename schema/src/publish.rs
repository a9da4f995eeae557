//! How the tables of a dump become part of a lake: whole or not at all.
//!
//! 1. They are written to `.staging/<id>.<n>.tmp`, under a lock file that their writer holds.
//!    All files of all dumps that are committed together are brought to the disk.
//! 2. **Commit**: one rename to `.staging/<id>.<n>.ready`, with a `manifest` of the tables in it.
//! 3. **Publication**: under the lake's publication lock, the old `dumps` partition is retired (the
//!    dump is out of the lake), every table's partition is replaced, `dumps` comes last.
//!
//! A kill before 2 leaves a `.tmp` that the next opening removes; a kill after 2 leaves a `.ready`
//! that the next opening publishes, from wherever it stopped: every step can be done again.

use crate::{
    commit::Commit,
    compact,
    disk::{self, sync_folder},
    error::{Error, Result},
    lake::check_id,
    shape,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
};

/// Where tables wait until they are whole.
pub fn staging(root: &Path) -> PathBuf {
    root.join(".staging")
}

/// Name of the one file of a partition.
pub const PART: &str = "part-0.parquet";

/// Name of the publication lock.
const PUBLICATION: &str = "publication";

/// Name of the lock that a compaction holds.
pub const COMPACTION: &str = "compaction";

/// Makes a staging folder that nobody else uses, and locks it.
///
/// Errors: the file system refuses, or it is one that knows no locks.
pub fn claim(root: &Path, dump_id: &str) -> Result<(PathBuf, File)> {
    // Recovery removes lock files that nobody holds; it must not come between making and holding ours.
    let _publication = lock_publication(root)?;
    let folder = staging(root).join(format!("{dump_id}.{}.tmp", unique()));
    // The lock comes first: a folder without a held lock is free to be removed by anybody.
    let path = lock_path(&folder);
    let lock = disk::open_lock(&path).map_err(|error| Error::new("create", &path, error))?;
    lock.try_lock().map_err(|error| Error::new("lock", &path, error))?;
    disk::create_folder(&folder).map_err(|error| Error::new("create", &folder, error))?;
    Ok((folder, lock))
}

/// Words that are taken once. The number of the process is there to be looked up; it is not enough,
/// since in a container everybody may be process 1.
fn unique() -> String {
    format!("{}-{}", std::process::id(), number())
}

/// 16 hexadecimal digits that are taken once.
pub fn number() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

/// Removes the lock file of a staging folder that is gone.
pub fn remove_lock(folder: &Path) {
    // A leftover lock file does no harm; the next opening removes it.
    let _ = disk::remove_file(&lock_path(folder));
}

/// A dump whose files are closed.
pub struct Ready<'a> {
    pub dump_id: &'a str,
    /// Its staging folder.
    pub folder: &'a Path,
    /// The tables that have a file in it.
    pub tables: &'a [&'static str],
}

/// Commits staging folders and publishes them. The disk is waited for a few times, however many they are.
///
/// Errors: `dumps` is not among the tables of one, or the file system refuses. Once a folder bears its new
/// name, the next opening publishes it all the same.
pub fn commit(root: &Path, ready: &[Ready]) -> Result<()> {
    let ids: BTreeSet<&str> = ready.iter().map(|one| one.dump_id).collect();
    if ids.len() < ready.len() {
        // The same dump twice: one publication must end before the next may begin.
        return ready.iter().try_for_each(|one| commit(root, std::slice::from_ref(one)));
    }
    let mut written = Vec::new();
    for one in ready {
        written.extend(write_note(one)?);
    }
    disk::sync(&staging(root), &written).map_err(|error| Error::new("write", &staging(root), error))?;
    let _publication = lock_publication(root)?;
    // Another version may have stated its own columns since this one opened the lake.
    shape::note(root, || false)?;
    publish_pending(root, |dump_id| ids.contains(dump_id))?; // what another process left of these must not come later
    let mut renamed = Vec::new();
    for Ready { dump_id, folder, .. } in ready {
        // The name says whose tables these are, also when that was not known at the beginning.
        let to = staging(root).join(format!("{dump_id}.{}.ready", unique()));
        disk::rename(folder, &to).map_err(|error| Error::new("commit", folder, error))?;
        renamed.push(to);
    }
    sync_folder(&staging(root)).map_err(|error| Error::new("commit", &staging(root), error))?;
    publish(root, &renamed)
}

/// Writes the note of a dump. The value is every file and folder that must be on the disk before its commit.
fn write_note(ready: &Ready) -> Result<Vec<PathBuf>> {
    let &Ready { dump_id, folder, tables } = ready;
    let commit =
        Commit { dump_id: dump_id.into(), tables: tables.iter().map(|&table| table.into()).collect() };
    if !commit.is_sound() {
        return Err(Error::plain(format!("{dump_id}: tables without `dumps` cannot be committed")));
    }
    let note = commit.write(folder).map_err(|error| Error::new("write", folder, error))?;
    let of_table = |table: &&str| [folder.join(table).join(PART), folder.join(table)];
    let tables = tables.iter().flat_map(of_table);
    Ok(tables.chain([note, folder.to_path_buf()]).collect())
}

/// Publishes what is committed and not yet published, of the dumps that are wanted; one after the other, since two
/// may be the same dump.
pub fn publish_pending(root: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    for folder in entries(&staging(root))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let dump_id = name.split('.').next().unwrap_or_default();
        if !wanted(dump_id) {
            continue;
        }
        if is_ready(&folder) {
            publish(root, std::slice::from_ref(&folder))?;
        } else if is_removal(&folder) && check_id(dump_id).is_ok() {
            finish_removal(root, dump_id, &folder)?;
        }
    }
    Ok(())
}

/// Takes a dump out of the lake. From the moment on at which its note is there, the next opening completes it.
///
/// Errors: the file system refuses.
pub fn remove(root: &Path, dump_id: &str) -> Result<()> {
    let note = staging(root).join(format!("{dump_id}.{}.gone", unique()));
    let failed = |error: io::Error| Error::new("remove", &root.join(dump_id), error);
    // A lake that was only ever read, or copied, may have no staging folder.
    disk::create_folders(&staging(root)).map_err(failed)?;
    let _publication = lock_publication(root)?;
    publish_pending(root, |pending| pending == dump_id)?; // what another process left of it goes too
    disk::write(&note, b"").and_then(|()| sync_folder(&staging(root))).map_err(failed)?;
    finish_removal(root, dump_id, &note)
}

/// The note of a removal, which is a file and no link.
fn is_removal(path: &Path) -> bool {
    path.extension().is_some_and(|found| found == "gone")
        && path.symlink_metadata().is_ok_and(|it| it.is_file())
}

/// First `dumps`: a dump that is there is whole. The note goes last.
fn finish_removal(root: &Path, dump_id: &str, note: &Path) -> Result<()> {
    retire_all(root, dump_id).map_err(|error| Error::new("remove", note, error))?;
    compact::bury(root, &[dump_id])?;
    disk::remove_file(note).map_err(|error| Error::new("remove", note, error))
}

/// Takes all partitions of a dump out of the lake, that of `dumps` first.
pub fn retire_all(root: &Path, dump_id: &str) -> io::Result<()> {
    let partition = format!("dump_id={dump_id}");
    retire(root, &root.join("dumps").join(&partition))?;
    retire_others(root, &partition, &[])
}

/// A real folder, and not a link to one outside of the lake.
fn is_ready(path: &Path) -> bool {
    path.extension().is_some_and(|found| found == "ready")
        && path.symlink_metadata().is_ok_and(|it| it.is_dir())
}

/// Removes the publication lock of a lake in which nobody is at work. False, and nothing is changed, where somebody is.
pub fn remove_publication_lock(root: &Path) -> bool {
    let Ok(_publication) = lock_publication(root) else { return false };
    let names = fs::read_dir(staging(root)).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.into_iter().all(|name| name == PUBLICATION)
        && disk::remove_file(&staging(root).join(PUBLICATION)).is_ok()
}

/// True when a committed conversion waits for its publication, or a removal for its end.
pub fn is_pending(root: &Path) -> bool {
    let mut entries = fs::read_dir(staging(root)).into_iter().flatten().flatten();
    entries.any(|entry| is_ready(&entry.path()) || is_removal(&entry.path()))
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
    publish_pending(root, |_| true)?;
    for path in entries(&staging)? {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("tmp") => remove_abandoned(&path),
            Some("trash") => drop(disk::remove_folder(&path)),
            Some("new") => drop(disk::remove_file(&path)),
            Some("lock") if !path.with_extension("tmp").exists() => remove_if_free(&path),
            _ => {}
        }
    }
    drop(publication);
    Ok(())
}

/// One process publishes at a time; it takes a few renames.
pub fn lock_publication(root: &Path) -> Result<File> {
    let path = staging(root).join(PUBLICATION);
    let open = || disk::open_lock(&path).and_then(|file| file.lock().map(|()| file));
    open().map_err(|error| Error::new("lock", &path, error))
}

/// Moves every table of committed folders, of different dumps, into the lake. May be called again after an
/// interruption.
fn publish(root: &Path, ready: &[PathBuf]) -> Result<()> {
    let mut moves = Vec::new();
    for folder in ready {
        let failed = |error: io::Error| Error::new("publish", folder, error);
        // The note goes last but for the folder itself: without one, everything is published or nothing is.
        match Commit::read(folder).map_err(failed)? {
            Some(commit) => moves.push((folder, format!("dump_id={}", commit.dump_id), commit.tables)),
            None => disk::remove_folder(folder).map_err(failed)?,
        }
    }
    for (folder, partition, tables) in &moves {
        if folder.join("dumps").exists() {
            // Not before this is gone from the lake may a table change: a dump that is there is whole.
            let gone = retire(root, &root.join("dumps").join(partition));
            let gone = gone.and_then(|()| retire_others(root, partition, tables));
            gone.map_err(|error| Error::new("publish", folder, error))?;
        }
    }
    for says_it_is_there in [false, true] {
        // The table that says "it is there" comes last.
        let mut changed = BTreeSet::from([root.to_path_buf()]);
        for (folder, partition, tables) in &moves {
            for table in tables.iter().filter(|table| (*table == "dumps") == says_it_is_there) {
                let moved = replace(root, &folder.join(table), &root.join(table), partition);
                moved.map_err(|error| Error::new("publish", folder, error))?;
                changed.insert(root.join(table));
            }
        }
        let synced = changed.iter().try_for_each(|folder| sync_folder(folder));
        synced.map_err(|error| Error::new("publish into", root, error))?;
    }
    // What merged files hold of these dumps is older.
    let ids: Vec<&str> = moves.iter().filter_map(|(_, partition, _)| partition.split('=').nth(1)).collect();
    compact::bury(root, &ids)?;
    for (folder, ..) in &moves {
        let removed = Commit::remove(folder).and_then(|()| disk::remove_folder(folder));
        removed.map_err(|error| Error::new("remove", folder, error))?;
    }
    Ok(())
}

/// Puts one staged table folder in the place of a partition; nothing to do when it has been moved.
fn replace(root: &Path, staged: &Path, table: &Path, partition: &str) -> io::Result<()> {
    if !staged.exists() {
        return Ok(());
    }
    disk::create_folders(table)?;
    let target = table.join(partition);
    retire(root, &target)?;
    disk::rename(staged, &target)
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
    if !partition.is_dir() {
        return Ok(());
    }
    let trash = staging(root).join(format!("{}.trash", unique()));
    disk::rename(partition, &trash)?;
    let _ = disk::remove_folder(&trash); // what cannot be deleted now goes at the next opening
    Ok(())
}

/// Removes a staging folder whose writer is gone, which its lock tells.
fn remove_abandoned(folder: &Path) {
    let path = lock_path(folder);
    if let Some(lock) = free(&path) {
        let _ = disk::remove_folder(folder);
        drop(lock); // Windows deletes no file that is locked
        let _ = disk::remove_file(&path);
    }
}

fn remove_if_free(path: &Path) {
    if let Some(lock) = free(path) {
        drop(lock);
        let _ = disk::remove_file(path);
    }
}

/// The lock, when nobody holds it. One that cannot be opened or asked is another user's, perhaps alive.
fn free(path: &Path) -> Option<File> {
    let lock = disk::open_lock(path).ok()?;
    lock.try_lock().is_ok().then_some(lock)
}

/// What is in a staging folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: io::Error| Error::new("read", folder, error);
    let paths: io::Result<Vec<PathBuf>> =
        fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}
