//! A question to the lake and its answer.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use duckdb::Connection;
use duckdb::arrow::array::Array;
use schema::{Export, FileFormat};

use crate::error::{Error, Result};
use crate::format::{self, Style};
use crate::guard::{self, Kind};
use crate::lake;
use crate::patterns;
use crate::statement;

/// A connection to a lake that reads the lake and can do nothing else.
///
/// It cannot read a file outside of the lake, write one anywhere, reach the network, or load an extension; temporary
/// tables, views, macros and variables live in memory as long as the session.
pub struct Session {
    connection: Connection,
    root: PathBuf,
    left_out: Vec<PathBuf>,
}

impl Session {
    /// Opens a lake. Its views are written anew first if they are stale, for example because the lake was moved; if
    /// they cannot be written they are made in memory.
    ///
    /// # Errors
    /// There is no such folder, or its name cannot be used in SQL.
    pub fn open(lake: &Path) -> Result<Self> {
        let (connection, root, left_out) = lake::open(lake)?;
        guard::lock_down(&connection, &root)?;
        Ok(Self { connection, root, left_out })
    }

    /// A session over one dump of the lake, whatever else the lake has: quick where it has thousands. Its views see no
    /// other dump.
    ///
    /// # Errors
    /// The id cannot be one, or a file of the dump cannot be read.
    pub fn of_dump(&self, dump_id: &str) -> Result<Self> {
        schema::check_id(dump_id).map_err(|error| Error::Refused(error.to_string()))?;
        let (connection, root) = lake::open_dump(&self.root, dump_id)?;
        guard::lock_down(&connection, &root)?;
        Ok(Self { connection, root, left_out: Vec::new() })
    }

    /// Another connection to the same, for another thread.
    pub(crate) fn another(&self) -> Result<Self> {
        let (root, left_out) = (self.root.clone(), self.left_out.clone());
        Ok(Self { connection: self.connection.try_clone()?, root, left_out })
    }

    /// The same, where a dump is named and can be read whole; else the session over all dumps has to do, which leaves out
    /// what cannot be read.
    pub(crate) fn of_dump_if_readable(&self, dump_id: Option<&str>) -> Option<Self> {
        self.of_dump(dump_id?).ok()
    }

    /// Files of the lake that cannot be read: their rows are in no answer.
    pub fn left_out(&self) -> &[PathBuf] {
        &self.left_out
    }

    /// For statements of this crate's own, which need no guard.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The lake's folder, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs one or more statements, each ended by `;` but for the last, and writes each answer to `out` as it comes:
    /// big answers are not held in memory.
    ///
    /// # Errors
    /// [`Error::Refused`] for a statement that would do more than read, DuckDB's message, or a failed write. What was
    /// written before stays written.
    pub fn run(&self, sql: &str, style: Style, out: &mut dyn Write) -> Result<()> {
        for statement in self.statements(sql)? {
            self.run_one(statement, style, out)?;
            out.flush().map_err(Error::Output)?; // the next one may take long
        }
        Ok(())
    }

    /// Writes the rows of one query to a file that must not be there yet. The value is their number.
    ///
    /// # Errors
    /// As [`Session::run`]; the query is none with rows or more than one; the format does not know the type of a
    /// column. No file is left then.
    pub fn export(&self, sql: &str, format: FileFormat, path: &Path) -> Result<u64> {
        let statements = self.statements(sql)?;
        let [query] = statements.as_slice() else {
            return Err(Error::Refused("one query gives one file".to_owned()));
        };
        if guard::check(&self.connection, query)? != Kind::Query {
            return Err(Error::Refused("this statement has no rows to write".to_owned()));
        }
        let file = File::create_new(path).map_err(Error::io(path))?;
        let written = self.export_rows(query, format, file);
        if written.is_err() {
            let _ = std::fs::remove_file(path);
        }
        written
    }

    /// The statements of a text; the macros that they name are there.
    fn statements<'t>(&self, sql: &'t str) -> Result<Vec<&'t str>> {
        for pattern in patterns::macros(sql) {
            self.connection.execute_batch(&pattern)?;
        }
        let (mut statements, last) = statement::split(sql);
        statements.push(last);
        statements.retain(|statement| !statement::is_blank(statement));
        Ok(statements)
    }

    fn export_rows(&self, query: &str, format: FileFormat, file: File) -> Result<u64> {
        let failed = |error: schema::Error| Error::Refused(error.to_string());
        let mut statement = self.connection.prepare(query)?;
        let _ = statement.stream_arrow([])?; // see `run_one`
        let (mut export, mut rows) = (Export::new(format, file, &statement.schema()).map_err(failed)?, 0);
        while let Some(chunk) = statement.step()? {
            rows += chunk.len() as u64;
            export.write(&chunk.into()).map_err(failed)?;
        }
        export.finish().map_err(failed)?;
        Ok(rows)
    }

    /// The rows of one query as text, NULL as None. For questions of the program's own, whose answers are bounded.
    pub(crate) fn texts(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        guard::check(&self.connection, sql)?;
        let mut statement = self.connection.prepare(sql)?;
        let _ = statement.stream_arrow([])?; // see `run_one`
        let mut rows = Vec::new();
        while let Some(chunk) = statement.step()? {
            format::texts(&chunk.into(), &mut rows).map_err(Error::Output)?;
        }
        Ok(rows)
    }

    fn run_one(&self, sql: &str, style: Style, out: &mut dyn Write) -> Result<()> {
        let kind = guard::check(&self.connection, sql)?;
        let mut statement = self.connection.prepare(sql)?;
        // Its iterator panics where a later chunk fails; `step` says so instead. So only start the query with it.
        let _ = statement.stream_arrow([])?;
        let mut answer = match kind {
            Kind::Query => format::answer(style, &statement.schema(), out),
            Kind::Plan => format::plan(out),
            Kind::Command => format::nothing(),
        };
        while let Some(chunk) = statement.step()? {
            answer.rows(&chunk.into()).map_err(Error::Output)?;
        }
        answer.end().map_err(Error::Output)
    }
}
