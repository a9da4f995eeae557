//! Entries that the processor does not follow, as literal numbers, on every architecture.

use super::*;

fn check(ram: &Ram, mode: PagingMode, va: u64, expected: Result<u64, Fault>) {
    assert_eq!(ram.space(0x1000, mode).translate(Va(va)), expected.map(Pa), "{mode:?} {va:#x}");
}

#[test]
fn a_prototype_address_of_all_ones_means_that_the_vad_knows() {
    // What a debugger prints as "Proto: VAD": bits 16-63 all ones but for the highest 16 of 48.
    for leaf in [0xffff_ffff_0000_0480, 0xffff_ffff_0000_0420, 0xffff_ffff_0000_0000] {
        check(&x64(leaf), PagingMode::X64, VA, Err(Fault::VadBacked(Va(VA))));
    }
    // PAE: 0x8040_2000, pointer 2, then 2, then 2.
    let ram = Ram::new().put8(0x1010, 0x2001).put8(0x2010, 0x3063).put8(0x3010, 0xffff_ffff_0000_0480);
    check(&ram, PagingMode::X86Pae, 0x8040_2000, Err(Fault::VadBacked(Va(0x8040_2000))));
    let ram = Ram::new().put4(0x1000 + 0x201 * 4, 0x2063).put4(0x2008, 0xffff_f080);
    check(&ram, PagingMode::X86, 0x8040_2000, Err(Fault::VadBacked(Va(0x8040_2000))));
}

#[test]
fn demand_zero_may_be_swizzled_too() {
    let demand_zero = Err(Fault::DemandZero { va: Va(VA), protection: 4 });
    for leaf in [0x80, 0x90, 0x2000_0000_0080] {
        let ram = x64(leaf);
        let space = ram.space(0x1000, PagingMode::X64).with_invalid_pte_mask(0x2000_0000_0000);
        assert_eq!(space.translate(Va(VA)), demand_zero, "{leaf:#x}");
    }
}

#[test]
fn page_file_entries_of_every_architecture() {
    let va = Va(0x8040_2000);
    let pae = Ram::new().put8(0x1010, 0x2001).put8(0x2010, 0x3063).put8(0x3010, 0x1234_0000_2096);
    let space = pae.space(0x1000, PagingMode::X86Pae);
    let file = |number| Err(Fault::PageFile { va, number, offset: Some(0x1234) });
    assert_eq!(space.with_build(7601).translate(va), file(0xb));
    assert_eq!(space.with_build(19041).translate(va), file(2));
    let plain = Ram::new().put4(0x1000 + 0x201 * 4, 0x2063).put4(0x2008, 0x0123_4086);
    for build in [2600, 19041] {
        let space = plain.space(0x1000, PagingMode::X86).with_build(build);
        assert_eq!(space.translate(va), file(3), "the number never moved in 4-byte entries");
    }
    // ARM64: the protection in bits 1-5, the number in bits 6-9.
    let arm = arm64(0x1234_0000_10c8);
    let expected = Err(Fault::PageFile { va: Va(VA), number: 3, offset: Some(0x1234) });
    assert_eq!(arm.space(0x1000, PagingMode::Arm64).translate(Va(VA)), expected);
}

#[test]
fn transition_pages_of_every_architecture() {
    check(&x64(0x5880), PagingMode::X64, VA + 9, Ok(0x5009));
    check(&arm64(0x5880), PagingMode::Arm64, VA + 9, Ok(0x5009));
    let pae = Ram::new().put8(0x1010, 0x2001).put8(0x2010, 0x3063).put8(0x3010, 0x5880);
    check(&pae, PagingMode::X86Pae, 0x8040_2009, Ok(0x5009));
    let plain = Ram::new().put4(0x1000 + 0x201 * 4, 0x2063).put4(0x2008, 0x5880);
    check(&plain, PagingMode::X86, 0x8040_2009, Ok(0x5009));
    let entry = x64(0x5880).space(0x1000, PagingMode::X64).entry(Va(VA)).unwrap();
    assert_eq!((entry.kind, entry.raw, entry.size), (EntryKind::Transition, 0x5880, 0x1000));
    assert_eq!((entry.writable, entry.user, entry.executable), (false, false, false));
}

#[test]
fn a_table_in_transition_is_followed() {
    let ram = x64(0x5063).put8(0x3000 + 32, 0x4880);
    check(&ram, PagingMode::X64, VA, Ok(0x5000));
}

#[test]
fn of_two_readings_of_a_frame_the_one_in_the_dump_counts() {
    let space_reads = |leaf, mask: Option<u64>, expected| {
        let ram = x64(leaf);
        let space = ram.space(0x1000, PagingMode::X64);
        let space = mask.map_or(space, |mask| space.with_invalid_pte_mask(mask));
        assert_eq!(space.translate(Va(VA)), Ok(Pa(expected)), "{leaf:#x}");
    };
    space_reads(0x2000_0000_5880, None, 0x5000);
    space_reads(0x2000_0000_5880, Some(0x2000_0000_0000), 0x5000);
    space_reads(0x0000_0000_5880, Some(0x2000_0000_0000), 0x5000);
    // Neither is in the dump: no machine has 32 TiB, so the bit is the mitigation's.
    space_reads(0x2000_00ff_5880, None, 0xff_5000);
    // The swizzle bit says that the frame stands as it is.
    space_reads(0x2000_0000_5890, None, 0x2000_0000_5000);
}

#[test]
fn a_frame_that_really_has_the_bit_is_not_mistaken() {
    let far = 0x0002_0000_0005; // frame number of 0x2000_0000_5000
    let ram = x64(0x2000_0000_5880).with_run(PhysRun { first: Pfn(far), count: 1, offset: 0x5000 });
    check(&ram, PagingMode::X64, VA, Ok(0x2000_0000_5000));
}

#[test]
fn an_arm64_block_at_the_last_level_is_reserved() {
    let entry = 0x0060_0000_0000_5701;
    let expected = Fault::Reserved { va: Va(VA), entry };
    check(&arm64(entry), PagingMode::Arm64, VA, Err(expected));
}

#[test]
fn prototypes_of_every_architecture() {
    // The prototype lies at +0x10 of the page behind the one asked for.
    // 0x8040_3010 in an entry of 4 bytes: bits 10-30 moved up by one, bits 1-9 moved down by one.
    let plain = |prototype: u32| {
        Ram::new()
            .put4(0x1000 + 0x201 * 4, 0x2063)
            .put4(0x2008, 0x0080_6408)
            .put4(0x200c, 0x7063)
            .put4(0x7010, prototype)
    };
    check(&plain(0x9063), PagingMode::X86, 0x8040_2123, Ok(0x9123));
    check(&plain(0x9880), PagingMode::X86, 0x8040_2123, Ok(0x9123));
    let pae = |prototype| {
        Ram::new()
            .put8(0x1010, 0x2001)
            .put8(0x2010, 0x3063)
            .put8(0x3010, 0x8040_3010_0000_0400)
            .put8(0x3018, 0x7063)
            .put8(0x7010, prototype)
    };
    check(&pae(0x9063), PagingMode::X86Pae, 0x8040_2123, Ok(0x9123));
    check(&pae(0x9880), PagingMode::X86Pae, 0x8040_2123, Ok(0x9123));
    let arm = |prototype| {
        arm64(0x8880_8080_9010_0400).put8(0x4000 + 72, 0x0060_0000_0000_7703).put8(0x7010, prototype)
    };
    check(&arm(0x0060_0000_0000_9703), PagingMode::Arm64, VA + 0x123, Ok(0x9123));
    check(&arm(0x9880), PagingMode::Arm64, VA + 0x123, Ok(0x9123));
}

#[test]
fn a_prototype_that_is_a_subsection_means_a_mapped_file() {
    let ram = |prototype| x64(0x8880_8080_9010_0400).put8(0x4000 + 72, 0x7063).put8(0x7010, prototype);
    check(&ram(0x8abc_1234_5678_0480), PagingMode::X64, VA, Err(Fault::FileBacked(Va(VA))));
    let lost = Fault::Prototype { va: Va(VA), prototype: Va(0xffff_8880_8080_9010) };
    check(&ram(0), PagingMode::X64, VA, Err(lost));
}

#[test]
fn prototypes_are_not_followed_twice() {
    // The prototype's own page is described by another prototype, and by itself.
    let lost = |at| Err(Fault::Prototype { va: Va(VA), prototype: Va(at) });
    let ram = x64(0x8880_8080_9010_0400).put8(0x4000 + 72, 0x8880_8080_a010_0400).put8(0x4000 + 80, 0x7063);
    check(&ram, PagingMode::X64, VA, lost(0xffff_8880_8080_9010));
    let ram = x64(0x8880_8080_8010_0400);
    check(&ram, PagingMode::X64, VA, lost(0xffff_8880_8080_8010));
    // An address in the user half is no prototype's.
    let ram = Ram::new().put8(0x1010, 0x2001).put8(0x2010, 0x3063).put8(0x3010, 0x0040_3010_0000_0480);
    assert!(ram.space(0x1000, PagingMode::X86Pae).translate(Va(0x8040_2000)).is_err());
}

#[test]
fn file_backed_only_where_windows_has_it() {
    let entry = 0xffff_8000_0000_0080;
    let ram = x64(entry);
    let space = ram.space(0x1000, PagingMode::X64);
    let file = Err(Fault::FileBacked(Va(VA)));
    assert_eq!(space.with_build(22621).translate(Va(VA)), file);
    assert_eq!(space.translate(Va(VA)), file, "an unknown build is read as current");
    let page_file = Err(Fault::PageFile { va: Va(VA), number: 0, offset: None });
    assert_eq!(space.with_build(22000).translate(Va(VA)), page_file);
}

/// 7601.24540, 9600.19913 and 14393.4583 have the entries of 17763; 17134.1 has those of 16299.
#[test]
fn layouts_decide_before_the_build() {
    let new = SoftwareFormat { number_at: 12, protection_at: 5, swizzles: true };
    let old = SoftwareFormat { number_at: 1, protection_at: 5, swizzles: false };
    let ram = x64(0x77_0000_3096);
    let space = ram.space(0x1000, PagingMode::X64);
    let file = |number, offset| Err(Fault::PageFile { va: Va(VA), number, offset });
    assert_eq!(space.with_build(7601).with_software_format(new).translate(Va(VA)), file(3, Some(0x77)));
    assert_eq!(space.with_build(17134).with_software_format(old).translate(Va(VA)), file(0xb, Some(0x77)));
    // Nothing inverts frames of the old ones, whatever the dump lacks.
    let ram = x64(0x2000_0000_5880);
    let space = ram.space(0x1000, PagingMode::X64).with_software_format(old);
    assert_eq!(space.translate(Va(VA)), Ok(Pa(0x2000_0000_5000)));
}

/// With the swizzle bit clear and no mask nobody knows the offset.
#[test]
fn an_offset_under_an_unknown_mask_is_not_stated() {
    let ram = x64(0x2077_0000_3086);
    let space = ram.space(0x1000, PagingMode::X64).with_build(19041);
    let file = |offset| Err(Fault::PageFile { va: Va(VA), number: 3, offset });
    assert_eq!(space.translate(Va(VA)), file(None));
    assert_eq!(space.with_invalid_pte_mask(0x2000_0000_0000).translate(Va(VA)), file(Some(0x77)));
}

#[test]
fn demand_zero_on_arm64() {
    let arm = arm64(4 << 1);
    let expected = Err(Fault::DemandZero { va: Va(VA), protection: 4 });
    assert_eq!(arm.space(0x1000, PagingMode::Arm64).translate(Va(VA)), expected);
}
