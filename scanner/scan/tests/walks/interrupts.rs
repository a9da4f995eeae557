//! `interrupts` of every build equals the plan; damaged tables and objects keep the rest.

use crate::support::{Row, Tables, kernels, number, tables_of};
use fixtures::{
    Arch, Build, Facts, Format, Space,
    running::{Gate, Interrupt},
    scenario,
};

/// Objects behind a gate of a processor. Some layouts do not say where they are; in old 32-bit kernels the gate
/// itself leads there, so every processor with that gate has them.
fn objects(facts: &Facts, processor: usize, vector: u8) -> Vec<Interrupt> {
    let layout = facts.layout();
    let listed = layout.find("_KPRCB", "InterruptObject").is_some();
    let by_gate = layout.find("_KINTERRUPT", "DispatchCode").is_some();
    let here = |i: &&Interrupt| i.vector == vector && (by_gate || listed && i.processor == processor);
    facts.running.interrupts.iter().filter(here).copied().collect()
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let rows = tables_of(&machine, Format::Full).remove("interrupts").unwrap();
        if arch == Arch::Arm64 {
            assert!(rows.is_empty(), "{name}: ARM64 has no such table");
            continue;
        }
        let mut left = rows.iter();
        for processor in 0..2 {
            for gate in &machine.facts.running.gates {
                let objects = objects(&machine.facts, processor, gate.vector);
                for position in 0..objects.len().max(1) {
                    let row = left.next().unwrap_or_else(|| panic!("{name}: no row for {gate:x?}"));
                    let expected = (processor, gate, position, objects.get(position));
                    check(&machine.facts, row, expected, &name);
                }
            }
        }
        assert_eq!(left.next(), None, "{name}");
    }
}

fn check(facts: &Facts, row: &Row, expected: (usize, &Gate, usize, Option<&Interrupt>), name: &str) {
    let (processor, gate, position, object) = expected;
    for (column, value) in [
        ("processor", Some(processor as u64)),
        ("vector", Some(gate.vector.into())),
        ("handler", Some(gate.handler)),
        ("selector", Some(gate.selector.into())),
        ("gate_type", Some(gate.kind.into())),
        ("dpl", Some(gate.dpl.into())),
        ("ist", facts.arch.is_64().then_some(gate.ist.into())),
        ("chain_position", object.map(|_| position as u64)),
        ("interrupt_object", object.map(|object| object.va)),
        ("irql", object.map(|object| object.irql.into())),
        ("object_vector", object.map(|object| object.vector.into())),
        ("service_routine", object.map(|object| object.routine)),
        ("service_context", object.map(|object| object.context)),
    ] {
        assert_eq!(number(row, column), value, "{name} {:#x} {column}", gate.vector);
    }
    let module = object.map(|_| "contoso.sys".to_string());
    assert_eq!(row.get("service_routine_module"), module.as_ref(), "{name}");
    let kernel = &facts.modules[0];
    let inside = (kernel.base..kernel.base + u64::from(kernel.size)).contains(&gate.handler);
    let text = inside.then(|| format!("ntoskrnl.exe+{:#x}", gate.handler - kernel.base));
    assert_eq!(row.get("handler_text"), text.as_ref(), "{name}");
}

#[test]
fn damage() {
    let check = |place: &dyn Fn(&Facts) -> u64, value: u64, rows: usize, kind: Option<&str>| {
        let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
        let at = place(&machine.facts);
        machine.patch(Space::Kernel, at, &value.to_le_bytes());
        let tables: Tables = tables_of(&machine, Format::Full);
        assert_eq!(tables["interrupts"].len(), rows, "{kind:?}");
        let kinds: Vec<_> = tables["faults"].iter().map(|row| row["kind"].as_str()).collect();
        assert!(kind.is_none_or(|kind| kinds.contains(&kind)), "{kind:?}: {kinds:?}");
    };
    let plan = scenario::busy(Arch::X64, Build::WIN10_19041).dump(Format::Full).plan;
    let kpcr = plan.processors[0].kpcr;
    // 7 gates on each of two processors, and a second object of one vector
    check(&|_| kpcr + 0x38, 0, 8 - 1, Some("unreadable")); // _KPCR.IdtBase
    check(&|_| kpcr + 0x38, 0xffff_ff00_dead_0000, 8 - 1, Some("not_mapped"));
    check(&|facts| facts.running.interrupts[1].va + 8, 0x1234, 15, Some("broken_list"));
    let list = |facts: &Facts| facts.running.interrupts[1].va + 8; // its own InterruptListEntry: a cycle
    check(&list, list(&scenario::busy(Arch::X64, Build::WIN10_19041).facts), 15, Some("broken_list"));
}
