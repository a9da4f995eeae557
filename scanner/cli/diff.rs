//! `dumplake diff`: what changed between dumps of a lake.

use crate::{Result, args, sql};
use queries::{Format, Session, Style, diffs};
use std::io::{IsTerminal, Write};

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Diff) -> Result<u8> {
    schema::Lake::open(&args.lake)?; // completes what an interrupted conversion left
    let session = Session::open(&args.lake)?;
    sql::warn_of_left_out(&session);
    let is_terminal = std::io::stdout().is_terminal();
    let style = Style {
        format: if args.json { Format::Json } else { Format::Table },
        width: is_terminal.then(sql::width),
        screen: None,
        terminal: is_terminal,
        exact: false,
    };
    let wanted = |area: &&'static str| args.by == "all" || args.by == **area;
    let areas: Vec<&'static str> = diffs::AREAS.into_iter().filter(|area| wanted(area)).collect();
    let limit = (args.limit > 0 && !args.json).then_some(args.limit);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    diffs::Comparison { dumps: &args.dumps, areas: &areas, limit }.run(&session, style, &mut out)?;
    out.flush()?;
    Ok(0)
}
