//! State files written by hand from the description of the format.

use super::*;
use crate::records::Architecture;
use crate::{
    Dump, Fault, Pa, companion_of,
    format::scratch::{Scratch, ill_treat},
    open,
};

/// A tag: name, indices, data.
fn tag(name: &str, indices: &[u32], data: &[u8]) -> Vec<u8> {
    let mut tag = vec![(indices.len() as u8) << 6 | data.len() as u8, name.len() as u8];
    tag.extend(name.bytes());
    tag.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
    tag.extend(data);
    tag
}

/// A block: sizes of 4 or 8 bytes, padding, data.
fn block(name: &str, wide: bool, padding: u16, data: &[u8]) -> Vec<u8> {
    let mut block = vec![0x3f, name.len() as u8];
    block.extend(name.bytes());
    for _ in 0..2 {
        let size = (data.len() as u64).to_le_bytes();
        block.extend(&size[..if wide { 8 } else { 4 }]);
    }
    block.extend(padding.to_le_bytes());
    block.resize(block.len() + usize::from(padding), 0);
    block.extend(data);
    block
}

fn region(index: u32, frame: u32, page: u32, size: u32) -> Vec<u8> {
    [("regionPPN", frame), ("regionPageNum", page), ("regionSize", size)]
        .iter()
        .flat_map(|(name, value)| tag(name, &[index], &value.to_le_bytes()))
        .collect()
}

/// A state file of these groups, each ended by an empty tag.
fn state(magic: u32, groups: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut file: Vec<u8> = [magic, 8, groups.len() as u32].iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut at = 12 + 80 * groups.len();
    for (name, content) in groups {
        let mut header = [0u8; 80];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[64..72].copy_from_slice(&(at as u64).to_le_bytes());
        header[72..80].copy_from_slice(&(content.len() as u64 + 2).to_le_bytes());
        file.extend(header);
        at += content.len() + 2;
    }
    for (_, content) in groups {
        file.extend(content);
        file.extend([0, 0]);
    }
    file
}

fn pages(count: u8) -> Vec<u8> {
    (1..=count).flat_map(|page| [page; 0x1000]).collect()
}

fn runs(dump: &Dump) -> Vec<(u64, u64, u64)> {
    let Memory::Physical(runs) = &dump.memory else { panic!("no physical memory") };
    runs.as_slice().iter().map(|run| (run.first.0, run.count, run.offset)).collect()
}

fn kinds(dump: &Dump) -> Vec<&str> {
    dump.records.faults.iter().map(|fault| fault.kind.as_str()).collect()
}

/// Three pages below the hole, two above 4 GiB.
fn two_regions() -> Vec<u8> {
    [tag("regionsCount", &[], &2u32.to_le_bytes()), region(0, 0, 0, 3), region(1, 0x10_0000, 3, 2)].concat()
}

#[test]
fn either_path_opens_the_same_memory() {
    for (magic, wide) in [(0xbed2_bed2, true), (0xbed3_bed3, true), (0xbad1_bad1, true), (0xbed2_bed0, false)]
    {
        for padding in [0, 7] {
            let memory = [block("thumbnail", wide, padding, &[9; 300]), two_regions()].concat();
            let cpu =
                [tag("CR64", &[1, 3], &0x1ad000u64.to_le_bytes()), tag("CR64", &[1, 0], &[1; 8])].concat();
            let groups = [("cpu", cpu), ("Snapshot", vec![0xff; 40]), ("memory", memory)];
            let scratch = Scratch::new();
            let state = scratch.file("guest.vmss", &state(magic, &groups));
            let vmem = scratch.file("guest.vmem", &pages(5));
            for path in [&state, &vmem] {
                let dump = open(path, None).unwrap();
                assert_eq!(runs(&dump), [(0, 3, 0), (0x10_0000, 2, 0x3000)]);
                let image = dump.image().unwrap();
                assert_eq!(image.page(Pfn(0x10_0001)).map(|page| page[5]), Ok(5));
                assert_eq!(image.page(Pfn(3)), Err(Fault::NotInDump(Pa(0x3000))));
                assert_eq!(dump.records.header.root_hints, [0x1ad000]);
                assert_eq!(kinds(&dump), [""; 0]);
                assert_eq!(
                    dump.companion().map(|(path, _)| path.to_path_buf()).as_ref(),
                    Some(if path == &state { &vmem } else { &state })
                );
            }
            assert_eq!(open(&state, None).unwrap().format.name, "VMware state");
            assert_eq!(open(&vmem, None).unwrap().format.name, "VMware memory");
            assert_eq!(companion_of(&state), Some(vmem.clone()));
            assert_eq!(companion_of(&vmem), None);
        }
    }
}

#[test]
fn a_state_beside_nothing_has_no_memory() {
    let scratch = Scratch::new();
    let path = scratch.file("guest.vmsn", &state(0xbed2_bed2, &[("memory", two_regions())]));
    let dump = open(&path, None).unwrap();
    assert!(matches!(dump.memory, Memory::None));
    assert_eq!(kinds(&dump), ["no_memory"]);
    assert_eq!(companion_of(&path), None);
    scratch.file("guest.vmem", &pages(1));
    assert!(companion_of(&path).is_some());
    let other = scratch.file("other.vmss", b"no state at all");
    scratch.file("other.vmem", &pages(1));
    assert_eq!(companion_of(&other), None);
}

#[test]
fn memory_alone_is_one_to_one_and_says_what_it_cannot_know() {
    let scratch = Scratch::new();
    let small = scratch.file("small.vmem", &pages(2));
    let dump = open(&small, Some("VMware memory")).unwrap();
    assert_eq!(runs(&dump), [(0, 2, 0)]);
    assert_eq!(kinds(&dump), [""; 0]);
    for (size, expected) in [(3 << 30, [].as_slice()), ((3 << 30) + 0x1000, &["no_metadata"])] {
        let path = scratch.sparse("large.vmem", &pages(2), size);
        let dump = open(&path, Some("VMware memory")).unwrap();
        assert_eq!(runs(&dump), [(0, size >> 12, 0)]);
        assert_eq!(kinds(&dump), expected);
    }
    assert!(open(&small, None).is_err(), "nothing of Windows is in it");
}

#[test]
fn a_state_without_regions_is_one_to_one() {
    let scratch = Scratch::new();
    scratch.file("guest.vmsn", &state(0xbed2_bed2, &[("memory", tag("regionsCount", &[], &[0; 4]))]));
    let vmem = scratch.file("guest.vmem", &pages(2));
    let dump = open(&vmem, None).unwrap();
    assert_eq!(runs(&dump), [(0, 2, 0)]);
    assert_eq!(kinds(&dump), [""; 0]);
}

#[test]
fn a_damaged_state_does_not_take_the_memory_away() {
    let scratch = Scratch::new();
    scratch.file("guest.vmss", &0xbed2_bed2u32.to_le_bytes());
    let vmem = scratch.file("guest.vmem", &pages(2));
    let dump = open(&vmem, None).unwrap();
    assert_eq!(runs(&dump), [(0, 2, 0)]);
    assert_eq!(kinds(&dump), ["truncated"]);
}

#[test]
fn ram_of_an_old_product_is_inside() {
    let ram = 17u64 << 20;
    let tags = [two_regions(), tag("align", &[], &[0; 50])].concat();
    let mut file = state(0xbed2_bed0, &[("memory", tags)]);
    let at = file.len() as u64; // the tags begin at 92, RAM at the next page
    assert!(at < 0x1000);
    let end = 0x1000 + ram;
    file[12 + 72..12 + 80].copy_from_slice(&(end - 92).to_le_bytes());
    file.resize(0x1000, 0);
    file.extend(pages(5));
    let scratch = Scratch::new();
    let path = scratch.sparse("old.vmss", &file, end);
    let dump = open(&path, None).unwrap();
    assert_eq!(runs(&dump), [(0, 3, 0x1000), (0x10_0000, 2, 0x4000)]);
    assert_eq!(dump.image().unwrap().page(Pfn(0x10_0001)).map(|page| page[0]), Ok(5));
    // Without regions the RAM is one run.
    file[92..92 + 2].copy_from_slice(&[0, 0]);
    let path = scratch.sparse("older.vmss", &file, end);
    assert_eq!(runs(&open(&path, None).unwrap()), [(0, ram >> 12, 0x1000)]);
}

#[test]
fn an_arm64_guest_starts_at_2_gib() {
    let checkpoint =
        [tag("Platform", &[], &3u32.to_le_bytes()), tag("memSize", &[], &1u32.to_le_bytes())].concat();
    let cpu = tag("hv:ttbrEL1", &[0], &0x8123_4000u64.to_le_bytes());
    let scratch = Scratch::new();
    let path = scratch.file("guest.vmss", &state(0xbed2_bed2, &[("Checkpoint", checkpoint), ("cpu", cpu)]));
    scratch.sparse("guest.vmem", &pages(1), 1 << 20);
    let dump = open(&path, None).unwrap();
    assert_eq!(runs(&dump), [(0x8_0000, 256, 0)]);
    assert_eq!(dump.records.header.architecture, Some(Architecture::Arm64));
    assert_eq!(dump.records.header.root_hints, [0x8123_4000]);
    // Memory that the state does not count is there all the same; so are stated regions.
    scratch.sparse("guest.vmem", &pages(1), 0x10_1000);
    assert_eq!(runs(&open(&path, None).unwrap()), [(0x8_0000, 257, 0)]);
    let groups = [("Checkpoint", tag("Platform", &[], &[3, 0, 0, 0])), ("memory", region(0, 5, 0, 1))];
    let path = scratch.file("guest.vmss", &state(0xbed2_bed2, &groups));
    assert_eq!(runs(&open(&path, None).unwrap()), [(5, 1, 0)]);
}

/// Opens a state made of one group `memory` beside two pages of memory.
fn hostile(memory: Vec<u8>) -> Dump {
    let scratch = Scratch::new();
    scratch.file("guest.vmss", &state(0xbed2_bed2, &[("memory", memory)]));
    open(&scratch.file("guest.vmem", &pages(2)), None).unwrap()
}

#[test]
fn lying_regions_are_faults() {
    let count = |count: u32| tag("regionsCount", &[], &count.to_le_bytes());
    let dump = hostile([count(u32::MAX), region(0, 0, 0, 2)].concat());
    assert_eq!(runs(&dump), [(0, 2, 0)]);
    assert_eq!(kinds(&dump), ["invalid"]);
    assert_eq!(dump.records.faults[0].expected, "4294967295");
    // A region without its size, and one that is not in the file.
    let half = tag("regionPPN", &[7], &[1, 0, 0, 0]);
    let dump = hostile([count(3), region(0, 0, 0, 1), half, region(1, 0x100, u32::MAX, u32::MAX)].concat());
    assert_eq!(runs(&dump), [(0, 1, 0), (0x100, 0xffff_ffff, 0xffff_ffff << 12)]);
    assert_eq!(kinds(&dump), ["invalid", "beyond_end"]);
    // Regions on top of each other, and one that no machine has.
    let huge = tag("regionPPN", &[1], &[0xff; 8]);
    let size = [tag("regionPageNum", &[1], &[0; 8]), tag("regionSize", &[1], &[0xff; 8])].concat();
    let dump = hostile([count(3), region(0, 0, 0, 2), huge, size, region(2, 1, 0, 2)].concat());
    assert_eq!(runs(&dump), [(0, 2, 0), (2, 1, 0x1000)]);
    assert_eq!(kinds(&dump), ["invalid", "overlap"]);
}

#[test]
fn tags_with_absurd_lengths_end_the_group() {
    let mut long = vec![0x3f, 1, b'x'];
    long.extend([0xff; 16]);
    long.extend([0xff, 0xff]);
    let dump = hostile([region(0, 5, 0, 1), long].concat());
    assert_eq!(runs(&dump), [(5, 1, 0)]);
    assert_eq!(kinds(&dump), ["truncated"]);
    let dump = hostile([region(0, 5, 0, 1), vec![0x01, 0xff, b'x']].concat());
    assert_eq!(runs(&dump), [(5, 1, 0)]);
    assert_eq!(kinds(&dump), ["truncated"]);
    let dump = hostile([region(0, 5, 0, 1), vec![0xc0, 1, b'x']].concat());
    assert_eq!(kinds(&dump), ["truncated"]);
}

#[test]
fn more_tags_than_any_guest_has_are_not_read() {
    let dump = hostile([region(0, 5, 0, 1), [0, 1, b'x'].repeat(1 << 20)].concat());
    assert_eq!(runs(&dump), [(5, 1, 0)]);
    assert_eq!(kinds(&dump), ["invalid"]);
    assert_eq!(dump.records.faults[0].expected, "at most 1048576 tags");
}

#[test]
fn lying_groups_are_faults() {
    let scratch = Scratch::new();
    let mut file = state(0xbed2_bed2, &[("memory", two_regions()), ("cpu", vec![])]);
    file[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    file[92 + 64..92 + 80].copy_from_slice(&[0xff; 16]);
    scratch.file("guest.vmss", &file);
    let dump = open(&scratch.file("guest.vmem", &pages(5)), None).unwrap();
    assert_eq!(runs(&dump), [(0, 3, 0), (0x10_0000, 2, 0x3000)]);
    assert_eq!(kinds(&dump), ["truncated", "truncated"]);
}

#[test]
fn ill_treated_states_do_no_harm() {
    let memory = [block("b", true, 3, &[9; 20]), two_regions()].concat();
    let checkpoint = tag("Platform", &[], &3u32.to_le_bytes());
    let file = state(0xbed2_bed2, &[("memory", memory), ("Checkpoint", checkpoint)]);
    ill_treat("guest.vmss", &file, |path| {
        std::fs::write(path.with_extension("vmem"), [1; 0x2000]).unwrap();
        for path in [path.to_path_buf(), path.with_extension("vmem")] {
            if let Ok(dump) = open(&path, None) {
                let _ = dump.image().map(|image| image.page(Pfn(0x10_0000)).is_ok());
            }
        }
    });
}
