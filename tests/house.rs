//! The rules of the house, held by tests: arrows between boxes, sizes of files and functions, fresh
//! manuals.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Who may depend on whom (ARCHITECTURE.md). A box that is not listed here does not exist.
const ARROWS: [(&str, &[&str]); 10] = [
    ("scanner/memory", &[]),
    ("scanner/symbols", &[]),
    ("schema", &[]),
    ("fixtures", &[]),
    ("scanner/nt", &["memory", "symbols"]),
    ("scanner/unwind", &["memory", "symbols"]),
    ("scanner/scan", &["memory", "nt", "unwind", "symbols", "schema"]),
    ("queries", &["schema"]),
    ("scanner/archive", &[]),
    (".", &["archive", "memory", "symbols", "nt", "scan", "schema", "queries", "fixtures"]),
];

/// Which crates only one box may link.
const OWNERS: [(&str, &str); 14] = [
    ("memmap2", "scanner/memory"),
    ("minidump", "scanner/memory"),
    ("cab", "scanner/symbols"),
    ("ureq", "scanner/symbols"),
    ("blake3", "scanner/scan"),
    ("crossbeam-channel", "scanner/scan"),
    ("aho-corasick", "scanner/scan"),
    ("fearless_simd", "scanner/scan"),
    ("arrow", "schema"),
    ("arrow-ipc", "schema"),
    ("parquet", "schema"),
    ("duckdb", "queries"),
    ("rustyline", "queries"),
    ("clap", "."),
];

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn dependencies(folder: &str) -> Vec<String> {
    let manifest = manifest(folder);
    let table = manifest.get("dependencies").and_then(|d| d.as_table());
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn boxes_point_only_where_they_may() {
    let members = manifest(".")["workspace"]["members"].as_array().unwrap().len();
    assert_eq!(members + 1, ARROWS.len(), "a crate is missing in ARROWS");
    let boxes = ["archive", "memory", "symbols", "nt", "unwind", "schema", "fixtures", "scan", "queries"];
    for (folder, allowed) in ARROWS {
        for dependency in dependencies(folder) {
            let ours = boxes.contains(&dependency.as_str());
            assert!(!ours || allowed.contains(&dependency.as_str()), "{folder} must not use {dependency}");
        }
    }
}

#[test]
fn each_heavy_crate_has_one_owner() {
    for (krate, owner) in OWNERS {
        for (folder, _) in ARROWS {
            let links = dependencies(folder).iter().any(|name| name == krate);
            assert!(!links || folder == owner, "{krate} belongs to {owner}, not to {folder}");
        }
    }
}

fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for folder in ["scanner", "schema", "queries", "fixtures", "tests", "benches"] {
        collect(&root().join(folder), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path.clone(), fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn files_are_short() {
    let sources = sources();
    assert!(sources.len() > 30, "the sources were not found");
    for (path, text) in sources {
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines", path.display());
        assert!(text.starts_with("//!") || text.starts_with("#!"), "{} has no story", path.display());
    }
}

/// Functions of rustfmt'ed code: from a line with `fn` to the line that closes at the same indent.
#[test]
fn functions_are_short() {
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let code = line.trim_start();
            let starts =
                ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn "].iter().any(|s| code.starts_with(s));
            if !starts || code.ends_with(';') || code.ends_with('}') {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let length = lines[at..].iter().position(|line| *line == close).unwrap_or(0);
            assert!(length < 70, "{}:{} is a function of {length} lines", path.display(), at + 1);
        }
    }
}

#[test]
fn unsafe_code_stays_in_the_map() {
    for (path, text) in sources() {
        if path.ends_with("scanner/memory/src/map.rs") {
            continue;
        }
        let keyword = concat!("un", "safe"); // so that this file does not find itself
        let mut code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let used = |line: &str| {
            line.contains(&format!("{keyword} ")) || line.contains(&format!("allow({keyword}_code)"))
        };
        assert!(!code.any(used), "{keyword} in {}", path.display());
    }
}

/// `UPDATE=1` writes the manual anew instead of comparing.
fn check_generated(name: &str, fresh: &str) {
    let path = root().join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, fresh).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == fresh, "{name} is stale: run UPDATE=1 cargo test");
}

#[test]
fn the_manual_is_fresh() {
    check_generated("TABLES.md", &schema::manual());
}

#[test]
fn the_pattern_manual_is_fresh() {
    check_generated("PATTERNS.md", &queries::patterns::manual());
}
