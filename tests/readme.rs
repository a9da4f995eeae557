//! The session that the README shows is what the demo prints. `UPDATE=1 cargo test readme` writes it anew.

use crate::support::scratch;
use std::{path::Path, process::Command};

/// What the README shows of a text: the seconds of each line are the machine's.
fn without_seconds(text: &str) -> String {
    let blank = |line: &str| match line.rsplit_once(" rows, ") {
        Some((front, time)) if time.ends_with(" s") => format!("{front} rows, … s"),
        _ => line.trim_end().to_string(),
    };
    text.trim().lines().map(blank).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_session_in_the_readme_is_the_demos() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (front, rest) = readme.split_once("```console\n").unwrap();
    let (shown, behind) = rest.split_once("```").unwrap();
    let demo =
        Command::new(env!("CARGO_BIN_EXE_dumplake")).arg("demo").current_dir(scratch("readme")).output();
    let demo = demo.unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    let printed = without_seconds(&String::from_utf8_lossy(&demo.stdout));
    if printed != shown.trim() && std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, format!("{front}```console\n{printed}\n```{behind}")).unwrap();
    }
    assert!(printed == shown.trim(), "README.md is stale: run UPDATE=1 cargo test readme");
}
