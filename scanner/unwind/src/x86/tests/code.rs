//! Prologues and epilogues by their instructions, frame pointers, FPO records, trap frames.
use super::*;

/// `push ebp; mov ebp, esp; sub esp, 8; push esi; push edi; …`
const PROLOGUE: [u8; 8] = [0x55, 0x8b, 0xec, 0x83, 0xec, 0x08, 0x56, 0x57];

fn standard() -> FrameData<'static> {
    FrameData { prologue: 8, locals: 8, ..frame(CHAIN) }
}

#[test]
fn every_instruction_of_a_prologue() {
    let ebp = SP + 0x40;
    let below: [(u32, &[u32], u32); 6] = [
        (0, &[RETURN], ebp),
        (1, &[ebp, RETURN], ebp),
        (3, &[ebp, RETURN], SP),
        (6, &[1, 2, ebp, RETURN], SP + 8),
        (7, &[0x51, 1, 2, ebp, RETURN], SP + 12),
        (8, &[0xd1, 0x51, 1, 2, ebp, RETURN], SP + 16),
    ];
    for (offset, stack, now) in below {
        let m = machine(&PROLOGUE, stack);
        let (caller, _) = go(&m, Some(&standard()), registers(offset, now), true).unwrap();
        assert_eq!((caller.eip, caller.esp()), (RETURN, SP + 4 * stack.len() as u32), "{offset}");
        assert_eq!([EBP, ESI, EDI].map(|r| caller.get(r)), [Some(ebp), Some(0x51), Some(0xd1)], "{offset}");
    }
}

#[test]
fn an_aligned_prologue() {
    // mov edi, edi; push ebp; mov ebp, esp; and esp, -8; push ecx; push esi; mov esi, [ebp + 8]
    let code = [0x8b, 0xff, 0x55, 0x8b, 0xec, 0x83, 0xe4, 0xf8, 0x51, 0x56, 0x8b, 0x75, 0x08];
    let m = machine(&code, &[0x51, 0, 0, SP + 0x40, RETURN]);
    let data = FrameData { prologue: 13, ..frame(PLAIN) };
    let mut now = registers(13, SP + 12);
    now.set(ESI, Some(1));
    for offset in [10, 13] {
        now.eip = BASE + BEGIN + offset;
        let (caller, _) = go(&m, Some(&FrameData { prologue: 14, ..data }), now, true).unwrap();
        assert_eq!((caller.eip, caller.esp(), caller.get(EBP)), (RETURN, SP + 20, Some(SP + 0x40)));
        assert_eq!(caller.get(ESI), Some(0x51));
    }
}

#[test]
fn code_that_leads_to_a_return() {
    let codes: [(&[u8], &[u32]); 8] = [
        (&[0xc3], &[RETURN]),
        (&[0xc2, 0x08, 0x00], &[RETURN]),
        (&[0x5f, 0x5e, 0x33, 0xc0, 0xc3], &[0xd1, 0x51, RETURN]),
        (&[0x83, 0xc4, 0x08, 0x5e, 0xc3], &[1, 2, 0x51, RETURN]),
        (&[0xeb, 0x01, 0xcc, 0x59, 0xc3], &[1, RETURN]),
        (&[0x0f, 0x42, 0xc8, 0x8b, 0xc1, 0xf3, 0xc3], &[RETURN]),
        (&[0xff, 0x25, 0, 0x10, 0x40, 0], &[RETURN]),
        (&[0xe9, 0x00, 0x02, 0x00, 0x00], &[RETURN]), // out of the function
    ];
    for (code, stack) in codes {
        let m = machine(code, stack);
        let (caller, step) =
            go(&m, Some(&FrameData { start: false, ..frame(CHAIN) }), registers(0, 0), true).unwrap();
        assert_eq!(
            (step, caller.eip, caller.esp()),
            (Step::Unwound, RETURN, SP + 4 * stack.len() as u32),
            "{code:x?}"
        );
        assert_eq!(caller.get(EBX), Some(0xb), "{code:x?}");
    }
    // mov ecx, [ebp - 4]; xor ecx, ebp; call __security_check_cookie; leave; ret, and the check
    let code = [0x8b, 0x4d, 0xfc, 0x33, 0xcd, 0xe8, 2, 0, 0, 0, 0xc9, 0xc3, 0x3b, 0x0d, 0, 0, 0, 0, 0xc3];
    let m = machine(&code, &[1, 2, 3, SP + 0x40, RETURN]);
    let (caller, _) = go(&m, Some(&frame(PLAIN)), registers(0, SP + 12), true).unwrap();
    assert_eq!((caller.eip, caller.esp(), caller.get(EBP)), (RETURN, SP + 20, Some(SP + 0x40)));
}

#[test]
fn code_that_is_not_understood_is_left_to_the_record() {
    // call eax; pop ecx; ret
    let m = machine(&[0xff, 0xd0, 0x59, 0xc3], &[1, 2, SP + 0x40, RETURN]);
    let (caller, _) = go(&m, Some(&frame(CHAIN)), registers(0, SP + 8), true).unwrap();
    assert_eq!((caller.eip, caller.esp()), (RETURN, SP + 16));
    // A loop without end
    let m = machine(&[0xeb, 0xfe], &[1, 2, SP + 0x40, RETURN]);
    assert!(go(&m, Some(&frame(CHAIN)), registers(0, SP + 8), true).is_ok());
    // The image ends in the instruction.
    let mut m = machine(&[], &[1, 2, SP + 0x40, RETURN]);
    m.code[0xffe] = 0x81;
    assert!(go(&m, Some(&frame(CHAIN)), registers(0xffe, SP + 8), true).is_ok());
}

#[test]
fn noise_as_code() {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    let mut m = machine(&[], &[1, 2, SP + 0x40, RETURN]);
    for _ in 0..200 {
        m.code.iter_mut().for_each(|byte| *byte = next());
        for offset in (0..0x1000).step_by(61) {
            let _ =
                go(&m, Some(&FrameData { prologue: 200, ..frame(CHAIN) }), registers(offset, SP + 8), true);
        }
    }
}

#[test]
fn frame_pointers_and_leaves_without_records() {
    let m = machine(&[0xff, 0xd0], &[1, 2, SP + 0x40, RETURN]);
    let (caller, step) = go(&m, None, registers(0, SP + 8), true).unwrap();
    assert_eq!((step, caller.eip, caller.esp()), (Step::FramePointer, RETURN, SP + 16));
    assert_eq!((caller.get(EBP), caller.get(ESI)), (Some(SP + 0x40), None), "it may have been saved");
    let m = machine(&[0xff, 0xd0], &[RETURN]);
    let (caller, step) = go(&m, None, registers(0, 0), true).unwrap();
    assert_eq!((step, caller.esp()), (Step::Leaf, SP + 4));
    assert_eq!(go(&m, None, registers(0, 0), false), Err(Why::NoUnwindData));
    assert_eq!(go(&m, None, registers(0, SP - 8), false), Err(Why::NoUnwindData), "below the stack pointer");
    for ebp in [SP + 1, u32::MAX, u32::MAX - 3, u32::MAX - 7] {
        assert!(go(&m, None, registers(0, ebp), false).is_err());
    }
    let mut now = registers(0, 0);
    now.set(EBP, None);
    assert_eq!(go(&m, None, now, false), Err(Why::UnknownRegister));
}

#[test]
fn fpo_records() {
    // push ebx; push ebp; push esi: ebp is used for something else
    let m = machine(&[0x53, 0x55, 0x56, 0xff, 0xd0], &[0x51, 0x1234, 0xb, RETURN]);
    let data = FrameData { saved: 12, prologue: 3, kind: Kind::Fpo(true), ..frame("") };
    let (caller, step) = go(&m, Some(&data), registers(0x40, 99), true).unwrap();
    assert_eq!(
        (step, caller.eip, caller.esp(), caller.get(EBP)),
        (Step::FrameData, RETURN, SP + 16, Some(0x1234))
    );
    let (caller, _) =
        go(&m, Some(&FrameData { kind: Kind::Fpo(false), ..data }), registers(0x40, 99), true).unwrap();
    assert_eq!(caller.get(EBP), Some(99));
    let m = machine(&[0xff, 0xd0], &[1, SP + 0x40, RETURN]);
    let data = FrameData { kind: Kind::FramePointer, ..frame("") };
    assert_eq!(go(&m, Some(&data), registers(0, SP + 4), true).unwrap().1, Step::FramePointer);
    for kind in [Kind::Trap, Kind::Task] {
        let result = go(&m, Some(&FrameData { kind, ..frame("") }), registers(0, SP + 4), true);
        assert_eq!(result.map_err(|why| why.name()), Err("not supported"));
    }
}

/// Offsets of every kernel from Windows XP to 10.
const TRAP: TrapFrame = TrapFrame {
    mark: 8,
    edx: 0x3c,
    ecx: 0x40,
    eax: 0x44,
    edi: 0x54,
    esi: 0x58,
    ebx: 0x5c,
    ebp: 0x60,
    eip: 0x68,
    cs: 0x6c,
    eflags: 0x70,
    esp: 0x74,
};

#[test]
fn trap_frames() {
    let mut stack: Vec<u32> = (0..0x23).map(|index| 4 * index).collect();
    let from = |stack: &[u32]| super::trap_frame(&machine(&[], stack), SP, &TRAP);
    assert!(from(&stack).is_err(), "cs 0x6c");
    (stack[0x6c / 4], stack[0x70 / 4]) = (0x1b, 0x246);
    let user = from(&stack).unwrap();
    assert_eq!((user.eip, user.esp(), user.get(EBP), user.get(EDI)), (0x68, 0x74, Some(0x60), Some(0x54)));
    stack[0x6c / 4] = 8;
    assert_eq!(from(&stack).unwrap().esp(), SP + 0x74, "the processor pushed no stack pointer");
    (stack[0x6c / 4], stack[0x70 / 4]) = (0x1234, 1 << 17 | 2);
    assert_eq!(from(&stack).unwrap().esp(), 0x74, "virtual 8086 mode is always another ring");
    assert!(from(&stack[..8]).is_err());
    assert!(super::trap_frame(&machine(&[], &stack), u32::MAX, &TRAP).is_err());
}

/// A handler that has called something: a record says that its frame pointer is at a trap frame, or a mark in that does.
#[test]
fn steps_over_trap_frames() {
    let mut stack = vec![0; 4];
    stack.extend((0..0x23).map(|index| 4 * index));
    (stack[4 + 0x6c / 4], stack[4 + 0x70 / 4]) = (8, 0x246);
    let record = FrameData { kind: Kind::Trap, ..frame("") };
    let go = |stack: &[u32], record: Option<&FrameData>, trap| {
        let m = machine(&[], stack);
        let image = Image::from_facts(BASE.into(), 0x4000, MACHINE_I386, 0, 0, &m);
        let place =
            Place { image: Some(&image), frame: record, trap, returns: &returns, switches: &|_, _| false };
        let mut now = registers(0x40, SP + 16);
        super::step(&place, &m, &mut now, false).map(|step| (now, step))
    };
    let (caller, step) = go(&stack, Some(&record), Some(&TRAP)).unwrap();
    assert_eq!(step, Step::MachineFrame { at: u64::from(SP) + 16 + 0x68, error_code: true });
    assert_eq!((caller.eip, caller.esp(), caller.get(0)), (0x68, SP + 16 + 0x74, Some(0x44)));
    assert!(go(&stack, Some(&record), None).is_err());
    assert!(go(&stack, None, Some(&TRAP)).is_err(), "no mark");
    stack[4 + 2] = 0xbadb_0d00;
    assert_eq!(go(&stack, None, Some(&TRAP)).unwrap().0.eip, 0x68);
    stack[4 + 0x70 / 4] = 0;
    assert!(go(&stack, None, Some(&TRAP)).is_err(), "flags that do not exist");
}

/// `KiSwapContext` stores registers where others push them: nobody must know of it who reads the code.
#[test]
fn registers_that_were_stored_relative_to_esp() {
    let prologue = [
        &[0x83, 0xec, 0x10][..], // sub esp, 10h
        &[0x89, 0x5c, 0x24, 0x0c, 0x89, 0x74, 0x24, 0x08, 0x89, 0x7c, 0x24, 0x04, 0x89, 0x2c, 0x24],
    ]
    .concat();
    let call = [&prologue[..], &[0xe8, 0, 0, 0, 0]].concat();
    let back = [
        0x8b, 0x2c, 0x24, 0x8b, 0x7c, 0x24, 4, 0x8b, 0x74, 0x24, 8, 0x8b, 0x5c, 0x24, 12, 0x83, 0xc4, 16,
        0xc3,
    ];
    let m = machine(&[&call[..], &back].concat(), &[5, 7, 6, 3, RETURN]);
    let now = registers(call.len() as u32, 0);
    let data = FrameData { saved: 16, prologue: prologue.len() as u32, kind: Kind::Fpo(true), ..frame("") };
    let (caller, step) = go(&m, Some(&data), now, false).unwrap();
    assert_eq!((step, caller.eip, caller.get(EBP)), (Step::FrameData, RETURN, Some(5)));
    // Without a record: what follows the call leads straight to a return.
    let mut unknown = now;
    unknown.set(EBP, None);
    let (caller, step) = go(&m, None, unknown, false).unwrap();
    let saved = [EBX, EBP, ESI, EDI].map(|register| caller.get(register));
    assert_eq!((step, saved), (Step::Unwound, [Some(3), Some(5), Some(6), Some(7)]));
    let mut lost = FrameData { kind: Kind::Fpo(true), ..data };
    lost.prologue = 5;
    assert_eq!(go(&m, Some(&lost), now, false).unwrap().0.get(EBP), None, "not at the end of an instruction");
}

/// No record, and the frame pointer is still the caller's: it would lead past the caller.
#[test]
fn before_the_frame_pointer_is_made() {
    let code = [0x8b, 0xff, 0x55, 0x8b, 0xec, 0xff, 0xd0];
    let ebp = SP + 12;
    let stack = [RETURN, 1, 2, SP + 0x40, RETURN];
    for offset in [0, 2] {
        let (caller, step) = go(&machine(&code, &stack), None, registers(offset, ebp), true).unwrap();
        assert_eq!((step, caller.esp(), caller.get(EBP)), (Step::Unwound, SP + 4, Some(ebp)), "{offset}");
    }
    let stack = [ebp, RETURN, 1, SP + 0x40, RETURN];
    let (caller, step) = go(&machine(&code, &stack), None, registers(3, 99), true).unwrap();
    assert_eq!((step, caller.esp(), caller.get(EBP)), (Step::Unwound, SP + 8, Some(ebp)));
    // Behind it the chain counts, and so it does where the word is no return address.
    let (_, step) = go(&machine(&code, &stack), None, registers(5, ebp), true).unwrap();
    assert_eq!(step, Step::FramePointer);
    let (_, step) =
        go(&machine(&code, &[7, 8, 9, SP + 0x40, RETURN]), None, registers(0, ebp), true).unwrap();
    assert_eq!(step, Step::FramePointer);
}
