//! A worker that is killed, stopped or too large costs the dump it was at, and nothing else.

use super::{content, write_dumps};
use crate::{
    ask::{Ask, dumplake_in},
    support::{busy_machine, scratch},
};
use fixtures::{Arch, Build, Format, Machine, Run};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Starts a conversion and does not wait for it.
fn start(folder: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dumplake"));
    command.args(args).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// The workers of a conversion.
fn workers(of: &Child) -> Vec<String> {
    let path = format!("/proc/{0}/task/{0}/children", of.id());
    fs::read_to_string(path).unwrap_or_default().split_whitespace().map(str::to_string).collect()
}

fn signal(process: &str, signal: &str) {
    let _ = Command::new("kill").args([signal, process]).stderr(Stdio::null()).status();
}

/// The report of a conversion that was started with `--json`.
fn report(run: Child) -> Vec<Value> {
    let output = run.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn count(report: &[Value], status: &str) -> usize {
    report.iter().filter(|outcome| outcome["status"] == status).count()
}

/// Waits until a worker has begun with a dump. The log would be too late: small dumps are committed together, so the
/// first line may be written when all is done.
fn until_at_work(folder: &Path) {
    let start = Instant::now();
    let begun = || fs::read_dir(folder.join("lake/.staging")).is_ok_and(has_a_folder);
    while !begun() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing is converted");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn has_a_folder(entries: fs::ReadDir) -> bool {
    entries.flatten().any(|entry| entry.path().is_dir())
}

/// Waits until the log has so many lines.
fn until_logged(folder: &Path, lines: usize) {
    let start = Instant::now();
    while fs::read_to_string(folder.join("log")).unwrap_or_default().lines().count() < lines {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing is converted");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_dies_costs_one_dump() {
    let folder = scratch("dying workers");
    write_dumps(&folder.join("dumps"), 40);
    let run = start(&folder, &["convert", "dumps", "-o", "lake", "--jobs", "2", "--json", "--log", "log"]);
    until_at_work(&folder);
    let killed = ["-SEGV", "-ABRT", "-KILL"];
    for (round, name) in killed.iter().enumerate() {
        std::thread::sleep(Duration::from_millis(100 + 70 * round as u64));
        if let Some(worker) = workers(&run).first() {
            signal(worker, name);
        }
    }
    let report = report(run);
    assert_eq!(report.len(), 40, "one line a dump");
    let failed = count(&report, "failed");
    assert!(failed <= killed.len(), "{failed} failed for {} kills", killed.len());
    for outcome in report.iter().filter(|outcome| outcome["status"] == "failed") {
        let error = outcome["error"].as_str().unwrap();
        assert!(error.contains("was ended by signal"), "{error}");
    }
    assert_eq!(fs::read_to_string(folder.join("log")).unwrap().lines().count(), 40);
    // The next run does what is missing, and the lake is that of a run in which nobody died.
    assert_eq!(dumplake_in(&folder, &["convert", "dumps", "-o", "lake"]).code, 0);
    assert_eq!(dumplake_in(&folder, &["convert", "dumps", "-o", "undisturbed"]).code, 0);
    assert!(content(&folder.join("lake")) == content(&folder.join("undisturbed")));
}

#[test]
#[cfg(target_os = "linux")]
fn a_dump_has_so_much_time_and_no_more() {
    let folder = scratch("slow worker");
    write_dumps(&folder.join("dumps"), 20);
    let args = ["convert", "dumps", "-o", "lake", "--jobs", "2", "--json", "--timeout", "5"];
    let run = start(&folder, &args);
    until_at_work(&folder);
    signal(workers(&run).first().unwrap(), "-STOP"); // it hangs
    let report = report(run);
    let failed: Vec<&Value> = report.iter().filter(|outcome| outcome["status"] == "failed").collect();
    // It may have been about to commit: then nobody has failed, and the others did its work.
    assert!(failed.len() <= 1, "{failed:?}");
    for outcome in failed {
        assert_eq!(outcome["error"], "not converted within 5 s (--timeout)");
    }
    assert!(report.len() == 20 && count(&report, "converted") >= 19, "{report:?}");
    assert_eq!(dumplake_in(&folder, &["convert", "dumps", "-o", "lake"]).code, 0);
    assert_eq!(Ask::open(&folder.join("lake")).cell("SELECT count(*) FROM dumps"), 20);
}

#[test]
#[cfg(target_os = "linux")]
fn what_needs_too_much_memory_is_tried_alone_and_given_up() {
    let folder = scratch("hungry");
    for (name, comment) in [("a", "first"), ("b", "second")] {
        let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x4000 }];
        let mut machine = Machine::with_ram(Arch::X64, Build::WIN10_19041, &runs);
        machine.comment(comment);
        fs::create_dir(folder.join(name)).unwrap();
        machine.dump(Format::Full).write_to(&folder.join(name)).unwrap();
    }
    let ran =
        dumplake_in(&folder, &["convert", "a", "b", "-o", "lake", "--json", "--jobs", "2", "--memory", "1M"]);
    let report = ran.json();
    assert_eq!((ran.code, report.len()), (2, 2), "{}", ran.err);
    for outcome in report {
        assert_eq!(outcome["error"], "its conversion needs more than 1 MiB of memory (--memory)");
    }
    let enough = dumplake_in(&folder, &["convert", "a", "b", "-o", "lake", "--memory", "2G"]);
    assert_eq!(enough.code, 0, "{}", enough.err);
}

/// The first Ctrl-C: what is being converted is finished, the rest is said not to have been.
#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_in_order() {
    let folder = scratch("ctrl-c");
    write_dumps(&folder.join("dumps"), 60);
    let run = start(&folder, &["convert", "dumps", "-o", "lake", "--jobs", "2", "--json"]);
    until_at_work(&folder);
    // Held until the signal has surely been heard, so that no machine is fast enough to convert all.
    let workers = workers(&run);
    workers.iter().for_each(|worker| signal(worker, "-STOP"));
    signal(&run.id().to_string(), "-INT");
    std::thread::sleep(Duration::from_millis(500));
    workers.iter().for_each(|worker| signal(worker, "-CONT"));
    let report = report(run);
    let (converted, failed) = (count(&report, "converted"), count(&report, "failed"));
    assert!(report.len() == 60 && converted + failed == 60, "{converted} {failed}");
    assert!(converted > 0 && failed > 0, "{converted} {failed}");
    let error = |outcome: &Value| outcome["error"].as_str().is_some_and(|why| why.contains("interrupted"));
    assert_eq!(report.iter().filter(|outcome| error(outcome)).count(), failed);
    assert_eq!(Ask::open(&folder.join("lake")).number("SELECT count(*) FROM dumps"), converted as u64);
}

/// A folder that is watched: what is there, what comes later, what is still being written, and the end.
#[test]
#[cfg(target_os = "linux")]
fn a_folder_is_watched_until_ctrl_c() {
    let folder = scratch("watch");
    write_dumps(&folder.join("made"), 3);
    let (dumps, made) =
        (folder.join("dumps"), |name: &str| fs::read(folder.join("made").join(name)).unwrap());
    fs::create_dir(&dumps).unwrap();
    fs::write(dumps.join("first.dmp"), made("0000.dmp")).unwrap();
    let run = start(&folder, &["convert", "dumps", "-o", "lake", "--watch", "--json", "--log", "log"]);
    until_logged(&folder, 1);
    fs::write(dumps.join("second.dmp"), made("0001.dmp")).unwrap();
    let whole = made("0002.dmp");
    let mut slow = fs::File::create(dumps.join("slow.dmp")).unwrap();
    for piece in whole.chunks(whole.len() / 8 + 1) {
        std::io::Write::write_all(&mut slow, piece).unwrap();
        std::thread::sleep(Duration::from_millis(500)); // shorter than the time between two looks
    }
    until_logged(&folder, 3);
    signal(&run.id().to_string(), "-INT");
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = ["first.dmp", "second.dmp", "slow.dmp"];
    assert!(text.lines().count() == 3 && names.iter().all(|name| text.contains(name)), "{text}");
    let ask = Ask::open(&folder.join("lake"));
    assert_eq!(ask.number("SELECT count(*) FROM dumps WHERE bytes_missing = 0"), 3);
}

/// Three runs over one folder into one lake, at the same time.
#[test]
fn several_runs_write_one_lake() {
    let folder = scratch("several runs");
    write_dumps(&folder.join("dumps"), 12);
    let run = || start(&folder, &["convert", "dumps", "-o", "lake", "--jobs", "2", "--json"]);
    let runs = [run(), run(), run()];
    for report in runs.map(report) {
        assert_eq!((report.len(), count(&report, "failed")), (12, 0), "{report:?}");
    }
    assert_eq!(dumplake_in(&folder, &["convert", "dumps", "-o", "undisturbed"]).code, 0);
    assert!(content(&folder.join("lake")) == content(&folder.join("undisturbed")));
    let left: Vec<_> = fs::read_dir(folder.join("lake/.staging")).unwrap().flatten().collect();
    assert!(left.iter().all(|entry| !entry.path().is_dir()), "{left:?}");
}

/// The log tells of each dump when it has ended, in the words of `--json`, and is added to.
#[test]
fn the_log_is_the_report() {
    let folder = scratch("log");
    busy_machine(Arch::X64).dump(Format::Triage(fixtures::Family::B)).write_to(&folder).unwrap();
    fs::write(folder.join("bad.dmp"), "MDMP and no more").unwrap();
    let args = ["convert", ".", "-o", "lake", "--json", "--log", "log"];
    let both = dumplake_in(&folder, &args).out + &dumplake_in(&folder, &args).out;
    let sorted = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&fs::read_to_string(folder.join("log")).unwrap()), sorted(&both));
    assert_eq!(both.lines().count(), 4);
}
