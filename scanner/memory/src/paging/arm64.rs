//! ARM64, 4 KiB granule, as Windows uses it. Source: Arm ARM D8 (VMSAv8-64); the software "writable"
//! bit and the one root for both halves: MemProcFS.

use super::{Large, Level, Rules};

/// Bits 0 and 1 of a table descriptor, and of a page descriptor at the last level.
const TABLE_OR_PAGE: u64 = 3;
/// Bit 55, left to software: Windows marks writable pages with it.
const WRITABLE: u64 = 1 << 55;
/// Execute-never for user mode and for the kernel.
const UXN: u64 = 1 << 54;
const PXN: u64 = 1 << 53;
/// AP[1]: user mode may access.
const USER: u64 = 1 << 6;

pub static RULES: Rules = Rules {
    entry_size: 8,
    levels: &[
        Level { shift: 39, bits: 9, large: None, reserved: 0 },
        Level {
            shift: 30,
            bits: 9,
            large: Some(Large { frame: |entry| entry & 0x0003_ffff_c000_0000, reserved: 0 }),
            reserved: 0,
        },
        Level {
            shift: 21,
            bits: 9,
            large: Some(Large { frame: |entry| entry & 0x0003_ffff_ffe0_0000, reserved: 0 }),
            reserved: 0,
        },
        Level { shift: 12, bits: 9, large: None, reserved: 0 },
    ],
    root_mask: 0x0000_ffff_ffff_f000, // TTBR: ASID above, CnP below
    frame_mask: 0x0003_ffff_ffff_f000,
    reserved: 0,
    va_bits: 48,
    canonical: true,
    // A block descriptor has bit 1 clear; at the last level that makes the entry invalid.
    valid: |entry, last| if last { entry & TABLE_OR_PAGE == TABLE_OR_PAGE } else { entry & 1 != 0 },
    large: |entry| entry & 2 == 0,
    rights: |entry, kernel| {
        let never = if kernel { PXN } else { UXN };
        [entry & WRITABLE != 0, entry & USER != 0, entry & never == 0]
    },
    rights_add_up: false, // Windows sets execute-never in table descriptors of executable pages
};
