//! The program as its user meets it: help, exit codes, JSON, what is skipped, what is refused.

mod inputs;
mod large;
mod output;
mod scripts;
mod symbols;

use crate::{
    ask::{Ask, Ran, dumplake, dumplake_in},
    support::{busy_machine, scratch},
};
use fixtures::{Arch, Family, Format};
use std::path::{Path, PathBuf};

/// A folder with two dumps, an empty one and a text; returns it.
fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    let dumps = folder.join("dumps");
    for (place, arch) in [("one", Arch::X64), ("two", Arch::Arm64)] {
        std::fs::create_dir_all(dumps.join(place)).unwrap();
        busy_machine(arch).dump(Format::Triage(Family::B)).write_to(&dumps.join(place)).unwrap();
    }
    std::fs::write(dumps.join("notes.txt"), "no dump").unwrap();
    folder
}

fn convert(folder: &Path, more: &[&str]) -> Ran {
    dumplake_in(folder, &[&["convert", "dumps", "-o", "lake"], more].concat())
}

#[test]
fn every_help_text_shows_examples() {
    for command in [
        &["--help"][..],
        &["convert", "--help"],
        &["info", "--help"],
        &["sql", "--help"],
        &["demo", "--help"],
    ] {
        let help = dumplake(command);
        assert_eq!(help.code, 0);
        assert!(help.out.contains("Examples:"), "{command:?}");
    }
}

#[test]
fn all_well_is_0_and_quiet() {
    let folder = folder("cli all well");
    let first = convert(&folder, &[]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert_eq!(first.out.lines().filter(|line| line.starts_with("converted")).count(), 2);
    assert!(!first.err.contains('\r') && !first.err.contains('\u{1b}'), "no progress without a terminal");
    let again = convert(&folder, &[]);
    assert_eq!((again.code, again.out.matches("skipped").count()), (0, 2));
    let forced = convert(&folder, &["--force"]);
    assert_eq!((forced.code, forced.out.matches("converted").count()), (0, 2));
}

#[test]
fn some_failed_is_1_and_names_them() {
    let folder = folder("cli some failed");
    std::fs::write(folder.join("dumps/empty.dmp"), "").unwrap();
    std::fs::write(folder.join("dumps/garbage.dmp"), b"MDMPxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx").unwrap();
    let run = convert(&folder, &[]);
    assert_eq!(run.code, 1);
    assert_eq!(run.out.matches("converted").count(), 2, "one bad file never stops a batch");
    let failed: Vec<&str> = run.err.lines().filter(|line| line.starts_with("failed")).collect();
    assert_eq!(failed.len(), 2, "one line each: {}", run.err);
    assert!(failed[0].contains("empty.dmp") && failed[0].contains("an empty file"));
}

#[test]
fn nothing_done_is_2() {
    let folder = scratch("cli nothing");
    std::fs::create_dir(folder.join("empty")).unwrap();
    std::fs::create_dir(folder.join("other")).unwrap();
    std::fs::write(folder.join("other/mine.txt"), "mine").unwrap();
    let check = |args: &[&str], says: &str| {
        let run = dumplake_in(&folder, args);
        assert_eq!(run.code, 2, "{args:?}: {}", run.err);
        assert!(run.err.contains(says), "{args:?}: {}", run.err);
    };
    check(&["convert", "absent.dmp", "-o", "lake"], "no such file");
    check(&["convert", "empty", "-o", "lake/deep"], "no dumps found");
    check(&["convert", "other/mine.txt", "-o", "lake"], "mine.txt");
    check(&["convert", "*.nothing", "-o", "lake"], "no file matches");
    check(&["convert", "empty", "-o", "other"], "not a lake");
    check(&["convert", "empty", "-o", "lake", "--tables", "nonsense"], "the tables are dumps, faults");
    check(&["sql", "other", "SELECT 1"], "lake");
    check(&["info", "absent.dmp"], "absent.dmp");
    check(&["info", "other/mine.txt", "--format", "nope"], "for '--format <NAME>': the formats are kernel");
    check(&["convert", "empty", "-o", "lake", "--format", "nope"], "the formats are kernel");
    assert!(!folder.join("lake").exists(), "nothing was converted, and no lake is left");
    assert!(folder.join("empty").exists());
    assert_eq!(std::fs::read(folder.join("other/mine.txt")).unwrap(), b"mine");
}

/// What was there before stays: a folder that the user made, a lake with dumps in it.
#[test]
fn a_failure_removes_nothing_of_others() {
    let folder = folder("cli failure leaves");
    std::fs::create_dir(folder.join("mine")).unwrap();
    assert_eq!(dumplake_in(&folder, &["convert", "dumps/notes.txt", "-o", "mine"]).code, 2);
    assert!(folder.join("mine").exists());
    assert_eq!(convert(&folder, &[]).code, 0);
    assert_eq!(dumplake_in(&folder, &["convert", "dumps/notes.txt", "-o", "lake"]).code, 2);
    assert_eq!(Ask::open(&folder.join("lake")).cell("SELECT count(*) FROM dumps"), 2);
}

#[test]
fn json_has_one_object_a_dump() {
    let folder = folder("cli json");
    std::fs::write(folder.join("dumps/empty.dmp"), "").unwrap();
    let run = convert(&folder, &["--json"]);
    let objects = run.json();
    assert_eq!(objects.len(), 3);
    for object in &objects {
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["bytes", "dump_id", "error", "member", "path", "rows", "seconds", "status"]);
        let failed = object["status"] == "failed";
        assert_eq!((object["error"].is_null(), object["rows"]["dumps"] == 1), (!failed, !failed), "{object}");
    }
}

#[test]
fn wanted_tables_only() {
    let folder = folder("cli tables");
    assert_eq!(convert(&folder, &["--tables", "modules"]).code, 0);
    let lake = Ask::open(&folder.join("lake"));
    assert_eq!(lake.cell("SELECT count(*) FROM dumps"), 2);
    assert_eq!(lake.cell("SELECT count(*) > 0 FROM modules"), true);
    assert_eq!(lake.cell("SELECT count(*) FROM contexts"), 0);
    assert!(!folder.join("lake/contexts").exists());
}

#[test]
fn names_out_of_a_dump_cannot_drive_the_terminal_or_the_query() {
    let folder = scratch("cli names");
    let mut machine = busy_machine(Arch::X64);
    let base = machine.facts.kernel_base + 0x500_0000;
    machine.module("\u{1b}[31m'; DROP TABLE x.sys", base, 0x4000).comment("\u{1b}]0;owned\u{7}");
    machine.dump(Format::Triage(Family::A)).write_to(&folder).unwrap();
    assert_eq!(dumplake_in(&folder, &["convert", ".", "-o", "lake"]).code, 0);
    let all =
        "SELECT name, path FROM modules; SELECT comment FROM dumps; FROM bugchecks; FROM third_party_drivers";
    for format in ["table", "json", "markdown"] {
        let run = dumplake_in(&folder, &["sql", "lake", all, "--format", format]);
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(run.out.contains("DROP TABLE x.sys"));
        assert!(!run.out.contains('\u{1b}') && !run.out.contains('\u{7}'), "{format}");
    }
}

#[test]
fn a_query_reads_the_lake_and_nothing_else() {
    let folder = folder("cli safe");
    convert(&folder, &[]);
    let secret = folder.join("secret.csv");
    std::fs::write(&secret, "a\n1\n").unwrap();
    let (secret, out) = (secret.display().to_string(), folder.join("out.csv").display().to_string());
    for query in [
        format!("SELECT * FROM read_csv('{secret}')"),
        format!("COPY (SELECT 1) TO '{out}'"),
        "COPY (SELECT 1) TO 'lake/dumps/x.parquet'".into(),
        "INSTALL httpfs".into(),
        "DROP VIEW dumps".into(),
    ] {
        let run = dumplake_in(&folder, &["sql", "lake", &query]);
        assert_eq!(run.code, 2, "{query}: {}", run.out);
    }
    assert!(!folder.join("out.csv").exists());
}

#[test]
fn a_lake_that_was_moved_still_answers() {
    let folder = folder("cli moved");
    convert(&folder, &[]);
    let moved = folder.join("a 'quoted' place");
    std::fs::rename(folder.join("lake"), &moved).unwrap();
    let count = "SELECT count(*) AS n FROM dumps";
    let run = dumplake_in(&folder, &["sql", "a 'quoted' place", count, "--format", "csv"]);
    assert_eq!((run.code, run.out.as_str()), (0, "n\r\n2\r\n"), "{}", run.err);
    assert_eq!(dumplake_in(&folder, &["lake", "repair", "a 'quoted' place"]).code, 0);
}
