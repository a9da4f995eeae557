//! Roots as Windows lays them out, and near misses.

use super::*;

fn is_root(ram: &Ram, root: u64, mode: PagingMode) -> bool {
    looks_like_root(Image::new(&ram.bytes, &ram.runs), Pa(root), mode)
}

fn each<const N: usize>(ram: Ram, table: usize, entries: [(usize, u64); N]) -> Ram {
    entries.into_iter().fold(ram, |ram, (index, entry)| ram.put8(table + index * 8, entry))
}

/// The kernel's half: six tables and the self-reference, as the two architectures write them.
fn x64_root() -> Ram {
    let own = (0x1ed, 0x8000_0000_0000_1063);
    let tables = [0x110, 0x130, 0x150, 0x1f0, 0x1f1].map(|index| (index, 0x2063));
    each(each(Ram::new(), 0x1000, tables), 0x1000, [own, (0x1ef, 0x3063), (0, 0x4067)])
}

fn arm64_root() -> Ram {
    let tables = [0x110, 0x130, 0x150, 0x1f0, 0x1f1].map(|index| (index, 0x0060_0000_0000_2703));
    each(each(Ram::new(), 0x1000, tables), 0x1000, [(0x1ed, 0x00e0_0000_0000_1703)])
}

#[test]
fn x64() {
    assert!(is_root(&x64_root(), 0x1000, PagingMode::X64));
    assert!(!is_root(&x64_root(), 0x2000, PagingMode::X64), "an empty page");
    assert!(!is_root(&x64_root(), 0x1008, PagingMode::X64), "not the start of a page");
    assert!(!is_root(&x64_root(), 0x100_0000, PagingMode::X64), "not in the dump");
    let miss =
        |index: usize, entry| is_root(&x64_root().put8(0x1000 + index * 8, entry), 0x1000, PagingMode::X64);
    assert!(miss(0x120, 0), "nothing changed");
    assert!(!miss(0x1ed, 0x8000_0000_0000_2063), "the self-reference is another's");
    assert!(!miss(0x1ee, 0x8000_0000_0000_1063), "two self-references");
    assert!(!miss(0x110, 0), "five tables");
    assert!(!miss(1, 0x20e7), "a large page");
    assert!(!miss(1, 0x7fff_f067), "a table above all memory");
    let full = (0..0x1c0).fold(x64_root(), |ram, index| ram.put8(0x1000 + index * 8, 0x2063));
    assert!(!is_root(&full, 0x1000, PagingMode::X64), "both halves have room");
}

#[test]
fn five_levels_need_the_shared_data_page() {
    // 0xffff_f780_0000_0000: index 0x1ff, then 0x1ef, 0, 0, 0.
    let five = each(Ram::new(), 0x1000, [(0x1ed, 0x8000_0000_0000_1063), (0x1ff, 0x2063)])
        .put8(0x2000 + 0x1ef * 8, 0x3063)
        .put8(0x3000, 0x4063)
        .put8(0x4000, 0x5063)
        .put8(0x5000, 0x6063);
    assert!(is_root(&five, 0x1000, PagingMode::X64La57));
    assert!(!is_root(&five, 0x1000, PagingMode::X64));
    assert!(!is_root(&x64_root(), 0x1000, PagingMode::X64La57));
}

#[test]
fn arm64() {
    assert!(is_root(&arm64_root(), 0x1000, PagingMode::Arm64));
    assert!(is_root(&arm64_root(), 0x1000, PagingMode::Arm64));
    assert!(!is_root(&x64_root(), 0x1000, PagingMode::Arm64));
    assert!(is_root(&arm64_root(), 0x1000, PagingMode::X64), "why ARM64 is to be asked first");
    let miss = |index: usize, entry| {
        is_root(&arm64_root().put8(0x1000 + index * 8, entry), 0x1000, PagingMode::Arm64)
    };
    assert!(!miss(0x1ed, 0x00e0_0000_0000_1743), "user mode may see the tables");
    assert!(!miss(0, 0x0060_0000_0000_2701), "a block in the root");
}

#[test]
fn pae_roots_of_32_bytes() {
    let pointers = [(0, 0x2001), (1, 0x3001), (2, 0x4001), (3, 0x5001)];
    let directories = [(0, 0x2063), (1, 0x3063), (2, 0x4063), (3, 0x5063)];
    let ram = || each(each(Ram::new(), 0x1020, pointers), 0x5000, directories);
    assert!(is_root(&ram(), 0x1020, PagingMode::X86Pae));
    assert!(!is_root(&ram(), 0x1000, PagingMode::X86Pae));
    assert!(!is_root(&ram(), 0x1024, PagingMode::X86Pae));
    assert!(!is_root(&ram().put8(0x5008, 0x2063), 0x1020, PagingMode::X86Pae), "not its own directory");
    assert!(!is_root(&ram().put8(0x1028, 0x3003), 0x1020, PagingMode::X86Pae), "a reserved bit");
}

#[test]
fn x86() {
    let ram = |count| {
        (0..count).fold(Ram::new().put4(0x1c00, 0x1063), |ram, index| ram.put4(0x1800 + index * 4, 0x2063))
    };
    assert!(is_root(&ram(16), 0x1000, PagingMode::X86));
    assert!(!is_root(&ram(15), 0x1000, PagingMode::X86));
    assert!(!is_root(&ram(16).put4(0x1c00, 0x2063), 0x1000, PagingMode::X86));
}
