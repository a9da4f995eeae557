//! Is there a Windows kernel in this file? Any one of these marks is enough, each improbable in
//! other data because it must agree with itself or with its own offset in the file:
//! - the x64 start-up stub in the first MiB (`PROCESSOR_START_BLOCK`, MemProcFS);
//! - a page-table root with an entry that points back at its own page;
//! - a `KDDEBUGGER_DATA64` whose module list lies in its kernel;
//! - the header of a kernel image as it is *loaded* (`ImageBase` in the kernel's half, which is not so
//!   in a file on a disk), named by its sections or by an `RSDS` record of a kernel's PDB.
//!
//! Work is bounded: the first 64 MiB, then 64 windows of 1 MiB spread over the rest.

use crate::{
    addr::{PAGE_SIZE, Pa, Pfn},
    bytes::Bytes,
    image::Image,
    paging::{PagingMode, looks_like_root},
    runs::{PhysRun, PhysRuns},
};
use std::ops::Range;

const MIB: u64 = 1 << 20;
const FRONT: u64 = 64 * MIB;
const WINDOWS: u64 = 64;
const PAGE: usize = PAGE_SIZE as usize;

/// PDB names of Windows kernels (Volatility 3 `constants/windows`, and the LA57 kernel).
const KERNEL_PDBS: [&[u8]; 6] = [
    b"ntkrnlmp.pdb\0",
    b"ntkrnlpa.pdb\0",
    b"ntkrpamp.pdb\0",
    b"ntoskrnl.pdb\0",
    b"ntkrla57.pdb\0",
    b"ntkrnlup.pdb\0",
];

/// True when at least one mark of a Windows kernel is in `file`.
pub(super) fn found(file: &[u8]) -> bool {
    if low_stub(file) {
        return true;
    }
    let whole = PhysRun { first: Pfn(0), count: file.len() as u64 / PAGE_SIZE, offset: 0 };
    let (runs, _) = PhysRuns::new(vec![whole]);
    let image = Image::new(file, &runs);
    let (mut header, mut name) = (false, false);
    for window in windows(file.len() as u64) {
        for pa in window.step_by(PAGE) {
            let page = Bytes::up_to(file, pa, PAGE_SIZE, "page");
            if page.len() < PAGE_SIZE {
                break;
            }
            let header_here = kernel_header(&page);
            header |= header_here;
            match signature(file, &page) {
                Some(Mark::DebuggerData) => return true,
                Some(Mark::PdbName) => name = true,
                None => {}
            }
            let named = header && name || header_here && has_section(&page, b"POOLCODE");
            if named || is_root(image, pa) {
                return true;
            }
        }
    }
    false
}

/// What is looked at, as ranges of file offsets that start on a page.
fn windows(size: u64) -> impl Iterator<Item = Range<u64>> {
    let rest = size.saturating_sub(FRONT);
    let count = if rest == 0 { 0 } else { WINDOWS };
    let spread = move |index: u64| {
        let start = FRONT + rest / WINDOWS * index / PAGE_SIZE * PAGE_SIZE;
        start..(start + MIB).min(size)
    };
    std::iter::once(0..FRONT.min(size)).chain((0..count).map(spread))
}

/// The stub that starts the other processors, in a page below 640 KiB (MemProcFS `vmmwininit.c`).
fn low_stub(file: &[u8]) -> bool {
    (1..0xa0).any(|frame| {
        let page = Bytes::up_to(file, frame * PAGE_SIZE, PAGE_SIZE, "PROCESSOR_START_BLOCK");
        let word = |offset| page.u64(offset).unwrap_or(0);
        let root = word(0xa0);
        word(0) & 0xffff_ffff_ffff_00ff == 0x0000_0001_0006_00e9
            && word(0x70) & 0xffff_f800_0000_0003 == 0xffff_f800_0000_0000
            && root & 0xffff_ff00_0000_0fff == 0
            && root != 0
            && root < file.len() as u64
    })
}

enum Mark {
    DebuggerData,
    PdbName,
}

/// A `KDBG` or `RSDS` signature in `page` that is what it says. Structures may go on behind the page.
fn signature(file: &[u8], page: &Bytes<'_>) -> Option<Mark> {
    let words = page.data().as_chunks::<4>().0.iter().zip(0u64..);
    let marks = words.filter(|(word, _)| matches!(*word, b"KDBG" | b"RSDS"));
    let mut found = None;
    for (word, index) in marks {
        let at = page.start() + index * 4;
        if word == b"KDBG" && debugger_data(file, at) {
            return Some(Mark::DebuggerData);
        }
        let name = Bytes::up_to(file, at + 24, 13, "RSDS").data(); // signature, GUID, age, name
        if word == b"RSDS" && KERNEL_PDBS.iter().any(|pdb| name.eq_ignore_ascii_case(pdb)) {
            found = Some(Mark::PdbName);
        }
    }
    found
}

/// `KDDEBUGGER_DATA64` with its `Header.OwnerTag` at file offset `tag`.
fn debugger_data(file: &[u8], tag: u64) -> bool {
    let block = Bytes::up_to(file, tag, 0x40, "KDDEBUGGER_DATA64");
    let (Ok(size), Ok(base), Ok(list)) = (block.u32(4), block.u64(8), block.u64(0x38)) else { return false };
    let in_kernel = list.checked_sub(base).is_some_and(|offset| offset > 0 && offset < 64 * MIB);
    (0x100..=0x1000).contains(&size) && is_kernel_base(base) && in_kernel
}

/// A page-aligned address in the kernel's half, of 64 bits or of 32 bits (sign-extended or not).
fn is_kernel_base(base: u64) -> bool {
    base.is_multiple_of(PAGE_SIZE)
        && (base >= 0xffff_8000_0000_0000 || (0x8000_0000..1 << 32).contains(&base))
}

/// `IMAGE_NT_HEADERS` of an image loaded in the kernel's half at the start of the page.
fn kernel_header(page: &Bytes<'_>) -> bool {
    if page.u16(0).ok() != Some(0x5a4d) {
        return false;
    }
    let at = page.u32(0x3c).map_or(u64::MAX, u64::from);
    let Ok(headers) = page.sub(at, 0x40, "IMAGE_NT_HEADERS") else { return false };
    let base = match headers.u16(24) {
        Ok(0x20b) => headers.u64(48),
        Ok(0x10b) => headers.u32(52).map(u64::from),
        _ => return false,
    };
    headers.u32(0).ok() == Some(0x4550) && base.is_ok_and(is_kernel_base)
}

fn has_section(page: &Bytes<'_>, name: &[u8; 8]) -> bool {
    page.data().as_chunks::<8>().0.contains(name)
}

/// A page-table root that agrees with its own address, of any architecture.
fn is_root(image: Image<'_>, pa: u64) -> bool {
    use PagingMode::{Arm64, X64, X64La57, X86, X86Pae};
    [X64, X64La57, Arm64, X86Pae, X86].into_iter().any(|mode| looks_like_root(image, Pa(pa), mode))
}
