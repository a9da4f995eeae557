//! Runs the catalogue over a lake or one of its dumps.

use super::{CATALOGUE, Pattern};
use crate::error::{Error, Result};
use crate::lake;
use crate::path::quote;
use crate::sql::Session;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What to run, and over what.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These dumps only, by their ids; empty for all.
    pub dumps: Vec<String>,
    /// These patterns only, by file name or title; empty for all.
    pub only: Vec<String>,
    /// Findings to keep for each pattern and dump; the rest is counted.
    pub rows: usize,
}

/// One finding of a pattern.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The dump.
    pub dump_id: String,
    /// Kind of what it was found in or about, such as `thread` or `pool block`.
    pub subject_kind: String,
    /// What it was found in or about. Comes from the dump.
    pub subject: String,
    /// Its address.
    pub address: Option<u64>,
    /// What speaks for it: one JSON object. Comes from the dump.
    pub evidence: String,
    /// One sentence. Parts of it come from the dump.
    pub reading: String,
    /// `certain`, `strong` or `weak`.
    pub strength: String,
    /// Findings that this pattern has in this dump, those that were not kept included.
    pub of: u64,
}

/// What became of a pattern.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The pattern.
    pub pattern: Pattern,
    /// What was found, the strongest first in each dump.
    pub findings: Vec<Finding>,
    /// All findings, also those that were not kept.
    pub total: u64,
    /// Dumps in which it was looked for and not found.
    pub not_found: Vec<String>,
    /// Dumps in which it was not found and could not be, with the reason.
    pub undecidable: Vec<(String, String)>,
    /// Why it could not run, where it could not: a table of the lake cannot be read.
    pub error: Option<String>,
}

/// Runs the selected patterns.
///
/// # Errors
/// The lake has no such dump, or there is no such pattern. A pattern that fails is an [`Outcome`] with an error: a
/// damaged table must not cost the others.
pub fn run(session: &Session, selection: &Selection) -> Result<Vec<Outcome>> {
    let patterns = chosen(&selection.only)?;
    let only = &selection.dumps;
    let dump = if let [dump] = &only[..] { Some(dump.as_str()) } else { None };
    let alone = session.of_dump_if_readable(dump);
    let near = alone.as_ref().unwrap_or(session);
    let (dumps, mut lacks) = (dumps(near, only)?, lacks(near, only)?);
    if dump.is_some_and(|dump| lake::has_other(session.root(), dump)) {
        lacks.remove("several_dumps"); // a dump alone does not see the others
    }
    let outcome = |[near, whole]: &[Session; 2], pattern: Pattern| {
        let session = if pattern.compares_dumps() { whole } else { near };
        outcome(session, pattern, selection, &dumps, &lacks)
    };
    side_by_side([near, session], &patterns, &outcome)
}

/// The outcomes of patterns, in their order. Several are asked at once: what takes the time is to plan each query, which
/// DuckDB does with one processor.
fn side_by_side(
    [near, whole]: [&Session; 2],
    patterns: &[Pattern],
    outcome: &(dyn Fn(&[Session; 2], Pattern) -> Outcome + Sync),
) -> Result<Vec<Outcome>> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(patterns.len());
    let sessions = (0..workers).map(|_| Ok([near.another()?, whole.another()?]));
    let sessions = sessions.collect::<Result<Vec<_>>>()?;
    let next = AtomicUsize::new(0);
    let work = |sessions: [Session; 2]| {
        let taken = std::iter::from_fn(|| {
            let at = next.fetch_add(1, Ordering::Relaxed);
            Some((at, *patterns.get(at)?))
        });
        taken.map(|(at, pattern)| (at, outcome(&sessions, pattern))).collect::<Vec<_>>()
    };
    let mut outcomes: Vec<(usize, Outcome)> = thread::scope(|scope| {
        let running: Vec<_> = sessions.into_iter().map(|own| scope.spawn(|| work(own))).collect();
        running.into_iter().flat_map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    outcomes.sort_by_key(|(at, _)| *at);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

fn chosen(only: &[String]) -> Result<Vec<Pattern>> {
    if only.is_empty() {
        return Ok(CATALOGUE.to_vec());
    }
    let find = |word: &String| {
        let same = |pattern: &&Pattern| {
            pattern.name.eq_ignore_ascii_case(word) || pattern.title().eq_ignore_ascii_case(word)
        };
        let found = CATALOGUE.iter().find(same).copied();
        found.ok_or_else(|| {
            Error::Refused(format!("there is no pattern `{word}`; PATTERNS.md and --list name them"))
        })
    };
    only.iter().map(find).collect()
}

/// Ids of the dumps that are looked at.
fn dumps(session: &Session, only: &[String]) -> Result<Vec<String>> {
    let found = column(session.texts(&format!("SELECT dump_id FROM dumps{} ORDER BY 1", of(only)))?);
    match only.iter().find(|dump| !found.contains(dump)) {
        Some(dump) => Err(Error::Refused(format!("the lake has no dump `{dump}`"))),
        None => Ok(found),
    }
}

/// The condition that keeps rows of some dumps.
fn of(only: &[String]) -> String {
    let ids: Vec<String> = only.iter().map(|dump| quote(dump)).collect();
    if ids.is_empty() { String::new() } else { format!(" WHERE dump_id IN ({})", ids.join(", ")) }
}

fn column(rows: Vec<Vec<Option<String>>>) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
}

/// Reason by need and dump.
type Lacks = BTreeMap<String, BTreeMap<String, String>>;

fn lacks(session: &Session, only: &[String]) -> Result<Lacks> {
    let mut lacks = Lacks::new();
    for row in session.texts(&format!("SELECT need, dump_id, reason FROM dump_lacks{}", of(only)))? {
        if let [Some(need), Some(dump), Some(reason)] = &row[..] {
            lacks.entry(need.clone()).or_default().insert(dump.clone(), reason.clone());
        }
    }
    Ok(lacks)
}

fn outcome(
    session: &Session,
    pattern: Pattern,
    chosen: &Selection,
    dumps: &[String],
    lacks: &Lacks,
) -> Outcome {
    let (findings, error) = match findings(session, pattern, chosen) {
        Ok(findings) => (findings, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let mut outcome =
        Outcome { pattern, findings, total: 0, not_found: Vec::new(), undecidable: Vec::new(), error };
    let counts: BTreeMap<&str, u64> = outcome.findings.iter().map(|f| (f.dump_id.as_str(), f.of)).collect();
    outcome.total = counts.values().sum();
    if outcome.error.is_some() {
        return outcome;
    }
    let needs = pattern.needs();
    for dump in dumps.iter().filter(|dump| !counts.contains_key(dump.as_str())) {
        let reasons: BTreeSet<&str> =
            needs.iter().filter_map(|need| lacks.get(need)?.get(dump)).map(String::as_str).collect();
        match reasons.is_empty() {
            true => outcome.not_found.push(dump.clone()),
            false => {
                let reasons: Vec<&str> = reasons.into_iter().collect();
                outcome.undecidable.push((dump.clone(), reasons.join("; ")));
            }
        }
    }
    outcome
}

fn findings(session: &Session, pattern: Pattern, chosen: &Selection) -> Result<Vec<Finding>> {
    let rank = "CASE strength WHEN 'certain' THEN 0 WHEN 'strong' THEN 1 ELSE 2 END";
    let order = format!("{rank}, address NULLS LAST, subject_kind, subject, reading, evidence::VARCHAR");
    let sql = format!(
        "SELECT dump_id, subject_kind, subject, address::VARCHAR, evidence::VARCHAR, reading, strength,
                count(*) OVER (PARTITION BY dump_id)
         FROM ({}){}
         QUALIFY row_number() OVER (PARTITION BY dump_id ORDER BY {order}) <= {}
         ORDER BY dump_id, {order}",
        pattern.findings(),
        of(&chosen.dumps),
        chosen.rows.max(1)
    );
    Ok(session.texts(&sql)?.into_iter().filter_map(finding).collect())
}

fn finding(row: Vec<Option<String>>) -> Option<Finding> {
    let [dump_id, subject_kind, subject, address, evidence, reading, strength, of] =
        <[Option<String>; 8]>::try_from(row).ok()?;
    Some(Finding {
        dump_id: dump_id?,
        subject_kind: subject_kind.unwrap_or_default(),
        subject: subject.unwrap_or_default(),
        address: address.and_then(|address| address.parse().ok()),
        evidence: evidence.unwrap_or_else(|| "{}".to_owned()),
        reading: reading.unwrap_or_default(),
        strength: strength.unwrap_or_default(),
        of: of.and_then(|of| of.parse().ok()).unwrap_or(1),
    })
}
