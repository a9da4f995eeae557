//! The scratch folder: where members of archives lie while they are converted. It is removed at the end; one that was
//! left by a kill is removed by the next run, which tells by its lock that nobody uses it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

const PREFIX: &str = "dumplake-scratch-";
const LOCK: &str = "lock";

/// A folder of this run's own, removed with the value.
pub struct Scratch {
    folder: PathBuf,
    lock: Option<File>,
}

impl Scratch {
    /// Makes a folder in `place`.
    ///
    /// Errors: the file system refuses, with the place.
    pub fn new(place: &Path) -> io::Result<Scratch> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", place.display()));
        remove_left(place);
        (0..1000)
            .map(|number| place.join(format!("{PREFIX}{}-{number}", std::process::id())))
            .find_map(|folder| match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                made => Some(made.and_then(|()| Scratch::locked(folder))),
            })
            .unwrap_or_else(|| Err(io::Error::other("too many scratch folders")))
            .map_err(named)
    }

    fn locked(folder: PathBuf) -> io::Result<Scratch> {
        let lock = File::create_new(folder.join(LOCK))?;
        lock.try_lock()?;
        Ok(Scratch { folder, lock: Some(lock) })
    }

    /// A folder in it, for one archive.
    pub fn place(&self, number: usize) -> io::Result<PathBuf> {
        let folder = self.folder.join(number.to_string());
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.lock.take()); // Windows deletes no file that is open
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes folders whose lock nobody holds. One without a lock may be on its way to have one: it is left alone.
fn remove_left(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue; // a link is nobody's of us
        }
        let lock = File::options().write(true).open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_folders_come_and_go() {
        let place = std::env::temp_dir().join(format!("dumplake-scratches-{}", std::process::id()));
        fs::create_dir_all(place.join("mine")).unwrap();
        let left = place.join(format!("{PREFIX}1-0")); // of a run that was killed
        fs::create_dir_all(left.join("0")).unwrap();
        File::create(left.join(LOCK)).unwrap();
        let (one, two) = (Scratch::new(&place).unwrap(), Scratch::new(&place).unwrap());
        assert!(!left.exists(), "nobody held its lock");
        let (first, second) = (one.place(0).unwrap(), two.place(0).unwrap());
        assert!(first.is_dir() && second.is_dir() && first != second);
        drop(one);
        assert!(!first.exists() && second.exists());
        drop(two);
        let names: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["mine"]);
        assert!(Scratch::new(&place.join("absent")).err().unwrap().to_string().contains("absent"));
        fs::remove_dir_all(&place).unwrap();
    }
}
