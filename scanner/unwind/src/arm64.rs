//! Frames of 64-bit ARM: the return address is in a register (lr, x30) until the function saves it.
//!
//! A record in the image's table describes each function that has a prologue. Either it is *packed*, a word that names
//! one of the usual prologues, or it refers to codes, one for each instruction of the prologue, and to the places of
//! epilogues. The position of the instruction pointer says how much of the prologue has run, or is already undone by
//! the epilogue; the rest is undone here. A function without a record is a leaf: its return address is still in lr.
//!
//! Return addresses of newer binaries are signed (`pacibsp`): the upper bits hold a signature, which is stripped where
//! the unwind data says that it is there, and nowhere else, so that a smashed return address stays visible.
//!
//! Source: Microsoft's "ARM64 exception handling". What a function with scalable vectors (SVE) allocates depends on the
//! vector length of the processor, which no dump states: such a frame is refused by name.

mod code;
mod frame;
mod hybrid;
mod packed;
mod pdata;
mod switch;
#[cfg(test)]
mod tests;
mod xdata;

pub use hybrid::{Code, Hybrid, is_chpe};
pub use pdata::Function;
pub use switch::{Switch, switched_out};

use crate::{Image, MACHINE_ARM64, MACHINE_ARM64EC, Memory, Step, Why};
use frame::Frame;

/// Registers of 64-bit ARM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// The instruction pointer.
    pub pc: u64,
    /// The stack pointer.
    pub sp: u64,
    /// x0 to x30; x29 is the frame pointer, x30 is lr.
    pub x: [u64; 31],
    /// Bit n: the value of x(n) is known.
    pub known: u32,
}

impl Registers {
    /// Registers of which only these are known.
    pub fn new(pc: u64, sp: u64, fp: u64, lr: u64) -> Registers {
        let mut registers = Registers { pc, sp, x: [0; 31], known: 0 };
        registers.set(29, Some(fp));
        registers.set(30, Some(lr));
        registers
    }

    /// The value of x(`register`), 0 to 30, if it is known.
    pub fn get(&self, register: u8) -> Option<u64> {
        let value = self.x.get(usize::from(register))?;
        (self.known >> register & 1 == 1).then_some(*value)
    }

    /// Sets x(`register`), 0 to 30, or makes it unknown.
    pub fn set(&mut self, register: u8, value: Option<u64>) {
        if let Some(slot) = self.x.get_mut(usize::from(register)) {
            *slot = value.unwrap_or(0);
            self.known = self.known & !(1 << register) | u32::from(value.is_some()) << register;
        }
    }
}

impl From<&memory::Arm64> for Registers {
    /// The registers of a `CONTEXT`; pc and sp mean something only where its part `control` is there.
    fn from(context: &memory::Arm64) -> Registers {
        let mut registers = Registers { pc: context.pc, sp: context.sp, x: [0; 31], known: 0 };
        for (register, value) in (0..29).zip(context.x) {
            registers.set(register, context.parts.integer.then_some(value));
        }
        registers.set(29, context.parts.control.then_some(context.fp));
        registers.set(30, context.parts.control.then_some(context.lr));
        registers
    }
}

/// Offsets in `_KTRAP_FRAME` of ARM64, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapFrame {
    /// `Sp`
    pub sp: u32,
    /// `Lr`
    pub lr: u32,
    /// `Fp`
    pub fp: u32,
    /// `Pc`
    pub pc: u32,
    /// `X`: x0 to x18.
    pub x: u32,
}

/// Takes the signature off a signed code address: bit 55 says which half of the address space it is in, the 48 lower
/// bits are the address. (Windows of ARM64 has 48 bits of virtual addresses.)
pub fn strip(address: u64) -> u64 {
    const UPPER: u64 = 0xffff << 48;
    if address >> 55 & 1 == 1 { address | UPPER } else { address & !UPPER }
}

/// One step: turns `registers` into those of the caller; they stay as they were if it fails. `first` says that the
/// instruction pointer is exact, not a return address. A trap frame is refused, as its layout is not given.
pub fn step(image: &Image, memory: &dyn Memory, registers: &mut Registers, first: bool) -> Result<Step, Why> {
    step_over(image, memory, registers, first, None, &|_, _| false)
}

/// As [`step`], with the layout of trap frames of the kernel that made the stack. A function with a frame pointer may
/// have gone over to another stack: `switches` says whether two stack pointers, its own and the caller's, are on
/// different stacks, so that the second may be the lower one.
pub fn step_over(
    image: &Image,
    memory: &dyn Memory,
    registers: &mut Registers,
    first: bool,
    trap: Option<TrapFrame>,
    switches: &dyn Fn(u64, u64) -> bool,
) -> Result<Step, Why> {
    if ![MACHINE_ARM64, MACHINE_ARM64EC].contains(&image.machine) {
        return Err(Why::NotAnImage("not of ARM64"));
    }
    // A call can be the last instruction of a function, so a return address is looked up where the call is.
    let pc = if first { Some(registers.pc) } else { registers.pc.checked_sub(4) };
    let rva = pc.and_then(|pc| image.rva(pc)).ok_or(Why::NoUnwindData)?;
    let mut frame = Frame::new(memory, registers, trap);
    let function = Function::find(image, rva)?;
    match function {
        Some(function) => function.undo(image, rva, &mut frame)?,
        None if first => {}
        None => return Err(Why::NoUnwindData),
    }
    let (caller, step) = frame.finish(registers, first, switches)?;
    *registers = caller;
    Ok(if function.is_none() { Step::Leaf } else { step })
}
