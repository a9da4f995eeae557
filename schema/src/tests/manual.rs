//! The manual and the declarations of the real tables.

use crate::{all, manual};
use std::collections::BTreeSet;

#[test]
fn the_manual_has_every_column_of_every_table() {
    let text = manual();
    let mut columns = 0;
    for spec in all() {
        let heading = format!("\n## {}\n", spec.name);
        let (_, rest) = text.split_once(&heading).unwrap_or_else(|| panic!("no chapter {}", spec.name));
        let chapter = rest.split("\n## ").next().unwrap();
        assert!(chapter.contains(spec.description()), "{}", spec.name);
        for name in ["dump_id"].into_iter().chain(spec.columns.iter().map(|column| column.name)) {
            let row = chapter.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("{}.{name} is missing", spec.name));
            assert_eq!(row.replace("\\|", "").matches('|').count(), 5, "{row}");
            columns += 1;
        }
    }
    assert!(text.ends_with(&format!("\n{} tables, {columns} columns.\n", all().len())));
}

#[test]
fn names_are_plain_and_taken_once() {
    let plain = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let mut tables = BTreeSet::new();
    for spec in all() {
        assert!(tables.insert(spec.name), "{} twice", spec.name);
        // A commit's note lets only such names through: see `commit.rs`.
        assert!(spec.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", spec.name);
        let mut columns = BTreeSet::from(["dump_id"]);
        for column in spec.columns {
            assert!(plain(column.name), "{}.{}", spec.name, column.name);
            assert!(columns.insert(column.name), "{}.{} twice", spec.name, column.name);
            assert!(column.description().ends_with(['.', '…']), "{}.{}: a sentence", spec.name, column.name);
        }
        assert!(spec.description().ends_with('.'), "{}: a sentence", spec.name);
    }
    assert!(tables.contains("dumps") && tables.contains("faults"));
}
