//! Unwind data of version 3. The bytes are those that LLVM 23's assembler wrote for what the comments say.

use super::{BASE, DATA, R12, STACK, World};
use crate::{Step, Why, x64::*};

/// A function from 0x1000 to 0x1100 with this data.
fn world(data: &[u8]) -> World {
    World::new(data)
}

/// pushes of rbp (at 0) and rbx (at 1), 40 bytes (at 2); an epilogue 7 bytes before the end: the same backwards.
const PLAIN: [u8; 20] = [3, 6, 8, 0x23, 2, 1, 0, 0x18, 0xf9, 0xff, 0, 0, 6, 0, 4, 5, 0x48, 0x1c, 0x2c, 0];

#[test]
fn what_ran_of_a_prologue_is_undone() {
    let world = world(&PLAIN);
    // At 1 rbp is pushed, at 2 rbx too, and behind it 5 words are taken.
    for (rva, caller) in [
        (0x1000, (0x100, 1)),
        (0x1001, (0x101, 2)),
        (0x1002, (0x102, 3)),
        (0x1006, (0x107, 8)),
        (0x1050, (0x107, 8)),
    ] {
        assert_eq!(world.caller(rva), caller, "{rva:#x}");
    }
    let (_, registers) = world.step(0x1050).unwrap();
    assert_eq!((registers.get(RBX), registers.get(RBP)), (Some(0x105), Some(0x106)));
    assert_eq!(world.step(0x1001).unwrap().1.get(RBX), Some(3), "not pushed yet");
}

#[test]
fn what_is_left_of_an_epilogue_is_carried_out() {
    let world = world(&PLAIN);
    // It begins at 0x10f9: 4 bytes free the stack, one each pops, the last returns.
    for (rva, caller) in
        [(0x10f9, (0x107, 8)), (0x10fd, (0x102, 3)), (0x10fe, (0x101, 2)), (0x10ff, (0x100, 1))]
    {
        assert_eq!(world.caller(rva), caller, "{rva:#x}");
    }
    let (_, registers) = world.step(0x10fd).unwrap();
    assert_eq!((registers.get(RBX), registers.get(RBP)), (Some(0x100), Some(0x101)));
}

/// Three epilogues; the second is like the first, the third has a `nop` more between its instructions.
#[test]
fn epilogues_like_others() {
    let data = [
        3, 5, 14, 0x62, 1, 0, // 2 operations, 3 epilogues
        0x10, 0xfa, 0xff, 0, 0, 5, 0, 4, // 6 before the end
        0x00, 0xfa, 0xff, // 12 before the end
        0x10, 0xf9, 0xff, 0, 0, 6, 0, 5, // 19 before the end
        0x48, 0x1c, 0, 0, 0, 0, 0,
    ];
    let world = world(&data);
    let at = |before_end: u64| world.caller(0x1100 - before_end);
    for (start, pop) in [(6, 4), (12, 4), (19, 5)] {
        assert_eq!(at(start), (0x106, 7), "{start}");
        assert_eq!(at(start - pop), (0x101, 2), "{start}");
        assert_eq!(at(start - pop - 1), (0x100, 1), "{start}");
    }
    assert_eq!(at(20), (0x106, 7));
}

/// The prologue has 305 bytes, an epilogue 306: places of 2 bytes.
#[test]
fn large_ones() {
    let large = [0x43, 0x31, 8, 0x22, 1, 0x31, 1, 1, 0, 0x10, 0xfa, 0xff, 0, 0, 5, 0, 4, 0x48, 0x1c, 0];
    let mut world = world(&large);
    world.functions = 0;
    world.function(0x1000, 0x1200, &large);
    assert_eq!((world.caller(0x1131), world.caller(0x1132)), ((0x101, 2), (0x106, 7)));
    assert_eq!((world.caller(0x1001), world.caller(0x1002)), ((0x100, 1), (0x101, 2)));
    assert_eq!(world.caller(0x11fe), (0x101, 2), "its epilogue is not");
    let epilogue = [3, 5, 8, 0x22, 1, 0, 0x12, 0xce, 0xfe, 0, 0, 0x31, 1, 0x2c, 1, 0x30, 1, 0x48, 0x1c, 0];
    world.functions = 0;
    world.function(0x1000, 0x1200, &epilogue);
    let start = 0x1200 - 0x132;
    assert_eq!((world.caller(start + 0x12c), world.caller(start + 0x130)), ((0x106, 7), (0x101, 2)));
    assert_eq!(world.caller(start + 0x131), (0x100, 1));
}

/// rsi stored above the return address, pushes of r12 and r13, 0x200 and 0x100000 bytes, a frame register 32 above the
/// stack pointer, two vectors near and far, rdi far.
#[test]
fn every_operation() {
    let mut data = vec![3, 0x32, 0x13, 9, 0x32, 0x2a, 0x21, 0x1c, 0x17, 0x10, 9, 7, 5];
    data.extend([0x3d, 8, 0, 0x10, 0, 0xf9, 0, 0, 0x10, 0, 0x6a, 3, 0, 0, 0x25, 1, 0, 0, 0x10, 0]);
    data.extend([2, 0x40, 0, 0x6c, 0x64, 0x36, 2, 0, 0, 0, 0]);
    let mut world = world(&data);
    world.stack = (0x100..0x100 + 0x4_0000).collect();
    let mut registers = Registers::new(BASE + 0x1050, STACK);
    registers.set(RBP, STACK + 0x60); // the body took 64 bytes more
    registers.set(RSI, 6);
    assert_eq!(step(&world.image(), &world, &mut registers, true), Ok(Step::Unwound));
    // rbp - 32 is word 8; 0x100200 bytes and two registers above lies the return address.
    let word = |bytes: u64| 0x100 + 8 + bytes / 8;
    assert_eq!((registers.rip, registers.sp()), (word(0x10_0210), STACK + 0x40 + 0x10_0218));
    assert_eq!(registers.get(RDI), Some(word(0x10_0008)), "by the frame register");
    assert_eq!((registers.get(13), registers.get(R12)), (Some(word(0x10_0200)), Some(word(0x10_0208))));
    assert_eq!(registers.get(RSI), None, "it was stored before stack was taken: from where is its distance?");
}

#[test]
fn machine_frames() {
    for (kind, at) in [(0, 1), (1, 2)] {
        // push rbx; what the processor pushed is there before the first instruction.
        let mut world = world(&[3, 1, 3, 2, 0, 0, 0x1c, 3, kind, 0, 0, 0]);
        world.stack[at as usize + 3] = 0x1000;
        let (step, registers) = world.step(0x1050).unwrap();
        assert_eq!(step, Step::MachineFrame { at: STACK + 8 * at, error_code: kind == 1 });
        assert_eq!((registers.rip, registers.sp(), registers.get(RBX)), (0x100 + at, 0x1000, Some(0x100)));
        world.stack[at as usize + 2] = 0x1000;
        let (_, early) = world.step(0x1000).unwrap();
        assert_eq!((early.rip, early.get(RBX)), (0x100 + at - 1, Some(3)));
    }
    let error = world(&[3, 1, 3, 2, 0, 0, 0x1c, 3, 2, 0, 0, 0]).step(0x1050).unwrap_err();
    assert_eq!(error, Why::NotSupported("an unknown kind of machine frame"));
}

/// r13 and r12, then r14 and rbx by one instruction each (APX); rsi and rdi by one operation: the stack pointer is right,
/// and the registers are unknown.
#[test]
fn pairs() {
    for (data, unknown) in [
        (&[3, 4, 3, 2, 4, 0, 0xa0, 0x1b, 0x60, 0x63][..], &[14, RBX, 13, R12][..]),
        (&[3, 4, 3, 2, 4, 0, 0x1c, 0x37, 0, 0], &[RSI, RDI]),
    ] {
        let world = world(data);
        let (step, registers) = world.step(0x1050).unwrap();
        let words = if unknown.len() == 4 { 4 } else { 3 };
        assert_eq!((step, registers.rip), (Step::Unwound, 0x100 + words));
        assert_eq!(registers.sp(), STACK + 8 * words + 8);
        assert!(unknown.iter().all(|register| registers.get(*register).is_none()), "{registers:?}");
        assert_eq!(registers.get(15), Some(15));
    }
}

/// A fragment that stores rsi; its epilogue undoes everything.
#[test]
fn chained_fragments() {
    let parent = [3, 5, 2, 2, 1, 0, 0x48, 0x1c];
    let mut fragment = vec![0x23, 5, 9, 0x21, 0, 0x18, 0xf4, 0xff, 3, 0, 0xa, 0, 5, 9, 0x36, 6, 0, 0x36];
    fragment.extend([6, 0, 0x48, 0x1c, 0, 0]);
    fragment.extend([0x1000_u32, 0x1100, DATA as u32].map(u32::to_le_bytes).concat());
    let mut world = world(&parent);
    world.function(0x1200, 0x1300, &fragment);
    assert_eq!(world.caller(0x1250), (0x106, 7));
    assert_eq!(world.step(0x1250).unwrap().1.get(RSI), Some(0x106), "stored 48 bytes above");
    assert_eq!(world.step(0x1200).unwrap().1.get(RSI), Some(6), "not yet");
    // Its epilogue is 12 bytes before its end.
    assert_eq!((world.caller(0x12f4), world.caller(0x12f9)), ((0x106, 7), (0x106, 7)));
    assert_eq!((world.caller(0x12fd), world.caller(0x12fe)), ((0x101, 2), (0x100, 1)));
    assert_eq!(world.step(0x12f9).unwrap().1.get(RSI), Some(6), "loaded");
    assert_eq!(function_start(&world.image(), BASE + 0x1250), Ok(Some(BASE + 0x1000)));
    // An epilogue that goes on in the parent: nobody says how.
    fragment[5] |= 1;
    world.put(DATA + 0x100, &fragment);
    let refused = Why::NotSupported("an epilogue that goes on in the parent");
    assert_eq!(world.step(0x12f9).unwrap_err(), refused);
    assert_eq!((world.caller(0x12f4), world.caller(0x1250)), ((0x106, 7), (0x106, 7)));
    fragment[5] ^= 5;
    world.put(DATA + 0x100, &fragment);
    assert_eq!(world.step(0x12f9).unwrap_err(), Why::NotSupported("an epilogue with unknown flags"));
}

/// `mov eax, 4096`, `call __chkstk`, `sub rsp, rax`: the data has the place of the first.
#[test]
fn a_stack_that_is_probed() {
    let mut world = world(&[3, 13, 2, 1, 0, 2, 2, 0]);
    assert_eq!(world.caller(0x1005), (0x102, 3), "the code says nothing else");
    for subtract in [[0x48, 0x29, 0xc4], [0x48, 0x2b, 0xe0]] {
        world.put(0x1000, &[0xb8, 16, 0, 0, 0, 0xe8, 1, 2, 3, 4]);
        world.put(0x100a, &subtract);
        assert_eq!((world.caller(0x1005), world.caller(0x100a)), ((0x100, 1), (0x100, 1)));
        assert_eq!(world.caller(0x100d), (0x102, 3));
    }
    world.put(0x1000, &[0xb8, 32]);
    assert_eq!(world.caller(0x100a), (0x102, 3), "another size");
}

#[test]
fn data_that_lies() {
    let bad = |data: &[u8], rva| match world(data).step(rva) {
        Err(Why::BadUnwindData(text)) => text,
        other => panic!("{other:?}"),
    };
    let cut = "an operation beyond the words";
    assert_eq!(bad(&[3, 6, 0, 3], 0x1050), cut);
    assert_eq!(bad(&[3, 6, 1, 1, 0, 1], 0x1050), cut);
    assert_eq!(bad(&[3, 6, 0xff, 0x1f], 0x1050), "unknown operation");
    assert_eq!(bad(&[3, 6, 1, 1, 0, 0x0b], 0x1050), "unknown operation");
    assert_eq!(bad(&[3, 6, 1, 1, 0, 0x24], 0x1050), "rsp is said to be saved");
    assert_eq!(bad(&[3, 6, 2, 0x20, 0, 0xf9, 0xff, 0], 0x10fa), "an epilogue that is like no other");
    assert_eq!(
        bad(&[3, 6, 4, 0x20, 0x08, 1, 0, 0, 0, 6, 0, 0], 0x10fa),
        "an epilogue outside of its function"
    );
    assert_eq!(bad(&[3, 6, 4, 0x20, 0x08, 0xf9, 0xff, 0, 9, 6, 1, 0], 0x10fa), cut);
    assert_eq!(
        bad(&[3, 6, 5, 0x20, 0x08, 0xf9, 0xff, 0, 0, 6, 3, 3, 0], 0x10fa),
        "a machine frame in an epilogue"
    );
}
