//! Trap frames, machine frames, threads that do not run.

use super::{BASE, R12, RBP, RBX, Registers, STACK, World, info};
use crate::{
    Step, Why,
    x64::{
        RDI, step,
        trap::{
            Cause, ExceptionLayout, How, MachineFrame, Switch, TrapLayout, exception_frame, interrupted,
            switched_out, trap_frame,
        },
    },
};

/// Offsets of Windows 7 to 10 (19041), as FACTS of the symbols say.
const TRAP: TrapLayout =
    TrapLayout { volatile: [0x30, 0x38, 0x40, 0x48, 0x50, 0x58, 0x60], rbp: 0x158, rip: 0x168 };
const EXCEPTION: ExceptionLayout =
    ExceptionLayout { nonvolatile: [0xf8, 0x100, 0x108, 0x110, 0x118, 0x120, 0x128, 0x130] };
const KERNEL: u64 = 0xffff_f800_0000_0000;

/// A stack with a trap frame at its start.
fn trapped(cs: u64, rip: u64, rsp: u64) -> World {
    let mut world = World::new(&info(0, &[], 0));
    for (offset, value) in [(0x168, rip), (0x170, cs), (0x178, 0x246), (0x180, rsp), (0x188, 0x18)] {
        world.stack[offset / 8] = value;
    }
    world
}

#[test]
fn a_trap_frame_gives_registers() {
    let world = trapped(0x10, KERNEL + 0x1234, KERNEL + 0x8000);
    let (machine, registers) = trap_frame(&world, &TRAP, STACK, Cause::Interrupted).unwrap();
    assert!(!machine.is_user() && !machine.is_32_bit());
    assert_eq!((registers.rip, registers.sp()), (KERNEL + 0x1234, KERNEL + 0x8000));
    assert_eq!((registers.get(0), registers.get(11)), (Some(0x106), Some(0x10c)));
    assert_eq!((registers.get(RBP), registers.get(RBX)), (Some(0x12b), None));
    let (_, called) = trap_frame(&world, &TRAP, STACK, Cause::Called).unwrap();
    assert_eq!((called.get(0), called.get(RBP)), (None, Some(0x12b)));
}

#[test]
fn what_unwinding_found_is_kept() {
    let world = trapped(0x33, 0x7ff6_0000_1234, 0x10_0000);
    let mut unwound = Registers::new(1, 2);
    unwound.set(RBX, 77);
    unwound.set(0, 88);
    let (machine, registers) = interrupted(&world, &TRAP, STACK + 0x168, Cause::Called, &unwound).unwrap();
    assert!(machine.is_user() && !machine.is_32_bit());
    assert_eq!((registers.get(RBX), registers.get(0)), (Some(77), None));
    assert!(MachineFrame::read(&trapped(0x23, 0x40_1000, 0x10_0000), STACK + 0x168).unwrap().is_32_bit());
}

#[test]
fn what_is_no_machine_frame_is_refused() {
    let error = |world: &World| MachineFrame::read(world, STACK + 0x168).unwrap_err();
    assert_eq!(error(&trapped(0x11, KERNEL, KERNEL)), Why::BadUnwindData("cs of a machine frame"));
    assert_eq!(error(&trapped(0x10, 0x1234, KERNEL)), Why::BadUnwindData("rip or rsp of a machine frame"));
    assert_eq!(error(&trapped(0x33, 0x1234, KERNEL)), Why::BadUnwindData("rip or rsp of a machine frame"));
    let mut world = trapped(0x10, KERNEL, KERNEL);
    world.stack[0x178 / 8] = 0xffff_ffff;
    assert_eq!(error(&world), Why::BadUnwindData("eflags of a machine frame"));
    assert_eq!(MachineFrame::read(&world, 8), Err(Why::NoMemory(8)));
    assert_eq!(trap_frame(&world, &TRAP, u64::MAX, Cause::Called).unwrap_err(), Why::NoMemory(u64::MAX));
    let low = interrupted(&world, &TRAP, 8, Cause::Called, &Registers::new(0, 0)).unwrap_err();
    assert_eq!(low, Why::NoMemory(8));
}

#[test]
fn an_exception_frame_gives_the_rest() {
    let world = World::new(&info(0, &[], 0));
    let mut registers = Registers::new(0, 0);
    exception_frame(&world, &EXCEPTION, STACK, &mut registers);
    assert_eq!((registers.get(RBP), registers.get(RBX)), (Some(0x11f), Some(0x120)));
    assert_eq!(
        (registers.get(RDI), registers.get(R12), registers.get(15)),
        (Some(0x121), Some(0x123), Some(0x126))
    );
}

/// SwapContext from 0x1000 (a frame of 0x20 bytes and rbp), KiSwapContext from 0x1100 (0x30 bytes with rbx in it).
fn kernel() -> World {
    let mut world = World::new(&info(5, &[[5, 0x32], [1, 0x50]], 0));
    world.function(0x1100, 0x1200, &info(9, &[[9, 0x34], [2, 0], [4, 0x52]], 0));
    world.function(0x1200, 0x1300, &info(0, &[], 0));
    world.stack[5] = BASE + 0x1150; // SwapContext: 4 words, rbp, return address
    world.stack[6 + 2] = 0x5b; // rbx
    world.stack[6 + 6] = BASE + 0x1250; // the caller of KiSwapContext
    world
}

const SWITCH: Switch = Switch { swap_context: Some(BASE + 0x1000), ki_swap_context: Some(BASE + 0x1100) };

#[test]
fn a_waiting_thread_is_in_ki_swap_context() {
    let world = kernel();
    for switch in
        [SWITCH, Switch { ki_swap_context: None, ..SWITCH }, Switch { swap_context: None, ..SWITCH }]
    {
        let (mut registers, how) = switched_out(&world.image(), &world, STACK, switch).unwrap();
        assert_eq!(how == How::Unwound, switch.swap_context.is_some());
        assert_eq!((registers.rip, registers.sp()), (BASE + 0x1150, STACK + 48), "{switch:x?}");
        assert_eq!(step(&world.image(), &world, &mut registers, false), Ok(Step::Unwound));
        assert_eq!((registers.rip, registers.get(RBX)), (BASE + 0x1250, Some(0x5b)));
    }
}

#[test]
fn a_switch_that_looks_otherwise_is_found_or_refused() {
    // SwapContext took more stack than its unwind data says, as with shadow stacks perhaps.
    let mut world = kernel();
    world.stack.splice(0..0, [1, 2]);
    let (registers, how) = switched_out(&world.image(), &world, STACK, SWITCH).unwrap();
    assert_eq!((registers.rip, registers.sp(), how), (BASE + 0x1150, STACK + 64, How::ReturnAddress));
    let only_swap = Switch { ki_swap_context: None, ..SWITCH };
    assert!(switched_out(&world.image(), &world, STACK, only_swap).is_err(), "nothing confirms it");
    world.stack[3] = BASE + 0x1140;
    let two = switched_out(&world.image(), &world, STACK, SWITCH).unwrap_err();
    assert_eq!(two, Why::BadUnwindData("more than one return address into KiSwapContext"));
    world.stack = vec![0; 64];
    let none = switched_out(&world.image(), &world, STACK, SWITCH).unwrap_err();
    assert_eq!(none, Why::BadUnwindData("no return address into KiSwapContext"));
    assert!(switched_out(&world.image(), &world, 0x10, SWITCH).is_err());
    let nowhere = Switch { swap_context: None, ki_swap_context: None };
    assert_eq!(switched_out(&world.image(), &world, STACK, nowhere), Err(Why::NoUnwindData));
}
