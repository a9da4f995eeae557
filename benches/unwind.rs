//! Frames a second on x64 stacks, and framehop on the same ones. `cargo bench --bench unwind`.
//!
//! An image of 16,384 functions of five shapes (pushes, moves, a frame register with a stack that shrinks at will, a
//! large frame, a fragment chained to its parent) and 4,000 stacks of 40 frames, made by carrying out what the
//! prologues do. framehop remembers a rule for an address where it can, so it is measured on stacks that repeat few
//! addresses (`hot`: 64 functions) and on ones that do not (`cold`: all of them).

mod support;

use framehop::{
    FrameAddress, Module, ModuleSectionInfo, Unwinder,
    x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64},
};
use std::ops::Range;
use support::{Random, median, millions_per_s};
use unwind::{Cached, Image, MACHINE_AMD64, Memory, x64};

const BASE: u64 = 0x1_4000_0000;
const STACK: u64 = 0xffff_9000_0000_0000;
const FUNCTIONS: u32 = 0x4000;
const CODE: u32 = 0x1000;
const FUNCTION: u32 = 0x40;
const DATA: u32 = CODE + FUNCTIONS * FUNCTION;
const TABLE: u32 = DATA + 0x1000;
const SIZE: u32 = (TABLE + 12 * FUNCTIONS).next_multiple_of(0x1000);
const THREADS: usize = 4000;
const FRAMES: usize = 40;

/// Unwind data of the five shapes, 0x40 bytes apart.
const SHAPES: [&[u8]; 5] = [
    // push rbx; sub rsp, 0x28
    &[1, 5, 2, 0, 5, 0x42, 1, 0x30],
    // mov [rsp+0x10], rbx; push rdi; sub rsp, 0x20
    &[1, 10, 4, 0, 10, 0x34, 6, 0, 10, 0x32, 6, 0x70],
    // push rbp; sub rsp, 0x40; lea rbp, [rsp+0x20]
    &[1, 10, 3, 0x25, 10, 0x03, 5, 0x72, 1, 0x50],
    // push rsi; push rdi; sub rsp, 0x200
    &[1, 9, 4, 0, 9, 0x01, 0x40, 0, 2, 0x70, 1, 0x60],
    // nothing of its own; its parent is the first function
    &[0x21, 0, 0, 0],
];

/// Bytes at an address.
struct Bytes(u64, Vec<u8>);

impl Memory for Bytes {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let at = va.wrapping_sub(self.0) as usize;
        match self.1.get(at..at.saturating_add(out.len())) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return false,
        }
        true
    }
}

fn image() -> Bytes {
    let mut bytes = vec![0x90; SIZE as usize];
    let mut put = |at: u32, data: &[u8]| bytes[at as usize..at as usize + data.len()].copy_from_slice(data);
    for (shape, data) in (0..).zip(SHAPES) {
        put(DATA + 0x40 * shape, data);
    }
    let entry = |index: u32| {
        let begin = CODE + index * FUNCTION;
        [begin, begin + FUNCTION, DATA + 0x40 * (index % 5)].map(u32::to_le_bytes).concat()
    };
    put(DATA + 0x40 * 4 + 4, &entry(0));
    (0..FUNCTIONS).for_each(|index| put(TABLE + 12 * index, &entry(index)));
    Bytes(BASE, bytes)
}

/// A stack that is filled downwards, and the registers on it.
struct Filler<'a> {
    words: &'a mut [u64],
    sp: usize,
    rbp: u64,
}

impl Filler<'_> {
    fn push(&mut self, value: u64) {
        self.sp -= 1;
        self.words[self.sp] = value;
    }

    /// What the call of a function and its prologue do; 4 words more where the frame register allows it.
    fn enter(&mut self, function: u32, return_to: u64) {
        self.push(return_to);
        match function % 5 {
            0 | 4 => self.sp -= 1 + 5,
            1 => self.sp -= 1 + 4,
            2 => {
                self.push(self.rbp);
                self.sp -= 8;
                self.rbp = STACK + 8 * (self.sp as u64 + 4);
                self.sp -= 4;
            }
            _ => self.sp -= 2 + 0x40,
        }
    }
}

/// Stacks whose frames are in the first `functions` functions, and the registers to start with.
fn stacks(functions: u32) -> (Bytes, Vec<x64::Registers>) {
    const WORDS: usize = 0x50 * FRAMES;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut words = vec![0u64; WORDS * THREADS];
    let mut starts = Vec::new();
    for thread in 0..THREADS {
        let mut stack = Filler { words: &mut words, sp: WORDS * (thread + 1), rbp: 0 };
        let mut ip = 0; // the outermost frame returns to nowhere
        for _ in 0..FRAMES {
            let function = random.below(functions.into()) as u32;
            stack.enter(function, ip);
            ip = BASE + u64::from(CODE + function * FUNCTION) + 0x20;
        }
        let mut registers = x64::Registers::new(ip, STACK + 8 * stack.sp as u64);
        registers.set(x64::RBP, stack.rbp);
        starts.push(registers);
    }
    (Bytes(STACK, words.iter().flat_map(|word| word.to_le_bytes()).collect()), starts)
}

fn ours(image: &Image, stack: &Bytes, starts: &[x64::Registers]) -> usize {
    let mut frames = 0;
    for start in starts {
        let (mut registers, mut first) = (*start, true);
        while registers.rip != 0 {
            x64::step(image, stack, &mut registers, first).unwrap();
            frames += 1;
            first = false;
        }
    }
    frames
}

/// The image for framehop.
struct Sections<'a>(&'a [u8]);

impl Sections<'_> {
    fn range(name: &[u8]) -> Option<Range<u32>> {
        match name {
            b".text" => Some(CODE..DATA),
            b".rdata" => Some(DATA..TABLE),
            b".pdata" => Some(TABLE..TABLE + 12 * FUNCTIONS),
            _ => None,
        }
    }
}

impl ModuleSectionInfo<Vec<u8>> for Sections<'_> {
    fn base_svma(&self) -> u64 {
        BASE
    }

    fn section_svma_range(&mut self, name: &[u8]) -> Option<Range<u64>> {
        Self::range(name).map(|range| BASE + u64::from(range.start)..BASE + u64::from(range.end))
    }

    fn section_data(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        Self::range(name).map(|range| self.0[range.start as usize..range.end as usize].to_vec())
    }
}

fn theirs(
    unwinder: &UnwinderX86_64<Vec<u8>>,
    cache: &mut CacheX86_64,
    stack: &Bytes,
    starts: &[x64::Registers],
) -> usize {
    let mut read = |at: u64| {
        let mut bytes = [0; 8];
        if stack.read(at, &mut bytes) { Ok(u64::from_le_bytes(bytes)) } else { Err(()) }
    };
    let mut frames = 0;
    for start in starts {
        let mut registers = UnwindRegsX86_64::new(start.rip, start.sp(), start.gpr[x64::RBP]);
        let mut address = FrameAddress::from_instruction_pointer(start.rip);
        loop {
            frames += 1;
            match unwinder.unwind_frame(address, &mut registers, cache, &mut read).unwrap() {
                Some(ip) if ip != 0 => address = FrameAddress::from_return_address(ip).unwrap(),
                _ => break,
            }
        }
    }
    frames
}

fn main() {
    let bytes = image();
    let cached = Cached::new(&bytes, BASE, SIZE.into());
    let image = Image::from_facts(BASE, SIZE, MACHINE_AMD64, TABLE, 12 * FUNCTIONS, &cached);
    let mut unwinder = UnwinderX86_64::<Vec<u8>>::new();
    let range = BASE..BASE + u64::from(SIZE);
    unwinder.add_module(Module::new("synthetic".into(), range, BASE, Sections(&bytes.1)));
    println!("unwind: {THREADS} stacks of {FRAMES} frames; millions of frames a second, and the ratio");
    for (name, functions) in [("hot", 64), ("cold", FUNCTIONS)] {
        let (stack, starts) = stacks(functions);
        let frames = THREADS * FRAMES;
        assert_eq!(ours(&image, &stack, &starts), frames);
        let mine = median(7, || ours(&image, &stack, &starts));
        let mut cache = CacheX86_64::new();
        assert_eq!(theirs(&unwinder, &mut cache, &stack, &starts), frames);
        let other = median(7, || theirs(&unwinder, &mut cache, &stack, &starts));
        let rate = |time| millions_per_s(frames as u64, time);
        let ratio = other.as_secs_f64() / mine.as_secs_f64();
        println!("{name:<5} ours {:>6.2}  framehop {:>6.2}  ratio {ratio:.2}", rate(mine), rate(other));
    }
}
