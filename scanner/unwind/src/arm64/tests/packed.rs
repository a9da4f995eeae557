//! Packed records, compared with the prologues that Microsoft's table gives for them.
use super::super::{
    code::{Bank, Op},
    packed::unfold,
};
use super::*;

struct Word {
    reg_f: u32,
    reg_i: u32,
    homes: bool,
    cr: u32,
    frame: u32,
}

impl Word {
    fn word(&self) -> u32 {
        let frame = self.frame / 16;
        1 | 40 << 2
            | self.reg_f << 13
            | self.reg_i << 16
            | u32::from(self.homes) << 20
            | self.cr << 21
            | frame << 23
    }
}

fn word_of(reg_f: u32, reg_i: u32, homes: bool, cr: u32, frame: u32) -> u32 {
    Word { reg_f, reg_i, homes, cr, frame }.word()
}

/// The prologue in the order of its instructions, as an assembler would write it.
fn prologue(word: u32) -> Vec<String> {
    let ops = unfold(word).unwrap_or_else(|why| panic!("{word:#x}: {why}"));
    ops.prologue().iter().rev().map(text).collect()
}

fn text(op: &Op) -> String {
    match *op {
        Op::Alloc(bytes) => format!("sub {bytes}"),
        Op::Save { bank, first, pair, at, pre } => {
            let letter = if bank == Bank::X { 'x' } else { 'd' };
            let second = if pair { format!(",{letter}{}", first + 1) } else { String::new() };
            format!("{letter}{first}{second} {at}{}", if pre { "!" } else { "" })
        }
        Op::SaveLr { first, at } => format!("x{first},x30 {at}"),
        Op::SetFp => "mov x29,sp".into(),
        Op::Nop => "home".into(),
        Op::SignLr => "pacibsp".into(),
        _ => unreachable!("{op:?}"),
    }
}

#[test]
fn canonical_prologues() {
    let table: &[(u32, &[&str])] = &[
        (word_of(0, 0, false, 0, 32), &["sub 32"]),
        (word_of(0, 0, false, 0, 0), &[]),
        (word_of(0, 0, false, 0, 4096), &["sub 4080", "sub 16"]),
        (word_of(0, 0, false, 1, 16), &["x30 16!"]),
        (word_of(0, 0, false, 3, 512), &["x29,x30 512!", "mov x29,sp"]),
        (word_of(0, 0, false, 3, 528), &["sub 528", "x29,x30 0", "mov x29,sp"]),
        (word_of(0, 0, false, 3, 5000 / 16 * 16), &["sub 4080", "sub 912", "x29,x30 0", "mov x29,sp"]),
        (word_of(0, 1, false, 0, 16), &["x19 16!"]),
        (word_of(0, 1, false, 1, 32), &["sub 16", "x19,x30 0", "sub 16"]),
        (word_of(0, 2, false, 1, 32), &["x19,x20 32!", "x30 16"]),
        (word_of(0, 3, false, 1, 32), &["x19,x20 32!", "x21,x30 16"]),
        (word_of(0, 3, false, 2, 48), &["pacibsp", "x19,x20 32!", "x21 16", "x29,x30 16!", "mov x29,sp"]),
        (word_of(0, 4, false, 0, 32), &["x19,x20 32!", "x21,x22 16"]),
        (word_of(1, 0, false, 0, 16), &["d8,d9 16!"]),
        (word_of(2, 0, false, 0, 32), &["d8,d9 32!", "d10 16"]),
        (word_of(1, 0, false, 1, 32), &["x30 32!", "d8,d9 8"]),
        (word_of(4, 2, false, 0, 64), &["x19,x20 64!", "d8,d9 16", "d10,d11 32", "d12 48"]),
        (word_of(0, 0, true, 0, 64), &["sub 64", "home", "home", "home"]),
        (word_of(0, 2, true, 0, 96), &["x19,x20 80!", "home", "home", "home", "home", "sub 16"]),
    ];
    for (word, expected) in table {
        assert_eq!(prologue(*word), *expected, "{word:#x}");
    }
}

#[test]
fn everything_at_once_fits() {
    let ops = prologue(word_of(7, 10, true, 2, 8176));
    assert_eq!(ops.len(), 1 + 5 + 4 + 4 + 4);
    assert_eq!(prologue(word_of(7, 9, true, 1, 8176)).len(), 5 + 4 + 4 + 2);
}

#[test]
fn where_prologue_and_epilogue_are() {
    // pacibsp; stp x19,x20,[sp,#-16]!; stp x29,lr,[sp,#-32]!; mov x29,sp; …; ldp; ldp; autibsp; ret, 40 in all
    let data = word_of(0, 2, false, 2, 48);
    let rise = |instruction: u32| {
        let flat = flat(&[BEGIN, data], &[]);
        let mut registers = at(instruction);
        registers.set(29, Some(SP));
        step(&image(&flat, 1), &stack(), &mut registers, true).map(|_| registers.sp - SP)
    };
    let expected = [Ok(0), Ok(0), Ok(16), Ok(48), Ok(48)];
    assert_eq!((0..5).map(rise).collect::<Vec<_>>(), expected);
    assert_eq!((35..40).map(rise).collect::<Vec<_>>(), [Ok(48), Ok(48), Ok(16), Ok(0), Ok(0)]);
    // A fragment has neither.
    let flat = flat(&[BEGIN, data & !3 | 2], &[]);
    for instruction in [0, 1, 20, 38, 39] {
        let mut registers = at(instruction);
        registers.set(29, Some(SP));
        assert_eq!(step(&image(&flat, 1), &stack(), &mut registers, true), Ok(Step::Unwound));
        assert_eq!(registers.sp - SP, 48);
    }
    let function = Function::find(&image(&flat, 1), BEGIN).unwrap().unwrap();
    assert_eq!(function.is_fragment(&image(&flat, 1)), Ok(true));
}

#[test]
fn homes_are_not_undone_in_the_epilogue() {
    // sub sp (homes), three more homes, sub 16; …; add 16, add 64, ret
    let data = word_of(0, 0, true, 0, 80);
    let rise = |instruction| from(data, &[], instruction).map(|(registers, _)| registers.sp - SP);
    assert_eq!((0..6).map(rise).collect::<Vec<_>>(), [Ok(0), Ok(64), Ok(64), Ok(64), Ok(64), Ok(80)]);
    assert_eq!((36..40).map(rise).collect::<Vec<_>>(), [Ok(80), Ok(80), Ok(64), Ok(0)]);
}

#[test]
fn impossible_words() {
    for data in [
        word_of(0, 11, false, 0, 96),
        word_of(0, 4, false, 0, 16),     // smaller than what it saves
        word_of(0, 4, false, 3, 32),     // no room for x29 and lr
        word_of(0, 4, false, 3, 32) | 3, // the reserved flag
    ] {
        assert_eq!(from(data, &[], 0).map_err(|why| why.name()), Err("bad unwind data"), "{data:#x}");
    }
    let short = word_of(0, 0, false, 0, 32) & !(0x7ff << 2) | 1 << 2;
    assert_eq!(from(short, &[], 0).map(|(registers, _)| registers.sp), Ok(SP), "all prologue");
    let short = word_of(0, 4, false, 0, 48) & !(0x7ff << 2) | 3 << 2;
    assert_eq!(
        from(short, &[], 2).map(|(registers, _)| registers.sp),
        Ok(SP + 32),
        "no room for the epilogue"
    );
}
