//! Polars (PyPI) reads the rows of a lake without DuckDB, and counts the same: Parquet is the contract.

use super::python::Python;
use crate::{
    ask::{Ask, dumplake_in},
    support::scratch,
};
use std::{collections::BTreeMap, path::Path};

/// For each table with rows, how many values each of its columns has.
type Counts = BTreeMap<String, BTreeMap<String, u64>>;

fn ours(lake: &Path) -> Counts {
    let ask = Ask::open(lake);
    let mut counts = Counts::new();
    for spec in schema::all() {
        let names = std::iter::once("dump_id").chain(spec.columns.iter().map(|column| column.name));
        let values: Vec<String> = names.map(|name| format!("count(\"{name}\") AS \"{name}\"")).collect();
        let row = ask.row(&format!("SELECT {} FROM {}", values.join(", "), spec.name));
        if row["dump_id"] != 0 {
            let row = row.into_iter().map(|(name, count)| (name, count.as_u64().unwrap()));
            counts.insert(spec.name.to_string(), row.collect());
        }
    }
    counts
}

fn theirs(python: &Python, files: &Path, lake: &Path) -> Counts {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/polars_counts.py");
    let output = python.run(&[script.as_os_str(), files.as_os_str(), lake.as_os_str()]);
    serde_json::from_str(output.trim()).unwrap()
}

/// What Polars reads where `dumplake lake files` says that the rows are.
fn theirs_by_list(python: &Python, folder: &Path, lake: &Path) -> Counts {
    let listed = dumplake_in(folder, &["lake", "files", "demo/lake"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    let file = folder.join("files.jsonl");
    std::fs::write(&file, listed.out.replace("\"demo/lake/", "\"lake/")).unwrap();
    theirs(python, &file, lake)
}

#[test]
fn the_same_rows_before_and_after_a_compaction() {
    let Some(python) = Python::with_polars() else { return };
    let folder = scratch("polars");
    let lake = folder.join("demo/lake");
    assert_eq!(dumplake_in(&folder, &["demo"]).code, 0);
    let before = ours(&lake);
    assert!(before.len() > 40 && before["dumps"]["path"] == 9, "{} tables", before.len());
    assert_eq!(theirs(&python, Path::new("folders"), &lake), before);
    assert_eq!(theirs_by_list(&python, &folder, &lake), before);

    let compacted = dumplake_in(&folder, &["lake", "compact", "demo/lake"]);
    assert!(compacted.out.contains("small files of 9 dumps removed"), "{}", compacted.out);
    assert_eq!(ours(&lake), before);
    assert_eq!(theirs_by_list(&python, &folder, &lake), before);

    // One of the merged dumps is converted again, one is removed.
    let forced = dumplake_in(&folder, &["convert", "--force", "demo/dumps/stuck", "-o", "demo/lake"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert_eq!(ours(&lake), before);
    assert_eq!(theirs_by_list(&python, &folder, &lake), before);
    assert_eq!(dumplake_in(&folder, &["lake", "remove", "demo/lake", "crash/mini.dmp"]).code, 0);
    let fewer = ours(&lake);
    assert_eq!(fewer["dumps"]["path"], 8);
    assert_eq!(theirs_by_list(&python, &folder, &lake), fewer);
}
