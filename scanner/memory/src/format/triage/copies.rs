//! Where the copies of the crashed processor, its thread and its process lay in memory.
//!
//! The dump states their offsets in the file and not their addresses. The processor knows its thread, the thread its
//! process, and the debugger block in the same file says where in each structure: so the copies become memory like
//! any captured block. A copy that does not begin as its kind of object begins is left alone.

use super::{super::header::Kind, Reader};
use crate::{
    addr::Va,
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
        let prcb_address = prcb.as_ref().and_then(|prcb| {
            let number = prcb.u32(offset(OFFSET_PRCB_NUMBER)?).ok()?;
            let array = self.narrow(block.u64(KI_PROCESSOR_BLOCK).ok()?);
            let at = Va(array.checked_add(u64::from(number).checked_mul(self.width())?)?);
            let mut bytes = [0; 8];
            Space::captured(self.file, runs).read(at, &mut bytes[..self.width() as usize]).ok()?;
            Some(u64::from_le_bytes(bytes)).filter(|&address| self.is_kernel(address))
        });
        Addresses { prcb: prcb_address, process: process_address, thread: thread_address }
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
