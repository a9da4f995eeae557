//! What the captured `KDDEBUGGER_DATA64` leads to: the build text and the registers of every processor.
//!
//! The block states where a processor's `KPRCB` keeps the pointer to its saved `CONTEXT`, so nothing
//! here depends on a build. What was not captured is simply absent: a triage dump is a selection.

use super::{super::header::Kind, Reader};
use crate::{
    addr::Va,
    bytes::{Bytes, ascii_lossy},
    context::Context,
    records::Records,
    runs::VirtRuns,
    space::Space,
};

/// `DBGKD_DEBUG_DATA_HEADER64.OwnerTag`.
const KDBG: [u8; 4] = *b"KDBG";
/// Offsets within `KDDEBUGGER_DATA64` (windows-sys).
const SIZE: u64 = 0x14;
const NT_BUILD_LAB: u64 = 0x208;
const KI_PROCESSOR_BLOCK: u64 = 0x218;
const OFFSET_PRCB_CONTEXT: u64 = 0x338;
/// Windows supports 2,048 logical processors.
const MOST_PROCESSORS: u32 = 2048;

impl Reader<'_> {
    /// Adds the build text and the processors' contexts, where they were captured.
    pub(super) fn kernel_facts(&self, runs: &VirtRuns, records: &mut Records) {
        let (offset, size) = (self.header.debugger_data_offset.into(), self.header.debugger_data_size.into());
        let Ok(block) = Bytes::at(self.file, offset, size, "KDDEBUGGER_DATA64") else { return };
        if block.array(0x10).ok() != Some(KDBG) {
            return; // encoded, or nothing: never decoded here
        }
        // Fields behind Header.Size do not exist in this version of the block.
        let stated = block.u32(SIZE).map_or(0, u64::from).min(block.len());
        let Ok(block) = block.sub(0, stated, "KDDEBUGGER_DATA64") else { return };
        let space = Space::captured(self.file, runs);
        records.header.build_string = build_lab(&block, &space);
        if self.kind == Kind::Bits64 {
            self.processor_contexts(&block, &space, records);
        }
    }

    fn processor_contexts(&self, block: &Bytes<'_>, space: &Space<'_>, records: &mut Records) {
        let (Ok(array), Ok(pointer_at)) = (block.u64(KI_PROCESSOR_BLOCK), block.u16(OFFSET_PRCB_CONTEXT))
        else {
            return;
        };
        let Some(architecture) = records.header.architecture.filter(|_| pointer_at != 0) else { return };
        let processors = records.header.processors.unwrap_or(0).min(MOST_PROCESSORS);
        for processor in 0..processors {
            let context = || {
                let prcb = space.u64(Va(array).checked_add(u64::from(processor) * 8)?).ok()?;
                let context = space.u64(Va(prcb).checked_add(pointer_at.into())?).ok()?;
                let bytes = space.bytes(Va(context), Context::size(architecture) as usize).ok()?;
                Context::parse(architecture, Bytes::whole(&bytes, "CONTEXT"), "triage prcb").ok()
            };
            if let Some(context) = context() {
                records.contexts.push(Context { processor: Some(processor), ..context });
            }
        }
    }
}

/// `nt!NtBuildLab`, for example `19041.1.amd64fre.vb_release.191206-1406`.
fn build_lab(block: &Bytes<'_>, space: &Space<'_>) -> Option<String> {
    let va = block.u64(NT_BUILD_LAB).ok()?;
    let mut text = Vec::new();
    for at in 0..128 {
        let mut byte = [0];
        match space.read(Va(va).checked_add(at)?, &mut byte) {
            Ok(()) if byte[0] != 0 => text.push(byte[0]),
            _ => break,
        }
    }
    let text = ascii_lossy(&text);
    text.starts_with(|c: char| c.is_ascii_digit()).then_some(text)
}
