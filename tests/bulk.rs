//! Many dumps, one lake: workers that die, hang or eat the memory, several runs at once, inputs that are no dumps.

mod bad_input;
mod isolation;

use crate::{
    ask::{Ask, Row},
    support::busy_machine,
};
use fixtures::{Arch, Family, Format};
use std::path::Path;

/// Writes `number` small dumps of different content.
pub fn write_dumps(folder: &Path, number: usize) {
    for number in 0..number {
        let mut machine = busy_machine(Arch::X64);
        machine.comment(&format!("number {number}"));
        let place = folder.join(format!("{number:04}"));
        std::fs::create_dir_all(&place).unwrap();
        machine.dump(Format::Triage(Family::B)).write_to(&place).unwrap();
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
