//! The cache: one folder for each DuckDB version and platform, outside of `target`, so that a clean clone builds
//! offline once the library was fetched on this machine.
//!
//! A folder appears by one rename of a complete and verified one, so builds that run at the same time cannot see or
//! make a half one: the first rename wins, the others find the winner's folder and use it.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::platform::{self, Platform};

/// A library that is there and whose checksum is right.
#[derive(Debug)]
pub struct Verified {
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// The sum is one of those pinned in the source; otherwise it is the one noted when the file came.
    pub pinned: bool,
}

/// The folder of a platform's library: `<cache>/duckdb-<version>-<platform>`, absolute.
pub fn folder(platform: &Platform) -> Result<PathBuf, String> {
    let root = root(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)).ok_or(
        "no cache folder: neither DUMPLAKE_CACHE_DIR nor HOME (Windows: LOCALAPPDATA) is set".to_owned(),
    )?;
    let root = std::path::absolute(&root).map_err(|e| format!("{}: {e}", root.display()))?;
    Ok(root.join(format!("duckdb-{}-{}", platform::VERSION, platform.key)))
}

/// `DUMPLAKE_CACHE_DIR`, or the folder `dumplake` in what the *host* system calls a user's cache.
fn root(var: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let user_cache = || {
        if cfg!(windows) {
            var("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            Some(var("HOME")?.join("Library").join("Caches"))
        } else {
            var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")))
        }
    };
    var("DUMPLAKE_CACHE_DIR").or_else(|| Some(user_cache()?.join("dumplake")))
}

/// Looks whether `dir` holds the library with a right checksum; the error says what is missing or wrong.
pub fn verify(dir: &Path, platform: &Platform) -> Result<Verified, String> {
    for name in platform.files() {
        if !dir.join(name).is_file() {
            return Err(format!("{} is not there", dir.join(name).display()));
        }
    }
    let sha256 = sha256(&dir.join(platform.library)).map_err(|e| format!("{}: {e}", platform.library))?;
    let noted = fs::read_to_string(note(dir, platform)).unwrap_or_default();
    let pinned = !platform.sha256.is_empty();
    let right = if pinned { platform.sha256.contains(&sha256.as_str()) } else { noted.trim() == sha256 };
    if !right {
        return Err(format!("{} has the wrong SHA-256 {sha256}", platform.library));
    }
    Ok(Verified { sha256, pinned })
}

/// Lets `fetch` fill a new folder, verifies it and makes it `dir` by one rename.
///
/// # Errors
/// What `fetch` says, a wrong checksum, or a file system that does not let us; one line each.
pub fn install(
    dir: &Path,
    platform: &Platform,
    fetch: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<Verified, String> {
    let staging = Staging::new(dir)?;
    fetch(&staging.0)?;
    if platform.sha256.is_empty() {
        note_sum(&staging.0, platform)?;
    }
    let verified = verify(&staging.0, platform)?;
    for name in platform.files() {
        backdate(&staging.0.join(name))?;
    }
    publish(&staging.0, dir, platform)?;
    Ok(verified)
}

/// The rename. A folder that is already there is the work of another build, or broken: then it gives way.
fn publish(staging: &Path, dir: &Path, platform: &Platform) -> Result<(), String> {
    for _ in 0..3 {
        match fs::rename(staging, dir) {
            Ok(()) => return Ok(()),
            Err(_) if verify(dir, platform).is_ok() => return Ok(()),
            Err(_) => {
                let aside = Staging::name(dir)?;
                // Not there any more: another build was faster, the next round sees its folder.
                if fs::rename(dir, &aside).is_ok() {
                    let _ = fs::remove_dir_all(&aside);
                }
            }
        }
    }
    Err(format!("cannot put the library into {}", dir.display()))
}

/// Writes down the sum of a library that no pinned sum is known for.
fn note_sum(dir: &Path, platform: &Platform) -> Result<(), String> {
    let library = dir.join(platform.library);
    let sum = sha256(&library).map_err(|e| format!("{}: {e}", library.display()))?;
    fs::write(note(dir, platform), sum).map_err(|e| e.to_string())
}

fn note(dir: &Path, platform: &Platform) -> PathBuf {
    dir.join(format!("{}.sha256", platform.library))
}

/// Gives a file an old date: cargo runs this script again, and hashes 70 MB again, for a file that is younger than
/// the script's last start.
fn backdate(path: &Path) -> Result<(), String> {
    let year_2000 = UNIX_EPOCH + std::time::Duration::from_secs(946_684_800);
    let file = File::options().write(true).open(path).map_err(|e| e.to_string())?;
    file.set_modified(year_2000).map_err(|e| e.to_string())
}

fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(&buffer[..count]);
    }
}

/// A folder beside the final one that nobody else uses; removed when it goes out of scope, if it is still there.
struct Staging(PathBuf);

impl Staging {
    fn new(dir: &Path) -> Result<Self, String> {
        let path = Self::name(dir)?;
        fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self(path))
    }

    fn name(dir: &Path) -> Result<PathBuf, String> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?.as_nanos();
        let parent = dir.parent().ok_or("the cache folder has no parent")?;
        Ok(parent.join(format!(".tmp-{}-{:?}-{nanos}", std::process::id(), std::thread::current().id())))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
