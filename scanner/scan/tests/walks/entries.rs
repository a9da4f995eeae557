//! `syscalls` and `callbacks` of every build equal the plan; damage keeps the rest.

use crate::support::{Row, has_fault, kernels, number, owner, tables_of};
use fixtures::{Arch, Build, Facts, Format, Machine, Space, scenario};

#[test]
fn syscalls() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let rows = tables_of(&machine, Format::Full).remove("syscalls").unwrap();
        let tables = &machine.facts.running.services;
        let expected = tables.iter().zip(0u64..).flat_map(|(table, number)| {
            let services = table.services.iter().zip(0u64..);
            services.map(move |(&service, index)| (number, table.va, index, service))
        });
        let expected: Vec<_> = expected.collect();
        assert_eq!(rows.len(), expected.len(), "{name}");
        for (row, (table, va, index, (routine, bytes))) in rows.iter().zip(expected) {
            let bytes = Some(u64::from(bytes)).filter(|_| arch != Arch::Arm64);
            for (column, value) in [
                ("table_number", Some(table)),
                ("table_address", Some(va)),
                ("index", Some(index)),
                ("service", Some(table * 0x1000 + index)),
                ("target", Some(routine)),
                ("argument_bytes", bytes),
            ] {
                assert_eq!(number(row, column), value, "{name} {index} {column}");
            }
            assert_eq!(row.get("target_text"), owner(&machine.facts, routine).as_ref(), "{name} {index}");
        }
    }
}

#[test]
fn callbacks() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let mut rows = tables_of(&machine, Format::Full).remove("callbacks").unwrap();
        let of_types: Vec<Row> = rows.extract_if(.., |row| row["kind"].starts_with("object")).collect();
        object_callbacks(&machine.facts, &of_types, &name);
        let planted = &machine.facts.running.callbacks;
        assert_eq!(rows.len(), planted.len(), "{name}");
        for callback in planted {
            let found: Vec<_> = rows.iter().filter(|row| number(row, "entry") == Some(callback.va)).collect();
            let [row] = found[..] else { panic!("{name}: {} rows of {callback:?}", found.len()) };
            assert_eq!(row["source"], callback.list, "{name}");
            assert_eq!(number(row, "slot"), Some(callback.slot.unwrap_or(0) as u64), "{name}");
            assert_eq!(number(row, "routine"), Some(callback.routine), "{name} {}", callback.list);
            assert_eq!(row.get("routine_text"), owner(&machine.facts, callback.routine).as_ref(), "{name}");
            assert_eq!(row.get("name"), callback.name.as_ref(), "{name} {}", callback.list);
            let column = match callback.list {
                "IopNotifyShutdownQueueHead" | "IopNotifyLastChanceShutdownQueueHead" => "device",
                "IopFsNotifyChangeQueueHead" => "driver",
                "KeBugCheckReasonCallbackListHead" | "KeBugCheckAddRemovePagesCallbackListHead" => "reason",
                _ => "context",
            };
            assert_eq!(number(row, column), Some(callback.context), "{name} {}", callback.list);
        }
    }
}

fn object_callbacks(facts: &Facts, rows: &[Row], name: &str) {
    let known = facts.layout().find("_OBJECT_TYPE", "CallbackList").is_some();
    let planted = facts.running.object_callbacks.iter().filter(|_| known);
    let expected = planted.flat_map(|callback| {
        let both = [("object before", callback.pre), ("object after", callback.post)];
        both.into_iter().filter(|(_, routine)| *routine != 0).map(move |both| (callback, both))
    });
    let expected: Vec<_> = expected.collect();
    assert_eq!(rows.len(), expected.len(), "{name}: {rows:?}");
    for (callback, (kind, routine)) in expected {
        let is_it = |row: &&Row| number(row, "entry") == Some(callback.va) && row["kind"] == kind;
        let row = rows.iter().find(is_it).unwrap_or_else(|| panic!("{name}: no {kind} of {callback:x?}"));
        assert_eq!(number(row, "routine"), Some(routine), "{name}");
        assert_eq!(row.get("routine_text"), owner(facts, routine).as_ref(), "{name}");
        assert_eq!(number(row, "operations"), Some(callback.operations.into()), "{name}");
        assert_eq!(row.get("object_type"), Some(&callback.type_name), "{name}");
        assert_eq!(row.get("name"), Some(&callback.altitude), "{name}");
    }
}

/// A table that claims to be endless, and one that leads nowhere.
#[test]
fn damaged_services() {
    let check = |symbol: &str, value: u32, rows: usize, kind: &str| {
        let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
        let at = machine.facts.symbol(symbol);
        machine.patch(Space::Kernel, at, &value.to_le_bytes());
        let tables = tables_of(&machine, Format::Full);
        let native = tables["syscalls"].iter().filter(|row| row["table_number"] == "0").count();
        assert!(native >= rows && native <= 0x1000, "{symbol}: {native}");
        assert!(has_fault(&tables, kind), "{symbol}: {:?}", tables["faults"]);
    };
    check("KiServiceLimit", 0x7fff_ffff, 12, "bad_count");
    // More than the page holds: the rows before it stay.
    check("KiServiceLimit", 0x1000, 12, "not_mapped");
}

#[test]
fn damaged_callbacks() {
    let check = |name: &str, damage: &dyn Fn(&Facts) -> (u64, u64), less: usize, kind: &str| {
        let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
        let whole = machine.facts.running.callbacks.len() + 3; // and those of two object types
        let (at, value) = damage(&machine.facts);
        machine.patch(Space::Kernel, at, &value.to_le_bytes());
        let tables = tables_of(&machine, Format::Full);
        assert_eq!(tables["callbacks"].len(), whole - less, "{name}: {:#?}", tables["callbacks"]);
        assert!(has_fault(&tables, kind), "{name}: {:?}", tables["faults"]);
    };
    let slot = |facts: &Facts| facts.symbol("PspCreateProcessNotifyRoutine");
    check("wild slot", &|facts| (slot(facts), 0x1234_5678), 1, "wild_pointer");
    check("slot that leads out", &|facts| (slot(facts), 0xffff_ff00_0000_1000), 0, "unreadable");
    let entry = |facts: &Facts, list: &str| {
        facts.running.callbacks.iter().find(|callback| callback.list == list).unwrap().va
    };
    check(
        "cycle",
        &|facts| {
            let at = entry(facts, "CallbackListHead");
            (at, at)
        },
        0,
        "broken_list",
    );
    let device = |facts: &Facts| entry(facts, "IopNotifyShutdownQueueHead") + 0x10;
    check("device that leads out", &|facts| (device(facts), 0xffff_ff00_0000_1000), 0, "unreadable");
}

/// Nobody registered anything: no rows, and nothing to complain of.
#[test]
fn nothing_registered() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let tables = tables_of(&Machine::new(arch, build), Format::Full);
        assert!(tables["callbacks"].is_empty() && tables["syscalls"].is_empty(), "{name}");
        let about =
            |row: &&Row| ["Callback", "Notify", "Service"].iter().any(|word| row["structure"].contains(word));
        let faults: Vec<_> = tables["faults"].iter().filter(about).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}
