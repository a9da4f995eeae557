//! What can go wrong with a lake: the file system, or a file that is not what we wrote.

use std::{fmt, path::Path};

/// What the fallible functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A lake that cannot be read or written; displays as one line.
#[derive(Debug)]
pub struct Error(String);

impl Error {
    /// `doing` something with `path` failed.
    pub fn new(doing: &str, path: &Path, error: impl fmt::Display) -> Error {
        Error(format!("cannot {doing} {}: {error}", path.display()))
    }

    /// A problem without a path.
    pub fn plain(message: impl Into<String>) -> Error {
        Error(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Error {
        Error(error.to_string())
    }
}
