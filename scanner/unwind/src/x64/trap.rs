//! Where a kernel stack crosses: traps, interrupts, system calls, and threads that do not run.
//!
//! An entry of the kernel finds a machine frame that the processor pushed and builds a `_KTRAP_FRAME` around it, so the
//! two are at a fixed distance. Its offsets come from the kernel's symbols. What a trap frame holds depends on the
//! entry: rip, rsp, cs, eflags and rbp always; the volatile registers only when code was interrupted, not when it
//! called the system; the other nonvolatile registers are where the unwind data says, so they come from unwinding up
//! to here, or from a `_KEXCEPTION_FRAME`.

use super::{RBP, RBX, RDI, RSI, RSP, Registers, find, function_start, slot, step};
use crate::{Image, Memory, Why};

/// Words above the stack pointer of a waiting thread that are looked at for its return address.
const SWITCH_WORDS: u64 = 32;

/// Offsets of members of `_KTRAP_FRAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapLayout {
    /// `Rax`, `Rcx`, `Rdx`, `R8`, `R9`, `R10`, `R11`
    pub volatile: [u32; 7],
    /// `Rbp`
    pub rbp: u32,
    /// `Rip`, the start of the machine frame
    pub rip: u32,
}

/// Offsets of members of `_KEXCEPTION_FRAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExceptionLayout {
    /// `Rbp`, `Rbx`, `Rdi`, `Rsi`, `R12`, `R13`, `R14`, `R15`
    pub nonvolatile: [u32; 8],
}

/// What was going on when a trap frame was made, as far as it says which registers are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An interrupt or an exception: code stopped anywhere, so its volatile registers were saved.
    Interrupted,
    /// A system call, or not known: the volatile registers have no meaning.
    Called,
}

/// What the processor pushed: rip, cs, eflags, rsp, ss, 8 bytes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineFrame {
    /// Interrupted instruction.
    pub rip: u64,
    /// Code selector: 0x10 kernel, 0x33 user, 0x23 user in 32-bit code.
    pub cs: u16,
    /// Flags.
    pub eflags: u32,
    /// Stack pointer.
    pub rsp: u64,
    /// Stack selector.
    pub ss: u16,
}

impl MachineFrame {
    /// Reads the machine frame whose `rip` is at this address. An error if what is there cannot be one: a code selector
    /// that Windows does not use, flags with bits that do not exist, addresses that are not canonical.
    pub fn read(memory: &dyn Memory, at: u64) -> Result<MachineFrame, Why> {
        let mut bytes = [0; 40];
        if !memory.read(at, &mut bytes) {
            return Err(Why::NoMemory(at));
        }
        let [rip, cs, eflags, rsp, ss] =
            std::array::from_fn(|n| u64::from_le_bytes(std::array::from_fn(|byte| bytes[8 * n + byte])));
        // The processor pushes 8 bytes, but of selectors only 2 have a meaning, of flags the low 22 bits.
        let frame = MachineFrame { rip, cs: cs as u16, eflags: eflags as u32, rsp, ss: ss as u16 };
        if !matches!(frame.cs, 0x10 | 0x23 | 0x33) {
            return Err(Why::BadUnwindData("cs of a machine frame"));
        }
        if frame.eflags >= 1 << 22 || frame.eflags & 2 == 0 {
            return Err(Why::BadUnwindData("eflags of a machine frame"));
        }
        let fits = |va: u64| if frame.is_user() { va < 1 << 63 } else { va >= 1 << 63 };
        if !fits(rip) || !fits(rsp) {
            return Err(Why::BadUnwindData("rip or rsp of a machine frame"));
        }
        Ok(frame)
    }

    /// Whether user code was interrupted.
    pub fn is_user(&self) -> bool {
        self.cs & 3 == 3
    }

    /// Whether it was 32-bit code.
    pub fn is_32_bit(&self) -> bool {
        self.cs == 0x23
    }
}

/// Registers of the code that was interrupted by, or called through, the trap frame whose machine frame is at `at`
/// ([`Step::MachineFrame`](crate::Step)). `unwound` are those that unwinding gave there: the nonvolatile ones are kept.
pub fn interrupted(
    memory: &dyn Memory,
    layout: &TrapLayout,
    at: u64,
    cause: Cause,
    unwound: &Registers,
) -> Result<(MachineFrame, Registers), Why> {
    let machine = MachineFrame::read(memory, at)?;
    let frame = at.checked_sub(layout.rip.into()).ok_or(Why::NoMemory(at))?;
    let mut registers = *unwound;
    registers.rip = machine.rip;
    registers.set(RSP, machine.rsp);
    registers.load(RBP, memory, frame.wrapping_add(layout.rbp.into()));
    for (index, offset) in [0, 1, 2, 8, 9, 10, 11].into_iter().zip(layout.volatile) {
        registers.known &= !(1 << index);
        if cause == Cause::Interrupted {
            registers.load(index, memory, frame.wrapping_add(offset.into()));
        }
    }
    Ok((machine, registers))
}

/// The same for a `_KTRAP_FRAME` that something points to (`_KTHREAD.TrapFrame`, a parameter of a bug check).
pub fn trap_frame(
    memory: &dyn Memory,
    layout: &TrapLayout,
    frame: u64,
    cause: Cause,
) -> Result<(MachineFrame, Registers), Why> {
    let at = frame.checked_add(layout.rip.into()).ok_or(Why::NoMemory(frame))?;
    interrupted(memory, layout, at, cause, &Registers::new(0, 0))
}

/// Takes the nonvolatile registers that a `_KEXCEPTION_FRAME` holds.
pub fn exception_frame(memory: &dyn Memory, layout: &ExceptionLayout, frame: u64, registers: &mut Registers) {
    for (index, offset) in [RBP, RBX, RDI, RSI, 12, 13, 14, 15].into_iter().zip(layout.nonvolatile) {
        registers.load(index, memory, frame.wrapping_add(offset.into()));
    }
}

/// Addresses of the two functions of the kernel that every thread that does not run is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// `SwapContext`: it stored the stack pointer in `_KTHREAD.KernelStack`, all of its prologue behind it.
    pub swap_context: Option<u64>,
    /// `KiSwapContext`, which called it and holds the nonvolatile registers.
    pub ki_swap_context: Option<u64>,
}

/// How the registers of a thread that does not run were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By the unwind data of `SwapContext`.
    Unwound,
    /// By a return address on the stack.
    ReturnAddress,
}

/// Registers of a thread that does not run, in `KiSwapContext` just after its call of `SwapContext`; so the next step
/// is not a `first` one.
///
/// There is no layout of `_KSWITCH_FRAME` for x64 that could be cited, so it is not used: `SwapContext` is unwound with
/// the kernel's own unwind data, and if that does not lead into `KiSwapContext`, the only word on top of the stack that
/// points into `KiSwapContext` is taken. Either way one more step must be possible and stay in the image.
pub fn switched_out(
    image: &Image,
    memory: &dyn Memory,
    kernel_stack: u64,
    switch: Switch,
) -> Result<(Registers, How), Why> {
    let found = match (unwound(image, memory, kernel_stack, switch), switch.ki_swap_context) {
        (Ok(registers), _) => (registers, How::Unwound),
        (Err(_), Some(target)) => (above(image, memory, kernel_stack, target)?, How::ReturnAddress),
        (Err(why), None) => return Err(why),
    };
    let mut caller = found.0;
    step(image, memory, &mut caller, false)?;
    if image.contains(caller.rip) {
        Ok(found)
    } else {
        Err(Why::BadUnwindData("KiSwapContext leads nowhere"))
    }
}

/// Undoes `SwapContext`.
fn unwound(image: &Image, memory: &dyn Memory, sp: u64, switch: Switch) -> Result<Registers, Why> {
    let start = switch.swap_context.ok_or(Why::NoUnwindData)?;
    let function = find(image, image.rva(start).ok_or(Why::NoUnwindData)?)?.ok_or(Why::NoUnwindData)?;
    // Like a return address behind its last call: everywhere behind the prologue the result is the same.
    let rip = image.base.wrapping_add(function.end.into());
    let mut registers = Registers::new(rip, sp);
    step(image, memory, &mut registers, false)?;
    match switch.ki_swap_context {
        Some(target) if function_start(image, registers.rip.wrapping_sub(1))? != Some(target) => {
            Err(Why::BadUnwindData("SwapContext does not lead into KiSwapContext"))
        }
        _ => Ok(registers),
    }
}

/// Finds the return address into the function that starts at `target`, if there is exactly one near the top.
fn above(image: &Image, memory: &dyn Memory, sp: u64, target: u64) -> Result<Registers, Why> {
    let mut found = None;
    for at in (0..SWITCH_WORDS).map_while(|word| sp.checked_add(8 * word)) {
        let Ok(value) = slot(memory, at) else { break };
        let is_return = value != target && function_start(image, value.wrapping_sub(1)) == Ok(Some(target));
        if is_return && found.replace((at, value)).is_some() {
            return Err(Why::BadUnwindData("more than one return address into KiSwapContext"));
        }
    }
    let (at, rip) = found.ok_or(Why::BadUnwindData("no return address into KiSwapContext"))?;
    Ok(Registers::new(rip, at.checked_add(8).ok_or(Why::SpNotRising)?))
}
