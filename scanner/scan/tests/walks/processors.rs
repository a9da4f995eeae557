//! `processors` of every build equals the plan.

use crate::support::{Row, kernels, number, tables_of};
use fixtures::{Arch, Facts, Format, Machine, running::ProcessorState, scenario};

/// A member that this kernel's layout may lack: then the cell must be NULL.
fn known(facts: &Facts, path: &str, value: u64) -> Option<u64> {
    facts.layout().find("_KPRCB", path).map(|_| value)
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let plan = machine.dump(Format::Full).plan;
        let tables = tables_of(&machine, Format::Full);
        let rows = &tables["processors"];
        assert_eq!(rows.len(), 2, "{name}");
        for (at, row) in rows.iter().enumerate() {
            let (state, planted) = (&machine.facts.running.processors[at], &plan.processors[at]);
            let name = format!("{name} processor {at}");
            assert_eq!(number(row, "number"), Some(at as u64), "{name}");
            assert_eq!(number(row, "stated_number"), Some(at as u64), "{name}");
            assert_eq!(number(row, "kprcb"), Some(planted.kprcb), "{name}");
            assert_eq!(number(row, "kpcr"), Some(planted.kpcr), "{name}");
            assert_eq!(number(row, "current_thread"), Some(machine.facts.threads[at].ethread), "{name}");
            assert_eq!(
                number(row, "current_thread_id"),
                Some(machine.facts.threads[at].tid.into()),
                "{name}"
            );
            check(&machine.facts, state, row, &name);
        }
    }
}

fn check(facts: &Facts, state: &ProcessorState, row: &Row, name: &str) {
    let registers = "ProcessorState.SpecialRegisters";
    let step = facts.layout().find("_KPRCB", "CpuStep").is_some();
    for (column, path, value) in [
        ("family", "CpuType".into(), u64::from(state.signature[0])),
        ("mhz", "MHz".into(), state.mhz.into()),
        ("update_signature", "UpdateSignature".into(), state.microcode),
        ("feature_bits", "FeatureBits".into(), features(facts, state)),
        ("kernel_ticks", "KernelTime".into(), state.ticks[0].into()),
        ("user_ticks", "UserTime".into(), state.ticks[1].into()),
        ("interrupt_ticks", "InterruptTime".into(), state.ticks[2].into()),
        ("dpc_ticks", "DpcTime".into(), state.ticks[3].into()),
        ("context_switches", "KeContextSwitches".into(), state.switches.into()),
        ("system_calls", "KeSystemCalls".into(), state.system_calls.into()),
        ("interrupts", "InterruptCount".into(), state.interrupts.into()),
        ("dpc_stack", "DpcStack".into(), state.dpc_stack),
        ("cr0", format!("{registers}.Cr0"), state.control[0]),
        ("cr2", format!("{registers}.Cr2"), state.control[1]),
        ("cr3", format!("{registers}.Cr3"), state.control[2]),
        ("cr4", format!("{registers}.Cr4"), state.control[3]),
        ("cr8", format!("{registers}.Cr8"), state.control[4]),
        ("lstar", format!("{registers}.MsrLStar"), state.lstar),
        ("idtr_base", format!("{registers}.Idtr.Base"), state.idt),
        ("gdtr_base", format!("{registers}.Gdtr.Base"), state.gdt),
        ("idtr_limit", format!("{registers}.Idtr.Limit"), 0xfff),
        ("gdtr_limit", format!("{registers}.Gdtr.Limit"), 0x57),
    ] {
        assert_eq!(number(row, column), known(facts, &path, value), "{name} {column}");
    }
    assert_eq!(number(row, "model"), step.then_some(state.signature[1].into()), "{name}");
    assert_eq!(number(row, "stepping"), step.then_some(state.signature[2].into()), "{name}");
    let vendor = facts.layout().find("_KPRCB", "VendorString").map(|_| state.vendor.as_str());
    assert_eq!(row.get("vendor").map(String::as_str), vendor, "{name}");
    if facts.arch != Arch::Arm64 {
        assert_eq!(number(row, "idt_base"), Some(state.idt), "{name}");
        assert_eq!(number(row, "gdt_base"), Some(state.gdt), "{name}");
    }
    assert_eq!(number(row, "irql"), Some(state.irql.into()), "{name}");
    let owner = (facts.arch == Arch::X64).then_some("ntoskrnl.exe+0x401240");
    assert_eq!(row.get("lstar_owner").map(String::as_str), owner, "{name}");
    let active = facts.layout().find("_KPRCB", "DpcRoutineActive").map(|_| state.dpc_active.to_string());
    assert_eq!(row.get("dpc_active"), active.as_ref(), "{name}");
}

/// The member has 32 bits in old 32-bit kernels.
fn features(facts: &Facts, state: &ProcessorState) -> u64 {
    let size = facts.layout().find("_KPRCB", "FeatureBits").map_or(8, |place| place.size);
    if size == 4 { state.features & 0xffff_ffff } else { state.features }
}

/// A count that lies, and a pointer that leads nowhere: the other rows stay.
#[test]
fn damaged_block() {
    let check = |patch: &[(&str, u64, u64)], rows: usize, kind: &str| {
        let mut machine = Machine::new(Arch::X64, fixtures::Build::WIN10_19041);
        machine.processors(2);
        for &(symbol, offset, value) in patch {
            let at = machine.facts.symbol(symbol) + offset;
            machine.patch(fixtures::Space::Kernel, at, &value.to_le_bytes());
        }
        let tables = tables_of(&machine, Format::Full);
        assert_eq!(tables["processors"].len(), rows, "{patch:x?}");
        let faults: Vec<_> = tables["faults"].iter().filter_map(|row| row.get("kind")).collect();
        assert!(faults.iter().any(|fault| *fault == kind), "{patch:x?}: {faults:?}");
    };
    check(&[("KeNumberProcessors", 0, 0xffff_ffff)], 2, "bad_count");
    check(&[("KeNumberProcessors", 0, 100)], 2, "wild_pointer");
    check(&[("KiProcessorBlock", 0, 0x1234)], 1, "wild_pointer");
    check(&[("KiProcessorBlock", 8, 0xffff_ffff_ffff_0000)], 2, "unreadable");
}

/// Who made a dump of a running system saved no registers: zeros are no level.
#[test]
fn of_a_running_system() {
    let mut machine = scenario::busy(Arch::X64, fixtures::Build::WIN10_19041);
    machine.facts.running.processors[0].control = [0; 5];
    let rows = &tables_of(&machine, Format::Full)["processors"];
    assert_eq!((number(&rows[0], "cr8"), number(&rows[0], "irql")), (Some(0), None));
    assert_eq!(number(&rows[1], "irql"), Some(0));
    // The register has 64 bits.
    machine.facts.running.processors[1].control[4] = 0x1_0000_0002;
    let rows = &tables_of(&machine, Format::Full)["processors"];
    assert_eq!((number(&rows[1], "cr8"), number(&rows[1], "irql")), (Some(0x1_0000_0002), None));
}

/// The bug check's parameters state no level; that of the processor is in its registers.
#[test]
fn the_level_of_a_crash() {
    for (arch, level) in [(Arch::X64, Some("2")), (Arch::Arm64, None)] {
        let build =
            if arch == Arch::X64 { fixtures::Build::WIN10_19041 } else { fixtures::Build::WIN11_22000 };
        let mut machine = scenario::busy(arch, build);
        machine.crash(0x9f, [3, 0, 0, 0]);
        let sp = machine.facts.threads[0].stack_base - 0x80;
        machine.facts.contexts[0].set(if arch == Arch::X64 { "Rsp" } else { "Sp" }, sp.into());
        let crash = &tables_of(&machine, Format::Full)["crashes"][0];
        assert_eq!(crash.get("irql").map(String::as_str), level, "{arch:?}");
        assert_eq!(crash.get("irql_source").map(String::as_str), level.map(|_| "processor"));
        machine.crash(0xd1, [0x28, 7, 0, 0]);
        let crash = &tables_of(&machine, Format::Full)["crashes"][0];
        assert_eq!((&*crash["irql"], &*crash["irql_source"]), ("7", "parameter"), "{arch:?}");
    }
}
