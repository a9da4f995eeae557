//! A thread that does not run: two functions of the kernel, and what they left on its stack.
use super::*;

/// Where `KiSwapContext` begins, an RVA.
const CALLER: u32 = BEGIN + 0x100;
/// The return address in it, an RVA.
const RETURN: u32 = CALLER + 0x40;

/// `SwapContext`: `sub sp, sp, #20h`, `stp x29, x30, [sp, #10h]`; `KiSwapContext`: `stp x29, x30, [sp, #-30h]!`,
/// `mov x29, sp`.
fn kernel() -> Flat {
    let (swap, caller) = (body(&[0x42, 0x02, 0xe4]), body(&[0xe1, 0x85, 0xe4]));
    let second = XDATA + swap.len() as u32;
    flat(&[BEGIN, XDATA, CALLER, second], &[swap, caller].concat())
}

/// The stack from the saved stack pointer on.
fn left(words: &[(u64, u64)]) -> Flat {
    let mut stack = stack();
    for (offset, word) in words {
        stack.1[*offset as usize..][..8].copy_from_slice(&word.to_le_bytes());
    }
    stack
}

const SWITCH: Switch = Switch { swap_context: BASE + 0x1000, ki_swap_context: Some(BASE + 0x1100) };

#[test]
fn registers_of_a_thread_that_does_not_run() {
    let kernel = kernel();
    let image = image(&kernel, 2);
    let whole = [(0x10, SP + 0x20), (0x18, BASE + u64::from(RETURN)), (0x28, BASE + 0x1800)];
    let go = |words: &[(u64, u64)], switch| switched_out(&image, &left(words), SP, switch);
    let found = go(&whole, SWITCH).unwrap();
    assert_eq!((found.pc, found.sp, found.get(29)), (BASE + u64::from(RETURN), SP + 0x20, Some(SP + 0x20)));
    assert_eq!(found.get(19), None, "they belong to another thread");
    assert!(go(&whole, Switch { ki_swap_context: None, ..SWITCH }).is_ok());
    // Another function; a caller outside of the kernel; nothing there; a stack that is not there.
    assert!(go(&whole, Switch { ki_swap_context: Some(BASE + 0x1000), ..SWITCH }).is_err());
    assert!(go(&[whole[0], whole[1], (0x28, 0x4141_4141)], SWITCH).is_err());
    assert!(go(&[], SWITCH).is_err());
    assert!(go(&whole, Switch { swap_context: BASE + 0x1f00, ki_swap_context: None }).is_err());
    for sp in [0, u64::MAX, u64::MAX - 0x1f, SP + 0x3ff8] {
        assert!(switched_out(&image, &left(&whole), sp, SWITCH).is_err(), "{sp:#x}");
    }
}
