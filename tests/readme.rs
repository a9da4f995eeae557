//! The session that the README shows is what the demo prints.

use crate::support::scratch;
use std::process::Command;

/// Text with the seconds of each line blanked: they are the machine's.
fn without_seconds(text: &str) -> String {
    let blank = |line: &str| match line.rsplit_once(" rows, ") {
        Some((front, _)) => format!("{front} rows"),
        None => line.trim_end().to_string(),
    };
    text.trim().lines().map(blank).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_session_in_the_readme_is_the_demos() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```console\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let demo =
        Command::new(env!("CARGO_BIN_EXE_dumplake")).arg("demo").current_dir(scratch("readme")).output();
    let demo = demo.unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    assert_eq!(without_seconds(&String::from_utf8_lossy(&demo.stdout)), without_seconds(shown));
}
