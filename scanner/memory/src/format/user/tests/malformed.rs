//! Files that lie: the real ones, and a small valid one cut and mutated everywhere.

use super::*;

#[test]
fn a_directory_that_says_nothing_is_an_error() {
    let error = |bytes: &[u8]| super::super::read(bytes).unwrap_err().to_string();
    let good = Dump::new().finish();
    assert_eq!(
        error(&good[..0x1f]),
        "MINIDUMP_HEADER at offset 0x0: expected 32 bytes, found 31 bytes before the end of the file"
    );
    let mut other = good.clone();
    other[4] = 0;
    assert_eq!(error(&other), "MINIDUMP_HEADER.Version at offset 0x4: expected 0xa793, found 0xa700");
    assert_eq!(
        error(&good),
        "MINIDUMP_DIRECTORY at offset 0x20: expected a stream of a known type that is not empty, found none in 16 entries"
    );
    assert_eq!(
        error(&good[..0x20]),
        "MINIDUMP_DIRECTORY at offset 0x20: expected 192 bytes, found 0 bytes before the end of the file"
    );
}

#[test]
fn counts_are_not_believed() {
    for kind in [3, 4, 5, 8, 12, 14, 16, 17, 24] {
        let mut dump = Dump::new();
        dump.stream(7, &system_info(9, 2, 0))
            .stream(kind, &words(&[0xffff_fff0, 0x40, u32::MAX, u32::MAX, 0, 0]));
        let (_, records) = read(&dump.finish());
        assert_eq!(records.faults.len(), 1, "stream {kind}: {:?}", records.faults);
        // The six words hold at most one entry of the smallest kind.
        assert!(
            records.modules.len() + records.threads.len() + records.handles.len() + records.regions.len()
                <= 1
        );
        assert!(records.streams[0].understood);
    }
}

#[test]
fn a_loop_of_object_information_ends() {
    let mut dump = Dump::new();
    let at = dump.bytes.len() as u32;
    dump.data(&words(&[at, 2, 0]));
    dump.stream(12, &words(&[16, 40, 1, 0, 0x44, 0, 0, 0, 1, 2, 3, 4, at, 0]));
    let (_, records) = read(&dump.finish());
    assert_eq!((records.handles[0].object_info.len(), records.faults.len()), (1, 1));
    assert_eq!(records.faults[0].field, "NextInfoRva");
}

#[test]
fn references_to_the_same_bytes_are_paid_once() {
    // 4,000 modules, all called by one name of 64 KiB: 250 MiB, if it were believed.
    let mut dump = Dump::new();
    let name = dump.string(&"x".repeat(0x7fff));
    let mut list = words(&[4000]);
    let mut entry = vec![0; 108];
    put(&mut entry, 20, name.into(), 4);
    list.extend(entry.repeat(4000));
    dump.stream(4, &list);
    let (_, records) = read(&dump.finish());
    let bytes: usize =
        records.modules.iter().filter_map(|module| module.path.as_ref()).map(String::len).sum();
    assert_eq!(records.modules.len(), 4000);
    assert!(bytes < 2 << 20, "{bytes} bytes of names");
    assert_eq!(records.faults.len(), 1);
}

#[test]
fn the_first_of_two_streams_counts() {
    let mut dump = Dump::new();
    dump.stream(7, &system_info(9, 2, 0)).stream(7, &system_info(0, 2, 0));
    let (_, records) = read(&dump.finish());
    assert_eq!(records.header.architecture, Some(crate::records::Architecture::X64));
    assert_eq!(records.faults.len(), 1);
    assert_eq!((records.streams[0].understood, records.streams[1].understood), (true, false));
}

#[test]
fn published_malformed_files() {
    let Some(folder) = dumps() else { return };
    let file = |name: &str| std::fs::read(folder.join("malformed").join(name)).unwrap();
    let error = |name: &str| super::super::read(&file(name)).unwrap_err().to_string();
    assert_eq!(
        error("ghost-in-the-memory.dmp"),
        "MINIDUMP_HEADER.StreamDirectoryRva at offset 0xc: expected an offset behind the header, from 0x20 on, found 0x4"
    );
    assert_eq!(
        error("npe_r_mdmp.mdmp"),
        "MINIDUMP_DIRECTORY at offset 0xffff00: expected 21492 bytes, found 0 bytes before the end of the file"
    );
    assert_eq!(
        error("mdmp-dos"),
        "MINIDUMP_DIRECTORY at offset 0x23: expected a stream of a known type that is not empty, found none in 2 entries"
    );
    // LLDB's: not of Windows, but valid; what it says is kept.
    let (runs, records) = read(&file("lldb-regions-memlist64.dmp"));
    let found: Vec<_> = runs.as_slice().iter().map(|run| (run.start.0, run.len, run.offset)).collect();
    assert_eq!(found, [(0x1000, 16, 0xd4), (0x2000, 32, 0xe4)]);
    assert_eq!(records.header.csd_version.as_deref(), Some("15E216"));
    assert_eq!(records.header.build_string.as_deref(), Some("macOS"));
    assert_eq!(records.processes[0].process_id, 123);
    assert!(records.faults.is_empty(), "{:?}", records.faults);
}

/// A file with something of everything.
fn everything() -> Vec<u8> {
    let mut dump = Dump::new();
    let name = dump.string("a.exe");
    let context = dump.data(&x64_context(0x1111, 0x2222));
    let block = dump.data(&[0xaa; 0x40]);
    let rsds = dump.data(b"RSDS0123456789abcdef\x01\0\0\0a.pdb\0");
    let info = dump.data(&words(&[0, 2, 4, 7]));
    let mut module = vec![0; 108];
    for (at, value) in [(0, 0x40_0000), (8, 0x1000), (20, name), (24, 0xfeef_04bd), (76, 30), (80, rsds)] {
        put(&mut module, at, value.into(), 4);
    }
    dump.stream(4, &[words(&[1]), module].concat());
    let threads = thread(8, (0x7000, 0x40, block), (0x4d0, context));
    dump.stream(3, &[words(&[1]), threads].concat());
    let threads = thread(10, (0x8000, 0x40, block), (0x4d0, context));
    dump.stream(8, &[words(&[1]), threads, vec![0; 16]].concat());
    dump.stream(5, &words(&[1, 0x7000, 0, 0x40, block]));
    let mut exception = vec![0; 168];
    for (at, value) in [(0, 8), (8, 0xc000_0005), (32, 2), (160, 0x4d0), (164, context)] {
        put(&mut exception, at, value.into(), 4);
    }
    dump.stream(6, &exception).stream(7, &system_info(9, 2, name));
    dump.stream(12, &words(&[16, 40, 1, 0, 0x44, 0, name, name, 1, 2, 3, 4, info, 0]));
    dump.stream(14, &words(&[12, 24, 1, 0x60_0000, 0, 0x1000, 0, 0, name]));
    dump.stream(15, &words(&[24, 3, 4660, 1, 2, 3])).stream(19, &words(&[36, 1, 16, 16, 20, 8, 1, 0, 9]));
    dump.stream(22, &[words(&[1, 1]), vec![1; 72]].concat()).stream(24, &words(&[1, 8, name, 0]));
    dump.stream(9, &words(&[1, 0, block, 0, 0x9000, 0, 0x40, 0]));
    dump.stream(16, &[words(&[16, 48, 1, 0]), vec![1; 48]].concat());
    dump.stream(17, &[words(&[12, 64, 1, 8]), vec![0; 60]].concat());
    dump.finish()
}

#[test]
fn cut_anywhere_it_opens_or_says_why() {
    let file = everything();
    let (runs, records) = read(&file);
    assert!(records.faults.is_empty(), "{:?}", records.faults);
    assert!(records.streams.iter().filter(|stream| stream.kind != 0).all(|stream| stream.understood));
    assert_eq!((runs.as_slice().len(), records.contexts.len(), records.tokens.len()), (3, 3, 1));
    for len in 0..file.len() {
        match super::super::read(&file[..len]) {
            Ok((_, records)) => assert!(!records.faults.is_empty(), "cut at {len:#x}: nothing said"),
            Err(_) => assert!(len < 0x20 + 12, "cut at {len:#x}"),
        }
    }
}

#[test]
fn what_a_cut_leaves_is_kept() {
    let file = everything();
    let whole = read(&file).1;
    // Behind the exception stream: modules and threads were read whole, the rest is missing.
    let end = whole
        .streams
        .iter()
        .find(|stream| stream.kind == 6)
        .map(|stream| stream.offset + stream.size)
        .unwrap();
    let (_, records) = read(&file[..end as usize]);
    assert_eq!(records.modules, whole.modules);
    assert_eq!(records.exceptions[0].code, 0xc000_0005);
    assert_eq!((records.handles.len(), records.header.architecture), (0, None));
    let understood: Vec<u32> = records.streams.iter().filter(|s| s.understood).map(|s| s.kind).collect();
    assert_eq!(understood, [4, 3, 8, 5, 6]);
}

/// An entry that points anywhere is damage; several streams that lie behind the end were cut off with it.
#[test]
fn a_damaged_entry_is_no_truncation() {
    let file = everything();
    let extent = |bytes: &[u8]| {
        let header = read(bytes).1.header;
        (header.least_file_size > bytes.len() as u64, header.extent_in_doubt)
    };
    assert_eq!(extent(&file), (false, false));
    for (at, value) in [(8, 0xe000_0000), (4, 0xe000_0000), (4, 0x7000_0000), (8, 0x10_0000)] {
        for entry in 0..3 {
            let mut bytes = file.clone();
            put(&mut bytes, 0x20 + entry * 12 + at, value, 4);
            assert_eq!(extent(&bytes), (false, true), "{at} {value:#x} of entry {entry}");
            assert!(read(&bytes).1.faults.iter().any(|fault| fault.structure == "MINIDUMP_DIRECTORY"));
        }
    }
    // Of a type that nobody knows.
    let mut bytes = file.clone();
    put(&mut bytes, 0x20, 0x1234_5678_e000_0000, 8);
    assert_eq!(extent(&bytes), (false, true));
    // Damage beside a cut takes nothing from it.
    let mut bytes = file[..file.len() - 1].to_vec();
    put(&mut bytes, 0x20 + 8, 0xe000_0000, 4);
    assert_eq!(extent(&bytes), (true, true));
    assert_eq!(read(&bytes).1.header.least_file_size, file.len() as u64);
    // A count of streams that no writer writes.
    let mut bytes = file.clone();
    put(&mut bytes, 8, 0xffff_ffff, 4);
    assert_eq!(extent(&bytes), (false, true));
    // Cut in the last stream, whose type is the writer's own.
    let mut dump = Dump::new();
    dump.stream(7, &system_info(9, 2, 0));
    dump.stream(0x4d7a_0099, &[0x55; 0x40]);
    let bytes = dump.finish();
    assert_eq!(extent(&bytes), (false, false));
    assert_eq!(extent(&bytes[..bytes.len() - 8]), (true, false));
    for cut in [0x120, file.len() / 2, file.len() - 1] {
        assert_eq!(extent(&file[..cut]), (true, false), "{cut:#x}");
    }
}

/// A block of which the size is none would be terabytes that are missing.
#[test]
fn blocks_that_lie_on_each_other_are_not_missing() {
    let list = |first: u32| {
        let mut dump = Dump::new();
        let at = dump.data(&[0xaa; 0x40]);
        dump.stream(7, &system_info(9, 2, 0));
        let blocks = [2, 0, at, 0, 0x1000, 0, 0x40, first, 0x2000, 0, 0x40, 0];
        dump.stream(9, &words(&blocks));
        read(&dump.finish()).1.header.memory_in_doubt
    };
    assert!(!list(0) && list(0x100));
}

#[test]
fn mutated_it_opens_or_says_why() {
    let file = everything();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut opened = 0;
    for _ in 0..3000 {
        let mut bytes = file.clone();
        for _ in 0..1 + next() % 6 {
            let at = (next() % bytes.len() as u64) as usize;
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, next() as u8][(next() % 6) as usize];
        }
        opened += usize::from(super::super::read(&bytes).is_ok());
    }
    assert!(opened > 2000, "only {opened} of 3000 opened: the mutations test nothing");
}
