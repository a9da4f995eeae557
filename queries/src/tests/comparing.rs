//! Comparisons: what a small dump holds by chance is never gone, and dumps of different machines are told apart.

use super::*;

fn dump(lake: &Lake, id: &str, format: &str, time: &str, kernel: &str) {
    lake.put(
        "dumps",
        id,
        &[&[
            ("path", &quote(&format!("/dumps/{id}"))),
            ("format", &quote(format)),
            ("architecture", "'x64'"),
            ("build", "19041"),
            ("kernel_pdb", &quote(kernel)),
            ("kernel_base", "4096"),
            ("uptime_seconds", "60"),
            ("options", "''"),
            ("system_time", time),
        ]],
    );
}

/// Rows that a dump holds, all with `value`, which names and numbers them.
fn rows(lake: &Lake, id: &str, value: &str) {
    let name = quote(&format!("thing{value}"));
    let process =
        [("process_id", "8"), ("name", "'a'"), ("create_time", "'2024-05-01'"), ("handle_count", "7")];
    lake.put("processes", id, &[&process]);
    let block =
        [("state", "'allocated'"), ("va", value), ("size", value), ("tag", &name), ("allocator", "'pool'")];
    lake.put("pool_allocations", id, &[&block]);
    lake.put("big_pool", id, &[&[("tag", &name), ("address", value), ("size", value), ("free", "false")]]);
    lake.put("pool_tags", id, &[&[("tag", &name), ("nonpaged_bytes", value), ("tables", "2")]]);
    lake.put("handles", id, &[&[("process_id", "8"), ("type_name", &name), ("source", "'table'")]]);
    lake.put("drivers", id, &[&[("name", &name), ("in_directory", "true")]]);
    lake.put("syscalls", id, &[&[("service", "1"), ("table_number", "0"), ("target", value)]]);
    lake.put("callbacks", id, &[&[("routine", value), ("kind", "'process'"), ("source", "'array'")]]);
    lake.put("driver_dispatch", id, &[&[("driver_name", "'d'"), ("name", "'READ'"), ("target", value)]]);
}

const AREAS: [&str; 4] = ["pool", "handles", "threads", "drivers"];

fn both() -> String {
    format!("['{FIRST}', '{SECOND}']")
}

#[test]
fn what_a_small_dump_holds_by_chance_is_not_compared() {
    for (first, second) in [
        ("kernel triage", "kernel triage"),
        ("kernel bitmap", "kernel triage"),
        ("kernel triage", "kernel bitmap"),
    ] {
        let lake = Lake::empty();
        dump(&lake, FIRST, first, "'2024-05-17 12:00'", "A-1");
        dump(&lake, SECOND, second, "'2024-05-17 12:00'", "A-1");
        rows(&lake, FIRST, "16");
        rows(&lake, SECOND, "32");
        let session = lake.session();
        for area in AREAS {
            let changes =
                csv(&session, &format!("SELECT kind, subject, change FROM diff_{area}({})", both()));
            assert_eq!(changes, "", "{area} of {first} and {second}");
        }
        let blocks = csv(&session, &format!("FROM diff_pool_blocks('{FIRST}', '{SECOND}')"));
        assert_eq!(blocks, "", "{first} and {second}");
        let position = if second == "kernel triage" { 2 } else { 1 };
        let why = format!(
            "SELECT \"table\" FROM diff_not_comparable({}) WHERE position = {position} AND \
             why = 'a small dump holds a few rows by chance: they are not compared' ORDER BY 1",
            both()
        );
        assert_eq!(
            csv(&session, &why).replace('\n', " "),
            "big_pool callbacks driver_dispatch drivers handles pool_allocations pool_tags syscalls"
        );
    }
    // The same rows in whole dumps are changes.
    let lake = Lake::empty();
    dump(&lake, FIRST, "kernel bitmap", "'2024-05-17 12:00'", "A-1");
    dump(&lake, SECOND, "kernel bitmap", "'2024-05-17 12:00'", "A-1");
    rows(&lake, FIRST, "16");
    rows(&lake, SECOND, "32");
    let blocks = format!("SELECT count(*) FROM diff_pool_blocks('{FIRST}', '{SECOND}')");
    assert_eq!(lake.csv(&blocks), "4");
    assert_eq!(lake.csv(&format!("SELECT count(*) > 0 FROM diff_drivers({})", both())), "true");
}

#[test]
fn a_table_that_a_dump_lacks_is_named() {
    let lake = Lake::empty();
    dump(&lake, FIRST, "kernel bitmap", "'2024-05-17 12:00'", "A-1");
    dump(&lake, SECOND, "kernel full", "'2024-05-17 13:00'", "A-1");
    rows(&lake, FIRST, "16");
    lake.put("code_pages", FIRST, &[&[("module", "'a.sys'"), ("rva", "4096"), ("hash", "1")]]);
    let missing = format!(
        "SELECT DISTINCT \"table\" FROM diff_not_comparable({}) WHERE position = 2 AND \"table\" IS NOT NULL ORDER BY 1",
        both()
    );
    let tables = lake.csv(&missing);
    for table in ["pool_allocations", "code_pages", "pool_tags", "big_pool", "handles", "callbacks"] {
        assert!(tables.lines().any(|line| line == table), "{table}: {tables}");
    }
}

#[test]
fn dumps_of_other_machines_and_runs_are_said_to_be() {
    let lake = Lake::empty();
    dump(&lake, FIRST, "kernel bitmap", "'2024-05-17 12:00'", "A-1");
    dump(&lake, SECOND, "kernel bitmap", "'2024-05-18 12:00'", "B-1");
    let snapshots = format!("SELECT same_boot, same_machine FROM diff_snapshots({})", both());
    assert_eq!(lake.csv(&snapshots), "true,true\nfalse,", "nothing tells the machine");
    lake.put("firmware", FIRST, &[&[("system_manufacturer", "'Contoso'"), ("system_product", "'One'")]]);
    lake.put("firmware", SECOND, &[&[("system_manufacturer", "'Contoso'"), ("system_product", "'Two'")]]);
    assert_eq!(lake.csv(&snapshots), "true,true\nfalse,false");
    let why = format!("SELECT why FROM diff_not_comparable({}) WHERE area = 'dumps'", both());
    let said = [
        "another kernel than the first: x64 build 19041 against x64 build 19041",
        "\"of another machine than the first: Contoso, Two against Contoso, One\"",
        "\"of another run of Windows than the first: addresses, processes and counters begin anew\"",
    ];
    assert_eq!(lake.csv(&why).lines().collect::<Vec<_>>(), said);
    // A counter of another run lies on no line with the first.
    lake.put("memory_counters", FIRST, &[&[("name", "'Commit'"), ("unit", "'pages'"), ("value", "1")]]);
    lake.put("memory_counters", SECOND, &[&[("name", "'Commit'"), ("unit", "'pages'"), ("value", "9")]]);
    let slope = format!("SELECT change, per_hour FROM diff_memory({})", both());
    assert_eq!(lake.csv(&slope), "rose,");
}
