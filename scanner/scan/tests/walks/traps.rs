//! Trap frames: those of the plan, what is left of one that was served, and what only looks like one.

use super::stacks::Symbols;
use crate::support::{Row, Tables, kernels, named_tables};
use fixtures::{
    Arch, Build, Format, Machine, Space, Thread, scenario,
    stacks::{Frame, FrameKind, Mode, Past, Stack, StackEnd, Trap},
};

fn tables(machine: &Machine) -> Tables {
    let names = ["trap_frames", "stacks", "threads", "faults"];
    named_tables(machine, Format::Full, &Symbols::of(machine), &names)
}

fn of<'t>(tables: &'t Tables, thread: &Thread) -> Vec<&'t Row> {
    let ethread = thread.ethread.to_string();
    tables["trap_frames"].iter().filter(|row| row["ethread"] == ethread).collect()
}

/// The frame that a trap interrupted.
fn interrupted<'s>(stack: &'s Stack, trap: &Trap) -> &'s Frame {
    stack.frames.iter().chain(&stack.beyond).find(|frame| (frame.ip, frame.sp) == (trap.ip, trap.sp)).unwrap()
}

/// What a row says of a trap, whatever found it: None is NULL.
fn expected(machine: &Machine, trap: &Trap, frame: &Frame) -> Vec<(&'static str, Option<String>)> {
    let (arch, user) = (machine.facts.arch, trap.mode == Mode::User);
    let (pushed, fp, set, segments) = match arch {
        Arch::Arm64 => (None, "Fp", "ARM64", None),
        Arch::X86 | Arch::X86Pae => (Some("Eip"), "Ebp", "x86", Some([8, 0x1b])),
        Arch::X64 | Arch::X64La57 => (Some("Rip"), "Rbp", "x64", Some([0x10, 0x33])),
    };
    let machine_frame =
        pushed.map(|member| trap.va + machine.facts.layout().offset("_KTRAP_FRAME", member) as u64);
    let flags = match (arch, user) {
        (Arch::Arm64, false) => 0x6000_0004_u64,
        (Arch::Arm64, true) => 0x6000_0000,
        (_, false) => 0x1_0246,
        (_, true) => 0x246,
    };
    vec![
        ("trap_frame", Some(trap.va.to_string())),
        ("machine_frame", machine_frame.map(|va| va.to_string())),
        ("ip", Some(trap.ip.to_string())),
        ("sp", Some(trap.sp.to_string())),
        ("frame_pointer", Some(frame.registers[fp].to_string())),
        ("flags_register", Some(flags.to_string())),
        ("code_segment", segments.map(|pair| pair[usize::from(user)].to_string())),
        ("module", Some(frame.module.clone())),
        ("mode", Some(if user { "user" } else { "kernel" }.into())),
        ("instruction_set", Some(set.into())),
    ]
}

fn check(name: &str, row: &Row, expected: &[(&'static str, Option<String>)]) {
    for (column, value) in expected {
        assert_eq!(row.get(*column), value.as_ref(), "{name}: {column} of {row:?}");
    }
}

/// One that the walk went over. Only the handler of page faults gets an error code here; it notes the address, but on
/// x86 not in the trap frame; and ARM64 has no error codes.
fn check_walked(name: &str, machine: &Machine, stack: &Stack, trap: &Trap, row: &Row) {
    let frame = interrupted(stack, trap);
    let page_fault = frame.kind == FrameKind::Trap;
    let (narrow, arm) = (!machine.facts.arch.is_64(), machine.facts.arch == Arch::Arm64);
    let mut all = expected(machine, trap, frame);
    all.extend([
        ("error_code", (page_fault && !arm).then(|| trap.error.to_string())),
        ("fault_address", (page_fault && !narrow).then(|| machine.facts.parameters[0].to_string())),
        ("source", Some("walk".into())),
        ("confidence", Some("high".into())),
        ("live", Some("true".into())),
    ]);
    check(name, row, &all);
}

/// One that is left: found by its shape. On x64 nothing but the shape tells that it is one of the kernel's.
fn check_past(name: &str, machine: &Machine, past: &Past, row: &Row) {
    let mut all = expected(machine, &past.trap, &past.frame);
    if matches!(machine.facts.arch, Arch::X64 | Arch::X64La57) {
        all.retain(|column| column.0 != "frame_pointer");
        all.push(("frame_pointer", None));
    }
    all.extend([
        ("error_code", None),
        ("fault_address", None),
        ("source", Some("scan".into())),
        ("confidence", Some("medium".into())),
        ("live", Some("false".into())),
    ]);
    check(name, row, &all);
}

#[test]
fn every_trap_frame_of_every_build() {
    for (arch, build) in kernels() {
        let machine = scenario::stacks(arch, build.clone());
        let tables = tables(&machine);
        let (mut walked, mut past) = (0, 0);
        for stack in &machine.facts.stacks.threads {
            let thread = &machine.facts.threads[stack.thread.0];
            let name = format!("{arch:?} {} {}", build.number, thread.name.as_deref().unwrap_or(""));
            let rows = of(&tables, thread);
            let row = |trap: &Trap| {
                let address = trap.va.to_string();
                let found = rows.iter().find(|row| row.get("trap_frame") == Some(&address));
                *found.unwrap_or_else(|| panic!("{name}: {trap:x?}: {rows:?}"))
            };
            // A stack that is not in the dump has none.
            let traps: Vec<&Trap> = stack.traps.iter().filter(|_| stack.end == StackEnd::Start).collect();
            assert_eq!(rows.len(), traps.len() + stack.past.len(), "{name}: {rows:?}");
            traps.iter().for_each(|trap| check_walked(&name, &machine, stack, trap, row(trap)));
            stack.past.iter().for_each(|past| check_past(&name, &machine, past, row(&past.trap)));
            (walked, past) = (walked + traps.len(), past + stack.past.len());
        }
        assert_eq!((walked, past), (2, 1), "{arch:?} {}: a page fault and a system call", build.number);
        let missing = tables["faults"].iter().find(|fault| fault["structure"] == "_KTRAP_FRAME");
        assert_eq!(missing, None);
    }
}

/// Copies of a trap frame that a served trap left, in the lower part of the same stack.
struct Copies {
    machine: Machine,
    thread: Thread,
    past: Past,
    next: u64,
    good: Vec<u64>,
    /// Those of the good ones that are believed less.
    low: Vec<u64>,
}

/// A member with another value: name, value, bytes.
type Change = (&'static str, u64, usize);

impl Copies {
    fn new(arch: Arch, build: Build) -> Copies {
        let machine = scenario::stacks(arch, build);
        let stack = machine.facts.stacks.threads.iter().find(|stack| !stack.past.is_empty()).unwrap();
        let (past, thread) = (stack.past[0].clone(), machine.facts.threads[stack.thread.0].clone());
        let (next, good) = (thread.stack_limit + 0x100, vec![past.trap.va]);
        Copies { machine, thread, past, next, good, low: Vec::new() }
    }

    /// Of the trap frame of a system call, which the walk goes over.
    fn of_system_call(arch: Arch, build: Build) -> Copies {
        let machine = scenario::stacks(arch, build);
        let stack = machine.facts.stacks.threads.iter().find(|stack| stack.user.is_some()).unwrap();
        let trap = stack.traps[0];
        let frame = interrupted(stack, &trap).clone();
        let thread = machine.facts.threads[stack.thread.0].clone();
        let (next, good) = (thread.stack_limit + 0x100, Vec::new());
        Copies { machine, thread, past: Past { trap, frame }, next, good, low: Vec::new() }
    }

    /// Writes a copy with changed members; `good` says that it still is a trap frame.
    fn add(&mut self, good: bool, changes: &[Change]) {
        let layout = self.machine.facts.layout();
        let (va, size) = (self.next, layout.size("_KTRAP_FRAME").next_multiple_of(16));
        let offset = |member: &str| layout.offset("_KTRAP_FRAME", member) as u64;
        let changes: Vec<_> = changes.iter().map(|&(member, ..)| offset(member)).zip(changes).collect();
        let bytes = self.machine.read_va(Space::Kernel, self.past.trap.va, size);
        self.machine.write_va(Space::Kernel, va, &bytes);
        for (offset, (_, value, width)) in changes {
            self.machine.write_va(Space::Kernel, va + offset, &value.to_le_bytes()[..*width]);
        }
        self.next += size as u64 + 0x20;
        assert!(self.next < self.past.trap.va);
        self.good.extend(good.then_some(va));
    }

    /// Every good one is found, and nothing else.
    fn check(mut self) {
        let tables = tables(&self.machine);
        let mut rows = of(&tables, &self.thread);
        rows.retain(|row| row["source"] != "walk");
        let mut found: Vec<u64> = rows.iter().map(|row| row["trap_frame"].parse().unwrap()).collect();
        found.sort_unstable();
        self.good.sort_unstable();
        assert_eq!(found, self.good, "{rows:?}");
        for row in rows {
            let low = self.low.iter().any(|va| row["trap_frame"] == va.to_string());
            let confidence = if low { "low" } else { "medium" };
            assert_eq!((row["source"].as_str(), row["confidence"].as_str()), ("scan", confidence), "{row:?}");
        }
    }

    /// Addresses that are no code: in no module, and in a module's headers.
    fn no_code(&self) -> [u64; 2] {
        let facts = &self.machine.facts;
        let driver = facts.modules.iter().find(|module| module.name == "contoso.sys").unwrap();
        [facts.kernel_base - 0x10_0000, driver.base + 0x100]
    }
}

#[test]
fn near_misses_of_x64() {
    let mut copies = Copies::new(Arch::X64, Build::WIN10_19041);
    // The processor pushed it below the stack pointer that it saved: a copy elsewhere is none.
    copies.add(false, &[]);
    // What it pushes ends with `SegSs`, in 8 bytes.
    let own = |copies: &Copies| ("Rsp", copies.next + 0x190, 8);
    let wrong = [("SegCs", 0x33, 8), ("SegCs", 0x1_0010, 8), ("SegSs", 0x2b, 8), ("EFlags", 0x244, 8)];
    let code = copies.no_code().map(|va| ("Rip", va, 8));
    for change in wrong.into_iter().chain(code) {
        let rsp = own(&copies);
        copies.add(false, &[rsp, change]);
    }
    let (_, rsp, _) = own(&copies);
    copies.add(false, &[("Rsp", rsp + 16, 8)]);
    let rsp = own(&copies);
    copies.add(true, &[rsp, ("EFlags", 0x202, 8)]);
    copies.check();
}

#[test]
fn near_misses_of_x86() {
    for build in Build::X86 {
        let mut copies = Copies::new(Arch::X86, build);
        let ip = copies.past.trap.ip;
        let wrong = [
            ("DbgArgMark", 0xbadb_0d01),
            ("DbgEip", ip + 2),
            ("Eip", ip + 2),
            ("DbgEbp", 0),
            ("SegCs", 0x10),
            ("SegCs", 0x1b),
            ("EFlags", 0x1_0244),
        ];
        wrong.into_iter().for_each(|(member, value)| copies.add(false, &[(member, value, 4)]));
        for va in copies.no_code() {
            copies.add(false, &[("Eip", va, 4), ("DbgEip", va, 4)]);
        }
        copies.add(true, &[("EFlags", 0x202, 4)]);
        copies.check();
    }
}

#[test]
fn near_misses_of_arm64() {
    let mut copies = Copies::new(Arch::Arm64, Build::WIN10_19041);
    let (trap, base) = (copies.past.trap, copies.thread.stack_base);
    let wrong = [
        ("Spsr", 0x6000_0008, 4),
        ("Spsr", 0x6000_0000, 4),
        ("Spsr", 0x6400_0004, 4),
        ("Sp", copies.thread.stack_limit, 8),
        ("Sp", trap.sp + 8, 8),
        ("Sp", base + 0x10, 8),
        ("Fp", trap.sp - 8, 8),
        ("Fp", base, 8),
        ("Pc", trap.ip + 2, 8),
    ];
    let code = copies.no_code().map(|va| ("Pc", va, 8));
    wrong.into_iter().chain(code).for_each(|change| copies.add(false, &[change]));
    // On the other stack pointer, with interrupts masked.
    copies.add(true, &[("Spsr", 0x8000_0085, 4)]);
    copies.check();
}

/// Of user mode: code of a module counts, and memory outside of all modules that can be read; nothing else. Of ARM64
/// the latter counts less unless user mode may execute it.
#[test]
fn near_misses_of_user_mode() {
    for (arch, build, [ip, sp, copy]) in [
        (Arch::X64, Build::WIN10_19041, ["Rip", "Rsp", "Rip"]),
        (Arch::X86, Build::WIN7_7601, ["Eip", "HardwareEsp", "DbgEip"]),
        (Arch::Arm64, Build::WIN10_19041, ["Pc", "Sp", "Pc"]),
    ] {
        let mut copies = Copies::of_system_call(arch, build);
        let (facts, width) = (&copies.machine.facts, copies.machine.facts.arch.pointer());
        let program = facts.stacks.images.iter().find(|image| image.name == "app").unwrap();
        let (headers, stack) = (program.base + 0x100, copies.past.trap.sp & !0xf);
        let main = program.base + u64::from(program.functions[0].rva) + 4;
        let (kernel, process) = (facts.kernel_base, facts.spaces.last().unwrap().process);
        copies.add(true, &[]);
        // Memory made at run time: one page for code, one for data.
        for page in [0x5000_0000, 0x5001_0000] {
            copies.machine.write_va(Space::Process(process), page, &[0; 0x1000]);
        }
        copies.machine.executable_page(Space::Process(process), 0x5000_0000);
        let outside = [(0x5000_0234, true), (0x5001_0234, false), (stack, false)];
        for (va, good) in [(main, true), (headers, false), (0x1_2340, false), (kernel, false)] {
            copies.add(good, &[(ip, va, width), (copy, va, width)]);
        }
        for (va, for_code) in outside {
            let low = arch == Arch::Arm64 && !for_code;
            copies.low.extend(low.then_some(copies.next));
            copies.add(true, &[(ip, va, width), (copy, va, width)]);
        }
        copies.add(false, &[(sp, kernel, width)]);
        copies.add(false, &[(sp, 0x10, width)]);
        copies.check();
    }
}

/// Without the members nobody knows where one is: a fault says so. What x64 pushes is found all the same.
#[test]
fn layouts_without_trap_frames() {
    for (arch, build, rows) in [
        (Arch::X64, Build::WIN10_19041, 3),
        (Arch::X86, Build::WIN7_7601, 0),
        (Arch::Arm64, Build::WIN10_19041, 0),
    ] {
        let machine = scenario::stacks(arch, build);
        let mut symbols = Symbols::of(&machine);
        symbols.kernel.profile.types.remove("_KTRAP_FRAME");
        let tables =
            named_tables(&machine, Format::Full, &symbols, &["trap_frames", "stacks", "threads", "faults"]);
        assert_eq!(tables["trap_frames"].len(), rows, "{arch:?}");
        let known = |row: &Row| row.contains_key("trap_frame") || row.contains_key("frame_pointer");
        assert!(!tables["trap_frames"].iter().any(known), "{arch:?}");
        let fault = tables["faults"].iter().find(|fault| fault["structure"] == "_KTRAP_FRAME");
        assert_eq!(fault.map(|fault| fault["kind"].as_str()), Some("missing_field"), "{arch:?}");
    }
}
