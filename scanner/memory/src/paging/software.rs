//! Entries that the processor does not follow: what Windows keeps in them (`_MMPTE_SOFTWARE`,
//! `_MMPTE_TRANSITION`, `_MMPTE_PROTOTYPE`).
//!
//! The order of the tests is that of MemProcFS (FACTS 4.3): prototype, transition, VAD-backed,
//! file-backed, demand zero, page file.

use super::PagingMode;
use crate::addr::{Pa, Va};
use crate::error::Fault;

/// The build from which the page-file number stands in bits 12-15 instead of 1-4.
const NUMBER_MOVED: u32 = 17134;
/// The build from which entries of mapped files are marked by their upper bits.
const FILE_BACKED: u32 = 22621;
/// Frame bits that a transition entry may have inverted as a mitigation of L1TF, when the mask
/// (`MiState.Hardware.InvalidPteMask`) is not known: bit 41 and everything from bit 45 on.
const POSSIBLY_SWIZZLED: u64 = 0x0000_e200_0000_0000;

/// What must be known of the system to read its software entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Software {
    /// Build number; unknown is read as current.
    pub build: Option<u32>,
    /// `MiState.Hardware.InvalidPteMask`, where it is known.
    pub invalid_mask: Option<u64>,
}

/// What a software entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The page is in memory. The second address counts when the first is not in the dump.
    Resident(Pa, Pa),
    /// Another entry, at this address, describes the page.
    Prototype(Va),
    /// It is elsewhere, or nowhere.
    Absent(Fault),
}

impl Software {
    /// Decodes an entry without the valid bit that stands for `va`.
    pub fn decode(&self, mode: PagingMode, entry: u64, va: Va) -> Meaning {
        if entry == 0 {
            return Meaning::Absent(Fault::NotMapped(va));
        }
        if let Some(prototype) = prototype(mode, entry) {
            return Meaning::Prototype(prototype);
        }
        if entry & 0xc01 == 0x800 {
            return self.transition(mode, entry);
        }
        Meaning::Absent(self.absent(mode, entry, va))
    }

    fn transition(&self, mode: PagingMode, entry: u64) -> Meaning {
        let frame = entry & frame_mask(mode);
        let swizzled = mode != PagingMode::X86 && entry & SWIZZLE_BIT == 0;
        match self.invalid_mask {
            Some(mask) if swizzled => Meaning::Resident(Pa(frame & !mask), Pa(frame & !mask)),
            None if swizzled => Meaning::Resident(Pa(frame), Pa(frame & !POSSIBLY_SWIZZLED)),
            _ => Meaning::Resident(Pa(frame), Pa(frame)),
        }
    }

    fn absent(&self, mode: PagingMode, entry: u64, va: Va) -> Fault {
        let (number, offset, all_ones) = match mode {
            PagingMode::X86 => ((entry >> 1) & 0xf, entry >> 12, 0xf_ffff),
            _ => (entry >> self.number_shift() & 0xf, entry >> 32, 0xffff_ffff),
        };
        if offset == all_ones {
            return Fault::VadBacked(va);
        }
        let build = self.build.unwrap_or(0);
        if mode != PagingMode::X86
            && build >= FILE_BACKED
            && entry & 0xffff_8000_0000_000f == 0xffff_8000_0000_0000
        {
            return Fault::FileBacked(va);
        }
        if number == 0 && offset == 0 {
            return Fault::DemandZero { va, protection: (entry >> 5 & 0x1f) as u8 };
        }
        // The offset has 20 or 32 bits, the number 4: both casts keep everything.
        Fault::PageFile { va, number: number as u8, offset: self.unswizzle(mode, entry, offset) as u32 }
    }

    fn number_shift(&self) -> u32 {
        if self.build.is_none_or(|build| build >= NUMBER_MOVED) { 12 } else { 1 }
    }

    /// The page-file offset is XORed with the mask's upper half where the swizzle bit is clear.
    fn unswizzle(&self, mode: PagingMode, entry: u64, offset: u64) -> u64 {
        match self.invalid_mask {
            Some(mask) if mode != PagingMode::X86 && entry & SWIZZLE_BIT == 0 => offset ^ (mask >> 32),
            _ => offset,
        }
    }
}

/// `_MMPTE_SOFTWARE.SwizzleBit`: set means "not swizzled".
const SWIZZLE_BIT: u64 = 0x10;

fn frame_mask(mode: PagingMode) -> u64 {
    match mode {
        PagingMode::X86 => 0xffff_f000,
        PagingMode::X86Pae => 0x0000_003f_ffff_f000,
        PagingMode::X64 | PagingMode::X64La57 => 0x0000_ffff_ffff_f000,
        PagingMode::Arm64 => 0x0003_ffff_ffff_f000,
    }
}

/// The address of the prototype entry, when `entry` refers to one.
fn prototype(mode: PagingMode, entry: u64) -> Option<Va> {
    let is = |mask, value| entry & mask == value;
    match mode {
        PagingMode::X86 => {
            let address = 0x8000_0000 | (entry >> 1 & 0x7fff_fc00) | (entry << 1 & 0x3ff);
            is(0x407, 0x400).then_some(Va(address))
        }
        PagingMode::X86Pae => is(0x8000_0007_0000_0401, 0x8000_0000_0000_0400).then_some(Va(entry >> 32)),
        _ => is(0x8000_0000_0007_0401, 0x8000_0000_0000_0400)
            .then_some(Va(entry >> 16 | 0xffff_0000_0000_0000)),
    }
}
