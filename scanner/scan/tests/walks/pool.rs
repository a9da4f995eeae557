//! `big_pool` and `pool_tags` of every build equal the plan; damaged tables end where the damage is.

use crate::support::{Row, Tables, faults, kernels, number, symbols_of, tables_of};
use fixtures::{Arch, Build, Facts, Format, Machine, PoolUse, Space, Tag, scenario};

fn by_key(rows: &[Row], tag: Tag) -> &Row {
    let key = tag.key().to_string();
    rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("no {tag:?} in {rows:?}"))
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        let facts = &machine.facts;
        if !facts.layout().has("_POOL_TRACKER_BIG_PAGES") {
            // The public ARM64 sources have none of the pool's structures.
            assert_eq!(arch, Arch::Arm64, "{name}");
            assert!(tables["big_pool"].is_empty() && tables["pool_tags"].is_empty(), "{name}");
            continue;
        }
        big_pool(facts, &tables["big_pool"], &name);
        pool_tags(facts, &tables["pool_tags"], &name);
        for structure in ["PoolBigPageTable", "PoolTrackTable", "ExPoolTagTables"] {
            assert!(faults(&tables, structure).is_empty(), "{name}: {:?}", faults(&tables, structure));
        }
    }
}

/// The sweep and the walk both ask for the tags; reading them again would meet the bound of what is read of a dump.
#[test]
fn the_tracker_is_read_once() {
    let machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    crate::support::with_system(&machine, Format::Full, &symbols_of(&machine.facts), |system| {
        assert!(!system.pool_tags().is_empty() && std::ptr::eq(system.pool_tags(), system.pool_tags()));
    });
}

fn big_pool(facts: &Facts, rows: &[Row], name: &str) {
    assert_eq!(rows.len(), facts.resources.big_pool.len(), "{name}");
    let place = |path| facts.layout().find("_POOL_TRACKER_BIG_PAGES", path);
    for planted in &facts.resources.big_pool {
        let row = by_key(rows, planted.tag);
        assert_eq!(number(row, "address"), Some(planted.va), "{name}");
        assert_eq!(row["free"], planted.free.to_string(), "{name}");
        assert_eq!(row["protected"], planted.tag.protected.to_string(), "{name}");
        assert_eq!(number(row, "size"), Some(planted.bytes), "{name}");
        // XP has no pool type, and the public source of 26100 states no bits.
        let typed = place("PoolType").is_some();
        assert_eq!(typed, !matches!(facts.build.number, 2600 | 26100), "{name}");
        assert_eq!(number(row, "pool_type"), typed.then_some(planted.pool_type.into()), "{name}");
        assert_eq!(row.contains_key("paged"), typed, "{name}");
        let bits = place("Pattern").is_some_and(|place| place.bits.is_some());
        assert_eq!(number(row, "pattern"), bits.then_some(0x5a), "{name}");
        assert_eq!(number(row, "slush_size"), bits.then_some(0x123), "{name}");
        let billed = planted.billed.filter(|_| place("ProcessBilled").is_some());
        let process = billed.map(|process| &facts.processes[process]);
        assert_eq!(number(row, "process_billed"), process.map(|process| process.eprocess), "{name}");
        assert_eq!(number(row, "process_id"), process.map(|process| process.pid.into()), "{name}");
    }
    assert_eq!(by_key(rows, facts.resources.big_pool[4].tag)["tag"], "Co. ", "{name}");
    assert_eq!(by_key(rows, facts.resources.big_pool[3].tag)["tag"], "Thre", "{name}");
}

fn pool_tags(facts: &Facts, rows: &[Row], name: &str) {
    assert_eq!(rows.len(), facts.resources.pool_tags.len(), "{name}");
    for planted in &facts.resources.pool_tags {
        let row = by_key(rows, planted.tag);
        let read = |pool: &str| PoolUse {
            allocs: number(row, &format!("{pool}_allocs")).unwrap(),
            frees: number(row, &format!("{pool}_frees")).unwrap(),
            bytes: number(row, &format!("{pool}_bytes")).unwrap(),
        };
        assert_eq!((read("nonpaged"), read("paged")), (planted.nonpaged, planted.paged), "{name}");
        let tables = if planted.expansion { 1 } else { 1 + u64::from(facts.processors) };
        assert_eq!(number(row, "tables"), Some(tables), "{name}");
    }
}

fn damaged(symbol: &str, bytes: &[u8]) -> (Machine, Tables) {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    machine.patch(Space::Kernel, machine.facts.symbol(symbol), bytes);
    let tables = tables_of(&machine, Format::Full);
    (machine, tables)
}

/// The count says far more than there is: what is there stays, and the walk ends.
#[test]
fn lying_counts() {
    for count in [0x00ff_ffffu32, u32::MAX] {
        let (machine, tables) = damaged("PoolBigPageTableSize", &count.to_le_bytes());
        assert!(tables["big_pool"].len() >= machine.facts.resources.big_pool.len());
        assert!(!faults(&tables, "PoolBigPageTable").is_empty());
        assert_eq!(faults(&tables, "PoolBigPageTableSize").len(), usize::from(count == u32::MAX));
        let (machine, tables) = damaged("PoolTrackTableSize", &count.to_le_bytes());
        assert!(tables["pool_tags"].len() >= machine.facts.resources.pool_tags.len());
        assert!(!faults(&tables, "PoolTrackTable").is_empty());
    }
}

#[test]
fn wild_pointers() {
    for va in [0u64, 0x4141, 0x4141_4141_4141_4141, 0xffff_f000_1234_5678, u64::MAX] {
        let (_, tables) = damaged("PoolBigPageTable", &va.to_le_bytes());
        assert!(tables["big_pool"].is_empty());
        assert!(!faults(&tables, "PoolBigPageTable").is_empty(), "{va:#x}");
        let (_, tables) = damaged("PoolTrackTable", &va.to_le_bytes());
        assert!(tables["pool_tags"].len() <= 3 && !faults(&tables, "PoolTrackTable").is_empty(), "{va:#x}");
        // One processor's table is lost; the others stay.
        let (_, tables) = damaged("ExPoolTagTables", &va.to_le_bytes());
        assert_eq!(tables["pool_tags"].len(), 3, "{va:#x}");
    }
}

/// Both processors name the global table, which counts once.
#[test]
fn a_shared_table() {
    let machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let plan = machine.dump(Format::Full).plan;
    let pa = plan.physical(Space::Kernel, machine.facts.symbol("PoolTrackTable")).unwrap();
    let table = &plan.page(pa / 0x1000).unwrap()[(pa % 0x1000) as usize..][..8];
    let (_, tables) = damaged("ExPoolTagTables", &[table, table].concat());
    assert!(tables["pool_tags"].iter().all(|row| row["tables"] == "1"), "{:?}", tables["pool_tags"]);
}
