//! Unwind codes: bytes that each undo one instruction of a prologue or stand for one of an epilogue.
//!
//! Source: Microsoft's "ARM64 exception handling", table of unwind codes. The encodings of `save_any_reg` (its negative
//! offsets count from one, its unit depends on the kind) are as LLVM writes and prints them. The custom codes 0xe8 to
//! 0xec are documented by name only; what they mean here is what Wine's `ntdll` does with them.

use crate::Why;

/// Which registers a code saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bank {
    /// 64-bit integer registers.
    X,
    /// The low halves of vector registers. Their values are not followed.
    D,
    /// Whole vector registers.
    Q,
}

impl Bank {
    /// Bytes of a saved register.
    pub(super) fn width(self) -> u64 {
        if self == Bank::Q { 16 } else { 8 }
    }
}

/// What one instruction of a prologue did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// `sub sp, sp, #bytes`
    Alloc(u64),
    /// `stp`/`str` of one or two registers from `first` on: at `sp + at`, or with `pre` at `sp` after it was lowered
    /// by `at`.
    Save { bank: Bank, first: u8, pair: bool, at: u64, pre: bool },
    /// `stp x(first), lr, [sp, #at]`
    SaveLr { first: u8, at: u64 },
    /// The next pair after those of the save that follows in the list.
    SaveNext,
    /// `mov x29, sp`
    SetFp,
    /// `add x29, sp, #bytes`
    AddFp(u64),
    /// An instruction that needs no undoing.
    Nop,
    /// The end of all codes; in an epilogue the return.
    End,
    /// The end of what this fragment did; what follows was done by its host.
    EndC,
    /// `pacibsp`
    SignLr,
    /// The stack pointer points at a `_KTRAP_FRAME`.
    TrapFrame,
    /// The stack pointer points at a `_MACHINE_FRAME`: {sp, pc}.
    MachineFrame,
    /// The stack pointer points at a `CONTEXT` of ARM64.
    Context,
    /// The stack pointer points at an `ARM64EC_NT_CONTEXT`.
    EcContext,
    /// The caller's pc is where it goes on, to be looked up as it is.
    Exact,
    /// Something whose size is a multiple of the vector length of this processor.
    Scalable,
    /// A code that means nothing (yet).
    Reserved,
}

/// Bytes of the code that starts with this byte.
pub(super) fn len(first: u8) -> usize {
    match first {
        0xc0..=0xdf | 0xe2 | 0xf8 => 2,
        0xe7 | 0xf9 => 3,
        0xe0 | 0xfa => 4,
        0xfb => 5,
        _ => 1,
    }
}

/// Instructions that the codes stand for, up to the first `end` or `end_c`.
pub(super) fn instructions(codes: &[u8]) -> u32 {
    let (mut at, mut count) = (0, 0);
    while let Some(&first) = codes.get(at)
        && first & 0xfe != 0xe4
    {
        at += len(first);
        count += 1;
    }
    count
}

/// Whether some of the codes describe what the host of this fragment did.
pub(super) fn hosted(codes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&first) = codes.get(at)
        && first != 0xe4
    {
        if first == 0xe5 {
            return true;
        }
        at += len(first);
    }
    false
}

/// The codes of a list, to `end` or where the bytes end.
pub(super) struct Codes<'a>(pub(super) &'a [u8]);

impl Iterator for Codes<'_> {
    type Item = Result<Op, Why>;

    fn next(&mut self) -> Option<Result<Op, Why>> {
        let len = len(*self.0.first()?);
        let Some((code, rest)) = self.0.split_at_checked(len) else {
            self.0 = &[];
            return Some(Err(Why::BadUnwindData("the last unwind code is cut")));
        };
        let op = decode(code);
        self.0 = if op == Op::End { &[] } else { rest };
        Some(Ok(op))
    }
}

/// The meaning of one code, whose bytes these are.
fn decode(code: &[u8]) -> Op {
    let word = code.iter().take(4).fold(0, |word, byte| word << 8 | u64::from(*byte));
    match code[0] {
        0x00..=0x1f => Op::Alloc((word & 0x1f) * 16),
        0x20..=0x3f => x(19, true, (word & 0x1f) * 8, true),
        0x40..=0x7f => x(29, true, (word & 0x3f) * 8, false),
        0x80..=0xbf => x(29, true, (word & 0x3f) * 8 + 8, true),
        0xc0..=0xc7 => Op::Alloc((word & 0x7ff) * 16),
        0xc8..=0xde => saves(code[0], word),
        0xe0 => Op::Alloc((word & 0xff_ffff) * 16),
        0xe1 => Op::SetFp,
        0xe2 => Op::AddFp((word & 0xff) * 8),
        0xe3 => Op::Nop,
        0xe4 => Op::End,
        0xe5 => Op::EndC,
        0xe6 => Op::SaveNext,
        0xe7 => any(code[1], code[2]),
        0xe8 => Op::TrapFrame,
        0xe9 => Op::MachineFrame,
        0xea => Op::Context,
        0xeb => Op::EcContext,
        0xec => Op::Exact,
        0xfc => Op::SignLr,
        0xdf => Op::Scalable,
        _ => Op::Reserved,
    }
}

/// Codes of two bytes that save: six bits of offset, or five where the register takes four.
fn saves(first: u8, word: u64) -> Op {
    let (six, five) = ((word & 0x3f) * 8, (word & 0x1f) * 8 + 8);
    let (wide, narrow) = ((word >> 6) as u8, (word >> 5) as u8);
    match first {
        0xc8..=0xcb => x(19 + (wide & 0xf), true, six, false),
        0xcc..=0xcf => x(19 + (wide & 0xf), true, six + 8, true),
        0xd0..=0xd3 => x(19 + (wide & 0xf), false, six, false),
        0xd4..=0xd5 => x(19 + (narrow & 0xf), false, five, true),
        0xd6..=0xd7 => Op::SaveLr { first: 19 + 2 * (wide & 7), at: six },
        0xd8..=0xd9 => d(8 + (wide & 7), true, six, false),
        0xda..=0xdb => d(8 + (wide & 7), true, six + 8, true),
        0xdc..=0xdd => d(8 + (wide & 7), false, six, false),
        _ => d(8 + (narrow & 7), false, five, true),
    }
}

/// `save_any_reg`: 0 p x rrrrr, kind (two bits) and offset (six bits).
fn any(registers: u8, place: u8) -> Op {
    if registers & 0x80 != 0 {
        return Op::Reserved;
    }
    let bank = match place >> 6 {
        0 => Bank::X,
        1 => Bank::D,
        2 => Bank::Q,
        _ => return Op::Scalable,
    };
    let (pair, pre) = (registers & 0x40 != 0, registers & 0x20 != 0);
    let unit = if pair || pre || bank == Bank::Q { 16 } else { 8 };
    let at = (u64::from(place & 0x3f) + u64::from(pre)) * unit;
    Op::Save { bank, first: registers & 0x1f, pair, at, pre }
}

fn x(first: u8, pair: bool, at: u64, pre: bool) -> Op {
    Op::Save { bank: Bank::X, first, pair, at, pre }
}

fn d(first: u8, pair: bool, at: u64, pre: bool) -> Op {
    Op::Save { bank: Bank::D, first, pair, at, pre }
}
