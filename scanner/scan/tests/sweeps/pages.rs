//! `pages`: the reverse map against what was planted.

use crate::support::{Row, kernels, some_tables};
use fixtures::{Arch, Format, Machine, PAGE, PageFrame, Space, scenario};
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
        assert_eq!(user["content"], "data", "a few words are no text");
        for planted in machine.facts.planted.iter().filter(|planted| planted.space == Space::Kernel) {
            let page = planted.va / PAGE * PAGE;
            assert!(rows.contains_key(&(page.to_string(), None)), "{arch:?} {build:?}: {page:#x}");
        }
    }
}

#[test]
fn every_page_of_the_dump_has_a_row_and_empty_ones_say_so() {
    let machine = scenario::busy(Arch::X64, fixtures::Build::WIN10_19041);
    let frames: u64 = machine.runs().iter().map(|run| run.count).sum();
    let mut tables = some_tables(&machine, Format::Full, &["pages"]);
    let rows = tables.remove("pages").unwrap();
    assert_eq!(rows.len() as u64, frames);
    assert!(rows.iter().filter(|row| row["content"] == "zero").count() > 100);
    let addresses: Vec<u64> = rows.iter().map(|row| row["pa"].parse().unwrap()).collect();
    assert!(addresses.is_sorted());
}

/// Frames that are surely in memory, far enough apart that each has a page of the database for itself.
#[test]
fn what_the_page_frame_database_says() {
    for (arch, build) in kernels() {
        let mut machine = scenario::busy(arch, build.clone());
        if machine.layout().find("_MMPFN", "u3.e1.PageLocation").is_none() {
            continue;
        }
        let frame = |pfn, location, shares, modified, priority| PageFrame {
            pfn,
            location,
            shares,
            references: 3,
            priority,
            modified,
            pte: machine.facts.kernel_base + pfn * 8,
            prototype: location == 2,
        };
        let frames = vec![
            frame(0x110, 6, 2, true, 5),
            frame(0x311, 2, 0x77, false, 7),
            frame(0x512, 1, 0x99, false, 0),
        ];
        machine.facts.frames = frames.clone();
        let mut tables = some_tables(&machine, Format::Full, &["pages"]);
        let rows = tables.remove("pages").unwrap();
        if arch == Arch::X86Pae && build.number < 9200 {
            // What is public of these kernels is without PAE, where the entries in the structure have 4 bytes.
            assert!(rows.iter().all(|row| !row.contains_key("list")), "{build:?}");
            continue;
        }
        for frame in frames {
            let pa = (frame.pfn * PAGE).to_string();
            let row = rows.iter().find(|row| row["pa"] == pa).unwrap();
            let list =
                ["zeroed", "free", "standby", "modified", "", "", "active"][usize::from(frame.location)];
            assert_eq!(row.get("list").map(String::as_str), Some(list), "{arch:?} {build:?}");
            assert_eq!(row["modified"], frame.modified.to_string(), "{arch:?} {build:?}");
            let priority = (build.major >= 6).then(|| frame.priority.to_string());
            assert_eq!(row.get("priority"), priority.as_ref(), "{arch:?} {build:?}");
            assert_eq!(row["reference_count"], "3", "{arch:?} {build:?}");
            let layout = machine.layout();
            let known = |member, value: u64| layout.find("_MMPFN", member).map(|_| value.to_string());
            assert_eq!(row.get("pte_address"), known("PteAddress", frame.pte).as_ref(), "{arch:?} {build:?}");
            // Of a page that is not active the member is a link of its list.
            let shares = known("u2.ShareCount", frame.shares).filter(|_| frame.location == 6);
            assert_eq!(row.get("share_count"), shares.as_ref(), "{arch:?} {build:?}");
            if let Some(prototype) = row.get("prototype_pte") {
                assert_eq!(*prototype, (frame.location == 2).to_string(), "{arch:?} {build:?}");
            }
        }
        assert!(rows.iter().any(|row| !row.contains_key("list")), "pages whose entry is not in the dump");
    }
}
