//! `processes` of every build equals the plan.

use crate::support::{Row, kernels, tables_of};
use fixtures::{Format, Machine};

fn column<'a>(rows: &'a [Row], name: &str) -> Vec<Option<&'a str>> {
    rows.iter().map(|row| row.get(name).map(String::as_str)).collect()
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let number = build.number;
        let mut machine = Machine::new(arch, build);
        machine.process("notepad.exe", 4660);
        machine.process("a_name_that_is_longer.exe", 4664);
        let rows = tables_of(&machine, Format::Full).remove("processes").unwrap();
        let name = format!("{arch:?} {number}");
        assert_eq!(column(&rows, "process_id"), [Some("4"), Some("4660"), Some("4664")], "{name}");
        assert_eq!(
            column(&rows, "name"),
            [Some("System"), Some("notepad.exe"), Some("a_name_that_is")],
            "{name}"
        );
        let expected: Vec<String> =
            machine.facts.processes.iter().map(|process| process.eprocess.to_string()).collect();
        let expected: Vec<Option<&str>> = expected.iter().map(|va| Some(va.as_str())).collect();
        assert_eq!(column(&rows, "eprocess"), expected, "{name}");
    }
}
