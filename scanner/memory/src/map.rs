//! Maps a dump read-only. The only unsafe code of the project.

#![allow(unsafe_code)]

use crate::error::{Error, Result};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// What the system refuses, in errors.
const MAP: &str = "map";

/// A file mapped read-only, with its path for messages.
///
/// The system is given no hints about what will be read (`madvise`). Two threads over 1 GiB that is not in the page cache,
/// in chunks of 4 MiB, took 1.2 to 1.6 s without hints, 1.8 to 2.4 s with `MADV_SEQUENTIAL` and 1.8 to 2.5 s with
/// `MADV_WILLNEED` four chunks ahead, where the disk's own read-ahead is 2 MiB (`read` by one thread: 3.1 to 4.3 s); with
/// a read-ahead of 128 KiB all took 2.1 to 5.5 s, none of them less than the others each time.
#[derive(Debug)]
pub struct Map {
    path: PathBuf,
    map: memmap2::Mmap,
}

impl Map {
    /// Maps the whole of `path`. Directories, pipes and devices are refused: a dump is a regular file.
    pub fn open(path: &Path) -> Result<Map> {
        // A FIFO would block in `open` for ever, so its kind is asked first.
        let kind = std::fs::metadata(path).map_err(|e| Error::io("open", &e))?;
        if !kind.is_file() {
            let not_a_file = std::io::Error::other("not a regular file");
            return Err(Error::io("open", &not_a_file));
        }
        let file = File::open(path).map_err(|e| Error::io("open", &e))?;
        // SAFETY: the map is private to this value and only ever read. Bytes can change under us
        // when somebody else writes the file; nothing in this crate relies on two reads agreeing:
        // every value is read once, copied out as an integer, and checked after the copy. A file
        // that is truncated by somebody while we read ends the process with a bus error, which the
        // operating system gives any program that maps; outputs are published by rename only. Who expects
        // that of a medium reads a copy (`dumplake convert --copy`).
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|e| Error::io(MAP, &e))?;
        Ok(Map { path: path.to_path_buf(), map })
    }

    /// Why the system would let a file be read but does not map it, as some network file systems and drivers do; `None` for
    /// a file that it maps, and for one that cannot be opened at all.
    pub fn refused(path: &Path) -> Option<Error> {
        Map::open(path).err().filter(|error| error.structure == MAP)
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The path given to [`Map::open`].
    pub fn path(&self) -> &Path {
        &self.path
    }
}
