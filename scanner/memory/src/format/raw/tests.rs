//! Images of one mark each, and everything that must not be taken for an image.

use super::*;
use crate::{ErrorKind, format::scratch::Scratch, identify, open};

const MIB: usize = 1 << 20;

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

fn qword(image: &mut [u8], at: usize, value: u64) {
    put(image, at, &value.to_le_bytes());
}

/// The name of the format that the content is recognised as.
fn recognised(image: &[u8]) -> Option<&'static str> {
    let scratch = Scratch::new();
    identify(&scratch.file("image", image)).unwrap().map(|format| format.name)
}

/// A PML4 at `at`: entry 0x1ed maps the page itself, some more entries are present.
fn root(image: &mut [u8], at: usize) {
    for index in [0, 0x100, 0x1f0, 0x1f1, 0x1f8, 0x1fe, 0x1ff] {
        qword(image, at + index * 8, 0x0a_5063);
    }
    qword(image, at + 0x1ed * 8, at as u64 | 0x8000_0000_0000_0063);
}

#[test]
fn a_root_that_maps_itself_is_evidence() {
    let mut image = vec![0u8; 3 * MIB];
    root(&mut image, 0x1a_d000);
    assert_eq!(recognised(&image), Some("raw"));
    // The same page one page further on maps another page.
    image.copy_within(0x1a_d000..0x1a_e000, 0x1a_e000);
    image[0x1a_d000..0x1a_e000].fill(0);
    assert_eq!(recognised(&image), None);
}

#[test]
fn roots_of_32_bit_windows_are_evidence() {
    let mut pae = vec![0u8; 2 * MIB];
    for index in 0..4 {
        let directory = 0x18_6000 + index as u64 * 0x1000;
        qword(&mut pae, 0x18_5000 + index * 8, directory | 1);
        qword(&mut pae, 0x18_9000 + index * 8, directory | 0x63); // the last maps all four
    }
    assert_eq!(recognised(&pae), Some("raw"));
    qword(&mut pae, 0x18_9000, 0x18_a063);
    assert_eq!(recognised(&pae), None);
    let mut x86 = vec![0u8; 2 * MIB];
    for index in 0x200..0x220 {
        put(&mut x86, 0x3_9000 + index * 4, &0x0080_01e3u32.to_le_bytes());
    }
    put(&mut x86, 0x3_9c00, &0x3_9063u32.to_le_bytes());
    assert_eq!(recognised(&x86), Some("raw"));
    put(&mut x86, 0x3_9c00, &0x3_a063u32.to_le_bytes());
    assert_eq!(recognised(&x86), None);
}

#[test]
fn the_start_up_stub_is_evidence() {
    let mut image = vec![0u8; 2 * MIB];
    qword(&mut image, 0x1_3000, 0x0000_0001_0006_4de9);
    qword(&mut image, 0x1_3070, 0xffff_f803_1234_5670);
    qword(&mut image, 0x1_30a0, 0x1a_d000);
    assert_eq!(recognised(&image), Some("raw"));
    qword(&mut image, 0x1_30a0, 0x1a_d001);
    assert_eq!(recognised(&image), None);
}

#[test]
fn debugger_data_are_evidence() {
    let mut image = vec![0u8; 2 * MIB];
    let at = 0x10_0b20; // KDDEBUGGER_DATA64
    put(&mut image, at + 0x10, b"KDBG");
    put(&mut image, at + 0x14, &0x340u32.to_le_bytes());
    qword(&mut image, at + 0x18, 0xffff_f800_0260_0000);
    qword(&mut image, at + 0x48, 0xffff_f800_0284_5670);
    assert_eq!(recognised(&image), Some("raw"));
    qword(&mut image, at + 0x48, 0xffff_f880_0284_5670); // a list outside the kernel
    assert_eq!(recognised(&image), None);
}

/// `MZ`, `PE`, an optional header of 64 bits with this `ImageBase`.
fn image_header(image: &mut [u8], at: usize, base: u64) {
    put(image, at, b"MZ");
    put(image, at + 0x3c, &0xf8u32.to_le_bytes());
    put(image, at + 0xf8, b"PE\0\0");
    put(image, at + 0xf8 + 24, &0x20bu16.to_le_bytes());
    qword(image, at + 0xf8 + 48, base);
}

#[test]
fn a_loaded_kernel_is_evidence_and_a_file_of_one_is_not() {
    for (base, expected) in [(0xffff_f803_1120_0000, Some("raw")), (0x1_4000_0000, None)] {
        let mut named_by_section = vec![0u8; 2 * MIB];
        image_header(&mut named_by_section, 0x12_3000, base);
        assert_eq!(recognised(&named_by_section), None);
        let mut named_by_pdb = named_by_section.clone();
        put(&mut named_by_section, 0x12_3208, b"POOLCODE");
        assert_eq!(recognised(&named_by_section), expected);
        put(&mut named_by_pdb, 0x4_5678, b"RSDS");
        put(&mut named_by_pdb, 0x4_5678 + 24, b"ntkrnlmp.pdb\0");
        assert_eq!(recognised(&named_by_pdb), expected);
    }
}

#[test]
fn evidence_behind_the_front_is_found_in_windows() {
    // 64 MiB and a rest of 64 MiB: the windows of 1 MiB cover it all.
    let mut image = vec![0u8; 128 * MIB];
    root(&mut image, 100 * MIB);
    assert_eq!(recognised(&image), Some("raw"));
}

#[test]
fn other_data_are_no_image() {
    let text = "The quick brown fox, KDBG and RSDS, ntkrnlmp.pdb. ".repeat(50_000);
    assert_eq!(recognised(text.as_bytes()), None);
    assert_eq!(recognised(&vec![0; 2 * MIB]), None);
    assert_eq!(recognised(&vec![0xff; 2 * MIB]), None);
    let mut seed = 1u64;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 24) as u8
    })
    .take(2 * MIB)
    .collect();
    assert_eq!(recognised(&random), None);
    // With evidence in it, a container that we know is still that container, and small files are none.
    for magic in [
        b"PK\x03\x04".as_slice(),
        b"PAR1",
        b"MZ\x90\0",
        b"\x7fELF\x02\x01",
        b"HIBR",
        b"EMiL\x01\0\0\0",
        b"PAGEXXXX",
    ] {
        let mut image = vec![0u8; 3 * MIB];
        root(&mut image, 0x1a_d000);
        put(&mut image, 0, magic);
        assert_eq!(recognised(&image), None, "{magic:x?}");
    }
    let mut small = vec![0u8; MIB - 1];
    root(&mut small, 0x2_d000);
    assert_eq!(recognised(&small), None);
    small.push(0);
    assert_eq!(recognised(&small), Some("raw"));
}

#[test]
fn by_name_any_file_of_a_page_opens() {
    let scratch = Scratch::new();
    let path = scratch.file("x", &[7; 0x2345]);
    let dump = open(&path, Some("raw")).unwrap();
    assert_eq!(dump.image().unwrap().page(Pfn(1)).map(|page| page[0]), Ok(7));
    assert!(dump.image().unwrap().page(Pfn(2)).is_err());
    let fault = &dump.records.faults[0];
    assert_eq!(
        (fault.kind.as_str(), fault.offset, fault.address),
        ("partial_page", Some(0x2000), Some(0x2000))
    );
    assert_eq!(fault.found, "837 bytes behind the last whole page");
    let error = open(&scratch.file("y", &[7; 0xfff]), Some("raw")).map(|_| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Truncated);
    assert!(open(&scratch.file("z", &[]), Some("raw")).is_err());
}
