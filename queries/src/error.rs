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
            Self::Refused(reason) => with_hint(f, reason),
            Self::Sql(source) => with_hint(f, &source.to_string()),
        }
    }
}

fn with_hint(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    safe_lines(f, text)?;
    hint(text).map_or(Ok(()), |hint| write!(f, "\n{hint}"))
}

/// What DuckDB's words do not say and the user of a lake can do.
fn hint(text: &str) -> Option<&'static str> {
    let first = text.lines().next().unwrap_or_default();
    // "No magic bytes found at end of file", "too small to be a Parquet file": and not a name that a query made up.
    if first.contains(".parquet") && (first.contains("magic bytes") || first.contains("a Parquet file")) {
        return Some(
            "a file of the lake is damaged: `dumplake lake repair` says which dump to convert again",
        );
    }
    // `0x9F` is the number 0 with the name x9F, or nothing at all.
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_hexdigit).count() > 0;
    let hexadecimal = text.split("0x").skip(1).any(digits) || first.split("\"x").skip(1).any(digits);
    (first.starts_with("Parser Error") && hexadecimal)
        .then_some("numbers in hexadecimal are written as text: bugcheck_code = '0x9F'")
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
