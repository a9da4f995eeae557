//! What the captured `KDDEBUGGER_DATA64` leads to: the build text and the registers of every processor.
//!
//! The block states where a processor's `KPRCB` keeps its saved `CONTEXT`, so nothing here depends on
//! a build. What was not captured is simply absent: a triage dump is a selection. Situation: a dump
//! written at crash time holds neither `KiProcessorBlock` nor the build text, only the copy of the
//! crashed processor's `KPRCB`, whose address nothing states. Handling: the copy is asked for its
//! number and its registers; ARM64 keeps them in it, x64 elsewhere, and what is there must prove itself.

use super::{super::header::Kind, Reader};
use crate::{
    addr::Va,
    bytes::Bytes,
    context::Context,
    records::{Architecture, Records},
    runs::VirtRuns,
    space::Space,
};

/// `DBGKD_DEBUG_DATA_HEADER64.OwnerTag`.
const KDBG: [u8; 4] = *b"KDBG";
/// Offsets within `KDDEBUGGER_DATA64` (windows-sys).
const SIZE: u64 = 0x14;
const NT_BUILD_LAB: u64 = 0x208;
const KI_PROCESSOR_BLOCK: u64 = 0x218;
const OFFSET_PRCB_PROC_STATE_CONTEXT: u64 = 0x2bc;
const OFFSET_PRCB_NUMBER: u64 = 0x2be;
const OFFSET_PRCB_CONTEXT: u64 = 0x338;
/// Windows supports 2,048 logical processors.
const MOST_PROCESSORS: u32 = 2048;
/// Build texts have some 40 characters.
const LONGEST_LAB: usize = 128;
/// Bits of `ContextFlags` that a kernel does not set when it saves a processor: state of exceptions
/// above, no part of any architecture below.
const FLAGS_NEVER_SAVED: u32 = 0xff00_ff00;

impl Reader<'_> {
    /// Adds the build text and the processors' contexts, where they were captured.
    pub(super) fn kernel_facts(&self, runs: &VirtRuns, records: &mut Records) {
        let Some(block) = self.debugger_data() else { return };
        let space = Space::captured(self.file, runs);
        let kernel = Kernel { block, space, kind: self.kind };
        records.header.build_string = kernel.build_lab();
        let Some(architecture) = records.header.architecture else { return };
        let processors = records.header.processors.unwrap_or(0).min(MOST_PROCESSORS);
        let mut contexts = kernel.saved_contexts(architecture, processors);
        let copied = self.prcb_copy().and_then(|copy| kernel.copied_context(architecture, processors, &copy));
        contexts.extend(copied.filter(|copied| contexts.iter().all(|c| c.processor != copied.processor)));
        records.contexts.extend(contexts);
    }

    /// The block, as long as it states itself: fields behind `Header.Size` do not exist in this version.
    pub(super) fn debugger_data(&self) -> Option<Bytes<'_>> {
        let (offset, size) = (self.header.debugger_data_offset.into(), self.header.debugger_data_size.into());
        let block = Bytes::at(self.file, offset, size, "KDDEBUGGER_DATA64").ok()?;
        if block.array(0x10).ok() != Some(KDBG) {
            return None; // encoded, or nothing: never decoded here
        }
        let stated = block.u32(SIZE).map_or(0, u64::from).min(block.len());
        block.sub(0, stated, "KDDEBUGGER_DATA64").ok()
    }

    fn prcb_copy(&self) -> Option<Bytes<'_>> {
        let offset = self.header.prcb_offset;
        (offset != 0).then(|| Bytes::up_to(self.file, offset.into(), self.size_of_copy(offset), "KPRCB"))
    }
}

/// The debugger data block, and the memory that its addresses point into.
struct Kernel<'a> {
    block: Bytes<'a>,
    space: Space<'a>,
    kind: Kind,
}

impl Kernel<'_> {
    /// `nt!NtBuildLab`, for example `19041.1.amd64fre.vb_release.191206-1406`. Text that is not
    /// captured to its end is no build text.
    fn build_lab(&self) -> Option<String> {
        let start = self.address(self.block.u64(NT_BUILD_LAB).ok()?)?;
        let mut text = String::new();
        for at in 0..LONGEST_LAB {
            let mut byte = [0];
            self.space.read(start.checked_add(at as u64)?, &mut byte).ok()?;
            match byte[0] {
                0 => return text.starts_with(|c: char| c.is_ascii_digit()).then_some(text),
                graphic @ 0x21..=0x7e => text.push(char::from(graphic)),
                _ => return None,
            }
        }
        None
    }

    /// The contexts that `KiProcessorBlock` leads to: array, `KPRCB`, pointer, `CONTEXT`.
    fn saved_contexts(&self, architecture: Architecture, processors: u32) -> Vec<Context> {
        let saved = |processor| {
            let array = self.address(self.block.u64(KI_PROCESSOR_BLOCK).ok()?)?;
            let prcb = self.pointer(array.checked_add(u64::from(processor) * self.width())?)?;
            let context = self.pointer(prcb.checked_add(self.offset(OFFSET_PRCB_CONTEXT)?)?)?;
            Some(Context { processor: Some(processor), ..self.captured_context(architecture, context)? })
        };
        (0..processors).filter_map(saved).collect()
    }

    /// The context of the processor whose `KPRCB` is `copy`: where its pointer leads, or in the copy itself.
    fn copied_context(
        &self,
        architecture: Architecture,
        processors: u32,
        copy: &Bytes<'_>,
    ) -> Option<Context> {
        let number = copy.u32(self.offset(OFFSET_PRCB_NUMBER)?).ok().filter(|n| *n < processors)?;
        let pointed = || {
            let at = self.offset(OFFSET_PRCB_CONTEXT)?;
            let pointer = match self.kind {
                Kind::Bits64 => copy.u64(at).ok()?,
                Kind::Bits32 => copy.u32(at).ok()?.into(),
            };
            self.captured_context(architecture, self.address(pointer)?)
        };
        let embedded = || {
            let at = self.offset(OFFSET_PRCB_PROC_STATE_CONTEXT)?;
            saved(architecture, copy.sub(at, Context::size(architecture), "CONTEXT").ok()?)
        };
        Some(Context { processor: Some(number), ..pointed().or_else(embedded)? })
    }

    fn captured_context(&self, architecture: Architecture, at: Va) -> Option<Context> {
        let bytes = self.space.bytes(at, Context::size(architecture) as usize).ok()?;
        saved(architecture, Bytes::whole(&bytes, "CONTEXT"))
    }

    /// An offset that the block states; 0 and fields that this version of the block lacks are `None`.
    fn offset(&self, field: u64) -> Option<u64> {
        self.block.u16(field).ok().filter(|&offset| offset != 0).map(u64::from)
    }

    /// A pointer in captured memory.
    fn pointer(&self, at: Va) -> Option<Va> {
        match self.kind {
            Kind::Bits64 => self.address(self.space.u64(at).ok()?),
            Kind::Bits32 => self.address(self.space.u32(at).ok()?.into()),
        }
    }

    /// A stated address; 0 is none. A 32-bit kernel extends the sign in the block's 64-bit slots.
    fn address(&self, stated: u64) -> Option<Va> {
        let address = match self.kind {
            Kind::Bits64 => stated,
            Kind::Bits32 => stated & 0xffff_ffff,
        };
        (address != 0).then_some(Va(address))
    }

    fn width(&self) -> u64 {
        match self.kind {
            Kind::Bits64 => 8,
            Kind::Bits32 => 4,
        }
    }
}

/// A `CONTEXT` that proves itself: the architecture's flags and no odd ones, an instruction and a stack.
fn saved(architecture: Architecture, bytes: Bytes<'_>) -> Option<Context> {
    let context = Context::parse(architecture, bytes, "triage prcb").ok()?;
    let plain = context.context_flags() & FLAGS_NEVER_SAVED == 0;
    (plain && context.has_control() && context.ip() != 0 && context.sp() != 0).then_some(context)
}
