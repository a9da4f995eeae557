//! Where the debugger block is: where the header or a symbol says, or somewhere in the kernel image.
//!
//! Situation: x64 kernels since Windows 8 keep the block encoded while they run, and crash dumps hold it decoded.
//! Handling: with symbols it is decoded; without, an encoded block cannot be told from other data. Source of the
//! encoding: volatility `win8_kdbg.py` and QEMU `kdbg_decode` (public), which agree.

use crate::{Kdbg, System};
use memory::{PAGE_SIZE, Va};

/// More of an image than this is not searched.
const MOST_IMAGE: u64 = 32 << 20;
/// Bytes in front of `Header.OwnerTag`.
const TAG: u64 = 0x10;

/// The debugger block.
pub(crate) fn find(system: &System<'_>) -> Option<Kdbg> {
    let narrow = system.pointer_size() == 4;
    let copied = || {
        let (offset, size) = system.dump.records.header.triage.as_ref()?.debugger_data?;
        let start = usize::try_from(offset).ok()?;
        let bytes = system.dump.file().get(start..start.checked_add(usize::try_from(size).ok()?)?)?;
        Kdbg::from_bytes(system.global("KdDebuggerDataBlock")?, bytes.to_vec(), false, narrow)
    };
    let stated = system.dump.records.header.kd_debugger_data_block.filter(|&va| va != 0);
    let plain = |va: Va| Kdbg::read(system.space, va, narrow).filter(|block| agrees(system, block));
    copied()
        .or_else(|| plain(system.narrow(stated?)))
        .or_else(|| plain(system.global("KdDebuggerDataBlock")?))
        .or_else(|| decoded(system))
}

/// A block is that of the kernel that was found.
fn agrees(system: &System<'_>, block: &Kdbg) -> bool {
    let base = system.kernel.as_ref().map(|kernel| kernel.base);
    base.is_none() || block.kernel_base() == base
}

/// The block in the memory of a running x64 kernel, by the symbols that its encoding needs.
fn decoded(system: &System<'_>) -> Option<Kdbg> {
    let space = system.space;
    if system.pointer_size() == 4 {
        return None; // no 32-bit kernel encodes its block
    }
    let value = |name: &str| space.u64(system.global(name)?).ok();
    let va = system.global("KdDebuggerDataBlock")?;
    let key = Key {
        flag: system.global("KdpDataBlockEncoded")?.0,
        never: value("KiWaitNever")?,
        always: value("KiWaitAlways")?,
    };
    let words = |size: usize| -> Option<Vec<u8>> {
        let bytes = space.bytes(va, size).ok()?;
        Some(bytes.as_chunks::<8>().0.iter().flat_map(|word| key.decode(*word)).collect())
    };
    let head = words(0x18)?;
    let size = u32::from_le_bytes(head.get(0x14..0x18)?.try_into().ok()?);
    let sane = head.get(0x10..0x14)? == b"KDBG" && (0x90..=0x1000).contains(&size);
    let whole = sane.then(|| words(size.next_multiple_of(8) as usize)).flatten();
    let block = whole.and_then(|bytes| Kdbg::from_bytes(va, bytes, true, false));
    let block = block.filter(|block| agrees(system, block));
    if block.is_none() {
        let expected = "a debugger block, plain or encoded with KiWaitNever and KiWaitAlways";
        system.problem("invalid", "KDDEBUGGER_DATA64", "Header.OwnerTag", Some(va), expected, "neither");
    }
    block
}

/// What the encoding uses.
struct Key {
    /// Address of `KdpDataBlockEncoded`.
    flag: u64,
    /// `KiWaitNever`.
    never: u64,
    /// `KiWaitAlways`.
    always: u64,
}

impl Key {
    fn decode(&self, word: [u8; 8]) -> [u8; 8] {
        let turned = (u64::from_le_bytes(word) ^ self.never).rotate_left(self.never as u32 & 0x3f);
        ((turned ^ self.flag).swap_bytes() ^ self.always).to_le_bytes()
    }
}

/// A plain block in the kernel image, when nothing says where it is: its base is the image's, and its module list lies
/// in the image.
pub(crate) fn in_image(system: &System<'_>) -> Option<Kdbg> {
    let kernel = system.kernel.as_ref()?;
    let size = kernel.image.size.map_or(MOST_IMAGE, u64::from).min(MOST_IMAGE);
    let last = kernel.base.checked_add(size)?;
    let narrow = system.pointer_size() == 4;
    let mut page = kernel.base;
    while page < last {
        if let Ok(bytes) = system.space.bytes(page, PAGE_SIZE as usize) {
            let words = bytes.as_chunks::<4>().0.iter().zip(0u64..);
            for (_, index) in words.filter(|(word, _)| *word == b"KDBG") {
                let block = page.checked_add(index * 4).and_then(|tag| tag.0.checked_sub(TAG)).map(Va);
                let block = block.and_then(|va| Kdbg::read(system.space, va, narrow));
                let inside = |list: Va| list > kernel.base && list < last;
                let good = |block: &Kdbg| {
                    agrees(system, block) && block.variable("PsLoadedModuleList").is_some_and(inside)
                };
                if let Some(block) = block.filter(good) {
                    return Some(block);
                }
            }
        }
        page = page.checked_add(PAGE_SIZE)?;
    }
    None
}
