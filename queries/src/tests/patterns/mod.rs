//! The pattern catalogue: every pattern has rows that show it and a near miss that must not.
//!
//! These are row scenarios: a few cells of a lake, written as Parquet. What real conversions show is in `tests/patterns`.

mod crash;
mod headers;
mod memory;
mod stacks;
mod system;
mod waiting;

use super::*;
use crate::patterns::{CATALOGUE, Finding, Outcome, Selection, run};

/// A third dump.
pub const THIRD: &str = "d0000000000000003";

/// Cells of a row.
pub type Cells<'a> = &'a [(&'a str, &'a str)];

/// What became of a pattern.
pub fn outcome(lake: &Lake, pattern: &str) -> Outcome {
    let selection = Selection { only: vec![pattern.to_owned()], rows: 50, ..Selection::default() };
    let outcome = run(&lake.session(), &selection).unwrap().remove(0);
    assert_eq!(outcome.error, None, "{pattern}");
    let mut dumps: Vec<&str> = outcome.findings.iter().map(|finding| finding.dump_id.as_str()).collect();
    dumps.push(FIRST);
    dumps.dedup();
    for dump in dumps.into_iter().filter(|dump| crate::lake::has_dump(&lake.path, dump)) {
        alone(lake, pattern, dump, &outcome);
    }
    for finding in &outcome.findings {
        assert!(finding.evidence.starts_with('{') && finding.evidence.len() > 4, "{pattern}: {finding:?}");
        assert!(finding.reading.ends_with('.'), "{pattern}: {finding:?}");
        assert!(["certain", "strong", "weak"].contains(&finding.strength.as_str()), "{pattern}: {finding:?}");
    }
    outcome
}

/// Checks that the run over one dump says of it what the run over all dumps says: a pattern that looks at others has to
/// have `Scope: lake`.
fn alone(lake: &Lake, pattern: &str, dump: &str, all: &Outcome) {
    let selection = Selection { dumps: vec![dump.into()], only: vec![pattern.to_owned()], rows: 50 };
    let one = run(&lake.session(), &selection).unwrap().remove(0);
    let told = |outcome: &Outcome| {
        let findings = outcome.findings.iter().filter(|finding| finding.dump_id == dump);
        let findings: Vec<String> = findings.map(|finding| format!("{finding:?}")).collect();
        let undecidable: Vec<_> = outcome.undecidable.iter().filter(|it| it.0 == dump).cloned().collect();
        (findings, outcome.not_found.iter().any(|id| id == dump), undecidable)
    };
    assert_eq!(told(&one), told(all), "{pattern} over {dump} alone: {:?}", one.error);
}

/// Its findings.
pub fn found(lake: &Lake, pattern: &str) -> Vec<Finding> {
    outcome(lake, pattern).findings
}

/// Dump, subject and strength of each of its findings.
pub fn subjects(lake: &Lake, pattern: &str) -> Vec<(String, String, String)> {
    found(lake, pattern).into_iter().map(|f| (f.dump_id, f.subject, f.strength)).collect()
}

/// Checks that a pattern finds exactly these subjects in [`FIRST`], with their strength, and nothing elsewhere.
pub fn only(lake: &Lake, pattern: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(subject, strength)| (FIRST.to_owned(), (*subject).to_owned(), (*strength).to_owned()))
        .collect();
    assert_eq!(subjects(lake, pattern), expected, "{pattern}");
}

/// A lake with three kernel dumps, which hold nothing but their rows.
pub fn kernel_dumps() -> Lake {
    let lake = Lake::empty();
    for id in [FIRST, SECOND, THIRD] {
        let kind: Cells<'_> =
            &[("format", "'kernel bitmap'"), ("architecture", "'x64'"), ("bytes_present", "4096")];
        lake.put("dumps", id, &[kind]);
    }
    lake
}

/// Puts a row into the first dump, and one into the second: the near miss.
pub fn pair(table: &str, shows: Cells<'_>, near_miss: Cells<'_>) -> Lake {
    let lake = kernel_dumps();
    lake.put(table, FIRST, &[shows]);
    lake.put(table, SECOND, &[near_miss]);
    lake
}
