//! Page tables made to mislead: cycles, lies about memory, reserved bits, random bytes.

use super::*;
use crate::space::Mapped;

const MODES: [PagingMode; 5] =
    [PagingMode::X86, PagingMode::X86Pae, PagingMode::X64, PagingMode::X64La57, PagingMode::Arm64];

/// Every entry of every table refers to the next table, the last to the first.
fn carousel() -> Ram {
    let mut ram = Ram::new();
    for (slot, chunk) in ram.bytes.chunks_exact_mut(8).enumerate() {
        let next = (slot as u64 / 512 + 1) % 64 * 0x1000;
        chunk.copy_from_slice(&(next | 0x63).to_le_bytes());
    }
    ram
}

#[test]
fn tables_that_share_tables_end() {
    for mode in MODES {
        let ram = carousel();
        let mut pages = ram.space(0x1000, mode).pages();
        let count = pages.by_ref().take(200_000).count();
        assert!(count < 200_000, "{mode:?}");
        // PAE's pointers have reserved bits in these entries: they lead nowhere.
        assert_eq!(pages.truncated(), mode != PagingMode::X86Pae, "{mode:?}: {count} pages");
    }
}

#[test]
fn a_table_that_refers_to_itself_everywhere() {
    for mode in MODES {
        let mut ram = Ram::new();
        for at in 0..512 {
            ram = ram.put8(0x1000 + at * 8, if mode == PagingMode::X86 { 0x1063_0000_1063 } else { 0x1063 });
        }
        let mut pages = ram.space(0x1000, mode).pages();
        // PAE reads four pointers, none of which may have bits 1, 5 and 6.
        assert_eq!((pages.by_ref().count(), pages.truncated()), (0, false), "{mode:?}");
        let found =
            ram.space(0x1000, mode).translate(Va(if is_narrow(mode) { 0x1234 } else { 0x1_2345_6234 }));
        assert_eq!(
            found.ok(),
            (mode != PagingMode::X86Pae).then_some(Pa(0x1234)),
            "{mode:?}: a page at last"
        );
    }
}

fn is_narrow(mode: PagingMode) -> bool {
    matches!(mode, PagingMode::X86 | PagingMode::X86Pae)
}

#[test]
fn frames_that_the_file_does_not_hold_pay_for_nothing() {
    // One run claims 2^38 frames behind the end of a file of 256 KiB.
    let ram = carousel().with_run(PhysRun { first: Pfn(1 << 38), count: 1 << 38, offset: 1 << 50 });
    for mode in MODES {
        let mut pages = ram.space(0x1000, mode).pages();
        let count = pages.by_ref().take(200_000).count();
        assert!(count < 200_000, "{mode:?}");
    }
}

#[test]
fn tables_out_of_the_dump_do_not_use_up_the_bound() {
    // Eight times 511 page directories that are not there, and behind them one page that is. With 64
    // frames and 4 levels the bound is 256 tables; 8 x 3 are really entered.
    let mut ram = Ram::new();
    for slot in 0..8 {
        ram = ram.put8(0x1000 + slot * 8, 0x2063);
    }
    for slot in 0..511 {
        ram = ram.put8(0x2000 + slot * 8, 0xff_f063);
    }
    let ram = ram.put8(0x2000 + 511 * 8, 0x3063).put8(0x3000, 0x4063).put8(0x4000, 0x5063);
    let mut pages = ram.space(0x1000, PagingMode::X64).pages();
    assert_eq!(pages.by_ref().count(), 8);
    assert!(!pages.truncated());
}

#[test]
fn a_user_root_with_a_reference_to_itself_is_left_out() {
    let ram = arm64(0x0060_0000_0000_5703)
        .put8(0x6000 + 3 * 8, 0x0060_0000_0000_6703) // the user root's own
        .put8(0x6000, 0x7703)
        .put8(0x7000, 0x8703)
        .put8(0x8000, 0x9703)
        .put8(0x9000, 0x0060_0000_0000_a743);
    let pages: Vec<(u64, u64)> = ram
        .space(0x1000, PagingMode::Arm64)
        .with_user_root(Pa(0x6000))
        .pages()
        .map(|page| (page.va.0, page.entry.unwrap().pa.0))
        .collect();
    assert_eq!(pages, [(0, 0xa000), (VA, 0x5000)]);
}

#[test]
fn the_window_of_paes_self_reference_is_left_out() {
    // Directory 3 maps all four directories from 0xc060_0000 on, that is, as the tables of 0xc000_0000.
    let mut ram = Ram::new();
    for directory in 0..4 {
        let (index, frame) = (directory as usize, (directory + 2) * 0x1000);
        ram = ram.put8(0x1020 + index * 8, frame | 1).put8(0x5000 + index * 8, frame | 0x63);
    }
    let ram = ram.put8(0x2000, 0x6067).put8(0x6000, 0x7067).put8(0x5ff8, 0x8063).put8(0x8ff8, 0x9063);
    let space = ram.space(0x1020, PagingMode::X86Pae);
    let found: Vec<u64> = space.pages().map(|page| page.va.0).collect();
    assert_eq!(found, [0, 0xffff_f000]);
    assert_eq!(space.translate(Va(0xc060_1008)), Ok(Pa(0x3008)), "it translates all the same");
    assert_eq!(space.translate(Va(0xc000_0008)), Ok(Pa(0x6008)));
}

#[test]
fn reserved_bits_of_pae() {
    let check = |pointer, directory, table, good: bool| {
        let ram = Ram::new().put8(0x1010, pointer).put8(0x2010, directory).put8(0x3010, table);
        let found = ram.space(0x1000, PagingMode::X86Pae).translate(Va(0x8040_2345));
        match good {
            true => assert_eq!(found, Ok(Pa(0x5345))),
            false => assert!(matches!(found, Err(Fault::Reserved { .. })), "{found:?}"),
        }
    };
    check(0x2001, 0x3063, 0x8000_0000_0000_5063, true);
    check(0x2003, 0x3063, 0x5063, false); // bits 1, 2, 5-8 of a pointer
    check(0x2101, 0x3063, 0x5063, false);
    check(0x2001, 0x0010_0000_0000_3063, 0x5063, false); // bits 52-62
    check(0x2001, 0x3063, 0x4000_0000_0000_5063, false);
}

#[test]
fn pages_of_random_tables_end_and_agree_with_the_walk() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for mode in MODES {
        let mut listed = 0;
        for round in 0..12 {
            let mut ram = sparse(&mut random, 8 << (round % 6));
            if mode == PagingMode::X86Pae {
                // Pointers of PAE have so many reserved bits that random ones would lead nowhere.
                ram = (0..4).fold(ram, |ram, index| ram.put8(0x1000 + index * 8, (random() & 0x3_f000) | 1));
            }
            let space = ram.space(0x1000, mode);
            let mut last = None;
            for Mapped { va, size, entry } in space.pages() {
                assert!(last < Some(va), "{mode:?}: {va} after {last:?}");
                let entry = entry.unwrap();
                assert_eq!((space.entry(va), size), (Ok(entry), entry.size), "{mode:?}");
                (last, listed) = (Some(va), listed + 1);
            }
        }
        assert!((200..5_000_000).contains(&listed), "{mode:?}: {listed} pages");
    }
}

/// Tables with one entry in `one_in`, valid as often as not, most of them without reserved bits.
fn sparse(random: &mut impl FnMut() -> u64, one_in: u64) -> Ram {
    let mut ram = Ram::new();
    for chunk in ram.bytes.chunks_exact_mut(8) {
        let frame = random() & 0x3_f000;
        let flags = [0x63, 0x67, 0x1, 0x703, 0xe3, 0x880, 0x400 | 1 << 63, 0x80][random() as usize % 8];
        let noise = if random().is_multiple_of(8) { random() & 0xf000_0007_0003_ffff } else { 0 };
        let entry = if random().is_multiple_of(one_in) { frame | flags | noise } else { 0 };
        chunk.copy_from_slice(&entry.to_le_bytes());
    }
    ram
}
