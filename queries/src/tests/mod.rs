//! Tests of the crate as a whole, over small lakes that DuckDB itself writes.

mod answers;
mod bundles;
mod comparing;
mod kernel;
mod lakes;
mod library;
mod macros;
mod morning;
mod patterns;
mod safety;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use duckdb::Connection;

use crate::format::{Format, Style};
use crate::path::quote;
use crate::sql::Session;
use crate::{lake, tables};

/// Two dumps.
pub const FIRST: &str = "d0000000000000001";
pub const SECOND: &str = "d00000000000000ff";

/// A lake in a folder of its own that goes away with it.
pub struct Lake {
    parent: PathBuf,
    pub path: PathBuf,
}

impl Lake {
    /// An empty one, in a folder of this name.
    pub fn named(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique =
            format!("dumplake-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let parent = std::env::temp_dir().join(unique);
        let path = parent.join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self { parent, path }
    }

    pub fn empty() -> Self {
        Self::named("lake")
    }

    /// Writes a partition: rows of columns and their values in SQL; the other columns are NULL.
    pub fn put(&self, table: &str, dump_id: &str, rows: &[&[(&str, &str)]]) {
        let table =
            tables::all().into_iter().find(|known| known.name == table).expect("a table of the schema");
        let row = |row: &&[(&str, &str)]| {
            let cell = |column: &tables::Column| {
                let value =
                    row.iter().find(|(name, _)| *name == column.name).map_or("NULL", |(_, value)| *value);
                format!("({value})::{} AS \"{}\"", column.sql_type, column.name)
            };
            for (name, _) in *row {
                assert!(table.columns.iter().any(|column| column.name == *name), "no column {name}");
            }
            format!("SELECT {}", table.columns.iter().skip(1).map(cell).collect::<Vec<_>>().join(", "))
        };
        let rows = rows.iter().map(row).collect::<Vec<_>>().join(" UNION ALL ");
        self.put_query(table.name, dump_id, &rows);
    }

    /// Writes a partition of any shape.
    pub fn put_query(&self, table: &str, dump_id: &str, query: &str) {
        let folder = self.path.join(table).join(format!("dump_id={dump_id}"));
        std::fs::create_dir_all(&folder).unwrap();
        // Written elsewhere and moved: only the views, not this helper, have to cope with odd names of the lake.
        let file = self.parent.join("part.parquet");
        let connection = Connection::open_in_memory().unwrap();
        let copy = format!("COPY ({query}) TO {} (FORMAT parquet)", quote(file.to_str().unwrap()));
        connection.execute_batch(&copy).unwrap();
        std::fs::rename(file, folder.join("part-0.parquet")).unwrap();
    }

    pub fn session(&self) -> Session {
        Session::open(&self.path).unwrap()
    }

    pub fn csv(&self, sql: &str) -> String {
        csv(&self.session(), sql)
    }
}

impl Drop for Lake {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.parent);
    }
}

/// The answer in a format, or the error as text.
pub fn ask(session: &Session, sql: &str, style: Style) -> Result<String, String> {
    let mut out = Vec::new();
    session.run(sql, style, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

/// The answer as CSV, with plain line ends and without the header.
pub fn csv(session: &Session, sql: &str) -> String {
    let style = Style { format: Format::Csv, ..Style::default() };
    let answer = ask(session, sql, style).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let lines: Vec<&str> = answer.split_terminator("\r\n").skip(1).collect();
    lines.join("\n")
}

/// The database file as any other DuckDB would open it.
pub fn stock(path: &Path) -> Connection {
    Connection::open(path.join(lake::FILE_NAME)).unwrap()
}
