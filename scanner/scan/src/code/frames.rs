//! Frame data of 32-bit modules, out of their PDBs: nothing in an x86 image tells how to undo a function.

use super::Module;
use nt::{
    System,
    symbols::{FrameData, Frames},
    trap::KtrapFrame,
};
use std::sync::Arc;
use unwind::{MACHINE_I386, arm64, x86};

/// Where the members of trap frames are; `None`: not that architecture, or the kernel's layouts do not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traps {
    /// x86.
    pub x86: Option<x86::TrapFrame>,
    /// ARM64.
    pub arm64: Option<arm64::TrapFrame>,
}

impl Traps {
    /// Those of a kernel.
    pub fn of(system: &System<'_>) -> Traps {
        let l = KtrapFrame::of(system);
        let at = |field: Option<nt::symbols::Field>| Some(field?.offset);
        let x86 = || {
            Some(x86::TrapFrame {
                mark: at(l.mark)?,
                ebp: at(l.ebp)?,
                ebx: at(l.ebx)?,
                esi: at(l.esi)?,
                edi: at(l.edi)?,
                eax: at(l.eax)?,
                ecx: at(l.ecx)?,
                edx: at(l.edx)?,
                eip: at(l.eip)?,
                cs: at(l.cs)?,
                eflags: at(l.eflags)?,
                esp: at(l.esp)?,
            })
        };
        let arm64 = || {
            Some(arm64::TrapFrame { sp: at(l.sp)?, lr: at(l.lr)?, fp: at(l.fp)?, pc: at(l.pc)?, x: at(l.x)? })
        };
        match system.architecture {
            memory::Architecture::X86 => Traps { x86: x86(), arm64: None },
            memory::Architecture::Arm64 => Traps { x86: None, arm64: arm64() },
            memory::Architecture::X64 => Traps::default(),
        }
    }
}

impl Module<'_> {
    /// What its PDB says of the frame at an address.
    pub fn frame_data(&self, va: u64) -> Option<FrameData<'_>> {
        self.frames()?.find(u32::try_from(va.checked_sub(self.base)?).ok()?)
    }

    fn frames(&self) -> Option<&Frames> {
        let look = || -> Option<Arc<Frames>> {
            let other = self.facts().is_some_and(|facts| facts.machine != MACHINE_I386);
            let (name, id) = self.stated_pdb().filter(|_| !other)?;
            let provider = self.memory.below().origin?.provider;
            // What is wrong with a PDB is told where its names are looked up.
            provider.frames(name, id).ok().flatten().filter(|frames| !frames.is_empty())
        };
        self.frames.get_or_init(look).as_deref()
    }

    /// Relative address where the function begins that holds a relative address, by its PDB.
    pub fn framed_start(&self, rva: u32) -> Option<u32> {
        let frames = self.frames()?;
        let function = frames.find(rva)?.function;
        // A record of hand-written code can begin behind the function.
        let outermost = frames.find(function)?;
        (outermost.start && outermost.rva == function).then_some(function)
    }
}
