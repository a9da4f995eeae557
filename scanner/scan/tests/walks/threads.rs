//! `threads` of every build equals the plan; threads in no list are found too.

use crate::account::{flag, planted};
use crate::support::{Row, kernels, number, tables_of};
use fixtures::{Arch, Build, Facts, Format, Machine, Space, Thread, scenario};

/// One 15.625 ms tick in seconds.
const TICK: f64 = 0.015_625;

/// Columns that show a member as it was told to be.
const PLAIN: &[(&str, &[&str])] = &[
    ("base_priority", &["Tcb.BasePriority"]),
    ("context_switches", &["Tcb.ContextSwitches"]),
    ("wait_ticks", &["Tcb.WaitTime"]),
    ("cycles", &["Tcb.CycleTime"]),
    ("ideal_processor", &["Tcb.IdealProcessor"]),
    ("next_processor", &["Tcb.NextProcessor"]),
    ("previous_mode", &["Tcb.PreviousMode"]),
    ("suspend_count", &["Tcb.SuspendCount"]),
    ("trap_frame", &["Tcb.TrapFrame"]),
    ("system_call", &["Tcb.SystemCallNumber"]),
    ("win32_start_address", &["Win32StartAddress"]),
    ("exit_status", &["ExitStatus"]),
    ("cross_thread_flags", &["CrossThreadFlags"]),
];

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let machine = scenario::busy(arch, build.clone());
        let (facts, tables) = (&machine.facts, tables_of(&machine, Format::Full));
        let rows = &tables["threads"];
        assert_eq!(rows.len(), facts.threads.len(), "{arch:?} {}", build.number);
        for thread in &facts.threads {
            let name = format!("{arch:?} {} thread {}", build.number, thread.tid);
            let row = rows.iter().find(|row| number(row, "ethread") == Some(thread.ethread));
            let row = row.unwrap_or_else(|| panic!("{name}: no row"));
            for &(column, paths) in PLAIN {
                let expected = planted(facts, "_ETHREAD", thread.ethread, paths);
                assert_eq!(number(row, column), expected, "{name}: {column}");
            }
            described(facts, thread, row, &name);
            derived(facts, thread, row, &name);
        }
    }
}

/// What every described thread has.
fn described(facts: &Facts, thread: &Thread, row: &Row, name: &str) {
    let owner = &facts.processes[thread.process.0];
    for (column, expected) in [
        ("process_id", u64::from(owner.pid)),
        ("thread_id", thread.tid.into()),
        ("eprocess", owner.eprocess),
        ("apc_process", owner.eprocess),
        ("state", thread.state.into()),
        ("wait_reason", thread.wait_reason.into()),
        ("priority", thread.priority.into()),
        ("kernel_stack_limit", thread.stack_limit),
        ("kernel_stack_base", thread.stack_base),
        ("kernel_stack", thread.kernel_stack),
        ("start_address", thread.start_address),
    ] {
        assert_eq!(number(row, column), Some(expected), "{name}: {column}");
    }
    assert_eq!(number(row, "teb").unwrap_or(0), thread.teb, "{name}");
    let state = match thread.state {
        2 => "Running",
        5 => "Waiting",
        other => panic!("{name}: state {other}"),
    };
    assert_eq!(row["state_name"], state, "{name}");
    let named = facts.layout().find("_ETHREAD", "ThreadName").is_some();
    assert_eq!(row.get("name"), thread.name.as_ref().filter(|_| named), "{name}");
    assert_eq!(row["source"], "_KPROCESS.ThreadListHead", "{name}");
    assert_eq!(
        (flag(row, "in_kernel_list"), flag(row, "in_process_list")),
        (Some(true), Some(true)),
        "{name}"
    );
    let ids = facts.layout().has("_HANDLE_TABLE") && facts.layout().has("_HANDLE_TABLE_ENTRY");
    assert_eq!(flag(row, "in_cid_table"), ids.then_some(true), "{name}");
    let offset = thread.start_address - facts.kernel_base;
    assert_eq!(row["start_owner"], format!("ntoskrnl.exe+{offset:#x}"), "{name}");
    assert!(row["create_time"].starts_with("2024-05-17T09:09:1"), "{name}: {}", row["create_time"]);
    assert!(!row.contains_key("exit_time"), "{name}: it runs");
}

/// What is reckoned from members.
fn derived(facts: &Facts, thread: &Thread, row: &Row, name: &str) {
    let of = |path| planted(facts, "_ETHREAD", thread.ethread, &[path]);
    let seconds = |column: &str| row.get(column).map(|text| text.parse::<f64>().unwrap());
    for (column, path) in [("kernel_time_seconds", "Tcb.KernelTime"), ("user_time_seconds", "Tcb.UserTime")] {
        assert_eq!(seconds(column), of(path).map(|ticks| ticks as f64 * TICK), "{name}: {column}");
    }
    if facts.build.number >= 3790 {
        let now = facts.uptime / 156_250;
        let waited = of("Tcb.WaitTime").map(|then| (now - then) as f64 * TICK);
        assert_eq!(seconds("wait_seconds"), waited, "{name}");
    }
    let signed = |path: &str| {
        let size = facts.layout().find("_ETHREAD", path)?.size * 8;
        let value = facts.account.member(thread.ethread, path).unwrap_or(0);
        Some(((value << (64 - size)) as i64 >> (64 - size)).to_string())
    };
    for (column, path) in
        [("kernel_apc_disable", "Tcb.KernelApcDisable"), ("special_apc_disable", "Tcb.SpecialApcDisable")]
    {
        assert_eq!(row.get(column).cloned(), signed(path), "{name}: {column}");
    }
    let mask = match facts.build.number {
        ..6000 => of("Tcb.Affinity"),
        _ => of("Tcb.Affinity.Mask"),
    };
    assert_eq!(number(row, "affinity"), mask, "{name}");
    let has_flags = facts.layout().find("_ETHREAD", "CrossThreadFlags").is_some();
    for column in ["terminated", "impersonating", "hide_from_debugger"] {
        assert_eq!(flag(row, column), has_flags.then_some(false), "{name}: {column}");
    }
}

/// A thread that has ended, hides from debuggers, and acted as somebody else.
#[test]
fn flags_of_every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let mut machine = Machine::new(arch, build);
        let process = machine.process("notepad.exe", 4660);
        let thread = machine.thread(process, 4664);
        let (va, layout, width) = (machine.facts.threads[thread.0].ethread, machine.layout(), arch.pointer());
        let mut put = |path: &str, bytes: &[u8]| {
            let place = layout.find("_ETHREAD", path)?;
            machine.patch(Space::Kernel, va + place.offset as u64, bytes);
            Some(())
        };
        let ended = put("ExitTime", &133_604_228_950_000_000u64.to_le_bytes());
        put("CrossThreadFlags", &0b1101u32.to_le_bytes());
        put("ClientSecurity", &(0xffff_a508_0123_4560u64 | 0b110).to_le_bytes()[..width]);
        let tables = tables_of(&machine, Format::Full);
        let row = tables["threads"].iter().find(|row| row["thread_id"] == "4664").unwrap();
        assert_eq!(row.get("exit_time").map(String::as_str), ended.map(|()| "2024-05-17T12:34:55"), "{name}");
        for column in ["terminated", "impersonating", "hide_from_debugger"] {
            assert_eq!(flag(row, column), Some(true), "{name}: {column}");
        }
        let known = layout.find("_ETHREAD", "ClientSecurity").is_some();
        let token = 0xffff_a508_0123_4560u64 & if width == 8 { u64::MAX } else { u32::MAX.into() };
        assert_eq!(number(row, "impersonation_token"), known.then_some(token), "{name}");
        assert_eq!(number(row, "impersonation_level"), known.then_some(2), "{name}");
    }
}

/// Registry notifications lie where the start address was, since Windows Vista: public symbols have both as a union.
#[test]
fn a_start_address_that_was_overwritten() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let mut machine = scenario::busy(arch, build.clone());
        let (thread, width) = (machine.facts.threads[1].clone(), arch.pointer());
        let at = thread.ethread + machine.layout().offset("_ETHREAD", "StartAddress") as u64;
        let list = (at - width as u64).to_le_bytes();
        machine.patch(Space::Kernel, at - width as u64, &[&list[..width], &list[..width]].concat());
        let tables = tables_of(&machine, Format::Full);
        let row =
            tables["threads"].iter().find(|row| number(row, "ethread") == Some(thread.ethread)).unwrap();
        let kept = (build.number < 6000).then(|| u64::from_le_bytes(list));
        assert_eq!(number(row, "start_address"), kept, "{name}");
        assert!(!row.contains_key("start_owner"), "{name}");
    }
}

/// Both lists of a process lose a thread; the table of ids still has it.
#[test]
fn a_thread_in_no_list() {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let layout = machine.layout();
    for (head, links) in
        [("Pcb.ThreadListHead", "Tcb.ThreadListEntry"), ("ThreadListHead", "ThreadListEntry")]
    {
        let (head, links) =
            (layout.offset("_EPROCESS", head) as u64, layout.offset("_ETHREAD", links) as u64);
        let head = machine.facts.processes[1].eprocess + head;
        let kept = machine.facts.threads[1].ethread + links;
        for (at, value) in [(kept, head), (head + 8, kept)] {
            machine.patch(Space::Kernel, at, &value.to_le_bytes());
        }
    }
    assert_eq!(machine.facts.threads[2].tid, 4668);
    let tables = tables_of(&machine, Format::Full);
    let rows = &tables["threads"];
    assert_eq!(rows.len(), machine.facts.threads.len());
    let row = rows.last().unwrap();
    assert_eq!((row["thread_id"].as_str(), row["process_id"].as_str()), ("4668", "4660"));
    assert_eq!((row["in_kernel_list"].as_str(), row["source"].as_str()), ("false", "PspCidTable"));
}

/// Lists of threads that lead astray: what stands before the damage stays, and nothing hangs.
#[test]
fn damaged_lists() {
    let machine = || scenario::busy(Arch::X64, Build::WIN10_19041);
    let links = machine().layout().offset("_ETHREAD", "Tcb.ThreadListEntry") as u64;
    let first = machine().facts.threads[1].ethread + links;
    for value in [first, 0x41_4141_4141, 0xffff_f000_1234_5678, 0] {
        let mut machine = machine();
        machine.patch(Space::Kernel, first, &u64::to_le_bytes(value));
        let tables = tables_of(&machine, Format::Full);
        assert_eq!(tables["threads"].len(), machine.facts.threads.len(), "{value:x}: the others know them");
        let broken = tables["faults"].iter().filter(|row| row["kind"] == "broken_list");
        assert!(broken.count() >= 1, "{value:x}: {:?}", tables["faults"]);
    }
}
