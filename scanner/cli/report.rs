//! What a conversion says at its end: one line a dump, or one JSON object a dump.

use queries::safe::terminal as terminal_safe;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, path::PathBuf};

/// How the conversion of one dump ended.
pub struct Outcome {
    pub path: PathBuf,
    pub dump_id: Option<String>,
    pub status: Status,
    /// Size of the file in bytes.
    pub bytes: u64,
    pub seconds: f64,
    /// Rows written, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// What the dump is, in a few words.
    pub summary: String,
}

/// The three ways in which it can end.
pub enum Status {
    Converted,
    /// Already in the lake, or the same content came earlier in this run.
    Skipped(String),
    Failed(String),
}

impl Outcome {
    /// One that ended before anything was read.
    pub fn failed(path: PathBuf, bytes: u64, error: impl Into<String>) -> Outcome {
        let status = Status::Failed(error.into());
        Outcome {
            path,
            dump_id: None,
            status,
            bytes,
            seconds: 0.0,
            rows: BTreeMap::new(),
            summary: String::new(),
        }
    }

    fn status_name(&self) -> &'static str {
        match self.status {
            Status::Converted => "converted",
            Status::Skipped(_) => "skipped",
            Status::Failed(_) => "failed",
        }
    }

    fn error(&self) -> Option<&str> {
        match &self.status {
            Status::Failed(error) => Some(error),
            Status::Converted | Status::Skipped(_) => None,
        }
    }

    fn json(&self) -> Value {
        let rows: Map<String, Value> =
            self.rows.iter().map(|(table, n)| (table.to_string(), json!(n))).collect();
        json!({
            "path": self.path.to_string_lossy(),
            "dump_id": self.dump_id,
            "status": self.status_name(),
            "error": self.error(),
            "bytes": self.bytes,
            "seconds": (self.seconds * 1e6).round() / 1e6,
            "rows": rows,
        })
    }

    fn line(&self) -> String {
        let path = terminal_safe(&self.path.to_string_lossy()).into_owned();
        let id = self.dump_id.as_deref().unwrap_or("-");
        match &self.status {
            Status::Converted => {
                let rows: u64 = self.rows.values().sum();
                let summary = terminal_safe(&self.summary);
                format!("converted  {id}  {path}  {summary}  {rows} rows, {:.2} s", self.seconds)
            }
            Status::Skipped(why) => format!("skipped    {id}  {path}  {}", terminal_safe(why)),
            Status::Failed(error) => format!("failed     {path}: {}", terminal_safe(error)),
        }
    }
}

/// JSON that is safe on a terminal and means the same.
pub fn json_text(value: &Value) -> String {
    queries::safe::json(&value.to_string())
}

/// Prints all outcomes: results on standard output, failures on standard error unless `json`.
pub fn print(outcomes: &[Outcome], json: bool) -> std::io::Result<()> {
    use std::io::Write;
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    for outcome in outcomes {
        match (json, &outcome.status) {
            (true, _) => writeln!(out, "{}", json_text(&outcome.json()))?,
            (false, Status::Failed(_)) => writeln!(err, "{}", outcome.line())?,
            (false, _) => writeln!(out, "{}", outcome.line())?,
        }
    }
    out.flush()
}

/// 0 when nothing failed, 1 when something did, 2 when nothing at all could be done.
pub fn exit_code(outcomes: &[Outcome]) -> u8 {
    let failed = outcomes.iter().filter(|outcome| outcome.error().is_some()).count();
    match failed {
        0 if !outcomes.is_empty() => 0,
        n if n == outcomes.len() => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JSON on a terminal is obeyed like any other text; `serde_json` escapes the first 32 codes only.
    #[test]
    fn json_holds_nothing_that_a_terminal_obeys() {
        let outcome = Outcome::failed("a\u{9b}31m\u{202e}\u{e0001}ü.dmp".into(), 0, "why\u{7f}");
        let text = json_text(&outcome.json());
        assert!(
            text.contains("a\\u009b31m\\u202e\\udb40\\udc01ü.dmp") && text.contains("why\\u007f"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), outcome.json());
    }
}
