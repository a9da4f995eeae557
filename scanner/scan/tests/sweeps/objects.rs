//! Hidden, dead and disguised objects: each is found by every way that can see it, and nothing else is.

use crate::support::{Row, Tables, kernels, some_tables};
use fixtures::{Arch, Build, Facts, Family, Format, Machine, Space, scenario};
use std::collections::BTreeMap;

fn tables(machine: &Machine) -> Tables {
    some_tables(machine, Format::Full, &["processes", "threads", "found_objects"])
}

/// Rows by process or thread id.
fn by_id<'a>(rows: &'a [Row], column: &str) -> BTreeMap<u32, &'a Row> {
    let by_id: BTreeMap<u32, &Row> = rows.iter().map(|row| (row[column].parse().unwrap(), row)).collect();
    assert_eq!(by_id.len(), rows.len(), "ids that are not unique");
    by_id
}

fn cell<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).map_or("", String::as_str)
}

/// What `processes` or `threads` must say of the objects of a kind that no list leads to.
fn check_hidden(name: &str, facts: &Facts, kind: &str, rows: &BTreeMap<u32, &Row>, address: &str) {
    for hidden in facts.hidden.iter().filter(|hidden| hidden.kind == kind && hidden.real) {
        let name = format!("{name}: {kind} {}", hidden.what);
        let row = rows.get(&hidden.id).unwrap_or_else(|| panic!("{name}: not found"));
        let pool = if facts.has_headers() { hidden.pool.to_string() } else { String::new() };
        assert_eq!(cell(row, "found_in_pool"), pool, "{name}: pool");
        assert_eq!(cell(row, "found_by_shape"), hidden.shape.to_string(), "{name}: shape");
        assert_eq!(cell(row, "hidden"), hidden.mapped.to_string(), "{name}: hidden");
        let va = if hidden.mapped { hidden.va.to_string() } else { String::new() };
        assert_eq!(cell(row, address), va, "{name}: address");
        assert_eq!(
            cell(row, "source"),
            if hidden.pool { "pool header" } else { "object's members" },
            "{name}"
        );
        assert_ne!(cell(row, "pa"), "", "{name}: pa");
    }
}

#[test]
fn every_process_and_thread_is_found_by_all_that_can_see_it() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::hidden(arch, build);
        let facts = &machine.facts;
        let pool = if facts.has_headers() { "true" } else { "" }; // nobody can look without knowing the headers
        let tables = tables(&machine);
        let processes = by_id(&tables["processes"], "process_id");
        let real = facts.hidden.iter().filter(|hidden| hidden.real);
        assert_eq!(
            processes.len(),
            facts.processes.len() + real.clone().filter(|hidden| hidden.kind == "process").count(),
            "{name}: {:?}",
            processes.values().map(|row| (cell(row, "name"), cell(row, "source"))).collect::<Vec<_>>()
        );
        for process in &facts.processes {
            let row = processes[&process.pid];
            assert_eq!(cell(row, "found_by_shape"), "true", "{name}: {}", process.name);
            assert_eq!(cell(row, "found_in_pool"), pool, "{name}: {}", process.name);
            assert_eq!(cell(row, "hidden"), "false", "{name}: {}", process.name);
            assert_eq!(cell(row, "exited"), (process.exit_time != 0).to_string(), "{name}: {}", process.name);
        }
        check_hidden(&name, facts, "process", &processes, "eprocess");
        let threads = by_id(&tables["threads"], "thread_id");
        for thread in &facts.threads {
            let row = threads[&thread.tid];
            assert_eq!(cell(row, "found_by_shape"), "true", "{name}: thread {}", thread.tid);
            assert_eq!(cell(row, "found_in_pool"), pool, "{name}: thread {}", thread.tid);
        }
        check_hidden(&name, facts, "thread", &threads, "ethread");
        check_nothing_else(&name, facts, &tables["found_objects"]);
    }
}

/// A small dump holds a few blocks. What is in one is found; of what is not found, nobody knows what is missing.
#[test]
fn a_small_dump_says_what_it_holds_and_no_more() {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let process = machine.facts.processes[0].eprocess;
    for shape in ["true", ""] {
        let tables =
            some_tables(&machine, Format::Triage(Family::A), &["processes", "threads", "found_objects"]);
        let objects = tables["found_objects"].iter().filter(|row| row["kind"] == "process").count();
        assert_eq!(objects, usize::from(!shape.is_empty()));
        let row = by_id(&tables["processes"], "process_id")[&4];
        assert_eq!((cell(row, "found_by_shape"), cell(row, "found_in_pool")), (shape, ""), "{row:?}");
        machine.patch(Space::Kernel, process + 8, &[0; 16]); // its list of waiting threads
    }
}

/// Every process and thread in `found_objects` was planted as one or as a decoy.
fn check_nothing_else(name: &str, facts: &Facts, rows: &[Row]) {
    let processes = facts.processes.iter().map(|process| (process.pid, process.eprocess));
    let threads = facts.threads.iter().map(|thread| (thread.tid, thread.ethread));
    let hidden = facts.hidden.iter().map(|hidden| (hidden.id, hidden.va));
    let planted: Vec<(u32, u64)> = processes.chain(threads).chain(hidden).collect();
    for row in rows.iter().filter(|row| ["process", "thread"].contains(&row["kind"].as_str())) {
        let id: u32 = row.get("thread_id").or(row.get("process_id")).unwrap().parse().unwrap();
        let va: Option<u64> = row.get("va").map(|va| va.parse().unwrap());
        let known = planted.iter().any(|&(other, at)| other == id && va.is_none_or(|va| va == at));
        assert!(known, "{name}: a false positive: {row:?}");
    }
    let copies = rows.iter().filter(|row| row["kind"] == "process" && row["confidence"] == "low");
    let copies: Vec<&str> = copies.map(|row| row["state"].as_str()).collect();
    assert!(copies.contains(&"allocated"), "{name}: the copy in the kernel: {copies:?}");
    let user = rows.iter().filter(|row| row["state"] == "user").count();
    assert_eq!(user, 1, "{name}: the copy in a process");
}

/// Rows of a kind in `found_objects` by address.
fn of_kind<'a>(tables: &'a Tables, kind: &str) -> BTreeMap<String, &'a Row> {
    let rows = tables["found_objects"].iter().filter(|row| row["kind"] == kind);
    rows.map(|row| (cell(row, "va").to_string(), row)).collect()
}

#[test]
fn drivers_and_modules_that_no_list_leads_to_are_rows() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::hidden(arch, build);
        let facts = &machine.facts;
        let tables = some_tables(&machine, Format::Full, &["drivers", "modules", "found_objects"]);
        let hidden: Vec<_> = facts.hidden.iter().filter(|hidden| hidden.kind == "driver").collect();
        assert_eq!(
            tables["drivers"].len(),
            facts.drivers.len() + hidden.len(),
            "{name}: {:?}",
            tables["drivers"]
        );
        for driver in hidden {
            let name = format!("{name}: driver {}", driver.what);
            let va = if driver.mapped { driver.va.to_string() } else { String::new() };
            let found = tables["drivers"]
                .iter()
                .find(|row| row["in_directory"] == "false" && cell(row, "driver") == va);
            let row = found.unwrap_or_else(|| panic!("{name}: not found"));
            assert_eq!(cell(row, "found_in_pool"), driver.pool.to_string(), "{name}: pool");
            assert_eq!(cell(row, "found_by_shape"), driver.shape.to_string(), "{name}: shape");
            assert_eq!(cell(row, "hidden"), if driver.mapped { "true" } else { "" }, "{name}: hidden");
            assert_eq!(cell(row, "name"), if driver.mapped { &driver.name } else { "" }, "{name}: name");
        }
        let listed = tables["drivers"].iter().filter(|row| row["in_directory"] == "true");
        assert!(
            listed.clone().all(|row| row["found_in_pool"] == "true" && row["found_by_shape"] == "true"),
            "{name}"
        );
        let modules = &tables["modules"];
        assert_eq!(modules.len(), facts.modules.len() + 1, "{name}: {modules:?}");
        for row in modules {
            assert_eq!(cell(row, "found_in_pool"), "true", "{name}: {row:?}");
            assert_eq!(cell(row, "found_by_shape"), "true", "{name}: {row:?}");
        }
        let ghost = modules.iter().find(|row| row["hidden"] == "true").unwrap();
        assert_eq!(cell(ghost, "name"), "ghost.sys", "{name}");
    }
}

#[test]
fn other_objects_are_found_whether_a_handle_leads_to_them_or_not() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::hidden(arch, build);
        let facts = &machine.facts;
        if !facts.has_headers() {
            continue; // no public source has the headers of this kernel
        }
        let tables = some_tables(&machine, Format::Full, &["found_objects"]);
        for (type_name, kind) in [
            ("Device", "device"),
            ("File", "file"),
            ("Mutant", "mutant"),
            ("SymbolicLink", "symbolic link"),
            ("Section", "section"),
            ("ALPC Port", "port"),
        ] {
            let rows = of_kind(&tables, kind);
            let planted: Vec<_> =
                facts.objects.iter().filter(|object| object.type_name == type_name).collect();
            for object in &planted {
                let row = rows.get(&object.body.to_string());
                let row =
                    row.unwrap_or_else(|| panic!("{name}: {kind} {:?} {:#x}", object.name, object.body));
                assert_eq!(cell(row, "found_in_pool"), "true", "{name}: {kind} {:?}", object.name);
                let state = if object.freed { "freed" } else { "allocated" };
                assert_eq!(cell(row, "state"), state, "{name}: {kind} {:#x}", object.body);
                let handle = facts.kernel_handles.iter().any(|handle| handle.object == object.body);
                assert_eq!(
                    cell(row, "in_list"),
                    (handle || object.name.is_some()).to_string(),
                    "{name}: {kind}"
                );
            }
            assert_eq!(rows.len(), planted.len(), "{name}: {kind}: more than was planted: {rows:?}");
        }
    }
}
