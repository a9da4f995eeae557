//! `dumplake patterns`: the pattern catalogue over a lake or a dump, for people and for programs.

use crate::{Result, args, report, sql};
use queries::{
    Session, diffs,
    patterns::{self, CATALOGUE, Finding, Outcome, SECTIONS, Selection},
    safe::terminal,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// Characters of a text of a dump that are shown to people; JSON has all of them.
const SHOWN: usize = 400;

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Patterns) -> Result<u8> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let Some(lake) = args.lake.as_ref().filter(|_| !args.list) else {
        if args.json {
            list_json(&mut out)?
        } else {
            list(&mut out)?
        }
        out.flush()?;
        return Ok(0);
    };
    schema::Lake::open(lake)?; // completes what an interrupted conversion left
    let session = Session::open(lake)?;
    sql::warn_of_left_out(&session);
    let selection = Selection {
        dumps: diffs::resolve(&session, &args.dump)?,
        only: args.only.clone(),
        rows: args.rows as usize,
    };
    let outcomes = patterns::run(&session, &selection)?;
    match args.json {
        true => print_json(&outcomes, &mut out)?,
        false => print_text(&outcomes, &mut out)?,
    }
    out.flush()?;
    for outcome in &outcomes {
        if let Some(error) = &outcome.error {
            eprintln!("{} could not run: {error}", outcome.pattern.name);
        }
    }
    let failed = outcomes.iter().any(|outcome| outcome.error.is_some()) || !session.left_out().is_empty();
    Ok(u8::from(failed))
}

/// Id of the dump that a user names.
pub fn one_dump(session: &Session, name: Option<&str>) -> Result<Option<String>> {
    let Some(name) = name else { return Ok(None) };
    Ok(diffs::resolve(session, &[name.to_owned()])?.pop())
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    for (letter, section) in SECTIONS {
        writeln!(out, "{letter}. {section}")?;
        for pattern in CATALOGUE.iter().filter(|pattern| pattern.section() == letter) {
            writeln!(out, "  {:28} {}: {}", pattern.name, pattern.title(), pattern.question())?;
        }
    }
    Ok(())
}

fn list_json(out: &mut dyn Write) -> io::Result<()> {
    for (at, pattern) in CATALOGUE.iter().enumerate() {
        let object = json!({
            "pattern": pattern.name,
            "title": pattern.title(),
            "section": pattern.section(),
            "question": pattern.question(),
            "needs": pattern.needs(),
        });
        writeln!(out, "{}{}", if at == 0 { "[" } else { "," }, report::json_text(object))?;
    }
    writeln!(out, "]")
}

fn print_text(outcomes: &[Outcome], out: &mut dyn Write) -> io::Result<()> {
    for (letter, section) in SECTIONS {
        let found = outcomes.iter().filter(|o| o.pattern.section() == letter && o.total > 0);
        for (at, outcome) in found.enumerate() {
            if at == 0 {
                writeln!(out, "{letter}. {section}")?;
            }
            found_text(outcome, out)?;
        }
    }
    not_found_text(outcomes, out)?;
    undecidable_text(outcomes, out)
}

fn found_text(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n  {} ({})", outcome.pattern.title(), outcome.pattern.name)?;
    for dump in outcome.findings.chunk_by(|a, b| a.dump_id == b.dump_id) {
        for finding in dump {
            finding_text(finding, out)?;
        }
        let rest = dump.first().map_or(0, |first| first.of).saturating_sub(dump.len() as u64);
        if rest > 0 {
            writeln!(out, "    {} ... and {rest} more (--rows)", dump[0].dump_id)?;
        }
    }
    writeln!(out)
}

fn finding_text(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let address = finding.address.map(|address| format!(" at {address:#x}")).unwrap_or_default();
    writeln!(
        out,
        "    {} {:7} {} {}{address}: {}\n      {}",
        finding.dump_id,
        finding.strength,
        finding.subject_kind,
        clipped(&finding.subject),
        clipped(&finding.reading),
        clipped(&finding.evidence)
    )
}

/// Safe for a terminal, and not longer than a reader can bear.
pub fn clipped(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() {
        short.push_str("...");
    }
    terminal(&short).into_owned()
}

fn not_found_text(outcomes: &[Outcome], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Looked for and not found:")?;
    let mut none = true;
    for outcome in outcomes.iter().filter(|outcome| !outcome.not_found.is_empty()) {
        let dumps = outcome.not_found.len();
        none = false;
        writeln!(out, "  {:28} in {dumps} dump{}", outcome.pattern.name, if dumps == 1 { "" } else { "s" })?;
    }
    if none { writeln!(out, "  nothing") } else { Ok(()) }
}

fn undecidable_text(outcomes: &[Outcome], out: &mut dyn Write) -> io::Result<()> {
    let mut reasons: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for outcome in outcomes {
        for (_, reason) in &outcome.undecidable {
            *reasons.entry(reason).or_default().entry(outcome.pattern.name).or_default() += 1;
        }
    }
    if !reasons.is_empty() {
        writeln!(out, "\nNot decidable, because a dump does not hold")?;
    }
    for (reason, patterns) in reasons {
        let dumps = patterns.values().max().copied().unwrap_or(0);
        let names: Vec<&str> = patterns.into_keys().collect();
        writeln!(out, "  {reason} ({dumps} dump{})", if dumps == 1 { "" } else { "s" })?;
        writeln!(out, "      {}", names.join(", "))?;
    }
    Ok(())
}

fn print_json(outcomes: &[Outcome], out: &mut dyn Write) -> Result<()> {
    for (at, outcome) in outcomes.iter().enumerate() {
        let text = report::json_text(outcome_json(outcome));
        writeln!(out, "{}{text}", if at == 0 { "[" } else { "," })?;
    }
    writeln!(out, "{}]", if outcomes.is_empty() { "[" } else { "" })?;
    Ok(())
}

fn outcome_json(outcome: &Outcome) -> Value {
    let reason = |(dump, reason): &(String, String)| json!({"dump_id": dump, "reason": reason});
    json!({
        "pattern": outcome.pattern.name,
        "title": outcome.pattern.title(),
        "section": outcome.pattern.section(),
        "question": outcome.pattern.question(),
        "found": outcome.total,
        "findings": outcome.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "not_found": outcome.not_found,
        "not_decidable": outcome.undecidable.iter().map(reason).collect::<Vec<_>>(),
        "error": outcome.error,
    })
}

pub fn finding_json(finding: &Finding) -> Value {
    let evidence = report::parsed(&finding.evidence).unwrap_or(Value::Null);
    json!({
        "dump_id": finding.dump_id,
        "subject_kind": finding.subject_kind,
        "subject": finding.subject,
        "address": finding.address.map(|address| format!("{address:#018x}")),
        "evidence": evidence,
        "reading": finding.reading,
        "strength": finding.strength,
    })
}
