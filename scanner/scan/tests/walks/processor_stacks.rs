//! A thread whose processor is on another stack than the thread's: that of deferred calls, or one of the task state.
//!
//! The stack that was executed is taken from the thread and given to the processor.

use crate::stacks::Symbols;
use crate::support::{Row, kernels, named_tables, some_tables};
use fixtures::{
    Arch, Build, Format, Machine, ProcessId, Space, Thread, scenario,
    stack::{At, Calls},
    stacks::Stack,
};

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

/// A stack of a processor above that of the thread, and one below it.
const AWAY: [i64; 2] = [0x40_0000, -0x40_0000];

/// A thread of which a function goes over to a stack of its processor, and where that stack is.
struct Away {
    machine: Machine,
    thread: Thread,
    stack: Stack,
    kprcb: u64,
    place: std::ops::Range<u64>,
}

/// Executes the calls: they go to `place` on the way.
fn away(arch: Arch, build: &Build, distance: i64, calls: impl Fn(Calls) -> Calls) -> Away {
    let mut machine = scenario::stacks(arch, build.clone());
    let processor = machine.facts.processors as usize;
    machine.processors(processor as u32 + 1);
    let thread = machine.thread(ProcessId(0), 0x4444);
    let base = machine.facts.threads[thread.0].stack_base.wrapping_add_signed(distance);
    let place = base - 0x6000..base;
    let start = if arch.is_64() { "KiStartSystemThread" } else { "KiThreadStartup" };
    let from = Calls::from(start).call("PspSystemThreadStartup").call("contoso!Worker");
    let calls = calls(from.other_stack(place.start, place.end)).running(processor, At::Body);
    machine.stack(thread, &calls);
    let stack = machine.facts.stacks.of(thread).unwrap().clone();
    let thread = machine.facts.threads[thread.0].clone();
    let kprcb = machine.dump(Format::Full).plan.processors[processor].kprcb;
    Away { machine, thread, stack, kprcb, place }
}

/// Every frame of the plan is found, with the stack that it is on; those on the other one are `kind`.
fn check_away(away: &Away, kind: &str, name: &str) {
    let names = ["stacks", "frames", "trap_frames", "threads", "faults"];
    let tables = named_tables(&away.machine, Format::Full, &Symbols::of(&away.machine), &names);
    let own = |row: &&Row| row["ethread"] == away.thread.ethread.to_string();
    let rows: Vec<&Row> = tables["frames"].iter().filter(own).collect();
    let found: Vec<_> =
        rows.iter().map(|row| (row["ip"].clone(), row["sp"].clone(), row["stack"].as_str())).collect();
    let inside = |sp: u64| away.place.start <= sp && sp <= away.place.end;
    let kind_of = |sp: u64| if inside(sp) { kind } else { "kernel" };
    let frames = &away.stack.frames;
    let planned: Vec<_> =
        frames.iter().map(|frame| (frame.ip.to_string(), frame.sp.to_string(), kind_of(frame.sp))).collect();
    assert_eq!(found, planned, "{name}");
    assert!(kind == "kernel" || planned.iter().filter(|frame| frame.2 == kind).count() >= 3, "{name}");
    assert!(rows.iter().all(|row| row["confidence"] == "high"), "{name}");
    let row = tables["stacks"].iter().find(own).unwrap();
    assert_eq!((row["end_reason"].as_str(), row["truncated"].as_str()), ("thread start", "false"), "{name}");
    let traps: Vec<_> =
        tables["trap_frames"].iter().filter(own).map(|row| row["trap_frame"].clone()).collect();
    let planned: Vec<_> = away.stack.traps.iter().map(|trap| trap.va.to_string()).collect();
    assert_eq!(traps, planned, "{name}");
}

/// An interrupt came while a driver ran: its routine runs on the stack that `_KPRCB.IsrStack` names, which builds before
/// 9600 do not have. The frames of the driver are those of the trap frame on the thread's own stack.
#[test]
fn of_interrupts() {
    let mut checked = 0;
    for build in Build::X64 {
        for distance in AWAY {
            let mut away = away(Arch::X64, &build, distance, |calls| {
                let interrupted = calls.call("Framed").call("Leaf").trap(At::Body, "KiInterruptDispatch", 0);
                interrupted.call("contoso!Saver").call("Leaf")
            });
            if away.machine.facts.layout().find("_KPRCB", "IsrStack").is_none() {
                continue;
            }
            patch(&mut away.machine, away.kprcb, "_KPRCB", "IsrStack", away.place.end);
            check_away(&away, "interrupt", &format!("{} {distance:#x}", build.number));
            checked += 1;
        }
    }
    assert!(checked >= 10, "{checked}");
}

/// The kernel went over to the stack of deferred calls by itself: from its frame pointer the walk finds back to the
/// thread's own stack, also where that lies below.
#[test]
fn of_deferred_calls_and_the_thread_below() {
    for distance in AWAY {
        let mut away = away(Arch::X64, &Build::WIN10_19041, distance, |calls| {
            calls.call("nt!KiRetire").call("contoso!Saver").call("Leaf")
        });
        patch(&mut away.machine, away.kprcb, "_KPRCB", "DpcStack", away.place.end - 0x40);
        check_away(&away, "dpc", &format!("{distance:#x}"));
    }
}

/// What was interrupted, and what an interrupt's routine or a deferred call does.
fn interrupted(calls: Calls) -> Calls {
    calls.call("Framed").call("Leaf").trap(At::Body, "KiInterruptDispatch", 0)
}

fn works(calls: Calls) -> Calls {
    calls.call("contoso!Saver").call("Leaf")
}

/// Kernels of an architecture.
fn kernels_of(wanted: fn(Arch) -> bool) -> impl Iterator<Item = (Arch, Build, String)> {
    let named = |(arch, build): (Arch, Build)| {
        let name = format!("{arch:?} {}", build.number);
        (arch, build, name)
    };
    kernels().into_iter().filter(move |(arch, _)| wanted(*arch)).map(named)
}

/// On x86 an interrupt comes on the stack of the thread, and its routine runs there.
#[test]
fn of_interrupts_of_x86_on_the_stack_of_the_thread() {
    for (arch, build, name) in kernels_of(|arch| !arch.is_64()) {
        check_away(&away(arch, &build, AWAY[0], |calls| works(interrupted(calls))), "kernel", &name);
    }
}

/// On its way out it lets the deferred calls run, on the stack that `_KPRCB.DpcStack` names. The function that goes over
/// has no frame pointer: it finds back by the stack pointer that it noted.
#[test]
fn of_deferred_calls_of_x86() {
    for (arch, build, name) in kernels_of(|arch| !arch.is_64()) {
        for distance in AWAY {
            let mut away = away(arch, &build, distance, |calls| {
                works(interrupted(calls).call("KiDispatchInterrupt").call("KiRetireDpcList"))
            });
            patch(&mut away.machine, away.kprcb, "_KPRCB", "DpcStack", away.place.end);
            check_away(&away, "dpc", &format!("{name} {distance:#x}"));
        }
    }
}

/// Without the note nothing leads back: the walk says that frames are missing.
#[test]
fn of_deferred_calls_of_x86_without_a_note() {
    for note in [0x1234_u32, 0] {
        let mut away = away(Arch::X86, &Build::WIN7_7601, AWAY[0], |calls| {
            works(interrupted(calls).call("KiDispatchInterrupt").call("KiRetireDpcList"))
        });
        patch(&mut away.machine, away.kprcb, "_KPRCB", "DpcStack", away.place.end);
        away.machine.patch(Space::Kernel, away.place.end - 4, &note.to_le_bytes());
        let symbols = Symbols::of(&away.machine);
        let tables = named_tables(&away.machine, Format::Full, &symbols, &["stacks", "frames", "threads"]);
        let own = |row: &&Row| row["ethread"] == away.thread.ethread.to_string();
        let kinds: Vec<_> = tables["frames"].iter().filter(own).map(|row| &*row["stack"]).collect();
        assert!(kinds.len() >= 4 && kinds.iter().all(|kind| *kind == "dpc"), "{kinds:?}");
        let row = tables["stacks"].iter().find(own).unwrap();
        assert_eq!(row["truncated"], "true", "{row:?}");
    }
}

/// Kernels of x86 since 9600 have a stack for interrupts. A frame pointer leads back from it.
#[test]
fn of_interrupts_of_x86() {
    let mut checked = 0;
    for (arch, build, name) in kernels_of(|arch| !arch.is_64()) {
        for distance in AWAY {
            let mut away =
                away(arch, &build, distance, |calls| works(interrupted(calls).call("KiInterruptSwitch")));
            if away.machine.facts.layout().find("_KPRCB", "IsrStack").is_none() {
                continue;
            }
            patch(&mut away.machine, away.kprcb, "_KPRCB", "IsrStack", away.place.end);
            check_away(&away, "interrupt", &format!("{name} {distance:#x}"));
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked}");
}

/// On ARM64 the unwind data can only say that the stack pointer is in the frame pointer; how large the stacks are nothing
/// says.
#[test]
fn of_interrupts_and_deferred_calls_of_arm64() {
    for (arch, build, name) in kernels_of(|arch| arch == Arch::Arm64) {
        for distance in AWAY {
            let mut isr = away(arch, &build, distance, |calls| works(interrupted(calls)));
            patch(&mut isr.machine, isr.kprcb, "_KPRCB", "IsrStack", isr.place.end);
            check_away(&isr, "interrupt", &format!("{name} {distance:#x}"));
            let mut dpc = away(arch, &build, distance, |calls| works(calls.call("nt!KiRetire")));
            patch(&mut dpc.machine, dpc.kprcb, "_KPRCB", "DpcStack", dpc.place.end - 0x40);
            check_away(&dpc, "dpc", &format!("{name} {distance:#x}"));
        }
    }
}
