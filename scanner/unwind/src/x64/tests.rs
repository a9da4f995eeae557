//! Hand-written unwind data: every code at the places where it matters, chains, epilogues.

mod epilogues;
mod hostile;
mod trap;
mod v3;

use super::*;
use crate::MACHINE_AMD64;

const BASE: u64 = 0x1_4000_0000;
const STACK: u64 = 0x8_0000;
const SIZE: usize = 0x4000;
const TABLE: usize = 0x2000;
const DATA: usize = 0x3000;
const R12: usize = 12;

/// An image of 16 KiB (code from 0x1000, the table at 0x2000, unwind data at 0x3000) and a stack.
pub(super) struct World {
    pub image: Vec<u8>,
    pub stack: Vec<u64>,
    pub functions: usize,
}

impl Memory for World {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let stack: Vec<u8> = self.stack.iter().flat_map(|word| word.to_le_bytes()).collect();
        let piece = |bytes: &[u8], base: u64| {
            let at = usize::try_from(va.checked_sub(base)?).ok()?;
            bytes.get(at..at.checked_add(out.len())?).map(<[u8]>::to_vec)
        };
        match piece(&self.image, BASE).or_else(|| piece(&stack, STACK)) {
            Some(bytes) => out.copy_from_slice(&bytes),
            None => return false,
        }
        true
    }
}

impl World {
    /// One function from 0x1000 to 0x1100 with this unwind data, and a stack of 64 words that count from 0x100.
    pub fn new(info: &[u8]) -> World {
        let mut world = World { image: vec![0x90; SIZE], stack: (0x100..0x140).collect(), functions: 0 };
        world.function(0x1000, 0x1100, info);
        world
    }

    /// One more function, whose unwind data is at 0x3000 + 0x100 * number.
    pub fn function(&mut self, begin: u32, end: u32, info: &[u8]) {
        let at = DATA + 0x100 * self.functions;
        self.put(at, info);
        self.entry(begin, end, at as u32);
    }

    /// One more entry of the table.
    pub fn entry(&mut self, begin: u32, end: u32, info: u32) {
        let words = [begin, end, info].map(u32::to_le_bytes).concat();
        self.put(TABLE + 12 * self.functions, &words);
        self.functions += 1;
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn image(&self) -> Image<'_> {
        let table = 12 * self.functions as u32;
        Image::from_facts(BASE, SIZE as u32, MACHINE_AMD64, TABLE as u32, table, self)
    }

    /// A first step from an RVA, the stack pointer at the stack's first word; rbp is 0x40 above it.
    pub fn step(&self, rva: u64) -> Result<(Step, Registers), Why> {
        let mut registers =
            Registers { rip: BASE + rva, gpr: std::array::from_fn(|r| r as u64), known: 0xffff };
        registers.set(RSP, STACK);
        registers.set(RBP, STACK + 0x40);
        step(&self.image(), self, &mut registers, true).map(|step| (step, registers))
    }

    /// Return address and stack pointer (in words above the start of the stack) of the caller.
    pub fn caller(&self, rva: u64) -> (u64, u64) {
        let (step, registers) = self.step(rva).unwrap();
        assert_eq!(step, Step::Unwound);
        (registers.rip, (registers.sp() - STACK) / 8)
    }
}

/// Header of unwind data of version 1: size of prologue, code slots, frame register and offset / 16.
fn info(prologue: u8, slots: &[[u8; 2]], frame: u8) -> Vec<u8> {
    let mut bytes = vec![1, prologue, slots.len() as u8, frame];
    bytes.extend(slots.iter().flatten());
    bytes
}

#[test]
fn a_leaf_has_its_return_address_on_top() {
    let world = World::new(&info(0, &[], 0));
    let (step, registers) = world.step(0x1800).unwrap();
    assert_eq!((step, registers.rip, registers.sp()), (Step::Leaf, 0x100, STACK + 8));
    assert_eq!(registers.get(RBX), Some(3));
    assert_eq!(registers.get(0), None, "rax is volatile");
    // A leaf calls nobody.
    let mut registers = Registers::new(BASE + 0x1800, STACK);
    assert_eq!(super::step(&world.image(), &world, &mut registers, false), Err(Why::NoUnwindData));
    assert_eq!(world.step(0x5000), Err(Why::NoUnwindData), "outside of the image");
}

#[test]
fn a_prologue_is_undone_as_far_as_it_ran() {
    // push rbx (ends at 1); push r12 (3); sub rsp, 0x28 (7)
    let world = World::new(&info(7, &[[7, 0x42], [3, 0xc0], [1, 0x30]], 0));
    assert_eq!(world.caller(0x1000), (0x100, 1));
    assert_eq!(world.caller(0x1001), (0x101, 2));
    assert_eq!(world.caller(0x1003), (0x102, 3));
    assert_eq!(world.caller(0x1007), (0x107, 8));
    assert_eq!(world.caller(0x10ff), (0x107, 8));
    let (_, registers) = world.step(0x1050).unwrap();
    assert_eq!((registers.get(R12), registers.get(RBX)), (Some(0x105), Some(0x106)));
    assert_eq!(world.step(0x1001).unwrap().1.get(R12), Some(12), "not pushed yet");
}

#[test]
fn a_return_address_belongs_to_the_function_before_it() {
    let mut world = World::new(&info(4, &[[4, 0x42]], 0));
    world.function(0x1100, 0x1200, &info(0, &[], 0));
    let mut registers = Registers::new(BASE + 0x1100, STACK);
    assert_eq!(super::step(&world.image(), &world, &mut registers, false), Ok(Step::Unwound));
    assert_eq!((registers.rip, registers.sp()), (0x105, STACK + 48));
    assert_eq!(world.caller(0x1100), (0x100, 1), "an exact address does not");
}

#[test]
fn large_allocations() {
    let words = World::new(&info(8, &[[8, 0x01], [0x10, 0]], 0));
    assert_eq!(words.caller(0x1010), (0x110, 17));
    let bytes = World::new(&info(8, &[[8, 0x11], [0x80, 0], [0, 0]], 0));
    assert_eq!(bytes.caller(0x1010), (0x110, 17));
    let mut large = World::new(&info(8, &[[8, 0x11], [0, 0], [0x10, 0]], 0));
    assert_eq!(large.step(0x1010), Err(Why::NoMemory(STACK + 0x10_0000)));
    large.stack = vec![7; 0x10_0000 / 8 + 1];
    assert_eq!(large.caller(0x1010), (7, 0x10_0000 / 8 + 1));
}

#[test]
fn a_frame_register_finds_the_stack_again() {
    // push rbp (1); sub rsp, 0x40 (5); lea rbp, [rsp+0x20] (10); then the stack shrinks as it likes
    let world = World::new(&info(10, &[[10, 0x03], [5, 0x72], [1, 0x50]], 0x25));
    // rbp - 0x20 is word 4; after 8 words of locals comes rbp, then the return address.
    assert_eq!(world.caller(0x1050), (0x10d, 14));
    assert_eq!(world.step(0x1050).unwrap().1.get(RBP), Some(0x10c));
    assert_eq!(world.caller(0x1005), (0x109, 10), "rbp was not set yet");
    let mut registers = Registers::new(BASE + 0x1050, STACK);
    let image = world.image();
    assert_eq!(super::step(&image, &world, &mut registers, true), Err(Why::UnknownRegister));
    assert_eq!(registers, Registers::new(BASE + 0x1050, STACK), "an error changes nothing");
}

#[test]
fn registers_saved_by_moves() {
    // mov [rsp+0x30], rsi; far: mov [rsp+0x18], rdi; sub rsp, 0x28
    let slots = [[4, 0x64], [6, 0], [4, 0x75], [0x18, 0], [0, 0], [4, 0x42]];
    let world = World::new(&info(4, &slots, 0));
    let (_, registers) = world.step(0x1050).unwrap();
    assert_eq!((registers.get(RSI), registers.get(RDI)), (Some(0x106), Some(0x103)));
    assert_eq!((registers.rip, registers.sp()), (0x105, STACK + 0x30));
    // A slot that is not there costs the register, not the frame.
    let world = World::new(&info(4, &[[4, 0x75], [0, 0], [1, 0], [4, 0x42]], 0));
    let (_, registers) = world.step(0x1050).unwrap();
    assert_eq!((registers.get(RDI), registers.rip), (None, 0x105));
}

#[test]
fn moves_are_relative_to_the_frame_register_if_there_is_one() {
    let world = World::new(&info(8, &[[8, 0x34], [2, 0], [8, 0x03], [4, 0x32], [1, 0x50]], 0x25));
    assert_eq!(world.step(0x1050).unwrap().1.get(RBX), Some(0x106), "word 4, and 2 more");
}

#[test]
fn vector_registers_are_skipped() {
    for slots in [
        vec![[9, 0x68], [1, 0], [4, 0x42]],
        vec![[9, 0x69], [1, 0], [1, 0], [4, 0x42]],
        // The two codes that version 1 had for half of a vector register.
        vec![[9, 0x66], [1, 0], [4, 0x42]],
        vec![[9, 0x67], [1, 0], [1, 0], [4, 0x42]],
    ] {
        let world = World::new(&info(9, &slots, 0));
        assert_eq!(world.caller(0x1050), (0x105, 6), "{slots:x?}");
    }
}

#[test]
fn machine_frames() {
    // A trap with error code and a frame of 0x20 bytes below: error code, rip, cs, eflags, rsp, ss.
    let mut world = World::new(&info(4, &[[4, 0x32], [0, 0x1a]], 0));
    world.stack[8] = 0x1000; // a stack far below, as user stacks are
    let (step, registers) = world.step(0x1050).unwrap();
    assert_eq!(step, Step::MachineFrame { at: STACK + 0x28, error_code: true });
    assert_eq!((registers.rip, registers.sp(), registers.get(RBX)), (0x105, 0x1000, Some(3)));
    let mut world = World::new(&info(4, &[[4, 0x32], [0, 0x0a]], 0));
    world.stack[7] = 0x1000;
    let (step, registers) = world.step(0x1050).unwrap();
    assert_eq!((step, registers.rip), (Step::MachineFrame { at: STACK + 0x20, error_code: false }, 0x104));
    assert_eq!(registers.sp(), 0x1000);
}

#[test]
fn fragments_undo_their_parents_wholly() {
    let mut world = World::new(&info(7, &[[7, 0x42], [1, 0x30]], 0));
    // A fragment that saves rsi in the frame of its parent: slots padded to an even number, then the parent.
    let mut fragment = vec![0x21, 5, 2, 0, 5, 0x64, 1, 0];
    fragment.extend([0x1000_u32, 0x1100, DATA as u32].map(u32::to_le_bytes).concat());
    world.function(0x1200, 0x1300, &fragment);
    let (_, registers) = world.step(0x1250).unwrap();
    assert_eq!((registers.rip, registers.sp()), (0x106, STACK + 56));
    assert_eq!((registers.get(RSI), registers.get(RBX)), (Some(0x101), Some(0x105)));
    let (_, early) = world.step(0x1200).unwrap();
    assert_eq!((early.rip, early.get(RSI)), (0x106, Some(6)), "its own code did not run, the parent's did");
    let start = |rva| function_start(&world.image(), BASE + rva).unwrap();
    assert_eq!(
        (start(0x1250), start(0x1050), start(0x1900)),
        (Some(BASE + 0x1000), Some(BASE + 0x1000), None)
    );
}

#[test]
fn an_entry_may_point_to_another() {
    let mut world = World::new(&info(4, &[[4, 0x42]], 0));
    world.entry(0x1400, 0x1500, TABLE as u32 | 1);
    assert_eq!(world.caller(0x1450), (0x105, 6));
    assert_eq!(function_start(&world.image(), BASE + 0x1450), Ok(Some(BASE + 0x1000)));
}
