//! `dumplake lake compact`: the same answers from fewer files, for everybody who reads or writes meanwhile.

use super::lake;
use crate::ask::{Ask, dumplake_in};
use queries::{Format, Session, Style};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// For each table its rows and a sum over their hashes: equal for equal rows, whatever files they are in.
fn fingerprints(session: &Session) -> String {
    let one = |table: &str| format!("SELECT '{table}', count(*), sum(hash(t))::VARCHAR FROM {table} AS t");
    let all: Vec<String> = schema::all().iter().map(|spec| one(spec.name)).collect();
    let mut out = Vec::new();
    let style = Style { format: Format::Csv, ..Style::default() };
    session.run(&all.join(" UNION ALL "), style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn answers(folder: &Path) -> String {
    fingerprints(&Session::open(&folder.join("lake")).unwrap())
}

/// Partitions in the folders of the tables.
fn partitions(folder: &Path) -> usize {
    let entries = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten();
    let tables = entries(folder.join("lake")).map(|entry| entry.path());
    let names = tables.flat_map(entries).map(|entry| entry.file_name());
    names.filter(|name| name.to_str().unwrap().starts_with("dump_id=")).count()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn compact(folder: &Path, more: &[&str]) -> String {
    let ran = dumplake_in(folder, &[&["lake", "compact", "lake"], more].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    ran.out
}

#[test]
fn merged_files_answer_as_the_small_ones_did() {
    let folder = lake("compacted");
    let before = answers(&folder);
    let patterns = || dumplake_in(&folder, &["patterns", "lake", "--json"]).out;
    let found = patterns();
    let said = compact(&folder, &["--keep"]);
    assert!(said.contains("files of 2 dumps merged; small files of 0 dumps removed"), "{said}");
    assert!(partitions(&folder) > 10);
    assert_eq!(answers(&folder), before, "merged and small files are both there");
    let said = compact(&folder, &[]);
    assert!(said.contains("files of 0 dumps merged; small files of 2 dumps removed"), "{said}");
    assert_eq!(partitions(&folder), 0);
    assert_eq!(answers(&folder), before);
    assert_eq!(patterns(), found);
    let verified = dumplake_in(&folder, &["lake", "verify", "lake"]);
    assert!(verified.code == 0 && verified.out.contains("2 dumps, every row was read"), "{}", verified.err);
    let repaired = dumplake_in(&folder, &["lake", "repair", "lake"]);
    assert!(repaired.code == 0 && repaired.err.is_empty(), "{}", repaired.err);
    // The lake is moved, and everything is found there.
    std::fs::create_dir(folder.join("away")).unwrap();
    std::fs::rename(folder.join("lake"), folder.join("away/lake")).unwrap();
    assert_eq!(answers(&folder.join("away")), before);
}

#[test]
fn merged_dumps_are_known_replaced_and_removed() {
    let folder = lake("compacted-changes");
    let before = answers(&folder);
    let list = || dumplake_in(&folder, &["lake", "list", "lake", "--json"]).json();
    let listed = list();
    let said = compact(&folder, &[]);
    let size = |path: &Path| path.metadata().unwrap().len();
    let bytes: u64 = files(&folder.join("lake/compacted")).iter().map(|file| size(file)).sum();
    let of_tables =
        |file: &PathBuf| file.file_name().is_some_and(|name| name != "state" && name != "members.parquet");
    let tables: Vec<PathBuf> = files(&folder.join("lake/compacted")).into_iter().filter(of_tables).collect();
    let merged: u64 = tables.iter().map(|file| size(file)).sum();
    let single: u64 = listed.iter().map(|dump| dump["bytes"].as_u64().unwrap()).sum();
    assert!(merged < bytes);
    let expected = format!("files of {single} bytes became {} files of {merged} bytes", tables.len());
    assert!(said.contains(&expected), "{said}");
    // The bytes of a merged dump are no more its own.
    let now = list();
    assert!(now.iter().all(|dump| dump["bytes"].is_null() && dump["merged"] == true), "{now:?}");
    let rest = |dumps: &[Value]| -> Vec<[Value; 4]> {
        dumps.iter().map(|dump| ["dump_id", "path", "tables", "rows"].map(|key| dump[key].clone())).collect()
    };
    assert_eq!(rest(&now), rest(&listed));
    let text = dumplake_in(&folder, &["lake", "list", "lake"]).out;
    let total = format!("2 dumps, {merged} bytes, {merged} of them in {} merged files", tables.len());
    assert!(text.contains("in merged files") && text.contains(&total), "{text}");
    let again = dumplake_in(&folder, &["convert", "one", "two", "-o", "lake"]);
    assert_eq!(again.out.matches("in the lake already").count(), 2, "{}", again.out);
    let path = |at: usize| listed[at]["path"].as_str().unwrap();
    let forced = dumplake_in(&folder, &["convert", "--force", path(0), "-o", "lake"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    let without_times = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("dumps,")).map(str::to_string).collect()
    };
    assert_eq!(without_times(&answers(&folder)), without_times(&before));
    assert!(partitions(&folder) > 5, "the new rows are partitions");
    assert_eq!(dumplake_in(&folder, &["lake", "verify", "lake"]).code, 0);
    let removed = dumplake_in(&folder, &["lake", "remove", "lake", path(1)]);
    assert_eq!(removed.code, 0, "{}", removed.err);
    let count = || Ask::open(&folder.join("lake")).number("SELECT count(*) FROM dumps");
    assert_eq!((list().len(), count()), (1, 1));
    let said = compact(&folder, &[]);
    assert!(said.contains("files of 1 dumps merged; small files of 1 dumps removed"), "{said}");
    assert_eq!((list().len(), count(), partitions(&folder)), (1, 1, 0));
    let back = dumplake_in(&folder, &["convert", "one", "two", "-o", "lake"]);
    assert_eq!(back.out.matches("in the lake already").count(), 1, "{}", back.out);
    assert_eq!(without_times(&answers(&folder)), without_times(&before));
}

/// Who opened the lake before sees through the old views, which name the small files: those stay as long.
#[test]
fn readers_of_before_keep_their_files() {
    let folder = lake("compacted-readers");
    let reader = Session::open(&folder.join("lake")).unwrap();
    let before = fingerprints(&reader);
    let said = compact(&folder, &[]);
    assert!(said.contains("files of 2 dumps merged; small files of 0 dumps removed"), "{said}");
    assert!(said.contains("somebody reads the lake through its old views"), "{said}");
    assert_eq!(fingerprints(&reader), before);
    assert_eq!(answers(&folder), before);
    drop(reader);
    let said = compact(&folder, &[]);
    assert!(said.contains("small files of 2 dumps removed"), "{said}");
    assert_eq!((answers(&folder), partitions(&folder)), (before, 0));
}

/// The program ends between the commit of the merged files and the writing of the views.
#[test]
fn views_of_before_are_right_until_they_are_written_anew() {
    let folder = lake("compacted-half");
    let before = answers(&folder);
    let opened = schema::Lake::open(&folder.join("lake")).unwrap();
    assert_eq!(opened.compact().unwrap().merged, 2);
    let stock = duckdb::Connection::open(folder.join("lake/lake.duckdb")).unwrap();
    let count = |table: &str| -> u64 {
        stock.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count("dumps"), 2);
    let modules = count("modules");
    drop(stock);
    assert_eq!(answers(&folder), before, "a session writes them anew");
    let said = compact(&folder, &[]);
    assert!(said.contains("small files of 2 dumps removed"), "{said}");
    assert_eq!(answers(&folder), before);
    let stock = duckdb::Connection::open(folder.join("lake/lake.duckdb")).unwrap();
    let now: u64 = stock.query_row("SELECT count(*) FROM modules", [], |row| row.get(0)).unwrap();
    assert_eq!(now, modules);
}

/// The merged file of `modules`, as `lake files` has it.
fn merged_modules(folder: &Path) -> serde_json::Value {
    let mut listed = dumplake_in(folder, &["lake", "files", "lake"]).json().into_iter();
    listed.find(|file| file["table"] == "modules").unwrap()
}

/// One merged file is damaged: the other tables answer, and it is said which dumps to convert again.
#[test]
fn a_damaged_merged_file_costs_its_table() {
    let folder = lake("compacted-damage");
    compact(&folder, &[]);
    let modules = merged_modules(&folder);
    assert!(modules["dump_id"].is_null() && modules["gone"].as_array().unwrap().is_empty());
    std::fs::write(folder.join(modules["path"].as_str().unwrap()), "no parquet").unwrap();
    let repaired = dumplake_in(&folder, &["lake", "repair", "lake"]);
    assert!(repaired.code == 1 && repaired.err.matches("convert --force").count() == 2, "{}", repaired.err);
    let ask = Ask::open(&folder.join("lake"));
    assert_eq!(
        (ask.number("SELECT count(*) FROM modules"), ask.number("SELECT count(*) FROM dumps")),
        (0, 2)
    );
    drop(ask);
    let forced = dumplake_in(&folder, &["convert", "--force", "one", "two", "-o", "lake"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert_eq!(dumplake_in(&folder, &["lake", "verify", "lake"]).code, 0);
    // The damaged file has no row that counts, and goes.
    let said = dumplake_in(&folder, &["lake", "compact", "lake"]);
    assert!(said.out.contains("small files of 2 dumps removed"), "{}{}", said.out, said.err);
    assert!(Ask::open(&folder.join("lake")).number("SELECT count(*) FROM modules") > 0);
    let again = compact(&folder, &[]);
    assert!(again.contains("files of 0 dumps merged"), "{again}");
}

/// The end of a merged file is whole, its rows are not: the next compaction that would copy them says so and goes on.
#[test]
fn damaged_rows_do_not_stop_the_next_compaction() {
    let folder = lake("compacted-rows");
    compact(&folder, &[]);
    let modules = folder.join(merged_modules(&folder)["path"].as_str().unwrap());
    let mut bytes = std::fs::read(&modules).unwrap();
    bytes[4..64].fill(0xff);
    std::fs::write(&modules, bytes).unwrap();
    // With a dump that is gone from it the generation is wanted.
    let listed = dumplake_in(&folder, &["lake", "list", "lake", "--json"]).json();
    let path = |at: usize| listed[at]["path"].as_str().unwrap();
    assert_eq!(dumplake_in(&folder, &["lake", "remove", "lake", path(1)]).code, 0);
    let said = dumplake_in(&folder, &["lake", "compact", "lake"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let id = listed[0]["dump_id"].as_str().unwrap();
    for part in
        [&format!("modules of {id}"), "cannot be read to its end", "dumplake convert --force", path(0)]
    {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    let count =
        |table: &str| Ask::open(&folder.join("lake")).number(&format!("SELECT count(*) FROM {table}"));
    assert_eq!(count("dumps"), 1);
    let forced = dumplake_in(&folder, &["convert", "--force", path(0), "-o", "lake"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    compact(&folder, &[]);
    assert!(!modules.exists() && count("dumps") == 1 && count("modules") > 0);
}
