//! Trap frames: those of the plan, and one that is left from what has returned.

use crate::support::{Row, Tables, some_tables};
use fixtures::{
    Arch, Build, Format, Machine, Space, scenario,
    stacks::{Frame, FrameKind, Mode, Stack, StackEnd, Trap},
};

fn tables(machine: &Machine) -> Tables {
    some_tables(machine, Format::Full, &["trap_frames", "stacks", "threads", "faults"])
}

fn of<'t>(tables: &'t Tables, machine: &Machine, stack: &Stack) -> Vec<&'t Row> {
    let ethread = machine.facts.threads[stack.thread.0].ethread.to_string();
    tables["trap_frames"].iter().filter(|row| row["ethread"] == ethread).collect()
}

/// The frame that a trap interrupted.
fn interrupted<'s>(stack: &'s Stack, trap: &Trap) -> &'s Frame {
    stack.frames.iter().chain(&stack.beyond).find(|frame| (frame.ip, frame.sp) == (trap.ip, trap.sp)).unwrap()
}

fn check(name: &str, machine: &Machine, stack: &Stack, trap: &Trap, row: &Row) {
    let frame = interrupted(stack, trap);
    let expected = [
        ("trap_frame", trap.va.to_string()),
        ("ip", trap.ip.to_string()),
        ("sp", trap.sp.to_string()),
        ("frame_pointer", frame.registers["Rbp"].to_string()),
        ("module", frame.module.clone()),
        ("mode", if trap.mode == Mode::User { "user" } else { "kernel" }.into()),
        ("source", "walk".into()),
        ("confidence", "high".into()),
        ("live", "true".into()),
    ];
    for (column, value) in expected {
        assert_eq!(row[column], value, "{name}: {column} of {row:?}");
    }
    // Only the handler of page faults pushes one here, and only it notes the address.
    let page_fault = frame.kind == FrameKind::Trap;
    assert_eq!(row.get("error_code"), page_fault.then(|| trap.error.to_string()).as_ref(), "{name}");
    let address = page_fault.then(|| machine.facts.parameters[0].to_string());
    assert_eq!(row.get("fault_address"), address.as_ref(), "{name}");
}

#[test]
fn every_trap_frame_of_every_x64_build() {
    for build in Build::X64 {
        let machine = scenario::stacks(Arch::X64, build.clone());
        let tables = tables(&machine);
        let mut checked = 0;
        for stack in &machine.facts.stacks.threads {
            let name = format!("{} thread {}", build.number, stack.thread.0);
            let rows = of(&tables, &machine, stack);
            let whole = matches!(stack.end, StackEnd::Start);
            assert!(!whole || rows.len() == stack.traps.len(), "{name}: {rows:?}");
            for trap in stack.traps.iter().filter(|_| whole) {
                let address = trap.va.to_string();
                let row = rows.iter().find(|row| row.get("trap_frame") == Some(&address));
                check(
                    &name,
                    &machine,
                    stack,
                    trap,
                    row.unwrap_or_else(|| panic!("{name}: {trap:?}: {rows:?}")),
                );
                checked += 1;
            }
        }
        assert_eq!(checked, 2, "{}: a page fault and a system call", build.number);
    }
}

/// Below the stack pointer of a thread that waits lies a trap frame of a driver's page fault that was served. A copy of
/// it elsewhere is none: its stack pointer does not follow.
#[test]
fn what_is_left_of_a_trap() {
    let mut machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let stack = machine.facts.stacks.threads.iter().find(|stack| {
        let thread = &machine.facts.threads[stack.thread.0];
        thread.name.as_deref() == Some("waiting")
    });
    let stack = stack.unwrap().clone();
    let thread = machine.facts.threads[stack.thread.0].clone();
    let driver = machine.facts.stacks.images.iter().find(|image| image.name == "contoso").unwrap();
    let ip = driver.base + u64::from(driver.functions[0].rva) + 4;
    let at = thread.stack_limit + 0x188;
    for (at, sp) in [(at, at + 40 + 8), (at + 0x100, at + 40), (at + 0x208, at + 0x208 + 40)] {
        for (index, word) in [ip, 0x10, 0x1_0246, sp, 0x18].into_iter().enumerate() {
            machine.write_va(Space::Kernel, at + index as u64 * 8, &word.to_le_bytes());
        }
    }
    // Of the third one the instruction is in no module.
    machine.write_va(Space::Kernel, at + 0x208, &(machine.facts.kernel_base - 0x10_0000).to_le_bytes());
    let tables = tables(&machine);
    let rows = of(&tables, &machine, &stack);
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = rows[0];
    let expected = [
        ("machine_frame", at.to_string()),
        ("trap_frame", (at - 0x168).to_string()),
        ("ip", ip.to_string()),
        ("module", "contoso.sys".into()),
        ("source", "scan".into()),
        ("confidence", "medium".into()),
        ("live", "false".into()),
        ("flags_register", "66118".into()),
    ];
    for (column, value) in expected {
        assert_eq!(row[column], value, "{column} of {row:?}");
    }
    for column in ["error_code", "fault_address", "frame_pointer"] {
        assert!(!row.contains_key(column), "{column} of {row:?}");
    }
}
