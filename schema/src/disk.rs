//! The steps by which a lake changes on the disk, all in one place: a test stops at each of them, as a
//! kill would, and looks at what is left (`killed.rs`).

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

#[cfg(test)]
use crate::killed::step;

/// No test of this crate cuts the power, and with thousands of conversions waiting for the disk takes minutes.
const SYNC: bool = cfg!(not(test));

/// Comes before every step. In a test it may be where the process dies, having done `_half` of it.
#[cfg(not(test))]
fn step(_half: impl FnOnce()) -> io::Result<()> {
    Ok(())
}

/// Makes one folder; it must not be there.
pub fn create_folder(path: &Path) -> io::Result<()> {
    step(|| ())?;
    fs::create_dir(path)
}

/// Makes a folder and those above it, where they are missing.
pub fn create_folders(path: &Path) -> io::Result<()> {
    step(|| ())?;
    fs::create_dir_all(path)
}

/// Makes a file; it must not be there.
pub fn create_file(path: &Path) -> io::Result<File> {
    step(|| ())?;
    File::create_new(path)
}

/// Opens a file to be locked, making it where it is missing. It is never emptied: in a lake from
/// elsewhere it may be a link to anything.
pub fn open_lock(path: &Path) -> io::Result<File> {
    step(|| ())?;
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Writes a whole new file.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    step(|| drop(fs::write(path, &content[..content.len() / 2])))?;
    fs::write(path, content)
}

/// Waits until files and folders, all in the file system of `place`, are on the disk.
///
/// One after the other each waits for a write of its own. So Linux is first asked to write all at once, which leaves
/// little to wait for; but some file systems take that for a hint, and only the second way is a promise.
pub fn sync(place: &Path, paths: &[PathBuf]) -> io::Result<()> {
    step(|| ())?;
    if !SYNC {
        return Ok(());
    }
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::syncfs(File::open(place)?);
    let _ = place;
    for path in paths {
        if path.is_dir() {
            sync_folder(path)?;
        } else {
            File::options().write(true).open(path)?.sync_all()?;
        }
    }
    Ok(())
}

fn sync_now(file: &File) -> io::Result<()> {
    if SYNC { file.sync_all() } else { Ok(()) }
}

/// Makes renames within a folder survive a power loss, where the system lets a folder be synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    step(|| ())?;
    if cfg!(unix) { sync_now(&File::open(folder)?) } else { Ok(()) }
}

/// Gives a file or folder another name.
///
/// Windows refuses while anybody has a file in it open. Virus scanners and indexers do so with every
/// new file, for a moment, so there it is tried for a second.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step(|| ())?;
    let mut tries = if cfg!(windows) { 20 } else { 0 };
    loop {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && tries > 0 => tries -= 1,
            result => return result,
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Removes a folder and what is in it. A link is removed, not followed.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    step(|| remove_one_file(path))?;
    fs::remove_dir_all(path)
}

/// Removes a file.
pub fn remove_file(path: &Path) -> io::Result<()> {
    step(|| ())?;
    fs::remove_file(path)
}

/// How far a removal may come before a kill: some file below is gone.
fn remove_one_file(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => remove_one_file(&entry.path()),
            false => return drop(fs::remove_file(entry.path())),
        }
    }
}
