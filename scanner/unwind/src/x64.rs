//! x64: a table of functions, and for each what its prologue did.
//!
//! Source of everything here: Microsoft's "x64 exception handling" (cpp-docs, `exception-handling-x64`), which states
//! the data and the unwind procedure; version 2 of the data is in the headers (`UWOP_EPILOG`) and in the unwinder of
//! dotnet/runtime (MIT), version 3 in LLVM ([`v3`]). A function without an entry in the table is a leaf: it moved neither the stack pointer nor a
//! nonvolatile register. In a prologue only the codes of instructions that ran are undone; in an epilogue the rest of
//! its instructions is carried out ([`epilogue`]); everywhere else the whole prologue is undone.

mod codes;
mod epilogue;
mod info;
mod pdata;
mod probe;
pub mod trap;
mod v3;

#[cfg(test)]
mod tests;

use crate::{Image, Memory, Step, Why};
use info::{Chain, EMPTY, Info};

pub use pdata::{Function, find, primary};

/// Index of rbx in [`Registers::gpr`]; the numbers are those of unwind codes and of instructions.
pub const RBX: usize = 3;
/// Index of rsp.
pub const RSP: usize = 4;
/// Index of rbp.
pub const RBP: usize = 5;
/// Index of rsi.
pub const RSI: usize = 6;
/// Index of rdi.
pub const RDI: usize = 7;

/// Registers that a function gives back as it got them: rbx, rsp, rbp, rsi, rdi, r12 to r15.
pub const NONVOLATILE: u32 = 0b1111_0000_1111_1000;

/// Registers of a frame. Those of a caller are known as far as nonvolatile ones can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// Instruction pointer.
    pub rip: u64,
    /// rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15.
    pub gpr: [u64; 16],
    /// A bit for each of `gpr` that is known; the others have no meaning.
    pub known: u32,
}

impl Registers {
    /// Only these two are known.
    pub fn new(rip: u64, rsp: u64) -> Registers {
        let mut registers = Registers { rip, gpr: [0; 16], known: 0 };
        registers.set(RSP, rsp);
        registers
    }

    /// A register, if it is known.
    pub fn get(&self, index: usize) -> Option<u64> {
        (self.known >> index & 1 != 0).then(|| self.gpr[index])
    }

    /// Makes a register known.
    pub fn set(&mut self, index: usize, value: u64) {
        self.gpr[index] = value;
        self.known |= 1 << index;
    }

    /// The stack pointer.
    pub fn sp(&self) -> u64 {
        self.gpr[RSP]
    }

    /// A register gets the value of a stack slot, or becomes unknown if that is not readable.
    fn load(&mut self, index: usize, memory: &dyn Memory, at: u64) {
        match slot(memory, at) {
            Ok(value) => self.set(index, value),
            Err(_) => self.known &= !(1 << index),
        }
    }

    /// Moves the stack pointer up.
    fn raise(&mut self, bytes: u32) -> Result<(), Why> {
        self.gpr[RSP] = self.sp().checked_add(u64::from(bytes)).ok_or(Why::SpNotRising)?;
        Ok(())
    }

    /// What `ret` does.
    fn pop_return(&mut self, memory: &dyn Memory) -> Result<(), Why> {
        self.rip = slot(memory, self.sp())?;
        self.raise(8)
    }
}

/// Eight bytes of a stack.
fn slot(memory: &dyn Memory, at: u64) -> Result<u64, Why> {
    let mut bytes = [0; 8];
    if memory.read(at, &mut bytes) { Ok(u64::from_le_bytes(bytes)) } else { Err(Why::NoMemory(at)) }
}

/// Turns the registers inside a function into those of its caller; on an error they stay as they were.
///
/// `first`: the instruction pointer is the next instruction to run (a thread's context, a machine frame). Otherwise it
/// is a return address: the function that called is the one that holds the byte *before* it, because a call may be a
/// function's last instruction, and it is in no epilogue.
pub fn step(image: &Image, memory: &dyn Memory, registers: &mut Registers, first: bool) -> Result<Step, Why> {
    step_between(image, memory, registers, first, &|_, _| false)
}

/// As [`step`], where a function with a frame pointer may have gone over to another stack: `switches` says whether two
/// stack pointers, its own and the caller's, are on different stacks, so that the second may be the lower one.
pub fn step_between(
    image: &Image,
    memory: &dyn Memory,
    registers: &mut Registers,
    first: bool,
    switches: &dyn Fn(u64, u64) -> bool,
) -> Result<Step, Why> {
    let mut caller = *registers;
    let lookup = if first { caller.rip } else { caller.rip.wrapping_sub(1) };
    let rva = image.rva(lookup).ok_or(Why::NoUnwindData)?;
    let step = match find(image, rva)? {
        Some(function) => undo(image, memory, &mut caller, function, first)?,
        // A leaf calls nobody, so a return address is in none.
        None if !first => return Err(Why::NoUnwindData),
        None => {
            caller.pop_return(memory)?;
            Step::Leaf
        }
    };
    if !caller.sp().is_multiple_of(8) {
        return Err(Why::SpNotAligned);
    }
    let same_stack = !matches!(step, Step::MachineFrame { .. });
    if same_stack && caller.sp() <= registers.sp() && !switches(registers.sp(), caller.sp()) {
        return Err(Why::SpNotRising);
    }
    caller.known &= NONVOLATILE;
    *registers = caller;
    Ok(step)
}

/// First address of the function that holds `address`, whichever of its fragments that is in; `None` for a leaf.
pub fn function_start(image: &Image, address: u64) -> Result<Option<u64>, Why> {
    let rva = image.rva(address).ok_or(Why::NoUnwindData)?;
    let Some(function) = find(image, rva)? else { return Ok(None) };
    let begin = primary(image, function)?.begin;
    image.base.checked_add(begin.into()).map(Some).ok_or(Why::BadUnwindData("an RVA beyond the image"))
}

/// Undoes what the function did so far.
fn undo(
    image: &Image,
    memory: &dyn Memory,
    caller: &mut Registers,
    function: Function,
    first: bool,
) -> Result<Step, Why> {
    let mut room = EMPTY;
    let info = Info::read(image, function.info, &mut room)?;
    // Not the RVA of the lookup: a return address is where the state of the registers belongs to.
    let offset = caller.rip.wrapping_sub(image.base).wrapping_sub(u64::from(function.begin));
    if finished(image, memory, caller, function, &info, first)? {
        return Ok(Step::Unwound);
    }
    if let Some((at, error_code)) = part(image, &info, function, memory, caller, offset)? {
        return Ok(Step::MachineFrame { at, error_code });
    }
    let mut chain = Chain::new(image, &info);
    while let Some((function, parent)) = chain.next(&mut room)? {
        if let Some((at, error_code)) = part(image, &parent, function, memory, caller, u64::MAX)? {
            return Ok(Step::MachineFrame { at, error_code });
        }
    }
    caller.pop_return(memory)?;
    Ok(Step::Unwound)
}

/// If the registers are in an epilogue: carries out the rest of it and says true.
fn finished(
    image: &Image,
    memory: &dyn Memory,
    caller: &mut Registers,
    function: Function,
    info: &Info,
    first: bool,
) -> Result<bool, Why> {
    let Some(words) = info.words else {
        // Even where the prologue has not ended: compilers place an early way out between its instructions.
        return if first { epilogue::finish(image, memory, caller, function, info) } else { Ok(false) };
    };
    let frame = v3::frame(image, info, function, u64::MAX)?;
    let part = v3::Part { image, function, words, frame };
    let left = part.finish(image.rva(caller.rip), memory, caller)?;
    if left {
        caller.pop_return(memory)?;
    }
    Ok(left)
}

/// Undoes what a fragment did before `offset`.
fn part(
    image: &Image,
    info: &Info,
    function: Function,
    memory: &dyn Memory,
    caller: &mut Registers,
    offset: u64,
) -> Result<Option<(u64, bool)>, Why> {
    let Some(words) = info.words else { return codes::undo(info, memory, caller, offset) };
    let frame = v3::frame(image, info, function, offset)?;
    v3::Part { image, function, words, frame }.undo(memory, caller, offset)
}
