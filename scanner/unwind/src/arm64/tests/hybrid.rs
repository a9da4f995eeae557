//! Images of two architectures.
use super::*;

/// An image with a load configuration, metadata and a code map of three ranges; `machine` as in its header.
fn hybrid(machine: u16, pointer: u64) -> Flat {
    let mut bytes = vec![0; 0x2000];
    let mut put = |at: usize, data: &[u8]| bytes[at..at + data.len()].copy_from_slice(data);
    put(0, b"MZ");
    put(0x3c, &0x80_u32.to_le_bytes());
    put(0x80, b"PE\0\0");
    put(0x84, &machine.to_le_bytes());
    let optional = 0x98;
    put(optional, &0x20b_u16.to_le_bytes());
    put(optional + 24, &0x1_8000_0000_u64.to_le_bytes());
    put(optional + 56, &0x1_0000_u32.to_le_bytes());
    put(optional + 108, &16_u32.to_le_bytes());
    put(optional + 112 + 8 * 3, &0x1800_u32.to_le_bytes());
    put(optional + 112 + 8 * 3 + 4, &24_u32.to_le_bytes());
    put(optional + 112 + 80, &0x400_u32.to_le_bytes());
    put(0x400, &0x100_u32.to_le_bytes());
    put(0x400 + 0xc8, &pointer.to_le_bytes());
    for (index, word) in [(0, 1_u32), (1, 0x700), (2, 3), (16, 0x1900), (17, 16)] {
        put(0x600 + 4 * index, &word.to_le_bytes());
    }
    let map = [0x2000, 0x1000, 0x4000 | 1, 0x1000, 0x6000 | 2, 0x800_u32];
    put(0x700, &map.map(u32::to_le_bytes).concat());
    Flat(BASE, bytes)
}

#[test]
fn the_code_map_says_what_code_is() {
    for pointer in [BASE + 0x600, 0x1_8000_0600] {
        let flat = hybrid(crate::MACHINE_AMD64, pointer);
        let hybrid = Hybrid::open(&Image::open(BASE, &flat).unwrap()).unwrap().unwrap();
        let code = |rva| hybrid.code(rva).unwrap();
        assert_eq!(
            [0x1fff, 0x2000, 0x2fff, 0x3000].map(code),
            [None, Some(Code::Arm64), Some(Code::Arm64), None]
        );
        assert_eq!(
            [0x4000, 0x6000, 0x67ff, 0x6800].map(code),
            [Some(Code::Arm64Ec), Some(Code::X64), Some(Code::X64), None]
        );
        let table =
            |code| (hybrid.image(code).machine, hybrid.image(code).table, hybrid.image(code).table_size);
        assert_eq!(table(Code::X64), (0x8664, 0x1800, 24));
        assert_eq!(table(Code::Arm64Ec), (0xa641, 0x1900, 16));
    }
    let flat = hybrid(MACHINE_ARM64, BASE + 0x600);
    let hybrid = Hybrid::open(&Image::open(BASE, &flat).unwrap()).unwrap().unwrap();
    assert_eq!(hybrid.image(Code::X64).table, 0x1900);
    assert_eq!(hybrid.image(Code::Arm64Ec).table, 0x1800);
    assert_eq!(hybrid.image(Code::Arm64).table, 0x1800);
}

#[test]
fn images_of_one_architecture_and_broken_metadata() {
    let plain = hybrid(MACHINE_ARM64, 0);
    assert!(Hybrid::open(&Image::open(BASE, &plain).unwrap()).unwrap().is_none());
    let flat = hybrid(MACHINE_ARM64, 0x1234);
    assert!(Hybrid::open(&Image::open(BASE, &flat).unwrap()).is_err());
    let mut flat = hybrid(MACHINE_ARM64, BASE + 0x600);
    flat.1[0x608..0x60c].fill(0xff); // four billion ranges
    let hybrid = Hybrid::open(&Image::open(BASE, &flat).unwrap()).unwrap().unwrap();
    assert!(hybrid.code(0x2000).is_err());
}
