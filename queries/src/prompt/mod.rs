//! The interactive prompt: a statement may go over many lines and ends with `;`, arrow keys bring back older ones, Tab
//! completes names, and a line that starts with `.` is a command. An error is shown and the prompt goes on.

mod command;
mod complete;
mod input;

use std::io::{self, Write};
use std::path::PathBuf;

use rustyline::error::ReadlineError;

use crate::error::{Error, Result};
use crate::format::Style;
use crate::pager::Pager;
use crate::sql::Session;
use command::Next;

/// Statements that the history keeps.
const HISTORY: usize = 1000;

/// Reads statements and commands until `.quit` or the end of the input, and answers each on `out`.
///
/// # Errors
/// The terminal cannot be read, or `out` not be written. What is wrong with a statement is no error but an answer.
pub fn run(session: &Session, style: Style, out: &mut dyn Write) -> Result<()> {
    let names = complete::Names::of(session).unwrap_or_default(); // a comfort, no condition
    let mut editor = input::editor(HISTORY, names).map_err(terminal)?;
    let history = history_file();
    if let Some(file) = &history {
        // The first session has none.
        let _ = editor.load_history(file);
    }
    writeln!(out, "{}: `.help` lists the commands, a statement ends with `;`", session.root().display())
        .map_err(Error::Output)?;
    let mut style = style;
    loop {
        let entry = match editor.readline("dumplake> ") {
            Ok(entry) => entry,
            // Ctrl-C drops what was typed.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(terminal(error)),
        };
        let _ = editor.add_history_entry(entry.trim());
        if answer(session, &mut style, &entry, out)? == Next::Quit {
            break;
        }
    }
    if let Some(file) = &history {
        save(&mut editor, file);
    }
    Ok(())
}

/// Answers a text that was read from a file or a pipe as if it had been typed, but for two things: the last statement
/// needs no `;`, and the first error ends it.
///
/// # Errors
/// What is wrong with a statement, or `out` cannot be written.
pub fn script(session: &Session, style: Style, text: &str, out: &mut dyn Write) -> Result<()> {
    let (mut style, mut entry) = (style, String::new());
    for line in text.split_inclusive('\n') {
        entry.push_str(line);
        if input::is_complete(&entry) {
            if execute(session, &mut style, &entry, out)? == Next::Quit {
                return Ok(());
            }
            entry.clear();
        }
    }
    execute(session, &mut style, &entry, out).map(drop)
}

fn execute(session: &Session, style: &mut Style, entry: &str, out: &mut dyn Write) -> Result<Next> {
    match entry.trim().strip_prefix('.') {
        Some(line) => command::run(session, style, line, out),
        None => session.run(entry, *style, out).map(|()| Next::GoOn),
    }
}

/// Answers one entry: a command, or statements.
fn answer(session: &Session, style: &mut Style, entry: &str, out: &mut dyn Write) -> Result<Next> {
    let mut pager = Pager::new(out, style.screen);
    let done = execute(session, style, entry, &mut pager);
    let paged = pager.end().map_err(Error::Output)?;
    match done {
        Err(Error::Output(error)) if paged && error.kind() == io::ErrorKind::BrokenPipe => Ok(Next::GoOn),
        Err(Error::Output(error)) => Err(Error::Output(error)),
        Err(error) => writeln!(out, "{error}").map(|()| Next::GoOn).map_err(Error::Output),
        Ok(next) => out.flush().map(|()| next).map_err(Error::Output),
    }
}

/// Where the history is kept: a folder of the user for what programs remember.
fn history_file() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = if cfg!(windows) {
        var("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        var("HOME").map(|home| home.join("Library").join("Application Support"))
    } else {
        var("XDG_STATE_HOME").or_else(|| Some(var("HOME")?.join(".local").join("state")))
    };
    Some(folder?.join("dumplake").join("sql_history"))
}

/// A history that cannot be kept is no reason to disturb anybody.
fn save(editor: &mut input::Editor, file: &PathBuf) {
    let folder = file.parent().map(std::fs::create_dir_all);
    if let Some(Ok(())) = folder {
        let _ = editor.save_history(file);
    }
}

fn terminal(error: ReadlineError) -> Error {
    match error {
        ReadlineError::Io(error) => Error::Output(error),
        error => Error::Output(io::Error::other(error)),
    }
}

/// What the prompt answers to entries, up to the one that ends it.
#[cfg(test)]
pub(crate) fn converse(session: &Session, entries: &[&str]) -> String {
    let (mut out, mut style) = (Vec::new(), Style::default());
    for entry in entries {
        if answer(session, &mut style, entry, &mut out).unwrap() == Next::Quit {
            break;
        }
    }
    String::from_utf8(out).unwrap()
}
