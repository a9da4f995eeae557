//! Page tables written by hand, entry by entry, as the manuals print them: literal numbers, none of
//! the constants of the walk.

mod hostile;
mod roots;
mod software;

use super::*;
use crate::{
    Space,
    addr::{Pa, Pfn, Va},
    error::Fault,
    image::Image,
    runs::{PhysRun, PhysRuns},
};

/// 64 frames of memory from address 0.
struct Ram {
    bytes: Vec<u8>,
    runs: PhysRuns,
}

impl Ram {
    fn new() -> Ram {
        let (runs, _) = PhysRuns::new(vec![PhysRun { first: Pfn(0), count: 64, offset: 0 }]);
        Ram { bytes: vec![0; 64 * 4096], runs }
    }

    fn put8(mut self, at: usize, value: u64) -> Ram {
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self
    }

    fn put4(mut self, at: usize, value: u32) -> Ram {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    /// The same memory with one more run of frames.
    fn with_run(mut self, run: PhysRun) -> Ram {
        let mut runs = self.runs.as_slice().to_vec();
        runs.push(run);
        self.runs = PhysRuns::new(runs).0;
        self
    }

    fn space(&self, root: u64, mode: PagingMode) -> Space<'_> {
        Space::paged(Image::new(&self.bytes, &self.runs), Pa(root), mode)
    }
}

/// Root at 0x1000, tables at 0x2000, 0x3000, 0x4000; the kernel address 0xffff_8880_8080_8000 has index
/// 0x111, 2, 4, 8 in them.
const VA: u64 = 0xffff_8880_8080_8000;

fn x64(leaf: u64) -> Ram {
    Ram::new()
        .put8(0x1000 + 0x111 * 8, 0x2063)
        .put8(0x2000 + 16, 0x3063)
        .put8(0x3000 + 32, 0x4063)
        .put8(0x4000 + 64, leaf)
}

/// The same tables as ARM64 writes them.
fn arm64(leaf: u64) -> Ram {
    Ram::new()
        .put8(0x1000 + 0x111 * 8, 0x0060_0000_0000_2703)
        .put8(0x2000 + 16, 0x0060_0000_0000_3703)
        .put8(0x3000 + 32, 0x0060_0000_0000_4703)
        .put8(0x4000 + 64, leaf)
}

#[test]
fn x64_small_page_and_its_rights() {
    let ram = x64(0x8000_0000_0000_5863);
    let space = ram.space(0x1000 | 0xfff, PagingMode::X64); // a PCID in the low bits
    assert_eq!(space.translate(Va(VA + 0x123)), Ok(Pa(0x5123)));
    let entry = space.entry(Va(VA)).unwrap();
    assert_eq!((entry.writable, entry.user, entry.executable, entry.size), (true, false, false, 0x1000));
    assert_eq!(entry.kind, EntryKind::Valid);
    assert_eq!(space.translate(Va(VA + 0x1000)), Err(Fault::NotMapped(Va(VA + 0x1000))));
    assert_eq!(
        space.translate(Va(0x1111_8880_8080_8000)),
        Err(Fault::NonCanonical(Va(0x1111_8880_8080_8000)))
    );
}

#[test]
fn x64_large_pages_drop_the_pat_bit_and_refuse_reserved_bits() {
    let ram = x64(0).put8(0x3000 + 32, 0x1_0020_10e3); // 2 MiB at 0x1_0020_0000, bit 12 set
    assert_eq!(ram.space(0x1000, PagingMode::X64).translate(Va(VA + 0x1234)), Ok(Pa(0x1_0020_9234)));
    let ram = x64(0).put8(0x2000 + 16, 0x2_4000_10e3); // 1 GiB at 0x2_4000_0000
    assert_eq!(ram.space(0x1000, PagingMode::X64).translate(Va(VA)), Ok(Pa(0x2_4080_8000)));
    let ram = x64(0).put8(0x3000 + 32, 0x1_0020_20e3); // bit 13 must be zero
    assert!(matches!(ram.space(0x1000, PagingMode::X64).translate(Va(VA)), Err(Fault::Reserved { .. })));
    let ram = x64(0).put8(0x1000 + 0x111 * 8, 0x20e3); // no large pages at the top
    assert!(matches!(ram.space(0x1000, PagingMode::X64).translate(Va(VA)), Err(Fault::Reserved { .. })));
}

#[test]
fn five_levels() {
    // 0xff11_8880_8080_8000: index 0x111 at the top, then as above.
    let ram = x64(0x5063).put8(0x6000 + 0x111 * 8, 0x1063);
    let space = ram.space(0x6000, PagingMode::X64La57);
    assert_eq!(space.translate(Va(0xff11_8880_8080_8010)), Ok(Pa(0x5010)));
    assert!(matches!(space.translate(Va(0x0111_8880_8080_8010)), Err(Fault::NonCanonical(_))));
}

#[test]
fn software_entries_of_x64() {
    let check =
        |leaf, expected| assert_eq!(x64(leaf).space(0x1000, PagingMode::X64).translate(Va(VA)), expected);
    let va = Va(VA);
    check(0x80, Err(Fault::DemandZero { va, protection: 4 }));
    check(0x77_0000_1090, Err(Fault::PageFile { va, number: 1, offset: Some(0x77) }));
    check(0xffff_ffff_0000_0080, Err(Fault::VadBacked(va)));
    check(0x5890, Ok(Pa(0x5000))); // transition, swizzle bit set: not swizzled
    check(0x2000_0000_5880, Ok(Pa(0x5000))); // transition with bit 45 inverted
    // A prototype entry in the same page of system space: its address is in bits 16-63.
    let at = VA + 0x1000 + 0x10;
    let prototype = |value| {
        let ram = x64(at << 16 | 0x400).put8(0x4000 + 72, 0x7863).put8(0x7010, value);
        ram.space(0x1000, PagingMode::X64).translate(va)
    };
    assert_eq!(prototype(0x9863), Ok(Pa(0x9000)));
    assert_eq!(prototype(0x9890), Ok(Pa(0x9000)));
    assert_eq!(prototype(0x77_0000_1090), Err(Fault::PageFile { va, number: 1, offset: Some(0x77) }));
    assert_eq!(prototype(0), Err(Fault::Prototype { va, prototype: Va(at) }));
    assert_eq!(prototype(at << 16 | 0x400), Err(Fault::Prototype { va, prototype: Va(at) }));
}

#[test]
fn the_page_file_number_moved_with_build_17134() {
    let ram = x64(0x77_0000_0086);
    let space = ram.space(0x1000, PagingMode::X64);
    let old = Fault::PageFile { va: Va(VA), number: 3, offset: Some(0x77) };
    assert_eq!(space.with_build(16299).translate(Va(VA)), Err(old));
    let new = Fault::PageFile { va: Va(VA), number: 0, offset: None };
    assert_eq!(space.with_build(19041).translate(Va(VA)), Err(new));
    let mask = space.with_build(19041).with_invalid_pte_mask(0x2000_0000_0000);
    let unswizzled = Fault::PageFile { va: Va(VA), number: 0, offset: Some(0x2077) };
    assert_eq!(mask.translate(Va(VA)), Err(unswizzled));
    assert_eq!(
        x64(0xffff_8000_0000_0080).space(0x1000, PagingMode::X64).with_build(22631).translate(Va(VA)),
        Err(Fault::FileBacked(Va(VA)))
    );
}

#[test]
fn tables_that_are_not_in_the_dump_are_named() {
    let ram = x64(0).put8(0x2000 + 16, 0xff_f063);
    let expected = Fault::TableMissing { va: Va(VA), table: Pa(0xff_f000), level: 2 };
    assert_eq!(ram.space(0x1000, PagingMode::X64).translate(Va(VA)), Err(expected));
}

#[test]
fn x86_plain() {
    // 0x8040_2000: index 0x201, then 2.
    let ram = Ram::new().put4(0x1000 + 0x201 * 4, 0x2063).put4(0x2000 + 8, 0x5067);
    let space = ram.space(0x1000, PagingMode::X86);
    assert_eq!(space.translate(Va(0x8040_2345)), Ok(Pa(0x5345)));
    assert!(matches!(space.translate(Va(0x1_8040_2345)), Err(Fault::NonCanonical(_))));
    // 4 MiB page with physical bits 32-35 = 3 in bits 13-16, and the PAT bit.
    let ram = Ram::new().put4(0x1000 + 0x201 * 4, 0x0040_70e3);
    assert_eq!(ram.space(0x1000, PagingMode::X86).translate(Va(0x8040_2345)), Ok(Pa(0x3_0040_2345)));
    let ram = Ram::new().put4(0x1000 + 0x201 * 4, 0x2063).put4(0x2000 + 8, 0x0007_7082);
    let expected = Fault::PageFile { va: Va(0x8040_2000), number: 1, offset: Some(0x77) };
    assert_eq!(ram.space(0x1000, PagingMode::X86).translate(Va(0x8040_2000)), Err(expected));
}

#[test]
fn pae_has_a_root_of_32_bytes() {
    // 0x8040_2000: pointer 2, then 2, then 2.
    let ram = Ram::new().put8(0x1020 + 16, 0x2001).put8(0x2000 + 16, 0x3063).put8(0x3000 + 16, 0x5063);
    let space = ram.space(0x1020 | 0x1f, PagingMode::X86Pae);
    assert_eq!(space.translate(Va(0x8040_2345)), Ok(Pa(0x5345)));
    assert!(space.entry(Va(0x8040_2000)).unwrap().writable);
    let ram = Ram::new().put8(0x1020 + 16, 0x2001).put8(0x2000 + 16, 0x1_0060_00e3);
    assert_eq!(ram.space(0x1020, PagingMode::X86Pae).translate(Va(0x8040_2345)), Ok(Pa(0x1_0060_2345)));
}

#[test]
fn arm64_pages_blocks_and_both_halves() {
    let ram = arm64(0x00c0_0000_0000_5703).put8(0x3000 + 40, 0x00e0_0001_0020_0701).put8(0x6000, 0x2703); // the user half's root: index 0
    let space = ram.space(0x1000, PagingMode::Arm64);
    assert_eq!(space.translate(Va(VA + 7)), Ok(Pa(0x5007)));
    let entry = space.entry(Va(VA)).unwrap();
    assert_eq!((entry.writable, entry.executable), (true, true), "bit 54 forbids user mode only");
    assert_eq!(space.translate(Va(VA + 0x20_0000)), Ok(Pa(0x1_0020_8000)));
    assert_eq!(space.with_user_root(Pa(0x6000)).translate(Va(0x8080_8007)), Ok(Pa(0x5007)));
    assert_eq!(space.with_user_root(Pa(0x6000)).translate(Va(VA + 7)), Ok(Pa(0x5007)), "the kernel's half");
    assert_eq!(space.translate(Va(0x8080_8007)), Err(Fault::NotMapped(Va(0x8080_8007))));
    let gigabyte = arm64(0).put8(0x2000 + 16, 0x00e0_0002_4000_0741); // a block of level 1, for user mode
    let space = gigabyte.space(0x1000, PagingMode::Arm64);
    assert_eq!(space.translate(Va(VA + 7)), Ok(Pa(0x2_4080_8007)));
    let entry = space.entry(Va(VA)).unwrap();
    assert_eq!((entry.size, entry.user, entry.writable, entry.executable), (1 << 30, true, true, false));
    let top = arm64(0).put8(0x1000 + 0x111 * 8, 0x2701); // no blocks at the top
    assert!(matches!(top.space(0x1000, PagingMode::Arm64).translate(Va(VA)), Err(Fault::Reserved { .. })));
    let block_at_the_end = Ram { bytes: ram.bytes.clone(), runs: ram.runs.clone() }.put8(0x4000 + 64, 0x5701);
    assert!(block_at_the_end.space(0x1000, PagingMode::Arm64).translate(Va(VA)).is_err());
}

#[test]
fn pages_come_in_order_and_the_self_reference_is_left_out() {
    let ram = x64(0x5063).put8(0x4000, 0x6863).put8(0x1000 + 0x1ed * 8, 0x1063).put8(0x1000, 0x2067);
    let found: Vec<(u64, u64)> = ram
        .space(0x1000, PagingMode::X64)
        .pages()
        .map(|page| (page.va.0, page.entry.unwrap().pa.0))
        .collect();
    let low = 0x8080_0000;
    let high = 0xffff_8880_8080_0000;
    assert_eq!(found, [(low, 0x6000), (low + 0x8000, 0x5000), (high, 0x6000), (high + 0x8000, 0x5000)]);
}

#[test]
fn random_memory_is_no_reason_to_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for mode in [PagingMode::X64, PagingMode::X64La57, PagingMode::Arm64, PagingMode::X86Pae, PagingMode::X86]
    {
        let mut ram = Ram::new();
        for chunk in ram.bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&(random() & 0xf000_0000_0003_ffff).to_le_bytes());
        }
        let space = ram.space(random(), mode);
        for _ in 0..20_000 {
            let va = Va(space_va(mode, random()));
            let _ = (space.translate(va), space.u64(va), space.bytes(va, 0x3000));
        }
        assert!(space.pages().count() <= 64 * 5 * 1024, "64 frames, 5 levels, 1024 entries at most");
    }
}

fn space_va(mode: PagingMode, random: u64) -> u64 {
    let rules = mode.rules();
    rules.extend(random & low_bits(rules.va_bits))
}
