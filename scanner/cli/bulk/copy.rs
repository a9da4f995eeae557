//! Copies of dumps in the scratch folder, for files that nobody may map: they are read from front to end, and what goes
//! wrong with that is an error like any other.

use super::task::Stamp;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Copies a dump of at most `most` bytes into `folder` under its own name, with the other file of a pair, which is found
/// by its name. The value is the copy.
pub fn dump(path: &Path, folder: &Path, most: u64) -> Result<PathBuf, String> {
    let before = Stamp::of(path).map_err(|error| error.to_string())?;
    let state = memory::state_file_of(path);
    let beside = state.as_ref().and_then(|state| state.metadata().ok()).map_or(0, |data| data.len());
    let bytes = before.bytes.saturating_add(beside);
    if bytes > most {
        return Err(format!(
            "its {bytes} bytes are more than may lie in the scratch folder (--scratch-limit)"
        ));
    }
    let copy = file(path, folder)?;
    if let Some(state) = state {
        file(&state, folder)?;
    }
    match Stamp::of(path) {
        Ok(now) if now == before => Ok(copy),
        _ => Err("it changed while it was copied; convert it again when it is complete".into()),
    }
}

fn file(path: &Path, folder: &Path) -> Result<PathBuf, String> {
    let copy = folder.join(path.file_name().unwrap_or_default());
    let done = || {
        let data = path.metadata()?; // a pipe would block when it is opened
        if !data.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        // Of a file that grows no more than it had; that it changed is told afterwards.
        io::copy(&mut File::open(path)?.take(data.len()), &mut File::create_new(&copy)?)
    };
    done().map_err(|error| format!("copy: {error}"))?;
    Ok(copy)
}
