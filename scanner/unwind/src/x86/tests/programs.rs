//! Programs of frame data.
use super::*;

#[test]
fn the_usual_programs() {
    // Two saved registers and eight bytes of locals lie below the return address.
    let program = format!("{PLAIN}$23 $T0 4 - ^ = $24 $T0 8 - ^ =");
    let data = FrameData { locals: 8, saved: 8, params: 4, ..frame(&program) };
    let m = machine(&[], &[1, 2, 0x77, 0x66, RETURN, 9]);
    let (caller, step) = go(&m, Some(&data), registers(0x40, 5), true).unwrap();
    assert_eq!((step, caller.eip, caller.esp(), caller.pushed), (Step::FrameData, RETURN, SP + 20, 4));
    assert_eq!((caller.get(ESI), caller.get(EDI)), (Some(0x66), Some(0x77)));
    assert_eq!(
        (caller.get(EBX), caller.get(EBP)),
        (Some(0xb), Some(5)),
        "what it does not assign is as it was"
    );
    assert_eq!(caller.get(0), None, "calls change eax");

    let m = machine(&[], &[1, SP + 0x40, RETURN]);
    let (caller, step) = go(&m, Some(&frame(CHAIN)), registers(0x40, SP + 4), false).unwrap();
    assert_eq!(
        (step, caller.eip, caller.esp(), caller.get(EBP)),
        (Step::FrameData, RETURN, SP + 12, Some(SP + 0x40))
    );
}

#[test]
fn a_frame_that_is_aligned() {
    let program =
        "$T1 .raSearch = $T0  $T1 4 - 8 @ = $ebp $T1 4 - ^ = $eip $T1 ^ = $esp $T1 4 + = $23 $T0 8 - ^ = ";
    let data = FrameData { locals: 4, saved: 4, ..frame(program) };
    let m = machine(&[], &[0x66, 1, 2, SP + 0x40, RETURN]);
    let (caller, step) = go(&m, Some(&data), registers(0x40, 0), true).unwrap();
    assert_eq!((step, caller.eip, caller.get(EBP)), (Step::Searched, RETURN, Some(SP + 0x40)));
    assert_eq!(caller.get(ESI), Some(0x66), "at 8 below the aligned frame");
}

#[test]
fn words_need_no_space_around_operators() {
    let program = "$T0 $ebp 4 + =$eip $T0 4 + ^ =$ebp $T0 ^ = $esp $T0 8 + =";
    let m = machine(&[], &[1, 2, SP + 0x40, RETURN]);
    let (caller, _) = go(&m, Some(&frame(program)), registers(0x40, SP + 4), true).unwrap();
    assert_eq!((caller.eip, caller.get(EBP)), (RETURN, Some(SP + 0x40)));
}

#[test]
fn parameters_of_the_callee_lie_below() {
    let m = machine(&[], &[1, 2, RETURN]);
    let now = Registers { pushed: 8, ..registers(0x40, 0) };
    let (caller, step) = go(&m, Some(&frame(PLAIN)), now, false).unwrap();
    assert_eq!((step, caller.esp()), (Step::FrameData, SP + 12));
    // What is known of the callee can be wrong: functions of the same code are folded into one.
    let m = machine(&[], &[1, RETURN, 2, 3]);
    let (caller, step) = go(&m, Some(&frame(PLAIN)), now, false).unwrap();
    assert_eq!((step, caller.esp()), (Step::Searched, SP + 8));
}

#[test]
fn what_was_pushed_since_is_searched_over() {
    let m = machine(&[], &[1, 2, 3, RETURN]);
    let (caller, step) = go(&m, Some(&frame(PLAIN)), registers(0x40, 0), true).unwrap();
    assert_eq!((step, caller.eip, caller.esp()), (Step::Searched, RETURN, SP + 16));
    let m = machine(&[], &[0x4141_4141, 2, 3]);
    let (caller, step) = go(&m, Some(&frame(PLAIN)), registers(0x40, 0), true).unwrap();
    assert_eq!(
        (step, caller.eip),
        (Step::FrameData, 0x4141_4141),
        "a smashed return address is shown as it is"
    );
}

#[test]
fn handlers_run_on_their_functions_frame() {
    let program = "$T0 $ebp = $T2 $esp = $T1 .raSearchStart = $eip $T1 ^ = $ebp $T0 = $esp $T1 4 + = ";
    let data = FrameData { locals: 24, saved: 16, start: false, ..frame(program) };
    let m = machine(&[], &[RETURN, 1]);
    let (caller, _) = go(&m, Some(&data), registers(0x40, 77), true).unwrap();
    assert_eq!(
        (caller.eip, caller.esp(), caller.get(EBP), caller.get(ESI)),
        (RETURN, SP + 4, Some(77), None)
    );
}

#[test]
fn what_a_split_function_does_not_say_is_unknown() {
    let m = machine(&[], &[RETURN]);
    let data = FrameData { split: true, ..frame(PLAIN) };
    let (caller, _) = go(&m, Some(&data), registers(0x40, 5), true).unwrap();
    assert_eq!([EBX, EBP, ESI, EDI].map(|r| caller.get(r)), [None; 4]);
}

#[test]
fn all_operators_and_variables() {
    let program = "$T3 7 3 * 5 + 4 / 5 % = $T4 .cbLocals .cbSavedRegs + .cbParams + .cbCalleeParams - = \
         $T5 $T4 $T3 - 9 + -8 + 16 @ = $esp $esp $T5 + 4 + = $eip $esp 4 - ^ = $ebx $T3 = $20 $20 1 + = $17 0 =";
    let data = FrameData { locals: 16, saved: 8, params: 4, ..frame(program) };
    let m = machine(&[], &[1, 2, 3, 4, RETURN, 6]);
    let now = Registers { pushed: 4, ..registers(0x40, 0) };
    let (caller, _) = go(&m, Some(&data), now, false).unwrap();
    assert_eq!((caller.eip, caller.esp(), caller.get(EBX)), (RETURN, SP + 20, Some(2)));
}

#[test]
fn programs_that_make_no_sense() {
    let deep = "1 ".repeat(20);
    let long = "$T0 1 = ".repeat(200);
    let many: String = (0..10).map(|n| format!("$T{n} 1 = ")).collect();
    for program in [
        "",
        "=",
        "^",
        "+",
        "1 =",
        "$eip",
        "$eip 1",
        "$eip 1 = ",
        "$nonsense 1 +",
        "$eip $T9 =",
        "1 0 /",
        "1 0 %",
        "1 0 @",
        "$eip 1 = $esp 2 = 3",
        "12345678901 1 +",
        "$eip 0x10 =",
        "$ $ =",
        "\u{e9} 1 =",
        &deep,
        &long,
        &many,
    ] {
        let m = machine(&[], &[RETURN]);
        let result = go(&m, Some(&frame(program)), registers(0x40, 0), true);
        assert_eq!(result.map_err(|why| why.name()), Err("bad unwind data"), "{program}");
    }
    let m = machine(&[], &[RETURN]);
    let result = go(&m, Some(&frame("$eip $ebp ^ = $esp 1 =")), registers(0x40, 0x66), true);
    assert_eq!(result.map_err(|why| why.name()), Err("no memory"));
    let result = go(&m, Some(&frame("$eip 1 = $esp 2 =")), registers(0x40, 0), true);
    assert_eq!(result.map_err(|why| why.name()), Err("sp not rising"));
    let data = FrameData { locals: u32::MAX, saved: u32::MAX, ..frame(PLAIN) };
    assert!(go(&m, Some(&data), registers(0x40, 0), true).is_err());
}

/// Words of programs, put together without sense.
#[test]
fn noise() {
    let words = [
        "$T0",
        "$T1",
        "$eip",
        "$esp",
        "$ebp",
        "$20",
        ".raSearch",
        "=",
        "=",
        "^",
        "+",
        "-",
        "@",
        "4",
        "8",
        "-1",
        "%",
    ];
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let m = machine(&[], &[1, 2, RETURN, 4]);
    for _ in 0..20_000 {
        let program: Vec<&str> = (0..1 + next(30)).map(|_| words[next(words.len())]).collect();
        let _ = go(&m, Some(&frame(&program.join(" "))), registers(0x40, SP + 4), true);
    }
}
