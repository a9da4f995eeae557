//! Pages that were made to look like pool or like objects in every place: rows have a bound for each page, `faults` says
//! what is beyond it, and everything else is found as before.

use crate::support::{Row, Tables, some_tables};
use fixtures::{Arch, Build, Format, Machine, Space, scenario};
use std::time::{Duration, Instant};

/// Pages of each kind.
const PAGES: usize = 64;
/// Rows of `pool_allocations` and of `found_objects` for a page at most.
const MOST: [usize; 2] = [256, 64];
/// In an unoptimised build on a busy machine; it takes a few seconds. Without bounds it would be minutes.
const LONGEST: Duration = Duration::from_secs(60);

fn base(arch: Arch) -> u64 {
    if arch.is_64() { 0xffff_b98e_c000_0000 } else { 0x9d00_0000 }
}

/// Fills pages with copies of some bytes.
fn fill(m: &mut Machine, bytes: &[u8]) {
    let page: Vec<u8> = bytes.iter().copied().cycle().take(0x1000).collect();
    let at = base(m.facts.arch);
    for number in 0..PAGES as u64 {
        m.write_va(Space::Kernel, at + number * 0x1000, &page);
    }
}

/// A pool header of so many units, the one before of one unit.
fn header(m: &Machine, size: u64, tag: &[u8; 4]) -> Vec<u8> {
    let mut header = m.object("_POOL_HEADER");
    let previous = if m.facts.build.number < 17_763 { size } else { 0 };
    header.set("PreviousSize", previous).set("BlockSize", size).set("PoolType", 2);
    header.set("PoolTag", u32::from_le_bytes(*tag).into());
    header.finish()
}

/// Rows on the pages.
fn on_pages(arch: Arch, rows: &[Row]) -> Vec<&Row> {
    let pages = base(arch)..base(arch) + PAGES as u64 * 0x1000;
    let va =
        |row: &Row| row.get("va").and_then(|va| va.parse().ok()).is_some_and(|va: u64| pages.contains(&va));
    rows.iter().filter(|row| va(row)).collect()
}

fn left_out(tables: &Tables, sweep: &str) -> Option<u64> {
    let of = |row: &&Row| row["kind"] == "too_many" && row["structure"] == sweep;
    let row = tables["faults"].iter().find(of)?;
    Some(row["found"].strip_suffix(" more").unwrap().parse().unwrap())
}

const TABLES: [&str; 4] = ["pool_allocations", "pool_pages", "found_objects", "faults"];

#[test]
fn every_slot_a_pool_header() {
    for (arch, build, size, left) in [
        // Of 512 places on 32-bit systems, 256 have rows; the first is none, as it states a block before it.
        (Arch::X86, Build::WIN7_7601, 1, Some(PAGES as u64 * 255)),
        (Arch::X64, Build::WIN7_7601, 1, None),
        (Arch::X64, Build::WIN10_14393, 3, None),
        (Arch::X64, Build::WIN10_19041, 2, None),
        (Arch::X64, Build::WIN11_22621, 255, None),
    ] {
        let name = format!("{arch:?} {} {size}", build.number);
        let mut machine = Machine::new(arch, build);
        let bytes = header(&machine, size, b"Proc");
        fill(&mut machine, &bytes);
        let start = Instant::now();
        let tables = some_tables(&machine, Format::Full, &TABLES);
        assert!(start.elapsed() < LONGEST, "{name}");
        let rows = on_pages(arch, &tables["pool_allocations"]).len();
        assert!(rows <= PAGES * MOST[0], "{name}: {rows}");
        assert_eq!(left_out(&tables, "pool"), left, "{name}");
        if left.is_some() {
            assert_eq!(rows, PAGES * MOST[0], "{name}");
        }
        assert!(on_pages(arch, &tables["found_objects"]).is_empty(), "{name}: tags are no objects");
    }
}

/// Mutants so close to each other that their headers overlap: more than there is room for.
#[test]
fn every_slot_an_object() {
    let arch = Arch::X86;
    let mut machine = scenario::hidden(arch, Build::WIN7_7601);
    let tables = ["found_objects", "faults"];
    let before = some_tables(&machine, Format::Full, &tables)["found_objects"].len();
    let mutant = machine.facts.objects.iter().find(|object| object.type_name == "Mutant").unwrap().body;
    let layout = machine.layout();
    let body = layout.offset("_OBJECT_HEADER", "Body");
    let mut bytes = vec![0; body + 16];
    bytes[layout.offset("_OBJECT_HEADER", "PointerCount")] = 1;
    let index = layout.offset("_OBJECT_HEADER", "TypeIndex");
    bytes[index] = 10; // the ninth type behind the two that are none
    bytes[body] = 2;
    let links = (mutant as u32 + 8).to_le_bytes();
    bytes[body + 8..].copy_from_slice(&[links, links].concat());
    fill(&mut machine, &bytes);
    let start = Instant::now();
    let tables = some_tables(&machine, Format::Full, &tables);
    assert!(start.elapsed() < LONGEST);
    let made = on_pages(arch, &tables["found_objects"]);
    assert_eq!(made.len(), PAGES * MOST[1]);
    assert!(made.iter().all(|row| row["kind"] == "mutant" && row["confidence"] == "low"), "{:?}", made[0]);
    let there = (0x1000 / bytes.len()) as u64;
    assert_eq!(left_out(&tables, "objects"), Some(PAGES as u64 * (there - MOST[1] as u64)));
    assert_eq!(tables["found_objects"].len(), before + made.len(), "all others are still found");
}

/// A process or a thread in every place, as far as the first members tell: none is one.
#[test]
fn every_slot_a_dispatcher_header() {
    for (arch, build) in [(Arch::X86Pae, Build::XP_2600), (Arch::X64, Build::WIN10_19041)] {
        for kind in [2u8, 3, 6] {
            let name = format!("{arch:?} {} {kind}", build.number);
            let mut machine = scenario::busy(arch, build.clone());
            let (width, kernel) = (arch.pointer(), base(arch).to_le_bytes());
            let mut bytes = vec![0; 2 * width];
            bytes[0] = kind;
            let at = if width == 8 { 8 } else { 4 };
            bytes[at..at + width].copy_from_slice(&kernel[..width]);
            if width == 4 {
                bytes.extend([&kernel[..4], &kernel[..4]].concat());
            }
            fill(&mut machine, &bytes);
            let start = Instant::now();
            let tables =
                some_tables(&machine, Format::Full, &["found_objects", "processes", "threads", "faults"]);
            assert!(start.elapsed() < LONGEST, "{name}");
            let made = on_pages(arch, &tables["found_objects"]);
            assert!(made.len() <= PAGES * MOST[1], "{name}: {}", made.len());
            assert_eq!(tables["processes"].len(), machine.facts.processes.len(), "{name}");
            assert_eq!(tables["threads"].len(), machine.facts.threads.len(), "{name}");
        }
    }
}
