//! Walks the branches of every function of an image and compares at each instruction.

use super::{
    emulator::{ENTRY_SP, Next, RETURN, State, initial},
    peer,
};
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, Register,
};
use std::{collections::HashMap, fmt, ops::AddAssign};
use unwind::{Image, ImageFile, x64};

const BASE: u64 = 0x1_8000_0000;

/// What was counted.
#[derive(Default, Clone, Copy)]
pub struct Tally {
    /// Table entries, fragments too.
    pub entries: usize,
    /// Bytes of code in them.
    pub bytes: usize,
    /// Bytes that were reached, and jump tables between them.
    pub reached: usize,
    /// Places where the caller was compared.
    pub compared: usize,
    /// Places where ours was wrong.
    pub wrong: usize,
    /// Places where the other unwinder was wrong.
    pub peer_wrong: usize,
    /// Returns with all registers restored.
    pub returned: usize,
    /// Returns without: the emulator's own mistakes.
    pub not_restored: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.entries += other.entries;
        self.bytes += other.bytes;
        self.reached += other.reached;
        self.compared += other.compared;
        self.wrong += other.wrong;
        self.peer_wrong += other.peer_wrong;
        self.returned += other.returned;
        self.not_restored += other.not_restored;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Tally { entries, bytes, reached, compared, wrong, peer_wrong, returned, not_restored } = self;
        let share = 100.0 * *reached as f64 / (*bytes).max(1) as f64;
        write!(f, "{entries} entries, {share:.2} % of {bytes} bytes; {compared} places, {wrong} wrong, ")?;
        write!(f, "peer {peer_wrong} wrong; {returned} returns, {not_restored} not restored")
    }
}

/// Compares everywhere in an image.
pub fn check(name: &str, bytes: &[u8]) -> Tally {
    let file = ImageFile::parse(bytes, BASE).unwrap();
    let image = Image::open(BASE, &file).unwrap();
    let mut table = vec![0; (image.table_size / 12 * 12) as usize];
    image.read(image.table, &mut table).unwrap();
    let mut fragments = HashMap::<u32, Vec<x64::Function>>::new();
    let mut tally = Tally::default();
    for entry in functions(&image) {
        tally.entries += 1;
        tally.bytes += (entry.end - entry.begin) as usize;
        fragments.entry(x64::primary(&image, entry).unwrap().begin).or_default().push(entry);
    }
    let factory = InstructionInfoFactory::new();
    let mut walk = Walk { image, name, bytes, table: &table, tally, seen: HashMap::new(), factory };
    for (begin, fragments) in fragments {
        walk.function(begin, &fragments);
    }
    walk.tally
}

/// All entries of the table.
fn functions(image: &Image) -> Vec<x64::Function> {
    let word = |at| image.u32(at).unwrap();
    let entries = (image.table..image.table + image.table_size / 12 * 12).step_by(12);
    let read = |at| x64::Function { begin: word(at), end: word(at + 4), info: word(at + 8) };
    entries.map(read).filter(|entry| entry.begin != 0).collect()
}

/// Walks functions.
struct Walk<'a> {
    image: Image<'a>,
    name: &'a str,
    bytes: &'a [u8],
    table: &'a [u8],
    tally: Tally,
    /// Instructions that were reached, and their length.
    seen: HashMap<u64, usize>,
    factory: InstructionInfoFactory,
}

impl Walk<'_> {
    /// Carries out a function from its entry, both ways at each branch, all ways of a `switch`, each instruction once.
    fn function(&mut self, begin: u32, fragments: &[x64::Function]) {
        let mut todo = vec![(BASE + u64::from(begin), State::entry())];
        let before = (self.tally.wrong, self.tally.not_restored);
        while let Some((ip, state)) = todo.pop() {
            self.path(ip, state, fragments, &mut todo);
        }
        if before != (self.tally.wrong, self.tally.not_restored) {
            println!("{}: not right in function {begin:#x}", self.name);
        }
    }

    /// One path, until it ends or meets one that was taken.
    fn path(
        &mut self,
        mut ip: u64,
        mut state: State,
        fragments: &[x64::Function],
        todo: &mut Vec<(u64, State)>,
    ) {
        let (mut table, mut most) = (None, 0);
        while !self.seen.contains_key(&ip) && fragments.iter().any(|f| f.contains((ip - BASE) as u32)) {
            let instruction = self.decode(ip);
            self.seen.insert(ip, instruction.len());
            self.tally.reached += instruction.len();
            self.compare(ip, &state, true);
            let next = ip + instruction.len() as u64;
            table = jump_table(&instruction).or(table);
            if let (Mnemonic::Cmp, Ok(bound)) = (instruction.mnemonic(), instruction.try_immediate(1)) {
                most = bound as u32; // what is checked before a switch
            }
            match state.run(&instruction, &mut self.factory) {
                Next::On => {}
                Next::Called => self.compare(next, &state, false),
                Next::Jumps(target, goes_on) => {
                    todo.push((target, state.clone()));
                    if !goes_on {
                        return;
                    }
                }
                Next::Returned if state.is_restored() => {
                    self.tally.returned += 1;
                    return;
                }
                Next::Returned => {
                    self.tally.not_restored += 1;
                    return;
                }
                Next::Unknown => {
                    if let (FlowControl::IndirectBranch, Some(table)) = (instruction.flow_control(), table) {
                        todo.extend(
                            self.cases(table, most, fragments).into_iter().map(|ip| (ip, state.clone())),
                        );
                    }
                    return;
                }
            }
            ip = next;
        }
    }

    /// Targets of a jump table: RVAs in the function, for indexes up to `most`.
    fn cases(&mut self, table: u32, most: u32, fragments: &[x64::Function]) -> Vec<u64> {
        let read = |index: u32| self.image.u32(table + 4 * index).ok();
        let targets =
            (0..=most.min(1000)).map_while(read).take_while(|rva| fragments.iter().any(|f| f.contains(*rva)));
        let targets: Vec<u64> = targets.map(|rva| BASE + u64::from(rva)).collect();
        let place = BASE + u64::from(table);
        if fragments.iter().any(|f| f.contains(table)) && self.seen.insert(place, 0).is_none() {
            self.tally.reached += 4 * targets.len();
        }
        targets
    }

    fn decode(&self, ip: u64) -> Instruction {
        let mut bytes = [0; 15];
        // The last instruction of a section may have fewer.
        let rva = self.image.rva(ip).unwrap();
        let there = (1..=15).rev().find(|&len| self.image.read(rva, &mut bytes[..len]).is_ok());
        let bytes = &bytes[..there.unwrap()];
        Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE).decode()
    }

    /// Compares the caller of a place with what it must be; `first` as for [`x64::step`].
    fn compare(&mut self, ip: u64, state: &State, first: bool) {
        let mut registers = state.registers(ip);
        let step = x64::step(&self.image, state, &mut registers, first);
        let right = step.is_ok() && is_caller(&registers);
        self.tally.compared += 1;
        self.tally.wrong += usize::from(!right);
        if !right {
            println!("{}: wrong at {ip:#x} ({step:?}): {}", self.name, self.decode(ip));
        }
        let lookup = self.image.rva(ip).unwrap() - u32::from(!first);
        let other = peer::step(self.table, self.bytes, state, lookup, ip);
        self.tally.peer_wrong += usize::from(!other.is_some_and(|registers| is_caller(&registers)));
    }
}

/// RVA of the table that `mov r32, [image base + index * 4 + table]` reads.
fn jump_table(i: &Instruction) -> Option<u32> {
    let reads = i.mnemonic() == Mnemonic::Mov && i.op0_register().is_gpr32() && i.memory_index_scale() == 4;
    (reads && i.memory_base() != Register::None)
        .then_some(i.memory_displacement32())
        .filter(|rva| *rva > 0x1000)
}

/// Whether these are the registers of the function that called.
fn is_caller(registers: &x64::Registers) -> bool {
    let mut nonvolatile = (0..16).filter(|r| x64::NONVOLATILE >> r & 1 != 0 && *r != x64::RSP);
    let same = nonvolatile.all(|r| registers.get(r) == Some(initial(r)));
    same && registers.rip == RETURN && registers.sp() == ENTRY_SP + 8
}
