//! `dpcs`, `apcs` and `work_items` of every build equal the plan; damaged queues keep what is before the damage.

use crate::support::{Row, Tables, has_fault, kernels, number, owner, tables_of};
use fixtures::{Arch, Build, Facts, Format, Machine, Space, scenario};

fn check(name: &str, row: &Row, cells: &[(&str, Option<u64>)]) {
    for (column, expected) in cells {
        assert_eq!(number(row, column), *expected, "{name} {column}: {row:?}");
    }
}

/// Public data on some kernels does not say where a queue is: then `faults` does, and there are no rows.
fn is_unknown(name: &str, tables: &Tables, table: &str, known: bool) -> bool {
    if !known {
        assert!(tables[table].is_empty(), "{name}");
        assert!(has_fault(tables, "missing_field"), "{name}: {:?}", tables["faults"]);
    }
    !known
}

#[test]
fn dpcs() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let facts = &machine.facts;
        let tables = tables_of(&machine, Format::Full);
        let layout = facts.layout();
        let (data, list) = (layout.find("_KPRCB", "DpcData"), layout.find("_KPRCB", "DpcListHead"));
        let data = data.filter(|_| layout.has("_KDPC_DATA"));
        if is_unknown(&name, &tables, "dpcs", data.is_some() || list.is_some()) {
            continue;
        }
        // Windows XP has no queue of threaded DPCs.
        let planted: Vec<_> =
            facts.running.dpcs.iter().filter(|dpc| data.is_some() || !dpc.threaded).collect();
        assert_eq!(tables["dpcs"].len(), planted.len(), "{name}");
        for (row, dpc) in tables["dpcs"].iter().zip(planted) {
            check(
                &name,
                row,
                &[
                    ("processor", Some(dpc.processor as u64)),
                    ("dpc", Some(dpc.va)),
                    ("object_type", Some(if dpc.threaded { 24 } else { 19 })),
                    ("importance", Some(1)),
                    ("routine", Some(dpc.routine)),
                    ("context", Some(dpc.arguments[0])),
                    ("argument1", Some(dpc.arguments[1])),
                    ("argument2", Some(dpc.arguments[2])),
                ],
            );
            assert_eq!(row["queue"], if dpc.threaded { "threaded" } else { "normal" }, "{name}");
            assert_eq!(row.get("routine_text"), owner(facts, dpc.routine).as_ref(), "{name}");
        }
        check(&name, &tables["processors"][0], &[("dpc_queue_depth", Some(2)), ("dpc_count", Some(1002))]);
    }
}

#[test]
fn apcs() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let facts = &machine.facts;
        let tables = tables_of(&machine, Format::Full);
        assert_eq!(tables["apcs"].len(), facts.running.apcs.len(), "{name}");
        for (row, apc) in tables["apcs"].iter().zip(&facts.running.apcs) {
            let thread = &facts.threads[apc.thread.0];
            let some = |value: u64| Some(value).filter(|&value| value != 0);
            check(
                &name,
                row,
                &[
                    ("ethread", Some(thread.ethread)),
                    ("thread_id", Some(thread.tid.into())),
                    ("process_id", Some(facts.processes[thread.process.0].pid.into())),
                    ("apc", Some(apc.va)),
                    ("object_type", Some(18)),
                    ("apc_mode", Some(apc.user.into())),
                    ("kernel_routine", some(apc.routines[0])),
                    ("rundown_routine", some(apc.routines[1])),
                    ("normal_routine", some(apc.routines[2])),
                    ("context", Some(apc.arguments[0])),
                    ("argument1", Some(apc.arguments[1])),
                    ("argument2", Some(apc.arguments[2])),
                ],
            );
            assert_eq!(row["mode"], if apc.user { "user" } else { "kernel" }, "{name}");
            assert_eq!(row["inserted"], "true", "{name}");
            for (column, routine) in ["kernel_routine_text", "rundown_routine_text", "normal_routine_text"]
                .iter()
                .zip(apc.routines)
            {
                assert_eq!(row.get(*column), owner(facts, routine).as_ref(), "{name} {column}");
            }
        }
    }
}

#[test]
fn work_items() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let facts = &machine.facts;
        let tables = tables_of(&machine, Format::Full);
        if is_unknown(&name, &tables, "work_items", facts.layout().has("_EX_WORK_QUEUE")) {
            continue;
        }
        let old = facts.layout().find("_EX_WORK_QUEUE", "WorkerQueue").is_some();
        let mut planted = facts.running.work_items.clone();
        planted.sort_by_key(|item| item.queue);
        assert_eq!(tables["work_items"].len(), planted.len(), "{name}");
        for (row, item) in tables["work_items"].iter().zip(planted) {
            check(
                &name,
                row,
                &[
                    ("node", (!old).then_some(0)),
                    ("queue", Some(item.queue as u64)),
                    ("priority", (!old).then_some(item.priority as u64)),
                    ("work_item", Some(item.va)),
                    ("routine", Some(item.routine)),
                    ("parameter", Some(item.parameter)),
                ],
            );
            assert_eq!(row.get("routine_text"), owner(facts, item.routine).as_ref(), "{name}");
        }
    }
}

/// A cycle and a wild pointer in each kind of queue.
#[test]
fn damage() {
    let check = |table: &str, build: Build, link: &dyn Fn(&Facts) -> u64| {
        for value in [None, Some(0xffff_ff00_dead_0000), Some(0x41)] {
            let mut machine: Machine = scenario::busy(Arch::X64, build.clone());
            let at = link(&machine.facts);
            let whole = tables_of(&machine, Format::Full)[table].len();
            machine.patch(Space::Kernel, at, &value.unwrap_or(at).to_le_bytes());
            let tables = tables_of(&machine, Format::Full);
            let left = tables[table].len();
            assert!((1..=whole).contains(&left), "{table} {value:x?}: {left} of {whole}");
            let broken = has_fault(&tables, "broken_list") || has_fault(&tables, "not_mapped");
            assert!(broken, "{table} {value:x?}: {:?}", tables["faults"]);
        }
    };
    // _KDPC.DpcListEntry 8, _KAPC.ApcListEntry 0x10, _WORK_QUEUE_ITEM.List 0
    check("dpcs", Build::WIN10_19041, &|facts| facts.running.dpcs[0].va + 8);
    check("dpcs", Build::WIN7_7601, &|facts| facts.running.dpcs[0].va + 8);
    check("apcs", Build::WIN10_19041, &|facts| facts.running.apcs[0].va + 0x10);
    check("work_items", Build::WIN10_19041, &|facts| facts.running.work_items[0].va);
    check("work_items", Build::WIN7_7601, &|facts| facts.running.work_items[0].va);
}
