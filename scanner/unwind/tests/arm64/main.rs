//! Unwinding of ARM64 against what the code does: every function of real binaries is executed on a pretended stack, and
//! at each instruction that is reached a step must give exactly the caller's registers.
mod cpu;

use cpu::{Cpu, Flow};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use unwind::{
    Cached, Image, ImageFile, Memory, Step,
    arm64::{Function, Registers, step},
};

const SP: u64 = 0x70_0000_0000;
const CALLER: u64 = 0x7ff6_1234_5678;

/// The stack of a processor.
struct Stack<'a>(&'a BTreeMap<u64, u64>);

impl Memory for Stack<'_> {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let value = self.0.get(&va).copied().unwrap_or(0xbad0_bad0_bad0_bad0);
        let slot = va.is_multiple_of(8) && va.abs_diff(SP) < 1 << 32 && out.len() == 8;
        if slot {
            out.copy_from_slice(&value.to_le_bytes());
        }
        slot
    }
}

/// The processor at the first instruction of a function.
fn entered(pc: u64) -> Cpu {
    let mut x = std::array::from_fn(|register| 0xc0de_0000 + register as u64);
    (x[29], x[30], x[31]) = (SP + 0x100, CALLER, SP);
    Cpu { pc, x, stack: BTreeMap::new() }
}

/// An image while its functions are explored.
struct Explorer<'a> {
    image: Image<'a>,
    functions: Vec<Function>,
    fragments: BTreeSet<u32>,
    seen: BTreeMap<u32, Cpu>,
    leaves: BTreeSet<u32>,
    /// After a call in each function: its prologue has run.
    bodies: BTreeMap<u32, Cpu>,
    checked: u64,
    /// Places are tried that no path reached.
    guessing: bool,
    wrong: BTreeMap<u32, String>,
    guessed: BTreeMap<u32, String>,
}

impl Explorer<'_> {
    fn function(&self, rva: u32) -> Option<&Function> {
        let index = self.functions.partition_point(|f| f.begin <= rva).checked_sub(1)?;
        self.functions.get(index).filter(|f| rva < f.end)
    }

    fn word(&self, va: u64) -> Option<u32> {
        self.image.u32(self.image.rva(va)?).ok()
    }

    /// By how much a call to this moves the stack pointer: nothing, but for helpers of prologues and epilogues.
    fn moves(&self, target: u64) -> u64 {
        let mut cpu = entered(target);
        for _ in 0..12 {
            let Some(word) = self.word(cpu.pc) else { break };
            match cpu.execute(word) {
                Flow::Return => return cpu.x[31].wrapping_sub(SP),
                Flow::Next | Flow::Branch(_) => cpu.pc += 4,
                _ => break,
            }
        }
        0
    }

    /// Follows all paths from here.
    fn explore(&mut self, start: Cpu) {
        let mut todo = vec![start];
        while let Some(mut cpu) = todo.pop() {
            let Some(rva) = self.image.rva(cpu.pc) else { continue };
            let Some(word) = self.word(cpu.pc) else { continue };
            if self.seen.contains_key(&rva) {
                continue;
            }
            self.seen.insert(rva, cpu.clone());
            self.check(&cpu, true);
            let home = self.function(rva).copied();
            match cpu.execute(word) {
                Flow::Stop | Flow::Return => continue,
                Flow::Jump(to) => {
                    cpu.pc = to;
                    if !self.is_call(home, to) {
                        todo.push(cpu);
                    }
                    continue;
                }
                Flow::Branch(to) => todo.push(Cpu { pc: to, ..cpu.clone() }),
                Flow::Call(to) => {
                    cpu.call();
                    let moves = to.map_or(0, |to| self.moves(to));
                    cpu.x[31] = cpu.x[31].wrapping_add(moves);
                    if let Some(rva) = to.and_then(|to| self.image.rva(to))
                        && self.function(rva).is_none()
                    {
                        self.leaves.insert(rva);
                    }
                    if moves == 0 {
                        self.bodies.insert(home.map_or(0, |f| f.begin), cpu.clone());
                        self.check(&Cpu { pc: cpu.pc + 4, ..cpu.clone() }, false);
                    }
                }
                Flow::Next => {}
            }
            cpu.pc += 4;
            // What follows a call that does not return is another function.
            let next = self.image.rva(cpu.pc).and_then(|rva| self.function(rva));
            if next.map(|f| f.begin) == home.map(|f| f.begin)
                || next.is_some_and(|f| self.fragments.contains(&f.begin))
            {
                todo.push(cpu);
            }
        }
    }

    /// Whether a jump leaves the function for another one.
    fn is_call(&self, home: Option<Function>, to: u64) -> bool {
        let Some(rva) = self.image.rva(to) else { return true };
        let target = self.function(rva);
        target.is_none_or(|f| {
            Some(f.begin) != home.map(|f| f.begin) && f.begin == rva && !self.fragments.contains(&f.begin)
        })
    }

    /// Whether a step from here gives the caller's registers.
    fn check(&mut self, cpu: &Cpu, first: bool) {
        let rva = self.image.rva(cpu.pc).unwrap();
        let mut registers = Registers::new(cpu.pc, cpu.x[31], cpu.x[29], cpu.x[30]);
        (0..31).for_each(|register| registers.set(register, Some(cpu.x[usize::from(register)])));
        self.checked += 1;
        let result = step(&self.image, &Stack(&cpu.stack), &mut registers, first);
        let start = self.function(rva).map_or(rva, |f| f.begin);
        let sp = match result {
            Ok(Step::Exact) => SP.wrapping_add(self.moves(self.image.base + u64::from(start))),
            _ => SP,
        };
        let caller = entered(0);
        let bad = (19..30).find(|r| registers.get(*r) != Some(caller.x[usize::from(*r)]));
        let text = match (result, bad) {
            (Err(why), _) => why.to_string(),
            (Ok(_), Some(register)) => format!("x{register} is {:x?}", registers.get(register)),
            (Ok(_), _) if registers.sp != sp => format!("sp {:#x} off", registers.sp.wrapping_sub(sp)),
            (Ok(_), _) if registers.pc != CALLER => format!("pc is {:#x}", registers.pc),
            _ => return,
        };
        let place = format!("{start:#x}+{:#x} (return: {}): {text}", rva - start, !first);
        let list = if self.guessing { &mut self.guessed } else { &mut self.wrong };
        list.entry(rva).or_insert(place);
    }

    /// Registers in the body of a function.
    fn body(&self, function: &Function) -> Option<Cpu> {
        let seen = self.seen.range(function.begin..function.end);
        let lowest = || seen.min_by_key(|(rva, cpu)| (cpu.x[31], u32::MAX - **rva)).map(|(_, cpu)| cpu);
        self.bodies.get(&function.begin).or_else(lowest).cloned()
    }

    /// Places that no path reached (jump tables lead there): tried with the registers of the function's body.
    fn rest(&mut self, function: &Function) {
        for rva in (function.begin..function.end).step_by(4) {
            let pc = self.image.base + u64::from(rva);
            let code = self.word(pc).is_some_and(|word| word >> 16 != 0);
            if self.seen.contains_key(&rva) || !code {
                continue;
            }
            let Some(cpu) = self.body(function) else { return };
            self.explore(Cpu { pc, ..cpu });
        }
    }
}

/// What came out of an image.
#[derive(Debug, Default)]
struct Outcome {
    functions: usize,
    checked: u64,
    wrong: Vec<String>,
    guessed: Vec<String>,
}

fn run(path: &Path) -> Outcome {
    let bytes = std::fs::read(path).unwrap();
    let base = 0x1_8000_0000;
    let file = ImageFile::parse(&bytes, base).unwrap();
    let cached = Cached::new(&file, base, 1 << 24);
    let image = Image::open(base, &cached).unwrap();
    let functions: Vec<Function> =
        (0..image.table_size / 8).map(|index| Function::at(&image, index).unwrap()).collect();
    let hosted = functions.iter().filter(|f| f.is_fragment(&image).unwrap());
    let fragments: BTreeSet<u32> = hosted.map(|f| f.begin).collect();
    let mut explorer = Explorer {
        image,
        functions: functions.clone(),
        fragments: fragments.clone(),
        seen: BTreeMap::new(),
        leaves: BTreeSet::new(),
        bodies: BTreeMap::new(),
        checked: 0,
        guessing: false,
        wrong: BTreeMap::new(),
        guessed: BTreeMap::new(),
    };
    for function in functions.iter().filter(|f| !fragments.contains(&f.begin)) {
        explorer.explore(entered(base + u64::from(function.begin)));
    }
    while let Some(leaf) = explorer.leaves.pop_first() {
        explorer.explore(entered(base + u64::from(leaf)));
    }
    explorer.guessing = true;
    functions.iter().for_each(|f| explorer.rest(f));
    let (wrong, guessed) = (explorer.wrong.into_values().collect(), explorer.guessed.into_values().collect());
    Outcome { functions: functions.len(), checked: explorer.checked, wrong, guessed }
}

fn is_arm64(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let header = bytes.get(0x3c..0x40).map(|at| u32::from_le_bytes(at.try_into().unwrap()) as usize);
    header.is_some_and(|at| bytes.get(at..at + 6) == Some(b"PE\0\0\x64\xaa"))
}

fn images(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(images(&path));
        } else if path
            .extension()
            .is_some_and(|e| ["exe", "dll", "sys", "pyd", "node"].iter().any(|known| e == *known))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `__security_push_cookie` lowers the stack pointer for its caller. At its last instruction its unwind data tells so by
/// saying nothing, but does not say that the return address is to be looked up as it is (as `__security_pop_cookie`
/// does): that one instruction cannot be unwound from.
const PUSH: &str = "0x1060+0x14 (return: false): sp 0xfffffffffffffff0 off";

/// Name, functions, least number of places that are checked, places that are wrong.
const FIXTURES: [(&str, usize, u64, &[&str]); 4] = [
    ("nested_collided.exe", 39, 1148, &[PUSH]),
    ("xcpt4.exe", 234, 6620, &[PUSH]),
    ("xframe_eh_dll.dll", 44, 1137, &[]),
    ("xframe_eh_exe.exe", 49, 1688, &[]),
];

/// All of Microsoft's SEH tests, and what `DUMPLAKE_IMAGES` names. With the binaries of node-pty 1.1.0 there (7 of
/// them, 7435 functions, 457908 places) the rest was, on 2026-11-21: `__security_push_cookie` (7 places); a loop that
/// would overwrite its own frame if a number had more than 32 digits (55); instructions after calls that do not return (2);
/// and, of places that no path reached, the tables of switches and of memset, which are no code.
#[test]
fn every_function_of_real_binaries() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/symbols/msseh-fixtures/ARM64");
    let more = std::env::var_os("DUMPLAKE_IMAGES").unwrap_or_default();
    let folders = [root].into_iter().chain(std::env::split_paths(&more));
    let paths: Vec<PathBuf> =
        folders.flat_map(|folder| images(&folder)).filter(|path| is_arm64(path)).collect();
    if paths.is_empty() {
        eprintln!("skipped: no ARM64 binaries in ../shared/symbols/msseh-fixtures");
    }
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let outcome = run(path);
        let (functions, checked) = (outcome.functions, outcome.checked);
        let (wrong, guessed) = (outcome.wrong.len(), outcome.guessed.len());
        println!("{name}: {functions} functions, {checked} checked, {wrong} wrong, {guessed} wrong guesses");
        outcome.wrong.iter().chain(&outcome.guessed).for_each(|line| println!("   {line}"));
        match FIXTURES.iter().find(|(fixture, ..)| *fixture == name) {
            Some((_, functions, checked, wrong)) => {
                assert_eq!(outcome.functions, *functions, "{name}");
                assert!(outcome.checked >= *checked, "{name}: {}", outcome.checked);
                assert_eq!(outcome.wrong, *wrong, "{name}");
                assert!(outcome.guessed.is_empty(), "{name}: {:?}", outcome.guessed);
            }
            None => assert!(wrong * 1000 < checked as usize && guessed * 1000 < checked as usize, "{name}"),
        }
    }
}
