//! Entries that the processor does not follow: what Windows keeps in them (`_MMPTE_SOFTWARE`,
//! `_MMPTE_TRANSITION`, `_MMPTE_PROTOTYPE`).
//!
//! The tests are those of MemProcFS in an order that decides the same: transition and prototype exclude
//! each other (bit 10), then VAD-backed, prototype, file-backed, demand zero, page file.
//!
//! Corner case: an entry of all ones in its upper half with the prototype bit, `0xffffffff00000480`, is
//! what a debugger prints as "Proto: VAD". There is no prototype entry at the address it would give;
//! the VAD knows the page, so that test comes before the prototype's.
//!
//! Corner case: since build 15063 an entry whose swizzle bit is clear may have frame bits inverted, so
//! that speculation on it (L1TF) reaches no memory. Which bits: `MiState.Hardware.InvalidPteMask`. While
//! that is unknown, the frame as it stands counts when the dump has it, else the frame without the bits
//! that Windows uses for this, which no machine needs for memory. A page-file offset is left as it stands.

use super::PagingMode;
use crate::addr::{Pa, Va};
use crate::error::Fault;

/// The build from which the page-file number stands in bits 12-15 instead of 1-4.
const NUMBER_MOVED: u32 = 17134;
/// The build from which entries of mapped files are marked by their upper bits.
const FILE_BACKED: u32 = 22621;
/// Frame bits that may be the mitigation's while the mask is not known: bit 41 and everything from 45 on
/// (the most common mask, and the one that MemProcFS assumes, is bit 45 alone).
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
    /// The page is in memory, at the first address if the dump has it, else at the second.
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
        if entry & 0xc01 == 0x800 {
            return self.transition(mode, entry);
        }
        let (offset, all_ones) = match mode {
            PagingMode::X86 => (entry >> 12, 0xf_ffff),
            _ => (entry >> 32, 0xffff_ffff),
        };
        if offset == all_ones {
            return Meaning::Absent(Fault::VadBacked(va));
        }
        match prototype(mode, entry) {
            Some(prototype) => Meaning::Prototype(prototype),
            None => Meaning::Absent(self.absent(mode, entry, offset, va)),
        }
    }

    fn transition(&self, mode: PagingMode, entry: u64) -> Meaning {
        let frame = entry & frame_mask(mode);
        if mode == PagingMode::X86 || entry & SWIZZLE_BIT != 0 {
            return Meaning::Resident(Pa(frame), Pa(frame));
        }
        match self.invalid_mask {
            Some(mask) => Meaning::Resident(Pa(frame & !mask), Pa(frame & !mask)),
            None => Meaning::Resident(Pa(frame), Pa(frame & !POSSIBLY_SWIZZLED)),
        }
    }

    fn absent(&self, mode: PagingMode, entry: u64, offset: u64, va: Va) -> Fault {
        let wide = matches!(mode, PagingMode::X64 | PagingMode::X64La57 | PagingMode::Arm64);
        let file_backed = wide && self.build.is_none_or(|build| build >= FILE_BACKED);
        if file_backed && entry & 0xffff_8000_0000_000f == 0xffff_8000_0000_0000 {
            return Fault::FileBacked(va);
        }
        let number = entry >> self.number_shift(mode) & 0xf;
        let unswizzled = self.unswizzle(mode, entry, offset);
        if number == 0 && (offset == 0 || unswizzled == 0) {
            return Fault::DemandZero { va, protection: (entry >> 5 & 0x1f) as u8 };
        }
        // The offset has 20 or 32 bits, the number 4: both casts keep everything.
        Fault::PageFile { va, number: number as u8, offset: unswizzled as u32 }
    }

    /// In entries of 4 bytes the page-file number never moved: bits 12 on are the offset.
    fn number_shift(&self, mode: PagingMode) -> u32 {
        let moved = self.build.is_none_or(|build| build >= NUMBER_MOVED);
        if moved && mode != PagingMode::X86 { 12 } else { 1 }
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
