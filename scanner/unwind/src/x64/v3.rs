//! Version 3 of the unwind data: operations whose places in the prologue and in each epilogue are stated.
//!
//! Four bytes (version and flags, size of the prologue, number of words behind them, number of operations of the
//! prologue (5 bits) and of epilogues (3 bits)), the words, and then, at a multiple of 4, the parent's table entry or the
//! handler. The words hold, one after the other:
//! - with flag 8 ("large") the high byte of the size of the prologue;
//! - where the instruction of each operation of the prologue begins, last instruction first: a byte, or two if large;
//! - the epilogues: flags (3 bits) and number of operations (5 bits); how far it begins before the function's end, the
//!   further ones before the one described before (i16); and unless there are no operations, which means that it is like
//!   the last one that has some: where its operations are among all (u16, bytes), and a byte each (with flag 2 two) for
//!   the place of its last instruction and those of its operations, first instruction first;
//! - the operations themselves, of 1 to 5 bytes.
//!
//! Microsoft describes it in "x64 unwind information v3", a preview of 2026, which was not at hand. All this is what LLVM
//! 23 has of it (`llvm/Support/Win64EH.h`, Apache-2.0), what its assembler writes and its disassembler prints, and how
//! the instructions of its compiler lie to it. What that leaves open is not followed: registers that are stored in pairs
//! (in which order?) and those stored before stack was taken (at which distance?) become unknown, an epilogue that goes on
//! in the parent and kinds of machine frames beyond the two are refused by name.

use super::{
    RSP, Registers, codes,
    info::{Chain, EMPTY, Info},
    pdata::Function,
    probe,
};
use crate::{Image, Memory, Why};

/// `UNW_FLAG_LARGE`
const LARGE: u8 = 8;
/// `EPILOG_PARENT_FRAGMENT_TRANSFER`
const TO_PARENT: u8 = 1;
/// `EPILOG_INFO_LARGE`
const LARGE_EPILOGUE: u8 = 2;

/// Behind so many bytes no allocation is still under way.
const MOST_PROBE: u64 = 16;

const CUT: Why = Why::BadUnwindData("an operation beyond the words");

/// The words, and how many operations and epilogues they have.
#[derive(Clone, Copy)]
pub(super) struct Words<'r> {
    bytes: &'r [u8],
    large: bool,
    operations: usize,
    epilogues: usize,
}

/// What an operation says that an instruction did, or undoes in an epilogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// `WOD_PUSH`
    Push(usize),
    /// `WOD_PUSH2`, `WOD_PUSH_CONSECUTIVE_2`
    PushPair(usize, usize),
    /// `WOD_ALLOC_SMALL`, `WOD_ALLOC_LARGE`, `WOD_ALLOC_HUGE`
    Alloc(u32),
    /// `WOD_SET_FPREG`: register and its distance from the stack pointer.
    SetFrame(usize, u32),
    /// `WOD_SAVE_NONVOL`, `WOD_SAVE_NONVOL_FAR`
    Save(usize, u32),
    /// `WOD_SAVE_XMM128`, `WOD_SAVE_XMM128_FAR`
    SaveVector,
    /// `WOD_PUSH_CANONICAL_FRAME`
    MachineFrame(u8),
}

/// Places and operations, one behind the other.
#[derive(Clone, Copy)]
struct Sequence<'r> {
    places: &'r [u8],
    wide: bool,
    operations: &'r [u8],
}

/// An epilogue that holds an address.
pub(super) struct Epilogue<'r> {
    /// Distance of the address from its first instruction.
    offset: u64,
    sequence: Sequence<'r>,
}

impl<'r> Words<'r> {
    /// From the third and the fourth byte, flags, and the words.
    pub fn new(flags: u8, counts: u8, bytes: &'r [u8]) -> Words<'r> {
        let (operations, epilogues) = (usize::from(counts & 31), usize::from(counts >> 5));
        Words { bytes, large: flags & LARGE != 0, operations, epilogues }
    }

    /// The operations of the prologue, and the epilogue that was begun at an RVA, if one was.
    fn parts(
        &self,
        function: Function,
        rva: Option<u32>,
    ) -> Result<(Sequence<'r>, Option<Epilogue<'r>>), Why> {
        let mut rest = Bytes(self.bytes);
        if self.large {
            rest.take(1)?;
        }
        let places = rest.take(self.operations << u8::from(self.large))?;
        let (mut start, mut like, mut found) = (i64::from(function.end), None, None);
        for _ in 0..self.epilogues {
            let head = rest.byte()?;
            start += i64::from(rest.word()?.cast_signed());
            let count = usize::from(head >> 3);
            if count > 0 {
                let (wide, first) = (head & LARGE_EPILOGUE != 0, rest.word()?);
                let last = if wide { rest.word()? } else { rest.byte()?.into() };
                like = Some((first, last, wide, rest.take(count << u8::from(wide))?));
            }
            let Some(rva) = rva else { continue };
            let (first, last, wide, places) =
                like.ok_or(Why::BadUnwindData("an epilogue that is like no other"))?;
            let offset = i64::from(rva) - start;
            if start < i64::from(function.begin) || start >= i64::from(function.end) {
                return Err(Why::BadUnwindData("an epilogue outside of its function"));
            }
            // At its first instruction everything is as in the body.
            if offset <= 0 || offset > i64::from(last) {
                continue;
            }
            match head & 7 & !LARGE_EPILOGUE {
                0 => found = Some((offset.cast_unsigned(), first, wide, places)),
                TO_PARENT => return Err(Why::NotSupported("an epilogue that goes on in the parent")),
                _ => return Err(Why::NotSupported("an epilogue with unknown flags")),
            }
        }
        let pool = rest.0;
        let epilogue = found.map(|(offset, first, wide, places)| {
            let operations = pool.get(usize::from(first)..).ok_or(CUT)?;
            Ok(Epilogue { offset, sequence: Sequence { places, wide, operations } })
        });
        Ok((Sequence { places, wide: self.large, operations: pool }, epilogue.transpose()?))
    }

    /// Frame register and distance that the prologue sets before an offset.
    pub fn frame(&self, function: Function, offset: u64) -> Result<Option<(usize, u32)>, Why> {
        self.parts(function, None)?.0.frame(|place| place < offset)
    }
}

impl Sequence<'_> {
    /// Calls with the place of each operation and the operation; ends early when that gives something.
    fn each<T>(
        &self,
        mut look: impl FnMut(u64, Operation) -> Result<Option<T>, Why>,
    ) -> Result<Option<T>, Why> {
        let (mut places, mut operations) = (Bytes(self.places), Bytes(self.operations));
        while !places.0.is_empty() {
            let place = if self.wide { places.word()?.into() } else { places.byte()?.into() };
            if let Some(found) = look(place, operations.operation()?)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn frame(&self, counts: impl Fn(u64) -> bool) -> Result<Option<(usize, u32)>, Why> {
        self.each(|place, operation| match operation {
            Operation::SetFrame(register, distance) if counts(place) => Ok(Some((register, distance))),
            _ => Ok(None),
        })
    }
}

/// A function or fragment, and what is known of it.
pub(super) struct Part<'i, 'a> {
    /// Its image.
    pub image: &'i Image<'a>,
    /// Its place.
    pub function: Function,
    /// Its unwind data.
    pub words: Words<'i>,
    /// Frame register and distance of the function, where the prologue has set it.
    pub frame: Option<(usize, u32)>,
}

impl Part<'_, '_> {
    /// If the RVA is in an epilogue: carries out the rest of it, without the instruction that leaves, and says true.
    pub fn finish(&self, rva: Option<u32>, memory: &dyn Memory, caller: &mut Registers) -> Result<bool, Why> {
        let Some(rva) = rva else { return Ok(false) };
        let Some(Epilogue { offset, sequence }) = self.words.parts(self.function, Some(rva))?.1 else {
            return Ok(false);
        };
        // Once the frame register was used the stack is freed: then the stack pointer counts.
        let freed = sequence.frame(|place| place < offset)?.is_some();
        let base = Base::new(caller, self.frame.filter(|_| !freed));
        let left = sequence.each(|place, operation| match place < offset {
            true => Ok(None),
            false => undo_one(operation, &base, memory, caller),
        })?;
        match left {
            Some(_) => Err(Why::BadUnwindData("a machine frame in an epilogue")),
            None => Ok(true),
        }
    }

    /// Undoes the operations of the prologue whose instructions begin before `offset`; otherwise as [`codes::undo`].
    pub fn undo(
        &self,
        memory: &dyn Memory,
        caller: &mut Registers,
        offset: u64,
    ) -> Result<Option<(u64, bool)>, Why> {
        let base = Base::new(caller, self.frame);
        let prologue = self.words.parts(self.function, None)?.0;
        prologue.each(|place, operation| {
            let ran = match operation {
                // The processor pushed that, and no instruction.
                Operation::MachineFrame(_) => true,
                Operation::Alloc(size) if place < offset && offset - place <= MOST_PROBE => {
                    place + probe::before(self.image, self.function, place, size) < offset
                }
                _ => place < offset,
            };
            if ran { undo_one(operation, &base, memory, caller) } else { Ok(None) }
        })
    }
}

/// What places of saved registers are relative to.
struct Base {
    /// The stack pointer before anything was undone.
    start: u64,
    /// The same by the frame register, where there is one: `None` if that is not known.
    frame: Option<Option<u64>>,
}

impl Base {
    fn new(caller: &Registers, frame: Option<(usize, u32)>) -> Base {
        let value = |(register, distance): (usize, u32)| caller.get(register)?.checked_sub(distance.into());
        Base { start: caller.sp(), frame: frame.map(value) }
    }

    /// The base of saved registers: what the frame register says, else the stack pointer. Once stack was given back
    /// nothing tells whether a distance is meant from here or from below.
    fn certain(&self, sp: u64) -> Option<u64> {
        self.frame.unwrap_or(Some(sp)).filter(|_| sp == self.start)
    }
}

fn undo_one(
    operation: Operation,
    base: &Base,
    memory: &dyn Memory,
    caller: &mut Registers,
) -> Result<Option<(u64, bool)>, Why> {
    match operation {
        Operation::Push(register) => {
            if register < caller.gpr.len() {
                caller.load(register, memory, caller.sp());
            }
            caller.raise(8)?;
        }
        Operation::PushPair(one, other) => {
            forget(caller, one);
            forget(caller, other);
            caller.raise(16)?;
        }
        Operation::Alloc(bytes) => caller.raise(bytes)?,
        Operation::SetFrame(register, distance) => {
            let value = caller.get(register).ok_or(Why::UnknownRegister)?;
            let sp = value.checked_sub(distance.into()).ok_or(Why::SpNotRising)?;
            caller.set(RSP, sp);
        }
        Operation::Save(register, above) => match base.certain(caller.sp()) {
            Some(base) if register < caller.gpr.len() => {
                caller.load(register, memory, base.wrapping_add(above.into()));
            }
            _ => forget(caller, register),
        },
        Operation::SaveVector => {}
        Operation::MachineFrame(kind @ 0..=1) => {
            let error_code = kind == 1;
            let at = codes::machine_frame(memory, caller, error_code)?;
            return Ok(Some((at, error_code)));
        }
        Operation::MachineFrame(_) => return Err(Why::NotSupported("an unknown kind of machine frame")),
    }
    Ok(None)
}

fn forget(caller: &mut Registers, register: usize) {
    caller.known &= !1_u32.checked_shl(register as u32).unwrap_or(0);
}

/// What is left to read.
struct Bytes<'r>(&'r [u8]);

impl<'r> Bytes<'r> {
    fn take(&mut self, count: usize) -> Result<&'r [u8], Why> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Why> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u16, Why> {
        Ok(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    fn double(&mut self) -> Result<u32, Why> {
        Ok(u32::from(self.word()?) | u32::from(self.word()?) << 16)
    }

    /// An operation: its kind is in the low 3, 4, 6 or 8 bits of the first byte.
    fn operation(&mut self) -> Result<Operation, Why> {
        let head = self.byte()?;
        let (high, register) = (u32::from(head >> 4), usize::from(head >> 3));
        let operation = match (head, head & 7, head & 15) {
            (_, 4, _) => Operation::Push(register),
            (_, 5, _) => Operation::Save(register, self.double()?),
            (_, 6, _) => Operation::Save(register, 8 * u32::from(self.word()?)),
            (_, 7, _) => Operation::PushPair(register, register + 1),
            (_, _, 8) => Operation::Alloc(8 * high + 8),
            (_, _, 9) => self.double().map(|_| Operation::SaveVector)?,
            (_, _, 10) => self.word().map(|_| Operation::SaveVector)?,
            (0, ..) => {
                let frame = self.byte()?;
                Operation::SetFrame(usize::from(frame & 15), u32::from(frame >> 4) * 16)
            }
            (1, ..) => Operation::Alloc(self.double()?),
            (2, ..) => Operation::Alloc(8 * u32::from(self.word()?)),
            (3, ..) => Operation::MachineFrame(self.byte()?),
            _ if head & 63 == 32 => {
                let registers = usize::from(head >> 6) | usize::from(self.byte()?) << 2;
                Operation::PushPair(registers & 31, registers >> 5)
            }
            _ => return Err(Why::BadUnwindData("unknown operation")),
        };
        match operation {
            Operation::Push(RSP) | Operation::Save(RSP, _) => {
                Err(Why::BadUnwindData("rsp is said to be saved"))
            }
            _ => Ok(operation),
        }
    }
}

/// Frame register and distance of a fragment: set by its own prologue before an offset, or by a parent's.
pub(super) fn frame(
    image: &Image,
    info: &Info,
    function: Function,
    offset: u64,
) -> Result<Option<(usize, u32)>, Why> {
    let of = |info: &Info, function, offset| match &info.words {
        Some(words) => words.frame(function, offset),
        None => Ok(info.frame.map(|register| (register, info.frame_offset))),
    };
    let (mut chain, mut room) = (Chain::new(image, info), EMPTY);
    let mut found = of(info, function, offset)?;
    while found.is_none() {
        let Some((function, parent)) = chain.next(&mut room)? else { break };
        found = of(&parent, function, u64::MAX)?;
    }
    Ok(found)
}
