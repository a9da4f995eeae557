//! Summary dumps written by hand.

use super::*;
use crate::{
    Pfn,
    format::header::tests::{of_type, put32},
    format::scratch::{damaged, faults, open, runs},
};

/// A dump with frames 3, 4, 5 and 33 of a map of 40 bits; pages filled with the frame's number.
fn dump(kind: Kind) -> Vec<u8> {
    let mut bytes = of_type(kind, 2);
    let size = if kind == Kind::Bits32 { 0x20 } else { 0x28 };
    let mut head = vec![0; size];
    head[..8].copy_from_slice(b"SDMPDUMP");
    let first_page = bytes.len() as u32 + 0x1000;
    put32(&mut head, 0x08, &[3, first_page, 40, 4, 40]);
    bytes.extend(head);
    bytes.extend([0b0011_1000, 0, 0, 0, 0b0000_0010]);
    bytes.resize(first_page as usize, 0xee);
    [3, 4, 5, 33].iter().for_each(|&frame| bytes.extend([frame; 0x1000]));
    bytes
}

#[test]
fn pages_of_set_bits_lie_packed() {
    for (kind, start) in [(Kind::Bits32, 0x2000), (Kind::Bits64, 0x3000)] {
        let dump = open(&dump(kind));
        assert_eq!(dump.format.name, "kernel summary");
        assert_eq!(runs(&dump), [(3, 3, start), (33, 1, start + 0x3000)]);
        let image = dump.image().unwrap();
        for frame in [3, 4, 5, 33] {
            assert_eq!(image.page(Pfn(frame)).map(|page| u64::from(page[0])), Ok(frame));
        }
        assert_eq!(faults(&dump), []);
    }
}

#[test]
fn sizes_that_disagree() {
    let mut bytes = dump(Kind::Bits64);
    put32(&mut bytes, 0x2018, &[41]);
    assert_eq!(faults(&open(&bytes)), [("Bitmap.SizeOfBitMap", "40, as BitmapSize", "41")]);
    put32(&mut bytes, 0x2018, &[40]);
    put32(&mut bytes, 0x2014, &[5]);
    let dump = open(&bytes);
    assert_eq!(faults(&dump), [("TotalPresentPages", "4, the number of bits that are set", "5")]);
    assert_eq!(runs(&dump).len(), 2);
}

#[test]
fn damaged_files_never_panic() {
    for kind in [Kind::Bits32, Kind::Bits64] {
        let bytes = dump(kind);
        let (front, rest) = bytes.split_at(kind.size() as usize);
        damaged(&rest[..0x40], |rest| drop(super::open(&[front, rest].concat())));
        damaged(&bytes[..kind.size() as usize + 0x40], |bytes| drop(super::open(bytes)));
    }
}
