//! Who wants a file that another thread or process downloads waits until that is done, so that what is found does not
//! depend on who came first.
//!
//! A turn is a lock on one of a few small files in the store, which are made once and never removed: a lock file that is
//! removed would let in two, one of which holds the file that is gone. The system lets go of it when a process dies.

use super::fingerprint;
use crate::{Error, Result};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Folder of the lock files in a store.
pub const FOLDER: &str = ".dumplake-locks";
/// So many there are at most; two files that share one only come after each other.
const MOST: u64 = 256;
/// How often is looked whether the other one is done.
const PAUSE: Duration = Duration::from_millis(20);

/// The right to download one file, as long as it lives.
pub struct Turn {
    /// None where nothing can be locked, as in some network folders, or nothing can be written: used as if it could.
    _lock: Option<File>,
}

impl Turn {
    /// Waits until nobody else downloads this file into the store; an error if that takes longer than a download may.
    pub fn wait(store: &Path, name: &str, key: &str, limit: Duration) -> Result<Turn> {
        let Some(file) = slot(store, name, key) else { return Ok(Turn { _lock: None }) };
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Turn { _lock: Some(file) }),
                Err(TryLockError::Error(_)) => return Ok(Turn { _lock: None }),
                Err(TryLockError::WouldBlock) => {}
            }
            let Some(left) = limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
                let seconds = limit.as_secs();
                return Err(Error::new(format!(
                    "{name}: another process downloads into {}, and was not done in {seconds} seconds",
                    store.display()
                )));
            };
            thread::sleep(left.min(PAUSE));
        }
    }
}

/// The lock file of a file, whatever the case of its name.
fn slot(store: &Path, name: &str, key: &str) -> Option<File> {
    let folder = store.join(FOLDER);
    fs::create_dir_all(&folder).ok()?;
    let number = fingerprint(&format!("{name}/{key}").to_lowercase()) % MOST;
    let path = folder.join(format!("{number:02x}.lock"));
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).ok()
}
