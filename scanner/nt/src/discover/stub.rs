//! The stub that starts the other processors of an x64 machine: it names the kernel's root and an address in the kernel.
//!
//! Situation: firmware and kernel leave `PROCESSOR_START_BLOCK` in low memory of real hardware; virtual machines and
//! ARM64 have none. Source: MemProcFS `vmmwininit.c` (public).

use memory::{Image, Pa, Pfn, Va};

/// What the stub states.
pub struct Stub {
    /// The root of page tables that a starting processor loads.
    pub root: Pa,
    /// Where it then jumps: an address in the kernel image.
    pub entry: Va,
}

/// Looks for it in the pages below 640 KiB.
pub fn find(image: Image<'_>) -> Option<Stub> {
    (1..0xa0).find_map(|frame| {
        let page = image.page(Pfn(frame)).ok()?;
        let word = |at: usize| page[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let (jump, entry, root) = (word(0), word(0x70), word(0xa0));
        let found = jump & 0xffff_ffff_ffff_00ff == 0x0000_0001_0006_00e9
            && entry & 0xffff_f800_0000_0003 == 0xffff_f800_0000_0000
            && root & 0xffff_ff00_0000_0fff == 0
            && root != 0;
        found.then_some(Stub { root: Pa(root), entry: Va(entry) })
    })
}
