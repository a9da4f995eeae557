//! Which statements may run: those that only read the lake.
//!
//! Most of the work is DuckDB's own: the session opens the lake read-only and shuts the file system but for the
//! lake's folder ([`lock_down`]). One hole is left, because DuckDB knows no folder that may be read and not written:
//! `COPY ... TO` and `EXPORT` could write *inside* the lake. So a statement runs only if
//!
//! 1. DuckDB's parser says that it is a query: `json_serialize_sql` turns queries into a tree and nothing else
//!    (`SELECT`, `FROM`, `WITH`, `VALUES`, `DESCRIBE`, `SHOW`, `SUMMARIZE`, `UNPIVOT`, most of `PIVOT`); or
//! 2. it is a single one that *starts* with a word that cannot write a file: `EXPLAIN` before a statement that may
//!    run, `PIVOT`, `CREATE TEMP`, `SET VARIABLE`; and
//! 3. and it calls none of the functions in [`FORBIDDEN`].
//!
//! The list is of what may run, so what DuckDB learns to do next is refused until somebody looked at it.

use std::path::Path;

use duckdb::Connection;

use crate::error::{Error, Result};
use crate::path::{glob_literal, quote, text};

/// Functions that a query can call and that do more than read: logging and profiling write files or to the standard
/// output, and the other two run a statement that is the value of an expression, unseen by this guard.
const FORBIDDEN: &[&str] = &[
    "enable_logging",
    "enable_profiling",
    "enable_profile",
    "json_execute_serialized_sql",
    "query",
    "checkpoint",
    "force_checkpoint",
];

/// What to do with the result of a statement that may run.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Kind {
    /// Rows to show.
    Query,
    /// A plan, drawn with lines of text.
    Plan,
    /// Nothing to show.
    Command,
}

/// Shuts everything but the lake's folder, for good: reading elsewhere, the network, extensions, and changing this.
pub fn lock_down(connection: &Connection, root: &Path) -> Result<()> {
    let root = text(root);
    // DuckDB holds the pattern of a view, not what it matches, against the list: hence the second spelling.
    let allowed = format!("{}, {}", quote(&root), quote(&glob_literal(&root)));
    // What does not fit into memory is spilled; DuckDB's own choice would be the folder of the lake.
    let spill = std::env::temp_dir().join(format!("dumplake-{}", std::process::id()));
    connection.execute_batch(&format!(
        "SET temp_directory = {};
         SET allowed_directories = [{allowed}];
         SET autoinstall_known_extensions = false;
         SET autoload_known_extensions = false;
         SET enable_external_access = false;
         SET lock_configuration = true;",
        quote(&text(&spill))
    ))?;
    Ok(())
}

/// Decides whether a statement may run.
///
/// # Errors
/// [`Error::Refused`] with the way out, or DuckDB's message if this is no SQL.
pub fn check(connection: &Connection, statement: &str) -> Result<Kind> {
    let kind = match first_words(statement).as_slice() {
        [explain, ..] if explain == "explain" => {
            return check(connection, after_explain(statement)).map(|_| Kind::Plan);
        }
        [pivot, ..] if pivot == "pivot" || pivot == "pivot_wider" => Kind::Query,
        [create, temp, ..] if create == "create" && is_temp(temp) => Kind::Command,
        [create, or, replace, temp]
            if [create, or, replace] == ["create", "or", "replace"] && is_temp(temp) =>
        {
            Kind::Command
        }
        [set, variable, ..] if [set, variable] == ["set", "variable"] => Kind::Command,
        _ => return is_query(connection, statement).map(|()| Kind::Query),
    };
    // Whether a `;` ends a statement here is for DuckDB's lexer to know, so none is let through.
    if statement.contains(';') {
        return Err(Error::Refused("refused: this kind of statement cannot hold a `;`".to_owned()));
    }
    // There is no tree to find calls in, so the words must not even stand in a string.
    forbid(words(statement))?;
    Ok(kind)
}

/// Asks DuckDB's parser, which runs nothing, and looks at every call in the tree.
fn is_query(connection: &Connection, statement: &str) -> Result<()> {
    let sql = "SELECT tree->>'error', tree->>'error_type', tree->>'error_message',
                      array_to_string(json_extract_string(tree, '$..function_name'), chr(10))
               FROM (SELECT json_serialize_sql(?::VARCHAR)::JSON AS tree)";
    let [error, kind, message, calls] = connection.query_row(sql, [statement], |row| {
        let text = |at| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
        Ok([text(0)?, text(1)?, text(2)?, text(3)?])
    })?;
    match (error.as_str(), kind.as_str()) {
        ("false", _) => forbid(calls.lines().map(str::to_lowercase)),
        (_, "parser") => Err(Error::Refused(format!("Parser Error: {message}"))),
        _ => Err(Error::Refused(
            "refused: this session only reads the lake; to write files or tables use `duckdb LAKE/lake.duckdb`"
                .to_owned(),
        )),
    }
}

fn forbid(mut names: impl Iterator<Item = String>) -> Result<()> {
    match names.find(|name| FORBIDDEN.contains(&name.as_str())) {
        Some(name) => Err(Error::Refused(format!("refused: {name} does more than read the lake"))),
        None => Ok(()),
    }
}

fn is_temp(word: &str) -> bool {
    word == "temp" || word == "temporary"
}

/// Every run of letters, digits and `_`, in small letters, wherever it stands.
fn words(statement: &str) -> impl Iterator<Item = String> {
    statement.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_lowercase)
}

/// The first four words if the statement starts with them. Comments end the search: what they hide is not guessed.
fn first_words(statement: &str) -> Vec<String> {
    let whole_word = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    statement.split_whitespace().take(4).take_while(whole_word).map(str::to_lowercase).collect()
}

/// What follows `EXPLAIN`, `EXPLAIN ANALYZE` or `EXPLAIN (options)`.
fn after_explain(statement: &str) -> &str {
    let rest = statement.trim_start().get("explain".len()..).unwrap_or_default().trim_start();
    if rest.get(.."analyze".len()).is_some_and(|word| word.eq_ignore_ascii_case("analyze")) {
        return rest.get("analyze".len()..).unwrap_or_default();
    }
    // Options start with `(`, and so does a query in parentheses; the former are words only.
    match rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
        Some((options, after)) if options.split([',', ' ']).all(|word| is_option(word.trim())) => after,
        _ => rest,
    }
}

fn is_option(word: &str) -> bool {
    let known =
        ["", "analyze", "format", "json", "text", "html", "graphviz", "yaml", "mermaid", "true", "false"];
    known.iter().any(|option| option.eq_ignore_ascii_case(word))
}
