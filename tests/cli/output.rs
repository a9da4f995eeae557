//! What a user sees: names that are made safe, answers in four formats, the demo, a lake under another name.

use crate::{
    ask::dumplake_in,
    support::{busy_machine, scratch},
};
use fixtures::{Arch, Family, Format};
use std::path::Path;

/// A file name that would paint a terminal red, and one that rewrites the line before it.
#[cfg(unix)]
const NAMES: [&str; 2] = ["\u{1b}[31mred.dmp", "up\u{1b}[1A\r\u{9b}2K.dmp"];

/// Nothing that a terminal would act upon, but for the line ends that are ours.
fn check_plain(what: &str, text: &str) {
    let acts = |c: &char| c.is_control() && *c != '\n';
    assert_eq!(text.chars().find(acts), None, "{what}: {text:?}");
}

#[cfg(unix)]
#[test]
fn names_of_files_never_reach_the_terminal_raw() {
    let folder = scratch("names");
    let dump = busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    std::fs::rename(dump, folder.join(NAMES[0])).unwrap();
    std::fs::write(folder.join(NAMES[1]), "garbage").unwrap();
    std::fs::copy(folder.join(NAMES[0]), folder.join(format!("copy of {}", NAMES[0]))).unwrap();
    for (args, shown) in [
        (&["convert", ".", "-o", "lake"][..], "red.dmp"),
        (&["convert", ".", "-o", "lake"], "skipped"),
        (&["convert", NAMES[0], NAMES[1], "absent\u{1b}[31m", "-o", "lake"], "absent"),
        (&["convert", NAMES[1], "-o", "lake", "--json"], "up"),
        (&["convert", ".", "-o", "lake\u{1b}[31m/x", "--tables", "a\u{1b}b"], "no table"),
        (&["info", NAMES[0]], "red.dmp"),
        (&["info", NAMES[1]], "up"),
        (&["info", "absent\u{1b}[31m"], "absent"),
        (&["sql", "absent\u{1b}[31m", "SELECT 1"], "absent"),
        (&["sql", "lake", "SELECT path FROM dumps"], "red.dmp"),
        (&["sql", "lake", "SELECT '\u{1b}[31m' AS \"\u{1b}[32mname\""], "name"),
        (&["sql", "lake", "SELECT nonsense\u{1b}[31m"], "error"),
        (&["lake", "repair", "absent\u{1b}[31m"], "absent"),
        (&["convert", ".", "-o", "lake\u{1b}[31m"], "converted"),
        (&["lake", "repair", "lake\u{1b}[31m"], "written anew"),
        (&["demo", "-o", "demo\u{1b}[31m"], "bugchecks"),
    ] {
        let ran = dumplake_in(&folder, args);
        check_plain(&format!("output of {args:?}"), &ran.out);
        check_plain(&format!("errors of {args:?}"), &ran.err);
        let all = ran.out + &ran.err;
        assert!(all.contains(shown), "{args:?}: {all}");
    }
}

#[test]
fn one_answer_in_four_formats() {
    let folder = scratch("formats");
    busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    assert_eq!(dumplake_in(&folder, &["convert", ".", "-o", "lake"]).code, 0);
    let query =
        "SELECT name, base > 0 AS kernel, NULL AS nothing, 'a|\"b\"' AS odd FROM modules ORDER BY base";
    let check = |format: &str, expected: &str| {
        let ran = dumplake_in(&folder, &["sql", "lake", query, "--format", format]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""), "{format}");
    };
    check(
        "csv",
        "name,kernel,nothing,odd\r\nntoskrnl.exe,true,,\"a|\"\"b\"\"\"\r\nstorport.sys,true,,\"a|\"\"b\"\"\"\r\n",
    );
    check(
        "json",
        "[\n{\"name\": \"ntoskrnl.exe\", \"kernel\": true, \"nothing\": null, \"odd\": \"a|\\\"b\\\"\"},\n\
         {\"name\": \"storport.sys\", \"kernel\": true, \"nothing\": null, \"odd\": \"a|\\\"b\\\"\"}\n]\n",
    );
    let table = dumplake_in(&folder, &["sql", "lake", query]);
    let lines: Vec<Vec<&str>> =
        table.out.lines().map(|line| line.split(" | ").map(str::trim).collect()).collect();
    assert_eq!(lines[0], ["name", "kernel", "nothing", "odd"]);
    assert_eq!(lines[2], ["ntoskrnl.exe", "true", "NULL", "a|\"b\""]);
    assert_eq!(lines[4], ["(2 rows)"]);
    let markdown = dumplake_in(&folder, &["sql", "lake", query, "--format", "markdown"]);
    let lines: Vec<&str> = markdown.out.lines().collect();
    assert!(lines[0].starts_with("| name") && lines[1].starts_with("|") && lines[1].contains("---"));
    assert!(lines[2].contains("a\\|\"b\""), "a bar within a cell is escaped: {}", lines[2]);
}

#[test]
fn a_wrong_query_is_one_clear_error() {
    let folder = scratch("wrong query");
    busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    dumplake_in(&folder, &["convert", ".", "-o", "lake"]);
    for query in ["SELEC 1", "SELECT nothing FROM dumps", "SELECT * FROM read_text('/etc/passwd')"] {
        let ran = dumplake_in(&folder, &["sql", "lake", query]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{query}");
        assert!(ran.err.starts_with("error: "), "{query}: {}", ran.err);
        assert!(!ran.err.contains("root:"), "{query}: {}", ran.err);
    }
}

#[test]
fn the_demo_runs_twice_and_touches_nothing_of_others() {
    let folder = scratch("demo");
    let first = dumplake_in(&folder, &["demo", "-o", "place"]);
    assert_eq!((first.code, first.err.as_str()), (0, ""));
    std::fs::write(folder.join("place/mine.txt"), "mine").unwrap();
    let second = dumplake_in(&folder, &["demo", "-o", "place"]);
    assert_eq!(second.code, 0, "{}", second.err);
    let converted = |text: &str| text.lines().filter(|line| line.starts_with("converted")).count();
    assert_eq!((converted(&first.out), converted(&second.out)), (7, 7));
    assert_eq!(std::fs::read(folder.join("place/mine.txt")).unwrap(), b"mine");
    // A folder that the demo did not make stays as it is.
    std::fs::create_dir_all(folder.join("others/lake")).unwrap();
    std::fs::write(folder.join("others/lake/mine.txt"), "mine").unwrap();
    let refused = dumplake_in(&folder, &["demo", "-o", "others"]);
    assert_eq!(refused.code, 2, "{}", refused.out);
    assert_eq!(std::fs::read(folder.join("others/lake/mine.txt")).unwrap(), b"mine");
}

/// What a stock DuckDB says of a lake: the number of its dumps.
fn stock(lake: &Path) -> duckdb::Result<u32> {
    let config = duckdb::Config::default().access_mode(duckdb::AccessMode::ReadOnly)?;
    let connection = duckdb::Connection::open_with_flags(lake.join("lake.duckdb"), config)?;
    connection.query_row("SELECT count(*) FROM dumps", [], |row| row.get(0))
}

#[test]
fn a_stock_duckdb_opens_the_lake_by_itself_and_after_a_move_and_a_repair() {
    let folder = scratch("stock");
    busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    assert_eq!(dumplake_in(&folder, &["convert", ".", "-o", "lake"]).code, 0);
    assert_eq!(stock(&folder.join("lake")), Ok(1));
    let moved = folder.join("it's moved");
    std::fs::rename(folder.join("lake"), &moved).unwrap();
    assert!(stock(&moved).is_err(), "the views lead to where the lake was");
    assert_eq!(dumplake_in(&folder, &["lake", "repair", "it's moved"]).code, 0);
    assert_eq!(stock(&moved), Ok(1));
}
