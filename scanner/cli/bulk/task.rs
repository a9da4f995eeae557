//! What the converter and its worker processes say to each other: one line of JSON each, down a pipe.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// What a worker is asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Task {
    /// Read a file for its content hash.
    Hash(OsString),
    /// Convert a dump; it is not in the lake before the next [`Task::Commit`].
    Convert(File),
    /// Copy a dump of at most so many bytes into a folder, both files of a pair.
    Copy(OsString, OsString, u64),
    /// Expand an archive into a folder.
    Expand(OsString, OsString, Bounds),
    /// Make the dumps converted since the last time part of the lake, all at once.
    Commit,
}

/// [`archive::Limits`] in a pipe.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Bounds(u64, u64, u64, usize);

impl From<archive::Limits> for Bounds {
    fn from(archive::Limits { bytes, ratio, free, members }: archive::Limits) -> Bounds {
        Bounds(bytes, ratio, free, members)
    }
}

impl From<Bounds> for archive::Limits {
    fn from(Bounds(bytes, ratio, free, members): Bounds) -> archive::Limits {
        archive::Limits { bytes, ratio, free, members }
    }
}

/// [`archive::Member`] in a pipe.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member(String, Result<OsString, String>);

impl From<archive::Member> for Member {
    fn from(archive::Member { name, file }: archive::Member) -> Member {
        Member(name, file.map(PathBuf::into_os_string))
    }
}

impl From<Member> for archive::Member {
    fn from(Member(name, file): Member) -> archive::Member {
        archive::Member { name, file: file.map(PathBuf::from) }
    }
}

/// One dump.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct File {
    pub path: OsString,
    pub stamp: Stamp,
    /// `None` for a large file that is new for sure: its conversion finds it out.
    pub content_hash: Option<String>,
    /// Where it comes from, when `path` is a copy in the scratch folder.
    pub origin: Option<Origin>,
}

impl File {
    /// Where it is read.
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }
}

/// Where the content of a file in the scratch folder comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Path of the archive, or of the file that was copied.
    pub archive: OsString,
    /// Name of the member as the archive has it; `None` for a copy.
    pub member: Option<String>,
}

/// What tells that a file is still the one that was read before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Size in bytes.
    pub bytes: u64,
    /// Nanoseconds since 1970 at which it was last changed, where the file system says.
    changed: Option<u128>,
}

impl Stamp {
    /// The stamp of the file at `path`, and of the other file of a pair.
    pub fn of(path: &Path) -> io::Result<Stamp> {
        let mut stamp = Stamp::from(&path.metadata()?);
        if let Some(state) = memory::state_file_of(path) {
            let state = Stamp::from(&state.metadata()?);
            stamp.bytes = stamp.bytes.saturating_add(state.bytes);
            stamp.changed = stamp.changed.max(state.changed);
        }
        Ok(stamp)
    }
}

impl From<&Metadata> for Stamp {
    fn from(data: &Metadata) -> Stamp {
        let since = |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).ok();
        let changed = data.modified().ok().and_then(since).map(|since| since.as_nanos());
        Stamp { bytes: data.len(), changed }
    }
}

/// What a worker says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Answer {
    /// Before the first task: it has opened the lake, which may have to wait for others.
    Ready,
    /// To [`Task::Hash`]: the hash, and the stamp of what was read; or what went wrong.
    Hashed(Result<(String, Stamp), String>),
    /// To [`Task::Expand`] and [`Task::Copy`]: what came out, and what ended it too early.
    Expanded { members: Vec<Member>, end: Option<String> },
    /// During [`Task::Convert`]: so many more bytes of the file were swept.
    Swept(u64),
    /// To [`Task::Convert`].
    Ended(Ended),
    /// To [`Task::Commit`]: for each dump what went wrong, if anything.
    Committed(Vec<Option<String>>),
}

/// How the conversion of one dump ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    pub status: Status,
    pub dump_id: Option<String>,
    pub seconds: f64,
    /// Rows written, by table.
    pub rows: BTreeMap<String, u64>,
    /// What the dump is, in a few words.
    pub summary: String,
    /// Symbol files that no dump of this worker was read with; `None` if no dump needed any.
    pub unused: Option<Vec<PathBuf>>,
}

/// The three ways in which it can end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Converted,
    /// Already in the lake, or the same content came earlier in this run.
    Skipped(String),
    Failed(String),
}

impl Ended {
    /// It ended without rows.
    pub fn without_rows(status: Status) -> Ended {
        let (rows, summary, unused) = (BTreeMap::new(), String::new(), None);
        Ended { status, dump_id: None, seconds: 0.0, rows, summary, unused }
    }

    pub fn failed(why: impl Into<String>) -> Ended {
        Ended::without_rows(Status::Failed(why.into()))
    }
}
