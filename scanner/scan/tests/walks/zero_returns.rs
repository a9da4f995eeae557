//! A return address that was overwritten with zeros is no beginning of a thread, on x64 and ARM64 as on x86
//! (`stacks_x86.rs`): what lies above is found by its return addresses, and where nothing does, the walk says so.

use super::stacks::{Symbols, of};
use crate::support::{kernels, named_tables};
use fixtures::{Arch, Format, Machine, Space, scenario};

const WHY: &str = "the return address is 0, and this is not where the stack begins";

/// Writes zeros from the return address of a frame of a thread on. The numbers of its frames, and of the broken one.
fn broken(machine: &mut Machine, thread: &str, to_the_base: bool) -> (u64, usize) {
    let facts = &machine.facts;
    let is = |thread_of: &&fixtures::stacks::Stack| {
        facts.threads[thread_of.thread.0].name.as_deref() == Some(thread)
    };
    let stack = facts.stacks.threads.iter().find(is).unwrap().clone();
    let thread = facts.threads[stack.thread.0].clone();
    let far = |slot: u64| thread.stack_base - slot > 0x1100;
    let functions = stack.frames.iter().enumerate().filter(|(_, frame)| frame.function == "Recurse");
    let mut slots = functions.filter_map(|(index, frame)| Some((index, frame.returns?.0)));
    let (index, slot) =
        if to_the_base { slots.rfind(|(_, slot)| far(*slot)) } else { slots.nth(20) }.unwrap();
    let end = if to_the_base { thread.stack_base } else { slot + 8 };
    machine.write_va(Space::Kernel, slot, &vec![0; (end - slot) as usize]);
    // The first row of a thread that waits is where SwapContext returns to.
    (thread.ethread, index + usize::from(stack.processor.is_some()))
}

#[test]
fn are_no_start() {
    let all = kernels().into_iter().filter(|(arch, _)| matches!(arch, Arch::X64 | Arch::Arm64));
    for ((arch, build), to_the_base) in all.flat_map(|kernel| [(kernel.clone(), false), (kernel, true)]) {
        let name = format!("{arch:?} {} {to_the_base}", build.number);
        let mut machine = scenario::stacks(arch, build);
        let (ethread, whole) = broken(&mut machine, "overflow", to_the_base);
        let tables = named_tables(
            &machine,
            Format::Full,
            &Symbols::of(&machine),
            &["stacks", "frames", "threads", "faults"],
        );
        let (rows, row) = (of(&tables, "frames", ethread), of(&tables, "stacks", ethread)[0]);
        let (before, behind) = rows.split_at(whole);
        assert!(before.iter().all(|row| row["confidence"] == "high"), "{name}");
        assert!(row["gave_way"].contains(WHY), "{name}: {row:?}");
        if to_the_base {
            assert_eq!((row["end_reason"].as_str(), behind.len()), ("stack base", 0), "{name}");
            assert_eq!(row["truncated"], "true", "{name}");
        } else {
            assert_eq!(behind[0]["method"], "scan", "{name}");
            assert_eq!(row["end_reason"], "thread start", "{name}");
            let outermost = behind.last().unwrap();
            assert!(outermost["text"].contains("Start"), "{name}: {outermost:?}");
        }
    }
}
