//! `residue` and `residue_pages` against what was planted: nothing is missed, and what is told beside it has a name.

use crate::support::{Row, kernels, number, some_tables};
use fixtures::{
    Arch, Build, Format, Machine, PAGE, ProcessId, Space,
    scenario::{
        self,
        residue::{self, Place, Word},
    },
};
use std::collections::BTreeMap;

pub const TABLES: [&str; 2] = ["residue", "residue_pages"];

pub fn planted(arch: Arch, build: Build) -> (Machine, Vec<Word>) {
    let mut machine = scenario::busy(arch, build);
    let words = scenario::residue::add(&mut machine);
    (machine, words)
}

/// Whether a word is residue, and how sure that is.
pub fn expected(word: &Word) -> Option<&'static str> {
    let unloaded = word.target.why.contains("unloaded");
    let stack = matches!(
        word.place,
        Place::KernelStack { .. } | Place::ProcessorStack { .. } | Place::UserStack { .. }
    );
    match (word.place, word.target.call) {
        (Place::Table | Place::Pool | Place::Image, _) => None,
        (_, Some("direct" | "import")) => Some("high"),
        (_, Some(_)) => Some("medium"),
        (_, None) if word.target.missing && (stack || unloaded) => Some("low"),
        (_, None) => None,
    }
}

fn check(machine: &Machine, word: &Word, row: &Row, what: &str) {
    let text = |column: &str| row.get(column).map(String::as_str);
    assert_eq!(text("confidence"), expected(word), "{what}");
    assert_eq!(number(row, "target"), Some(word.target.va), "{what}");
    assert_eq!(text("call"), word.target.call, "{what}");
    assert_eq!(number(row, "called"), word.target.called, "{what}");
    let (kind, ethread, depth, live) = match word.place {
        Place::KernelStack { ethread, depth, live } => {
            ("kernel stack", Some(ethread), Some(depth), Some(live))
        }
        Place::ProcessorStack { depth } => ("processor stack", None, Some(depth), None),
        Place::UserStack { ethread, depth } => ("user stack", Some(ethread), Some(depth), None),
        _ => ("unmapped", None, None, None),
    };
    assert_eq!(text("page_kind"), Some(kind), "{what}");
    assert_eq!((number(row, "ethread"), number(row, "depth")), (ethread, depth), "{what}");
    assert_eq!(text("live"), live.map(|live| if live { "true" } else { "false" }), "{what}");
    let thread = machine.facts.threads.iter().find(|thread| Some(thread.ethread) == ethread);
    assert_eq!(number(row, "thread_id"), thread.map(|thread| thread.tid.into()), "{what}");
    let images = machine.facts.spaces.iter().flat_map(|space| &space.images).map(|image| &image.module);
    let holds = |base: u64, size: u64| (base..base + size).contains(&word.target.va);
    let unloaded = machine.facts.unloaded.iter().find(|old| holds(old.start, old.end - old.start));
    let module =
        machine.facts.modules.iter().chain(images).find(|module| holds(module.base, module.size.into()));
    let (name, base) = module
        .map(|module| (&module.name, module.base))
        .or(unloaded.map(|old| (&old.name, old.start)))
        .expect("a module");
    assert_eq!(text("module"), Some(&**name), "{what}");
    assert_eq!(text("unloaded") == Some("true"), unloaded.is_some(), "{what}");
    if matches!(word.place, Place::UserStack { .. }) {
        let (symbol, offset) = exported(word.target.va - base);
        assert_eq!((text("symbol"), number(row, "offset")), (Some(symbol), Some(offset)), "{what}");
        assert_eq!(number(row, "function_offset"), Some(offset), "{what}");
    }
    if text("symbol").is_none() {
        assert_eq!(number(row, "offset"), Some(word.target.va - base), "{what}");
    }
}

/// The export before a return address in notepad's `ntdll.dll`: the call is the byte before.
fn exported(rva: u64) -> (&'static str, u64) {
    let below = residue::EXPORTS.into_iter().filter(|(_, start)| u64::from(*start) < rva);
    let (name, start) = below.max_by_key(|(_, start)| *start).unwrap();
    (name, rva - u64::from(start))
}

/// A directory that is not as linkers write it names nothing: a name lies behind its end, or its page is not there.
#[test]
fn exports_that_are_not_as_linkers_write_them_name_nothing() {
    for (damage, named) in [("none", true), ("end", false), ("count", false), ("page", false)] {
        let (mut machine, words) = planted(Arch::X64, Build::WIN10_19041);
        let index = machine.facts.processes.iter().position(|it| it.name == "notepad.exe").unwrap();
        let space = Space::Process(ProcessId(index));
        let ntdll = machine.facts.spaces[0].images[1].module.base;
        let entry = ntdll + residue::directories(Arch::X64);
        let (at, value) = match damage {
            "end" => (entry + 4, 0x50u32),
            "count" => (ntdll + 0x1814, 0x7000),
            "page" => (entry, 0x9_0800),
            _ => (entry, 0x1800),
        };
        machine.patch(space, at, &value.to_le_bytes());
        let rows = some_tables(&machine, Format::Full, &TABLES).remove("residue").unwrap();
        let user: Vec<&Row> = rows.iter().filter(|row| row["page_kind"] == "user stack").collect();
        let planted = words.iter().filter(|word| matches!(word.place, Place::UserStack { .. }));
        assert_eq!(user.len(), planted.filter(|word| expected(word).is_some()).count(), "{damage}");
        for row in user {
            assert_eq!(row.contains_key("symbol"), named, "{damage}: {row:?}");
            let in_module = number(row, "target").unwrap() - ntdll;
            assert!(named || number(row, "offset") == Some(in_module), "{damage}: {row:?}");
        }
    }
}

#[test]
fn every_planted_return_address_is_told_and_coincidences_are_not() {
    for (arch, build) in kernels() {
        let what = format!("{arch:?} {}", build.number);
        let (machine, words) = planted(arch, build);
        let mut tables = some_tables(&machine, Format::Full, &TABLES);
        let mut by_place = BTreeMap::new();
        for row in tables.remove("residue").unwrap() {
            let place = (number(&row, "va"), number(&row, "pa").filter(|_| !row.contains_key("va")));
            assert!(by_place.insert(place, row).is_none(), "{what}: told twice: {place:x?}");
        }
        assert!(words.iter().filter(|word| expected(word).is_some()).count() > 40);
        for word in &words {
            let what = format!("{what}: {word:x?}");
            match (expected(word), by_place.remove(&(word.va, word.pa))) {
                (Some(_), Some(row)) => check(&machine, word, &row, &what),
                (None, None) => {}
                (expected, found) => panic!("{what}: expected {expected:?}, found {found:?}"),
            }
        }
        // Random bytes at the top of each stack: of 32 bits some words point into text that is not in the dump.
        for row in by_place.values() {
            let random = row["page_kind"] == "kernel stack" && row["confidence"] == "low";
            assert!(random && !arch.is_64(), "{what}: {row:?}");
        }
    }
}

#[test]
fn pages_are_counted() {
    for (arch, build) in kernels() {
        let what = format!("{arch:?} {}", build.number);
        let (machine, words) = planted(arch, build);
        let mut tables = some_tables(&machine, Format::Full, &TABLES);
        let rows = tables.remove("residue_pages").unwrap();
        let of = |place: Place, kind: &str| {
            let here: Vec<&Word> = words.iter().filter(|word| word.place == place).collect();
            let page = |address: u64| address / PAGE * PAGE;
            let row = match (here[0].va, here[0].pa) {
                (Some(va), _) => rows.iter().find(|row| number(row, "va") == Some(page(va))),
                (None, pa) => rows.iter().find(|row| number(row, "pa") == pa.map(page)),
            };
            let row = row.unwrap_or_else(|| panic!("{what}: no row of {place:?}"));
            assert_eq!(row["page_kind"], kind, "{what}");
            let validated = here.iter().filter(|word| word.target.call.is_some()).count() as u64;
            let unverified = here.iter().filter(|word| word.target.missing).count() as u64;
            let in_tables = if place == Place::Table { here.len() as u64 } else { 0 };
            let counts = ["candidates", "validated", "unverified", "in_tables", "modules"]
                .map(|column| number(row, column).unwrap());
            assert_eq!(counts, [here.len() as u64, validated, unverified, in_tables, 4], "{what} {place:?}");
        };
        of(Place::Unmapped, "unmapped");
        of(Place::Table, "unmapped");
        of(Place::Pool, "kernel");
        of(Place::Image, "image");
    }
}
