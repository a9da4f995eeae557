//! Real triage dumps when they are there, and a small one made by hand.

mod lies;
mod made;
mod real;

use super::*;
use crate::{
    addr::Va,
    format::{open as open_file, scratch},
    records::Architecture,
};
use std::path::{Path, PathBuf};

fn real(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/dumps").join(name);
    if !path.is_file() {
        println!("skipped: {name} is not in ../shared/dumps");
        return None;
    }
    Some(path)
}

/// Numbers published with the samples (rizin's test database and the facts about both files).
#[test]
fn the_published_samples() {
    let check = |name: &str, architecture, build, drivers, unloaded, blocks, blobs| {
        let Some(path) = real(name) else { return };
        let dump = open_file(&path, None).unwrap();
        let records = &dump.records;
        assert_eq!(records.header.architecture, Some(architecture));
        assert_eq!(records.header.build, Some(build));
        assert_eq!(records.modules.len(), drivers);
        assert!(records.modules.iter().all(|module| module.path.is_some()));
        assert_eq!(records.unloaded_modules.len(), unloaded);
        let triage = records.header.triage.as_ref().unwrap();
        assert_eq!((triage.data_blocks, triage.complete), (blocks, Some(true)));
        assert_eq!(records.blobs.len(), blobs);
        let last = records.blobs.last().unwrap();
        assert_eq!(last.offset + last.size + u64::from(last.post_pad), dump.file().len() as u64);
        assert_eq!(records.faults, []);
        assert_eq!(dump.bytes_missing(), Some(0));
    };
    check("rizin-triage/triage_x64.dmp", Architecture::X64, 19041, 151, 4, 1831, 20);
    check("rizin-triage/triage_arm64.dmp", Architecture::Arm64, 22000, 245, 11, 679, 42);
}

#[test]
fn processors_of_the_sample_have_their_registers() {
    let Some(path) = real("rizin-triage/triage_x64.dmp") else { return };
    let records = open_file(&path, None).unwrap().records;
    let header = records.contexts.iter().find(|context| context.source == "header").unwrap();
    assert_eq!(header.ip(), 0xffff_f804_8b58_334c, "the faulting instruction: bug-check parameter 2");
    let processors: Vec<_> = records.contexts.iter().filter(|c| c.source == "triage prcb").collect();
    assert_eq!(processors.len(), 16);
    // The registers that rizin prints (`dr`) are those that processor 0 saved in KeBugCheckEx.
    assert_eq!((processors[0].ip(), processors[0].sp()), (0xffff_f804_7bdf_5a80, 0xffff_8504_2989_0ee8));
    assert!(records.header.build_string.unwrap().starts_with("19041.1.amd64fre.vb_release"));
}

#[test]
fn the_stack_reads_back() {
    let Some(path) = real("rizin-triage/triage_x64.dmp") else { return };
    let dump = open_file(&path, None).unwrap();
    // The file holds the stack at 0xe390 for 0xffff850429890ee8; its first slot is the return address of
    // frame 1 of the published stack.
    let first = dump.captured().unwrap().u64(Va(0xffff_8504_2989_0ee8));
    assert_eq!(first, Ok(0xffff_f804_7be0_f4e1));
}

/// A dump with one driver, one unloaded driver, one block and a blob.
fn small() -> Vec<u8> {
    let mut file = b"PAGE".repeat(0x2000 / 4);
    let mut put = |at: usize, bytes: &[u8]| {
        file.resize(file.len().max(at + bytes.len()), 0);
        file[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(4, b"DU64");
    put(0x30, &0x8664u32.to_le_bytes());
    put(0xf98, &4u32.to_le_bytes());
    let fields: [(usize, u32); 12] = [
        (0x04, 0x2400),
        (0x08, 0x23fc),
        (0x18, 0x2100),
        (0x28, 0x2200),
        (0x2c, 0x20),
        (0x30, 0x2140),
        (0x34, 1),
        (0x38, 0x21d0),
        (0x3c, 0x20),
        (0x40, 0x21d0),
        (0x78, 0x2300),
        (0x7c, 1),
    ];
    for (at, value) in fields {
        put(0x2000 + at, &value.to_le_bytes());
    }
    put(0x2048, &0xffff_8000_0000_1000u64.to_le_bytes());
    put(0x2100, &1u64.to_le_bytes());
    put(0x2108, &[8, 0]);
    put(0x2118, &b"o\0l\0d\0!\0"[..]);
    put(0x2130, &0xffff_f800_0000_0000u64.to_le_bytes());
    put(0x2138, &0xffff_f800_0000_1000u64.to_le_bytes());
    put(0x2140, &0x21d0u32.to_le_bytes());
    put(0x2178, &0xffff_f801_0000_0000u64.to_le_bytes());
    put(0x2188, &0x5000u32.to_le_bytes());
    put(0x21d0, &2u32.to_le_bytes());
    put(0x21d4, &b"n\0t\0"[..]);
    put(0x2300, &0xffff_9000_0000_0000u64.to_le_bytes());
    put(0x2308, &0x2380u32.to_le_bytes());
    put(0x230c, &8u32.to_le_bytes());
    put(0x2380, b"captured");
    put(0x23fc, b"TRGD");
    file
}

#[test]
fn a_small_dump_made_by_hand() {
    let dump = open(&small()).unwrap();
    let records = &dump.records;
    assert_eq!(records.modules.len(), 1);
    assert_eq!((records.modules[0].path.as_deref(), records.modules[0].size), (Some("nt"), 0x5000));
    assert_eq!(records.unloaded_modules[0].name.as_deref(), Some("old!"));
    assert_eq!(records.header.triage.as_ref().unwrap().broken_driver.as_deref(), Some("nt"));
    let Memory::Virtual(runs) = &dump.memory else { panic!() };
    assert_eq!(runs.as_slice().len(), 2);
    assert_eq!(records.faults, []);
}

#[test]
fn lying_counts_cost_nothing() {
    for (at, kind) in [(0x2034, "DriverCount"), (0x207c, "DataBlocksCount")] {
        let mut file = small();
        file[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let dump = open(&file).unwrap();
        assert!(dump.records.faults.iter().any(|fault| fault.field == kind), "{kind}");
        assert!(dump.records.modules.len() < 10);
    }
}

/// A thousand drivers whose name is one and the same long string.
#[test]
fn names_cost_no_more_than_the_file_pays_for() {
    let (mut file, drivers, length) = (small(), 1_000usize, 30_000u32);
    let (list, pool) = (0x2400, 0x2400 + drivers * 0x90);
    file.resize(pool, 0);
    file.extend(length.to_le_bytes());
    file.extend(b"a\0".repeat(length as usize));
    file.extend([0, 0]); // a name ends with NUL
    let size = file.len() as u32;
    let fields = [(0x04, size), (0x30, list as u32), (0x34, drivers as u32), (0x38, pool as u32), (0x40, 0)];
    for (at, value) in fields {
        file[0x2000 + at..0x2004 + at].copy_from_slice(&value.to_le_bytes());
    }
    for at in (list..pool).step_by(0x90) {
        file[at..at + 4].copy_from_slice(&(pool as u32).to_le_bytes());
        file[at + 0x38..at + 0x40].copy_from_slice(&0xffff_f801_0000_0000u64.to_le_bytes());
    }
    let records = open(&file).unwrap().records;
    let text: usize = records.modules.iter().filter_map(|module| module.path.as_ref()).map(String::len).sum();
    assert_eq!(records.modules.len(), drivers);
    assert!(text > 0 && text < 4 * file.len(), "{text} bytes of names out of a file of {} bytes", file.len());
    assert_eq!(records.faults.len(), 1, "{:?}", records.faults);
}

#[test]
fn damaged_in_every_way() {
    scratch::damaged(&small(), |bytes| drop(open(bytes)));
}

#[test]
fn real_dumps_damaged() {
    let Some(path) = real("dell-minidumps/040124-5515-01.dmp") else { return };
    let bytes = std::fs::read(path).unwrap();
    for len in (0..bytes.len()).step_by(bytes.len() / 300) {
        let _ = open(&bytes[..len]);
    }
}
