//! What is an epilogue and what is not.

use super::{BASE, DATA, STACK, World, info};
use crate::{Image, Memory, Why, x64};

/// push rbx; push rdi; sub rsp, 0x28
fn world() -> World {
    World::new(&info(6, &[[6, 0x42], [2, 0x70], [1, 0x30]], 0))
}

/// The caller, with this code at 0x1080.
fn with(code: &[u8]) -> (u64, u64) {
    let mut world = world();
    world.put(0x1080, code);
    world.caller(0x1080)
}

const BODY: (u64, u64) = (0x107, 8);
const POPPED_TWO: (u64, u64) = (0x102, 3);
const AT_EXIT: (u64, u64) = (0x100, 1);

#[test]
fn pops_and_a_return() {
    assert_eq!(with(&[0x5f, 0x5b, 0xc3]), POPPED_TWO);
    assert_eq!(with(&[0x41, 0x5c, 0x5b, 0xc3]), POPPED_TWO);
    assert_eq!(with(&[0x5f, 0x5b, 0xf3, 0xc3]), POPPED_TWO);
    assert_eq!(with(&[0x5f, 0x5b, 0xc2, 8, 0]), POPPED_TWO);
    assert_eq!(with(&[0xc3]), AT_EXIT);
    let mut world = world();
    world.put(0x1080, &[0x5f, 0x41, 0x5c, 0xc3]);
    let registers = world.step(0x1080).unwrap().1;
    assert_eq!((registers.get(x64::RDI), registers.get(12)), (Some(0x100), Some(0x101)));
}

#[test]
fn before_the_stack_is_freed_it_is_body() {
    assert_eq!(with(&[0x48, 0x83, 0xc4, 0x28, 0x5f, 0x5b, 0xc3]), BODY, "add rsp");
    assert_eq!(with(&[0x48, 0x8d, 0x65, 0x10, 0x5f, 0x5b, 0xc3]), BODY, "lea rsp");
    assert_eq!(with(&[0x5c, 0xc3]), BODY, "pop rsp is in no epilogue");
    assert_eq!(with(&[0x5f, 0x5b, 0x90]), BODY, "pops that lead to nothing");
}

#[test]
fn jumps_that_leave() {
    assert_eq!(with(&[0x5b, 0xe9, 0, 1, 0, 0]), (0x101, 2), "to beyond the function");
    assert_eq!(with(&[0xe9, 0, 1, 0, 0]), AT_EXIT);
    assert_eq!(with(&[0xe9, 0x7b, 0xff, 0xff, 0xff]), AT_EXIT, "to its own start");
    assert_eq!(with(&[0xe9, 0, 0, 0, 0x70]), AT_EXIT, "out of the image");
    assert_eq!(with(&[0xff, 0x25, 0, 0, 0, 0]), AT_EXIT, "jmp [rip]");
    assert_eq!(with(&[0x48, 0xff, 0x20]), AT_EXIT, "rex.w jmp [rax]");
    assert_eq!(with(&[0x48, 0xff, 0xe0]), AT_EXIT, "rex.w jmp rax");
    assert_eq!(with(&[0x5b, 0xff, 0xe0]), (0x101, 2), "jmp rax after a pop");
}

#[test]
fn jumps_that_stay() {
    assert_eq!(with(&[0xeb, 0x10]), BODY);
    assert_eq!(with(&[0xe9, 0x10, 0, 0, 0]), BODY);
    assert_eq!(with(&[0xff, 0xe0]), BODY, "a switch");
    // Into a fragment of the same function, and from there into the function's middle.
    let mut world = world();
    let mut fragment = vec![0x21, 0, 0, 0];
    fragment.extend([0x1000_u32, 0x1100, DATA as u32].map(u32::to_le_bytes).concat());
    world.function(0x1200, 0x1300, &fragment);
    world.put(0x1080, &[0xe9, 0x7b, 0x01, 0, 0]);
    world.put(0x1200, &[0xe9, 0x7b, 0xfe, 0xff, 0xff]);
    assert_eq!((world.caller(0x1080), world.caller(0x1200)), (BODY, BODY));
    // From the fragment to the function's very start: the frame must be gone.
    world.put(0x1200, &[0xe9, 0xfb, 0xfd, 0xff, 0xff]);
    assert_eq!(world.caller(0x1200), AT_EXIT);
}

#[test]
fn version_2_states_its_epilogues() {
    // Epilogues of 3 bytes: one ends the function, one starts 0x80 before its end; then a padding code.
    let mut data = info(6, &[[3, 0x16], [0x80, 6], [0, 6], [6, 0x42], [2, 0x70], [1, 0x30]], 0);
    data[0] = 2;
    let mut world = World::new(&data);
    for at in [0x1080, 0x10fd, 0x1040] {
        world.put(at, &[0x5f, 0x5b, 0xc3]);
    }
    assert_eq!((world.caller(0x1080), world.caller(0x10fd)), (POPPED_TWO, POPPED_TWO));
    assert_eq!(world.caller(0x1082), AT_EXIT);
    assert_eq!(world.caller(0x1040), BODY, "where none is stated there is none");
}

/// A world whose code cannot be read from 0x1000 + this on.
struct NoCode(World, u64);

impl Memory for NoCode {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let code = BASE + 0x1000 + self.1..BASE + 0x2000;
        let hit = va < code.end && va + out.len() as u64 > code.start;
        !hit && self.0.read(va, out)
    }
}

#[test]
fn code_that_is_not_there_is_not_guessed() {
    let step = |memory: &NoCode, rva: u64| {
        let image = Image::from_facts(BASE, 0x4000, crate::MACHINE_AMD64, 0x2000, 12, memory);
        let mut registers = x64::Registers::new(BASE + rva, STACK);
        x64::step(&image, memory, &mut registers, true).map(|_| registers.rip)
    };
    assert_eq!(step(&NoCode(world(), 0), 0x1080), Err(Why::NoMemory(BASE + 0x1080)));
    let mut data = info(6, &[[3, 0x16], [0, 6], [6, 0x42], [2, 0x70], [1, 0x30]], 0);
    data[0] = 2;
    assert_eq!(step(&NoCode(World::new(&data), 0), 0x1080), Ok(0x107), "version 2 knows without the code");
}
