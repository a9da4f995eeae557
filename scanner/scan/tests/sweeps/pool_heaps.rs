//! `pool_allocations` and `pool_pages` of segment heaps: with their own books every block in its state; without them
//! what pool headers alone tell.

use crate::support::{Row, Tables, some_tables};
use fixtures::{Arch, Build, Damage, Format, HeapRange, Machine, scenario};
use std::collections::BTreeMap;

fn kernels() -> Vec<(Arch, Build)> {
    let new = |build: &Build| build.number >= 17_763;
    let x64 = Build::X64.into_iter().filter(new).map(|build| (Arch::X64, build));
    let of = |arch| Build::X86.into_iter().filter(new).map(move |build| (arch, build));
    x64.chain(of(Arch::X86)).chain(of(Arch::X86Pae)).collect()
}

fn tables(machine: &Machine) -> Tables {
    some_tables(machine, Format::Full, &["pool_allocations", "pool_pages", "faults"])
}

fn number(row: &Row, name: &str) -> u64 {
    row[name].parse().unwrap_or_else(|_| panic!("{name} is {}", row[name]))
}

fn by_address(rows: &[Row]) -> BTreeMap<u64, &Row> {
    rows.iter().map(|row| (number(row, "va"), row)).collect()
}

fn ranges(machine: &Machine) -> impl Iterator<Item = (usize, &HeapRange)> {
    let heaps = machine.facts.pools.heaps.iter();
    heaps.flat_map(|heap| heap.ranges.iter().map(|range| (heap.index, range)))
}

/// Between the two kinds of pool, no era is left out.
#[test]
fn every_era() {
    let all: Vec<_> = crate::pool::kernels().into_iter().chain(kernels()).collect();
    let has = |arch, number| all.iter().any(|(of, build)| *of == arch && build.number == number);
    assert!([2600, 7601, 19_041].into_iter().all(|number| has(Arch::X86Pae, number)));
    assert!([7601, 9600, 14_393, 17_763, 19_041, 22_621, 26_100].into_iter().all(|n| has(Arch::X64, n)));
}

#[test]
fn every_block_in_its_state_and_nothing_else() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::pools(arch, build);
        assert!(!machine.facts.pools.heaps.is_empty(), "{name}");
        let tables = tables(&machine);
        let mut rows = by_address(&tables["pool_allocations"]);
        for (index, range) in ranges(&machine) {
            let end = range.va + range.pages as u64 * 0x1000;
            if range.damage.is_some() {
                rows.retain(|va, _| !(range.va..end).contains(va));
                continue;
            }
            for block in &range.blocks {
                let Some((at, size, tag)) = block.pool else { continue };
                let row = rows.remove(&(range.va + at as u64));
                let row = row.unwrap_or_else(|| panic!("{name}: no {block:x?} of {:x}", range.va));
                let state = if block.allocated { "allocated" } else { "freed" };
                assert_eq!(
                    (row["state"].as_str(), number(row, "size")),
                    (state, size as u64),
                    "{name} {row:?}"
                );
                assert_eq!(number(row, "key"), u64::from(tag.key()), "{name}");
                let allocator = if range.lfh { "lfh" } else { "vs" };
                let chain = (!range.lfh).then_some("true"); // blocks of the other kind do not know their neighbours
                assert_eq!(row.get("chain_ok").map(String::as_str), chain, "{name} {row:?}");
                assert_eq!((&*row["allocator"], &*row["confidence"]), (allocator, "high"), "{name}");
                assert_eq!(row["kind"], ["nonpaged", "nonpaged_nx", "paged"][index], "{name}");
            }
        }
        assert!(rows.is_empty(), "{name}: not planted: {:?}", rows.values().next());
        let about = |row: &&Row| row.get("structure").is_some_and(|of| of.contains("HEAP"));
        assert_eq!(tables["faults"].iter().find(about), None, "{name}");
    }
}

/// Chunks that disagree are found where they are, and all others are read.
#[test]
fn broken_chunks() {
    for (arch, build) in kernels() {
        let machine = scenario::pools(arch, build.clone());
        let tables = tables(&machine);
        let pages = by_address(&tables["pool_pages"]);
        let mut seen = 0;
        for (_, range) in ranges(&machine) {
            let Some(damage) = range.damage else { continue };
            let name = format!("{arch:?} {} {damage:?} {:x}", build.number, range.va);
            let at = range.blocks[damage.block()].offset as u64;
            let row = pages[&(range.va + at / 0x1000 * 0x1000)];
            assert_eq!(
                (&*row["chain_ok"], number(row, "broken_at")),
                ("false", at % 0x1000),
                "{name} {row:?}"
            );
            let word = match damage {
                Damage::PreviousSize(_) => "previous_size",
                Damage::ZeroSize(_) => "zero_size",
                _ => "past_page_end",
            };
            assert_eq!(row["wrong"], word, "{name}");
            seen += 1;
        }
        assert_eq!(seen, 3);
        let broken = tables["pool_pages"]
            .iter()
            .filter(|row| row.get("chain_ok").is_some_and(|ok| ok == "false"))
            .count();
        assert_eq!(broken, 3, "{arch:?} {build:?}");
    }
}

/// Without `ExPoolState` every block in use that has a neighbour is still found, and decoys are not.
#[test]
fn an_unknown_heap() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let mut machine = scenario::pools(arch, build);
        let state = machine.facts.symbol("ExPoolState");
        machine.patch(fixtures::Space::Kernel, state, &[0; 8]);
        let tables = tables(&machine);
        let rows = by_address(&tables["pool_allocations"]);
        let (mut all, mut found, mut places) = (0, 0, Vec::new());
        for (_, range) in ranges(&machine) {
            places.push(range.va..range.va + range.pages as u64 * 0x1000);
            for block in range.blocks.iter().filter(|block| block.allocated) {
                let Some((at, size, tag)) = block.pool else { continue };
                all += 1;
                if let Some(row) = rows.get(&(range.va + at as u64)) {
                    found += 1;
                    assert_eq!(
                        (number(row, "size"), number(row, "key")),
                        (size as u64, u64::from(tag.key())),
                        "{name}"
                    );
                    assert_eq!((&*row["confidence"], &*row["allocator"]), ("medium", "segment"), "{name}");
                }
            }
        }
        for row in [&tables["pool_allocations"], &tables["pool_pages"]].into_iter().flatten() {
            assert_eq!(row.get("chain_ok"), None, "{name}: {row:?}");
        }
        // The others stand between freed chunks that lost their headers.
        assert!(found * 10 > all * 8, "{name}: {found} of {all}");
        for (va, row) in &rows {
            assert!(places.iter().any(|place| place.contains(va)), "{name}: a decoy became {row:?}");
        }
    }
}

/// A heap of special pool: its blocks say so, and those of all others do not. Where there are three such heaps, what
/// stands behind them is none.
#[test]
fn special_pool() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let mut machine = scenario::pools(arch, build.clone());
        let usual = tables(&machine);
        let special = &mut machine.facts.pools.heaps[1];
        special.special = true;
        let last = special.ranges.last().unwrap();
        let places = special.segment..last.va + last.pages as u64 * 0x1000;
        if [17_763, 18_362].contains(&build.number) {
            let state = machine.facts.symbol("ExPoolState");
            let heaps = machine.layout().offset("_EX_POOL_HEAP_MANAGER_STATE", "SpecialHeaps") as u64;
            let behind = state + heaps + 3 * arch.pointer() as u64;
            let kernel = machine.facts.kernel_base.to_le_bytes();
            machine.patch(fixtures::Space::Kernel, behind, &kernel);
        }
        let tables = tables(&machine);
        let (rows, before) =
            (by_address(&tables["pool_allocations"]), by_address(&usual["pool_allocations"]));
        let (mut inside, mut outside) = (0, 0);
        for (va, row) in &rows {
            let (is_special, mut same) = (places.contains(va), Row::clone(row));
            *(if is_special { &mut inside } else { &mut outside }) += 1;
            assert_eq!(row["allocator"] == "special", is_special, "{name}: {row:?}");
            for column in ["allocator", "pa"] {
                same.insert(column.into(), before[va][column].clone());
            }
            assert_eq!(&same, before[va], "{name}: all else is the same");
        }
        assert_eq!(rows.len(), before.len(), "{name}");
        assert!(inside > 100 && outside > 100, "{name}: {inside} {outside}");
        let about = |row: &&Row| row.get("structure").is_some_and(|of| of.contains("HEAP"));
        assert_eq!(tables["faults"].iter().find(about), None, "{name}");
    }
}
