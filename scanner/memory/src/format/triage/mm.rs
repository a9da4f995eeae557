//! The Mm information block: pool and commit figures, verifier state. Source: Singularity `Dump.h`.

use super::{super::header::Kind, Reader};
use crate::{
    bytes::Bytes,
    records::{MmInformation, Problem, Records},
};

/// Bit of `MiniDumpFields`: the block was written.
const MM_INFO: u32 = 0x100;
const STRUCTURE: &str = "TRIAGE_MM_INFORMATION";
/// Bytes of the block before its 64-bit counters.
const FIXED: u32 = 0x18;
const WHOLE: u32 = 0x50;

impl Reader<'_> {
    /// The block, where the header's bits say that it was written.
    pub(super) fn mm_information(&self, records: &mut Records) -> Option<MmInformation> {
        let written = records.header.minidump_fields.is_some_and(|fields| fields & MM_INFO != 0);
        let offset = u64::from(self.header.mm_offset);
        if !written || offset == 0 {
            return None;
        }
        if self.kind == Kind::Bits32 {
            let expected = "a layout that a public source establishes";
            let problem = Problem::new("unsupported", STRUCTURE, "", offset, expected, "the 32-bit form");
            records.fault(problem);
            return None;
        }
        let bytes = records.keep(Bytes::at(self.file, offset, FIXED.into(), STRUCTURE))?;
        let size = records.keep(bytes.u32(4))?;
        if !(FIXED..=0x1000).contains(&size) || offset + u64::from(size) > self.limit {
            records.fault(bytes.invalid(
                "Size",
                4,
                format!("{FIXED:#x} to {WHOLE:#x}"),
                format!("{size:#x}"),
            ));
            return None;
        }
        let bytes = Bytes::up_to(self.file, offset, size.into(), STRUCTURE);
        Some(MmInformation {
            special_pool_tag: bytes.u32(0x08).ok()?,
            triage_action_taken: bytes.u32(0x0c).ok()?,
            verify_driver_level: bytes.u32(0x10).ok()?,
            kernel_verifier: bytes.u32(0x14).ok()?,
            max_nonpaged_pool: bytes.u64(0x18).ok(),
            allocated_nonpaged_pool: bytes.u64(0x20).ok(),
            paged_pool_max: bytes.u64(0x28).ok(),
            paged_pool_allocated: bytes.u64(0x30).ok(),
            committed_pages: bytes.u64(0x38).ok(),
            committed_pages_peak: bytes.u64(0x40).ok(),
            commit_limit_max: bytes.u64(0x48).ok(),
        })
    }
}
