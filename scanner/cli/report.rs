//! What a conversion says: one line a dump, or one JSON object a dump, in the order of the inputs as far as they have
//! ended; and a log of those that have ended in the order of time.

use crate::bulk::{Ended, Origin, Status};
use indicatif::ProgressBar;
use queries::safe::terminal as terminal_safe;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

/// How the conversion of one dump ended.
pub struct Outcome {
    /// The dump, or the archive that it is in.
    pub path: PathBuf,
    /// Its name in the archive.
    pub member: Option<String>,
    /// Size of the file in bytes.
    pub bytes: u64,
    pub ended: Ended,
}

impl Outcome {
    pub fn new(path: &Path, origin: Option<&Origin>, bytes: u64, ended: Ended) -> Outcome {
        let shown = origin.map_or(path, |origin| Path::new(&origin.archive)).to_path_buf();
        Outcome { path: shown, member: origin.and_then(|origin| origin.member.clone()), bytes, ended }
    }

    /// One that ended before anything was read.
    pub fn failed(path: &Path, why: impl Into<String>) -> Outcome {
        Outcome::new(path, None, 0, Ended::failed(why))
    }

    /// The same of a member of the archive.
    pub fn of_member(self, name: String) -> Outcome {
        Outcome { member: Some(name), ..self }
    }

    fn status_name(&self) -> &'static str {
        match self.ended.status {
            Status::Converted => "converted",
            Status::Skipped(_) => "skipped",
            Status::Failed(_) => "failed",
        }
    }

    fn error(&self) -> Option<&str> {
        match &self.ended.status {
            Status::Failed(error) => Some(error),
            Status::Converted | Status::Skipped(_) => None,
        }
    }

    fn json(&self) -> Value {
        let rows: Map<String, Value> =
            self.ended.rows.iter().map(|(table, n)| (table.to_string(), json!(n))).collect();
        json!({
            "path": self.path.to_string_lossy(),
            "member": self.member,
            "dump_id": self.ended.dump_id,
            "status": self.status_name(),
            "error": self.error(),
            "bytes": self.bytes,
            "seconds": (self.ended.seconds * 1e6).round() / 1e6,
            "rows": rows,
        })
    }

    fn line(&self) -> String {
        let Ended { status, dump_id, seconds, rows, summary, .. } = &self.ended;
        let member = self.member.as_ref().map(|member| format!(" [{member}]")).unwrap_or_default();
        let path = format!("{}{member}", self.path.to_string_lossy());
        let path = terminal_safe(&path);
        let id = dump_id.as_deref().unwrap_or("-");
        match status {
            Status::Converted => {
                let rows: u64 = rows.values().sum();
                let summary = terminal_safe(summary);
                format!("converted  {id}  {path}  {summary}  {rows} rows, {seconds:.2} s")
            }
            Status::Skipped(why) => format!("skipped    {id}  {path}  {}", terminal_safe(why)),
            Status::Failed(error) => format!("failed     {path}: {}", terminal_safe(error)),
        }
    }
}

/// JSON that is safe on a terminal, with words of the machine and numbers as `dumplake sql` writes them: what stands
/// under the name of an address or a register is a text in hexadecimal, what a double cannot hold is a text as well.
pub fn json_text(mut value: Value) -> String {
    hold("", &mut value);
    queries::safe::json(&value.to_string())
}

/// JSON that DuckDB made: whole numbers of more than 64 bits, which every `sum` may be, are texts of their digits. Read as
/// they are they would be rounded. `None` if it is none.
pub fn parsed(json: &str) -> Option<Value> {
    let (mut text, mut rest, mut is_string) = (String::with_capacity(json.len()), json, false);
    while let Some(first) = rest.chars().next() {
        let is_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let length = match first {
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '0'..='9' | '-' if !is_string => rest.find(|c| !is_number(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        is_string ^= first == '"';
        let (token, behind) = rest.split_at(length);
        let is_large =
            !is_string && token.parse::<i128>().is_ok_and(|n| u64::try_from(n.unsigned_abs()).is_err());
        text.extend(if is_large { ["\"", token, "\""] } else { ["", token, ""] });
        rest = behind;
    }
    serde_json::from_str(&text).ok()
}

fn hold(name: &str, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hold(name, item)),
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| hold(name, member)),
        Value::Number(number) => {
            let word = number.as_u64().filter(|_| schema::is_always_word(name)).map(schema::word_text);
            let large = number.as_i128().filter(|whole| !schema::is_held(*whole));
            if let Some(text) = word.or_else(|| large.map(|whole| whole.to_string())) {
                *value = Value::String(text);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Tells of outcomes as they come.
pub struct Reporter {
    json: bool,
    quiet: bool,
    log: Option<File>,
    next: usize,
    held: BTreeMap<usize, Outcome>,
    started: Instant,
    /// What could not be written any more.
    error: Option<io::Error>,
    pub converted: u64,
    pub skipped: u64,
    pub failed: u64,
    rows: u64,
}

impl Reporter {
    /// Results on standard output, failures on standard error unless `json`; and all to the end of `log`.
    pub fn new(json: bool, log: Option<&Path>) -> io::Result<Reporter> {
        let open = |path: &Path| {
            let file = File::options().append(true).create(true).open(path);
            file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        let log = log.map(open).transpose()?;
        Ok(Reporter { json, quiet: false, log, ..Reporter::quiet() })
    }

    /// Failures only, on standard error.
    pub fn quiet() -> Reporter {
        let (held, started) = (BTreeMap::new(), Instant::now());
        let (converted, skipped, failed, rows) = (0, 0, 0, 0);
        let (json, quiet, log, error) = (false, true, None, None);
        Reporter { json, quiet, log, next: 0, held, started, error, converted, skipped, failed, rows }
    }

    /// The outcome of input `number` of all inputs.
    pub fn ended(&mut self, number: usize, outcome: Outcome, bar: &ProgressBar) {
        match &outcome.ended.status {
            Status::Converted => self.converted += 1,
            Status::Skipped(_) => self.skipped += 1,
            Status::Failed(_) => self.failed += 1,
        }
        self.rows += outcome.ended.rows.values().sum::<u64>();
        if let Some(log) = &mut self.log {
            let line = format!("{}\n", json_text(outcome.json()));
            self.error = log.write_all(line.as_bytes()).err().or(self.error.take());
        }
        self.held.insert(number, outcome);
        while let Some(outcome) = self.held.remove(&self.next) {
            self.next += 1;
            let written = bar.suspend(|| self.print(&outcome));
            self.error = written.err().or(self.error.take());
        }
    }

    fn print(&self, outcome: &Outcome) -> io::Result<()> {
        let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
        match (self.json, &outcome.ended.status) {
            (true, _) => writeln!(out, "{}", json_text(outcome.json())),
            (_, Status::Failed(_)) => writeln!(err, "{}", outcome.line()),
            _ if self.quiet => Ok(()),
            _ => writeln!(out, "{}", outcome.line()),
        }
    }

    /// How many outcomes there are.
    pub fn total(&self) -> u64 {
        self.converted + self.skipped + self.failed
    }

    /// What came of all of it, in a line; nothing where a few lines above say it.
    pub fn summary(&self, always: bool) -> Option<String> {
        let Reporter { converted, skipped, failed, rows, .. } = self;
        let seconds = self.started.elapsed().as_secs_f64();
        ((self.total() > 20 || always) && !self.json && !self.quiet).then(|| {
            format!(
                "{converted} converted, {skipped} skipped, {failed} failed; {rows} rows; {seconds:.1} s, {:.1} dumps/s",
                *converted as f64 / seconds
            )
        })
    }

    /// 0 when nothing failed, 1 when something did, 2 when nothing at all could be done.
    pub fn exit_code(&self) -> u8 {
        match self.failed {
            0 if self.total() > 0 => 0,
            failed if failed == self.total() => 2,
            _ => 1,
        }
    }

    /// What could not be written.
    pub fn finish(self) -> io::Result<()> {
        io::stdout().flush()?;
        self.error.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JSON on a terminal is obeyed like any other text; `serde_json` escapes the first 32 codes only.
    #[test]
    fn json_holds_nothing_that_a_terminal_obeys() {
        let outcome = Outcome::failed(Path::new("a\u{9b}31m\u{202e}\u{e0001}ü.dmp"), "why\u{7f}");
        let text = json_text(outcome.json());
        assert!(
            text.contains("a\\u009b31m\\u202e\\udb40\\udc01ü.dmp") && text.contains("why\\u007f"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), outcome.json());
    }

    #[test]
    fn json_holds_no_number_that_a_double_cannot() {
        const HELD: u64 = 1 << 53;
        let value = json!({
            "va": 4096, "base": u64::MAX, "size": u64::MAX, "bytes": HELD - 1, "rows": [HELD, -9_007_199_254_740_992_i64],
            "evidence": {"rip": [1, null], "share": 0.5},
        });
        let expected = json!({
            "va": "0x0000000000001000", "base": "0xffffffffffffffff", "size": "18446744073709551615", "bytes": HELD - 1,
            "rows": ["9007199254740992", "-9007199254740992"],
            "evidence": {"rip": ["0x0000000000000001", null], "share": 0.5},
        });
        assert_eq!(serde_json::from_str::<Value>(&json_text(value)).unwrap(), expected);
        // Numbers of rows stand under the names of tables.
        assert!(schema::all().iter().all(|table| !schema::is_word(table.name)));
    }

    #[test]
    fn whole_numbers_of_128_bits_keep_their_digits() {
        let text = r#"{"sum": 36893488147419103233, "less": -36893488147419103233, "share": 0.5e3, "small": [7, -7],
                       "va": 18446744073709551615, "said \"36893488147419103233\" \\": "x\\", "largest": 170141183460469231731687303715884105727}"#;
        let expected = json!({
            "sum": "36893488147419103233", "less": "-36893488147419103233", "share": 500.0, "small": [7, -7],
            "va": "0xffffffffffffffff", "said \"36893488147419103233\" \\": "x\\",
            "largest": "170141183460469231731687303715884105727",
        });
        let shown = json_text(parsed(text).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), expected);
        for none in ["", "\\", "{\"a", "-", "\u{9b}"] {
            assert_eq!(parsed(none), None, "{none}");
        }
    }
}
