//! The session that the README shows is what the demo prints. `UPDATE=1 cargo test readme` writes it anew.

use crate::support::scratch;
use std::{path::Path, process::Command};

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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (front, rest) = readme.split_once("```console\n").unwrap();
    let (shown, behind) = rest.split_once("```").unwrap();
    let demo =
        Command::new(env!("CARGO_BIN_EXE_dumplake")).arg("demo").current_dir(scratch("readme")).output();
    let demo = demo.unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    let printed = String::from_utf8_lossy(&demo.stdout);
    if without_seconds(&printed) != without_seconds(shown) && std::env::var_os("UPDATE").is_some() {
        let printed: Vec<&str> = printed.trim_start_matches('\n').lines().map(str::trim_end).collect();
        std::fs::write(&path, format!("{front}```console\n{}\n```{behind}", printed.join("\n"))).unwrap();
        return;
    }
    assert!(
        without_seconds(&printed) == without_seconds(shown),
        "README.md is stale: run UPDATE=1 cargo test readme"
    );
}
