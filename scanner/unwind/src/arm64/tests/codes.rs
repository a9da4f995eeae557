//! Every unwind code, alone.
use super::*;

/// What the codes (and `end`) do: by how much the stack pointer rises, and which register comes from where.
fn check(codes: &[u8], rise: u64, loads: &[(u8, u64)]) {
    let (registers, step) = undone(codes).unwrap_or_else(|why| panic!("{codes:x?}: {why}"));
    assert_eq!(step, Step::Unwound, "{codes:x?}");
    assert_eq!(registers.sp, SP + rise, "{codes:x?}");
    let before = at(0);
    for register in 19..31 {
        let load = loads.iter().find(|(loaded, _)| *loaded == register);
        let expected = load.map_or(before.get(register), |(_, offset)| Some(word(*offset)));
        assert_eq!(registers.get(register), expected, "{codes:x?}: x{register}");
    }
    assert_eq!(Some(registers.pc), registers.get(30), "{codes:x?}");
    assert!((0..18).all(|register| registers.get(register).is_none()), "a call leaves x0 to x17 unknown");
    assert_eq!(registers.get(18), before.get(18), "x18 is the platform's");
}

#[test]
fn allocations() {
    check(&[0x1f], 31 * 16, &[]);
    check(&[0xc7, 0xff], 2047 * 16, &[]);
    check(&[0xe0, 0x01, 0x02, 0x03], 0x10203 * 16, &[]);
}

#[test]
fn saves_of_integer_registers() {
    check(&[0x24], 32, &[(19, 0), (20, 8)]); // save_r19r20_x
    check(&[0x5f], 0, &[(29, 0xf8), (30, 0x100)]); // save_fplr
    check(&[0x85], 48, &[(29, 0), (30, 8)]); // save_fplr_x
    check(&[0xc8, 0x84], 0, &[(21, 32), (22, 40)]); // save_regp
    check(&[0xcd, 0x09], 80, &[(23, 0), (24, 8)]); // save_regp_x
    check(&[0xd2, 0x47], 0, &[(28, 56)]); // save_reg
    check(&[0xd4, 0xe3], 32, &[(26, 0)]); // save_reg_x
    check(&[0xd5, 0x21], 16, &[(28, 0)]); // save_reg_x
    check(&[0xd6, 0x82], 0, &[(23, 16), (30, 24)]); // save_lrpair
}

#[test]
fn saves_of_vector_registers_move_the_stack_only() {
    check(&[0xd8, 0x41, 0x01], 16, &[]); // save_fregp
    check(&[0xda, 0x43], 32, &[]); // save_fregp_x
    check(&[0xdc, 0x41, 0x01], 16, &[]); // save_freg
    check(&[0xde, 0x21], 16, &[]); // save_freg_x
}

#[test]
fn any_register() {
    check(&[0xe7, 0x15, 0x03], 0, &[(21, 24)]); // one, units of 8
    check(&[0xe7, 0x55, 0x03], 0, &[(21, 48), (22, 56)]); // a pair, units of 16
    check(&[0xe7, 0x35, 0x03], 64, &[(21, 0)]); // lowers the stack, from 16
    check(&[0xe7, 0x75, 0x00], 16, &[(21, 0), (22, 8)]);
    check(&[0xe7, 0x28, 0x41], 32, &[]); // d8
    check(&[0xe7, 0x68, 0x81], 32, &[]); // q8 and q9
}

#[test]
fn next_pairs() {
    check(&[0xe6, 0xc8, 0x02, 0x01], 16, &[(19, 16), (20, 24), (21, 32), (22, 40)]);
    check(&[0xe6, 0xe6, 0x2c], 96, &[(19, 0), (20, 8), (21, 16), (22, 24), (23, 32), (24, 40)]);
    check(&[0xe6, 0xda, 0x05], 48, &[]);
}

#[test]
fn frame_pointers() {
    check(&[0xe1], 0x40, &[]);
    check(&[0xe1, 0x81], 0x50, &[(29, 0x40), (30, 0x48)]);
    check(&[0xe2, 0x02, 0xe3], 0x30, &[]);
}

#[test]
fn signed_return_addresses_lose_their_signature_only_where_they_are_signed() {
    let flat = flat(&[BEGIN, XDATA], &body(&[0x01, 0xfc, 0xe4]));
    for (lr, pc) in [(0x5a2b_7ff6_1234_5678, LR), (0x00d5_f801_1234_5678 | 1 << 55, 0xffff_f801_1234_5678)] {
        let mut registers = at(40);
        registers.set(30, Some(lr));
        assert_eq!(step(&image(&flat, 1), &stack(), &mut registers, true), Ok(Step::Unwound));
        assert_eq!((registers.pc, registers.get(30)), (pc, Some(pc)));
    }
    let flat = super::flat(&[BEGIN, XDATA], &body(&[0x01]));
    let mut registers = at(40);
    registers.set(30, Some(0x4141_4141_4141_4140));
    assert_eq!(step(&image(&flat, 1), &stack(), &mut registers, true), Ok(Step::Unwound));
    assert_eq!(registers.pc, 0x4141_4141_4141_4140, "a smashed return address is shown as it is");
}

#[test]
fn machine_frames() {
    let (registers, step) = undone(&[0x85, 0xe9]).unwrap();
    assert_eq!(step, Step::MachineFrame { at: SP + 48, error_code: false });
    assert_eq!((registers.sp, registers.pc), (word(48), word(56)));
    assert_eq!((registers.get(29), registers.get(30)), (Some(word(0)), Some(word(8))));
    let (registers, _) = undone(&[0x01, 0xe9]).unwrap();
    assert_eq!(registers.get(30), None, "lr was the handler's");
}

#[test]
fn contexts() {
    let (registers, step) = undone(&[0x02, 0xea]).unwrap();
    assert_eq!(step, Step::MachineFrame { at: SP + 32, error_code: false });
    assert_eq!((registers.sp, registers.pc), (word(32 + 0x100), word(32 + 0x108)));
    for register in 0..31 {
        assert_eq!(registers.get(register), Some(word(32 + 8 + 8 * u64::from(register))));
    }
    let (registers, _) = undone(&[0xeb]).unwrap();
    assert_eq!((registers.sp, registers.pc), (word(0x98), word(0xf8)));
    assert_eq!(
        (registers.get(0), registers.get(27), registers.get(29)),
        (Some(word(0x80)), Some(word(0x90)), Some(word(0xa0)))
    );
}

#[test]
fn trap_frames_need_a_layout() {
    assert_eq!(undone(&[0xe8]).unwrap_err().name(), "not supported");
    let flat = flat(&[BEGIN, XDATA], &body(&[0xe8]));
    let mut registers = at(40);
    let layout = TrapFrame { sp: 0x98, lr: 0x138, fp: 0x140, pc: 0x148, x: 0xa0 };
    let step = step_over(&image(&flat, 1), &stack(), &mut registers, true, Some(layout), &|_, _| false);
    assert_eq!(step, Ok(Step::MachineFrame { at: SP, error_code: false }));
    assert_eq!((registers.sp, registers.pc), (word(0x98), word(0x148)));
    assert_eq!((registers.get(0), registers.get(18)), (Some(word(0xa0)), Some(word(0x130))));
    assert_eq!((registers.get(19), registers.get(29)), (Some(0x1000 + 19), Some(word(0x140))));
}

#[test]
fn a_helper_that_already_changed_its_callers_frame() {
    let (registers, step) = undone(&[0x01, 0xec]).unwrap();
    assert_eq!((step, registers.sp, registers.pc), (Step::Exact, SP + 16, LR));
}

#[test]
fn what_is_refused() {
    for (codes, name) in [
        (&[0xdf, 0x01][..], "not supported"), // alloc_z
        (&[0xe7, 0x00, 0xc1], "not supported"),
        (&[0xe7, 0x80, 0x01], "bad unwind data"),
        (&[0xed], "bad unwind data"),
        (&[0xf8, 0x00], "bad unwind data"),
        (&[0xff], "bad unwind data"),
        (&[0xcb, 0xc0], "bad unwind data"),       // x34
        (&[0xe6, 0xd0, 0x00], "bad unwind data"), // save_next before one register
        (&[0xe6; 12], "bad unwind data"),
        (&[0xe4], "sp not rising"), // changes nothing, and lr is pc
    ] {
        let flat = flat(&[BEGIN, XDATA], &body(codes));
        let mut registers = at(40);
        registers.set(30, Some(registers.pc));
        let before = registers;
        let result = step(&image(&flat, 1), &stack(), &mut registers, true);
        assert_eq!(result.map_err(|why| why.name()), Err(name), "{codes:x?}");
        assert_eq!(registers, before, "registers stay as they were");
    }
}

#[test]
fn a_frame_pointer_below_the_stack_pointer_is_no_frame() {
    let flat = flat(&[BEGIN, XDATA], &body(&[0xe1]));
    let mut registers = at(40);
    registers.set(29, Some(SP - 0x40));
    assert_eq!(step(&image(&flat, 1), &stack(), &mut registers, true), Err(Why::SpNotRising));
    registers.set(29, Some(SP + 0x44));
    assert_eq!(step(&image(&flat, 1), &stack(), &mut registers, true), Err(Why::SpNotAligned));
    registers.set(29, None);
    assert_eq!(step(&image(&flat, 1), &stack(), &mut registers, true), Err(Why::UnknownRegister));
    registers.set(29, Some(u64::MAX - 15));
    assert!(
        step(&image(&flat, 1), &stack(), &mut registers, true).is_ok(),
        "the walker knows the stack's bounds"
    );
}

#[test]
fn saved_registers_that_are_not_in_the_dump_are_unknown() {
    let flat = flat(&[BEGIN, XDATA], &body(&[0x24, 0x81]));
    let mut registers = at(40);
    registers.sp = SP + 0x4000 - 8; // x19 is there, x20, x29 and lr are not
    let why = step(&image(&flat, 1), &stack(), &mut registers, true);
    assert_eq!(why, Err(Why::NoMemory(SP + 0x4000)));
    let flat = super::flat(&[BEGIN, XDATA], &body(&[0xc8, 0x02, 0x81]));
    let stack = Flat(SP, word(0).to_le_bytes().into_iter().chain(LR.to_le_bytes()).collect());
    let mut registers = at(40);
    assert_eq!(step(&image(&flat, 1), &stack, &mut registers, true), Ok(Step::Unwound));
    assert_eq!((registers.get(19), registers.get(20), registers.pc), (None, None, LR));
}
