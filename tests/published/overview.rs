//! The table of all files in the README beside the real dumps.

use super::{Real, check_cells, hex, real};
use serde_json::{Value, json};

/// A line of the table, cell by cell.
struct Line<'a> {
    file: &'a str,
    kind: &'a str,
    architecture: &'a str,
    build: &'a str,
    processors: &'a str,
    reason: &'a str,
    bytes: &'a str,
    facts: &'a str,
}

fn lines(readme: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    for line in readme.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [file, kind, architecture, build, processors, reason, bytes, facts] = cells[..] else {
            panic!("{} cells in {line}", cells.len());
        };
        if file != "file" {
            found.push(Line { file, kind, architecture, build, processors, reason, bytes, facts });
        }
    }
    found
}

/// The number in front of whatever follows.
fn number(text: &str) -> u64 {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(text.len());
    text[..end].replace(',', "").parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn every_file_is_what_the_readme_beside_it_says() {
    let Some(real) = real("README of the dumps") else { return };
    let readme = real.read("README.md");
    let lines = lines(&readme);
    assert_eq!(lines.len(), real.runs[0].1.len(), "every dump has a line");
    for line in lines {
        assert_eq!(real.outcome(line.file)["bytes"], json!(number(line.bytes)), "{}", line.file);
        if !line.file.starts_with("malformed/") {
            check_cells(line.file, &real.dump(line.file), &cells(&line));
            check_exceptions(real, &line);
            check_facts(real, &line);
        } else if real.outcome(line.file)["status"] != "failed" {
            assert!(line.facts.starts_with("valid but tiny"), "{} was converted", line.file);
        }
    }
}

/// What the line says about columns of `dumps`.
fn cells(line: &Line<'_>) -> Vec<(&'static str, Value)> {
    let (format, dump_type) = match line.kind {
        "user minidump" => ("user minidump", None),
        "kernel triage (DumpType 4)" => ("kernel triage", Some(4)),
        kind if kind.starts_with("header of a full dump (DumpType 1") => ("kernel full", Some(1)),
        kind => panic!("{}: {kind} is new", line.file),
    };
    let architecture = line.architecture.trim_end_matches(" PAE");
    let mut cells = vec![
        ("format", json!(format)),
        ("dump_type", json!(dump_type)),
        ("architecture", json!(architecture)),
        ("processors", json!(number(line.processors))),
        ("file_size", json!(number(line.bytes))),
        ("bugcheck_code", json!(bugcheck(line))),
    ];
    if architecture != line.architecture {
        cells.push(("pae_enabled", json!(true)));
    }
    let mut version = line.build.split('.').map(number);
    match (version.next(), version.next(), version.next()) {
        (Some(major), Some(minor), Some(build)) => {
            cells.extend([("os_major", json!(major)), ("os_minor", json!(minor)), ("build", json!(build))])
        }
        (build, ..) => cells.push(("build", json!(build))),
    }
    cells
}

fn bugcheck(line: &Line<'_>) -> Option<u64> {
    match line.reason {
        "0 (live)" => Some(0),
        reason if reason.starts_with("0x") => Some(hex(reason)),
        _ => None,
    }
}

/// The exception of a user minidump.
fn check_exceptions(real: &Real, line: &Line<'_>) {
    let expected = match line.reason.strip_prefix("exception ") {
        Some(code) => vec![json!({"code": hex(code)})],
        None => Vec::new(),
    };
    let sql = "SELECT code FROM exceptions WHERE dump_id = {id} AND source = 'ExceptionStream'";
    let found: Vec<Value> = real.rows(line.file, sql).into_iter().map(Value::Object).collect();
    assert_eq!(found, expected, "{}", line.file);
}

/// What else the line says, for example `comment "…"; 4 runs, RequiredDumpSpace 17176129536`.
fn check_facts(real: &Real, line: &Line<'_>) {
    let dump = real.dump(line.file);
    if let Some((_, comment)) = line.facts.split_once("comment \"") {
        let (comment, _) = comment.split_once('"').unwrap();
        check_cells(line.file, &dump, &[("comment", json!(comment))]);
    }
    if let Some((_, space)) = line.facts.split_once("RequiredDumpSpace ") {
        check_cells(line.file, &dump, &[("required_dump_space", json!(number(space)))]);
    }
    if let Some((front, _)) = line.facts.split_once(" runs") {
        let runs = number(front.rsplit(' ').next().unwrap());
        let found = real.rows(line.file, "FROM memory_runs WHERE dump_id = {id}").len();
        assert_eq!(found as u64, runs, "{}", line.file);
    }
    if line.facts.contains("identical file to ") {
        assert_eq!(real.id("breakpad/minidump2.dmp"), real.id("rust-minidump/test.dmp"));
    }
    if line.facts.starts_with("sign-extended 32-bit exception address") {
        let address = real.rows(line.file, "SELECT address FROM exceptions WHERE dump_id = {id}");
        let whole =
            real.rows("breakpad/minidump2.dmp", "SELECT address FROM exceptions WHERE dump_id = {id}");
        assert_eq!(address, whole, "{}: the address is cut back to 32 bits", line.file);
    }
}
