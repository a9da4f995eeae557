//! The answers in docs/COOKBOOK.md are those of the demo lake. `UPDATE=1 cargo test cookbook` writes them anew.

use crate::{ask::dumplake_in, support::scratch};
use queries::{Session, Style};
use std::path::Path;

const SQL: &str = "```sql\n";
const TEXT: &str = "```\n```text\n";

/// The manual with the answers that `answer` gives, and how many there are.
fn answered(manual: &str, answer: impl Fn(&str) -> String) -> (String, usize) {
    let mut parts = manual.split(SQL);
    let mut fresh = parts.next().unwrap().to_string();
    let mut number = 0;
    for part in parts {
        let (query, rest) = part.split_once(TEXT).expect("an answer behind each question");
        let (_, behind) = rest.split_once("```\n").expect("an end of the answer");
        fresh += &format!("{SQL}{query}{TEXT}{}```\n{behind}", answer(query));
        number += 1;
    }
    (fresh, number)
}

#[test]
fn the_answers_in_the_cookbook_are_the_demos_as_in_the_readme() {
    let folder = scratch("cookbook");
    assert_eq!(dumplake_in(&folder, &["demo"]).code, 0);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/COOKBOOK.md");
    let manual = std::fs::read_to_string(&path).unwrap();
    let session = Session::open(&folder.join("demo/lake")).unwrap();
    let ask = |query: &str| {
        let mut out = Vec::new();
        session.run(query, Style::default(), &mut out).unwrap_or_else(|error| panic!("{query}: {error}"));
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() > 1, "{query} has no answer");
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    };
    let (fresh, number) = answered(&manual, ask);
    assert_eq!(number, 20);
    if fresh != manual && std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, fresh).unwrap();
        return;
    }
    assert!(fresh == manual, "docs/COOKBOOK.md is stale: run UPDATE=1 cargo test cookbook");
}
