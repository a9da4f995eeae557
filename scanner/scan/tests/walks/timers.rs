//! `timers` of every build equals the plan; damaged tables and lists keep the rest.

use crate::support::{Row, kernels, number, tables_of};
use fixtures::{Arch, Build, Facts, Format, Machine, Space, running::Timer, scenario};

/// Timers in the order of the tables.
fn in_order(facts: &Facts) -> Vec<Timer> {
    let mut timers = facts.running.timers.clone();
    if facts.layout().find("_KPRCB", "TimerTable").is_some() {
        timers.sort_by_key(|timer| (timer.processor, timer.slot));
    } else {
        timers.sort_by_key(|timer| timer.slot);
    }
    timers
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build.clone());
        let tables = tables_of(&machine, Format::Full);
        let layout = machine.facts.layout();
        let known = layout.has("_KTIMER_TABLE_ENTRY") && layout.find("_KPRCB", "TimerTable").is_some();
        if !known && build.number > 6000 {
            // Public data on these kernels does not say where the tables are; `faults` does.
            assert!(tables["timers"].is_empty(), "{name}");
            let kinds: Vec<_> = tables["faults"].iter().filter_map(|row| row.get("kind")).collect();
            assert!(kinds.iter().any(|kind| *kind == "missing_field"), "{name}: {kinds:?}");
            continue;
        }
        let timers = in_order(&machine.facts);
        assert_eq!(tables["timers"].len(), timers.len(), "{name}");
        for (row, timer) in tables["timers"].iter().zip(&timers) {
            check(row, timer, known, &name);
            assert_eq!(
                number(row, "dpc_stored"),
                Some(fixtures::encoded_dpc(&machine.facts, timer)),
                "{name}"
            );
        }
    }
}

fn check(row: &Row, timer: &Timer, per_processor: bool, name: &str) {
    let some = |value: u64| Some(value).filter(|_| timer.dpc != 0);
    for (column, expected) in [
        ("processor", per_processor.then_some(timer.processor as u64)),
        ("slot", Some(timer.slot as u64)),
        ("timer", Some(timer.va)),
        ("due_time", Some(timer.due)),
        ("period_ms", Some(timer.period.into())),
        ("dpc", some(timer.dpc)),
        ("routine", some(timer.routine)),
        ("context", some(timer.context)),
    ] {
        assert_eq!(number(row, column), expected, "{name} {column}");
    }
    assert_eq!(row["signaled"], timer.signaled.to_string(), "{name}");
    assert_eq!(
        row["timer_type"],
        if timer.synchronization { "synchronization" } else { "notification" },
        "{name}"
    );
    let (module, text) = match (timer.period, timer.dpc) {
        (0, 0) | (5000, _) => (None, None), // the second is in no module
        (0, _) => (Some("ntoskrnl.exe"), Some("ntoskrnl.exe+0x220000")),
        _ => (Some("contoso.sys"), Some("contoso.sys+0x4000")),
    };
    assert_eq!(row.get("routine_module").map(String::as_str), module, "{name}");
    assert_eq!(row.get("routine_text").map(String::as_str), text, "{name}");
    // The machine's uptime is its interrupt time; slots are seconds.
    let due = 34 * 60 + 56 + timer.slot;
    let due = format!("2024-05-17T12:{:02}:{:02}", due / 60, due % 60);
    assert_eq!(row["due_at"], due, "{name}");
}

/// What is wrong does not hide the timers before it.
#[test]
fn damage() {
    let check = |damage: &dyn Fn(&Machine, &Timer) -> (u64, u64), rows: usize, kind: &str| {
        let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
        let second = machine.facts.running.timers[1];
        let (at, value) = damage(&machine, &second);
        machine.patch(Space::Kernel, at, &value.to_le_bytes());
        let tables = tables_of(&machine, Format::Full);
        assert_eq!(tables["timers"].len(), rows, "{kind}: {:#?}", tables["timers"]);
        let kinds: Vec<_> = tables["faults"].iter().filter_map(|row| row.get("kind")).collect();
        assert!(kinds.iter().any(|found| *found == kind), "{kind}: {kinds:?}");
    };
    // _KTIMER: Header.Type 0, TimerListEntry 0x20, Dpc 0x30
    check(&|_, timer| (timer.va + 0x20, timer.va + 0x20), 4, "broken_list");
    check(&|_, timer| (timer.va + 0x20, 0xffff_ff00_dead_0000), 4, "broken_list");
    check(&|_, timer| (timer.va, 0x77), 4, "bad_type");
    let wild = |machine: &Machine, timer: &Timer| {
        let dpc = Timer { dpc: 0x4141_4141_4141_4141, ..*timer };
        (timer.va + 0x30, fixtures::encoded_dpc(&machine.facts, &dpc))
    };
    check(&wild, 4, "wild_pointer");
}

/// A kernel without the two values: the timers are there, what they hide is not guessed.
#[test]
fn hidden_and_no_key() {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    let template = scenario::busy(Arch::X64, Build::WIN10_19041).facts.running.timers[0];
    let va = machine.kernel_alloc(0x40);
    let dpc = machine.kernel_alloc(0x40);
    machine.facts.running.timers.push(Timer { va, dpc, ..template });
    let mut symbols = crate::support::symbols_of(&machine.facts);
    symbols.profile.symbols.remove("KiWaitNever");
    let tables = crate::support::tables_with(&machine, Format::Full, &symbols);
    assert_eq!(tables["timers"].len(), 1);
    assert_eq!(number(&tables["timers"][0], "timer"), Some(va));
    assert_eq!(tables["timers"][0].get("dpc"), None);
    let stored = fixtures::encoded_dpc(&machine.facts, &machine.facts.running.timers[0]);
    assert_eq!(number(&tables["timers"][0], "dpc_stored"), Some(stored));
    assert!(tables["faults"].iter().any(|row| row["structure"] == "KiWaitNever"));
}
