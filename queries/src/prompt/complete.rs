//! What the Tab key offers: commands, tables and views, the columns of those that the entry names, macros, SQL's words.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::format::Format;
use crate::sql::Session;

/// Commands of the prompt.
const COMMANDS: [&str; 6] = [".tables", ".views", ".schema", ".format", ".help", ".quit"];

/// Words that start or join the parts of a query.
const WORDS: [&str; 32] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "HAVING",
    "QUALIFY",
    "JOIN",
    "LEFT JOIN",
    "ANTI JOIN",
    "SEMI JOIN",
    "USING",
    "ON",
    "AND",
    "OR",
    "NOT",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "IS NULL",
    "IS NOT NULL",
    "DISTINCT",
    "EXCLUDE",
    "CASE",
    "WHEN",
    "WITH",
    "UNION ALL",
    "DESCRIBE",
    "SUMMARIZE",
    "EXPLAIN",
    "count(*)",
];

/// What can be named.
#[derive(Default)]
pub struct Names {
    /// Tables and views with their columns.
    tables: BTreeMap<String, Vec<String>>,
    macros: BTreeSet<String>,
}

impl Names {
    /// The names of a lake.
    ///
    /// # Errors
    /// DuckDB's.
    pub fn of(session: &Session) -> Result<Self> {
        let mut names = Self::default();
        let columns =
            "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal
                       ORDER BY table_name, column_index";
        for row in session.texts(columns)? {
            if let [Some(table), Some(column)] = row.as_slice() {
                names.tables.entry(table.clone()).or_default().push(column.clone());
            }
        }
        let macros = "SELECT DISTINCT function_name FROM duckdb_functions()
                      WHERE NOT internal AND function_type IN ('macro', 'table_macro')";
        names.macros = session.texts(macros)?.into_iter().flatten().flatten().collect();
        Ok(names)
    }

    /// Where the word before the cursor starts, and what it may become.
    pub fn complete(&self, entry: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = entry.get(..cursor).unwrap_or(entry);
        if before.trim_start().starts_with('.') {
            return self.of_command(before);
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let start = before.trim_end_matches(is_part).len();
        let word = &before[start..];
        let known: Vec<String> = match before[..start].strip_suffix('.') {
            Some(front) => self.columns_of(&front[front.trim_end_matches(is_part).len()..], entry),
            None if word.is_empty() => Vec::new(), // everything there is helps nobody
            None => self.all(entry),
        };
        (start, starting(known.into_iter(), word))
    }

    fn of_command(&self, before: &str) -> (usize, Vec<String>) {
        let start = before.trim_end_matches(|c: char| !c.is_whitespace()).len();
        let word = &before[start..];
        let known: Vec<String> = match before[..start].trim() {
            "" => COMMANDS.map(str::to_owned).into(),
            ".schema" => self.tables.keys().cloned().collect(),
            ".format" => Format::ALL.map(|format| format.name().to_owned()).into(),
            _ => Vec::new(),
        };
        (start, starting(known.into_iter(), word))
    }

    /// Columns of a table, or of the table that this is a short name of.
    fn columns_of(&self, name: &str, entry: &str) -> Vec<String> {
        let lower = name.to_lowercase();
        let words: Vec<String> = words(entry).collect();
        let after = |pair: &[String]| (pair[1] == lower).then(|| self.tables.get(&pair[0])).flatten();
        let behind_as = |three: &[String]| {
            (three[1] == "as" && three[2] == lower).then(|| self.tables.get(&three[0])).flatten()
        };
        let found = self.tables.get(&lower).or_else(|| words.windows(2).find_map(after));
        found.or_else(|| words.windows(3).find_map(behind_as)).cloned().unwrap_or_default()
    }

    fn all(&self, entry: &str) -> Vec<String> {
        let named: BTreeSet<String> = words(entry).collect();
        let columns =
            self.tables.iter().filter(|(table, _)| named.contains(*table)).flat_map(|(_, columns)| columns);
        let columns: BTreeSet<&String> = columns.collect();
        let keywords = WORDS.into_iter().map(str::to_owned);
        let calls = self.macros.iter().map(|name| format!("{name}("));
        columns.into_iter().cloned().chain(self.tables.keys().cloned()).chain(calls).chain(keywords).collect()
    }
}

/// Every word of an entry, in small letters.
fn words(entry: &str) -> impl Iterator<Item = String> {
    let words = entry.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Those that begin with `word`, in any case of letters, each once.
fn starting(known: impl Iterator<Item = String>, word: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let begins = |name: &String| name.get(..word.len()).is_some_and(|front| front.eq_ignore_ascii_case(word));
    known.filter(begins).filter(|name| seen.insert(name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Lake;

    #[test]
    fn the_word_before_the_cursor_is_completed() {
        let lake = Lake::empty();
        let names = Names::of(&lake.session()).unwrap();
        let complete = |entry: &str| names.complete(entry, entry.len());
        let cases: [(&str, usize, &[&str]); 13] = [
            (".sch", 0, &[".schema"]),
            (".schema crash_b", 8, &["crash_buckets"]),
            (".format ma", 8, &["markdown"]),
            ("sel", 0, &["SELECT"]),
            ("FROM bugchecks_", 5, &[]),
            ("FROM bugche", 5, &["bugcheck_names", "bugchecks", "bugcheck("]),
            ("SELECT file_si", 7, &[]),
            ("SELECT hex_ad", 7, &["hex_address("]),
            ("FROM dumps\nWHERE archive_m", 17, &["archive_member"]),
            ("SELECT dumps.CSD_", 13, &["csd_version"]),
            ("FROM dumps d WHERE d.file_si", 21, &["file_size"]),
            ("FROM dumps AS x WHERE x.file_si", 24, &["file_size"]),
            ("SELECT 1 ", 9, &[]),
        ];
        for (entry, start, expected) in cases {
            assert_eq!(
                complete(entry),
                (start, expected.iter().map(|word| word.to_string()).collect()),
                "{entry}"
            );
        }
        // In the middle of an entry, and in the middle of a letter.
        let entry = "SELECT file_si FROM dumps";
        assert_eq!(names.complete(entry, 14), (7, vec!["file_size".to_string()]));
        assert_eq!(names.complete("ä", 1).1, Vec::<String>::new());
    }
}
