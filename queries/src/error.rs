//! Why a question could not be answered, in one line for the user.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::safe;

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done.
#[derive(Debug)]
pub enum Error {
    /// The lake cannot be used; the text says why.
    Lake {
        /// The folder as the caller named it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system did not let us.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The answer could not be written to where it should go, for example into a closed pipe.
    Output(io::Error),
    /// The statement is not one that only reads the lake; the text says what to do instead.
    Refused(String),
    /// DuckDB's own message.
    Sql(duckdb::Error),
}

impl Error {
    pub(crate) fn lake(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Lake { path: path.into(), reason: reason.into() }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lake { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Output(source) => write!(f, "cannot write the answer: {source}"),
            Self::Refused(reason) => safe_lines(f, reason),
            Self::Sql(source) => safe_lines(f, &source.to_string()),
        }
    }
}

/// DuckDB cites values in its messages ("could not convert string ..."), and values come from dumps.
fn safe_lines(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for (at, line) in text.lines().enumerate() {
        write!(f, "{}{}", if at == 0 { "" } else { "\n" }, safe::terminal(line))?;
    }
    Ok(())
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Output(source) => Some(source),
            Self::Sql(source) => Some(source),
            Self::Lake { .. } | Self::Refused(_) => None,
        }
    }
}

impl From<duckdb::Error> for Error {
    fn from(source: duckdb::Error) -> Self {
        Self::Sql(source)
    }
}
