//! `dumplake sql`: a lake's SQL.

use crate::{Result, args};
use queries::{
    Format, Session, Style,
    pager::{self, Pager, Screen},
    safe::terminal,
};
use schema::FileFormat;
use std::{
    fs::File,
    io::{IsTerminal, Write},
    path::Path,
};

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Runs `dumplake sql`; the value is the exit code.
pub fn command(args: &args::Sql) -> Result<u8> {
    schema::Lake::open(&args.lake)?; // completes what an interrupted conversion left
    let session = Session::open(&args.lake)?;
    warn_of_left_out(&session);
    if args.exact && args.format != args::SqlFormat::Json {
        return Err("--exact is of --format json".into());
    }
    if let Some(path) = &args.output {
        outside(path, session.root())?;
    }
    let is_terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let printed = match format(args.format) {
        Ok(printed) => printed,
        Err(file_format) => return export(args, &session, file_format),
    };
    let screen = if is_terminal { screen() } else { None };
    let style = Style {
        format: printed,
        width: is_terminal.then(width),
        screen,
        terminal: is_terminal,
        exact: args.exact,
    };
    if let (Some(path), Some(query)) = (&args.output, &args.query) {
        let file = create(path)?;
        let mut out = std::io::BufWriter::new(file);
        let done = answer(&session, query, style, &mut out).map_err(Into::into);
        return done
            .and_then(|()| Ok(out.flush().map(|()| 0)?))
            .inspect_err(|_| drop(std::fs::remove_file(path)));
    }
    // The prompt must be seen after the answer: standard output flushes at each line by itself.
    if args.query.is_none() && std::io::stdin().is_terminal() {
        queries::prompt::run(&session, style, &mut std::io::stdout().lock())?;
        return Ok(0);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut pager = Pager::new(&mut out, style.screen);
    let done = match &args.query {
        Some(query) => answer(&session, query, style, &mut pager),
        None => {
            queries::prompt::script(&session, style, &std::io::read_to_string(std::io::stdin())?, &mut pager)
        }
    };
    pager.end()?; // the answers before an error as well
    Ok(done.map(|()| 0)?)
}

/// Answers a query of the command line, which may be a command of the prompt such as `.tables`.
fn answer(session: &Session, query: &str, style: Style, out: &mut dyn Write) -> Result<(), queries::Error> {
    match query.trim_start().starts_with('.') {
        true => queries::prompt::script(session, style, query.trim_start(), out),
        false => session.run(query, style, out),
    }
}

/// Says which files of the lake cannot be read.
pub fn warn_of_left_out(session: &Session) {
    for file in session.left_out() {
        let shown = file.to_string_lossy();
        eprintln!("warning: {} cannot be read and is left out; see `dumplake lake repair`", terminal(&shown));
    }
}

/// What is printed; or the file that has to be written.
fn format(format: args::SqlFormat) -> Result<Format, FileFormat> {
    match format {
        args::SqlFormat::Table => Ok(Format::Table),
        args::SqlFormat::Csv => Ok(Format::Csv),
        args::SqlFormat::Json => Ok(Format::Json),
        args::SqlFormat::Markdown => Ok(Format::Markdown),
        args::SqlFormat::Parquet => Err(FileFormat::Parquet),
        args::SqlFormat::Arrow => Err(FileFormat::Arrow),
    }
}

fn export(args: &args::Sql, session: &Session, format: FileFormat) -> Result<u8> {
    let (Some(path), Some(query)) = (&args.output, &args.query) else {
        return Err("this format needs a query, and a file: -o FILE".into());
    };
    let rows = session.export(query, format, path)?;
    eprintln!("{rows} rows written to {}", terminal(&path.to_string_lossy()));
    Ok(0)
}

/// A lake holds its tables and nothing else: what lies there besides would be in the way of what keeps it in order.
fn outside(file: &Path, lake: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match folder.canonicalize().is_ok_and(|folder| folder.starts_with(lake)) {
        true => Err(format!("{}: it lies in the lake; name a file outside of it", file.display()).into()),
        false => Ok(()),
    }
}

fn create(path: &Path) -> Result<File> {
    let failed = |error| format!("{}: {error}", path.display());
    Ok(File::create_new(path).map_err(failed)?)
}

/// Size of the terminal that answers are paged on. While a pager runs, Ctrl-C is meant for it.
fn screen() -> Option<Screen> {
    let (rows, columns) = console::Term::stdout().size_checked()?;
    let interrupted = || {
        if !pager::takes_ctrl_c() {
            std::process::exit(INTERRUPTED)
        }
    };
    ctrlc::set_handler(interrupted).ok()?;
    Some((rows.into(), columns.into()))
}

/// Columns of the terminal that standard output is.
pub fn width() -> usize {
    console::Term::stdout().size_checked().map_or(80, |(_, columns)| columns.into())
}
