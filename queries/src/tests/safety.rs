//! What a query must not do, and what text from a dump must not do.

use super::*;

fn a_lake() -> Lake {
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("path", "'a.dmp'")]]);
    lake
}

/// Every file below a folder with its size and date.
fn inventory(folder: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(inventory(&entry.path()));
        }
        found.push((entry.path(), metadata.len(), metadata.modified().unwrap()));
    }
    found.sort();
    found
}

#[test]
fn nothing_is_read_or_written_outside_and_nothing_is_written_inside() {
    let lake = a_lake();
    let session = lake.session();
    let inside = lake.path.to_str().unwrap().to_owned();
    let outside = lake.parent.join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret.csv"), "a,b\n1,2\n").unwrap();
    let outside = outside.to_str().unwrap();
    let partition = format!("{inside}/dumps/dump_id={FIRST}/part-0.parquet");
    let hostile = [
        format!("SELECT * FROM read_csv('{outside}/secret.csv')"),
        format!("SELECT * FROM '{outside}/secret.csv'"),
        format!("SELECT * FROM read_text('{inside}/../outside/secret.csv')"),
        format!("SELECT * FROM glob('{outside}/*')"),
        format!("FROM read_blob('{outside}/secret.csv')"),
        "FROM read_parquet('https://example.org/x.parquet')".to_owned(),
        format!("COPY (SELECT 1) TO '{outside}/x.csv'"),
        format!("COPY (SELECT 1) TO '{inside}/x.csv'"),
        format!("COPY (SELECT 1) TO '{partition}' (FORMAT parquet)"),
        format!("SELECT 1; COPY (SELECT 1) TO '{inside}/x.csv'"),
        format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{inside}/x.csv'"),
        format!("EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{inside}/x.csv'"),
        format!("/* /* */ PIVOT */ COPY (SELECT 1) TO '{inside}/x.csv'"),
        format!("PIVOT dumps ON format; COPY (SELECT 1) TO '{inside}/x.csv'"),
        format!("CREATE TEMP TABLE t AS SELECT 1; COPY t TO '{inside}/x.csv'"),
        format!("EXPORT DATABASE '{inside}/export'"),
        format!("IMPORT DATABASE '{inside}/export'"),
        format!("ATTACH '{outside}/x.duckdb'"),
        format!("ATTACH '{inside}/x.duckdb'"),
        format!("FROM enable_logging(storage = 'file', storage_config = {{'path': '{inside}/log'}})"),
        format!(
            "FROM Main.\"Enable_Logging\"(storage = 'file', storage_config = {{'path': '{inside}/log'}})"
        ),
        format!("CALL enable_logging(storage = 'file', storage_config = {{'path': '{inside}/log'}})"),
        format!(
            "FROM query('FROM enable_' || 'logging(storage = ''file'', storage_path = ''{inside}/log'')')"
        ),
        "CREATE TEMP MACRO f() AS TABLE FROM enable_logging()".to_owned(),
        "PRAGMA enable_profiling".to_owned(),
        "INSTALL httpfs".to_owned(),
        "LOAD httpfs".to_owned(),
        "SET enable_external_access = true".to_owned(),
        "SET allowed_directories = ['/']".to_owned(),
        "RESET lock_configuration".to_owned(),
        "CREATE TABLE t (i INT)".to_owned(),
        "DROP VIEW dumps".to_owned(),
        "CREATE SECRET s (TYPE http)".to_owned(),
        "DETACH lake".to_owned(),
        "CHECKPOINT".to_owned(),
    ];
    let before = inventory(&lake.parent);
    for sql in hostile {
        let answer = ask(&session, &sql, Style { format: Format::Csv, ..Style::default() });
        // Several statements: the harmless ones before may be answered, the error still comes.
        assert!(answer.is_err(), "{sql} answered {answer:?}");
        assert_eq!(inventory(&lake.parent), before, "{sql}");
    }
    assert_eq!(csv(&session, "SELECT path FROM dumps"), "a.dmp");
}

#[test]
fn queries_of_all_kinds_may_run() {
    let lake = a_lake();
    let session = lake.session();
    let harmless = [
        "SELECT 1",
        "FROM dumps",
        "WITH d AS (FROM dumps) SELECT count(*) FROM d",
        "VALUES (1), (2)",
        "DESCRIBE dumps",
        "SHOW TABLES",
        "SUMMARIZE dumps",
        "TABLE dumps",
        "-- a comment\nSELECT 1",
        "EXPLAIN SELECT * FROM dumps",
        "EXPLAIN ANALYZE SELECT * FROM dumps",
        "EXPLAIN (FORMAT json) SELECT * FROM dumps",
        "EXPLAIN (SELECT 1)",
        "PIVOT dumps ON format USING count(*)",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
        "SELECT count(*) FROM dumps WHERE path LIKE '%query%' OR path = 'COPY x TO y; CHECKPOINT'",
    ];
    for sql in harmless {
        let answer = ask(&session, sql, Style::default());
        assert!(answer.is_ok(), "{sql}: {answer:?}");
    }
}

#[test]
fn temporary_things_live_as_long_as_the_session() {
    let lake = a_lake();
    let session = lake.session();
    let sql =
        "CREATE TEMP TABLE t AS SELECT 41 AS i; SET VARIABLE one = 1; SELECT i + getvariable('one') FROM t;";
    assert_eq!(csv(&session, sql), "42");
    assert!(ask(&lake.session(), "SELECT * FROM t", Style::default()).is_err());
}

#[test]
fn a_lake_that_cannot_be_written_is_read_all_the_same_and_as_safely() {
    let lake = a_lake();
    // A folder in the place of the file cannot be replaced by a rename, whoever runs this test.
    std::fs::create_dir_all(lake.path.join(lake::FILE_NAME).join("occupied")).unwrap();
    let session = lake.session();
    assert_eq!(csv(&session, "SELECT path FROM dumps"), "a.dmp");
    let copy = format!("COPY (SELECT 1) TO '{}/x.csv'", lake.path.display());
    for sql in [copy.as_str(), "CREATE TABLE t (i INT)", "FROM read_text('/etc/passwd')"] {
        assert!(ask(&session, sql, Style::default()).is_err(), "{sql}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let lake = Lake::empty();
    // chr() builds what no literal should hold: ESC, a C1 control, a right-to-left override.
    let name = "'\"; DROP VIEW dumps; --' || chr(27) || '[2J' || chr(155) || '31m|' || chr(10) || chr(8238) || 'gpj.exe'";
    lake.put("modules", FIRST, &[&[("name", name), ("path", "'it''s'"), ("base", "1"), ("size", "2")]]);
    let session = lake.session();
    let sql = "SELECT name FROM modules";
    let show = |format| ask(&session, sql, Style { format, ..Style::default() }).unwrap();

    let table = show(Format::Table);
    assert!(table.contains("\"; DROP VIEW dumps; --\\u{1b}[2J\\u{9b}31m|\\u{a}\\u{202e}gpj.exe"), "{table}");
    let markdown = show(Format::Markdown);
    assert!(markdown.contains("--\\\\u{1b}\\[2J\\\\u{9b}31m\\|\\\\u{a}\\\\u{202e}gpj.exe |\n"), "{markdown}");
    let json = show(Format::Json);
    assert!(json.contains(r#""\"; DROP VIEW dumps; --\u001b[2J\u009b31m|\n\u202egpj.exe""#), "{json}");
    for safe in [&table, &markdown, &json] {
        assert!(!safe.contains(|c: char| c != '\n' && crate::safe::is_unsafe(c)), "{safe:?}");
    }
    // Programs get the bytes as they are, a terminal does not.
    assert_eq!(
        show(Format::Csv),
        "name\r\n\"\"\"; DROP VIEW dumps; --\u{1b}[2J\u{9b}31m|\n\u{202e}gpj.exe\"\r\n"
    );
    let terminal =
        ask(&session, sql, Style { format: Format::Csv, terminal: true, ..Style::default() }).unwrap();
    assert!(!terminal.contains('\u{1b}'), "{terminal:?}");
    assert_eq!(csv(&session, "SELECT count(*) FROM dumps"), "0", "the view is still there");
}

#[test]
fn an_error_that_cites_a_value_is_safe_too() {
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("path", "chr(27) || '[31mred'")]]);
    let error = ask(&lake.session(), "SELECT path::INTEGER FROM dumps", Style::default()).unwrap_err();
    assert!(error.contains("\\u{1b}[31mred"), "{error:?}");
}
