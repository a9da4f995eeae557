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
//! that Windows uses for this, which no machine needs for memory. A page-file offset is not known then.
//!
//! Corner case: the mitigation came as an update, so that of 7601 to 17134 there are kernels with the old entries
//! and kernels with the new ones. The kernel's layouts decide ([`SoftwareFormat`]); the build only without them.

use super::PagingMode;
use crate::addr::{Pa, Va};
use crate::error::Fault;

/// The build from which the page-file number stands in bits 12-15 instead of 1-4, where no layout is known.
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
    /// The format that the kernel's layouts state, where they are known.
    pub format: Option<SoftwareFormat>,
    /// `MiState.Hardware.InvalidPteMask`, where it is known.
    pub invalid_mask: Option<u64>,
}

/// Where the parts of a software entry stand that are not at one place in every kernel (`_MMPTE_SOFTWARE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SoftwareFormat {
    /// First bit of `PageFileLow`, the four bits of the page-file number.
    pub number_at: u8,
    /// First bit of `Protection`, five bits.
    pub protection_at: u8,
    /// True if bit 4 is `SwizzleBit`; else nothing is ever inverted.
    pub swizzles: bool,
}

impl SoftwareFormat {
    /// Entries of 4 bytes never changed; ARM64 has its own (public symbols of 19030).
    const X86: SoftwareFormat = SoftwareFormat { number_at: 1, protection_at: 5, swizzles: false };
    const ARM64: SoftwareFormat = SoftwareFormat { number_at: 6, protection_at: 1, swizzles: false };
    const OLD: SoftwareFormat = SoftwareFormat { number_at: 1, protection_at: 5, swizzles: true };
    const NEW: SoftwareFormat = SoftwareFormat { number_at: 12, protection_at: 5, swizzles: true };
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
        if !self.is_swizzled(mode, entry) {
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
        let format = self.format(mode);
        let number = bits(entry, format.number_at, 4);
        let unswizzled = self.unswizzle(mode, entry, offset);
        if number == 0 && (offset == 0 || unswizzled == Some(0)) {
            return Fault::DemandZero { va, protection: bits(entry, format.protection_at, 5) };
        }
        // The offset has 20 or 32 bits: the cast keeps everything.
        Fault::PageFile { va, number, offset: unswizzled.map(|offset| offset as u32) }
    }

    fn format(&self, mode: PagingMode) -> SoftwareFormat {
        if let Some(format) = self.format {
            return format;
        }
        match mode {
            PagingMode::X86 => SoftwareFormat::X86,
            PagingMode::Arm64 => SoftwareFormat::ARM64,
            _ if self.build.is_some_and(|build| build < NUMBER_MOVED) => SoftwareFormat::OLD,
            _ => SoftwareFormat::NEW,
        }
    }

    fn is_swizzled(&self, mode: PagingMode, entry: u64) -> bool {
        self.format(mode).swizzles && entry & SWIZZLE_BIT == 0
    }

    /// The page-file offset is XORed with the mask's upper half where the swizzle bit is clear. `None`: with a mask
    /// that is not known. Before the mitigation there was none.
    fn unswizzle(&self, mode: PagingMode, entry: u64, offset: u64) -> Option<u64> {
        if !self.is_swizzled(mode, entry) {
            return Some(offset);
        }
        match self.invalid_mask {
            Some(mask) => Some(offset ^ (mask >> 32)),
            None if self.format(mode) == SoftwareFormat::OLD => Some(offset),
            None => None,
        }
    }
}

/// `_MMPTE_SOFTWARE.SwizzleBit`: set means "not swizzled".
const SWIZZLE_BIT: u64 = 0x10;

/// Bits of an entry, at most 8.
fn bits(entry: u64, first: u8, count: u8) -> u8 {
    (entry.checked_shr(first.into()).unwrap_or(0) & ((1 << count) - 1)) as u8
}

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
