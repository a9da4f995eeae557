//! Many dumps, one lake: workers that die, hang or eat the memory, several runs at once, inputs that are no dumps.

mod archives;
mod bad_input;
mod copies;
mod isolation;

use crate::{
    ask::{Ask, Row},
    support::busy_machine,
};
use fixtures::{Arch, Family, Format};
use std::path::Path;

/// Writes `number` small dumps of different content, `0000.dmp` and so on. They differ in their comment only.
pub fn write_dumps(folder: &Path, number: usize) {
    std::fs::create_dir_all(folder).unwrap();
    let mut machine = busy_machine(Arch::X64);
    machine.comment("number 0000");
    let path = machine.dump(Format::Triage(Family::B)).write_to(folder).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    let at = bytes.windows(11).position(|window| window == b"number 0000").unwrap();
    for number in 0..number {
        let name = format!("{number:04}");
        bytes[at + 7..at + 11].copy_from_slice(name.as_bytes());
        std::fs::write(folder.join(name + ".dmp"), &bytes).unwrap();
    }
}

/// Every row of every table with its dump, but for the time of the conversion: for lakes that must be equal.
pub fn content(lake: &Path) -> Vec<(String, Vec<Row>)> {
    let ask = Ask::open(lake);
    let rows = |table: &str| match table {
        "dumps" => ask.rows("SELECT * EXCLUDE (converted_at) FROM dumps ORDER BY dump_id"),
        _ => ask.rows(&format!("SELECT count(*) AS n, sum(hash(t)::HUGEINT)::VARCHAR AS sum FROM {table} t")),
    };
    schema::all().iter().map(|spec| (spec.name.to_string(), rows(spec.name))).collect()
}
