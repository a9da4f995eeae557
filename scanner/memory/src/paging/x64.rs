//! x64 with 4 and 5 levels. Source: Intel SDM volume 3, 4.5.

use super::{
    Large, Level, Rules,
    x86::{large, rights, valid},
};

/// Bit 7 must be zero where a level has no large pages.
const NO_LARGE: u64 = 1 << 7;
/// Windows runs on up to 48 physical address bits; what is above is reserved on most processors.
const PHYSICAL: u64 = 0x0000_ffff_ffff_f000;
const RESERVED: u64 = 0x000f_0000_0000_0000;

const PML5: Level = Level { shift: 48, bits: 9, large: None, reserved: NO_LARGE };
const PML4: Level = Level { shift: 39, bits: 9, large: None, reserved: NO_LARGE };
/// 1 GiB pages. Bit 12 is the PAT bit; the bits between it and the frame are zero.
const PDPT: Level = Level {
    shift: 30,
    bits: 9,
    large: Some(Large { frame: |entry| entry & 0x0000_ffff_c000_0000, reserved: 0x3fff_e000 }),
    reserved: 0,
};
/// 2 MiB pages.
const PD: Level = Level {
    shift: 21,
    bits: 9,
    large: Some(Large { frame: |entry| entry & 0x0000_ffff_ffe0_0000, reserved: 0x001f_e000 }),
    reserved: 0,
};
const PT: Level = Level { shift: 12, bits: 9, large: None, reserved: 0 };

pub static FOUR_LEVELS: Rules = rules(&[PML4, PDPT, PD, PT], 48);
pub static FIVE_LEVELS: Rules = rules(&[PML5, PML4, PDPT, PD, PT], 57);

const fn rules(levels: &'static [Level], va_bits: u32) -> Rules {
    Rules {
        entry_size: 8,
        levels,
        root_mask: PHYSICAL, // CR3: PCID or cache bits below, reserved above
        frame_mask: PHYSICAL,
        reserved: RESERVED,
        va_bits,
        canonical: true,
        valid,
        large,
        rights,
        rights_add_up: true,
    }
}
