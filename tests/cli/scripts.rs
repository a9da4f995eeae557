//! What scripts rely on: addresses in JSON are text, no number in it is larger than a double holds, commands of the prompt
//! work in one call.

use super::folder;
use crate::{
    ask::{Ask, dumplake, dumplake_in},
    support::{busy_machine, scratch},
};
use fixtures::{Arch, Family, Format};
use serde_json::{Value, json};
use std::path::Path;

/// Every number below, with the name that it stands under.
fn numbers(name: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| numbers(name, item, found)),
        Value::Object(members) => members.iter().for_each(|(name, member)| numbers(name, member, found)),
        Value::Number(_) => found.push((name.to_string(), value.clone())),
        _ => {}
    }
}

/// All JSON that a command prints; numbers in it are checked.
fn json_of(folder: &Path, args: &[&str]) -> Vec<Value> {
    let ran = dumplake_in(folder, args);
    assert!(ran.code == 0, "{args:?}: {}", ran.err);
    let values: Vec<Value> =
        serde_json::Deserializer::from_str(&ran.out).into_iter().map(Result::unwrap).collect();
    assert!(!values.is_empty(), "{args:?}");
    let mut found = Vec::new();
    values.iter().for_each(|value| numbers("", value, &mut found));
    for (name, number) in found {
        assert!(!schema::is_always_word(&name), "{args:?}: {name} is {number}");
        let held = number.as_f64().is_some_and(|float| float.abs() < 9_007_199_254_740_992.0);
        assert!(held, "{args:?}: {name} is {number}");
    }
    values
}

fn word(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 18 && text.starts_with("0x"))
}

#[test]
fn no_json_holds_a_number_that_a_script_would_round() {
    let folder = folder("json numbers");
    json_of(&folder, &["convert", "dumps", "-o", "lake", "--json"]);
    let path = |at: usize| ["dumps/one/mini.dmp", "dumps/two/mini.dmp"][at];
    let info = json_of(&folder, &["info", path(0), "--json"]);
    assert!(word(&info[0]["dtb"]) && word(&info[0]["bugcheck_params"][3]), "{info:?}");
    for table in schema::all() {
        json_of(&folder, &["sql", "lake", &format!("FROM {} LIMIT 100", table.name), "--format", "json"]);
    }
    let modules = json_of(&folder, &["sql", "lake", "FROM modules", "--format", "json"]);
    assert!(modules[0].as_array().unwrap().iter().all(|row| word(&row["base"]) && row["size"].is_u64()));
    json_of(&folder, &["sql", "lake", "SELECT max(base), sum(base) FROM modules", "--format", "json"]);
    let patterns = json_of(&folder, &["patterns", "lake", "--json", "--rows", "100"]);
    let addresses: Vec<&Value> = patterns[0]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|pattern| pattern["findings"].as_array().unwrap())
        .map(|finding| &finding["address"])
        .filter(|address| !address.is_null())
        .collect();
    assert!(!addresses.is_empty() && addresses.into_iter().all(word));
    json_of(&folder, &["analyze", "lake", "--json"]);
    json_of(&folder, &["diff", "lake", path(0), path(1), "--json"]);
    json_of(&folder, &["lake", "list", "lake", "--json"]);
    json_of(&folder, &["lake", "files", "lake"]);
}

#[test]
fn the_catalogue_is_json_too() {
    let listed = json_of(&scratch("catalogue"), &["patterns", "--list", "--json"]);
    let patterns = listed[0].as_array().unwrap();
    assert_eq!(patterns.len(), queries::patterns::CATALOGUE.len());
    let deadlock = patterns.iter().find(|pattern| pattern["pattern"] == "deadlock").unwrap();
    assert_eq!((&deadlock["title"], &deadlock["section"]), (&json!("Deadlock"), &json!("D")));
    assert!(deadlock["question"].as_str().unwrap().ends_with('?') && deadlock["needs"].is_array());
}

#[test]
fn a_command_of_the_prompt_is_answered_in_one_call() {
    let folder = folder("dot commands");
    assert_eq!(dumplake_in(&folder, &["convert", "dumps", "-o", "lake"]).code, 0);
    let answer = |query: &str| dumplake_in(&folder, &["sql", "lake", query]);
    let tables = answer(".tables");
    assert!(tables.code == 0 && tables.out.contains("\nmodules "), "{}{}", tables.out, tables.err);
    assert!(answer(" .schema modules").out.contains("base"));
    assert!(answer(".views").out.contains("bugchecks"));
    let both = answer(".format csv\nSELECT 1 AS one;");
    assert_eq!((both.code, both.out.as_str()), (0, "one\r\n1\r\n"), "{}", both.err);
    let wrong = answer(".nothing");
    assert!(wrong.code == 2 && wrong.err.contains("`.help` lists them"), "{}", wrong.err);
    let file = dumplake_in(&folder, &["sql", "lake", ".tables", "-o", "tables.txt"]);
    assert_eq!((file.code, file.out.as_str()), (0, ""), "{}", file.err);
    assert_eq!(std::fs::read_to_string(folder.join("tables.txt")).unwrap(), tables.out);
}

/// `info` reads headers: what it counts is not called like a table of the lake, which counts more.
#[test]
fn counts_of_info_are_not_called_like_tables() {
    let folder = scratch("info counts");
    let file = busy_machine(Arch::X64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    let ran = dumplake(&["info".as_ref(), file.as_os_str(), "--json".as_ref()]);
    let facts: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(facts["listed_modules"], 2);
    assert_eq!(dumplake_in(&folder, &["convert", ".", "-o", "lake"]).code, 0);
    let lake = Ask::open(&folder.join("lake"));
    let is_table = |name: &str| schema::all().iter().any(|table| table.name == name);
    let dump = lake.row("FROM dumps");
    let mut counts = Vec::new();
    for (name, value) in facts.as_object().unwrap().iter().filter(|(_, value)| value.is_u64()) {
        match dump.get(name) {
            Some(stated) => assert_eq!(value, stated, "dumps.{name}"),
            None if is_table(name) => {
                assert_eq!(*value, lake.number(&format!("SELECT count(*) FROM {name}")), "{name}");
                counts.push(name.as_str());
            }
            None => {}
        }
    }
    assert_eq!(counts, ["memory_runs", "tagged_blobs"]);
    let text = dumplake(&["info".as_ref(), file.as_os_str()]);
    assert!(
        text.out.contains("listed_modules") && text.out.contains("The tables of a lake have"),
        "{}",
        text.out
    );
}
