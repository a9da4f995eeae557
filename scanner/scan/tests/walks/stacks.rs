//! Stacks that the synthetic machine made by executing calls: every frame equals the plan.

use crate::support::{Row, Tables, some_tables};
use fixtures::{
    Arch, Build, Format, Machine, scenario,
    stacks::{Frame, FrameKind, Mode, Stack, StackEnd},
};

fn walked(machine: &Machine) -> Tables {
    some_tables(machine, Format::Full, &["stacks", "frames", "threads", "crashes", "faults"])
}

fn of<'t>(tables: &'t Tables, table: &str, ethread: u64) -> Vec<&'t Row> {
    tables[table].iter().filter(|row| row["ethread"] == ethread.to_string()).collect()
}

/// The frames that a walk gives: that of a thread which waits begins where `SwapContext` returns to.
fn planned(stack: &Stack) -> &[Frame] {
    let waits = stack.processor.is_none();
    if waits { stack.frames.get(1..).unwrap_or_default() } else { &stack.frames }
}

/// How a frame is told in a message.
fn told(row: &Row) -> String {
    format!("{} ip {} sp {} {}", row["text"], row["ip"], row["sp"], row["method"])
}

fn check_frames(name: &str, rows: &[&Row], planned: &[Frame]) {
    for (row, frame) in rows.iter().zip(planned) {
        let what = format!("{name}: {} for {frame:?}", told(row));
        assert_eq!(row["ip"], frame.ip.to_string(), "{what}");
        assert_eq!(row["sp"], frame.sp.to_string(), "{what}");
        assert_eq!(row["module"], frame.module, "{what}");
        assert_eq!(row["mode"] == "user", frame.mode == Mode::User, "{what}");
        let trapped = matches!(frame.kind, FrameKind::Trap | FrameKind::SystemCall);
        assert_eq!(row["method"] == "trap", trapped, "{what}");
        if let Some(symbol) = row.get("symbol") {
            assert_eq!(*symbol, frame.function, "{what}");
            assert_eq!(row["offset"], frame.offset.to_string(), "{what}");
        }
    }
}

#[test]
fn every_frame_of_every_x64_build() {
    for build in Build::X64 {
        let machine = scenario::stacks(Arch::X64, build.clone());
        let tables = walked(&machine);
        for stack in &machine.facts.stacks.threads {
            let thread = &machine.facts.threads[stack.thread.0];
            let name = format!("{} {}", build.number, thread.name.as_deref().unwrap_or(""));
            let rows = of(&tables, "frames", thread.ethread);
            let row = of(&tables, "stacks", thread.ethread)[0];
            if thread.state == 6 {
                assert_eq!((row["end_reason"].as_str(), rows.len()), ("no start", 0), "{name}");
                continue;
            }
            let planned = planned(stack);
            check_frames(&name, &rows, planned);
            match stack.end {
                StackEnd::Start => {
                    assert_eq!(rows.len(), planned.len(), "{name}: {}", told(rows[rows.len() - 1]));
                    assert_eq!(row["end_reason"], "thread start", "{name}");
                    assert_eq!(row["truncated"], "false", "{name}");
                    assert!(rows.iter().all(|row| row["confidence"] == "high"), "{name}");
                }
                StackEnd::Smashed(_) | StackEnd::PagedOut(_) => {
                    assert!(row["truncated"] == "true" || row.contains_key("gave_way"), "{name}: {row:?}");
                    // What unwinding gave is certain, what was found behind the damage is not.
                    let behind = &rows[planned.len().min(rows.len())..];
                    assert!(behind.iter().all(|row| row["confidence"] != "high"), "{name}");
                }
            }
        }
    }
}

#[test]
fn recursion_and_the_depth_of_the_stack() {
    let machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let tables = walked(&machine);
    let row = |name: &str| {
        let thread = machine.facts.threads.iter().find(|t| t.name.as_deref() == Some(name)).unwrap();
        (of(&tables, "stacks", thread.ethread)[0], thread)
    };
    let (recursion, thread) = row("recursion");
    let stack =
        machine.facts.stacks.threads.iter().find(|s| machine.facts.threads[s.thread.0].tid == thread.tid);
    let times = stack.unwrap().frames.iter().filter(|frame| frame.function == "Recurse").count();
    assert!(times >= 200);
    assert_eq!(recursion["recursion_period"], "1");
    assert_eq!(recursion["recursion_count"], times.to_string());
    let (overflow, thread) = row("overflow");
    let used: u64 = overflow["stack_used"].parse().unwrap();
    assert!(used > (thread.stack_base - thread.stack_limit) * 4 / 5, "{used:#x}");
    let (waiting, _) = row("waiting");
    assert!(!waiting.contains_key("recursion_period"));
    assert!(waiting["top_function"].starts_with("contoso+"), "{}", waiting["top_function"]);
}

#[test]
fn the_crash_is_told_by_its_parameters_and_its_stack() {
    let machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let crash = &walked(&machine)["crashes"][0];
    let trap = machine.facts.stacks.threads[0].traps[0];
    assert_eq!(crash["fault_ip"], trap.ip.to_string());
    assert_eq!(
        (crash["fault_module"].as_str(), crash["fault_source"].as_str()),
        ("contoso.sys", "parameter")
    );
    assert_eq!((crash["culprit"].as_str(), crash["culprit_rule"].as_str()), ("contoso.sys", "fault"));
    assert_eq!((crash["irql"].as_str(), crash["fault_access"].as_str()), ("2", "read"));
    assert_eq!(crash["ethread"], machine.facts.threads[0].ethread.to_string());
    assert!(crash["bucket"].starts_with("0xd1_contoso"), "{}", crash["bucket"]);
}
