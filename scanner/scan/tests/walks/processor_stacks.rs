//! A thread whose processor is on another stack than the thread's: that of deferred calls, or one of the task state.
//!
//! The stack that was executed is taken from the thread and given to the processor.

use crate::support::{Row, some_tables};
use fixtures::{Arch, Build, Format, Machine, Space, Thread, scenario, stacks::Stack};

/// A machine, a thread that runs, its stack, the addresses of `_KPRCB` and `_KPCR` of its processor, and room for a task
/// state.
fn machine(name: &str) -> (Machine, Thread, Stack, [u64; 3]) {
    let mut machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let thread =
        machine.facts.threads.iter().position(|thread| thread.name.as_deref() == Some(name)).unwrap();
    let stack = machine.facts.stacks.threads.iter().find(|stack| stack.thread.0 == thread).unwrap().clone();
    let thread = machine.facts.threads[thread].clone();
    // Before the dump places what is behind it.
    let room = machine.kernel_alloc_in_page(0x68);
    let processor = machine.dump(Format::Full).plan.processors[stack.processor.unwrap()];
    let at = [processor.kprcb, processor.kpcr, room];
    (machine, thread, stack, at)
}

fn patch(m: &mut Machine, at: u64, type_name: &str, field: &str, value: u64) {
    let offset = m.facts.layout().offset(type_name, field) as u64;
    m.patch(Space::Kernel, at + offset, &value.to_le_bytes());
}

/// Says that the thread's own stack is another one.
fn elsewhere(m: &mut Machine, thread: &Thread) {
    patch(m, thread.ethread, "_ETHREAD", "Tcb.StackBase", 0xffff_f880_0100_6000);
    patch(m, thread.ethread, "_ETHREAD", "Tcb.StackLimit", 0xffff_f880_0100_0000);
}

fn check(machine: &Machine, thread: &Thread, stack: &Stack, kind: &str) {
    let tables = some_tables(machine, Format::Full, &["stacks", "frames", "threads", "faults"]);
    let own = |row: &&Row| row["ethread"] == thread.ethread.to_string();
    let rows: Vec<&Row> = tables["frames"].iter().filter(own).collect();
    let found: Vec<_> =
        rows.iter().map(|row| (row["ip"].clone(), row["sp"].clone(), row["stack"].as_str())).collect();
    let planned: Vec<_> =
        stack.frames.iter().map(|frame| (frame.ip.to_string(), frame.sp.to_string(), kind)).collect();
    assert_eq!(found, planned);
    let row = tables["stacks"].iter().find(own).unwrap();
    assert_eq!((row["end_reason"].as_str(), row["start"].as_str()), ("thread start", "context"));
    assert!(!row.contains_key("stack_used"), "{row:?}");
}

#[test]
fn of_deferred_calls() {
    let (mut machine, thread, stack, [kprcb, ..]) = machine("chain");
    elsewhere(&mut machine, &thread);
    patch(&mut machine, kprcb, "_KPRCB", "DpcStack", thread.stack_base - 0x40);
    patch(&mut machine, kprcb, "_KPRCB", "CurrentThread", thread.ethread);
    check(&machine, &thread, &stack, "dpc");
}

#[test]
fn of_the_task_state() {
    let (mut machine, thread, stack, [kprcb, kpcr, tss]) = machine("prologue");
    elsewhere(&mut machine, &thread);
    let mut bytes = [0; 0x68];
    // The third of its stacks: that of machine checks.
    bytes[0x24 + 16..][..8].copy_from_slice(&thread.stack_base.to_le_bytes());
    machine.write_va(Space::Kernel, tss, &bytes);
    patch(&mut machine, kpcr, "_KPCR", "TssBase", tss);
    patch(&mut machine, kprcb, "_KPRCB", "CurrentThread", thread.ethread);
    check(&machine, &thread, &stack, "interrupt");
}

/// Without a processor that says that it is on that stack the thread has no start.
#[test]
fn of_nobody() {
    let (mut machine, thread, _, _) = machine("chain");
    elsewhere(&mut machine, &thread);
    let tables = some_tables(&machine, Format::Full, &["stacks", "frames", "threads", "faults"]);
    let row = tables["stacks"].iter().find(|row| row["ethread"] == thread.ethread.to_string()).unwrap();
    assert_eq!(row["end_reason"], "no start");
}
