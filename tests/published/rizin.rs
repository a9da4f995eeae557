//! What rizin and radare2 expect of the dumps in their test databases: headers and registers of the triage
//! dumps, modules and memory of `calc.dmp`.

use super::{Real, check_cells, hex, real};
use crate::ask::Row;
use serde_json::{Value, json};

const CALC: &str = "rizin-triage/calc.dmp";

/// The expected output of a test, by its name.
fn expected<'a>(database: &'a str, name: &str) -> Vec<&'a str> {
    let head = format!("NAME={name}\n");
    let (_, test) = database.split_once(&head).unwrap_or_else(|| panic!("no test {name}"));
    let (_, output) = test.split_once("EXPECT=<<EOF\n").unwrap();
    output.split_once("EOF\n").unwrap().0.lines().collect()
}

/// `key : value` or `key = value`, the value without the name in parentheses behind it.
fn pair<'a>(line: &'a str, between: &str) -> Option<(&'a str, &'a str)> {
    let (key, value) = line.split_once(between)?;
    Some((key.trim(), value.trim()))
}

#[test]
fn headers_of_triage_dumps() {
    let Some(real) = real("rizin's headers") else { return };
    let database = real.read("rizin-triage/expected-rizin-db-dmp.txt");
    for (test, file) in TRIAGE {
        let output = expected(&database, test);
        let fields = output.iter().filter_map(|line| pair(line, " : "));
        let (dump, mut checked) = (real.dump(file), 0);
        for (field, value) in fields {
            checked += usize::from(check_field(real, file, &dump, field, value));
        }
        assert_eq!(checked, 17 + 13, "{file}");
        check_bugcheck_name(&dump, &output);
    }
}

const TRIAGE: [(&str, &str); 2] = [
    (": Triage Dump Debug x64", "rizin-triage/triage_x64.dmp"),
    (": Triage Dump Debug arm64", "rizin-triage/triage_arm64.dmp"),
];

/// Compares a header field with its column; false for one that has none.
fn check_field(real: &Real, file: &str, dump: &Row, field: &str, value: &str) -> bool {
    let number = hex(value.split(' ').next().unwrap());
    if let Some((_, column)) = COLUMNS.iter().find(|(name, _)| *name == field) {
        let absent = ["SecondaryDataState", "BrokenDriverOffset"].contains(&field);
        // `PAGE` is what a header holds where nothing was written; offset 0 means "no such part".
        let cell = if absent && [0, 0x4547_4150].contains(&number) { Value::Null } else { json!(number) };
        check_cells(file, dump, &[(column, cell)]);
        return true;
    }
    let runs = |which: &str| {
        let sql = "SELECT min(start) AS start, min(file_offset) AS place, sum(length)::UBIGINT AS length, \
                   count(*) AS runs FROM memory_runs WHERE dump_id = {id} AND source = ";
        real.rows(file, &format!("{sql}'{which}'")).remove(0)
    };
    match field {
        "DriverCount" => {
            assert_eq!(real.rows(file, "FROM modules WHERE dump_id = {id}").len() as u64, number, "{file}")
        }
        "TopOfStack" => check_cells(file, &runs("call stack"), &[("start", json!(number))]),
        "CallStackOffset" => check_cells(file, &runs("call stack"), &[("place", json!(number))]),
        "DebuggerDataOffset" => check_cells(file, &runs("debugger data"), &[("place", json!(number))]),
        "DebuggerDataSize" => check_cells(file, &runs("debugger data"), &[("length", json!(number))]),
        "DataPageSize" => {
            assert_eq!(number, 0, "{file}: no expectation for a data page that is there");
            check_cells(file, &runs("data page"), &[("runs", json!(0))]);
        }
        "ValidOffset" => check_cells(file, dump, &[("triage_complete", json!(number != 0))]),
        "SizeOfCallStack" => check_stack(real, file, number),
        _ => {
            assert!(NO_COLUMN.contains(&field), "{field} is new");
            return false;
        }
    }
    true
}

/// All of the captured stack is in the runs, if not from the stack's own copy then from a data block.
fn check_stack(real: &Real, file: &str, size: u64) {
    let sql = "SELECT start, start + length AS \"end\" FROM memory_runs WHERE dump_id = {id} ORDER BY start";
    let top = real.rows(
        file,
        "SELECT min(start) AS top FROM memory_runs WHERE dump_id = {id} AND source = 'call stack'",
    );
    let top = top[0]["top"].as_u64().unwrap();
    let mut reached = top;
    for run in real.rows(file, sql) {
        let [start, end] = ["start", "end"].map(|name| run[name].as_u64().unwrap());
        if start <= reached && reached < end {
            reached = end;
        }
    }
    assert!(reached >= top + size, "{file}: the stack ends at {reached:#x}");
}

const COLUMNS: [(&str, &str); 22] = [
    ("MajorVersion", "major_version"),
    ("MinorVersion", "build"),
    ("DirectoryTableBase", "dtb"),
    ("PfnDataBase", "pfn_database"),
    ("PsLoadedModuleList", "ps_loaded_module_list"),
    ("PsActiveProcessHead", "ps_active_process_head"),
    ("MachineImageType", "machine_type"),
    ("NumberProcessors", "processors"),
    ("BugCheckCode", "bugcheck_code"),
    ("BugCheckParameter1", "bugcheck_param1"),
    ("BugCheckParameter2", "bugcheck_param2"),
    ("BugCheckParameter3", "bugcheck_param3"),
    ("BugCheckParameter4", "bugcheck_param4"),
    ("KdDebuggerDataBlock", "kd_debugger_data_block"),
    ("SecondaryDataState", "secondary_data_state"),
    ("ProductType", "product_type"),
    ("SuiteMask", "suite_mask"),
    ("ServicePackBuild", "triage_service_pack_build"),
    ("SizeOfDump", "triage_size_of_dump"),
    ("BrokenDriverOffset", "broken_driver"),
    ("TriageOptions", "triage_options"),
    ("DataBlocksCount", "data_blocks"),
];

/// Fields that only say where in the file something is, or that nothing is there.
const NO_COLUMN: [&str; 16] = [
    "ContextOffset",
    "ExceptionOffset",
    "MmOffset",
    "UnloadedDriversOffset",
    "PrcbOffset",
    "ProcessOffset",
    "ThreadOffset",
    "DriverListOffset",
    "StringPoolOffset",
    "StringPoolSize",
    "BStoreOffset",
    "SizeOfBStore",
    "LimitOfBStore",
    "DataPageAddress",
    "DataPageOffset",
    "DataBlocksOffset",
];

fn check_bugcheck_name(dump: &Row, output: &[&str]) {
    let line = output.iter().find_map(|line| line.trim().strip_prefix("BugCheckCode")).unwrap();
    let (_, name) = line.split_once('(').unwrap();
    assert_eq!(dump["bugcheck_name"], name.trim_end_matches(')'));
}

#[test]
fn registers_of_triage_dumps() {
    let Some(real) = real("rizin's registers") else { return };
    let database = real.read("rizin-triage/expected-rizin-db-dmp.txt");
    for ((test, file), registers) in TRIAGE.into_iter().zip([19, 36]) {
        let sql = "FROM contexts WHERE dump_id = {id} AND source = 'triage prcb' AND processor = 0";
        let context = real.rows(file, sql).remove(0);
        let output = expected(&database, test);
        let mut checked = 0;
        for (register, value) in output.iter().filter_map(|line| pair(line, " = ")) {
            let column = match register {
                "rflags" => "eflags",
                "sp" => "arm_sp",
                same => same,
            };
            check_cells(file, &context, &[(column, json!(hex(value)))]);
            checked += 1;
        }
        assert_eq!(checked, registers, "{file}");
        // The top frame: `0  0xfffff… sp: 0xffff…  0    [??]  name`.
        let frame = output.iter().find(|line| line.starts_with("0  0x")).unwrap();
        let words: Vec<&str> = frame.split_whitespace().collect();
        check_cells(file, &context, &[("ip", json!(hex(words[1]))), ("sp", json!(hex(words[3])))]);
    }
}

#[test]
fn calc_is_what_rizin_and_radare2_say() {
    let Some(real) = real("calc.dmp") else { return };
    let rizin = real.read("rizin-triage/expected-rizin-db-mdmp.txt");
    let radare = real.read("rizin-triage/expected-r2-db-mdmp.txt");
    for output in [expected(&rizin, "mdmp info"), expected(&radare, ": info")] {
        let value = |key: &str| {
            let line = output.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {key}")).trim()
        };
        let size = value("binsz");
        let size = if size.starts_with("0x") { hex(size) } else { size.parse().unwrap() };
        let machine =
            [("AMD64", "x64")].into_iter().find(|(theirs, _)| *theirs == value("machine")).unwrap().1;
        let cells = [
            ("file_size", json!(size)),
            ("architecture", json!(machine)),
            ("minidump_flags", json!(hex(value("flags")))),
        ];
        check_cells(CALC, &real.dump(CALC), &cells);
        let streams = real.rows(CALC, "FROM streams WHERE dump_id = {id}").len();
        assert_eq!(streams.to_string(), value("streams"));
        check_version(real, value("os"));
    }
    check_version(real, expected(&radare, ": version info")[0].trim());
}

/// `Windows NT Workstation 6.1.7601`, or with the revision of the system's files behind it.
fn check_version(real: &Real, os: &str) {
    let dump = real.dump(CALC);
    let version: Vec<u64> =
        os.rsplit(' ').next().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    let kind = os.split(' ').nth(2).unwrap().to_lowercase();
    let mut cells = vec![("product_type_name", json!(kind))];
    cells.extend(["os_major", "os_minor", "build"].into_iter().zip(version.iter().map(|part| json!(part))));
    check_cells(CALC, &dump, &cells);
    if let Some(revision) = version.get(3) {
        let sql = "SELECT version FROM modules WHERE dump_id = {id} AND name = 'ntdll.dll'";
        let system = real.rows(CALC, sql).remove(0);
        assert!(system["version"].as_str().unwrap().ends_with(&format!(".{revision}")), "{system:?}");
    }
}

#[test]
fn modules_of_calc() {
    let Some(real) = real("modules of calc.dmp") else { return };
    let database = real.read("rizin-triage/expected-rizin-db-mdmp.txt");
    let modules =
        real.rows(CALC, "SELECT base, size, path FROM modules WHERE dump_id = {id} ORDER BY load_order");
    // Behind the two lines of heading: paddr, size, vaddr, vsize, align, perm, name.
    let lines = &expected(&database, "mdmp sections")[2..];
    let mut modules = modules.iter();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (base, size) = (json!(hex(words[2])), json!(hex(words[1])));
        // rizin lists one section a module that it could name; the order is that of the list.
        let module = modules.find(|module| module["base"] == base);
        let module = module.unwrap_or_else(|| panic!("{line}: not in the list, or not in this order"));
        assert_eq!(module["size"], size, "{line}");
        assert!(same_name(words[6], module["path"].as_str().unwrap()), "{line}: {module:?}");
    }
    assert_eq!(lines.len(), 26);
    // radare2 prints the section of one module: number, paddr, size, vaddr, vsize, perm, align, type, path.
    let radare = real.read("rizin-triage/expected-r2-db-mdmp.txt");
    let words: Vec<&str> = expected(&radare, ": sections")[0].split_whitespace().collect();
    let sql = "SELECT base, size, path FROM modules WHERE dump_id = {id} ORDER BY load_order LIMIT 1";
    let cells =
        [("base", json!(hex(words[3]))), ("size", json!(hex(words[2]))), ("path", json!(words.last()))];
    check_cells(CALC, &real.rows(CALC, sql).remove(0), &cells);
}

/// rizin shows `\` and the letter behind it, where both look like an escape sequence, as `_`.
fn same_name(shown: &str, path: &str) -> bool {
    shown.chars().count() == path.chars().count()
        && shown.chars().zip(path.chars()).all(|(shown, ours)| shown == '_' || shown == ours)
}

#[test]
fn memory_of_calc() {
    let Some(real) = real("memory of calc.dmp") else { return };
    let database = real.read("rizin-triage/expected-rizin-db-mdmp.txt");
    let mut theirs: Vec<[u64; 3]> = Vec::new();
    for line in expected(&database, "mdmp maps") {
        // ` 1 fd: 3 +0x000043ac 0x0398f9b8 - 0x0398ffff r-- name`: place in the file, first and last address.
        let words: Vec<&str> = line.split_whitespace().collect();
        let [offset, first, last] = [words[3].trim_start_matches('+'), words[4], words[6]].map(hex);
        theirs.push([first, last - first + 1, offset]);
    }
    theirs.sort();
    let sql = "SELECT start, length, file_offset FROM memory_runs WHERE dump_id = {id} ORDER BY start";
    let ours: Vec<[u64; 3]> = real
        .rows(CALC, sql)
        .iter()
        .map(|run| ["start", "length", "file_offset"].map(|name| run[name].as_u64().unwrap()))
        .collect();
    assert_eq!(ours, theirs);
}
