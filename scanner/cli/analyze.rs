//! `dumplake analyze`: the morning read, as text, Markdown or JSON.

use crate::{
    Result, args,
    bulk::Scratch,
    convert,
    patterns::{clipped, finding_json, one_dump},
    report, sql,
};
use queries::{
    Session,
    analyze::{self, Dump, Reading, Told},
    safe,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Analyze) -> Result<u8> {
    if !args.lake.is_file() {
        return lake(args, &args.lake);
    }
    // A bare dump, or an archive with some: they are converted into a lake that goes with the answer.
    let scratch = Scratch::new(&std::env::temp_dir())?;
    let output = scratch.place(0)?.join("lake");
    let how = args::How { symbols: args.symbols.clone(), ..args::How::default() };
    let paths = vec![args.lake.clone()];
    let convert = args::Convert { paths, output: output.clone(), how, ..args::Convert::default() };
    let code = convert::quietly(&convert)?;
    if !output.is_dir() {
        return Ok(code); // what was wrong has been said
    }
    lake(args, &output).map(|answered| answered.max(code))
}

fn lake(args: &args::Analyze, lake: &Path) -> Result<u8> {
    schema::Lake::open(lake)?; // completes what an interrupted conversion left
    let session = Session::open(lake)?;
    sql::warn_of_left_out(&session);
    let dump = one_dump(&session, args.dump.as_deref())?;
    let reading = analyze::analyze(&session, dump.as_deref())?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    match (args.json, args.markdown) {
        (true, _) => {
            let records = analyze::records(&session, dump.as_deref())?;
            writeln!(out, "{}", report::json_text(as_json(&reading, &records)))?;
        }
        (_, true) => Page { out: &mut out, markdown: true }.reading(&reading, limit)?,
        _ => Page { out: &mut out, markdown: false }.reading(&reading, limit)?,
    }
    out.flush()?;
    for (pattern, error) in &reading.errors {
        eprintln!("{pattern} could not run: {error}");
    }
    Ok(u8::from(!reading.errors.is_empty() || !session.left_out().is_empty()))
}

/// Characters of a line of a report.
const LONGEST: usize = 1000;

/// Characters of a line of a list of what is missing: a longer list goes on in the next.
const LIST: usize = 300;

/// Buckets that are shown.
const BUCKETS: usize = 10;

/// Text or Markdown, of the same parts.
struct Page<'o> {
    out: &'o mut dyn Write,
    markdown: bool,
}

impl Page<'_> {
    /// Text of a dump, safe where it is shown.
    fn safe(&self, text: &str) -> String {
        if !self.markdown {
            return clipped(text);
        }
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => safe::markdown(&text[..end]) + " ...",
            None => safe::markdown(text),
        }
    }

    fn heading(&mut self, level: usize, text: &str) -> io::Result<()> {
        let text = self.safe(text);
        match (self.markdown, level) {
            (true, _) => writeln!(self.out, "\n{} {text}\n", "#".repeat(level)),
            (false, 1) => writeln!(self.out, "\n{text}"),
            (false, _) => writeln!(self.out, "  {text}"),
        }
    }

    fn item(&mut self, text: &str) -> io::Result<()> {
        let text = self.safe(text);
        let mark = if self.markdown { "- " } else { "    " };
        writeln!(self.out, "{mark}{text}")
    }

    fn reading(&mut self, reading: &Reading, limit: usize) -> io::Result<()> {
        let count = reading.dumps.len();
        self.heading(1, &format!("{count} dump{}", if count == 1 { "" } else { "s" }))?;
        if !reading.buckets.is_empty() {
            self.heading(2, "Crashes that are alike")?;
        }
        let shown = if limit == usize::MAX { limit } else { BUCKETS };
        for bucket in reading.buckets.iter().take(shown) {
            let named = [&bucket.name, &bucket.culprit].map(String::as_str);
            let named: Vec<&str> = named.into_iter().filter(|text| !text.is_empty()).collect();
            self.item(&format!("{} x {} ({})", bucket.dumps, bucket.bucket, named.join(", ")))?;
        }
        match reading.buckets.len().saturating_sub(shown) {
            0 => {}
            1 => self.item("and 1 bucket more (view crash_buckets)")?,
            rest => self.item(&format!("and {rest} buckets more (view crash_buckets)"))?,
        }
        for dump in reading.dumps.iter().take(limit) {
            self.dump(dump)?;
        }
        match reading.dumps.len().saturating_sub(limit) {
            0 => Ok(()),
            rest => self.heading(1, &format!("and {rest} dumps more (--limit)")),
        }
    }

    fn dump(&mut self, dump: &Dump) -> io::Result<()> {
        self.heading(1, &format!("{} {}", dump.dump_id, dump.path))?;
        self.item(&dump.what)?;
        self.crash(dump)?;
        self.told("Why", &dump.why)?;
        self.told("What else is unusual", &dump.unusual)?;
        if !dump.undecidable.is_empty() {
            self.heading(2, "Not decidable for want of memory")?;
        }
        dump.undecidable.iter().try_for_each(|(why, what)| self.missing(why, what))
    }

    /// All of what one reason leaves undecided: in Markdown one item, whose lines whoever shows it breaks.
    fn missing(&mut self, why: &str, what: &[String]) -> io::Result<()> {
        if self.markdown {
            return writeln!(self.out, "- {}", safe::markdown(&format!("{why}: {}", what.join(", "))));
        }
        let mut line = format!("{why}:");
        for (at, what) in what.iter().enumerate() {
            if at > 0 && line.len() + what.len() > LIST {
                self.item(&format!("{line},"))?;
                line = format!("  {what}");
            } else {
                line = format!("{line}{} {what}", if at > 0 { "," } else { "" });
            }
        }
        self.item(&line)
    }

    fn crash(&mut self, dump: &Dump) -> io::Result<()> {
        let Some(crash) = &dump.crash else {
            return self.item(match dump.is_truncated {
                Some(false) => "Nothing crashed.",
                _ => "What there is of the file does not say whether anything crashed.",
            });
        };
        self.heading(2, &crash.code)?;
        let lines = [
            ("in", Some(crash.who.as_str())),
            ("at", crash.place.as_deref()),
            ("instruction", crash.instruction.as_deref()),
            ("misaligned:", crash.misaligned.as_deref()),
            ("hung:", crash.hung.as_deref()),
            ("IRQL", crash.irql.as_deref()),
            ("probably", crash.why.as_deref()),
            ("parameters", Some(crash.parameters.as_str()).filter(|text| !text.is_empty())),
            ("bucket", Some(crash.bucket.as_str())),
        ];
        for (name, text) in lines {
            if let Some(text) = text {
                self.item(&format!("{name} {text}"))?;
            }
        }
        if !crash.stack.is_empty() {
            self.heading(2, "Stack, innermost first; ? is a guess")?;
        }
        for frame in &crash.stack {
            self.item(frame)?;
        }
        Ok(())
    }

    fn told(&mut self, title: &str, told: &[Told]) -> io::Result<()> {
        if !told.is_empty() {
            self.heading(2, title)?;
        }
        for told in told {
            let more = if told.more > 0 { format!(" ({} more like it)", told.more) } else { String::new() };
            let finding = &told.finding;
            let line = format!(
                "{} [{}]: {}: {}{more}",
                told.title, finding.strength, finding.subject, finding.reading
            );
            self.item(&line)?;
        }
        Ok(())
    }
}

fn as_json(reading: &Reading, records: &BTreeMap<String, String>) -> Value {
    let bucket = |bucket: &analyze::Bucket| {
        json!({"bucket": bucket.bucket, "dumps": bucket.dumps.parse::<u64>().ok(), "name": bucket.name,
            "culprit": bucket.culprit})
    };
    let dump = |dump: &Dump| dump_json(dump, records.get(&dump.dump_id));
    json!({
        "buckets": reading.buckets.iter().map(bucket).collect::<Vec<_>>(),
        "dumps": reading.dumps.iter().map(dump).collect::<Vec<_>>(),
    })
}

/// The record of a dump with what was found in it.
fn dump_json(dump: &Dump, record: Option<&String>) -> Value {
    let told = |told: &Told| {
        let mut value = finding_json(&told.finding);
        value["pattern"] = json!(told.title);
        value["name"] = json!(told.name);
        value["more"] = json!(told.more);
        value
    };
    let undecidable = |(why, what): &(String, Vec<String>)| json!({"why": why, "missing": what});
    let mut value: Value = record.and_then(|record| serde_json::from_str(record).ok()).unwrap_or(json!({}));
    if let Some(culprit) = value.pointer_mut("/crash/culprit").filter(|culprit| culprit.is_object()) {
        culprit["reading"] = json!(analyze::rule_text(culprit["rule"].as_str().unwrap_or_default()));
    }
    // What the text says the thread did, where no instruction is known.
    if let (Some(crash), Some(of_text)) = (value.get_mut("crash").filter(|c| c.is_object()), &dump.crash) {
        crash["at"] = json!(of_text.place);
    }
    value["dump_id"] = json!(dump.dump_id);
    value["path"] = json!(dump.path);
    value["truncated"] = json!(dump.is_truncated);
    value["why"] = dump.why.iter().map(told).collect();
    value["unusual"] = dump.unusual.iter().map(told).collect();
    value["not_decidable"] = dump.undecidable.iter().map(undecidable).collect();
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve buckets, and a dump that lacks much.
    fn reading() -> Reading {
        let bucket = |number: u32| analyze::Bucket {
            bucket: format!("b{number}"),
            dumps: "1".into(),
            name: String::new(),
            culprit: String::new(),
        };
        let missing = (0..60).map(|number| format!("a thing that is missing, number {number:02}")).collect();
        let dump = Dump {
            dump_id: "d1".into(),
            path: "x.dmp".into(),
            what: "kernel triage".into(),
            crash: None,
            is_truncated: Some(false),
            why: Vec::new(),
            unusual: Vec::new(),
            undecidable: vec![("it is small".into(), missing)],
        };
        Reading { buckets: (0..12).map(bucket).collect(), dumps: vec![dump], errors: Vec::new() }
    }

    #[test]
    fn what_is_left_out_is_said_and_nothing_is_cut() {
        for markdown in [false, true] {
            let mut out = Vec::new();
            Page { out: &mut out, markdown }.reading(&reading(), 20).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("and 2 buckets more"), "{text}");
            assert!(text.contains("1 x b9") && !text.contains("1 x b10"), "{text}");
            assert!((0..60).all(|number| text.contains(&format!("number {number:02}"))), "{text}");
            assert!(!text.contains("..."), "{text}");
            // A line that goes on in the next would be another item of Markdown's list.
            let lines = text.lines().filter(|line| line.contains("number ")).count();
            assert_eq!(lines == 1, markdown, "{text}");
            let mut out = Vec::new();
            Page { out: &mut out, markdown }.reading(&reading(), usize::MAX).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("1 x b11") && !text.contains("buckets more"), "{text}");
        }
    }
}
