//! The 32-bit part of a thread of a 32-bit process on x64.
//!
//! While such a thread runs 64-bit code (the layer that turns its system calls into native ones), its 32-bit registers
//! lie in its processor area, to which the second TLS slot of its 64-bit TEB points: two 16-bit words, then a `CONTEXT`
//! of x86 (`WOW64_TLS_CPURESERVED`; TlsSlots is at 0x1480 in the public symbols of every x64 build). Its 32-bit TEB is
//! two pages behind, and bounds the 32-bit stack (ntwow64.h of System Informer's headers). When the way from user mode
//! into the kernel began in 32-bit code, the trap frame has the registers and those of the area are old; the same is so
//! of a thread that a debugger stopped there, whose 64-bit `CONTEXT` then has the code segment of 32-bit code.

use super::{Kind, Method, Registers, Stack, all::in_user_mode, within::Within};
use crate::code::Code;
use memory::{Architecture, Bytes, Context, Space, Va};
use std::ops::Range;
use unwind::{Memory, x64, x64::trap::MachineFrame, x86};

/// `TEB.TlsSlots[1]` of 64 bits.
const CPU_AREA: u64 = 0x1488;
/// Bytes from the 64-bit TEB to the 32-bit one.
pub const TEB32: u64 = 0x2000;
/// `NT_TIB.StackBase`, `StackLimit` and `Self` of 32 bits.
const TIB: [u64; 3] = [4, 8, 0x18];
/// Code segment of 32-bit user code.
const CS: u16 = 0x23;
/// More of a stack is not walked: the default reserve.
const MOST: u64 = 0x10_0000;

/// Where the 32-bit part of a thread starts.
#[derive(Debug, Clone)]
pub struct Start {
    /// Registers that were saved when it left 32-bit code.
    saved: Option<Registers>,
    /// Limit and base of its stack.
    stack: Range<u64>,
}

impl Start {
    /// Of the thread with this 64-bit TEB; `None` if what is there is no 32-bit TEB.
    pub fn read(space: &Space<'_>, teb: u64) -> Option<Start> {
        let teb32 = teb.checked_add(TEB32)?;
        let [base, limit, own] =
            TIB.map(|offset| space.u32(Va(teb32.wrapping_add(offset))).ok().map(u64::from));
        let (base, limit) = (base?, limit?);
        (own? == teb32 && limit < base)
            .then(|| Start { saved: saved(space, teb, limit..base), stack: limit..base })
    }

    /// The stack that it walks over.
    pub fn stack(&self) -> Range<u64> {
        self.stack.clone()
    }

    /// Walks it: from the registers of a trap in 32-bit code if there was one, else from those that were saved.
    pub fn walked(&self, space: &Space<'_>, code: &Code<'_>, trapped: Option<Registers>) -> Option<Stack> {
        let (registers, method) = match trapped {
            Some(registers) => (registers, Method::Trap),
            None => (self.saved?, Method::Context),
        };
        let sp = registers.sp();
        let range = sp..self.stack.end.min(sp.saturating_add(MOST));
        let memory = Within { space, range: range.clone() };
        let walk = || in_user_mode(code, &memory, range, Kind::Wow64, (registers, method));
        self.stack.contains(&sp).then(walk)
    }
}

/// The registers in the processor area, if they can be those of 32-bit code on this stack.
fn saved(space: &Space<'_>, teb: u64, stack: Range<u64>) -> Option<Registers> {
    let area = space.u64(Va(teb.checked_add(CPU_AREA)?)).ok()?;
    let size = Context::size(Architecture::X86) as usize;
    let bytes = space.bytes(Va(area.checked_add(4)?), size).ok()?;
    let context = Context::parse(Architecture::X86, Bytes::whole(&bytes, "WOW64_CONTEXT"), "wow64").ok()?;
    let memory::Registers::X86(registers) = &context.registers else { return None };
    let fits = context.has_control() && registers.cs as u16 == CS && stack.contains(&registers.esp.into());
    fits.then(|| Registers::of(&context))
}

/// The registers of 32-bit code in a 64-bit register set: its code segment says that they are.
pub fn narrowed(context: &Context) -> Option<Registers> {
    let memory::Registers::X64(wide) = &context.registers else { return None };
    let (rip, rsp) = (u32::try_from(wide.rip).ok()?, u32::try_from(wide.rsp).ok()?);
    if !context.has_control() || wide.cs != CS {
        return None;
    }
    let mut registers = x86::Registers::new(rip, rsp, 0);
    registers.set(5, None); // ebp
    if context.has_integer() {
        let numbered = [wide.rax, wide.rcx, wide.rdx, wide.rbx, wide.rsp, wide.rbp, wide.rsi, wide.rdi];
        (0..).zip(numbered).for_each(|(number, value)| registers.set(number, Some(value as u32)));
    }
    Some(Registers::X86(registers))
}

/// The registers of 32-bit code that a trap interrupted: the machine frame has some, the walk over it the others.
pub fn trapped(memory: &dyn Memory, at: u64, reached: &Registers) -> Option<Registers> {
    const NUMBERS: [(usize, u8); 3] = [(3, 3), (6, 6), (7, 7)]; // ebx, esi, edi
    let machine = MachineFrame::read(memory, at).ok().filter(MachineFrame::is_32_bit)?;
    let Registers::X64(wide) = reached else { return None };
    let low = |register: Option<u64>| register.map(|value| value as u32);
    let mut registers = x86::Registers::new(machine.rip as u32, machine.rsp as u32, 0);
    registers.set(5, low(wide.get(x64::RBP)));
    NUMBERS.into_iter().for_each(|(from, to)| registers.set(to, low(wide.get(from))));
    Some(Registers::X86(registers))
}
