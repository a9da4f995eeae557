//! `modules` and `unloaded_modules` of kernel dumps equal the plan on every build; damage keeps the rest.

use crate::support::{Row, kernels, tables_of};
use fixtures::{Arch, Build, Family, Format, Machine, Module, Space, scenario};

fn cell<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).map(String::as_str)
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn hex(guid: &[u8; 16]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    ORDER.map(|at| format!("{:02X}", guid[at])).concat()
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        let rows = &tables["modules"];
        assert_eq!(rows.len(), machine.facts.modules.len(), "{name}");
        for ((order, row), module) in (0..).zip(rows).zip(&machine.facts.modules) {
            check(&name, row, module, order);
        }
        let rows = &tables["unloaded_modules"];
        assert_eq!(rows.len(), machine.facts.unloaded.len(), "{name}");
        for ((slot, row), driver) in (0u32..).zip(rows).zip(&machine.facts.unloaded) {
            assert_eq!(cell(row, "name"), Some(driver.name.as_str()), "{name}");
            assert_eq!(row["start"], driver.start.to_string(), "{name}");
            assert_eq!(row["end"], driver.end.to_string(), "{name}");
            assert_eq!(row["slot"], slot.to_string(), "{name}");
            assert_eq!(row["unload_time"], "2024-05-17T12:33:16", "{name}"); // 100 s before the dump
        }
    }
}

fn check(name: &str, row: &Row, module: &Module, order: u32) {
    let [a, b, c, d] = module.version;
    for (column, expected) in [
        ("name", text(&module.name)),
        ("path", text(&module.path)),
        ("base", text(module.base)),
        ("size", text(module.size)),
        ("timestamp", text(module.timestamp)),
        ("checksum", text(module.checksum)),
        ("version", text(format!("{a}.{b}.{c}.{d}"))),
        ("product_version", text(format!("{a}.{b}.{c}.0"))),
        ("pdb_name", text(&module.pdb)),
        ("pdb_guid", text(hex(&module.guid))),
        ("pdb_age", text(module.age)),
        ("entry_point", text(module.base + 0x2000)),
        ("flags", text(0x4000)),
        ("load_order", text(order)),
        ("load_count", text(1)),
        ("header_present", text(true)),
        ("process_id", None),
        ("source", text("PsLoadedModuleList")),
    ] {
        assert_eq!(cell(row, column), expected.as_deref(), "{name}: {} {column}", module.name);
    }
}

/// A triage dump states its drivers itself; nothing else is added.
#[test]
fn triage() {
    let machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let tables = tables_of(&machine, Format::Triage(Family::A));
    let sources: Vec<_> = tables["modules"].iter().map(|row| row["source"].as_str()).collect();
    assert_eq!(sources, ["triage driver list"; 3]);
    let sources: Vec<_> = tables["unloaded_modules"].iter().map(|row| row["source"].as_str()).collect();
    assert_eq!(sources, ["triage unloaded drivers"]);
}

/// Headers that are paged out leave what the list states; older kernels' lists state no link time.
#[test]
fn without_headers() {
    for build in [Build::WIN7_7601, Build::WIN10_19041] {
        let states_time = build.number > 10000;
        let mut machine = Machine::new(Arch::X64, build);
        let base = machine.facts.kernel_base + 0x400_0000;
        machine.module("paged.sys", base, 0x5000);
        machine.patch(Space::Kernel, base, &[0; 2]);
        let row = &tables_of(&machine, Format::Full)["modules"][1];
        assert_eq!(cell(row, "name"), Some("paged.sys"));
        assert_eq!(cell(row, "size"), Some("20480"));
        assert_eq!(cell(row, "header_present"), Some("false"));
        for column in ["version", "pdb_guid", "machine"] {
            assert_eq!(cell(row, column), None, "{column}");
        }
        let stamp = text(machine.facts.modules[1].timestamp).filter(|_| states_time);
        assert_eq!(cell(row, "timestamp"), stamp.as_deref());
    }
}

/// A version resource that lies is no version, and nothing hangs.
#[test]
fn a_lying_resource() {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    let base = machine.facts.kernel_base + 0x400_0000;
    machine.module("lying.sys", base, 0x5000);
    // A resource tree that leads into itself, and an entry that leads nowhere.
    machine.patch(Space::Kernel, base + 0x1400 + 0x14, &0x8000_0000u32.to_le_bytes());
    machine.patch(Space::Kernel, base + 0x1400 + 14, &0xffffu16.to_le_bytes());
    let row = &tables_of(&machine, Format::Full)["modules"][1];
    assert_eq!(cell(row, "version"), None);
    assert_eq!(cell(row, "pdb_age"), Some(machine.facts.modules[1].age.to_string().as_str()));
}

/// More than 50: the oldest are overwritten, and the rows begin with the oldest that is left. A slot with a range
/// that no driver has is left out and named.
#[test]
fn a_full_ring() {
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    let start = machine.facts.kernel_base + 0x500_0000;
    for number in 0..53 {
        let at = start + number * 0x1_0000;
        let end = if number == 20 { at - 0x1000 } else { at + 0x8000 };
        machine.unloaded(&format!("d{number}.sys"), at, end, machine.facts.system_time - 1000 + number);
    }
    let tables = tables_of(&machine, Format::Full);
    let names: Vec<_> = tables["unloaded_modules"].iter().map(|row| row["name"].clone()).collect();
    let expected = (3..53).filter(|number| *number != 20).map(|number| format!("d{number}.sys"));
    assert_eq!(names, expected.collect::<Vec<_>>());
    let faults = tables["faults"].iter().filter(|row| row["structure"] == "UNLOADED_DRIVERS");
    assert_eq!(faults.count(), 1);
}
