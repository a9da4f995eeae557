//! `windows.poolscanner` over pages of the classic pool that hold hidden, freed and listed objects, blocks with a tag and
//! no object, and headers that were wiped: block by block beside `pool_allocations`.

use super::{
    Python, Read, number, one, ours, short, text,
    walk_support::{Row, some_tables},
};
use fixtures::{Arch, Build, PAGE, PoolPlace, scenario};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

/// Kernels with a classic pool. They scan physical memory of the first, and what the kernel's tables lead to of the other.
const BUILDS: [Build; 2] = [Build::WIN7_7601, Build::WIN10_14393];

const PLUGIN: &str = "windows.poolscanner.PoolScanner";

/// Their constraints (`poolscanner.py`): tag without its protected bit, structure, least bytes of the block.
const SCANNED: [(&[u8; 4], &str, u64); 7] = [
    (b"Proc", "_EPROCESS", 600),
    (b"Thre", "_ETHREAD", 600),
    (b"File", "_FILE_OBJECT", 150),
    (b"Muta", "_KMUTANT", 64),
    (b"Driv", "_DRIVER_OBJECT", 248),
    (b"Symb", "_OBJECT_SYMBOLIC_LINK", 72),
    (b"MmLd", "_LDR_DATA_TABLE_ENTRY", 76),
];

/// Structures by the address of the pool header in the memory that they scan.
type Headers = BTreeMap<u64, String>;

struct Pooled {
    read: Read,
    /// What was planted with a header that nobody wiped, by virtual address.
    planted: Headers,
}

fn read() -> Option<&'static [Pooled]> {
    static READ: OnceLock<Option<Vec<Pooled>>> = OnceLock::new();
    let made = READ.get_or_init(|| {
        let python = Python::with_volatility()?;
        let read = |build: &Build| {
            let machine = scenario::hidden_in_pools(Arch::X64, build.clone());
            let planted = planted(&machine);
            let read = one(&python, machine, &[PLUGIN], |machine, format| {
                some_tables(machine, format, &["pool_allocations"])
            });
            Pooled { read, planted }
        };
        Some(BUILDS.iter().map(read).collect())
    });
    made.as_deref()
}

fn planted(machine: &fixtures::Machine) -> Headers {
    let wiped = |body: Option<u64>| {
        let mut hidden = machine.facts.hidden.iter();
        hidden.any(|hidden| Some(hidden.va) == body && hidden.what.contains("pool"))
    };
    let objects = machine.object_blocks().into_iter().filter(|block| !wiped(block.body));
    let objects = objects.map(|block| (block.va, block.tag, block.size));
    let tagged = machine.facts.pools.pages.iter().flat_map(|page| {
        let PoolPlace::Va(base) = page.at else { panic!("a page that is mapped") };
        page.blocks.iter().map(move |it| (base + it.offset as u64, it.tag.key(), it.size as u64))
    });
    let known = |(va, tag, size)| Some((short(va), structure(tag, size)?));
    objects.chain(tagged).filter_map(known).collect()
}

/// What they take a block for.
fn structure(tag: u32, size: u64) -> Option<String> {
    let tag = (tag & 0x7fff_ffff).to_le_bytes();
    let known = SCANNED.iter().find(|(known, _, least)| **known == tag && size >= *least);
    known.map(|(_, structure, _)| structure.to_string())
}

/// Where a block of ours is in the memory that they scan: physical memory before Windows 10.
fn place(read: &Read, row: &Row) -> u64 {
    let physical = read.facts.build.number < 10_240;
    if physical { ours(row, "pa").unwrap() } else { short(ours(row, "va").unwrap()) }
}

/// On pages of pool both find the same blocks, which are those that were planted. They also show headers that stand alone
/// on other pages, among data that is no pool, which to them looks the same: of those `found_objects` has the objects.
#[test]
fn poolscanner_over_pages_of_pool() {
    for Pooled { read, planted } in read().into_iter().flatten() {
        let name = read.name("poolscanner");
        let rows = read.ours("pool_allocations");
        let pages: BTreeSet<u64> = rows.iter().map(|row| place(read, row) / PAGE).collect();
        let shown = read.theirs(PLUGIN).iter().map(|row| {
            let structure = text(row, "Tag").unwrap().rsplit('!').next().unwrap();
            (number(row, "Offset").unwrap(), structure.to_string())
        });
        let (theirs, alone): (Headers, Headers) = shown.partition(|(at, _)| pages.contains(&(at / PAGE)));
        let scanned = rows.iter().filter_map(|row| {
            Some((row, structure(ours(row, "key").unwrap() as u32, ours(row, "size").unwrap())?))
        });
        let mine: Vec<(&Row, String)> = scanned.collect();
        let by_place: Headers = mine.iter().map(|(row, of)| (place(read, row), of.clone())).collect();
        assert_eq!(by_place, theirs, "{name}");
        let by_address: Headers =
            mine.iter().map(|(row, of)| (short(ours(row, "va").unwrap()), of.clone())).collect();
        assert_eq!(&by_address, planted, "{name}");
        let freed = mine.iter().filter(|(row, _)| row["state"] == "freed").count();
        assert_eq!((mine.len() > 12, freed), (true, 4), "{name}: file, mutant, link, entry");
        assert!(alone.len() > 20, "{name}: {alone:x?}");
        assert!(rows.len() > mine.len() + 8, "{name}: blocks of other tags are rows of ours alone");
    }
}
