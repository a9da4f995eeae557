//! Where the copies of the crashed processor, its thread and its process lay in memory.
//!
//! The dump states their offsets in the file and not their addresses. The processor knows its thread, the thread its
//! process, and the debugger block in the same file says where in each structure: so the copies become memory like
//! any captured block. A copy that does not begin as its kind of object begins is left alone.
//!
//! Situation: dumps written at crash time do not hold `KiProcessorBlock`, which names the processor's block. Handling:
//! the block holds hundreds of empty list heads, each of which refers to itself twice; together they name one address
//! (17 of 17 published dumps: 314 to 577 heads and no rival, equal to `KiProcessorBlock` where that is there too).

use super::{super::header::Kind, Reader};
use crate::{
    addr::{PAGE_SIZE, Va},
    bytes::Bytes,
    records::Triage,
    runs::{VirtRun, VirtRuns},
    space::Space,
};

/// Offsets within `KDDEBUGGER_DATA64` (windows-sys).
const KI_PROCESSOR_BLOCK: u64 = 0x218;
const OFFSET_KTHREAD_APC_PROCESS: u64 = 0x2a0;
const OFFSET_PRCB_CURRENT_THREAD: u64 = 0x2b4;
const OFFSET_PRCB_NUMBER: u64 = 0x2be;
const OFFSET_PCR_CONTAINED_PRCB: u64 = 0x2e6;
/// Empty list heads that have to agree.
const ENOUGH_HEADS: usize = 8;
/// `DISPATCHER_HEADER.Type` without its lock bit.
const PROCESS: u8 = 3;
const THREAD: u8 = 6;

/// Addresses of the copies, where they can be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addresses {
    pub prcb: Option<u64>,
    pub process: Option<u64>,
    pub thread: Option<u64>,
}

impl Reader<'_> {
    /// The addresses of the copies; `runs` are the captured blocks.
    pub(super) fn addresses(&self, triage: &Triage, runs: &VirtRuns) -> Addresses {
        let Some(block) = self.debugger_data() else { return Addresses::default() };
        let offset = |field| block.u16(field).ok().filter(|&at| at != 0).map(u64::from);
        let copy = |place: Option<(u64, u64)>| {
            place.map(|(offset, size)| Bytes::up_to(self.file, offset, size, "triage copy"))
        };
        let object = |place, kind| copy(place).filter(|bytes| bytes.u8(0).is_ok_and(|t| t & 0x7f == kind));
        let (prcb, thread) = (copy(triage.prcb), object(triage.thread, THREAD));
        let thread_address = prcb
            .as_ref()
            .zip(thread.as_ref())
            .and_then(|(prcb, _)| self.kernel_pointer(prcb, offset(OFFSET_PRCB_CURRENT_THREAD)?));
        let process_address = object(triage.process, PROCESS)
            .and_then(|_| self.kernel_pointer(thread.as_ref()?, offset(OFFSET_KTHREAD_APC_PROCESS)?));
        let listed = prcb.as_ref().and_then(|prcb| {
            let number = prcb.u32(offset(OFFSET_PRCB_NUMBER)?).ok()?;
            let array = self.narrow(block.u64(KI_PROCESSOR_BLOCK).ok()?);
            let at = Va(array.checked_add(u64::from(number).checked_mul(self.width())?)?);
            let mut bytes = [0; 8];
            Space::captured(self.file, runs).read(at, &mut bytes[..self.width() as usize]).ok()?;
            Some(u64::from_le_bytes(bytes)).filter(|&address| self.is_kernel(address))
        });
        let by_lists = || {
            let within = offset(OFFSET_PCR_CONTAINED_PRCB)?;
            own_address(prcb.as_ref()?.data(), self.width(), within)
                .filter(|&address| self.is_kernel(address))
        };
        Addresses { prcb: listed.or_else(by_lists), process: process_address, thread: thread_address }
    }

    /// The captured blocks and the copies together. Where both state a byte, the block counts.
    pub(super) fn with_copies(&self, runs: VirtRuns, triage: &Triage, at: Addresses) -> VirtRuns {
        let places = [(at.prcb, triage.prcb), (at.process, triage.process), (at.thread, triage.thread)];
        let copies = places.into_iter().filter_map(|(address, place)| {
            let (offset, len) = place?;
            Some(VirtRun { start: Va(address?), len, offset, source: "triage copy" })
        });
        VirtRuns::new(runs.as_slice().iter().copied().chain(copies).collect()).0
    }

    fn kernel_pointer(&self, bytes: &Bytes<'_>, at: u64) -> Option<u64> {
        let value = if self.width() == 8 { bytes.u64(at).ok()? } else { bytes.u32(at).ok()?.into() };
        Some(value).filter(|&address| self.is_kernel(address))
    }

    fn is_kernel(&self, address: u64) -> bool {
        if self.width() == 8 { address >> 63 == 1 } else { address >= 1 << 31 }
    }

    fn width(&self) -> u64 {
        match self.kind {
            Kind::Bits64 => 8,
            Kind::Bits32 => 4,
        }
    }

    fn narrow(&self, address: u64) -> u64 {
        if self.width() == 8 { address } else { address & 0xffff_ffff }
    }
}

/// The address at which `copy` lay, by the empty list heads in it. The structure around it begins on a page, `within`
/// bytes before.
fn own_address(copy: &[u8], width: u64, within: u64) -> Option<u64> {
    let words: Vec<u64> = match width {
        8 => copy.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect(),
        _ => copy.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word).into()).collect(),
    };
    let heads = words.windows(2).zip(0u64..).filter(|(pair, _)| pair[0] == pair[1]);
    let mut named: Vec<u64> = heads.filter_map(|(pair, index)| pair[0].checked_sub(index * width)).collect();
    named.retain(|base| base.wrapping_sub(within).is_multiple_of(PAGE_SIZE) && *base > PAGE_SIZE);
    named.sort_unstable();
    let group = |group: &[u64]| (group.len(), group.first().copied());
    let (most, best) = named.chunk_by(|one, other| one == other).map(group).max()?;
    best.filter(|_| most >= ENOUGH_HEADS && most * 2 > named.len())
}

#[cfg(test)]
mod tests {
    use super::own_address;

    /// A block of `size` bytes at `base` with empty list heads at every `step`.
    fn block(base: u64, size: usize, step: usize, width: usize) -> Vec<u8> {
        let mut block = vec![0; size];
        for at in (0x40..size - 2 * width).step_by(step) {
            let own = (base + at as u64).to_le_bytes();
            block[at..at + width].copy_from_slice(&own[..width]);
            block[at + width..at + 2 * width].copy_from_slice(&own[..width]);
        }
        block
    }

    #[test]
    fn empty_lists_name_the_address_of_their_structure() {
        let base = 0xffff_b100_0ff0_f180;
        let good = block(base, 0x2000, 0x100, 8);
        assert_eq!(own_address(&good, 8, 0x180), Some(base));
        assert_eq!(own_address(&good, 8, 0x190), None, "not where a page says");
        assert_eq!(own_address(&good[..0x400], 8, 0x180), None, "too few");
        let narrow = block(0x8230_0120, 0x1000, 0x40, 4);
        assert_eq!(own_address(&narrow, 4, 0x120), Some(0x8230_0120));
    }

    #[test]
    fn other_data_names_nothing() {
        assert_eq!(own_address(&[0; 0x2000], 8, 0x180), None);
        assert_eq!(own_address(&[0xff; 0x2000], 8, 0x180), None);
        assert_eq!(own_address(&[], 8, 0x180), None);
        let two =
            [block(0xffff_b100_0ff0_f180, 0x1000, 0x80, 8), block(0xffff_c100_0ff0_f180, 0x1000, 0x80, 8)];
        assert_eq!(own_address(&two.concat(), 8, 0x180), None, "two claims of one size");
    }
}
