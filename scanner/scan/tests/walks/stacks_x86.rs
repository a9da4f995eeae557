//! Stacks of x86 where no PDB helps, and where one does harm.

use super::stacks::{Symbols, of, told};
use crate::support::{Tables, named_tables};
use fixtures::{
    Arch, Build, Format, Machine, Space,
    pdb::Pdb,
    scenario,
    stack::function::{Piece, Rule},
    stacks::{Stack, StackEnd},
};
use scan::nt::symbols::pdb;

fn walked(machine: &Machine, pdbs: Vec<Vec<u8>>) -> Tables {
    let mut symbols = Symbols::of(machine);
    symbols.pdbs = pdbs.into_iter().map(|bytes| (pdb::identify(&bytes).unwrap(), bytes)).collect();
    named_tables(machine, Format::Full, &symbols, &["stacks", "frames"])
}

fn stack<'m>(machine: &'m Machine, name: &str) -> (&'m Stack, u64) {
    let facts = &machine.facts;
    let thread = facts.threads.iter().position(|thread| thread.name.as_deref() == Some(name)).unwrap();
    let stack = facts.stacks.threads.iter().find(|stack| stack.thread.0 == thread).unwrap();
    (stack, facts.threads[thread].ethread)
}

/// Where every function has a frame pointer the chain of them is the whole stack; trap frames are known by their mark; a
/// thread that does not run by what `KiSwapContext` does behind its call. What may be wrong says so.
#[test]
fn without_any_pdb() {
    for build in Build::X86 {
        let machine = scenario::stacks(Arch::X86, build.clone());
        let tables = walked(&machine, Vec::new());
        let mut whole = 0;
        for stack in machine.facts.stacks.threads.iter().filter(|stack| stack.end == StackEnd::Start) {
            let thread = &machine.facts.threads[stack.thread.0];
            let name = format!("{} {}", build.number, thread.name.as_deref().unwrap_or(""));
            let rows = of(&tables, "frames", thread.ethread);
            let row = of(&tables, "stacks", thread.ethread)[0];
            let is_planned = |ip: &str| stack.frames.iter().any(|frame| frame.ip.to_string() == ip);
            for row in rows.iter().filter(|row| row["confidence"] == "high") {
                assert!(is_planned(&row["ip"]), "{name}: {}", told(row));
            }
            let first = usize::from(stack.processor.is_none());
            whole += usize::from(rows.len() == stack.frames.len() - first && row["truncated"] == "false");
        }
        assert!(whole >= 2, "{whole} stacks are whole: of frame pointers alone");
        let found = |name: &str, method: &str| {
            let (stack, ethread) = stack(&machine, name);
            let rows = of(&tables, "frames", ethread);
            let planned = stack.frames.iter().filter(|frame| {
                rows.iter().any(|row| row["ip"] == frame.ip.to_string() && row["sp"] == frame.sp.to_string())
            });
            (planned.count(), rows.iter().filter(|row| row["method"] == method).count())
        };
        let number = build.number;
        assert_eq!(found("crash", "trap"), (stack(&machine, "crash").0.frames.len(), 1), "{number}");
        assert!(found("system call", "trap").0 >= 8, "{number}: {:?}", found("system call", "trap"));
        assert_eq!(found("system call", "trap").1, 1, "{number}");
        assert!(found("recursion", "frame pointer").1 >= 200, "{number}");
    }
}

/// Programs that lead nowhere, in circles, or everywhere: walks end, and no frame of them is certain and false.
#[test]
fn frame_data_that_lies() {
    let machine = scenario::stacks(Arch::X86Pae, Build::WIN7_7601);
    let driver = machine.facts.modules.iter().find(|module| module.name == "contoso.sys").unwrap();
    let long = "$T0 1 + ".repeat(200);
    let programs = [
        "$eip $eip = $esp $esp =",
        "$eip $eip = $esp $esp 1 + =",
        "$eip 0 = $esp 0 =",
        "$eip .raSearch ^ = $esp 4294967295 =",
        "$T0 .raSearch = $eip $T0 ^ = $esp $T0 0 / =",
        "$T0 $T1 = $T1 $T0 =",
        "^ ^ ^ ^",
        long.as_str(),
        "",
    ];
    for program in programs {
        let mut file = Pdb::new(driver.guid, driver.age, 0x14c);
        let rule = Rule::Program(program.into());
        let (locals, params, saved) = (u32::MAX, u32::MAX, 0xffff);
        let piece = Piece { begin: 0, end: driver.size, locals, params, prologue: 0, saved, rule };
        file.section(0).frame(0, true, piece);
        let tables = walked(&machine, vec![file.bytes()]);
        let (_, ethread) = stack(&machine, "chain");
        let rows = of(&tables, "frames", ethread);
        assert!(!rows.is_empty() && rows.len() <= 0x2_0000, "{program}: {}", rows.len());
    }
}

/// A frame pointer leads to two zeros in the middle of a stack: no thread starts there. What lies above is found by its
/// return addresses; where zeros were written up to the stack's base nothing is, and the walk says so.
#[test]
fn zeros_are_no_start() {
    for (build, to_the_base) in
        Build::X86.into_iter().flat_map(|build| [(build.clone(), false), (build, true)])
    {
        let mut machine = scenario::stacks(Arch::X86, build.clone());
        let (stack, ethread) = stack(&machine, if to_the_base { "overflow" } else { "recursion" });
        let (frames, base) = (stack.frames.clone(), machine.facts.threads[stack.thread.0].stack_base);
        let recursions = frames.iter().enumerate().filter(|(_, frame)| frame.function == "Recurse");
        let mut slots = recursions.map(|(index, frame)| (index, frame.returns.unwrap().0));
        // Near the top a start is possible; far from it nothing that is 0 up to the base is one.
        let far = |&(_, slot): &(usize, u64)| base - slot > 0x1000;
        let (broken, slot) = if to_the_base { slots.rfind(far) } else { slots.nth(150) }.unwrap();
        assert!(to_the_base || base - slot < 0x1000);
        // The first row of a thread that waits is where SwapContext returns to.
        let whole = broken + usize::from(stack.processor.is_some());
        let end = if to_the_base { base } else { slot + 4 };
        machine.write_va(Space::Kernel, slot - 4, &vec![0; (end - slot + 4) as usize]);
        let tables = walked(&machine, Symbols::of(&machine).pdbs.into_iter().map(|pdb| pdb.1).collect());
        let name = format!("{} {to_the_base}", build.number);
        let (rows, row) = (of(&tables, "frames", ethread), of(&tables, "stacks", ethread)[0]);
        assert!(rows.len() >= whole, "{name}: {}", rows.len());
        let (before, behind) = rows.split_at(whole);
        assert!(before.iter().all(|row| row["confidence"] == "high"), "{name}");
        if to_the_base {
            assert_eq!((row["end_reason"].as_str(), behind.len()), ("stack base", 0), "{name}");
            assert_eq!(row["truncated"], "true", "{name}");
        } else {
            assert_eq!(
                (behind[0]["method"].as_str(), behind[0]["ip"].clone()),
                ("scan", frames[broken + 2].ip.to_string()),
                "{name}"
            );
            assert!(behind.iter().all(|row| row["confidence"] != "high"), "{name}");
            assert_eq!(row["end_reason"], "thread start", "{name}");
        }
        let why = "the return address is 0, and this is not where the stack begins";
        assert!(row["gave_way"].contains(why), "{name}: {row:?}");
    }
}
