//! Frame data of 32-bit modules, out of their PDBs: nothing in an x86 image tells how to undo a function. And where the
//! members of trap frames are, by the kernel's layouts.

use super::Module;
use memory::Architecture;
use nt::{
    System,
    symbols::{Field, FrameData, Frames},
    trap::KtrapFrame,
};
use std::sync::Arc;
use unwind::{MACHINE_I386, arm64, x64::trap::TrapLayout, x86};

/// Where the members of trap frames are; `None`: not that architecture, or the kernel's layouts do not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traps {
    /// x64.
    pub x64: Option<TrapLayout>,
    /// x86.
    pub x86: Option<x86::TrapFrame>,
    /// ARM64.
    pub arm64: Option<arm64::TrapFrame>,
    /// `DbgEbp` and `DbgEip`: what `Ebp` and `Eip` were when an x86 handler was entered.
    pub debug: Option<[u32; 2]>,
    /// `ErrCode` of x86.
    pub error_code: Option<u32>,
    /// `Spsr` of ARM64.
    pub spsr: Option<u32>,
    /// `Esr` of ARM64.
    pub esr: Option<u32>,
    /// `FaultAddress`: not on x86.
    pub fault_address: Option<u32>,
    /// Bytes of a trap frame, 0 where that is not known.
    pub size: u32,
}

impl Traps {
    /// Those of a kernel.
    pub fn of(system: &System<'_>) -> Traps {
        let l = KtrapFrame::of(system);
        let common = Traps { fault_address: at(l.fault_address), size: l.size, ..Traps::default() };
        match system.architecture {
            Architecture::X64 => Traps { x64: of_x64(&l), ..common },
            Architecture::X86 => {
                let debug = at(l.debug_ebp).zip(at(l.debug_eip)).map(|(ebp, eip)| [ebp, eip]);
                Traps { x86: of_x86(&l), debug, error_code: at(l.error_code), fault_address: None, ..common }
            }
            Architecture::Arm64 => Traps { arm64: of_arm64(&l), spsr: at(l.spsr), esr: at(l.esr), ..common },
        }
    }
}

fn at(field: Option<Field>) -> Option<u32> {
    Some(field?.offset)
}

/// The members behind `Rip` are what the processor pushes, so their order is given.
fn of_x64(l: &KtrapFrame) -> Option<TrapLayout> {
    let volatile = [l.rax, l.rcx, l.rdx, l.r8, l.r9, l.r10, l.r11].map(at);
    let rip = at(l.rip)?;
    let pushed = [(l.cs, 8), (l.eflags, 0x10), (l.rsp, 0x18), (l.ss, 0x20)];
    let ordered = pushed.iter().all(|(field, behind)| at(*field) == rip.checked_add(*behind));
    let [rax, rcx, rdx, r8, r9, r10, r11] = volatile;
    let volatile = [rax?, rcx?, rdx?, r8?, r9?, r10?, r11?];
    ordered.then_some(TrapLayout { volatile, rbp: at(l.rbp)?, rip })
}

fn of_x86(l: &KtrapFrame) -> Option<x86::TrapFrame> {
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
}

fn of_arm64(l: &KtrapFrame) -> Option<arm64::TrapFrame> {
    Some(arm64::TrapFrame { sp: at(l.sp)?, lr: at(l.lr)?, fp: at(l.fp)?, pc: at(l.pc)?, x: at(l.x)? })
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
