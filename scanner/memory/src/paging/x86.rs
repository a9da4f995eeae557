//! 32-bit x86, with and without physical address extension. Source: Intel SDM volume 3, 4.3 and 4.4.

use super::{Large, Level, Rules};

/// Bit 0 of every entry: the processor follows it.
const PRESENT: u64 = 1;
/// Bit 7 of an entry above the last level: it is a page.
const PAGE_SIZE_BIT: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
/// PAE: bits 52 to 62 of every entry are reserved (with 4 levels they are ignored).
const PAE_RESERVED: u64 = 0x7ff0_0000_0000_0000;

pub static PLAIN: Rules = Rules {
    entry_size: 4,
    levels: &[
        Level {
            shift: 22,
            bits: 10,
            // PSE-36: physical address bits 32 to 39 stand in bits 13 to 20, of which Windows' processors use
            // four; bit 12 is the PAT bit.
            large: Some(Large {
                frame: |entry| (entry & 0xffc0_0000) | (entry & 0x1_e000) << 19,
                reserved: 0x003e_0000,
            }),
            reserved: 0,
        },
        Level { shift: 12, bits: 10, large: None, reserved: 0 },
    ],
    root_mask: 0xffff_f000,
    frame_mask: 0xffff_f000,
    reserved: 0,
    va_bits: 32,
    canonical: false,
    valid,
    large,
    rights: |entry, _| [entry & 2 != 0, entry & 4 != 0, true],
    rights_add_up: true,
};

pub static PAE: Rules = Rules {
    entry_size: 8,
    levels: &[
        // Four pointers in 32 bytes. They have no rights of their own and no large pages.
        Level { shift: 30, bits: 2, large: None, reserved: 0xffff_0000_0000_01e6 },
        Level {
            shift: 21,
            bits: 9,
            large: Some(Large { frame: |entry| entry & 0x000f_ffff_ffe0_0000, reserved: 0x001f_e000 }),
            reserved: 0,
        },
        Level { shift: 12, bits: 9, large: None, reserved: 0 },
    ],
    root_mask: 0xffff_ffe0,
    frame_mask: 0x000f_ffff_ffff_f000,
    reserved: PAE_RESERVED,
    va_bits: 32,
    canonical: false,
    valid,
    large,
    rights,
    rights_add_up: true,
};

pub(super) fn valid(entry: u64, _: bool) -> bool {
    entry & PRESENT != 0
}

pub(super) fn large(entry: u64) -> bool {
    entry & PAGE_SIZE_BIT != 0
}

pub(super) fn rights(entry: u64, _: bool) -> [bool; 3] {
    [entry & 2 != 0, entry & 4 != 0, entry & NO_EXECUTE == 0]
}
