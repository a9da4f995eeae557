//! The formats, value by value.

use super::*;
use crate::prompt::converse;

fn show(sql: &str, format: Format) -> String {
    ask(&Lake::empty().session(), sql, Style { format, ..Style::default() }).unwrap()
}

#[test]
fn a_table_is_aligned() {
    let sql = "SELECT 'ab' AS name, 7 AS n, NULL::INTEGER AS nothing UNION ALL SELECT '漢字', 1000, 1";
    let expected = " name | n    | nothing
------+------+---------
 ab   |    7 |    NULL
 漢字 | 1000 |       1
(2 rows)
";
    assert_eq!(show(sql, Format::Table), expected);
    assert_eq!(show("SELECT 1 AS x WHERE false", Format::Table), " x\n---\n(0 rows)\n");
}

#[test]
fn a_table_wider_than_the_terminal_is_written_as_records() {
    let sql = "SELECT 'a long text' AS first, 2 AS second_column UNION ALL SELECT 'b', 3";
    let style = Style { width: Some(20), ..Style::default() };
    let expected = "\
-[ 1 ]-
first         | a long text
second_column | 2
-[ 2 ]-
first         | b
second_column | 3
(2 rows)
";
    assert_eq!(ask(&Lake::empty().session(), sql, style).unwrap(), expected);
}

#[test]
fn a_table_longer_than_the_sample_is_complete() {
    let table = show("SELECT range AS n FROM range(2500)", Format::Table);
    assert_eq!(table.lines().count(), 2 + 2500 + 1);
    assert!(table.ends_with(" 2499\n(2500 rows)\n"), "{}", &table[table.len() - 40..]);
    assert_eq!(table.lines().nth(2), Some("   0"));
}

#[test]
fn csv_follows_rfc_4180() {
    let sql = "SELECT 'a,b' AS \"x,y\", 'say \"hi\"' AS q, 'two\nlines' AS l, '' AS empty, NULL AS nothing";
    assert_eq!(
        show(sql, Format::Csv),
        "\"x,y\",q,l,empty,nothing\r\n\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"\",\r\n"
    );
    assert_eq!(show("SELECT 1 AS a WHERE false", Format::Csv), "a\r\n");
}

#[test]
fn json_keeps_every_digit() {
    let sql = "SELECT 18446744073709551615::UBIGINT AS u, (-9223372036854775808)::BIGINT AS i,
               170141183460469231731687303715884105727::HUGEINT AS h, 0.1::DOUBLE AS f, 'inf'::DOUBLE AS inf,
               1.50::DECIMAL(5,2) AS d, true AS b, NULL AS n, 12345678901234.567::DECIMAL(20,3) AS l";
    let expected = "[\n{\"u\": \"18446744073709551615\", \"i\": \"-9223372036854775808\", \
                    \"h\": \"170141183460469231731687303715884105727\", \"f\": 0.1, \"inf\": null, \"d\": 1.50, \
                    \"b\": true, \"n\": null, \"l\": \"12345678901234.567\"}\n]\n";
    assert_eq!(show(sql, Format::Json), expected);
    assert_eq!(show("SELECT 1 AS a WHERE false", Format::Json), "[]\n");
    let edge =
        "SELECT 9007199254740991 AS a, 9007199254740992 AS b, -9007199254740991 AS c, -9007199254740992 AS d";
    let expected = "[\n{\"a\": 9007199254740991, \"b\": \"9007199254740992\", \"c\": -9007199254740991, \
                    \"d\": \"-9007199254740992\"}\n]\n";
    assert_eq!(show(edge, Format::Json), expected);
}

/// An address is a text whatever its value is, a number is none; in lists and structs as well.
#[test]
fn json_has_words_of_the_machine_as_text() {
    let sql =
        "SELECT 4096::UBIGINT AS va, 18446735277616529408::UBIGINT AS base, 4096::UBIGINT AS size, 5 AS ip,
               [1::UBIGINT, NULL] AS rsp, {'lr': 2::UBIGINT, 'bytes': 3::UBIGINT} AS s, NULL::UBIGINT AS rip";
    let expected = "[\n{\"va\": \"0x0000000000001000\", \"base\": \"0xfffff80000000000\", \"size\": 4096, \"ip\": 5, \
                    \"rsp\": [\"0x0000000000000001\", null], \"s\": {\"lr\": \"0x0000000000000002\", \"bytes\": 3}, \
                    \"rip\": null}\n]\n";
    assert_eq!(show(sql, Format::Json), expected);
    let exact = Style { format: Format::Json, exact: true, ..Style::default() };
    let session = Lake::empty().session();
    let answer = ask(&session, "SELECT 18446735277616529408::UBIGINT AS base", exact).unwrap();
    assert_eq!(answer, "[\n{\"base\": 18446735277616529408}\n]\n");
}

/// What a view calls differently than a table must be known to be a number.
#[test]
fn views_name_words_as_tables_do() {
    let session = Lake::empty().session();
    let sql =
        "SELECT DISTINCT column_name FROM duckdb_columns() JOIN duckdb_views() ON table_name = view_name
               WHERE NOT duckdb_views.internal AND data_type = 'UBIGINT' ORDER BY 1";
    let names = csv(&session, sql);
    let known = |name: &&str| schema::is_word(name) || schema::NUMBERS.contains(name);
    let unknown: Vec<&str> = names.lines().filter(|name| !known(name)).collect();
    assert_eq!(unknown, ["immediates", "missing_bytes", "strings"], "is it a number?");
    assert!(names.lines().count() > 100);
}

#[test]
fn json_knows_times_bytes_and_nesting() {
    let sql = r"SELECT TIMESTAMP '2021-03-04 05:06:07.000089' AS t, TIMESTAMPTZ '2021-03-04 05:06:07+00' AS z,
                DATE '2021-03-04' AS day, '\x00\xFF'::BLOB AS b, [1, NULL] AS l,
                {'a': 'x', 'b': [{'c': 1}]} AS s, MAP {'k': 2} AS m, 'e'::ENUM ('e', 'f') AS e, 1 AS same, 2 AS same";
    let expected = "[\n{\"t\": \"2021-03-04T05:06:07.000089\", \"z\": \"2021-03-04T05:06:07Z\", \
                    \"day\": \"2021-03-04\", \"b\": \"00ff\", \"l\": [1, null], \
                    \"s\": {\"a\": \"x\", \"b\": [{\"c\": 1}]}, \"m\": [{\"key\": \"k\", \"value\": 2}], \
                    \"e\": \"e\", \"same\": 1, \"same:1\": 2}\n]\n";
    assert_eq!(show(sql, Format::Json), expected);
}

#[test]
fn markdown_escapes_markup() {
    let sql = r"SELECT 'a|b' AS x, '<img src=x>' AS y, 'C:\x_y' AS p, '[l](u)' AS l, 5 AS n, NULL AS nothing";
    let expected = "| x | y | p | l | n | nothing |\n| --- | --- | --- | --- | ---: | ---: |\n\
                    | a\\|b | &lt;img src=x&gt; | C:\\\\x\\_y | \\[l\\](u) | 5 |  |\n";
    assert_eq!(show(sql, Format::Markdown), expected);
}

#[test]
fn an_error_in_the_middle_of_an_answer_is_an_error() {
    let sql = "SELECT CASE WHEN range = 90000 THEN 'x'::INTEGER ELSE range END FROM range(100000)";
    let error =
        ask(&Lake::empty().session(), sql, Style { format: Format::Csv, ..Style::default() }).unwrap_err();
    assert!(error.contains("Conversion"), "{error}");
}

#[test]
fn a_closed_output_stops_the_query() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // Without an end; it would run for years.
    let sql = "SELECT * FROM range(1000000000000)";
    let style = Style { format: Format::Csv, ..Style::default() };
    let error = Lake::empty().session().run(sql, style, &mut Closed).unwrap_err();
    assert!(matches!(error, crate::Error::Output(e) if e.kind() == std::io::ErrorKind::BrokenPipe));
}

#[test]
fn an_explained_plan_keeps_its_lines() {
    let plan = show("EXPLAIN SELECT 42 AS answer", Format::Table);
    assert!(plan.lines().count() > 3 && plan.contains("PROJECTION") && !plan.contains("\\u{"), "{plan}");
}

#[test]
fn the_prompt_answers_commands_and_goes_on_after_errors() {
    let lake = Lake::empty();
    let session = lake.session();
    let said =
        converse(&session, &["SELEC 1;", ".nonsense", "SELECT 40 + 2 AS answer;", ".quit", "SELECT 'late';"]);
    assert!(said.contains("Parser Error"), "{said}");
    assert!(said.contains("no such command: .nonsense"), "{said}");
    assert!(said.contains("answer") && said.contains("42"), "{said}");
    assert!(!said.contains("late"), "{said}");

    let said = converse(&session, &[".tables", ".views", ".help", ".format csv", ".schema modules"]);
    for table in tables::all() {
        assert!(said.contains(table.doc), "{}", table.name);
    }
    for view in crate::views::LIBRARY {
        assert!(said.contains(&view.question()), "{}", view.name);
    }
    // Comparisons are called with two dumps: they stand apart.
    let (views, comparisons) = said.split_once("macros that take them:").unwrap();
    assert!(!views.contains("diff_") && views.contains("\nbugchecks "), "{views}");
    for diff in crate::diffs::DIFFS {
        assert!(comparisons.contains(&format!("\n{} ", diff.name)), "{comparisons}");
    }
    assert!(said.contains(".schema NAME"), "{said}");
    assert!(said.contains("\r\nbase,UBIGINT,"), "{said}");
    assert!(converse(&session, &[".schema Bugchecks"]).contains("third_party_drivers"));
    let of_view = converse(&session, &[".format csv", ".schema process_memory"]);
    assert!(of_view.contains("\r\nfile,VARCHAR,Path of the mapped file"), "{of_view}");
    assert!(converse(&session, &[".schema x'; DROP VIEW dumps; --"]).contains("no such"));
}
