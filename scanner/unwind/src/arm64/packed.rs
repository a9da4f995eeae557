//! Packed unwind data: a word in the table that describes a function with the usual prologue and epilogue.
//!
//! The word is unfolded into the codes that full unwind data would have, so that both are undone by the same code.
//! Source: Microsoft's "ARM64 exception handling", "Packed unwind data" and its table of canonical prologues.
//! A function that saves x19 and lr only does so in two instructions, `sub sp, sp, #n` and `stp x19, lr, [sp]`
//! (undocumented; seen in 39 functions of node-pty 1.1.0).
//! Stores that home parameters in a function that saves nothing else lower the stack pointer with the first of them
//! (undocumented; LLVM found it out).

use super::code::{Bank, Op};
use crate::Why;

/// Most bytes that one `sub` of a prologue allocates.
const SUB: u64 = 4080;

/// Codes of a function in the order of undoing.
pub(super) struct Ops {
    ops: [Op; 24],
    len: usize,
}

impl Ops {
    /// Codes of a prologue.
    pub(super) fn prologue(&self) -> &[Op] {
        &self.ops[..self.len]
    }

    /// Codes of the epilogue, without its return: it has no instruction for `mov x29, sp` and none for homed parameters.
    pub(super) fn epilogue(&self) -> impl Iterator<Item = Op> + '_ {
        self.prologue().iter().copied().filter(|op| !matches!(op, Op::SetFp | Op::Nop))
    }

    fn push(&mut self, op: Op) {
        // 2 for x29 and lr, 2 for locals, 4 for homes, 4 for d8-d15, 6 for x19-x28 and lr, 1 for the signature
        if let Some(slot) = self.ops.get_mut(self.len) {
            *slot = op;
            self.len += 1;
        }
    }
}

/// The fields of a packed word, sizes in bytes.
struct Fields {
    floats: u64,
    ints: u64,
    homes: bool,
    lr: bool,
    chained: bool,
    signed: bool,
    ints_size: u64,
    saved: u64,
    locals: u64,
}

impl Fields {
    fn of(word: u32) -> Result<Fields, Why> {
        let bits = |at: u32, width: u32| u64::from(word >> at & ((1 << width) - 1));
        let (reg_f, ints, homes, cr) = (bits(13, 3), bits(16, 4), bits(20, 1) == 1, bits(21, 2));
        let floats = if reg_f == 0 { 0 } else { reg_f + 1 };
        let ints_size = 8 * (ints + u64::from(cr == 1));
        let saved = (ints_size + 8 * floats + if homes { 64 } else { 0 }).next_multiple_of(16);
        let locals = (bits(23, 9) * 16).checked_sub(saved);
        let locals = locals.ok_or(Why::BadUnwindData("a packed frame is smaller than what it saves"))?;
        if ints > 10 {
            return Err(Why::BadUnwindData("a packed function saves more than ten registers"));
        }
        let (lr, chained, signed) = (cr == 1, cr >= 2, cr == 2);
        if chained && locals < 16 {
            return Err(Why::BadUnwindData("a packed frame has no room for x29 and lr"));
        }
        Ok(Fields { floats, ints, homes, lr, chained, signed, ints_size, saved, locals })
    }
}

/// Unfolds a packed word.
pub(super) fn unfold(word: u32) -> Result<Ops, Why> {
    let f = Fields::of(word)?;
    let mut ops = Ops { ops: [Op::Nop; 24], len: 0 };
    locals(&f, &mut ops);
    if f.homes {
        let alone = f.ints_size + f.floats == 0;
        (0..3).for_each(|_| ops.push(Op::Nop));
        ops.push(if alone { Op::Alloc(f.saved) } else { Op::Nop });
    }
    floats(&f, &mut ops);
    ints(&f, &mut ops);
    if f.signed {
        ops.push(Op::SignLr);
    }
    Ok(ops)
}

/// The frame record and local variables: the last that a prologue makes.
fn locals(f: &Fields, ops: &mut Ops) {
    if f.chained {
        ops.push(Op::SetFp);
        let pre = f.locals <= 512;
        let at = if pre { f.locals } else { 0 };
        ops.push(Op::Save { bank: Bank::X, first: 29, pair: true, at, pre });
        if pre {
            return;
        }
    }
    if f.locals > SUB {
        ops.push(Op::Alloc(f.locals - SUB));
        ops.push(Op::Alloc(SUB));
    } else if f.locals > 0 {
        ops.push(Op::Alloc(f.locals));
    }
}

/// d8 and on: pairs, a last single one, the first lowers the stack if no integer register did.
fn floats(f: &Fields, ops: &mut Ops) {
    for first in (0..f.floats.div_ceil(2)).rev().map(|pair| 2 * pair) {
        let pre = first == 0 && f.ints_size == 0;
        let at = if pre { f.saved } else { f.ints_size + 8 * first };
        let pair = first + 1 < f.floats;
        ops.push(Op::Save { bank: Bank::D, first: 8 + first as u8, pair, at, pre });
    }
}

/// lr, then x19 and on: pairs, a last single one which goes with lr if that is saved; the first lowers the stack.
fn ints(f: &Fields, ops: &mut Ops) {
    let place = |first: u64| if first == 0 { (f.saved, true) } else { (8 * first, false) };
    if f.lr && f.ints.is_multiple_of(2) {
        let (at, pre) = place(f.ints);
        ops.push(Op::Save { bank: Bank::X, first: 30, pair: false, at, pre });
    }
    if f.lr && f.ints == 1 {
        ops.push(Op::SaveLr { first: 19, at: 0 });
        ops.push(Op::Alloc(f.saved));
        return;
    }
    for index in (0..f.ints.div_ceil(2)).rev().map(|pair| 2 * pair) {
        let ((at, pre), pair, first) = (place(index), index + 1 < f.ints, 19 + index as u8);
        ops.push(match f.lr && !pair {
            true => Op::SaveLr { first, at },
            false => Op::Save { bank: Bank::X, first, pair, at, pre },
        });
    }
}
