//! A complete dump made of what a small dump captured gives the same residue and pool rows as the small dump.

use crate::support::{Row, file_tables, offline};
use fixtures::{Arch, Build, Format, Machine, PAGE, Run, Space};
use memory::{Dump, Memory};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

const TABLES: [&str; 2] = ["residue", "pool_allocations"];

/// Maps every captured block into physical memory and writes it as a complete dump with the small dump's own header.
/// Pages of which a part was captured are filled with zeros; where that would be code which words of stacks point to,
/// `without`, the page is left out: zeros would say that no call is there, and nothing is known.
fn remade(dump: &Dump, without: &BTreeSet<u64>, folder: &Path) -> PathBuf {
    let Memory::Virtual(blocks) = &dump.memory else { panic!("a small dump") };
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x2000 }];
    let mut machine = Machine::blank(Arch::X64, Build::WIN10_19041, &runs);
    let file = dump.memory_file();
    for block in blocks.as_slice() {
        let bytes = &file[block.offset as usize..][..block.len as usize];
        let mut at = block.start.0;
        while at < block.start.0 + block.len {
            let end = ((at / PAGE + 1) * PAGE).min(block.start.0 + block.len);
            if !without.contains(&(at / PAGE)) {
                let range = (at - block.start.0) as usize..(end - block.start.0) as usize;
                machine.write_va(Space::Kernel, at, &bytes[range]);
            }
            at = end;
        }
    }
    modules(&mut machine, dump);
    let complete = machine.dump(Format::Full);
    let mut bytes = complete.bytes();
    let header = file[..0x2000].to_vec();
    let made = bytes[..0x2000].to_vec();
    bytes[..0x2000].copy_from_slice(&header);
    // DirectoryTableBase; PhysicalMemoryBlock; DumpType, RequiredDumpSpace.
    for range in [0x10..0x18, 0x88..0x348, 0xf98..0xfa8] {
        bytes[range.clone()].copy_from_slice(&made[range]);
    }
    let path = folder.join("remade.dmp");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The list of modules: a small dump states it, a complete one has it in memory.
fn modules(machine: &mut Machine, dump: &Dump) {
    let head = dump.records.header.ps_loaded_module_list.expect("its address");
    let mut links = vec![head];
    for module in &dump.records.modules {
        let path = module.path.as_deref().unwrap_or_default();
        let name = path.rsplit('\\').next().unwrap_or_default();
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let text = machine.kernel_alloc(name.len());
        machine.write_va(Space::Kernel, text, &name);
        let mut unicode = (name.len() as u16).to_le_bytes().repeat(2);
        unicode.extend([0; 4]);
        unicode.extend(text.to_le_bytes());
        let mut entry = machine.object("_KLDR_DATA_TABLE_ENTRY");
        entry.set("DllBase", module.base).set("SizeOfImage", module.size);
        entry.put("FullDllName", &unicode).put("BaseDllName", &unicode);
        let bytes = entry.finish();
        let at = machine.kernel_alloc(bytes.len());
        machine.write_va(Space::Kernel, at, &bytes);
        links.push(at);
    }
    for (index, at) in links.iter().enumerate() {
        let (next, last) = (links[(index + 1) % links.len()], links[(index + links.len() - 1) % links.len()]);
        machine.write_va(Space::Kernel, *at, &[next.to_le_bytes(), last.to_le_bytes()].concat());
    }
}

/// What a small dump holds of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    Nothing,
    Part,
    /// In one block.
    Whole,
}

fn held(dump: &Dump, va: u64) -> Held {
    let Memory::Virtual(blocks) = &dump.memory else { panic!("a small dump") };
    let page = va / PAGE * PAGE;
    let here: Vec<_> = blocks
        .as_slice()
        .iter()
        .filter(|block| block.start.0 < page + PAGE && block.start.0 + block.len > page)
        .collect();
    match here[..] {
        [] => Held::Nothing,
        [one] if one.start.0 <= page && one.start.0 + one.len >= page + PAGE => Held::Whole,
        _ => Held::Part,
    }
}

/// Pages of code that are there in part, and that words of stacks point to whose call is not; and headers of modules
/// that are there in part, since zeros say that no section is code.
fn code_in_part(dump: &Dump, rows: &[Row]) -> BTreeSet<u64> {
    let low = rows.iter().filter(|row| row["confidence"] == "low");
    let targets = low.map(|row| row["target"].parse::<u64>().unwrap());
    let headers = dump.records.modules.iter().map(|module| module.base);
    let pages = targets.flat_map(|target| [target - 1, target - 7]).chain(headers);
    pages.filter(|va| held(dump, *va) == Held::Part).map(|va| va / PAGE).collect()
}

/// Rows by address, without the physical one, which small dumps do not have.
fn by_address(rows: &[Row]) -> BTreeMap<u64, Row> {
    let row = |row: &Row| {
        let mut row = row.clone();
        row.remove("pa");
        (row["va"].parse().unwrap(), row)
    };
    let map: BTreeMap<u64, Row> = rows.iter().map(row).collect();
    assert_eq!(map.len(), rows.len(), "one row an address");
    map
}

/// Why the complete dump may say something else of a word than the small one does.
fn why(without: &BTreeSet<u64>, small: &Row, complete: Option<&Row>) -> Option<&'static str> {
    let target: u64 = small["target"].parse().unwrap();
    match complete {
        Some(complete) if without.contains(&((target - 1) / PAGE)) => {
            let code = ["call", "called", "confidence", "symbol", "offset", "function_offset"];
            let rest = |row: &Row| {
                let mut row = row.clone();
                row.retain(|column, _| !code.contains(&&**column));
                row
            };
            (rest(small) == rest(complete) && complete["confidence"] == "low")
                .then_some("the call is on a page of code that was left out")
        }
        None if small["page_kind"] == "processor stack" && !small.contains_key("depth") => {
            Some("a stack that only the header states")
        }
        None if small["page_kind"] == "kernel stack" && !small.contains_key("thread_id") => Some(
            "the stack of a thread of which a part is there: the list that leads to it runs through zeros",
        ),
        _ => None,
    }
}

/// How many rows differ, by the reason; a row without one fails.
fn differences(without: &BTreeSet<u64>, small: &[Row], complete: &[Row]) -> BTreeMap<&'static str, usize> {
    let (small, complete) = (by_address(small), by_address(complete));
    let mut counts = BTreeMap::new();
    for (_, row) in complete.iter().filter(|(va, _)| !small.contains_key(va)) {
        let target: u64 = row["target"].parse().unwrap();
        assert!(without.contains(&((target - 1) / PAGE)) && row["confidence"] == "low", "new: {row:?}");
        *counts.entry("no call, on a page of code that was left out").or_insert(0) += 1;
    }
    for (va, row) in &small {
        let made = complete.get(va);
        if made == Some(row) {
            *counts.entry("same").or_insert(0) += 1;
            continue;
        }
        let reason = why(without, row, made).unwrap_or_else(|| panic!("{row:?} became {made:?}"));
        *counts.entry(reason).or_insert(0) += 1;
    }
    counts
}

/// Blocks of pool are the same but where the small dump holds a part of their page: there zeros stand for what is not
/// known, so that other blocks have a place for a next header, and previews show more. Returns how many are the same,
/// and how many are gone.
fn pools(dump: &Dump, small: &[Row], complete: &[Row]) -> (usize, usize) {
    let (small, complete) = (by_address(small), by_address(complete));
    let mut gone = 0;
    for (va, row) in &small {
        let (made, part) = (complete.get(va), held(dump, *va) == Held::Part);
        let Some(mut made) = made.cloned() else {
            assert!(part, "gone: {row:?}");
            gone += 1;
            continue;
        };
        let mut row = row.clone();
        if part {
            let (longer, shorter) = (made.remove("preview"), row.remove("preview"));
            assert!(longer.unwrap_or_default().starts_with(&shorter.unwrap_or_default()), "{row:?}");
        }
        assert_eq!(row, made);
    }
    for (va, row) in complete.iter().filter(|(va, _)| !small.contains_key(va)) {
        assert_eq!(held(dump, *va), Held::Part, "only in the complete dump: {row:?}");
    }
    (small.len() - gone, gone)
}

/// The three that hold the front of the kernel's image, by which a complete dump is told which kernel it is. Words of
/// residue that are the same; blocks of pool that are, and that are gone.
const SMALL: [(&str, usize, (usize, usize)); 3] = [
    ("rizin-triage/triage_x64.dmp", 109, (642, 2)),
    ("rts-training-bsods/7e_0.dmp", 72, (496, 0)),
    ("rts-training-bsods/1e.dmp", 45, (192, 0)),
];

#[test]
fn real_small_dumps_as_complete_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/dumps");
    if !folder.is_dir() {
        return eprintln!(
            "skipped: complete dumps of small ones: there are no real dumps in ../shared/dumps"
        );
    }
    let scratch = std::env::temp_dir().join(format!("dumplake-remade-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    for (name, same, blocks) in SMALL {
        let path = folder.join(name);
        let dump = memory::open(&path, None).unwrap();
        let small = file_tables(&path, &offline(), &TABLES);
        let without = code_in_part(&dump, &small["residue"]);
        let complete = file_tables(&remade(&dump, &without, &scratch), &offline(), &TABLES);
        let counts = differences(&without, &small["residue"], &complete["residue"]);
        let pools = pools(&dump, &small["pool_allocations"], &complete["pool_allocations"]);
        eprintln!(
            "{name}: {} of {} words the same, {counts:?}, pool {pools:?}",
            counts["same"],
            small["residue"].len()
        );
        assert_eq!((counts["same"], pools), (same, blocks), "{name}");
    }
    std::fs::remove_dir_all(&scratch).unwrap();
}
