//! `dumplake`: the face of the program. It opens, scans and reports, and holds no logic.

#![forbid(unsafe_code)]

mod analyze;
mod args;
mod bulk;
mod convert;
mod demo;
mod diff;
mod info;
mod inputs;
mod lake;
mod patterns;
mod progress;
mod report;
mod sql;
mod symbols;
mod unpack;
mod watch;

use clap::Parser;
use std::process::ExitCode;

/// Nothing could be done.
const NOTHING_DONE: u8 = 2;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let result = match args::Cli::parse().command {
        args::Command::Convert(args) => convert::command(&args),
        args::Command::Info(args) => info::command(&args),
        args::Command::Sql(args) => sql::command(&args),
        args::Command::Analyze(args) => analyze::command(&args),
        args::Command::Patterns(args) => patterns::command(&args),
        args::Command::Diff(args) => diff::command(&args),
        args::Command::Demo(args) => demo::command(&args),
        args::Command::Lake(args) => lake::command(&args),
        args::Command::Symbols(args) => symbols::command(&args),
        args::Command::Worker(args) => bulk::worker::command(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            let lines: Vec<String> =
                error.to_string().lines().map(|line| queries::safe::terminal(line).into_owned()).collect();
            eprintln!("error: {}", lines.join("\n"));
            ExitCode::from(NOTHING_DONE)
        }
    }
}

/// `dumplake sql … | head` closes our output: that is the reader's right, not an error.
fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
        || error.source().is_some_and(is_broken_pipe)
}
