//! Frames of 32-bit x86: nothing in the image says how to undo them.
//!
//! What there is, in the order of trust: the code itself, where it is a prologue or leads straight to a return; what the
//! compiler left in the PDB ([`FrameData`]: programs, or the older FPO records); the chain of frame pointers. Programs
//! that look for the return address relative to the stack pointer do not know what has been pushed since, so they
//! search upwards for something that can be one ([`Place::returns`]).
//!
//! Situation: a function without frame pointer has pushed two parameters for its next call. Its program points at
//! one of them; the search finds the return address eight bytes above.
//!
//! Source: `FPO_DATA` of winnt.h; Microsoft's DIA SDK, `IDiaFrameData` (programs); Microsoft's public microsoft-pdb sources
//! (`FRAMEDATA`); breakpad's "STACK WIN" for what the programs' variables mean.

mod code;
mod program;
#[cfg(test)]
mod tests;

use crate::{Image, Memory, Step, Why};
use program::Frame;
pub use symbols::FrameData;

/// Numbers of registers, as instructions encode them.
const EBX: u8 = 3;
const ESP: u8 = 4;
/// Number of ebp in [`Registers::gpr`].
pub const EBP: u8 = 5;
const ESI: u8 = 6;
const EDI: u8 = 7;
/// Registers that calls preserve: ebx, esp, ebp, esi, edi.
const PRESERVED: u8 = 0xf8;
/// Most stack slots that are searched for a return address.
const SEARCH: u32 = 64;

/// Registers of x86.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// The instruction pointer.
    pub eip: u32,
    /// eax, ecx, edx, ebx, esp, ebp, esi, edi: the order of the processor.
    pub gpr: [u32; 8],
    /// Bit n: the value of `gpr[n]` is known. That of esp always is.
    pub known: u8,
    /// Bytes of parameters of the function that was undone last: they still lie at esp.
    pub pushed: u32,
}

impl Registers {
    /// Registers of which only these are known.
    pub fn new(eip: u32, esp: u32, ebp: u32) -> Registers {
        let mut registers = Registers { eip, gpr: [0; 8], known: 0, pushed: 0 };
        registers.set(ESP, Some(esp));
        registers.set(EBP, Some(ebp));
        registers
    }

    /// The stack pointer.
    pub fn esp(&self) -> u32 {
        self.gpr[usize::from(ESP)]
    }

    /// The value of `gpr[register]`, if it is known.
    pub fn get(&self, register: u8) -> Option<u32> {
        let value = self.gpr.get(usize::from(register))?;
        (self.known >> register & 1 == 1).then_some(*value)
    }

    /// Sets `gpr[register]`, or makes it unknown.
    pub fn set(&mut self, register: u8, value: Option<u32>) {
        if let Some(slot) = self.gpr.get_mut(usize::from(register)) {
            *slot = value.unwrap_or(0);
            self.known = self.known & !(1 << register) | u8::from(value.is_some()) << register;
        }
    }
}

impl From<&memory::X86> for Registers {
    /// The registers of a `CONTEXT`; eip and esp mean something only where its part `control` is there.
    fn from(context: &memory::X86) -> Registers {
        let c = context;
        let gpr = [c.eax, c.ecx, c.edx, c.ebx, c.esp, c.ebp, c.esi, c.edi];
        let known =
            if c.parts.integer { 0xcf } else { 0 } | if c.parts.control { 0x20 } else { 0 } | 1 << ESP;
        Registers { eip: c.eip, gpr, known, pushed: 0 }
    }
}

/// How to find the caller, as a PDB says.
pub type Kind<'a> = symbols::FrameKind<&'a str>;

/// Whether it is that of a filter or a handler of an exception, which the system calls.
fn is_handler(frame: &FrameData<'_>) -> bool {
    matches!(frame.kind, Kind::Program(program) if program.contains(".raSearchStart"))
}

/// Where the instruction pointer is, as far as known.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The image.
    pub image: Option<&'a Image<'a>>,
    /// The innermost record of its PDB.
    pub frame: Option<&'a FrameData<'a>>,
    /// Where members of trap frames are, if this can be the stack of a kernel.
    pub trap: Option<&'a TrapFrame>,
    /// Whether an address can be a return address: it is code, and a call ends there (see [`crate::call::x86`]).
    pub returns: &'a dyn Fn(u32) -> bool,
    /// Whether two stack pointers are on different stacks: a function with a frame pointer may have gone over from the
    /// second to the first, and then the second may be the lower one.
    pub switches: &'a dyn Fn(u32, u32) -> bool,
}

impl Place<'_> {
    /// Whether a frame pointer can belong to a function that is at this stack pointer.
    fn may_be_frame(&self, ebp: u32, esp: u32) -> bool {
        ebp.is_multiple_of(4) && (ebp >= esp || (self.switches)(esp, ebp))
    }
}

/// `_KTRAP_FRAME.DbgArgMark`: handlers of x86 write it for debuggers.
pub const TRAP_MARK: u32 = 0xbadb_0d00;

/// Offsets in `_KTRAP_FRAME` of x86, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapFrame {
    /// `DbgArgMark`: [`TRAP_MARK`].
    pub mark: u32,
    /// `Ebp`
    pub ebp: u32,
    /// `Ebx`
    pub ebx: u32,
    /// `Esi`
    pub esi: u32,
    /// `Edi`
    pub edi: u32,
    /// `Eax`
    pub eax: u32,
    /// `Ecx`
    pub ecx: u32,
    /// `Edx`
    pub edx: u32,
    /// `Eip`
    pub eip: u32,
    /// `SegCs`
    pub cs: u32,
    /// `EFlags`
    pub eflags: u32,
    /// `HardwareEsp`: pushed by the processor only when it came from another ring.
    pub esp: u32,
}

/// The registers that a trap frame at this address holds: those of what was interrupted, exact.
pub fn trap_frame(memory: &dyn Memory, at: u32, layout: &TrapFrame) -> Result<Registers, Why> {
    const VIRTUAL_8086: u32 = 1 << 17;
    let member = |offset: u32| word(memory, at.checked_add(offset).ok_or(Why::NoMemory(at.into()))?);
    let mut registers = Registers::new(member(layout.eip)?, 0, member(layout.ebp)?);
    let rest = [(0, layout.eax), (1, layout.ecx), (2, layout.edx), (EBX, layout.ebx), (ESI, layout.esi)];
    for (register, offset) in rest.into_iter().chain([(EDI, layout.edi)]) {
        registers.set(register, member(offset).ok());
    }
    let (cs, eflags) = (member(layout.cs)? & 0xffff, member(layout.eflags)?);
    let sound = eflags & 2 != 0 && (matches!(cs, 0x8 | 0x1b) || eflags & VIRTUAL_8086 != 0);
    if !sound {
        return Err(Why::BadUnwindData("cs or eflags of a trap frame"));
    }
    let outer = cs & 3 != 0 || eflags & VIRTUAL_8086 != 0;
    let inside = at.checked_add(layout.esp).ok_or(Why::NoMemory(at.into()));
    registers.set(ESP, Some(if outer { member(layout.esp)? } else { inside? }));
    Ok(registers)
}

/// One step: turns `registers` into those of the caller; they stay as they were if it fails. `first` says that the
/// instruction pointer is exact, not a return address.
pub fn step(place: &Place, memory: &dyn Memory, registers: &mut Registers, first: bool) -> Result<Step, Why> {
    if let Some(at) = trap_at(place, memory, registers, first) {
        let layout = place.trap.ok_or(Why::NotSupported("a trap frame whose layout is not known"))?;
        *registers = trap_frame(memory, at, layout)?;
        let at = at.saturating_add(layout.eip).into();
        return Ok(Step::MachineFrame { at, error_code: true });
    }
    let (mut caller, step) = caller(place, memory, registers, first)?;
    if caller.esp() <= registers.esp() && !(place.switches)(registers.esp(), caller.esp()) {
        return Err(Why::SpNotRising);
    }
    if !caller.esp().is_multiple_of(4) {
        return Err(Why::SpNotAligned);
    }
    caller.known &= PRESERVED;
    if place.frame.is_some_and(is_handler) {
        // Handlers preserve nothing: what calls them does not expect it.
        [EBX, ESI, EDI].into_iter().for_each(|register| caller.set(register, None));
    }
    *registers = caller;
    Ok(step)
}

/// Where the trap frame of a handler is: the frame pointer is at it, as its record says, or as the mark in it does where
/// there is no record.
fn trap_at(place: &Place, memory: &dyn Memory, now: &Registers, first: bool) -> Option<u32> {
    let ebp = now.get(EBP).filter(|ebp| place.may_be_frame(*ebp, now.esp()))?;
    match (place.frame.map(|frame| frame.kind), place.trap) {
        (Some(Kind::Trap), _) => Some(ebp),
        (None, Some(layout)) if !first => {
            let mark = word(memory, ebp.checked_add(layout.mark)?).ok()?;
            (mark == TRAP_MARK && trap_frame(memory, ebp, layout).is_ok()).then_some(ebp)
        }
        _ => None,
    }
}

fn caller(
    place: &Place,
    memory: &dyn Memory,
    now: &Registers,
    first: bool,
) -> Result<(Registers, Step), Why> {
    if first && let Some(caller) = code::caller(place, memory, now) {
        let pushed = place.frame.map_or(0, |frame| frame.params);
        return Ok((Registers { pushed, ..caller }, Step::Unwound));
    }
    match place.frame {
        Some(frame) => match frame.kind {
            Kind::Program(program) => searched(place, memory, now, frame, program),
            Kind::Fpo(own_use) => {
                const PLAIN: &str = "$eip .raSearch ^ = $esp .raSearch 4 + =";
                let (mut caller, step) = searched(place, memory, now, frame, PLAIN)?;
                if own_use {
                    caller.set(EBP, code::saved_ebp(place, frame, memory, &caller));
                }
                Ok((caller, step))
            }
            Kind::FramePointer => chain(place, memory, now, frame.params),
            Kind::Trap => Err(Why::UnknownRegister), // the frame pointer, else it was found before
            Kind::Task => Err(Why::NotSupported("a task switch")),
        },
        None => chain(place, memory, now, 0).or_else(|why| {
            // No frame pointer: if nothing has been pushed, the return address is on top.
            let leaf = first.then(|| leaf(place, memory, now)).flatten();
            let straight = || Some((code::epilogue(place, memory, now)?, Step::Unwound));
            leaf.map(|caller| (caller, Step::Leaf)).or_else(straight).ok_or(why)
        }),
    }
}

/// Runs a program; if what it finds cannot be a return address, again with its search starting higher and higher.
fn searched(
    place: &Place,
    memory: &dyn Memory,
    now: &Registers,
    frame: &FrameData,
    program: &str,
) -> Result<(Registers, Step), Why> {
    let mut run = Frame { memory, now, frame, above: now.pushed };
    let plain = run.run(program);
    let done = plain.as_ref().is_ok_and(|found| !found.searches || (place.returns)(found.caller.eip));
    let broken = plain.as_ref().is_err_and(|why| !matches!(why, Why::NoMemory(_)));
    if done || broken {
        return plain.map(|found| (found.caller(frame), Step::FrameData));
    }
    if let Some(caller) = code::epilogue(place, memory, now) {
        return Ok((Registers { pushed: frame.params, ..caller }, Step::Unwound));
    }
    for slot in 0..SEARCH {
        run.above = 4 * slot;
        match run.run(program) {
            Ok(next) if !next.searches => break,
            Ok(next) if (place.returns)(next.caller.eip) => return Ok((next.caller(frame), Step::Searched)),
            _ => {}
        }
    }
    plain.map(|found| (found.caller(frame), Step::FrameData))
}

/// The frame that ebp points at: the caller's ebp, and its return address above.
fn chain(place: &Place, memory: &dyn Memory, now: &Registers, params: u32) -> Result<(Registers, Step), Why> {
    let ebp = now.get(EBP).ok_or(Why::UnknownRegister)?;
    let above = ebp.checked_add(8).filter(|_| place.may_be_frame(ebp, now.esp()));
    let above = above.ok_or(Why::NoUnwindData)?;
    let mut caller = Registers { eip: word(memory, above - 4)?, pushed: params, ..*now };
    let saved = word(memory, ebp)?;
    // The first function of a thread has no caller: the chain ends in two zeros.
    if (caller.eip, saved) != (0, 0) && !(place.returns)(caller.eip) {
        return Err(Why::NoUnwindData);
    }
    caller.set(EBP, Some(saved));
    caller.set(ESP, Some(above));
    for register in [EBX, ESI, EDI] {
        caller.set(register, None); // saved somewhere, if they were changed
    }
    Ok((caller, Step::FramePointer))
}

fn leaf(place: &Place, memory: &dyn Memory, now: &Registers) -> Option<Registers> {
    let mut caller = Registers { eip: word(memory, now.esp()).ok()?, pushed: 0, ..*now };
    caller.set(ESP, Some(now.esp().checked_add(4)?));
    (place.returns)(caller.eip).then_some(caller)
}

fn word(memory: &dyn Memory, at: u32) -> Result<u32, Why> {
    let mut bytes = [0; 4];
    if memory.read(at.into(), &mut bytes) {
        Ok(u32::from_le_bytes(bytes))
    } else {
        Err(Why::NoMemory(at.into()))
    }
}
