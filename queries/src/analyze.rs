//! The morning read of a lake: what crashed in each dump, where, why probably, what else is unusual, and which crashes
//! are alike. All of it is asked in SQL: tables, views and the pattern catalogue.

mod record;

pub use record::records;

use crate::error::Result;
use crate::path::quote;
use crate::patterns::{self, Finding, Outcome, Selection};
use crate::sql::Session;
use std::collections::{BTreeMap, BTreeSet};

/// Frames of a stack that are shown.
const FRAMES: usize = 12;

/// Those of them that are shown of the way from a fault to the bug check.
const WAY: usize = 3;

/// Crashes, and the thread whose stack is the evidence if that is not the one that crashed: what runs on the processor that
/// hangs, where its stack is there.
const CRASHES: &str = "SELECT c.*, s.ethread AS evidence_ethread FROM crashes AS c
    LEFT JOIN stacks AS s ON s.dump_id = c.dump_id AND s.ethread = c.hung_ethread AND s.frames > 0";

/// What is said of a lake.
#[derive(Debug)]
pub struct Reading {
    /// Crashes that are alike, the most frequent first.
    pub buckets: Vec<Bucket>,
    /// Each dump, the newest first.
    pub dumps: Vec<Dump>,
    /// Patterns that could not run, with the reason.
    pub errors: Vec<(&'static str, String)>,
}

/// Crashes that are alike (view `crash_buckets`).
#[derive(Debug)]
pub struct Bucket {
    /// What they have in common.
    pub bucket: String,
    /// How many dumps it has.
    pub dumps: String,
    /// Name of the bug check or exception.
    pub name: String,
    /// Module that is probably at fault.
    pub culprit: String,
}

/// What is said of a dump.
#[derive(Debug)]
pub struct Dump {
    /// Its id.
    pub dump_id: String,
    /// Its file.
    pub path: String,
    /// What it is, in a few words.
    pub what: String,
    /// What stopped; None for a dump of a running system.
    pub crash: Option<Crash>,
    /// A part of its file is missing, with which a crash may be; `None` if damaged headers do not tell.
    pub is_truncated: Option<bool>,
    /// Patterns of crashes that speak of the cause, the strongest first.
    pub why: Vec<Told>,
    /// Patterns of memory, waiting and the system that are no everyday matter.
    pub unusual: Vec<Told>,
    /// What is not in the dump, so that patterns cannot be decided: why, and what is missing.
    pub undecidable: Vec<(String, Vec<String>)>,
}

/// A crash.
#[derive(Debug)]
pub struct Crash {
    /// Code and name.
    pub code: String,
    /// Parameters, and what they mean where Microsoft says so.
    pub parameters: String,
    /// Process and thread.
    pub who: String,
    /// The instruction at fault, or what the thread did.
    pub place: Option<String>,
    /// The instruction itself, and the address of its operand.
    pub instruction: Option<String>,
    /// The instruction within which the place lies, where that is so.
    pub misaligned: Option<String>,
    /// The processor that hangs, and whose stack is shown.
    pub hung: Option<String>,
    /// The level that the processor was at, and what says so (`crashes.irql_source`).
    pub irql: Option<String>,
    /// Who is probably at fault, and how that was judged.
    pub why: Option<String>,
    /// Its bucket.
    pub bucket: String,
    /// The first frames, innermost first; a `?` before those that are a guess.
    pub stack: Vec<String>,
}

/// A finding with name and title of its pattern.
#[derive(Debug)]
pub struct Told {
    /// The pattern's name, as its file and its table macro bear it.
    pub name: &'static str,
    /// The pattern's title.
    pub title: String,
    /// Findings of it in this dump that are not told.
    pub more: u64,
    /// What was found.
    pub finding: Finding,
}

/// Reads a lake, or one dump of it.
///
/// # Errors
/// The lake has no such dump, or the tables of dumps and crashes cannot be read.
pub fn analyze(session: &Session, dump: Option<&str>) -> Result<Reading> {
    let selection =
        Selection { dumps: dump.map(str::to_owned).into_iter().collect(), only: Vec::new(), rows: 3 };
    let outcomes = patterns::run(session, &selection)?;
    let of = dump.map(|dump| format!(" WHERE d.dump_id = {}", quote(dump))).unwrap_or_default();
    let alone = session.of_dump_if_readable(dump);
    let near = alone.as_ref().unwrap_or(session);
    let mut stacks = stacks(near, &of)?;
    let mut dumps = Vec::new();
    let crashed = DUMPS.replace("CRASHES", CRASHES);
    for row in near.texts(&format!("{crashed}{of} ORDER BY d.system_time DESC NULLS LAST, d.dump_id"))? {
        if let Some(mut dump) = dump_of(row) {
            if let Some(crash) = &mut dump.crash {
                crash.stack = stacks.remove(&dump.dump_id).unwrap_or_default();
            }
            tell(&mut dump, &outcomes);
            dumps.push(dump);
        }
    }
    let errors = outcomes.into_iter().filter_map(|o| Some((o.pattern.name, o.error?))).collect();
    Ok(Reading { buckets: buckets(session, dump.map(|_| &dumps[..]))?, dumps, errors })
}

const DUMPS: &str = "
    SELECT d.dump_id, d.path,
           concat_ws(', ', d.format, d.architecture, 'build ' || d.build,
                     strftime(d.system_time, '%Y-%m-%d %H:%M:%S') || ' UTC',
                     CASE WHEN d.bytes_missing > 0 THEN 'truncated: ' || d.bytes_missing || ' bytes are missing at least' END),
           c.bucket, concat_ws(' ', hex_code(coalesce(c.bugcheck_code, c.exception_code)),
                               coalesce(c.bugcheck_name, c.exception_name)),
           concat_ws(', ', hex_address(c.parameter1), hex_address(c.parameter2), hex_address(c.parameter3),
                     hex_address(c.parameter4)) || coalesce(' (' || c.parameter_meanings || ')', ''),
           who(c.process_name, c.process_id, c.thread_id), coalesce(c.fault_text, s.top_function, s.\"top\"),
           c.fault_instruction || coalesce(', operand at ' || hex_address(c.operand_address), ''),
           c.culprit, c.culprit_rule, c.irql || coalesce(' (' || c.irql_source || ')', ''), d.bytes_missing > 0,
           'it lies within ' || c.fault_within || ', from the middle of which nothing was to run',
           'processor ' || c.hung_processor || ' does not answer; ' || CASE
               WHEN c.evidence_ethread IS NOT NULL THEN 'the stack is that of what it runs'
               WHEN c.hung_ethread IS NOT NULL THEN 'it runs thread ' || hex_address(c.hung_ethread)
                   || ', whose stack the dump does not hold: the stack is that of the thread that noticed'
               ELSE 'the dump does not hold what it runs: the stack is that of the thread that noticed' END
    FROM dumps AS d
    LEFT JOIN (CRASHES) AS c USING (dump_id)
    LEFT JOIN stacks AS s ON s.dump_id = c.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(coalesce(c.evidence_ethread, c.ethread), c.thread_id)";

fn dump_of(row: Vec<Option<String>>) -> Option<Dump> {
    let [
        dump_id,
        path,
        what,
        bucket,
        code,
        parameters,
        who,
        place,
        instruction,
        culprit,
        rule,
        irql,
        cut,
        misaligned,
        hung,
    ] = <[Option<String>; 15]>::try_from(row).ok()?;
    let crash = bucket.map(|bucket| Crash {
        code: code.unwrap_or_default(),
        parameters: parameters.unwrap_or_default(),
        who: who.unwrap_or_default(),
        place,
        instruction,
        misaligned,
        hung,
        irql,
        why: culprit.map(|culprit| format!("{culprit}: {}", rule_text(rule.as_deref().unwrap_or_default()))),
        bucket,
        stack: Vec::new(),
    });
    Some(Dump {
        dump_id: dump_id?,
        path: path.unwrap_or_default(),
        what: what.unwrap_or_default(),
        crash,
        is_truncated: cut.map(|cut| cut == "true"),
        why: Vec::new(),
        unusual: Vec::new(),
        undecidable: Vec::new(),
    })
}

/// How a culprit was chosen (`crashes.culprit_rule`), in a sentence.
pub fn rule_text(rule: &str) -> &str {
    match rule {
        "named by the system" => "the dump itself names it",
        "request" => "its device holds the request that was not finished; it may wait for a driver below it",
        "fault" => "it holds the instruction at fault",
        "stack" => "the innermost code on the stack that is neither the kernel's nor a framework's",
        "stack, unverified" => {
            "the innermost on the stack that is neither the kernel's nor a framework's, as far as a small dump can tell"
        }
        "kernel" => "only Windows' own modules are known to be involved",
        other => other,
    }
}

/// The first frames of the thread that crashed, by dump. Where the instruction at fault lies further out (the system's way
/// from the exception to the bug check comes before it), the first of that way, and what lies from the fault on.
fn stacks(session: &Session, of: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let sql = format!(
        "WITH walked AS (
             SELECT d.dump_id, f.\"index\" AS n, CASE WHEN f.confidence = 'high' THEN '' ELSE '?' END || f.text AS text,
                    min(CASE WHEN f.ip = d.fault_ip THEN f.\"index\" END) OVER (PARTITION BY d.dump_id) AS fault
             FROM ({CRASHES}) AS d JOIN frames AS f ON f.dump_id = d.dump_id
                 AND thread_key(f.ethread, f.thread_id) = thread_key(coalesce(d.evidence_ethread, d.ethread), d.thread_id){of})
         SELECT dump_id, text, n FROM walked
         WHERE CASE WHEN fault > {FRAMES} - {WAY} THEN n < {WAY} OR n BETWEEN fault AND fault + {FRAMES} - {WAY} - 1
                    ELSE n < {FRAMES} END
         ORDER BY dump_id, n"
    );
    let mut stacks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in session.texts(&sql)? {
        if let [Some(dump), Some(text), Some(number)] = &row[..] {
            let stack = stacks.entry(dump.clone()).or_default();
            let left_out = number.parse::<usize>().unwrap_or(0).saturating_sub(stack.len());
            if left_out > 0 && stack.len() == WAY {
                stack.push(format!("... {left_out} more, then the fault:"));
            }
            stack.push(text.clone());
        }
    }
    Ok(stacks)
}

/// Adds what the patterns found in a dump: of crashes, and elsewhere. What only describes is left out, and what is weak.
fn tell(dump: &mut Dump, outcomes: &[Outcome]) {
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for outcome in outcomes {
        let undecidable = outcome.undecidable.iter().filter(|(id, _)| *id == dump.dump_id);
        for (what, why) in undecidable.flat_map(|(_, all)| all.split("; ")).filter_map(|r| r.split_once(": "))
        {
            reasons.entry(why).or_default().insert(what);
        }
        let here = |finding: &&Finding| finding.dump_id == dump.dump_id && finding.strength != "weak";
        let Some(finding) = outcome.findings.iter().find(here) else { continue };
        if outcome.pattern.is_context() {
            continue;
        }
        let more = finding.of.saturating_sub(1);
        let told = Told {
            name: outcome.pattern.name,
            title: outcome.pattern.title(),
            more,
            finding: finding.clone(),
        };
        let part = if outcome.pattern.section() == "A" { &mut dump.why } else { &mut dump.unusual };
        part.push(told);
    }
    for part in [&mut dump.why, &mut dump.unusual] {
        part.sort_by_key(|told| told.finding.strength != "certain");
    }
    let owned = |what: BTreeSet<&str>| what.into_iter().map(str::to_owned).collect();
    dump.undecidable = reasons.into_iter().map(|(why, what)| (why.to_owned(), owned(what))).collect();
}

/// All buckets of a lake, or those of some dumps.
fn buckets(session: &Session, dumps: Option<&[Dump]>) -> Result<Vec<Bucket>> {
    let crashes = |dumps: &[Dump]| {
        let names: Vec<String> =
            dumps.iter().filter_map(|d| Some(quote(&d.crash.as_ref()?.bucket))).collect();
        if names.is_empty() {
            " WHERE false".into()
        } else {
            format!(" WHERE bucket IN ({})", names.join(", "))
        }
    };
    let of = dumps.map(crashes).unwrap_or_default();
    let sql =
        format!("SELECT bucket, dumps, name, culprit FROM crash_buckets{of} ORDER BY dumps DESC, bucket");
    let bucket = |row: Vec<Option<String>>| {
        let [bucket, dumps, name, culprit] = <[Option<String>; 4]>::try_from(row).ok()?;
        let text = Option::unwrap_or_default;
        Some(Bucket { bucket: text(bucket), dumps: text(dumps), name: text(name), culprit: text(culprit) })
    };
    Ok(session.texts(&sql)?.into_iter().filter_map(bucket).collect())
}
