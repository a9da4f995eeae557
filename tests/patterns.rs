//! `dumplake patterns` over the lake of the demo: what is found in whole conversions, and how it is told.

use crate::{
    ask::{Ran, dumplake_in},
    support::scratch,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The folder of a demo, made once.
fn demo() -> &'static Path {
    static DEMO: OnceLock<PathBuf> = OnceLock::new();
    DEMO.get_or_init(|| {
        let folder = scratch("demo");
        let ran = dumplake_in(&folder, &["demo"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        folder
    })
}

/// Runs the command on the demo's lake.
fn patterns(args: &[&str]) -> Ran {
    let ran = dumplake_in(demo(), &[&["patterns", "demo/lake"], args].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran
}

/// All of it, as a program reads it.
fn answer() -> &'static [Value] {
    static ANSWER: OnceLock<Vec<Value>> = OnceLock::new();
    ANSWER.get_or_init(|| serde_json::from_str(&patterns(&["--json", "--rows", "100"]).out).unwrap())
}

fn of(pattern: &str) -> &'static Value {
    let found = answer().iter().find(|outcome| outcome["pattern"] == pattern);
    found.unwrap_or_else(|| panic!("no pattern {pattern}"))
}

/// Id of the dump in a folder of the demo.
fn dump(folder: &str) -> String {
    static DUMPS: OnceLock<Vec<Value>> = OnceLock::new();
    let dumps = DUMPS.get_or_init(|| {
        let sql = "SELECT path, dump_id FROM dumps";
        let ran = dumplake_in(demo(), &["sql", "demo/lake", sql, "--format", "json"]);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err))
    });
    let found = dumps.iter().find(|dump| dump["path"].as_str().unwrap().contains(folder));
    found.unwrap_or_else(|| panic!("no dump in {folder}"))["dump_id"].as_str().unwrap().to_owned()
}

/// Subject and strength of the findings in one dump.
fn found(pattern: &str, folder: &str) -> Vec<(String, String)> {
    let id = dump(folder);
    let findings = of(pattern)["findings"].as_array().unwrap();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let here = findings.iter().filter(|finding| finding["dump_id"] == *id);
    here.map(|finding| (text(finding, "subject"), text(finding, "strength"))).collect()
}

fn check(pattern: &str, folder: &str, expected: &[(&str, &str)]) {
    let found = found(pattern, folder);
    let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(found, expected, "{pattern} in {folder}");
}

fn status(pattern: &str, folder: &str) -> &'static str {
    let (id, outcome) = (dump(folder), of(pattern));
    let holds = |list: &Value| list.as_array().unwrap().iter().any(|v| *v == *id || v["dump_id"] == *id);
    match (holds(&outcome["findings"]), holds(&outcome["not_found"]), holds(&outcome["not_decidable"])) {
        (true, false, false) => "found",
        (false, true, false) => "not found",
        (false, false, true) => "not decidable",
        other => panic!("{pattern} in {folder}: {other:?}"),
    }
}

#[test]
fn every_dump_has_one_answer_to_every_pattern() {
    for outcome in answer() {
        assert_eq!(outcome["error"], Value::Null, "{outcome}");
        for folder in ["crash/", "fault/", "stuck/", "monday/m", "monday/u"] {
            status(outcome["pattern"].as_str().unwrap(), folder);
        }
    }
}

/// The machine whose stacks show each thing that a walk must know.
#[test]
fn the_crash_in_a_driver() {
    check("stack_trace", "fault/", &[("System 4.8", "certain")]);
    check("exception_stack_trace", "fault/", &[("System 4.8", "strong")]);
    check("exception_module", "fault/", &[("contoso.sys", "certain")]);
    check("origin_module", "fault/", &[("contoso.sys", "strong")]);
    check("null_pointer_data", "fault/", &[("0x0000000000000028", "certain")]);
    // Near misses of the same machine: a deep recursion with room left, a smashed stack that was joined.
    check("stack_overflow", "fault/", &[("System 4.128", "certain")]);
    check("glued_stack_trace", "fault/", &[("System 4.148", "strong")]);
    check("truncated_stack_trace", "fault/", &[]);
    check("dual_stack_trace", "fault/", &[("app.exe 4660.144", "certain")]);
    assert_eq!(found("active_thread", "fault/").len(), 8);
    assert_eq!(status("multiple_exceptions", "fault/"), "not found");
    assert_eq!(status("manual_dump", "fault/"), "not found");
}

/// The machine on which nothing goes on.
#[test]
fn the_system_that_is_stuck() {
    let threads = |ids: &[u32]| -> Vec<(String, String)> {
        ids.iter().map(|id| (format!("stuck.exe 5000.{id}"), "certain".to_owned())).collect()
    };
    assert_eq!(found("deadlock", "stuck/"), threads(&[5004, 5008]));
    let strong = |ids: &[u32]| -> Vec<(String, String)> {
        threads(ids).into_iter().map(|(thread, _)| (thread, "strong".to_owned())).collect()
    };
    assert_eq!(found("wait_chain_mutexes", "stuck/"), strong(&[5004, 5008, 5020, 5028]));
    assert_eq!(found("wait_chain_resources", "stuck/").len(), 2);
    check("wait_chain_alpc", "stuck/", &[("asking.exe 5100.5108", "strong")]);
    check("blocking_file", "stuck/", &[("\\logs\\today.txt", "strong")]);
    // The owner in notepad runs; that of the other program does not exist.
    let sections = found("wait_chain_critical_sections", "stuck/");
    assert_eq!(sections.iter().filter(|(_, strength)| strength == "weak").count(), 1, "{sections:?}");
    assert!(sections.contains(&("notepad.exe 4660.4664".into(), "weak".into())), "{sections:?}");
    assert_eq!(status("wait_chain_threads", "stuck/"), "not found");
    assert_eq!(status("deadlock", "fault/"), "not found");
}

#[test]
fn what_else_the_stuck_system_shows() {
    check("insufficient_memory", "stuck/", &[("commit", "strong"), ("physical memory", "strong")]);
    let hooks = found("hooked_functions", "stuck/");
    let of = |strength: &str| {
        hooks.iter().filter(|hook| hook.1 == strength).map(|hook| hook.0.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("certain"), ["0x5"]);
    assert_eq!(of("strong"), ["\\Driver\\contoso IRP_MJ_POWER", "vector 0x91 of processor 0"]);
    assert_eq!(of("weak"), ["\\Driver\\contoso IRP_MJ_DEVICE_CONTROL"]);
    check("frozen_process", "stuck/", &[("svchost.exe 900", "certain"), ("notepad.exe 4660", "strong")]);
    check("wow64_process", "stuck/", &[("notepad.exe 4660", "certain"), ("legacy.exe 5600", "certain")]);
    check("isa_specific_code", "stuck/", &[("legacy.exe 5600", "certain")]);
    check("active_thread", "stuck/", &[("notepad.exe 4660.4664", "certain")]);
    check("dpc_interrupt_stack", "stuck/", &[("processor 1", "certain")]);
    let memory = found("injected_memory", "stuck/");
    assert_eq!(memory.len(), 1, "one range that is private and executable: {memory:?}");
    assert!(found("historical_information", "stuck/").contains(&("gone.exe 1200".into(), "certain".into())));
    assert_eq!(status("hidden_objects", "stuck/"), "not found");
}

#[test]
fn snapshots_of_a_service_that_leaks() {
    check("handle_leak", "friday/u", &[("contoso_svc.exe 1204", "strong")]);
    // One tag leaks, one waves, one is steady.
    check("pool_leak", "friday/m", &[("CtLk", "weak")]);
    let reading = of("pool_leak")["findings"][0]["reading"].as_str().unwrap();
    assert!(reading.starts_with("Tag CtLk (contoso.sys) grew"), "{reading}");
    assert_eq!(status("pool_leak", "monday/m"), "not found");
    assert_eq!(found("handle_leak", "monday/u"), []);
    check("fiber_bundle", "friday/u", &[("contoso_svc.ex 1204", "certain")]);
    check("fiber_bundle", "monday/u", &[("contoso_svc.ex 1204", "certain")]);
}

#[test]
fn a_live_dump_was_asked_for() {
    check("manual_dump", "monday/m", &[("LIVE_SYSTEM_DUMP", "certain")]);
    assert_eq!(status("null_pointer_data", "monday/m"), "not found");
}

#[test]
fn small_dumps_say_what_they_cannot_decide() {
    // A process has the stacks of all its threads in its dump, a small dump of the system one of many.
    assert_eq!(status("exception_stack_trace", "monday/u"), "not found");
    assert_eq!(status("exception_stack_trace", "crash/"), "not decidable");
    check("invalid_pointer", "crash/", &[("0xffffa508deadb000", "weak")]);
}

#[test]
fn people_are_told_the_same() {
    let ran = patterns(&["--only", "stack_overflow", "--only", "NULL Pointer (Code)"]);
    assert!(ran.out.contains("certain thread System 4.128"), "{}", ran.out);
    assert!(ran.out.contains("null_pointer_code            in 9 dumps"), "{}", ran.out);
    let id = dump("fault/");
    let ran = patterns(&["--dump", &id, "--only", "stack_overflow"]);
    assert!(ran.out.contains("Looked for and not found:\n  nothing"), "{}", ran.out);
    let other = dump("crash/");
    let ran = patterns(&["--dump", &id, "--dump", &other, "--only", "dump_context"]);
    let found = |id: &str| ran.out.contains(&format!("    {id} "));
    assert!(found(&id) && found(&other) && !found(&dump("monday/u")), "{}", ran.out);
    let ran = dumplake_in(demo(), &["patterns", "demo/lake", "--dump", "nothing-of-it"]);
    assert_eq!((ran.code, ran.err.contains("no dump is called nothing-of-it")), (2, true), "{}", ran.err);
    assert_eq!(dumplake_in(demo(), &["patterns", "demo/lake", "--only", "nothing"]).code, 2);
    assert!(dumplake_in(demo(), &["patterns", "--list"]).out.contains("null_pointer_code"));
}

/// The machines of the demo were started at times of their own: the code of one is not that of another, later.
#[test]
fn no_machine_of_the_demo_changed_the_code_of_another() {
    let ran = dumplake_in(demo(), &["patterns", "demo/lake", "--only", "code_between_dumps", "--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &found[0]["found"]), (0, &Value::from(0)), "{}", ran.out);
}

#[test]
fn the_morning_read() {
    let ran = dumplake_in(demo(), &["analyze", "demo/lake"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in [
        "3 x STATUS_BREAKPOINT_contoso_svc+0x24b8",
        "probably contoso.sys: it holds the instruction at fault",
        "Deadlock [certain]: stuck.exe 5000.5004: It waits for Mutant",
        "a field of NULL.",
        "Nothing crashed.",
    ] {
        assert!(ran.out.contains(line), "{line:?} is missing in {}", ran.out);
    }
    // What only describes is not told, and the newest dump comes first.
    assert!(!ran.out.contains("Active Thread"), "{}", ran.out);
    let at = |text: &str| ran.out.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(at("friday/memory.dmp") < at("monday/memory.dmp"));
}

#[test]
fn the_morning_read_of_one_dump_for_a_program_and_for_a_report() {
    let ran = dumplake_in(demo(), &["analyze", "demo/lake", "--dump", "fault/memory.dmp", "--json"]);
    let reading: Value = serde_json::from_str(&ran.out).unwrap();
    let dumps = reading["dumps"].as_array().unwrap();
    assert_eq!((dumps.len(), &dumps[0]["crash"]["at"]), (1, &Value::from("contoso+0x2100")));
    // Nothing of it has to be taken out of prose: see also the parameters, process, thread, culprit.
    let crash = &dumps[0]["crash"];
    let cell = |at: &str| crash.pointer(at).unwrap_or_else(|| panic!("no {at} in {crash:#}")).clone();
    assert_eq!(
        [cell("/code"), cell("/code_hex"), cell("/is")],
        [Value::from(209), "0xD1".into(), "bug check".into()]
    );
    assert_eq!(cell("/name"), "DRIVER_IRQL_NOT_LESS_OR_EQUAL");
    assert_eq!(
        cell("/parameters/0"),
        serde_json::json!({"value": "0x0000000000000028", "meaning": "memory referenced"})
    );
    assert_eq!(cell("/parameters/3/value"), cell("/fault/address"));
    assert_eq!(cell("/parameters/3/meaning"), "address that referenced it");
    assert_eq!([cell("/culprit/module"), cell("/culprit/rule")], ["contoso.sys", "fault"]);
    assert_eq!([cell("/irql/level"), cell("/irql/source")], [Value::from(2), "parameter".into()]);
    assert!(cell("/process/name").is_string() && cell("/thread/id").is_u64() && cell("/hung").is_null());
    let frames = cell("/frames");
    let frames = frames.as_array().unwrap();
    assert_eq!(
        (frames.len() as u64, &frames[0]["index"]),
        (cell("/frames_in_all").as_u64().unwrap(), &Value::from(0))
    );
    let fault = frames.iter().find(|frame| frame["address"] == cell("/fault/address")).unwrap();
    assert_eq!(
        (&fault["module"], &fault["text"]),
        (&Value::from("contoso.sys"), &Value::from("contoso+0x2100"))
    );
    assert!(dumps[0]["why"][0]["evidence"].is_object());
    assert_eq!(dumps[0]["why"][0]["pattern"], "NULL Pointer (Data)");
    assert_eq!(dumps[0]["why"][0]["name"], "null_pointer_data");
    let ran = dumplake_in(demo(), &["analyze", "demo/lake", "--dump", "fault/memory.dmp", "--markdown"]);
    assert!(ran.out.contains("## 0xD1 DRIVER\\_IRQL\\_NOT\\_LESS\\_OR\\_EQUAL\n"), "{}", ran.out);
    assert_eq!(dumplake_in(demo(), &["analyze", "demo/lake", "--dump", "nothing-of-it"]).code, 2);
}

/// Beside each kernel dump of the service that leaks lies a minidump of it: each finds its own, and its stack goes on.
#[test]
fn user_minidumps_join_the_kernel_dump_of_their_moment() {
    let lake = crate::ask::Ask::open(&demo().join("demo/lake"));
    let joined = lake.rows(
        "SELECT k.path AS kernel, u.path AS user, b.process_id, b.seconds_apart FROM fiber_bundles AS b
         JOIN dumps AS k ON k.dump_id = b.kernel_dump JOIN dumps AS u ON u.dump_id = b.user_dump
         WHERE b.nearest ORDER BY ALL",
    );
    assert_eq!(joined.len(), 3, "{joined:?}");
    for row in joined {
        let folder = |name: &str| Path::new(row[name].as_str().unwrap()).parent().unwrap().to_path_buf();
        assert_eq!(folder("kernel"), folder("user"));
        assert_eq!((row["process_id"].as_u64(), row["seconds_apart"].as_i64()), (Some(1_204), Some(0)));
    }
    let frames = lake.rows("SELECT thread_id, same_thread, part, text FROM bundle_stacks");
    assert_eq!(frames.len(), 3, "{frames:?}");
    for frame in frames {
        assert_eq!((frame["thread_id"].as_u64(), frame["same_thread"].as_bool()), (Some(1_208), Some(true)));
        assert_eq!(
            (frame["part"].as_str(), frame["text"].as_str()),
            (Some("user"), Some("contoso_svc+0x24b8"))
        );
    }
}

/// A bare dump is told of as the same dump in a lake is, and its lake is gone afterwards.
#[test]
fn the_morning_read_of_a_bare_dump() {
    let folder = crate::support::scratch("bare");
    let temporary = folder.join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let analyze = |path: &Path| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_dumplake"))
            .args(["analyze".as_ref(), path.as_os_str(), "--json".as_ref()])
            .envs([("TMPDIR", &temporary), ("TMP", &temporary)])
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let bare = analyze(&demo().join("demo/dumps/fault/memory.dmp"));
    assert_eq!((bare.0, bare.2.as_str()), (Some(0), ""));
    let in_lake = dumplake_in(demo(), &["analyze", "demo/lake", "--dump", "fault/memory.dmp", "--json"]);
    let [bare, in_lake]: [Value; 2] = [&bare.1, &in_lake.out].map(|text| serde_json::from_str(text).unwrap());
    let crash = |read: &Value| read["dumps"][0]["crash"].clone();
    assert!(crash(&bare).is_object() && bare["dumps"].as_array().unwrap().len() == 1);
    assert_eq!(crash(&bare), crash(&in_lake));
    assert_eq!(bare["dumps"][0]["why"], in_lake["dumps"][0]["why"]);
    let garbage = folder.join("garbage.dmp");
    std::fs::write(&garbage, "no dump").unwrap();
    let (code, out, err) = analyze(&garbage);
    assert!(code == Some(2) && out.is_empty() && err.contains("garbage.dmp"), "{out}{err}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "the scratch lake is removed");
}

/// Findings of one pattern in a dump of its own.
fn converted(machine: &fixtures::Machine, pattern: &str) -> Value {
    let folder = scratch(pattern);
    machine.dump(fixtures::Format::BitmapFull).write_to(&folder).unwrap();
    let ran = dumplake_in(&folder, &["convert", ".", "-o", "lake"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = dumplake_in(&folder, &["patterns", "lake", "--json", "--rows", "1000", "--only", pattern]);
    let answer: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
    answer[0].clone()
}

#[test]
fn what_hides_in_memory_is_found_and_what_ended_is_not() {
    let machine = fixtures::scenario::hidden(fixtures::Arch::X64, fixtures::Build::WIN10_19041);
    let answer = converted(&machine, "hidden_objects");
    let findings = answer["findings"].as_array().unwrap();
    let processes: Vec<&str> = findings
        .iter()
        .filter(|finding| finding["subject_kind"] == "process")
        .map(|finding| finding["subject"].as_str().unwrap())
        .collect();
    let planted = machine.facts.hidden.iter().filter(|hidden| hidden.kind == "process" && hidden.real);
    for hidden in planted {
        let found = processes.iter().any(|name| name.ends_with(&format!(" {}", hidden.id)));
        // One that nothing maps has ended.
        assert_eq!(found, hidden.mapped, "{}: {processes:?}", hidden.what);
    }
    assert!(!processes.iter().any(|name| name.starts_with("System")), "{processes:?}");
}

#[test]
fn pool_that_was_damaged_is_found_with_the_block_before() {
    let machine = fixtures::scenario::pools(fixtures::Arch::X64, fixtures::Build::WIN7_7601);
    let answer = converted(&machine, "pool_corruption_kernel");
    let findings = answer["findings"].as_array().unwrap();
    let strong = findings.iter().filter(|finding| finding["strength"] == "strong").count();
    assert!(strong > 5 && findings.len() > strong, "{strong} of {}", findings.len());
    for finding in findings.iter().filter(|finding| finding["strength"] == "strong") {
        let evidence = &finding["evidence"];
        assert!(evidence["wrong"].is_string() && evidence["page"].is_string(), "{finding}");
    }
}
