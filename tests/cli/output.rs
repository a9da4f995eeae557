//! What a user sees: names that are made safe, answers in four formats, the demo, a lake under another name.

use crate::{
    ask::{dumplake_fed, dumplake_in},
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

/// Python's `int` holds all digits; other readers of JSON need not be able to.
#[test]
fn json_can_have_all_numbers_as_numbers() {
    let folder = scratch("exact numbers");
    busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    assert_eq!(dumplake_in(&folder, &["convert", ".", "-o", "lake"]).code, 0);
    let query =
        "SELECT 18446735277616529408::UBIGINT AS base, 1180591620717411303424::HUGEINT AS n FROM dumps";
    let json = |more: &[&str]| {
        dumplake_in(&folder, &[&["sql", "lake", query, "--format", "json"], more].concat()).out
    };
    assert_eq!(json(&["--exact"]), "[\n{\"base\": 18446735277616529408, \"n\": 1180591620717411303424}\n]\n");
    assert_eq!(json(&[]), "[\n{\"base\": \"0xfffff80000000000\", \"n\": \"1180591620717411303424\"}\n]\n");
    let table = dumplake_in(&folder, &["sql", "lake", query, "--exact"]);
    assert_eq!((table.code, table.err.as_str()), (2, "error: --exact is of --format json\n"));
}

#[test]
fn an_answer_is_no_file_of_the_lake() {
    let folder = scratch("answer in lake");
    busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    assert_eq!(dumplake_in(&folder, &["convert", ".", "-o", "lake"]).code, 0);
    for (file, format) in [
        ("lake/x.csv", "csv"),
        ("lake/dumps/x.parquet", "parquet"),
        ("lake/dumps/../../lake/x.md", "markdown"),
    ] {
        let ran = dumplake_in(&folder, &["sql", "lake", "FROM dumps", "-f", format, "-o", file]);
        let expected = format!("error: {file}: it lies in the lake; name a file outside of it\n");
        assert_eq!((ran.code, ran.err), (2, expected), "{file}");
        assert!(!folder.join(file).exists(), "{file}");
    }
    for file in ["x.csv", "./lake.csv"] {
        let ran = dumplake_in(&folder, &["sql", "lake", "FROM dumps", "-f", "csv", "-o", file]);
        assert_eq!((ran.code, folder.join(file).exists()), (0, true), "{}", ran.err);
    }
    let inside = dumplake_in(&folder.join("lake"), &["sql", ".", "FROM dumps", "-f", "csv", "-o", "x.csv"]);
    assert!(inside.code == 2 && !folder.join("lake/x.csv").exists(), "{}", inside.err);
}

#[test]
fn a_wrong_query_is_one_clear_error() {
    let folder = scratch("wrong query");
    busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    dumplake_in(&folder, &["convert", ".", "-o", "lake"]);
    let hexadecimal = dumplake_in(&folder, &["sql", "lake", "FROM dumps WHERE bugcheck_code = 0xD1"]);
    assert!(hexadecimal.code == 2 && hexadecimal.err.contains("'0x9F'"), "{}", hexadecimal.err);
    for query in ["SELEC 1", "SELECT nothing FROM dumps", "SELECT * FROM read_text('/etc/passwd')"] {
        let ran = dumplake_in(&folder, &["sql", "lake", query]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{query}");
        assert!(ran.err.starts_with("error: "), "{query}: {}", ran.err);
        assert!(!ran.err.contains("root:"), "{query}: {}", ran.err);
    }
}

/// A lake whose files were damaged or lost: the repair says which, and how they come back.
#[test]
fn a_repair_names_what_is_damaged_and_the_remedy() {
    let folder = scratch("damaged lake");
    let dump = busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    let dump = dump.file_name().unwrap().to_str().unwrap();
    let convert = |more: &[&str]| dumplake_in(&folder, &[&["convert", dump, "-o", "lake"], more].concat());
    assert_eq!(convert(&[]).code, 0);
    let whole = dumplake_in(&folder, &["lake", "repair", "lake"]);
    assert_eq!((whole.code, whole.err.as_str()), (0, ""));
    let partition = |table: &str| std::fs::read_dir(folder.join("lake").join(table)).unwrap().next().unwrap();
    std::fs::write(partition("modules").unwrap().path().join("part-0.parquet"), "damaged").unwrap();
    std::fs::remove_dir_all(partition("threads").unwrap().path()).unwrap();
    let damaged = dumplake_in(&folder, &["lake", "repair", "lake"]);
    assert_eq!(damaged.code, 1, "{}", damaged.err);
    for said in ["modules of d", "cannot be read", "threads of d", "is missing"] {
        assert!(damaged.err.contains(said), "{said}: {}", damaged.err);
    }
    assert!(damaged.err.contains(&format!("dumplake convert --force {dump} -o lake")), "{}", damaged.err);
    let asked = dumplake_in(&folder, &["sql", "lake", "SELECT count(*) FROM modules; SELECT 1 FROM dumps"]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    assert!(asked.err.starts_with("warning: "), "{}", asked.err);
    assert_eq!(convert(&["--force"]).code, 0);
    let mended = dumplake_in(&folder, &["lake", "repair", "lake"]);
    assert_eq!((mended.code, mended.err.as_str()), (0, ""));
}

/// A file of statements: the last one needs no `;`, nothing but answers is on standard output, an error is an error.
#[test]
fn statements_from_standard_input() {
    let folder = scratch("standard input");
    busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    dumplake_in(&folder, &["convert", ".", "-o", "lake"]);
    let check = |input: &str, expected: (i32, &str)| {
        let ran = dumplake_fed(&folder, &["sql", "lake", "--format", "csv"], input);
        assert_eq!((ran.code, ran.out.as_str()), expected, "{input}: {}", ran.err);
        assert_eq!(ran.err.starts_with("error: "), expected.0 == 2, "{input}: {}", ran.err);
    };
    check("SELECT count(*) AS n\nFROM dumps;\nSELECT 1 AS one", (0, "n\r\n1\r\none\r\n1\r\n"));
    check("SELECT 2 AS two; SELEC;\nSELECT 3", (2, "two\r\n2\r\n"));
    check(".format json\nSELECT 4 AS four;\n.quit\nSELECT 5", (0, "[\n{\"four\": 4}\n]\n"));
    check(".nonsense\nSELECT 6", (2, ""));
    check("-- nothing\n", (0, ""));
}

/// A reader that goes away is no error; a disk that is full is one, and neither is a panic.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written() {
    use std::process::{Command, Stdio};
    let folder = scratch("no output");
    let dump = busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    let dump = dump.to_str().unwrap();
    for args in [&["info", dump][..], &["info", dump, "--json"], &["info", "--formats"], &["symbols", "list"]]
    {
        let run = |out: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dumplake"));
            let output = command.args(args).stdout(out).stderr(Stdio::piped()).output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let (code, said) = run(full.into());
        assert!(
            code == Some(2) && said.starts_with("error: ") && said.lines().count() == 1,
            "{args:?}: {said}"
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run(writer.into()), (Some(0), String::new()), "{args:?}");
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
    assert_eq!((converted(&first.out), converted(&second.out)), (9, 9));
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

/// Answers become files, which another DuckDB reads; nothing is overwritten, and an error leaves no file.
#[test]
fn answers_are_written_to_files() {
    let folder = scratch("files");
    busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    assert_eq!(dumplake_in(&folder, &["convert", ".", "-o", "lake"]).code, 0);
    let query = "SELECT dump_id, name, base, size FROM modules ORDER BY base";
    let sql = |query: &str, more: &[&str]| dumplake_in(&folder, &[&["sql", "lake", query], more].concat());
    let csv = sql(query, &["--format", "csv"]).out;
    let rows = csv.lines().count() - 1;
    let written = sql(query, &["--format", "parquet", "-o", "out.parquet"]);
    assert_eq!((written.code, written.out.as_str()), (0, ""), "{}", written.err);
    assert!(written.err.contains(&format!("{rows} rows written")), "{}", written.err);
    let stock = duckdb::Connection::open_in_memory().unwrap();
    let count = format!(
        "SELECT count(*) FROM '{}' WHERE base > 0 AND dump_id LIKE 'd%'",
        folder.join("out.parquet").display()
    );
    assert_eq!(stock.query_row(&count, [], |row| row.get::<_, usize>(0)).unwrap(), rows);
    assert_eq!(sql(query, &["--format", "arrow", "-o", "out.arrow"]).code, 0);
    assert!(std::fs::read(folder.join("out.arrow")).unwrap().starts_with(b"ARROW1"));
    assert_eq!(sql(query, &["--format", "csv", "-o", "out.csv"]).code, 0);
    assert_eq!(std::fs::read_to_string(folder.join("out.csv")).unwrap(), csv);
    let refused: [(&str, &[&str], &str); 5] = [
        (query, &["--format", "parquet", "-o", "out.csv"], "out.csv"),
        (query, &["--format", "parquet"], "-o FILE"),
        ("SELECT nothing", &["--format", "parquet", "-o", "new"], "nothing"),
        ("SELECT 1; SELECT 2", &["--format", "arrow", "-o", "new"], "one query"),
        ("SELECT nothing", &["-o", "new"], "nothing"),
    ];
    for (query, more, said) in refused {
        let ran = sql(query, more);
        assert!(ran.code == 2 && ran.err.contains(said), "{query} {more:?}: {} {}", ran.code, ran.err);
        assert!(!folder.join("new").exists(), "{query} {more:?}");
    }
    assert_eq!(std::fs::read_to_string(folder.join("out.csv")).unwrap(), csv, "the file of before");
}
