//! The program as its user has it: run with arguments, and its lake asked in SQL.

use queries::{Format, Session, Style};
use serde_json::{Map, Value};
use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

/// How a run of `dumplake` ended.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Standard output as JSON, one object a line.
    pub fn json(&self) -> Vec<Value> {
        let object = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}"));
        self.out.lines().map(object).collect()
    }
}

/// Runs the program in `folder`; nothing is a terminal.
pub fn dumplake_in<A: AsRef<OsStr>>(folder: &Path, args: &[A]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_dumplake"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs the program in `folder` with a text on its standard input.
pub fn dumplake_fed(folder: &Path, args: &[&str], input: &str) -> Ran {
    let file = folder.join("input");
    std::fs::write(&file, input).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dumplake"))
        .args(args)
        .current_dir(folder)
        .stdin(std::fs::File::open(file).unwrap())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs the program in the folder of the tests.
pub fn dumplake<A: AsRef<OsStr>>(args: &[A]) -> Ran {
    dumplake_in(Path::new(env!("CARGO_TARGET_TMPDIR")), args)
}

/// A lake that is asked in SQL.
pub struct Ask(Session);

/// One row of an answer.
pub type Row = Map<String, Value>;

impl Ask {
    /// Opens a lake.
    pub fn open(lake: &Path) -> Ask {
        Ask(Session::open(lake).unwrap_or_else(|error| panic!("{}: {error}", lake.display())))
    }

    /// All rows of an answer.
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        let style = Style { format: Format::Json, exact: true, ..Style::default() };
        let mut answer = Vec::new();
        self.0.run(sql, style, &mut answer).unwrap_or_else(|error| panic!("{sql}: {error}"));
        serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The only row of an answer.
    pub fn row(&self, sql: &str) -> Row {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "rows of {sql}");
        rows.remove(0)
    }

    /// The only cell of an answer.
    pub fn cell(&self, sql: &str) -> Value {
        let row = self.row(sql);
        assert_eq!(row.len(), 1, "columns of {sql}");
        row.into_iter().next().unwrap().1
    }

    /// The only cell, a number.
    pub fn number(&self, sql: &str) -> u64 {
        let cell = self.cell(sql);
        cell.as_u64().unwrap_or_else(|| panic!("{sql}: {cell} is no number"))
    }
}
