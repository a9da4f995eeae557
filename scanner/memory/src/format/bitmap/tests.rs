//! Bitmap dumps written by hand, and the scan of the bits against a naive one.

use super::*;
use crate::{
    Pfn,
    format::header::{
        Kind,
        tests::{of_type, put64},
    },
    format::scratch::{damaged, faults, open, runs},
};

/// A dump whose map of `bits` bits has those of `frames` set; the frames' pages follow the map at
/// once, each filled with the frame's number.
fn dump(kind: Kind, dump_type: u32, bits: u64, frames: &[u64]) -> Vec<u8> {
    let mut bytes = of_type(kind, dump_type);
    let mut map = vec![0u8; bits.div_ceil(8) as usize];
    frames.iter().for_each(|&frame| map[frame as usize / 8] |= 1 << (frame % 8));
    let mut head = [0u8; 0x38];
    head[..8].copy_from_slice(if dump_type == 5 { b"FDMPDUMP" } else { b"SDMPDUMP" });
    let first_page = (bytes.len() + head.len() + map.len()) as u64;
    put64(&mut head, 0x20, &[first_page, frames.len() as u64, bits]);
    bytes.extend(head);
    bytes.extend(map);
    frames.iter().for_each(|&frame| bytes.extend([frame as u8; 0x1000]));
    bytes
}

const FRAMES: [u64; 6] = [1, 2, 63, 64, 65, 90];

#[test]
fn pages_of_set_bits_lie_packed() {
    for (kind, start) in [(Kind::Bits32, 0x1000), (Kind::Bits64, 0x2000)] {
        for dump_type in [5, 6, 7] {
            let dump = open(&dump(kind, dump_type, 91, &FRAMES));
            assert_eq!(dump.format.name, "kernel bitmap");
            let page = |n: u64| start + 0x38 + 12 + n * 0x1000;
            assert_eq!(runs(&dump), [(1, 2, page(0)), (63, 3, page(2)), (90, 1, page(5))]);
            let image = dump.image().unwrap();
            for frame in FRAMES {
                assert_eq!(image.page(Pfn(frame)).map(|page| u64::from(page[0])), Ok(frame));
            }
            assert_eq!((dump.bytes_missing(), faults(&dump)), (Some(0), vec![]));
        }
    }
}

#[test]
fn bits_behind_the_last_frame_are_masked() {
    let mut bytes = dump(Kind::Bits64, 6, 90, &FRAMES[..5]);
    let masked = open(&bytes);
    assert_eq!((runs(&masked).len(), faults(&masked)), (2, vec![]));
    bytes[0x2038 + 11] |= 0b1111_1100; // frames 90 to 95 of a map of 90 frames
    let dirty = open(&bytes);
    assert_eq!((runs(&dirty), faults(&dirty)), (runs(&masked), vec![]));
}

#[test]
fn a_count_of_pages_that_disagrees() {
    let mut bytes = dump(Kind::Bits64, 6, 91, &FRAMES);
    put64(&mut bytes, 0x2028, &[7]);
    let dump = open(&bytes);
    assert_eq!(runs(&dump).len(), 3);
    assert_eq!(faults(&dump), [("TotalPresentPages", "6, the number of bits that are set", "7")]);
}

#[test]
fn a_map_larger_than_the_file() {
    let mut bytes = dump(Kind::Bits64, 6, 91, &FRAMES);
    // More bits than there are bytes before the first page: those that exist count.
    put64(&mut bytes, 0x2030, &[u64::MAX]);
    let lying = open(&bytes);
    assert_eq!(runs(&lying).iter().map(|run| run.1).sum::<u64>(), 6);
    assert_eq!(faults(&lying), [("Pages", "at most 96", "18446744073709551615 bits in 12 bytes of bitmap")]);
    // The file ends within the map: the frames of its front are known, their pages are missing.
    put64(&mut bytes, 0x2030, &[91]);
    let cut = open(&bytes[..0x2038 + 8]);
    assert_eq!(runs(&cut), [(1, 2, 0x2044), (63, 1, 0x4044)]);
    // Six pages from 0x2044 on, by the header.
    assert_eq!(cut.bytes_missing(), Some(0x2044 + 0x6000 - 0x2040));
    assert_eq!(faults(&cut)[0], ("Pages", "at most 64", "91 bits in 8 bytes of bitmap"));
}

/// Of a map that is cut off only its header says how many frames it has: what cannot be true says nothing.
#[test]
fn a_count_of_pages_is_not_believed_blindly() {
    let missing = |set: u64, required: u64| {
        let mut bytes = dump(Kind::Bits64, 6, 91, &FRAMES);
        put64(&mut bytes, 0x2028, &[set]);
        put64(&mut bytes, 0xfa0, &[required]);
        let cut = open(&bytes[..0x2038 + 8]);
        let is_doubted =
            faults(&cut).iter().any(|fault| fault.1.starts_with("at most 91, the number of bits"));
        let is_contradicted = faults(&cut).iter().any(|fault| fault.1.ends_with("RequiredDumpSpace says"));
        (cut.bytes_missing(), is_doubted, is_contradicted)
    };
    assert_eq!(missing(6, 0), (Some(0x6004), false, false));
    assert_eq!(missing(6, 0x8044), (Some(0x6004), false, false));
    // The pages of the bits that are there are missing whatever the header says of others.
    assert_eq!(missing(1 << 36, 0), (Some(0x3000), true, false));
    // Also where the bits would be as many.
    let forged = |required: u64| {
        let mut bytes = dump(Kind::Bits64, 6, 91, &FRAMES);
        put64(&mut bytes, 0x2020, &[0x2038 + (1 << 28), 1 << 30, 1 << 31]);
        put64(&mut bytes, 0xfa0, &[required]);
        open(&bytes[..0x2038 + 8]).bytes_missing()
    };
    assert_eq!(forged(0x8044), Some(0x3000));
    assert_eq!(forged(1 << 43), Some((1 << 28) + (1 << 42) - 8));
}

#[test]
fn headers_that_say_nothing_give_no_runs() {
    let good = dump(Kind::Bits64, 6, 91, &FRAMES);
    let mut bytes = good.clone();
    put64(&mut bytes, 0x2020, &[0x2037]);
    let first_page = open(&bytes);
    assert_eq!(runs(&first_page), []);
    assert_eq!(faults(&first_page), [("FirstPage", "an offset behind 0x2038", "0x2037")]);
    let mut bytes = good.clone();
    bytes[0x2000] = b'X';
    let signature = open(&bytes);
    assert_eq!((runs(&signature), faults(&signature)[0].0), (vec![], "Signature"));
    let short = open(&good[..0x2010]);
    assert_eq!((runs(&short), short.records.faults[0].kind.as_str()), (vec![], "truncated"));
    assert_eq!(short.records.header.machine_type, Some(0x8664));
    let mut bytes = good;
    put64(&mut bytes, 0x2020, &[u64::MAX - 0x2fff]);
    let far = open(&bytes);
    assert_eq!(runs(&far), [(1, 2, u64::MAX - 0x2fff)]);
    assert_eq!(far.bytes_present(), 0);
}

#[test]
fn damaged_files_never_panic() {
    for kind in [Kind::Bits32, Kind::Bits64] {
        let bytes = dump(kind, 6, 91, &FRAMES[..2]);
        let header = kind.size() as usize;
        damaged(&bytes, |bytes| drop(super::open(bytes)));
        // The same with the damage in the part that counts.
        let (front, rest) = bytes.split_at(header);
        damaged(&rest[..0x60], |rest| drop(super::open(&[front, rest].concat())));
    }
}

/// One bit at a time.
fn naive(map: &[u8], bits: u64) -> Vec<u64> {
    let set = |&n: &u64| map.get(n as usize / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1);
    (0..bits).filter(set).collect()
}

#[test]
fn runs_equal_those_of_a_naive_scan() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for len in 0..200u64 {
        // Bytes that are often all zeros or all ones, so that runs cross bytes and words.
        let map: Vec<u8> = (0..len).map(|_| [0, 0xff, 0xff, random() as u8][random() as usize % 4]).collect();
        let bits = (len * 8).saturating_sub(random() % 9);
        let mut frames = Vec::new();
        runs_of(&map, bits, |first, count| {
            assert!(count > 0);
            frames.extend(first..first + count);
            true
        });
        assert_eq!(frames, naive(&map, bits), "{len} bytes, {bits} bits");
    }
}

#[test]
fn the_map_of_64_gib_is_scanned_at_once() {
    let map: Vec<u8> = (0..2 << 20).map(|n: u32| if n % 64 < 48 { 0xff } else { 0 }).collect();
    let mut packed = Packed::new(0x20_2038, 1 << 40);
    let start = std::time::Instant::now();
    runs_of(&map, 16 << 20, |first, count| packed.push(first, count));
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(packed.frames(), 12 << 20);
    println!("2 MiB of bitmap: {seconds:.4} s");
    assert!(seconds < 1.0, "{seconds} s");
}
