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
    seen: BTreeMap<u32, Cpu>,
    leaves: BTreeSet<u32>,
    checked: u64,
    wrong: BTreeMap<u32, String>,
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
                        self.check(&Cpu { pc: cpu.pc + 4, ..cpu.clone() }, false);
                    }
                }
                Flow::Next => {}
            }
            cpu.pc += 4;
            // What follows a call that does not return is another function.
            let next = self.image.rva(cpu.pc).and_then(|rva| self.function(rva));
            if next.map(|f| f.begin) == home.map(|f| f.begin) || next.is_some_and(|f| f.fragment) {
                todo.push(cpu);
            }
        }
    }

    /// Whether a jump leaves the function for another one.
    fn is_call(&self, home: Option<Function>, to: u64) -> bool {
        let Some(rva) = self.image.rva(to) else { return true };
        let target = self.function(rva);
        target.is_none_or(|f| Some(f.begin) != home.map(|f| f.begin) && f.begin == rva && !f.fragment)
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
        let place = format!("{:#x}+{:#x} (return: {}): {text}", start, rva - start, !first);
        self.wrong.entry(rva).or_insert(place);
    }

    /// Places that no path reached (jump tables lead there): tried with the registers of the function's body.
    fn rest(&mut self, function: &Function) -> u64 {
        let mut count = 0;
        for rva in (function.begin..function.end).step_by(4) {
            let pc = self.image.base + u64::from(rva);
            let code = self.word(pc).is_some_and(|word| word >> 16 != 0);
            if self.seen.contains_key(&rva) || !code {
                continue;
            }
            let body = self.seen.range(function.begin..function.end).map(|(_, cpu)| cpu);
            let Some(cpu) = body.min_by_key(|cpu| (cpu.x[31], cpu.x[29])).cloned() else {
                count += 1;
                continue;
            };
            self.explore(Cpu { pc, ..cpu });
        }
        count
    }
}

/// What came out of an image.
#[derive(Debug, Default)]
struct Outcome {
    functions: usize,
    checked: u64,
    wrong: Vec<String>,
    unreached: u64,
}

fn run(path: &Path) -> Outcome {
    let bytes = std::fs::read(path).unwrap();
    let base = 0x1_8000_0000;
    let file = ImageFile::parse(&bytes, base).unwrap();
    let cached = Cached::new(&file, base, 1 << 24);
    let image = Image::open(base, &cached).unwrap();
    let functions: Vec<Function> =
        (0..image.table_size / 8).map(|index| Function::at(&image, index).unwrap()).collect();
    let mut explorer = Explorer {
        image,
        functions: functions.clone(),
        seen: BTreeMap::new(),
        leaves: BTreeSet::new(),
        checked: 0,
        wrong: BTreeMap::new(),
    };
    for function in functions.iter().filter(|f| !f.fragment) {
        explorer.explore(entered(base + u64::from(function.begin)));
    }
    while let Some(leaf) = explorer.leaves.pop_first() {
        explorer.explore(entered(base + u64::from(leaf)));
    }
    let unreached = functions.iter().map(|f| explorer.rest(f)).sum();
    let wrong = explorer.wrong.into_values().collect();
    Outcome { functions: functions.len(), checked: explorer.checked, wrong, unreached }
}

fn images(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(images(&path));
        } else if path.extension().is_some_and(|e| e == "exe" || e == "dll" || e == "node") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_function_of_real_binaries() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/symbols/msseh-fixtures/ARM64");
    let more = std::env::var_os("DUMPLAKE_ARM64_IMAGES").map(PathBuf::from);
    let paths: Vec<PathBuf> = [Some(root), more].into_iter().flatten().flat_map(|f| images(&f)).collect();
    for path in &paths {
        let outcome = run(path);
        println!(
            "{}: {} functions, {} checked, {} wrong, {} unreached",
            path.file_name().unwrap().display(),
            outcome.functions,
            outcome.checked,
            outcome.wrong.len(),
            outcome.unreached
        );
        outcome.wrong.iter().take(60).for_each(|line| println!("   {line}"));
    }
}
