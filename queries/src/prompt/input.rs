//! Reading an entry: one line, or several until a statement is complete.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Helper};

use super::complete::Names;
use crate::statement;

/// The line editor with our rule for "complete".
pub type Editor = rustyline::Editor<Rule, DefaultHistory>;

/// Decides whether an entry is complete, and what the Tab key offers.
pub struct Rule(Names);

/// An editor that remembers so many entries and completes these names.
pub fn editor(history: usize, names: Names) -> rustyline::Result<Editor> {
    let config = Config::builder().max_history_size(history)?.history_ignore_space(true);
    let mut editor = Editor::with_config(config.completion_type(CompletionType::List).build())?;
    editor.set_helper(Some(Rule(names)));
    Ok(editor)
}

/// A command is one line; statements are complete at a `;` that nothing but blanks and comments follow.
pub fn is_complete(entry: &str) -> bool {
    let (_, rest) = statement::split(entry);
    entry.trim_start().starts_with('.') || statement::is_blank(rest)
}

impl Validator for Rule {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let complete = is_complete(context.input());
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Rule {
    type Candidate = String;

    fn complete(
        &self,
        entry: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.0.complete(entry, cursor))
    }
}

impl Hinter for Rule {
    type Hint = String;
}

impl Highlighter for Rule {}

impl Helper for Rule {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_complete_at_its_semicolon() {
        for entry in ["", ".tables", "SELECT 1;", "SELECT\n1;\n-- done", "SELECT ';';"] {
            assert!(is_complete(entry), "{entry}");
        }
        for entry in ["SELECT 1", "SELECT 1; SELECT", "SELECT ';", "SELECT 1 -- ;", "/* ;"] {
            assert!(!is_complete(entry), "{entry}");
        }
    }
}
