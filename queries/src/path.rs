//! A folder's name inside of SQL: absolute, quoted, and with nothing left that DuckDB would read as a pattern.
//!
//! The views hold absolute paths. Relative ones would be nicer, but DuckDB resolves them against the working folder
//! of the process that asks, not against the database file, so `duckdb LAKE/lake.duckdb` would work from one folder
//! only.

use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::tables::Table;

/// The lake's folder with links resolved, so that one lake has one name however it is reached.
///
/// # Errors
/// The folder is not there, or its name cannot be used in a view: see [`check`].
pub fn canonical(lake: &Path, tables: &[Table]) -> Result<PathBuf> {
    let root = std::fs::canonicalize(lake).map_err(Error::io(lake))?;
    if !root.is_dir() {
        return Err(Error::lake(lake, "is not a folder"));
    }
    let root = without_verbatim_prefix(root);
    check(&root, tables).map_err(|reason| Error::lake(lake, reason))?;
    Ok(root)
}

/// The text of a path; only valid after [`canonical`], which refuses what is no Unicode.
pub fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A string literal.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A path as a DuckDB glob that matches only itself: `*`, `?` and `[` stand in a character class of one each.
pub fn glob_literal(path: &str) -> String {
    path.chars().fold(String::with_capacity(path.len()), |mut glob, c| {
        match c {
            '*' | '?' | '[' => glob.extend(['[', c, ']']),
            _ => glob.push(c),
        }
        glob
    })
}

/// Refuses the names that no quoting makes safe.
fn check(root: &Path, tables: &[Table]) -> std::result::Result<(), String> {
    let text = root.to_str().ok_or("the name of the folder is no Unicode text, which SQL cannot hold")?;
    // `?` starts options where DuckDB names its log file after the database; `\` is a separator to its patterns.
    if !cfg!(windows)
        && let Some(c) = text.chars().find(|c| matches!(c, '?' | '\\'))
    {
        return Err(format!(
            "the path holds a `{c}`, which DuckDB does not take for a part of a name; rename the folder"
        ));
    }
    let keys = root.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str()?.split_once('=').map(|(key, _)| key),
        _ => None,
    });
    for key in keys {
        // A hive partition key above the lake would replace the column's values in every row.
        let column = |table: &Table| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(key));
        if tables.iter().any(column) {
            return Err(format!(
                "the path holds `{key}=`, which DuckDB takes for the column {key}; rename the folder"
            ));
        }
    }
    Ok(())
}

/// Windows: `\\?\C:\x` is what canonicalize gives, `C:\x` is what DuckDB understands.
fn without_verbatim_prefix(root: PathBuf) -> PathBuf {
    match root.to_str().and_then(|text| text.strip_prefix(r"\\?\")) {
        Some(plain) if cfg!(windows) && !plain.starts_with("UNC") => PathBuf::from(plain),
        _ => root,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables;

    #[test]
    fn quotes_and_patterns_become_plain_text() {
        assert_eq!(quote("it's"), "'it''s'");
        assert_eq!(glob_literal("/a*b?c[d]"), "/a[*]b[?]c[[]d]");
    }

    #[test]
    fn names_that_duckdb_would_misread_are_refused() {
        let tables = tables::all();
        assert!(check(Path::new("/data/year=2024/lake"), &tables).is_ok());
        let refused = check(Path::new("/data/Dump_ID=7/lake"), &tables).unwrap_err();
        assert!(refused.contains("Dump_ID"), "{refused}");
        for path in ["/a\\b", "/a?b"] {
            assert_eq!(check(Path::new(path), &tables).is_err(), !cfg!(windows), "{path}");
        }
    }
}
