//! The commands of the prompt.

use std::io::Write;

use crate::error::{Error, Result};
use crate::format::{Format, Style};
use crate::sql::Session;
use crate::{diffs, tables, views};

/// What the prompt does after an entry.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    GoOn,
    Quit,
}

const HELP: &str = "\
.tables            the tables of the lake, and what a row of each is
.views             the library of views, then the comparisons (diff_...), and the question that each answers
.schema NAME       the columns of a table or view; for a view also how to read it
.format FORMAT     table, csv, json or markdown
.help              this
.quit              leave (also: Ctrl-D)
Anything else is SQL; it ends with `;` and may go over several lines. Nothing can be written: to save an answer use
`dumplake sql LAKE \"QUERY\" --format csv`, to write tables use `duckdb LAKE/lake.duckdb`.
";

/// Runs a command, given without its dot.
pub fn run(session: &Session, style: &mut Style, line: &str, out: &mut dyn Write) -> Result<Next> {
    let mut words = line.split_whitespace();
    match (words.next().unwrap_or_default(), words.next()) {
        ("quit" | "exit" | "q", None) => return Ok(Next::Quit),
        ("help", None) => write(out, HELP)?,
        ("tables", None) => {
            let rows: Vec<_> = tables::all().iter().map(|table| (table.name, table.doc.to_owned())).collect();
            list(out, &rows)?;
        }
        ("views", None) => {
            let of = |views: &[views::View]| -> Vec<_> {
                views.iter().map(|view| (view.name, view.question())).collect()
            };
            list(out, &of(views::LIBRARY))?;
            write(
                out,
                "\nComparisons of dumps, macros that take them: FROM diff_drivers(['d...', 'd...'])\n",
            )?;
            list(out, &of(diffs::DIFFS))?;
        }
        ("schema", Some(name)) => schema(session, *style, name, out)?,
        ("format", Some(word)) => style.format = word.parse::<Format>().map_err(Error::Refused)?,
        _ => return Err(Error::Refused(format!("no such command: .{line} (`.help` lists them)"))),
    }
    Ok(Next::GoOn)
}

fn schema(session: &Session, style: Style, name: &str, out: &mut dyn Write) -> Result<()> {
    let known = |known: &str| known.eq_ignore_ascii_case(name);
    if let Some(diff) = diffs::DIFFS.iter().find(|diff| known(diff.name)) {
        return write(out, &format!("{}\n{}\n", diff.question(), diff.how_to_read()));
    }
    if let Some(view) = views::LIBRARY.iter().find(|view| known(view.name)) {
        write(out, &format!("{}\n{}\n\n", view.question(), view.how_to_read()))?;
    } else if let Some(table) = tables::all().iter().find(|table| known(table.name)) {
        write(out, &format!("{}\n\n", table.doc))?;
    } else {
        return Err(Error::Refused(format!(
            "no such table or view: {name} (`.tables` and `.views` list them)"
        )));
    }
    // A view's column means what the column of that name means in the tables that it reads.
    let sources =
        views::LIBRARY.iter().find(|view| known(view.name)).map(|view| view.tables()).unwrap_or_default();
    let sources: Vec<String> = sources.iter().map(|table| crate::path::quote(table)).collect();
    let columns = format!(
        "SELECT column_name AS \"column\", data_type AS type, coalesce(comment,
            (SELECT arg_min(t.comment, list_position([{}], t.table_name)) FROM duckdb_columns() AS t
             WHERE t.schema_name = 'main' AND t.table_name IN ({}) AND t.column_name = c.column_name), '') AS description
         FROM duckdb_columns() AS c WHERE schema_name = 'main' AND table_name = {} ORDER BY column_index",
        sources.join(", "),
        if sources.is_empty() { "NULL".into() } else { sources.join(", ") },
        crate::path::quote(&name.to_lowercase())
    );
    // Descriptions are long: one line for each value would hide which column is which.
    session.run(&columns, Style { width: None, ..style }, out)
}

fn list(out: &mut dyn Write, rows: &[(&str, String)]) -> Result<()> {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().try_for_each(|(name, text)| write(out, &format!("{name:width$}  {text}\n")))
}

fn write(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).map_err(Error::Output)
}
