//! Unwinding of x86 against what the code does: every function of real binaries that have a PDB is executed on a
//! pretended stack, and at each instruction that is reached a step must give the caller's registers.
mod cpu;
mod image;

use cpu::{CALLER, Cpu, Flow, JUNK, SP, Target};
use image::{Binary, Record};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use unwind::{
    Memory, Step,
    x86::{Place, Registers, step},
};

/// The stack of a processor.
struct Stack<'a>(&'a BTreeMap<u32, u32>);

impl Memory for Stack<'_> {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let slot = va.is_multiple_of(4) && va.abs_diff(SP.into()) < 1 << 20 && out.len() == 4;
        if slot {
            out.copy_from_slice(&self.0.get(&(va as u32)).copied().unwrap_or(JUNK).to_le_bytes());
        }
        slot
    }
}

/// What came out of an image.
#[derive(Default)]
struct Outcome {
    checked: u64,
    searched: u64,
    unsure: u64,
    wrong: BTreeMap<u32, String>,
}

/// An image while its functions are explored.
struct Explorer<'a> {
    binary: &'a Binary,
    seen: BTreeSet<(u32, bool)>,
    outcome: Outcome,
}

impl Explorer<'_> {
    fn explore(&mut self, start: Cpu, outer: &Record) {
        let mut todo = vec![start];
        while let Some(mut cpu) = todo.pop() {
            let rva = cpu.eip - self.binary.base;
            let inside = rva.wrapping_sub(outer.rva) < outer.size;
            // After code that is not understood (or a switch of stacks) nothing can be said.
            let lost = cpu.esp().abs_diff(SP) > 1 << 16;
            let seen = self.seen.contains(&(rva, true)) || !self.seen.insert((rva, cpu.sure));
            if !inside || lost || seen {
                continue;
            }
            let Some(code) = self.binary.code(rva) else { continue };
            let instruction = cpu::decode(code, cpu.eip);
            self.check(&cpu, true, outer);
            let home = self.binary.frame(rva);
            let next = instruction.next_ip32();
            match cpu.execute(&instruction) {
                Flow::Stop | Flow::Return => continue,
                Flow::Jump(to) => {
                    todo.push(Cpu { eip: to, ..cpu });
                    continue;
                }
                Flow::Branch(to) => todo.push(Cpu { eip: to, ..cpu.clone() }),
                Flow::Call(Target::Function(to)) if self.binary.is_helper(to) => {
                    if !self.help(&mut cpu, to, next) {
                        continue;
                    }
                }
                Flow::Call(Target::Pointer(at)) if self.binary.is_endless(at) => continue,
                Flow::Call(target) => {
                    let pushed = cpu.pending;
                    let (takes, sure) = self.takes(&target, next, pushed);
                    cpu.sure &= sure;
                    let params = match target {
                        Target::Function(to) => self.binary.params(to),
                        _ => None,
                    };
                    self.check_return(&cpu, next, params.unwrap_or(takes), outer);
                    cpu.call(takes);
                }
                Flow::Next => {}
            }
            if self.binary.frame(rva).is_some_and(|record| rva - record.rva < record.data().prologue) {
                cpu.pending = 0;
            }
            cpu.eip = next;
            // What follows a call that does not return may be a handler.
            if !entered_funclet(home, self.binary.frame(next - self.binary.base)) {
                todo.push(cpu);
            }
        }
    }

    /// Executes a function that makes or undoes the frame of its caller; false if it did not come back.
    fn help(&self, cpu: &mut Cpu, function: u32, next: u32) -> bool {
        cpu.push(next);
        cpu.eip = function;
        for _ in 0..64 {
            let Some(code) = self.binary.code(cpu.eip.wrapping_sub(self.binary.base)) else { return false };
            let instruction = cpu::decode(code, cpu.eip);
            cpu.eip = match cpu.execute(&instruction) {
                Flow::Next | Flow::Branch(_) => instruction.next_ip32(),
                Flow::Jump(to) => to,
                Flow::Return => cpu.pop(),
                _ => return false,
            };
            if cpu.eip == next {
                cpu.pending = 0;
                return true;
            }
        }
        false
    }

    /// Bytes of parameters that a callee takes off the stack.
    fn takes(&self, target: &Target, next: u32, pending: u32) -> (u32, bool) {
        let known = match target {
            Target::Function(to) => self.binary.takes(*to, 0),
            Target::Pointer(at) => self.binary.import_takes(*at),
            Target::Unknown => None,
        };
        let known = known.or(matches!(target, Target::Function(_)).then_some(0));
        let cleans_up = || self.binary.cleans_up(next);
        known.map_or_else(
            || if cleans_up() { (0, true) } else { (pending, pending == 0) },
            |takes| (takes, true),
        )
    }

    fn check_return(&mut self, cpu: &Cpu, next: u32, params: u32, outer: &Record) {
        let mut after = Cpu { eip: next, ..cpu.clone() };
        (after.gpr[0], after.gpr[1], after.gpr[2]) = (JUNK, JUNK, JUNK);
        after.pending = params;
        self.check(&after, false, outer);
    }

    fn check(&mut self, cpu: &Cpu, first: bool, outer: &Record) {
        let place_of = cpu.eip - self.binary.base - u32::from(!first);
        let mut registers =
            Registers { pushed: if first { 0 } else { cpu.pending }, ..Registers::new(cpu.eip, 0, 0) };
        (0..8).for_each(|r| registers.set(r, Some(cpu.gpr[usize::from(r)])));
        let returns = |address: u32| address == CALLER || self.binary.returns(address);
        let image = self.binary.image();
        let record = self.binary.frame(place_of);
        let frame = record.as_ref().map(Record::data);
        let place = Place {
            image: Some(&image),
            frame: frame.as_ref(),
            trap: None,
            returns: &returns,
            switches: &|_, _| false,
        };
        let result = step(&place, &Stack(&cpu.stack), &mut registers, first);
        if !cpu.sure {
            self.outcome.unsure += 1;
            return;
        }
        self.outcome.checked += 1;
        self.outcome.searched += u64::from(result == Ok(Step::Searched));
        let before = Cpu::entered(0).gpr;
        let bad = [3, 5, 6, 7]
            .into_iter()
            .find(|r| registers.get(*r).is_some_and(|v| v != before[usize::from(*r)]));
        let text = match (result, bad) {
            (Err(why), _) => why.to_string(),
            (Ok(_), _) if registers.eip != CALLER => format!("eip is {:#x}", registers.eip),
            (Ok(_), _) if registers.esp() != SP + 4 => {
                format!("esp {:#x} off", registers.esp().wrapping_sub(SP + 4))
            }
            (Ok(_), Some(register)) => format!("register {register} is {:x?}", registers.get(register)),
            _ => return,
        };
        let rva = cpu.eip - self.binary.base;
        let text = format!("{:#x}+{:#x} (first: {first}): {text}", outer.rva, rva - outer.rva);
        self.outcome.wrong.entry(rva).or_insert(text);
    }
}

fn entered_funclet(from: Option<Record>, to: Option<Record>) -> bool {
    to.is_some_and(|to| to.funclet && from.is_none_or(|from| from.rva != to.rva))
}

fn run(path: &Path) -> Option<(usize, Outcome, Vec<String>)> {
    let binary = Binary::open(path)?;
    let mut explorer = Explorer { binary: &binary, seen: BTreeSet::new(), outcome: Outcome::default() };
    let outer: Vec<Record> = binary.outer().cloned().collect();
    for record in &outer {
        explorer.explore(Cpu::entered(binary.base + record.rva), record);
    }
    for record in binary.funclets() {
        explorer.explore(Cpu::entered(binary.base + record.rva), record);
    }
    Some((outer.len(), explorer.outcome, binary.differences()))
}

/// Name, functions, least number of places that are checked.
const FIXTURES: [(&str, usize, u64); 4] = [
    ("nested_collided.exe", 52, 1261),
    ("xcpt4.exe", 90, 6241),
    ("xframe_eh_dll.dll", 53, 1329),
    ("xframe_eh_exe.exe", 58, 1732),
];

/// All of Microsoft's SEH tests: no place is wrong. And what `DUMPLAKE_IMAGES` names; with the binaries of debugpy 1.8.22
/// there (3 of them, 1223 functions) 52504 of 52734 places agreed on 2026-11-21. The rest: records that place a register
/// pushed in the middle of a function wrongly (`$20 $T0 24 -` for the third push), prologues of frames on ebx and helpers
/// that make frames for others (`__EH_prolog3`), instructions after calls that do not return, and calls through tables
/// of whose parameters this test does not know enough.
#[test]
fn every_function_with_frame_data() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/symbols/msseh-fixtures/x86");
    let more = std::env::var_os("DUMPLAKE_IMAGES").unwrap_or_default();
    let folders: Vec<PathBuf> = [root].into_iter().chain(std::env::split_paths(&more)).collect();
    let paths: Vec<PathBuf> = folders.iter().flat_map(|folder| image::files(folder)).collect();
    let mut found = 0;
    for path in &paths {
        let Some((functions, outcome, differences)) = run(path) else { continue };
        found += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (checked, wrong) = (outcome.checked, outcome.wrong.len());
        let (unsure, searched) = (outcome.unsure, outcome.searched);
        println!(
            "{name}: {functions} functions, {checked} checked, {wrong} wrong, {searched} searched, {unsure} not"
        );
        assert_eq!(differences, [""; 0], "{name}: our reader of frame data");
        outcome.wrong.values().for_each(|line| println!("   {line}"));
        match FIXTURES.iter().find(|(fixture, ..)| *fixture == name) {
            Some((_, expected, least)) => {
                assert_eq!((functions, wrong), (*expected, 0), "{name}: {:?}", outcome.wrong);
                assert!(checked >= *least, "{name}: {checked}");
            }
            None => assert!(wrong * 100 < checked as usize, "{name}"),
        }
    }
    if found == 0 {
        eprintln!("skipped: no x86 binaries with PDBs in ../shared/symbols/msseh-fixtures");
    }
}
