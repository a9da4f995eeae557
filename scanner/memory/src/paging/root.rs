//! Does a page look like the root of Windows' page tables? For images whose header names no root.
//!
//! Windows maps its page tables by an entry of the root that refers to the root itself, so a root
//! agrees with its own physical address, which other data do by chance once in 2^36. Sources:
//! MemProcFS `vmmwininit.c`, Volatility 3 `automagic/windows.py`, Intel SDM volume 3 chapter 4.

use super::PagingMode;
use crate::{
    addr::{PAGE_SIZE, Pa, Pfn, Va},
    bytes::Bytes,
    image::Image,
    space::Space,
};

/// True when the page tables at `root` refer to themselves as those of Windows do under `mode`. Roots of
/// processes do so too, and so do freed ones: this is a test, not a choice among candidates.
///
/// Ask in this order where the architecture is not known: [`PagingMode::Arm64`] (x64 ignores the bits
/// that make ARM64's entries peculiar, so an ARM64 root passes as x64 too), [`PagingMode::X64La57`] (four
/// and five levels look alike in the root; with five, `KUSER_SHARED_DATA` must translate as well), the rest.
pub fn looks_like_root(image: Image<'_>, root: Pa, mode: PagingMode) -> bool {
    if root.0 == 0 {
        return false;
    }
    match mode {
        PagingMode::X86 => x86(image, root),
        PagingMode::X86Pae => pae(image, root),
        PagingMode::X64 => wide(image, root, &INTEL),
        PagingMode::X64La57 => wide(image, root, &INTEL_FIVE) && has_shared_data(image, root, mode),
        PagingMode::Arm64 => wide(image, root, &ARM),
    }
}

/// How entries of a root of 512 entries of 8 bytes look.
struct Wide {
    /// The self-reference: `entry & mask == page + value`.
    own: (u64, u64),
    /// The kernel's tables: `entry & mask == value`.
    kernel: (u64, u64),
    /// How many of those there are at least.
    least: usize,
    /// Bits of the next table's address.
    frame: u64,
    /// `entry & mask == value` for whatever is present: no large page has its place in a root.
    table: (u64, u64),
}

/// Present, writable, no large page; supervisor and executable for the kernel's tables.
const INTEL: Wide = Wide {
    own: (0x0000_ffff_ffff_f083, 3),
    kernel: (0x8000_0000_0000_0087, 3),
    least: 6,
    frame: 0x0000_ffff_ffff_f000,
    table: (0x81, 1),
};

/// With five levels an entry covers 256 TiB: the kernel needs one.
const INTEL_FIVE: Wide = Wide { least: 1, ..INTEL };

/// Table descriptors, execute-never for both (bits 53 and 54), not for user mode (bit 6).
const ARM: Wide = Wide {
    own: (0x0063_ffff_ffff_f073, 0x0060_0000_0000_0003),
    kernel: (0x0060_0000_0000_0073, 0x0060_0000_0000_0003),
    least: 6,
    frame: 0x0003_ffff_ffff_f000,
    table: (3, 3),
};

/// Empty entries in each half at least.
const ZEROS: usize = 0x40;

fn wide(image: Image<'_>, root: Pa, rule: &Wide) -> bool {
    let Some(page) = page(image, root) else { return false };
    let entries = page.as_chunks::<8>().0;
    let (user, kernel) = entries.split_at(entries.len() / 2);
    let count = |half: &[[u8; 8]], (mask, value): (u64, u64)| {
        half.iter().filter(|entry| u64::from_le_bytes(**entry) & mask == value).count()
    };
    let sane = |entry: &[u8; 8]| {
        let entry = u64::from_le_bytes(*entry);
        let is_table = entry & rule.table.0 == rule.table.1 && is_memory(image, entry & rule.frame);
        entry & 1 == 0 || is_table
    };
    count(kernel, (rule.own.0, root.0 + rule.own.1)) == 1
        && count(kernel, rule.kernel) >= rule.least
        && count(user, (u64::MAX, 0)) > ZEROS
        && count(kernel, (u64::MAX, 0)) > ZEROS
        && entries.iter().all(sane)
}

/// The page directory of the fourth pointer maps all four directories at 0xc0600000.
fn pae(image: Image<'_>, root: Pa) -> bool {
    const RESERVED: u64 = 0xffff_0000_0000_01e6;
    const FRAME: u64 = 0x000f_ffff_ffff_f000;
    if !root.0.is_multiple_of(32) || root.0 >> 32 != 0 {
        return false;
    }
    let Ok(pointers) = image.bytes(root, 32) else { return false };
    let pointers = Bytes::whole(pointers, "PDPT");
    let pointer = |index: u64| pointers.u64(index * 8).unwrap_or(0);
    if (0..4).any(|index| pointer(index) & (RESERVED | 1) != 1) {
        return false;
    }
    let last = pointer(3) & FRAME;
    let entry = |index: u64| image.u64(Pa(last + index * 8)).unwrap_or(0);
    (0..4).all(|index| entry(index) & 0x83 == 3 && entry(index) & FRAME == pointer(index) & FRAME)
}

/// The entry for 0xc0000000 maps the root, and the kernel's half is in use.
fn x86(image: Image<'_>, root: Pa) -> bool {
    let Some(page) = page(image, root) else { return false };
    let entries = page.as_chunks::<4>().0;
    let own = entries.get(0x300).map_or(0, |entry| u64::from(u32::from_le_bytes(*entry)));
    let in_use = |entry: &&[u8; 4]| u32::from_le_bytes(**entry) & 0x7f == 0x63;
    own & 0xffff_f083 == root.0 + 3 && entries.iter().skip(512).filter(in_use).count() > 16
}

/// The root's page, when `root` is the first address of one.
fn page<'a>(image: Image<'a>, root: Pa) -> Option<&'a [u8; 0x1000]> {
    image.page(root.pfn()).ok().filter(|_| root.0.is_multiple_of(PAGE_SIZE))
}

/// True when `pa` is not above all memory of the dump.
fn is_memory(image: Image<'_>, pa: u64) -> bool {
    let end = image.runs().as_slice().last().map(|run| Pfn(run.first.0.saturating_add(run.count)));
    end.is_some_and(|end| Pa(pa).pfn() < end)
}

/// `KUSER_SHARED_DATA`, which every kernel of 64 bits has at this address.
fn has_shared_data(image: Image<'_>, root: Pa, mode: PagingMode) -> bool {
    Space::paged(image, root, mode).translate(Va(0xffff_f780_0000_0000)).is_ok()
}
