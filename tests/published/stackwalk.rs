//! What `minidump_stackwalk` of Breakpad and of rust-minidump says of a minidump: system, crash, modules and
//! the registers of the crashed thread, in three ways of printing it.

use super::{Real, check_cells, hex, real};
use crate::ask::Row;
use serde_json::{Value, json};

const DUMP: &str = "breakpad/minidump2.dmp";

/// The registers with which the exception happened.
fn registers(real: &Real) -> Row {
    real.rows(DUMP, "FROM contexts WHERE dump_id = {id} AND source = 'exception'").remove(0)
}

/// The module that begins at an address.
fn module(real: &Real, base: u64) -> Row {
    real.rows(DUMP, &format!("FROM modules WHERE dump_id = {{id}} AND base = {base}")).remove(0)
}

fn module_count(real: &Real) -> usize {
    real.rows(DUMP, "FROM modules WHERE dump_id = {id}").len()
}

/// `5.1.2600 Service Pack 2`, the description of the processor, and how many there are.
fn check_system(real: &Real, version: &str, cpu: &str, count: &str) {
    let (numbers, service_pack) = version.split_once(' ').unwrap();
    let number = |text: &str| json!(text.parse::<u64>().unwrap());
    let mut cells: Vec<(&str, Value)> =
        ["os_major", "os_minor", "build"].into_iter().zip(numbers.split('.').map(number)).collect();
    cells.push(("csd_version", json!(service_pack)));
    cells.push(("cpu_description", json!(cpu)));
    cells.push(("processors", number(count)));
    cells.push(("architecture", json!("x86")));
    check_cells("system", &real.dump(DUMP), &cells);
}

/// `EXCEPTION_ACCESS_VIOLATION_WRITE` at the address that was written to.
fn check_crash(real: &Real, reason: &str, address: &str) {
    assert_eq!(reason, "EXCEPTION_ACCESS_VIOLATION_WRITE");
    let cells = [
        ("code", json!(0xc000_0005_u32)),
        ("code_name", json!("STATUS_ACCESS_VIOLATION")),
        ("parameter0", json!(1)), // a write
        ("parameter1", json!(hex(address))),
    ];
    check_cells("crash", &real.rows(DUMP, "FROM exceptions WHERE dump_id = {id}").remove(0), &cells);
}

/// What all of them print of a module.
fn check_module(real: &Real, name: &str, version: &str, first: &str, last: &str) {
    let (base, last) = (hex(first), hex(last));
    let version = Some(version).filter(|version| !["", "???"].contains(version));
    let cells = [("name", json!(name)), ("version", json!(version)), ("size", json!(last - base + 1))];
    check_cells(name, &module(real, base), &cells);
}

/// PDB, and its GUID with the age in hexadecimal behind it.
fn check_pdb(real: &Real, base: &str, pdb: &str, id: &str) {
    let row = module(real, hex(base));
    let (guid, age) = id.split_at(32);
    check_cells(pdb, &row, &[("pdb_guid", json!(guid)), ("pdb_age", json!(hex(age)))]);
    let path = row["pdb_name"].as_str().unwrap();
    assert_eq!(path.rsplit('\\').next(), Some(pdb));
}

#[test]
fn for_machines() {
    let Some(real) = real("stackwalk -m") else { return };
    let output = real.read("breakpad/expected/minidump2.stackwalk.machine_readable.out");
    let (mut version, mut modules) = ("", 0);
    for line in output.lines() {
        let parts: Vec<&str> = line.split('|').collect();
        match parts[..] {
            ["OS", "Windows NT", text] => version = text,
            ["CPU", "x86", cpu, count] => check_system(real, version, cpu, count),
            ["Crash", reason, address, "0"] => check_crash(real, reason, address),
            ["Module", name, version, pdb, id, first, last, main] => {
                check_module(real, name, version, first, last);
                check_pdb(real, first, pdb, id);
                let order = module(real, hex(first))["load_order"].clone();
                assert_eq!(order == 0, main == "1", "{name}");
                modules += 1;
            }
            ["GPU", ..] | [""] => {}
            [_, _, _, _, _, _, _] => {} // a frame: no table has them yet
            _ => panic!("new: {line}"),
        }
    }
    assert_eq!((version, modules), ("5.1.2600 Service Pack 2", module_count(real)));
}

#[test]
fn for_people() {
    let Some(real) = real("stackwalk") else { return };
    for file in ["breakpad/expected/minidump2.stackwalk.out", "rust-minidump/expected/human.snap"] {
        let output = real.read(file);
        let after = |head: &str| {
            let (_, rest) = output.split_once(head).unwrap_or_else(|| panic!("{file}: no {head}"));
            rest.lines().next().unwrap().trim()
        };
        let version = after("Operating system: Windows NT\n");
        let cpu = after("CPU: x86\n");
        let (count, _) = after(&format!("{cpu}\n")).split_once(' ').unwrap();
        check_system(real, version, cpu, count);
        check_crash(real, after("Crash reason: "), after("Crash address: "));
        let thread = real.rows(DUMP, "FROM threads WHERE dump_id = {id} AND crashed").remove(0);
        if let Some((_, number)) = after("Thread 0").split_once("tid: ") {
            check_cells(file, &thread, &[("thread_id", json!(number.parse::<u64>().unwrap()))]);
        }
        let (_, frame) = output.split_once("\n 0  ").unwrap();
        let (frame, _) = frame.split_once("Found by").unwrap();
        assert_eq!(check_frame(real, frame), 10, "{file}");
        let (_, modules) = output.split_once("Loaded modules:\n").unwrap();
        let lines: Vec<&str> = modules.lines().take_while(|line| line.starts_with("0x")).collect();
        assert_eq!(lines.len(), module_count(real), "{file}");
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            check_module(real, words[3], words[4], words[0], words[2]);
        }
    }
}

/// The registers of the topmost frame: `eip = 0x0040429e   esp = 0x0012fe84 …`. Returns how many there are.
fn check_frame(real: &Real, frame: &str) -> usize {
    let words: Vec<&str> = frame.split_whitespace().collect();
    let row = registers(real);
    let assignments = words.windows(3).filter(|words| words[1] == "=");
    assignments.map(|words| check_register(&row, words[0], words[2])).count()
}

fn check_register(row: &Row, register: &str, value: &str) {
    let column = if register == "efl" { "eflags" } else { register };
    check_cells("registers", row, &[(column, json!(hex(value)))]);
}

#[test]
fn as_json() {
    let Some(real) = real("stackwalk as JSON") else { return };
    let output = real.read("rust-minidump/expected/json-pretty.snap");
    // A snapshot: a head between two lines of `---`, then the text.
    let (_, text) = output.rsplit_once("---\n").unwrap();
    let json: Value = serde_json::from_str(text).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let system = &json["system_info"];
    check_system(
        real,
        &text(&system["os_ver"]),
        &text(&system["cpu_info"]),
        &system["cpu_count"].to_string(),
    );
    check_crash(real, &text(&json["crash_info"]["type"]), &text(&json["crash_info"]["address"]));
    let row = registers(real);
    let given = json["crashing_thread"]["frames"][0]["registers"].as_object().unwrap();
    given.iter().for_each(|(register, value)| check_register(&row, register, value.as_str().unwrap()));
    assert_eq!(given.len(), 10);
    let threads = real.rows(DUMP, "SELECT thread_id, name AS thread_name FROM threads WHERE dump_id = {id}");
    let theirs = json["threads"].as_array().unwrap();
    assert_eq!(threads.len(), theirs.len());
    for (ours, theirs) in threads.iter().zip(theirs) {
        let cells = ["thread_id", "thread_name"].map(|name| (name, theirs[name].clone()));
        check_cells("thread", ours, &cells);
    }
    let modules = json["modules"].as_array().unwrap();
    assert_eq!(modules.len(), module_count(real));
    for theirs in modules {
        let base = text(&theirs["base_addr"]);
        let last = format!("{:#x}", hex(&text(&theirs["end_addr"])) - 1);
        check_module(real, &text(&theirs["filename"]), &text(&theirs["version"]), &base, &last);
        check_pdb(real, &base, &text(&theirs["debug_file"]), &text(&theirs["debug_id"]));
        // The code id is the time stamp and the size, both in hexadecimal.
        let row = module(real, hex(&base));
        let [time, size] = ["timestamp", "size"].map(|name| row[name].as_u64().unwrap());
        assert_eq!(text(&theirs["code_id"]), format!("{time:x}{size:x}"));
    }
    assert_eq!(json["unloaded_modules"], json!([]));
    assert!(real.rows(DUMP, "FROM unloaded_modules WHERE dump_id = {id}").is_empty());
    let process = real.rows(DUMP, "FROM processes WHERE dump_id = {id}").remove(0);
    check_cells("process", &process, &[("process_id", json["pid"].clone())]);
}
