//! Memory that was made to be swept badly: `residue` stays bounded, and says what it left out.

use crate::{
    residue::{TABLES, expected, planted},
    support::{Row, number, some_tables},
};
use fixtures::{Arch, Build, Format, Machine, PAGE, scenario::residue::Word};
use std::collections::BTreeSet;

/// A return address behind a direct call.
fn valid(words: &[Word]) -> u64 {
    words.iter().find(|word| word.target.call == Some("direct")).expect("a call").target.va
}

fn left_out(rows: &[Row]) -> Option<(&str, Option<u64>)> {
    let row = rows.iter().find(|row| row["kind"] == "too_many" && row["structure"] == "residue")?;
    Some((&row["found"], number(row, "address")))
}

fn on(page: u64) -> impl Fn(&&Row) -> bool {
    move |row| number(row, "pa").is_some_and(|pa| pa / PAGE == page)
}

/// Pages that nothing maps, full of valid return addresses with something between, cost so many rows and no more.
#[test]
fn pages_of_fake_return_addresses() {
    let (mut machine, words) = planted(Arch::X64, Build::WIN10_19041);
    machine.more_ram(0x2300, 4);
    let pair = [valid(&words).to_le_bytes(), 0u64.to_le_bytes()].concat();
    for page in 0x2300..0x2304 {
        machine.write_pa(page * PAGE, &pair.repeat(256));
    }
    let mut tables = some_tables(&machine, Format::Full, &["residue", "residue_pages", "faults"]);
    assert_eq!(tables["residue"].iter().filter(on(0x2301)).count(), 128);
    let sums = tables.remove("residue_pages").unwrap();
    assert_eq!(number(sums.iter().find(on(0x2301)).unwrap(), "validated"), Some(256));
    assert_eq!(left_out(&tables["faults"]), Some(("512 more", Some(0x2300 * PAGE))));
}

/// The same on a stack, word by word.
#[test]
fn stacks_of_fake_return_addresses() {
    let (mut machine, words) = planted(Arch::X64, Build::WIN10_19041);
    let thread = machine.facts.threads.iter().find(|thread| thread.state == 5).unwrap().clone();
    let page = thread.stack_base - 2 * PAGE;
    machine.write_va(fixtures::Space::Kernel, page, &valid(&words).to_le_bytes().repeat(512));
    let tables = some_tables(&machine, Format::Full, &["residue", "residue_pages", "faults"]);
    let here = |row: &&Row| number(row, "va").is_some_and(|va| va / PAGE == page / PAGE);
    assert_eq!(tables["residue"].iter().filter(here).count(), 256);
    let sums = tables["residue_pages"].iter().find(here).unwrap();
    assert_eq!((&*sums["page_kind"], number(sums, "validated")), ("kernel stack", Some(512)));
    assert_eq!(left_out(&tables["faults"]).map(|(found, _)| found), Some("256 more"));
}

/// Many such pages in a row end at the bound of a chunk (4 MiB of the file), and later chunks are looked at.
#[test]
fn megabytes_of_fake_return_addresses() {
    let (mut machine, words) = planted(Arch::X64, Build::WIN10_19041);
    let (first, count) = (0x2800, 1100);
    machine.more_ram(first, count);
    let pair = [valid(&words).to_le_bytes(), 0u64.to_le_bytes()].concat().repeat(256);
    for page in first..first + count {
        machine.write_pa(page * PAGE, &pair);
    }
    let tables = some_tables(&machine, Format::Full, &["residue", "residue_pages", "faults"]);
    assert!(tables["residue"].len() <= 4 * 0x1_0000, "{}", tables["residue"].len());
    let page = |row: &Row| number(row, "pa").map(|pa| pa / PAGE).filter(|page| *page >= first);
    let told = tables["residue"].iter().filter_map(page).collect::<BTreeSet<u64>>().len();
    assert!((512..1100).contains(&told), "{told} pages have rows");
    let sums = tables["residue_pages"].iter().filter(|row| number(row, "validated") == Some(256)).count();
    assert_eq!(sums as u64, count, "every page is counted");
    let of_pages = tables["residue"].iter().filter(|row| number(row, "pa") >= Some(first * PAGE)).count();
    let (found, _) = left_out(&tables["faults"]).unwrap();
    assert_eq!(found, format!("{} more", count * 256 - of_pages as u64));
}

fn all_are_told(machine: &Machine, words: &[Word]) {
    let mut tables = some_tables(machine, Format::Full, &TABLES);
    let rows = tables.remove("residue").unwrap();
    for word in words.iter().filter(|word| word.target.call.is_some() && expected(word).is_some()) {
        let row = rows.iter().find(|row| match word.va {
            Some(va) => number(row, "va") == Some(va),
            None => number(row, "pa") == word.pa,
        });
        assert_eq!(row.and_then(|row| number(row, "target")), Some(word.target.va), "{word:x?}");
        let module = &row.unwrap()["module"];
        assert!(module != "liar.sys" && module != "over.sys", "{word:x?} in {module}");
    }
}

/// Modules that claim the whole address space, and a ring of unloaded drivers with ranges that make no sense.
#[test]
fn modules_that_lie_about_their_size_hide_no_others() {
    for (arch, build, lowest) in [
        (Arch::X64, Build::WIN10_19041, 0xffff_f800_0000_0000),
        (Arch::X86Pae, Build::X86[0].clone(), 0x8000_0000),
    ] {
        let (mut machine, words) = planted(arch, build);
        let (last, base) = (machine.facts.modules.len() - 1, machine.facts.kernel_base);
        machine.facts.modules[last].size = !0xfff;
        machine.module("liar.sys", lowest, if arch.is_64() { !0xfff } else { 0x7fff_f000 });
        let time = machine.facts.system_time;
        machine.unloaded("over.sys", base - 0x100_0000, base + 0x100_0000 - 0x1000, time);
        machine.unloaded(
            "wrap.sys",
            (if arch.is_64() { u64::MAX } else { 0xffff_ffff }) - 0xfff,
            0x1000,
            time,
        );
        all_are_told(&machine, &words);
    }
}

/// Page tables that lead to one frame a hundred million times: 512 entries of each of three levels are the same.
#[test]
fn a_frame_that_is_mapped_a_hundred_million_times() {
    let (mut machine, words) = planted(Arch::X64, Build::WIN10_19041);
    let frame = 0x2300;
    machine.more_ram(frame, 4);
    for level in 0..3 {
        let entry = ((frame + level + 1) * PAGE) | 0x63; // valid, writable, accessed, dirty
        machine.write_pa((frame + level) * PAGE, &entry.to_le_bytes().repeat(512));
    }
    machine.write_pa((frame + 3) * PAGE, &[valid(&words).to_le_bytes(), [0; 8]].concat().repeat(256));
    // The last free entry of the root: behind everything else of the kernel, so that nothing else is left out.
    let root = machine.facts.dtb;
    machine.write_pa(root + 0x1fe * 8, &((frame * PAGE) | 0x63).to_le_bytes());
    let tables = some_tables(&machine, Format::Full, &["residue", "residue_pages", "faults"]);
    let sums: Vec<&Row> = tables["residue_pages"].iter().filter(on(frame + 3)).collect();
    assert_eq!(sums.len(), 1);
    let expected = ("kernel", Some(0xffff_ff00_0000_0000), Some(256));
    assert_eq!((&*sums[0]["page_kind"], number(sums[0], "va"), number(sums[0], "validated")), expected);
    assert!(!tables["residue"].iter().any(|row| on(frame + 3)(&row)), "kernel memory that is no stack");
    let faults = &tables["faults"];
    let fault = faults.iter().find(|row| row["kind"] == "too_many" && row["structure"] == "page tables");
    assert_eq!(fault.unwrap()["found"], "1 address spaces whose tables were not walked to their end");
    all_are_told(&machine, &words);
}
