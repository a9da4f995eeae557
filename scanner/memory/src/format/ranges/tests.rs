//! Range dumps written by hand.

use crate::{
    Pfn,
    format::header::{
        Kind,
        tests::{of_type, put32, put64},
    },
    format::scratch::{damaged, faults, open, runs},
};

/// A dump of these ranges, its list ended by a zero entry, and a page for each frame, filled with
/// the frame's number.
fn dump(kind: Kind, dump_type: u32, ranges: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = of_type(kind, dump_type);
    let start = bytes.len();
    let first_page = (start + 0x30 + 16 * (ranges.len() + 1)) as u64;
    let mut head = vec![0; 0x30 + 16 * (ranges.len() + 1)];
    put32(&mut head, 0, &[0x40]);
    head[4..12].copy_from_slice(b"RDMPDUMP");
    put64(&mut head, 0x10, &[first_page - start as u64 - 0x20, first_page]);
    if dump_type == 10 {
        put32(&mut head, 0x20, &[ranges.len() as u32]);
        put64(&mut head, 0x28, &[ranges.iter().map(|(_, count)| count).sum()]);
    } else {
        put64(&mut head, 0x20, &[0x1111, 0x2222]);
    }
    for (n, (first, count)) in ranges.iter().enumerate() {
        put64(&mut head, 0x30 + 16 * n, &[*first, *count]);
    }
    bytes.extend(head);
    for (first, count) in ranges {
        (*first..first + count).for_each(|frame| bytes.extend([frame as u8; 0x1000]));
    }
    bytes
}

#[test]
fn pages_lie_packed_in_the_order_of_the_list() {
    for (kind, start) in [(Kind::Bits32, 0x1000), (Kind::Bits64, 0x2000)] {
        for dump_type in [8, 9, 10] {
            let dump = open(&dump(kind, dump_type, &[(0x20, 2), (5, 1), (6, 1)]));
            assert_eq!(dump.format.name, "kernel ranges");
            let page = |n: u64| start + 0x70 + n * 0x1000;
            assert_eq!(runs(&dump), [(5, 2, page(2)), (0x20, 2, page(0))]);
            let image = dump.image().unwrap();
            for frame in [5, 6, 0x20, 0x21] {
                assert_eq!(image.page(Pfn(frame)).map(|page| u64::from(page[0])), Ok(frame));
            }
            assert_eq!((dump.bytes_missing(), faults(&dump)), (Some(0), vec![]));
        }
    }
}

#[test]
fn a_list_without_a_last_entry_ends_at_the_first_page() {
    let mut bytes = dump(Kind::Bits64, 8, &[(5, 1), (9, 1)]);
    bytes.drain(0x2050..0x2060);
    put64(&mut bytes, 0x2010, &[0x30, 0x2050]);
    let dump = open(&bytes);
    assert_eq!((runs(&dump), faults(&dump)), (vec![(5, 1, 0x2050), (9, 1, 0x3050)], vec![]));
}

#[test]
fn frame_zero_ends_the_list_of_types_8_and_9_only() {
    let ranges = [(5, 1), (0, 1), (9, 1)];
    assert_eq!(runs(&open(&dump(Kind::Bits64, 9, &ranges))), [(5, 1, 0x2070)]);
    let complete = open(&dump(Kind::Bits64, 10, &ranges));
    assert_eq!(runs(&complete), [(0, 1, 0x3070), (5, 1, 0x2070), (9, 1, 0x4070)]);
}

#[test]
fn sizes_that_disagree() {
    let mut bytes = dump(Kind::Bits64, 10, &[(5, 1), (9, 1)]);
    put64(&mut bytes, 0x2010, &[0x1000]);
    let metadata = open(&bytes);
    assert_eq!(faults(&metadata), [("MetadataSize", "0x40, up to FirstPageOffset", "0x1000")]);
    assert_eq!(runs(&metadata).len(), 2);
    put64(&mut bytes, 0x2010, &[0x40]);
    put64(&mut bytes, 0x2028, &[3]);
    assert_eq!(faults(&open(&bytes)), [("TotalNumberOfPages", "2, as in the list", "3")]);
    // The list ends when the pages are complete, whatever else it holds.
    put64(&mut bytes, 0x2028, &[1]);
    let complete = open(&bytes);
    assert_eq!(runs(&complete), [(5, 1, 0x2060)]);
    assert_eq!(faults(&complete), [("NumberOfRanges", "1, as in the list", "2")]);
}

#[test]
fn a_range_that_overflows_ends_the_list() {
    let mut bytes = dump(Kind::Bits64, 8, &[(5, 1), (9, 1), (11, 1)]);
    put64(&mut bytes, 0x2040, &[9, u64::MAX]);
    let dump = open(&bytes);
    assert_eq!(runs(&dump), [(5, 1, 0x2070)]);
    assert_eq!(dump.records.faults[0].offset, Some(0x2040));
    assert_eq!(faults(&dump), [("Range", "frames of physical memory", "18446744073709551615 frames at 0x9")]);
}

#[test]
fn headers_that_say_nothing_give_no_runs() {
    let good = dump(Kind::Bits64, 8, &[(5, 1)]);
    let mut bytes = good.clone();
    bytes[0x2004] = b'X';
    assert_eq!((runs(&open(&bytes)), faults(&open(&bytes))[0].0), (vec![], "Signature"));
    let mut bytes = good.clone();
    put64(&mut bytes, 0x2018, &[0x202f]);
    assert_eq!((runs(&open(&bytes)), faults(&open(&bytes))[0].0), (vec![], "FirstPageOffset"));
    let short = open(&good[..0x2020]);
    assert_eq!((runs(&short), short.records.faults[0].kind.as_str()), (vec![], "truncated"));
}

#[test]
fn damaged_files_never_panic() {
    for (kind, dump_type) in [(Kind::Bits32, 8), (Kind::Bits64, 10)] {
        let bytes = dump(kind, dump_type, &[(5, 1), (9, 1)]);
        let (front, rest) = bytes.split_at(kind.size() as usize);
        damaged(&rest[..0x70], |rest| drop(super::open(&[front, rest].concat())));
        damaged(&bytes[..kind.size() as usize + 0x70], |bytes| drop(super::open(bytes)));
    }
}
