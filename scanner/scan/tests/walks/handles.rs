//! `handles`, `objects` and `object_types` of every build equal the plan.

use crate::support::{Row, Tables, kernels, number, symbols_of, tables_of, tables_with};
use fixtures::{Facts, Family, Format, Machine, Space, scenario};

/// Kernels of which no public source has the object manager.
fn has_objects(facts: &Facts) -> bool {
    facts.layout().has("_OBJECT_HEADER") && facts.layout().has("_HANDLE_TABLE")
}

type Cells = (Option<u64>, u64, u64, String, Option<u64>, Option<u64>, Option<String>);

fn planned(facts: &Facts) -> Vec<Cells> {
    let mut rows: Vec<Cells> = facts
        .kernel_handles
        .iter()
        .map(|handle| {
            let object = facts.objects.iter().find(|object| object.body == handle.object).unwrap();
            let pid = facts.processes[handle.process.0].pid.into();
            let kind = object.type_name.clone();
            // A file is named by its device and its path there.
            let file = "\\Device\\ContosoDisk0\\logs\\contoso.log";
            let name = object.name.clone().or_else(|| (kind == "File").then(|| file.into()));
            let (access, attributes) = (Some(handle.access.into()), Some(handle.attributes.into()));
            (Some(pid), handle.handle, handle.object, kind, access, attributes, name)
        })
        .collect();
    rows.sort();
    rows
}

fn found(rows: &[Row]) -> Vec<Cells> {
    let own = rows.iter().filter(|row| row["source"] == "_EPROCESS.ObjectTable");
    let mut rows: Vec<Cells> = own
        .map(|row| {
            let of = |column| number(row, column);
            let (value, object) = (of("handle").unwrap(), of("object").unwrap());
            let (kind, name) =
                (row.get("type_name").cloned().unwrap_or_default(), row.get("object_name").cloned());
            (of("process_id"), value, object, kind, of("granted_access"), of("attributes"), name)
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        if !has_objects(&machine.facts) {
            assert!(tables["handles"].is_empty(), "{name}");
            continue;
        }
        assert_eq!(found(&tables["handles"]), planned(&machine.facts), "{name}");
        // The other table: one entry for each process and thread that lives.
        let ids = tables["handles"].iter().filter(|row| row["source"] == "PspCidTable");
        let mut ids: Vec<(u64, u64, &str)> = ids
            .map(|row| {
                (number(row, "handle").unwrap(), number(row, "object").unwrap(), row["type_name"].as_str())
            })
            .collect();
        ids.sort();
        let facts = &machine.facts;
        let processes = facts.processes.iter().filter(|process| process.exit_time == 0);
        let processes = processes.map(|p| (u64::from(p.pid), p.eprocess, "Process"));
        let threads = facts.threads.iter().map(|t| (u64::from(t.tid), t.ethread, "Thread"));
        let mut expected: Vec<(u64, u64, &str)> = processes.chain(threads).collect();
        expected.sort();
        assert_eq!(ids, expected, "{name}");
    }
}

#[test]
fn the_tree_and_the_types() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        if !has_objects(&machine.facts) {
            continue;
        }
        for object in machine.facts.objects.iter().filter(|object| object.name.is_some()) {
            let path = object.name.as_ref().unwrap();
            let row = tables["objects"].iter().find(|row| row["path"] == *path);
            let row = row.unwrap_or_else(|| panic!("{name}: no {path}"));
            assert_eq!(row["type_name"], object.type_name, "{name}: {path}");
            assert_eq!(number(row, "object"), Some(object.body), "{name}: {path}");
            let handles = machine.facts.handles_to(object.body).to_string();
            assert_eq!(row["handle_count"], handles, "{name}: {path}");
        }
        let link = tables["objects"].iter().find(|row| row["path"] == "\\GLOBAL??\\ContosoDisk").unwrap();
        assert_eq!(link["link_target"], "\\Device\\ContosoDisk0", "{name}");
        assert!(link.contains_key("link_created"), "{name}");
        // XP has no table of types: there they are those of the directory.
        check_types(&name, &machine.facts, &tables["object_types"]);
    }
}

fn check_types(name: &str, facts: &Facts, types: &[Row]) {
    let event =
        types.iter().find(|row| row["name"] == "Event").unwrap_or_else(|| panic!("{name}: no events"));
    assert_eq!(event["tag"], "Even", "{name}");
    assert_eq!(event["handles"], facts.handles_of_type("Event").to_string(), "{name}");
    let indexes: Vec<u64> = types.iter().filter_map(|row| number(row, "index")).collect();
    assert_eq!(indexes, (2..2 + types.len() as u64).collect::<Vec<_>>(), "{name}");
    let used = facts.objects.iter().map(|object| object.type_name.as_str());
    for of_type in used {
        assert!(types.iter().any(|row| row["name"] == of_type), "{name}: {of_type}");
    }
}

/// A kernel whose symbols do not name the table of types: the directory has the same types.
#[test]
fn types_without_their_table() {
    let machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let mut symbols = symbols_of(&machine.facts);
    assert!(symbols.profile.symbols.remove("ObTypeIndexTable").is_some());
    let without = tables_with(&machine, Format::Full, &symbols);
    let with = tables_of(&machine, Format::Full);
    for table in ["object_types", "handles", "objects", "drivers"] {
        assert_eq!(without[table], with[table], "{table}");
    }
}

/// Page of the leaf that holds a handle of process 4660, and where the upper page points to it.
fn upper_page(machine: &Machine, whole: &Tables, handle: u64) -> (u64, u64) {
    let page = |handle: u64| {
        let is_it = |row: &&Row| row["handle"] == handle.to_string() && row["process_id"] == "4660";
        number(whole["handles"].iter().find(is_it).unwrap(), "entry").unwrap() & !0xfff
    };
    let (leaf, near) = (page(handle), page(4));
    let dump = machine.dump(Format::Full);
    let upper = (near..near + 0x10_0000)
        .step_by(8)
        .find(|&at| dump.plan.read(Space::Kernel, at, 8) == leaf.to_le_bytes());
    (leaf, upper.unwrap())
}

/// One leaf in every place of the upper page, in a table that claims to have millions of handles: its handles are there
/// once.
#[test]
fn a_page_in_many_places() {
    let mut machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let whole = tables_of(&machine, Format::Full);
    let (leaf, upper) = upper_page(&machine, &whole, 4);
    let rest = (0x1000 - (upper & 0xfff)) / 8;
    let all: Vec<u8> = (0..rest).flat_map(|_| leaf.to_le_bytes()).collect();
    machine.patch(Space::Kernel, upper, &all);
    let eprocess = machine.facts.processes.iter().find(|process| process.pid == 4660).unwrap().eprocess;
    let at = eprocess + machine.layout().offset("_EPROCESS", "ObjectTable") as u64;
    let table = machine.dump(Format::Full).plan.read(Space::Kernel, at, 8);
    let table = u64::from_le_bytes(table.try_into().unwrap());
    let next = table + machine.layout().offset("_HANDLE_TABLE", "NextHandleNeedingPool") as u64;
    machine.patch(Space::Kernel, next, &u32::MAX.to_le_bytes());
    let tables = tables_of(&machine, Format::Full);
    let of = |tables: &Tables| {
        found(&tables["handles"])
            .into_iter()
            .filter(|cells| cells.0 == Some(4660) && cells.1 < 0x400)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&tables), of(&whole));
    assert!(tables["handles"].len() <= whole["handles"].len());
    let again =
        |row: &Row| row["structure"] == "_HANDLE_TABLE" && row["found"] == "a page that was met before";
    assert!(tables["faults"].iter().any(again));
}

/// A table whose upper page leads to a wild page: the handles before it stay.
#[test]
fn a_damaged_table() {
    let build = fixtures::Build::WIN10_19041;
    let mut machine = Machine::clone(&scenario::busy(fixtures::Arch::X64, build));
    let whole = tables_of(&machine, Format::Full);
    let (_, upper) = upper_page(&machine, &whole, 2304);
    machine.patch(Space::Kernel, upper, &0xffff_f123_4567_8000u64.to_le_bytes());
    let tables = tables_of(&machine, Format::Full);
    let of = |tables: &Tables| found(&tables["handles"]).len();
    assert!(of(&tables) < of(&whole) && of(&tables) > 4, "{} of {}", of(&tables), of(&whole));
    assert!(tables["faults"].iter().any(|row| row["structure"] == "_HANDLE_TABLE"));
    let count = |tables: &Tables| {
        number(tables["processes"].iter().find(|row| row["process_id"] == "4660").unwrap(), "handle_count")
    };
    let all = found(&whole["handles"]).iter().filter(|cells| cells.0 == Some(4660)).count();
    assert_eq!((count(&whole), count(&tables)), (Some(all as u64), None), "half a table has no count");
}

/// A small dump holds the process and not its table of handles: how many there are nobody knows.
#[test]
fn a_table_that_was_not_captured_has_no_count() {
    for family in [Family::A, Family::B] {
        let machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
        let tables = tables_of(&machine, Format::Triage(family));
        let process = &tables["processes"][0];
        assert!(process.contains_key("handle_table") && tables["handles"].is_empty(), "{process:?}");
        assert_eq!(process.get("handle_count"), None, "{family:?}");
    }
}

/// A link that asks a routine for its target has the routine's address where others have text.
#[test]
fn a_link_with_a_routine() {
    let mut machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let link = machine.facts.objects.iter().find(|object| object.type_name == "SymbolicLink").unwrap().body;
    let routine = machine.facts.kernel_base + 0x10_0010;
    let text = machine.facts.kernel_base;
    let at = link + machine.layout().offset("_OBJECT_SYMBOLIC_LINK", "Callback") as u64;
    machine.patch(Space::Kernel, at, &[routine.to_le_bytes(), text.to_le_bytes()].concat());
    let tables = tables_of(&machine, Format::Full);
    let row = tables["objects"].iter().find(|row| number(row, "object") == Some(link)).unwrap();
    assert_eq!(row.get("link_target"), None);
}

/// A directory that is in itself, and a bucket whose chain is a ring: every other object is there once.
#[test]
fn damaged_directories() {
    let mut machine = scenario::busy(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let whole = tables_of(&machine, Format::Full);
    let of = |path: &str| {
        number(whole["objects"].iter().find(|row| row["path"] == path).unwrap(), "object").unwrap()
    };
    let (device, own) = (of("\\Device"), of("\\GLOBAL??"));
    let dump = machine.dump(Format::Full);
    let pointer = |at| u64::from_le_bytes(dump.plan.read(Space::Kernel, at, 8).try_into().unwrap());
    let layout = machine.layout();
    let (next, object) = (
        layout.offset("_OBJECT_DIRECTORY_ENTRY", "ChainLink") as u64,
        layout.offset("_OBJECT_DIRECTORY_ENTRY", "Object") as u64,
    );
    let first = |directory: u64| (directory..).step_by(8).map(pointer).find(|&entry| entry != 0).unwrap();
    machine.patch(Space::Kernel, first(own) + object, &own.to_le_bytes());
    let ring = first(device);
    machine.patch(Space::Kernel, ring + next, &ring.to_le_bytes());
    let tables = tables_of(&machine, Format::Full);
    assert!(tables["objects"].iter().any(|row| row["path"] == "\\GLOBAL??\\GLOBAL??"));
    assert!(tables["objects"].len() <= whole["objects"].len());
    assert_eq!(tables["drivers"], whole["drivers"]);
    let fault = |row: &Row| row["structure"] == "_OBJECT_DIRECTORY" && row["kind"] == "broken_list";
    assert!(tables["faults"].iter().any(fault));
}
