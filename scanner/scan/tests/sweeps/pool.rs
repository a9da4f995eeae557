//! `pool_allocations` and `pool_pages` of the classic pool: every planted block, and every break at the right header.

use crate::support::{Row, Tables, number, some_tables};
use fixtures::{
    Arch, Build, Damage, Facts, Format, Machine, ObjectBlock, PAGE, PoolBlock, PoolKind, PoolPage, PoolPlace,
    Space, scenario,
};
use std::collections::BTreeMap;

/// Kernels with a classic pool.
pub fn kernels() -> Vec<(Arch, Build)> {
    let old = |build: &Build| build.number < 17_763;
    let x64 = Build::X64.into_iter().filter(old).map(|build| (Arch::X64, build));
    let of = |arch| Build::X86.into_iter().filter(old).map(move |build| (arch, build));
    x64.chain(of(Arch::X86)).chain(of(Arch::X86Pae)).collect()
}

fn tables(machine: &Machine) -> Tables {
    some_tables(machine, Format::Full, &["pool_allocations", "pool_pages"])
}

/// Rows by address: virtual, or physical where there is none.
fn by_address(rows: &[Row]) -> BTreeMap<u64, &Row> {
    rows.iter().map(|row| (number(row, "va").or(number(row, "pa")).unwrap(), row)).collect()
}

fn base(page: &PoolPage) -> u64 {
    match page.at {
        PoolPlace::Va(va) => va,
        PoolPlace::Pa(pa) => pa,
    }
}

fn kind(page: &PoolPage) -> &'static str {
    match page.kind {
        PoolKind::NonPaged => "nonpaged",
        PoolKind::Paged => "paged",
        PoolKind::Session => "session",
    }
}

#[test]
fn every_block_of_every_era_and_nothing_else() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::pools(arch, build);
        let tables = tables(&machine);
        let facts = &machine.facts;
        let mut rows = by_address(&tables["pool_allocations"]);
        assert_eq!(rows.len(), tables["pool_allocations"].len(), "{name}");
        for page in facts.pools.pages.iter().filter(|page| page.damage.is_none()) {
            for block in &page.blocks {
                let row = rows.remove(&(base(page) + block.offset as u64));
                let row = row.unwrap_or_else(|| panic!("{name}: no {block:x?} in {:x?}", page.at));
                check_block(facts, page, block, row, &name);
            }
        }
        for page in facts.pools.pages.iter().filter(|page| page.damage.is_some()) {
            rows.retain(|va, _| !(base(page)..base(page) + 0x1000).contains(va));
        }
        assert!(rows.is_empty(), "{name}: not planted: {:?}", rows.values().next());
    }
}

fn check_block(facts: &Facts, page: &PoolPage, block: &PoolBlock, row: &Row, name: &str) {
    let state = if block.allocated { "allocated" } else { "freed" };
    assert_eq!(number(row, "key"), Some(block.tag.key().into()), "{name}");
    assert_eq!((row["state"].as_str(), row["kind"].as_str()), (state, kind(page)), "{name} {row:?}");
    assert_eq!(
        (row["allocator"].as_str(), row["confidence"].as_str()),
        ("classic", "high"),
        "{name} {row:?}"
    );
    assert_eq!((number(row, "size"), &*row["chain_ok"]), (Some(block.size as u64), "true"), "{name}");
    assert_eq!(row["protected"], block.tag.protected.to_string(), "{name}");
    // The cookie of Windows 8 and later needs the address, and on x86 nobody states how it is used.
    let hidden = facts.build.number >= 9200 && (!facts.arch.is_64() || matches!(page.at, PoolPlace::Pa(_)));
    let billed = block.billed.filter(|_| !hidden).map(|process| &facts.processes[process]);
    assert_eq!(number(row, "process_billed"), billed.map(|process| process.eprocess), "{name} {row:?}");
    assert_eq!(number(row, "process_id"), billed.map(|process| process.pid.into()), "{name}");
    if !block.content.is_empty() && block.billed.is_none() && block.size > 32 {
        assert_eq!(row["preview"], String::from_utf8_lossy(&block.content[..16]), "{name}");
    }
}

/// Those of the table of big pages whose first page is in the dump; the word at their begin is the preview.
#[test]
fn allocations_with_pages_of_their_own() {
    for (arch, build) in crate::support::kernels() {
        let name = format!("{arch:?} {}", build.number);
        let mut machine = scenario::busy(arch, build);
        let planted = machine.facts.resources.big_pool.clone();
        for big in &planted[1..] {
            machine.write_va(Space::Kernel, big.va, b"a big allocation and its content");
        }
        let tables = some_tables(&machine, Format::Full, &["pool_allocations"]);
        let big = tables["pool_allocations"].iter().filter(|row| row["allocator"] == "big");
        let rows: BTreeMap<u64, &Row> = big.map(|row| (number(row, "va").unwrap(), row)).collect();
        let layout = machine.layout();
        if !layout.has("_POOL_TRACKER_BIG_PAGES") {
            assert!(rows.is_empty(), "{name}: no public source has the table");
            continue;
        }
        let found: Vec<u64> = rows.keys().copied().collect();
        let expected: Vec<u64> = planted[1..].iter().map(|big| big.va).collect();
        assert_eq!(found, expected, "{name}: the first page of the first is not in the dump");
        for big in &planted[1..] {
            let row = rows[&big.va];
            assert_eq!(number(row, "size"), Some(big.bytes), "{name}");
            assert_eq!(number(row, "key"), Some(big.tag.key().into()), "{name}");
            assert_eq!((&*row["preview"], row.get("chain_ok")), ("a big allocation", None), "{name}");
            let state = if big.free { ("freed", "medium") } else { ("allocated", "high") };
            assert_eq!((&*row["state"], &*row["confidence"]), state, "{name}");
            let typed = layout.find("_POOL_TRACKER_BIG_PAGES", "PoolType").is_some();
            assert_eq!(number(row, "pool_type"), typed.then_some(big.pool_type.into()), "{name}");
            let kind = match big.pool_type {
                0 | 4 => "nonpaged",
                1 => "paged",
                33 => "session",
                0x200 => "nonpaged_nx",
                other => panic!("{other}"),
            };
            assert_eq!(row.get("kind").map(String::as_str), typed.then_some(kind), "{name}");
        }
    }
}

#[test]
fn sums_of_pages() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::pools(arch, build);
        let tables = tables(&machine);
        let rows = by_address(&tables["pool_pages"]);
        assert_eq!(rows.len(), machine.facts.pools.pages.len(), "{name}");
        for page in machine.facts.pools.pages.iter().filter(|page| page.damage.is_none()) {
            let row = rows[&base(page)];
            let bytes = |used: bool| -> u64 {
                page.blocks
                    .iter()
                    .filter(|block| block.allocated == used)
                    .map(|block| block.size as u64)
                    .sum()
            };
            assert_eq!(number(row, "blocks"), Some(page.blocks.len() as u64), "{name}");
            assert_eq!(number(row, "bytes_used"), Some(bytes(true)), "{name}");
            assert_eq!(number(row, "bytes_free"), Some(bytes(false)), "{name}");
            assert_eq!((&*row["chain_ok"], row.get("wrong")), ("true", None), "{name}");
            assert_eq!(row["kind"], kind(page), "{name}");
        }
    }
}

#[test]
fn every_break_is_found_at_its_header() {
    for (arch, build) in kernels() {
        let machine = scenario::pools(arch, build.clone());
        let tables = tables(&machine);
        let (pages, blocks) = (by_address(&tables["pool_pages"]), by_address(&tables["pool_allocations"]));
        for page in &machine.facts.pools.pages {
            let Some(damage) = page.damage else { continue };
            let name = format!("{arch:?} {} {damage:?} {:x?}", build.number, page.at);
            let row = pages[&base(page)];
            let wrong = &page.blocks[damage.block()];
            assert_eq!(number(row, "broken_at"), Some(wrong.offset as u64), "{name} {row:?}");
            check_words(damage, row, &name);
            // What was written over a header of 16 bytes, or over one of 8 that something else follows.
            let written = if machine.facts.arch.is_64() { "repeating" } else { "text" };
            let content = matches!(damage, Damage::Overrun(_)).then_some(written);
            assert_eq!(row.get("wrong_content").map(String::as_str), content, "{name} {row:?}");
            let before = damage.block().checked_sub(1).map(|before| &page.blocks[before]);
            let suspect = before.map(|before| base(page) + before.offset as u64);
            assert_eq!(number(row, "suspect"), suspect, "{name} {row:?}");
            assert_eq!(number(row, "suspect_size"), before.map(|before| before.size as u64), "{name}");
            // All other blocks are there, and nothing between them.
            let end = base(page) + 0x1000;
            let found: Vec<u64> = blocks.range(base(page)..end).map(|(va, _)| va - base(page)).collect();
            let others: Vec<u64> = page.blocks.iter().map(|block| block.offset as u64).collect();
            let lost = matches!(damage, Damage::Overrun(_)).then_some(wrong.offset as u64);
            let others: Vec<u64> = others.into_iter().filter(|at| Some(*at) != lost).collect();
            assert_eq!(found, others, "{name} {row:?}");
        }
    }
}

fn check_words(damage: Damage, row: &Row, name: &str) {
    let soft = matches!(damage, Damage::Tag(_) | Damage::Index(_));
    assert_eq!(row["chain_ok"], soft.to_string(), "{name} {row:?}");
    assert_eq!(row["breaks"], "1", "{name} {row:?}");
    let word = match damage {
        Damage::PreviousSize(_) => "previous_size",
        Damage::ZeroSize(_) => "zero_size",
        Damage::WrongSize(_) => "block_size",
        Damage::PastEnd(_) => "past_page_end",
        Damage::Tag(_) => "tag",
        Damage::Index(_) => "pool_index",
        // Whatever the bytes that were written happen to mean.
        Damage::Overrun(_) => return,
    };
    assert_eq!(row["wrong"], word, "{name} {row:?}");
}

/// Objects that hide, that are gone and that are listed, in blocks of pool: the blocks are found, and the objects in
/// them. Headers that were wiped or made up are no blocks; those beside them are, unless no other one speaks for them.
#[test]
fn blocks_with_objects_in_them() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::hidden_in_pools(arch, build);
        let tables = some_tables(&machine, Format::Full, &["pool_allocations", "found_objects"]);
        let (blocks, objects) =
            (by_address(&tables["pool_allocations"]), by_address(&tables["found_objects"]));
        let planted = machine.object_blocks();
        let is_wiped = |block: &ObjectBlock| {
            let mut hidden = machine.facts.hidden.iter().filter(|hidden| hidden.real);
            hidden.any(|hidden| Some(hidden.va) == block.body && hidden.what.contains("pool"))
        };
        let speaks = |at: Option<usize>, page: u64| {
            let beside = at.and_then(|at| planted.get(at)).filter(|beside| beside.va / PAGE == page);
            beside.is_some_and(|beside| !is_wiped(beside))
        };
        let mut seen = 0;
        for (at, block) in planted.iter().enumerate() {
            let name = format!("{name}: {block:x?}");
            if is_wiped(block) {
                let row = blocks.get(&block.va);
                assert!(
                    row.is_none_or(|row| number(row, "key") != Some(block.tag.into())),
                    "{name}: {row:?}"
                );
                continue;
            }
            let page = block.va / PAGE;
            if !speaks(at.checked_sub(1), page) && !speaks(Some(at + 1), page) {
                continue;
            }
            let row = blocks.get(&block.va).unwrap_or_else(|| panic!("{name}: not found"));
            let state = if block.allocated { "allocated" } else { "freed" };
            assert_eq!((&*row["state"], number(row, "key")), (state, Some(block.tag.into())), "{name}");
            assert_eq!(number(row, "size"), Some(block.size), "{name}");
            let Some(body) = block.body else { continue };
            let object = objects.get(&body).unwrap_or_else(|| panic!("{name}: no object"));
            assert_eq!((&*object["found_in_pool"], &*object["state"]), ("true", state), "{name}");
            seen += 1;
        }
        assert!(seen > 12, "{name}: {seen}");
    }
}
