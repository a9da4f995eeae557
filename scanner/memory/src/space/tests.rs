//! Spaces over captured blocks and over page tables: what is lent, what is copied, what is refused.

use super::*;
use crate::{
    addr::Pfn,
    runs::{PhysRun, PhysRuns, VirtRun},
};

fn block(start: u64, len: u64, offset: u64) -> VirtRun {
    VirtRun { start: Va(start), len, offset, source: "data block" }
}

/// Two blocks that touch, one alone, one that the file ends in, one behind the end.
fn blocks() -> (Vec<u8>, VirtRuns) {
    let file: Vec<u8> = (0..0x80).collect();
    let runs = vec![
        block(0x1000, 0x10, 0x40),
        block(0x1010, 0x10, 0x20),
        block(0x3000, 8, 0),
        block(0x5000, 0x20, 0x70),
        block(0x7000, 8, 0x1000),
    ];
    (file, VirtRuns::new(runs).0)
}

#[test]
fn captured_blocks() {
    let (file, runs) = blocks();
    let space = Space::captured(&file, &runs);
    assert_eq!(space.u32(Va(0x1004)), Ok(0x4746_4544));
    assert_eq!(space.u64(Va(0x100c)), Ok(0x2322_2120_4f4e_4d4c), "across two blocks");
    assert_eq!(space.u64(Va(0x3000)), Ok(0x0706_0504_0302_0100));
    assert_eq!(space.u32(Va(0x3006)), Err(Fault::NotCaptured(Va(0x3008))));
    assert_eq!(space.u32(Va(0x500e)), Err(Fault::CapturedBeyondEnd(Va(0x5010))));
    assert_eq!(space.u32(Va(0x7000)), Err(Fault::CapturedBeyondEnd(Va(0x7000))));
    assert_eq!(space.u32(Va(0xffff_ffff_ffff_fffe)), Err(Fault::NotCaptured(Va(0xffff_ffff_ffff_fffe))));
    assert_eq!(space.read(Va(0x9000), &mut []), Ok(()), "nothing is everywhere");
}

#[test]
fn captured_blocks_have_no_physical_address() {
    let (file, runs) = blocks();
    let space = Space::captured(&file, &runs);
    assert_eq!(space.translate(Va(0x1004)), Err(Fault::NoPhysical(Va(0x1004))));
    assert_eq!(space.translate(Va(0x2000)), Err(Fault::NotCaptured(Va(0x2000))));
    assert_eq!(space.translate(Va(0x5010)), Err(Fault::CapturedBeyondEnd(Va(0x5010))));
}

#[test]
fn lent_where_it_lies_together() {
    let (file, runs) = blocks();
    let space = Space::captured(&file, &runs);
    assert!(matches!(space.bytes(Va(0x1004), 8), Ok(Cow::Borrowed(b"DEFGHIJK"))));
    assert!(matches!(space.bytes(Va(0x100e), 4), Ok(Cow::Owned(bytes)) if bytes == [0x4e, 0x4f, 0x20, 0x21]));
    assert_eq!(space.bytes(Va(0x100e), usize::MAX), Err(Fault::NotCaptured(Va(0x1020))));
    assert_eq!(space.bytes(Va(0x9000), 0), Ok(Cow::Borrowed(&[][..])));
}

#[test]
fn captured_blocks_are_the_pages() {
    let (file, runs) = blocks();
    let space = Space::captured(&file, &runs);
    let found: Vec<_> = space.pages().map(|page| (page.va.0, page.size, page.entry)).collect();
    let expected = [(0x1000, 0x10), (0x1010, 0x10), (0x3000, 8), (0x5000, 0x20), (0x7000, 8)];
    assert_eq!(found, expected.map(|(va, size)| (va, size, None)));
    assert!(!space.pages().truncated());
}

#[test]
fn pointers_and_text() {
    let file = [b'n', 0, b't', 0, 0, 0, 0xff, 0xff];
    let (runs, _) = VirtRuns::new(vec![block(0x1000, 8, 0)]);
    let space = Space::captured(&file, &runs);
    assert_eq!(space.utf16(Va(0x1000), 8), Ok("nt".into()));
    assert_eq!(space.u16(Va(0x1002)), Ok(0x74));
    assert_eq!(space.pointer(Va(0x1000)), Ok(Va(0xffff_0000_0074_006e)));
    assert_eq!(space.with_narrow_pointers().pointer(Va(0x1000)), Ok(Va(0x0074_006e)));
}

/// x64 tables in frames 1-4 that map 512 pages from `BASE` on as `page` says; frames 5-10 hold their number.
fn paged(page: impl Fn(u64) -> u64) -> Vec<u8> {
    let mut file: Vec<u8> = (0..11u8).flat_map(|frame| [if frame < 5 { 0 } else { frame }; 0x1000]).collect();
    let mut put = |at: usize, entry: u64| file[at..at + 8].copy_from_slice(&entry.to_le_bytes());
    put(0x1000 + 0x1f0 * 8, 0x2063);
    put(0x2000, 0x3063);
    put(0x3000, 0x4063);
    (0..512).for_each(|index| put(0x4000 + index as usize * 8, page(index)));
    file
}

const BASE: u64 = 0xffff_f800_0000_0000;

fn eleven_frames() -> PhysRuns {
    PhysRuns::new(vec![PhysRun { first: Pfn(0), count: 11, offset: 0 }]).0
}

#[test]
fn pages_that_lie_together_are_lent_and_others_copied() {
    // Pages 0-2 are frames 5, 6, 7; page 3 is frame 5 again; page 4 is not there.
    let entries = [0x5063, 0x6063, 0x7063, 0x5063];
    let file = paged(|index| entries.get(index as usize).copied().unwrap_or(0));
    let runs = eleven_frames();
    let space = Space::paged(Image::new(&file, &runs), Pa(0x1000), PagingMode::X64);
    let lent = space.bytes(Va(BASE + 0xfff), 0x1002).unwrap();
    assert!(matches!(lent, Cow::Borrowed(_)));
    assert_eq!((lent[0], lent[1], lent[0x1000], lent[0x1001]), (5, 6, 6, 7));
    let copied = space.bytes(Va(BASE + 0x2fff), 2).unwrap();
    assert!(matches!(copied, Cow::Owned(_)));
    assert_eq!(copied[..], [7, 5]);
    let mut read = [0; 2];
    assert_eq!(space.read(Va(BASE + 0x2fff), &mut read), Ok(()));
    assert_eq!(read, [7, 5]);
    assert_eq!(space.bytes(Va(BASE), usize::MAX), Err(Fault::NotMapped(Va(BASE + 0x4000))));
}

#[test]
fn a_page_mapped_again_and_again_does_not_fill_our_memory() {
    let file = paged(|_| 0x5063);
    let runs = eleven_frames();
    let space = Space::paged(Image::new(&file, &runs), Pa(0x1000), PagingMode::X64);
    assert_eq!(space.bytes(Va(BASE), 512 * 0x1000), Err(Fault::TooLong(Va(BASE))));
    assert_eq!(space.bytes(Va(BASE), 3 * 0x1000).map(|bytes| bytes.len()), Ok(3 * 0x1000));
}

#[test]
fn a_page_that_is_mapped_but_not_in_the_file() {
    let file = paged(|index| if index == 0 { 0xff_f063 } else { 0xa063 });
    let runs = eleven_frames();
    let space = Space::paged(Image::new(&file[..0xa800], &runs), Pa(0x1000), PagingMode::X64);
    assert_eq!(space.translate(Va(BASE + 1)), Ok(Pa(0xff_f001)));
    assert_eq!(space.u32(Va(BASE)), Err(Fault::NotInDump(Pa(0xff_f000))));
    assert_eq!(space.u32(Va(BASE + 0x17fc)), Ok(0x0a0a_0a0a));
    assert_eq!(space.u32(Va(BASE + 0x1800)), Err(Fault::BeyondEnd(Pa(0xa800))));
}

#[test]
fn what_was_read_of_one_dump_is_not_said_of_another() {
    let (runs, files) = (eleven_frames(), [paged(|_| 0x5063), paged(|_| 0x6063)]);
    for (number, (file, frame)) in [0, 1, 0, 1].into_iter().zip(files.iter().zip([5, 6]).cycle()) {
        let image = Image::new(file, &runs).of_dump(number);
        assert_eq!(Space::paged(image, Pa(0x1000), PagingMode::X64).u16(Va(BASE)), Ok(frame * 0x101));
    }
}

#[test]
fn what_is_known_of_software_entries_counts_at_once() {
    // In transition; its swizzle bit is clear, so that the frame stands there with the bits of the mask set.
    let (runs, file) = (eleven_frames(), paged(|_| 0x7880));
    let space = Space::paged(Image::new(&file, &runs).of_dump(2), Pa(0x1000), PagingMode::X64);
    for _ in 0..2 {
        assert_eq!(space.u16(Va(BASE)), Ok(0x707));
        assert_eq!(space.with_invalid_pte_mask(0x1000).u16(Va(BASE)), Ok(0x606));
    }
}

#[test]
fn spaces_go_to_other_threads() {
    fn check<T: Copy + Send + Sync>() {}
    check::<Space<'_>>();
}
