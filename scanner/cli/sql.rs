//! `dumplake sql`: a lake's SQL.

use crate::{Result, args};
use queries::{Format, Session, Style, safe::terminal};
use std::io::{IsTerminal, Write};

/// Runs `dumplake sql`; the value is the exit code.
pub fn command(args: &args::Sql) -> Result<u8> {
    schema::Lake::open(&args.lake)?; // completes what an interrupted conversion left
    let session = Session::open(&args.lake)?;
    warn_of_left_out(&session);
    let is_terminal = std::io::stdout().is_terminal();
    let style = Style { format: format(args.format), width: is_terminal.then(width), terminal: is_terminal };
    // The prompt must be seen after the answer: standard output flushes at each line by itself.
    if args.query.is_none() && std::io::stdin().is_terminal() {
        queries::prompt::run(&session, style, &mut std::io::stdout().lock())?;
        return Ok(0);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let done = match &args.query {
        Some(query) => session.run(query, style, &mut out),
        None => {
            queries::prompt::script(&session, style, &std::io::read_to_string(std::io::stdin())?, &mut out)
        }
    };
    out.flush()?; // the answers before an error as well
    Ok(done.map(|()| 0)?)
}

/// Says which files of the lake cannot be read.
pub fn warn_of_left_out(session: &Session) {
    for file in session.left_out() {
        let shown = file.to_string_lossy();
        eprintln!("warning: {} cannot be read and is left out; see `dumplake lake repair`", terminal(&shown));
    }
}

fn format(format: args::SqlFormat) -> Format {
    match format {
        args::SqlFormat::Table => Format::Table,
        args::SqlFormat::Csv => Format::Csv,
        args::SqlFormat::Json => Format::Json,
        args::SqlFormat::Markdown => Format::Markdown,
    }
}

/// Columns of the terminal that standard output is.
pub fn width() -> usize {
    console::Term::stdout().size_checked().map_or(80, |(_, columns)| columns.into())
}
