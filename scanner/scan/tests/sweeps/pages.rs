//! `pages`: the reverse map against what was planted.

use crate::support::{Row, kernels, some_tables};
use fixtures::{Format, Machine, PAGE, Space, scenario};
use std::collections::BTreeMap;

/// Rows of `pages` by virtual address as text.
fn by_va(machine: &Machine, format: Format) -> BTreeMap<(String, Option<String>), Row> {
    let mut tables = some_tables(machine, format, &["pages"]);
    let rows = tables.remove("pages").unwrap();
    rows.into_iter()
        .filter_map(|row| Some(((row.get("va")?.clone(), row.get("process").cloned()), row)))
        .collect()
}

#[test]
fn every_planted_page_is_found_under_its_address() {
    for (arch, build) in kernels() {
        let mut machine = scenario::busy(arch, build.clone());
        let process = machine.process("reader.exe", 0x4440);
        let va = if arch.is_64() { 0x7ff6_1234_5000 } else { 0x0123_4000 };
        machine.write_va(Space::Process(process), va, b"in user memory");
        machine.write_va(Space::Kernel, machine.facts.kernel_base + 0x70_0000, b"in the kernel");
        let rows = by_va(&machine, Format::Full);
        let eprocess = machine.facts.processes[process.0].eprocess;
        let user = &rows[&(va.to_string(), Some(eprocess.to_string()))];
        assert_eq!(user["process_id"], (0x4440).to_string(), "{arch:?} {build:?}");
        assert_eq!(user["content"], "data");
        for planted in machine.facts.planted.iter().filter(|planted| planted.space == Space::Kernel) {
            let page = planted.va / PAGE * PAGE;
            assert!(rows.contains_key(&(page.to_string(), None)), "{arch:?} {build:?}: {page:#x}");
        }
    }
}

#[test]
fn every_page_of_the_dump_has_a_row_and_empty_ones_say_so() {
    let machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let frames: u64 = machine.runs().iter().map(|run| run.count).sum();
    let mut tables = some_tables(&machine, Format::Full, &["pages"]);
    let rows = tables.remove("pages").unwrap();
    assert_eq!(rows.len() as u64, frames);
    assert!(rows.iter().filter(|row| row["content"] == "zero").count() > 100);
    let addresses: Vec<u64> = rows.iter().map(|row| row["pa"].parse().unwrap()).collect();
    assert!(addresses.is_sorted());
}
