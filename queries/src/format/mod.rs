//! How an answer is written: `table` for people, `csv` and `json` for programs, `markdown` for reports.
//!
//! All formats take the rows chunk by chunk and hold none of them, but for the first thousand of a table, whose
//! widths have to be known.

mod cell;
mod csv;
mod json;
mod markdown;
mod plan;
mod table;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use duckdb::arrow::datatypes::Schema;
use duckdb::arrow::record_batch::RecordBatch;

use crate::pager::Screen;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Aligned columns; NULL is written as such, and every character that a terminal obeys as `\u{..}`.
    #[default]
    Table,
    /// RFC 4180: CRLF, quotes where needed. NULL is an empty field, an empty text is `""`.
    Csv,
    /// An array of objects. Words of the machine (`schema::is_word`) are texts in hexadecimal; other whole numbers and
    /// decimals are numbers, or texts with all digits if a double cannot hold them; BLOBs are hex, times ISO 8601.
    Json,
    /// A table of GitHub's Markdown; what would be markup is escaped, NULL is an empty cell.
    Markdown,
}

impl Format {
    /// Every format, in the order in which a help text lists them.
    pub const ALL: [Self; 4] = [Self::Table, Self::Csv, Self::Json, Self::Markdown];

    /// The word for it on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Markdown => "markdown",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|format| format.name() == word);
        found.ok_or_else(|| format!("`{word}` is not one of: {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// How and where an answer is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// Columns of the terminal. A table that is wider is written with one line for each value instead.
    pub width: Option<usize>,
    /// Size of the terminal, if an answer longer than that goes through a pager.
    pub screen: Option<Screen>,
    /// The output is a terminal: CSV too escapes what a terminal obeys. (JSON and the others always do.)
    pub terminal: bool,
    /// JSON has numbers of any size, and words of the machine too, as numbers: for readers that hold 64 bits.
    pub exact: bool,
}

/// Takes the rows of one answer.
pub(crate) trait Answer {
    fn rows(&mut self, batch: &RecordBatch) -> io::Result<()>;
    fn end(&mut self) -> io::Result<()>;
}

/// An answer in the format of `style`.
pub(crate) fn answer<'o>(style: Style, schema: &Schema, out: &'o mut dyn Write) -> Box<dyn Answer + 'o> {
    match style.format {
        Format::Table => Box::new(table::Table::new(schema, style.width, out)),
        Format::Csv => Box::new(csv::Csv::new(schema, style.terminal, out)),
        Format::Json => Box::new(json::Json::new(schema, style.exact, out)),
        Format::Markdown => Box::new(markdown::Markdown::new(schema, out)),
    }
}

/// The answer to `EXPLAIN`: text with line breaks of its own, the same in every format.
pub(crate) fn plan(out: &mut dyn Write) -> Box<dyn Answer + '_> {
    Box::new(plan::Plan { out })
}

/// The answer to a statement that has none.
pub(crate) fn nothing() -> Box<dyn Answer> {
    struct Nothing;
    impl Answer for Nothing {
        fn rows(&mut self, _: &RecordBatch) -> io::Result<()> {
            Ok(())
        }
        fn end(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    Box::new(Nothing)
}

/// Appends the rows of a chunk as text, NULL as None.
pub(crate) fn texts(batch: &RecordBatch, rows: &mut Vec<Vec<Option<String>>>) -> io::Result<()> {
    let columns = cell::Columns::new(batch);
    let cells = columns.cells()?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let values = cells.iter().map(|cell| Ok(cell.text(row, &mut text)?.map(str::to_owned)));
        rows.push(values.collect::<io::Result<_>>()?);
    }
    Ok(())
}

/// Names of the columns.
fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}
