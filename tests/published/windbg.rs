//! What WinDbg's `!analyze -v` says of a minidump.

use super::{check_cells, hex, real};
use serde_json::{Value, json};

const DUMP: &str = "zphixon/dump2.dmp";

#[test]
fn registers_and_exception() {
    let Some(real) = real("!analyze -v") else { return };
    let output = real.read("zphixon/dump2.txt");
    let (_, rest) = output.split_once("CONTEXT:  (.ecxr)\n").unwrap();
    let (context, _) = rest.split_once("Resetting default scope").unwrap();
    let sql = "FROM contexts WHERE dump_id = {id} AND source = 'exception'";
    let row = real.rows(DUMP, sql).remove(0);
    let mut checked = 0;
    for (register, value) in context.split_whitespace().filter_map(|word| word.split_once('=')) {
        let column = match register {
            "efl" => "eflags",
            "iopl" => continue, // bits of the flags, which are compared as a whole
            same => same,
        };
        checked += usize::from(row.contains_key(column));
        if row.contains_key(column) {
            check_cells("registers", &row, &[(column, json!(hex(value)))]);
        }
    }
    // 16 general registers, rip, flags, 6 segments.
    assert_eq!(checked, 16 + 1 + 1 + 6);
    let after = |head: &str| {
        let (_, rest) = output.split_once(head).unwrap_or_else(|| panic!("no {head}"));
        rest.split_whitespace().next().unwrap()
    };
    let cells = [
        ("address", json!(hex(after("ExceptionAddress: ")))),
        ("code", json!(hex(after("ExceptionCode: ")))),
        ("code_name", json!("STATUS_ACCESS_VIOLATION")),
        ("flags", json!(hex(after("ExceptionFlags: ")))),
        ("parameters", json!(after("NumberParameters: ").parse::<u32>().unwrap())),
        ("parameter0", json!(hex(after("Parameter[0]: ")))),
        ("parameter1", json!(hex(after("Parameter[1]: ")))),
        ("parameter2", Value::Null),
    ];
    check_cells("exception", &real.rows(DUMP, "FROM exceptions WHERE dump_id = {id}").remove(0), &cells);
    let process = real.rows(DUMP, "FROM processes WHERE dump_id = {id}").remove(0);
    check_cells("process", &process, &[("name", json!(after("PROCESS_NAME:  ")))]);
    check_cells("system", &real.dump(DUMP), &[("architecture", json!(after("OSPLATFORM_TYPE:  ")))]);
    let sql = "SELECT name FROM modules JOIN exceptions USING (dump_id) \
               WHERE dump_id = {id} AND address BETWEEN base AND base + size - 1";
    check_cells("module", &real.rows(DUMP, sql).remove(0), &[("name", json!(after("IMAGE_NAME:  ")))]);
}

/// Every return address lies in the module that WinDbg names for it, and every frame in captured memory.
#[test]
fn addresses_of_the_stack() {
    let Some(real) = real("STACK_TEXT") else { return };
    let output = real.read("zphixon/dump2.txt");
    let (_, rest) = output.split_once("STACK_TEXT:  \n").unwrap();
    let frames: Vec<&str> = rest.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(frames.len(), 25);
    let address = |text: &str| hex(&text.replace('`', ""));
    let words = |frame: &&str| -> Vec<String> { frame.split_whitespace().map(String::from).collect() };
    let sql = |address: u64| {
        format!(
            "SELECT name FROM modules WHERE dump_id = {{id}} AND {address} BETWEEN base AND base + size - 1"
        )
    };
    let symbol = |frame: &&str| frame.rsplit(" : ").next().unwrap().split('!').next().unwrap().to_string();
    for pair in frames.windows(2) {
        let (returns_to, caller) = (address(&words(&pair[0])[1]), symbol(&pair[1]));
        let name = real.rows(DUMP, &sql(returns_to)).remove(0)["name"].as_str().unwrap().to_string();
        // WinDbg drops the extension, and writes `-` as `_`.
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).replace('-', "_");
        assert_eq!(stem.to_lowercase(), caller.to_lowercase(), "{returns_to:#x}");
        let stack = address(&words(&pair[0])[0]);
        let sql = format!(
            "FROM memory_runs WHERE dump_id = {{id}} AND {stack} BETWEEN start AND start + length - 1"
        );
        assert_eq!(real.rows(DUMP, &sql).len(), 1, "{stack:#x}");
    }
}
