//! The catalogue itself: headers that are true, one form of findings, and dumps that cannot decide.

use super::*;
use crate::patterns::{SECTIONS, manual};

#[test]
fn every_pattern_runs_on_an_empty_lake_and_finds_nothing() {
    let lake = Lake::empty();
    for outcome in run(&lake.session(), &Selection::default()).unwrap() {
        let name = outcome.pattern.name;
        assert_eq!((outcome.error, outcome.total), (None, 0), "{name}");
        assert!(outcome.not_found.is_empty() && outcome.undecidable.is_empty(), "{name}");
    }
}

#[test]
fn every_header_is_whole_and_true() {
    let needs = csv(&Lake::empty().session(), "SELECT 1"); // the session makes the views
    assert_eq!(needs, "1");
    let view = include_str!("../../../views/dump_lacks.sql");
    let views: Vec<&str> = crate::views::LIBRARY.iter().map(|view| view.name).collect();
    for pattern in CATALOGUE {
        let name = pattern.name;
        assert!(!pattern.title().is_empty(), "{name}");
        assert!(
            SECTIONS.iter().any(|(letter, _)| *letter == pattern.section()),
            "{name}: {}",
            pattern.section()
        );
        assert!(pattern.question().ends_with('?'), "{name}: {}", pattern.question());
        assert!(pattern.reading().ends_with('.') && pattern.limits().ends_with('.'), "{name}");
        for need in pattern.needs() {
            assert!(view.contains(&format!("('{need}', ")), "{name} needs {need}, which nothing tells");
        }
        let reads = pattern.tables();
        assert!(!reads.is_empty(), "{name}");
        for table in &reads {
            assert!(tables::all().iter().any(|known| known.name == table), "{name} names {table}");
        }
        let sql = pattern.query();
        for table in tables::all() {
            let read = ["FROM", "JOIN"].iter().any(|word| {
                sql.match_indices(&format!("{word} {}", table.name)).any(|(at, found)| {
                    !sql[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            });
            let own = sql.contains(&format!("{} AS (", table.name)) || views.contains(&table.name);
            assert!(
                !read || own || reads.iter().any(|named| named == table.name),
                "{name} hides {}",
                table.name
            );
        }
    }
}

#[test]
fn every_file_of_the_folder_is_in_the_catalogue_by_section() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut names: Vec<&str> = CATALOGUE.iter().map(|pattern| pattern.name).collect();
    let sections: Vec<String> = CATALOGUE.iter().map(|pattern| pattern.section()).collect();
    assert!(sections.is_sorted(), "{sections:?}");
    files.sort();
    names.sort_unstable();
    assert_eq!(files, names);
    for pattern in CATALOGUE {
        assert!(
            manual().contains(&format!("### {} (`{}`)", pattern.title(), pattern.name)),
            "{}",
            pattern.name
        );
    }
}

#[test]
fn a_dump_without_the_memory_is_not_decidable_and_says_why() {
    let lake = Lake::empty();
    let kind = |format: &'static str, bytes: &'static str| [("format", format), ("bytes_present", bytes)];
    lake.put("dumps", FIRST, &[&kind("'kernel triage'", "4096")]);
    lake.put("dumps", SECOND, &[&kind("'user minidump'", "4096")]);
    lake.put("dumps", THIRD, &[&kind("'kernel full'", "0")]);
    let truncated = outcome(&lake, "truncated_stack_trace");
    let reasons: Vec<(&str, &str)> =
        truncated.undecidable.iter().map(|(dump, why)| (dump.as_str(), why.as_str())).collect();
    let expected = [
        (FIRST, "the stacks of all threads: a small dump holds little memory"),
        (THIRD, "the stacks of all threads: the file holds headers and no memory"),
        (SECOND, "the stacks of all threads: a dump of one process, without the kernel"),
    ];
    assert_eq!(reasons, expected);
    assert!(truncated.not_found.is_empty());
}

#[test]
fn a_finding_counts_although_the_dump_cannot_decide_more() {
    let lake = kernel_dumps();
    lake.put("stacks", FIRST, &[&[("frames", "3"), ("end_reason", "'lost'"), ("ethread", "4096")]]);
    let truncated = outcome(&lake, "truncated_stack_trace");
    assert_eq!((truncated.total, truncated.undecidable.len()), (1, 2));
}

#[test]
fn findings_are_capped_and_counted_for_each_dump() {
    let lake = kernel_dumps();
    let row = |at: &'static str| [("ethread", at), ("frames", "3"), ("end_reason", "'lost'")];
    lake.put("stacks", FIRST, &[&row("1"), &row("2"), &row("3"), &row("4")]);
    let selection =
        Selection { only: vec!["Truncated Stack Trace".to_owned()], rows: 2, ..Selection::default() };
    let outcome = run(&lake.session(), &selection).unwrap().remove(0);
    let of: Vec<u64> = outcome.findings.iter().map(|finding| finding.of).collect();
    assert_eq!((outcome.total, of), (4, vec![4, 4]));
}

#[test]
fn one_dump_can_be_asked_alone_and_a_wrong_name_is_refused() {
    let lake = pair(
        "stacks",
        &[("ethread", "1"), ("frames", "3"), ("end_reason", "'lost'")],
        &[("ethread", "2"), ("frames", "3"), ("end_reason", "'lost'")],
    );
    let several = |dumps: &[&str], only: &str| Selection {
        dumps: dumps.iter().map(|dump| (*dump).to_owned()).collect(),
        only: vec![only.to_owned()],
        rows: 5,
    };
    let select = |dump: &str, only: &str| several(&[dump], only);
    let session = lake.session();
    let outcome = run(&session, &select(SECOND, "truncated_stack_trace")).unwrap().remove(0);
    assert_eq!(outcome.findings.iter().map(|f| f.address).collect::<Vec<_>>(), [Some(2)]);
    assert!(outcome.not_found.is_empty() && outcome.undecidable.is_empty());
    assert!(run(&session, &select("d1'; DROP TABLE x", "deadlock")).is_err());
    assert!(run(&session, &select(FIRST, "no such pattern")).is_err());
    // The same of several.
    lake.put("dumps", THIRD, &[&[("format", "'complete'")]]);
    lake.put("stacks", THIRD, &[&[("ethread", "3"), ("frames", "3"), ("end_reason", "'lost'")]]);
    let session = lake.session();
    let outcome = run(&session, &several(&[THIRD, FIRST], "truncated_stack_trace")).unwrap().remove(0);
    assert_eq!(outcome.findings.iter().map(|f| f.address).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert_eq!(outcome.total, 2);
    let wrong = run(&session, &several(&[FIRST, "d1"], "deadlock")).unwrap_err().to_string();
    assert!(wrong.contains("no dump `d1`"), "{wrong}");
}

#[test]
fn patterns_are_table_macros_in_sql() {
    let lake = pair(
        "stacks",
        &[("ethread", "1"), ("frames", "3"), ("end_reason", "'lost'")],
        &[("ethread", "2"), ("frames", "3"), ("end_reason", "'thread start'")],
    );
    assert_eq!(
        lake.csv("SELECT pattern, dump_id FROM pattern_truncated_stack_trace()"),
        "truncated_stack_trace,d0000000000000001"
    );
    let sql = "SELECT count(*) FROM patterns() WHERE pattern = 'truncated_stack_trace'";
    assert_eq!(lake.csv(sql), "1");
}

/// What a hostile dump writes stays text: SQL, escapes and JSON.
#[test]
fn names_of_a_dump_are_only_text() {
    let lake = kernel_dumps();
    let name = "'x'''';\"}],\\\u{1b}[2J\u{202e}--.exe'";
    lake.put(
        "processes",
        FIRST,
        &[&[("process_id", "8"), ("name", name), ("freeze_count", "1"), ("source", "'x'")]],
    );
    let finding = found(&lake, "frozen_process").remove(0);
    assert_eq!(finding.subject, "x'';\"}],\\\u{1b}[2J\u{202e}--.exe 8");
    let lake = kernel_dumps();
    lake.put(
        "irps",
        FIRST,
        &[&[
            ("irp", "64"),
            ("ethread", "1"),
            ("stack_count", "2"),
            ("current_location", "1"),
            ("pending", "true"),
            ("file_name", name),
        ]],
    );
    let finding = found(&lake, "blocking_file").remove(0);
    let sql = format!("SELECT json_valid({0}), {0}::JSON->>'file'", quote(&finding.evidence));
    let answer = lake.csv(&sql);
    assert!(answer.starts_with("true,") && answer.contains("--.exe"), "{answer:?}");
}
