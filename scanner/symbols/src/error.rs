//! Why a symbol source cannot be used.

use std::fmt;

/// One sentence: which file or name, what was expected, what was found, what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub String);

impl Error {
    /// An error from its sentence.
    pub fn new(sentence: impl Into<String>) -> Error {
        Error(sentence.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// What fallible functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
