//! Walks the branches of every function of an image and compares at each instruction.

use super::emulator::{ENTRY_SP, Next, RETURN, State, initial};
use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory};
use std::{
    collections::{HashMap, HashSet},
    fmt,
};
use unwind::{Image, ImageFile, x64};

const BASE: u64 = 0x1_8000_0000;

/// What was counted.
#[derive(Default)]
pub struct Tally {
    /// Table entries, fragments too.
    pub entries: usize,
    /// Bytes of code in them, and those that were reached.
    pub bytes: usize,
    pub reached: usize,
    /// Places where the caller was compared, and those that differed.
    pub compared: usize,
    pub wrong: usize,
    /// Returns of the emulator with all registers restored, and without: its own mistakes.
    pub returned: usize,
    pub not_restored: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.entries += other.entries;
        self.bytes += other.bytes;
        self.reached += other.reached;
        self.compared += other.compared;
        self.wrong += other.wrong;
        self.returned += other.returned;
        self.not_restored += other.not_restored;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Tally { entries, bytes, reached, compared, wrong, returned, not_restored } = self;
        let share = 100.0 * *reached as f64 / (*bytes).max(1) as f64;
        write!(
            f,
            "{entries} entries, {share:.2} % of {bytes} bytes reached, {compared} places compared, {wrong} "
        )?;
        write!(f, "wrong; {returned} returns, {not_restored} not restored")
    }
}

/// Compares everywhere in an image.
pub fn check(name: &str, bytes: &[u8]) -> Tally {
    let file = ImageFile::parse(bytes, BASE).unwrap();
    let image = Image::open(BASE, &file).unwrap();
    let mut walk = Walk {
        image,
        name,
        tally: Tally::default(),
        seen: HashMap::new(),
        factory: InstructionInfoFactory::new(),
    };
    let entries = functions(&image);
    walk.tally.entries = entries.len();
    walk.tally.bytes = entries.iter().map(|entry| (entry.end - entry.begin) as usize).sum();
    for entry in &entries {
        if x64::primary(&image, *entry).unwrap() == *entry {
            walk.function(entry.begin);
        }
    }
    walk.tally
}

/// All entries of the table.
pub fn functions(image: &Image) -> Vec<x64::Function> {
    let word = |at| image.u32(at).unwrap();
    let entries = (image.table..image.table + image.table_size / 12 * 12).step_by(12);
    let read = |at| x64::Function { begin: word(at), end: word(at + 4), info: word(at + 8) };
    entries.map(read).filter(|entry| entry.begin != 0).collect()
}

/// Walks functions.
struct Walk<'a> {
    image: Image<'a>,
    name: &'a str,
    tally: Tally,
    /// Instructions that were reached, and the stack pointer there.
    seen: HashMap<u64, u64>,
    factory: InstructionInfoFactory,
}

impl Walk<'_> {
    /// Carries out a function from its entry, both ways at each branch, each instruction once.
    fn function(&mut self, begin: u32) {
        let start = BASE + u64::from(begin);
        let mut todo = vec![(start, State::entry())];
        let mut told = HashSet::new();
        while let Some((mut ip, mut state)) = todo.pop() {
            while !self.seen.contains_key(&ip) && self.is_inside(ip, start) {
                self.seen.insert(ip, state.sp());
                let instruction = self.decode(ip);
                self.tally.reached += instruction.len();
                if !self.compare(ip, &state, true) && told.insert(start) {
                    println!("{}: function {begin:#x} at {ip:#x}: {instruction}", self.name);
                }
                let next = ip + instruction.len() as u64;
                match state.run(&instruction, &mut self.factory) {
                    Next::On => {}
                    Next::Called => {
                        if !self.compare(next, &state, false) && told.insert(start) {
                            println!("{}: function {begin:#x} after the call at {ip:#x}", self.name);
                        }
                    }
                    Next::Jumps(target, on) => {
                        todo.push((target, state.clone()));
                        if !on {
                            break;
                        }
                    }
                    Next::Returned if state.is_restored() => {
                        self.tally.returned += 1;
                        break;
                    }
                    Next::Returned => {
                        println!(
                            "{}: function {begin:#x} returns at {ip:#x} with sp {:#x}",
                            self.name,
                            state.sp()
                        );
                        self.tally.not_restored += 1;
                        break;
                    }
                    Next::Unknown => break,
                }
                ip = next;
            }
        }
    }

    /// Whether an address is in a fragment of the function that starts there.
    fn is_inside(&self, ip: u64, start: u64) -> bool {
        matches!(x64::function_start(&self.image, ip), Ok(Some(found)) if found == start)
    }

    fn decode(&self, ip: u64) -> Instruction {
        let mut bytes = [0; 15];
        self.image.read(self.image.rva(ip).unwrap(), &mut bytes).unwrap();
        Decoder::with_ip(64, &bytes, ip, DecoderOptions::NONE).decode()
    }

    fn compare(&mut self, ip: u64, state: &State, first: bool) -> bool {
        let mut registers = state.registers(ip);
        let step = x64::step(&self.image, state, &mut registers, first);
        let mut nonvolatile = (0..16).filter(|r| x64::NONVOLATILE >> r & 1 != 0 && *r != x64::RSP);
        let same = step.is_ok()
            && registers.rip == RETURN
            && registers.sp() == ENTRY_SP + 8
            && nonvolatile.all(|r| registers.get(r) == Some(initial(r)));
        self.tally.compared += 1;
        self.tally.wrong += usize::from(!same);
        same
    }
}
