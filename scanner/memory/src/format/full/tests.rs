//! Full dumps written by hand, and the published headers of two real ones.

use crate::{
    Dump, Fault, Pfn,
    format::header::{
        Kind,
        tests::{of_type, put32, put64, sample},
    },
    format::scratch::{Scratch, damaged, runs},
};

/// A header that states `runs`, and behind it a page for each frame, filled with the frame's number.
fn dump(kind: Kind, runs: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = of_type(kind, 1);
    let pages = runs.iter().map(|(_, count)| count).sum();
    for (n, (first, count)) in runs.iter().enumerate() {
        match kind {
            Kind::Bits32 => put32(&mut bytes, 0x6c + 8 * n, &[*first as u32, *count as u32]),
            Kind::Bits64 => put64(&mut bytes, 0x98 + 16 * n, &[*first, *count]),
        }
    }
    match kind {
        Kind::Bits32 => put32(&mut bytes, 0x64, &[runs.len() as u32, pages as u32]),
        Kind::Bits64 => {
            put32(&mut bytes, 0x88, &[runs.len() as u32]);
            put64(&mut bytes, 0x90, &[pages]);
        }
    }
    for (first, count) in runs {
        (*first..first + count).for_each(|frame| bytes.extend([frame as u8; 0x1000]));
    }
    bytes
}

fn open(scratch: &Scratch, bytes: &[u8]) -> Dump {
    crate::open(&scratch.file("memory.dmp", bytes), None).unwrap()
}

fn found(dump: &Dump) -> Vec<(&str, &str, &str)> {
    dump.records.faults.iter().map(|p| (&*p.kind, &*p.field, &*p.found)).collect()
}

#[test]
fn pages_lie_packed_behind_the_header() {
    let scratch = Scratch::new();
    for (kind, start) in [(Kind::Bits32, 0x1000), (Kind::Bits64, 0x2000)] {
        let dump = open(&scratch, &dump(kind, &[(0x20, 1), (1, 2), (0x10, 1)]));
        assert_eq!(dump.format.name, "kernel full");
        assert_eq!(runs(&dump), [(1, 2, start + 0x1000), (0x10, 1, start + 0x3000), (0x20, 1, start)]);
        let image = dump.image().unwrap();
        for frame in [1, 2, 0x10, 0x20] {
            assert_eq!(image.page(Pfn(frame)).map(|page| u64::from(page[0xfff])), Ok(frame));
        }
        assert_eq!(image.page(Pfn(3)), Err(Fault::NotInDump(crate::Pa(0x3000))));
        assert_eq!((dump.bytes_missing(), found(&dump)), (Some(0), vec![]));
    }
}

#[test]
fn a_truncated_file_keeps_its_pages() {
    let scratch = Scratch::new();
    let bytes = dump(Kind::Bits64, &[(1, 2), (0x10, 2)]);
    let dump = open(&scratch, &bytes[..0x4800]);
    assert_eq!(runs(&dump), [(1, 2, 0x2000), (0x10, 2, 0x4000)]);
    let image = dump.image().unwrap();
    assert_eq!(image.page(Pfn(2)).map(|page| page[0]), Ok(2));
    assert_eq!(image.page(Pfn(0x10)), Err(Fault::BeyondEnd(crate::Pa(0x10000))));
    assert_eq!((dump.bytes_present(), dump.bytes_missing()), (0x2800, Some(0x1800)));
    assert_eq!(found(&dump), [("beyond_end", "memory", "6144 of them beyond the end of the file")]);
}

/// A run of terabytes in a dump that was to become some kilobytes.
#[test]
fn a_run_beyond_the_required_space_is_not_missing() {
    let scratch = Scratch::new();
    let mut bytes = dump(Kind::Bits64, &[(1, 2), (0x10, 2)]);
    put64(&mut bytes, 0x90, &[2 + (1 << 33)]);
    put64(&mut bytes, 0xb0, &[1 << 33]);
    put64(&mut bytes, 0xfa0, &[0x6000]);
    let forged = open(&scratch, &bytes[..0x4800]);
    assert_eq!(forged.bytes_missing(), None);
    assert!(
        found(&forged).iter().any(|fault| fault.0 == "invalid" && fault.1 == "memory"),
        "{:?}",
        found(&forged)
    );
    put64(&mut bytes, 0xfa0, &[1 << 46]);
    assert_eq!(open(&scratch, &bytes[..0x4800]).bytes_missing(), Some((1 << 45) + 0x2000 - 0x2800));
}

#[test]
fn a_full_dump_without_a_descriptor_has_no_runs() {
    let scratch = Scratch::new();
    let mut bytes = of_type(Kind::Bits64, 1);
    bytes.extend([1; 0x2000]);
    let dump = open(&scratch, &bytes);
    assert_eq!(runs(&dump), []);
    assert_eq!(found(&dump), [("invalid", "PhysicalMemoryBlock", "none that can be read")]);
}

#[test]
fn a_run_that_overflows_ends_the_list() {
    let scratch = Scratch::new();
    let mut bytes = dump(Kind::Bits64, &[(1, 1), (5, 1), (9, 1)]);
    put64(&mut bytes, 0x98 + 16, &[u64::MAX - 1, 5]);
    put64(&mut bytes, 0x90, &[7]);
    let overflowing = open(&scratch, &bytes);
    assert_eq!(runs(&overflowing), [(1, 1, 0x2000)]);
    let text = "5 frames at 0xfffffffffffffffe";
    assert_eq!(found(&overflowing), [("invalid", "PhysicalMemoryBlock", text)]);
}

#[test]
fn frames_stated_twice_keep_their_first_place() {
    let scratch = Scratch::new();
    let dump = open(&scratch, &dump(Kind::Bits64, &[(4, 2), (5, 2)]));
    assert_eq!(runs(&dump), [(4, 2, 0x2000), (6, 1, 0x5000)]);
    assert_eq!(found(&dump), [("overlap", "runs", "1 frames stated again")]);
}

/// A dump followed by a `_DUMP_BLOB_FILE_HEADER` and one blob of five bytes.
#[test]
fn blobs_behind_the_pages() {
    let scratch = Scratch::new();
    let mut bytes = dump(Kind::Bits64, &[(1, 1)]);
    bytes.extend([0; 12]);
    bytes.extend(b"DumpBlob");
    bytes.extend([0x10, 0xf000_4a61u32].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(0x20u32.to_le_bytes());
    bytes.extend([7; 16]);
    bytes.extend([5u32, 0, 3].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(*b"hello\0\0\0");
    // RequiredDumpSpace was never written, then says something wrong, then the truth.
    for required in [None, Some(0x2000), Some(0x300c)] {
        if let Some(required) = required {
            put64(&mut bytes, 0xfa0, &[required]);
        }
        let dump = open(&scratch, &bytes);
        let blobs: Vec<_> = dump.records.blobs.iter().map(|b| (b.tag, b.offset, b.size)).collect();
        assert_eq!(blobs, [([7; 16], 0x303c, 5)], "{required:x?}");
        assert_eq!(found(&dump), [], "{required:x?}");
    }
}

#[test]
fn damaged_files_never_panic() {
    for kind in [Kind::Bits32, Kind::Bits64] {
        let bytes = dump(kind, &[(1, 1), (0x10, 1)]);
        let header = kind.size() as usize;
        damaged(&bytes[..header + 0x10], |bytes| drop(super::open(bytes)));
    }
}

/// Runs as other tools print them for these public headers; the memory behind them was cut away.
#[test]
fn published_headers_without_a_body() {
    type Case = (&'static str, &'static [(u64, u64, u64)], u64);
    let cases: [Case; 2] = [
        (
            "memflow-coredump-headers/coredump_win10_64bit_stripped.raw",
            &[
                (0x1, 0x9f, 0x2000),
                (0x100, 0x7f7ef, 0xa1000),
                (0x7fbff, 0x3e1, 0x7f89_0000),
                (0x10_0000, 0x38_0000, 0x7fc7_1000),
            ],
            0x3f_fc6f,
        ),
        (
            "memflow-coredump-headers/coredump_win7_32bit_stripped.raw",
            &[(0x1, 0x9e, 0x1000), (0x100, 0xb_fedf, 0x9_f000)],
            0xb_ff7d,
        ),
    ];
    for (name, expected, pages) in cases {
        let Some(path) = sample(name) else { return };
        let dump = crate::open(&path, None).unwrap();
        assert_eq!((dump.format.name, &runs(&dump)[..]), ("kernel full", expected), "{name}");
        assert_eq!(dump.records.header.stated_pages, Some(pages), "{name}");
        assert_eq!((dump.bytes_present(), dump.bytes_missing()), (0, Some(pages * 0x1000)), "{name}");
        let text = format!("{} of them beyond the end of the file", pages * 0x1000);
        assert_eq!(found(&dump), [("beyond_end", "memory", text.as_str())], "{name}");
    }
}
