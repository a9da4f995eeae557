//! Section D: waiting.

use super::*;

fn thread<'a>(ethread: &'a str, tid: &'a str, seconds: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("ethread", ethread),
        ("process_id", "10"),
        ("thread_id", tid),
        ("state", "5"),
        ("state_name", "'Waiting'"),
        ("wait_reason_name", "'UserRequest'"),
        ("wait_seconds", seconds),
        ("in_kernel_list", "true"),
    ]
}

fn wait<'a>(
    ethread: &'a str,
    tid: &'a str,
    owner: &'a str,
    owner_tid: &'a str,
    kind: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("ethread", ethread),
        ("process_id", "10"),
        ("thread_id", tid),
        ("index", "0"),
        ("wait_type", "1"),
        ("object", "777"),
        ("object_kind", "'Mutant'"),
        ("owner_thread", owner),
        ("owner_process_id", "10"),
        ("owner_thread_id", owner_tid),
        ("owner_kind", kind),
    ]
}

#[test]
fn who_waits_for_a_mutex_or_for_the_end_of_a_thread() {
    for (pattern, kind, other) in
        [("wait_chain_mutexes", "'mutant'", "'thread'"), ("wait_chain_threads", "'thread'", "'resource'")]
    {
        let lake = pair("waits", &wait("1", "4", "2", "8", kind), &wait("1", "4", "2", "8", other));
        for dump in [FIRST, SECOND] {
            lake.put("threads", dump, &[&thread("1", "4", "61"), &thread("2", "8", "0")]);
        }
        only(&lake, pattern, &[("a process 10.4", "strong")]);
        // A short wait for an owner that does not wait is normal.
        lake.put("threads", FIRST, &[&thread("1", "4", "59"), &thread("2", "8", "0")]);
        only(&lake, pattern, &[("a process 10.4", "weak")]);
    }
}

#[test]
fn who_waits_for_the_end_of_a_process() {
    let of = |process: &'static str| {
        [
            ("ethread", "1"),
            ("process_id", "10"),
            ("thread_id", "4"),
            ("object", "777"),
            ("object_process_id", process),
        ]
    };
    let lake = pair("waits", &of("20"), &of("NULL"));
    lake.put("threads", FIRST, &[&thread("1", "4", "100")]);
    let child = |exited: &'static str| {
        [("process_id", "20"), ("name", "'child.exe'"), ("exited", exited), ("source", "'x'")]
    };
    lake.put("processes", FIRST, &[&child("false")]);
    only(&lake, "wait_chain_processes", &[("a process 10.4", "strong")]);
    lake.put("processes", FIRST, &[&child("true")]);
    only(&lake, "wait_chain_processes", &[("a process 10.4", "weak")]);
}

#[test]
fn a_critical_section_with_waiters() {
    let section = |waiters: &'static str| {
        [
            ("process_id", "10"),
            ("critical_section", "5000"),
            ("locked", "true"),
            ("waiters", waiters),
            ("owning_thread_id", "8"),
        ]
    };
    let lake = pair("critical_sections", &section("2"), &section("0"));
    lake.put("threads", FIRST, &[&thread("2", "8", "1")]);
    only(&lake, "wait_chain_critical_sections", &[("a process 10.8", "strong")]);
    // Its owner runs.
    let running = [
        ("ethread", "2"),
        ("process_id", "10"),
        ("thread_id", "8"),
        ("state", "2"),
        ("state_name", "'Running'"),
    ];
    lake.put("threads", FIRST, &[&running]);
    only(&lake, "wait_chain_critical_sections", &[("a process 10.8", "weak")]);
}

#[test]
fn a_resource_with_waiters() {
    let resource = |waiters: &'static str| {
        [
            ("address", "4096"),
            ("active_count", "1"),
            ("shared_waiters", waiters),
            ("exclusive_waiters", "0"),
            ("exclusive", "true"),
        ]
    };
    let lake = pair("eresources", &resource("3"), &resource("0"));
    let owner = [
        ("resource", "4096"),
        ("owner_thread", "2"),
        ("process_id", "10"),
        ("thread_id", "8"),
        ("owner", "2"),
    ];
    for dump in [FIRST, SECOND] {
        lake.put("eresource_owners", dump, &[&owner]);
        lake.put("threads", dump, &[&thread("2", "8", "1")]);
    }
    only(&lake, "wait_chain_resources", &[("0x0000000000001000", "strong")]);
    lake.put(
        "threads",
        FIRST,
        &[&[("ethread", "2"), ("process_id", "10"), ("thread_id", "8"), ("state", "2")]],
    );
    only(&lake, "wait_chain_resources", &[("0x0000000000001000", "weak")]);
}

#[test]
fn a_server_that_owes_an_answer() {
    let message = |server: &'static str| {
        [
            ("message", "777"),
            ("ethread", "1"),
            ("process_id", "10"),
            ("thread_id", "4"),
            ("server_thread", server),
            ("server_thread_id", "8"),
        ]
    };
    // A message of the thread's own is no wait for somebody.
    let lake = pair("alpc_messages", &message("2"), &message("1"));
    lake.put("threads", FIRST, &[&thread("1", "4", "5"), &thread("2", "8", "5")]);
    only(&lake, "wait_chain_alpc", &[("a process 10.4", "strong")]);
}

#[test]
fn a_ring_of_threads() {
    let lake = kernel_dumps();
    let (one, two) = (wait("1", "4", "2", "8", "'mutant'"), wait("2", "8", "1", "4", "'mutant'"));
    let three = wait("2", "8", "3", "12", "'mutant'");
    lake.put("waits", FIRST, &[&one, &two]);
    lake.put("waits", SECOND, &[&one, &three]);
    for dump in [FIRST, SECOND] {
        lake.put("threads", dump, &[&thread("1", "4", "5"), &thread("2", "8", "5"), &thread("3", "12", "5")]);
    }
    only(&lake, "deadlock", &[("a process 10.4", "certain"), ("a process 10.8", "certain")]);
    assert!(found(&lake, "deadlock")[0].reading.contains("10.4 -> 10.8 -> 10.4"));
    // Any one of two objects would let the first go.
    let mut second = one.clone();
    second.retain(|(name, _)| *name != "index" && *name != "owner_thread");
    second.push(("index", "1"));
    lake.put("waits", FIRST, &[&one, &two, &second]);
    only(&lake, "deadlock", &[("a process 10.8", "certain"), ("a process 10.4", "strong")]);
}

#[test]
fn a_request_that_a_driver_has() {
    let irp = |at: &'static str| {
        [
            ("irp", "777"),
            ("ethread", "1"),
            ("process_id", "10"),
            ("thread_id", "4"),
            ("stack_count", "2"),
            ("current_location", at),
            ("pending", "true"),
            ("major_name", "'IRP_MJ_WRITE'"),
            ("driver_name", "'\\Driver\\disk'"),
            ("file_name", "'\\a.txt'"),
        ]
    };
    // No driver has one whose location lies above its stack.
    let lake = pair("irps", &irp("2"), &irp("3"));
    lake.put("threads", FIRST, &[&thread("1", "4", "11")]);
    only(&lake, "blocking_file", &[("\\a.txt", "strong")]);
    lake.put("threads", FIRST, &[&thread("1", "4", "9")]);
    only(&lake, "blocking_file", &[("\\a.txt", "weak")]);
    // 0x9F of kind 3 names the power request, kind 2 only the device.
    let crash = |kind: &'static str| {
        [
            ("bugcheck_code", "159"),
            ("parameter1", kind),
            ("parameter2", "64"),
            ("parameter3", "0"),
            ("parameter4", "4096"),
            ("bucket", "'b'"),
        ]
    };
    let lake = pair("crashes", &crash("3"), &crash("2"));
    only(&lake, "blocking_file", &[("power request", "certain")]);
}

#[test]
fn a_thread_that_is_suspended_or_blocked() {
    let suspended = |times: &'static str| {
        [("ethread", "1"), ("process_id", "10"), ("thread_id", "4"), ("suspend_count", times)]
    };
    let lake = pair("threads", &suspended("2"), &suspended("0"));
    only(&lake, "blocked_thread", &[("a process 10.4", "certain")]);
    let blocked = |reason: &'static str| {
        [
            ("ethread", "1"),
            ("process_id", "10"),
            ("thread_id", "4"),
            ("state", "5"),
            ("wait_mode", "0"),
            ("wait_seconds", "4000"),
            ("wait_reason_name", reason),
        ]
    };
    // A service thread waits for hours by design.
    let lake = pair("threads", &blocked("'WrResource'"), &blocked("'WrQueue'"));
    only(&lake, "blocked_thread", &[("a process 10.4", "strong")]);
    // Who writes a dump of a process suspends all of its threads.
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("format", "'user minidump'")]]);
    let of = |tid: &'static str, times: &'static str| {
        [("process_id", "10"), ("thread_id", tid), ("suspend_count", times)]
    };
    lake.put("threads", FIRST, &[&of("4", "1"), &of("8", "1"), &of("12", "2")]);
    only(&lake, "blocked_thread", &[("a process 10.12", "certain")]);
}

#[test]
fn a_process_that_is_frozen() {
    let process = |times: &'static str| {
        [("process_id", "10"), ("name", "'app.exe'"), ("freeze_count", times), ("source", "'x'")]
    };
    let lake = pair("processes", &process("1"), &process("0"));
    let of = |tid: &'static str, times: &'static str| {
        [("process_id", "10"), ("thread_id", tid), ("suspend_count", times)]
    };
    lake.put("threads", SECOND, &[&of("4", "1"), &of("8", "0")]);
    only(&lake, "frozen_process", &[("app.exe 10", "certain")]);
    lake.put("processes", FIRST, &[&process("0")]);
    lake.put("threads", FIRST, &[&of("4", "1"), &of("8", "2")]);
    only(&lake, "frozen_process", &[("app.exe 10", "strong")]);
}

#[test]
fn a_thread_that_burns_time() {
    let lake = kernel_dumps();
    for dump in [FIRST, SECOND] {
        let times = [("system_time", "'2024-05-06 10:00:00'"), ("uptime_seconds", "36000")];
        lake.put("dumps", dump, &[&times]);
    }
    let of = |user: &'static str| {
        [
            ("process_id", "10"),
            ("thread_id", "4"),
            ("create_time", "'2024-05-06 09:58:20'"),
            ("kernel_time_seconds", "1"),
            ("user_time_seconds", user),
            ("state", "5"),
        ]
    };
    lake.put("threads", FIRST, &[&of("49")]);
    lake.put("threads", SECOND, &[&of("8")]);
    only(&lake, "spiking_thread", &[("a process 10.4", "strong")]);
    lake.put("threads", FIRST, &[&of("48")]);
    only(&lake, "spiking_thread", &[("a process 10.4", "weak")]);
}

#[test]
fn a_process_that_says_something_by_being_there() {
    let process = |id: &'static str, name: &'static str, parent: &'static str| {
        [
            ("process_id", id),
            ("name", name),
            ("parent_id", parent),
            ("create_time", "'2024-05-06 10:00:00'"),
            ("source", "'x'"),
        ]
    };
    let system = [
        process("4", "'System'", "0"),
        process("8", "'smss.exe'", "4"),
        process("12", "'wininit.exe'", "8"),
        process("16", "'lsass.exe'", "12"),
        process("20", "'services.exe'", "12"),
        process("24", "'svchost.exe'", "20"),
    ];
    let lake = kernel_dumps();
    let rows = |more: &[[(&'static str, &'static str); 5]]| -> Vec<Vec<(&'static str, &'static str)>> {
        system.iter().chain(more).map(|row| row.to_vec()).collect()
    };
    let put = |dump: &str, rows: &[Vec<(&str, &str)>]| {
        let rows: Vec<Cells<'_>> = rows.iter().map(Vec::as_slice).collect();
        lake.put("processes", dump, &rows);
    };
    put(SECOND, &rows(&[process("28", "'notepad.exe'", "24")]));
    put(FIRST, &rows(&[process("28", "'WerFault.exe'", "24"), process("32", "'lsass.exe'", "28")]));
    let mut found: Vec<_> = subjects(&lake, "special_process").into_iter().map(|f| (f.0, f.1)).collect();
    found.dedup();
    let row = |subject: &str| (FIRST.to_owned(), subject.to_owned());
    // Two lsass, one of them with a parent that it never has.
    assert_eq!(found, [row("WerFault.exe 28"), row("lsass.exe 16"), row("lsass.exe 32")]);
}

#[test]
fn one_thread_is_left() {
    let process = |peak: &'static str| {
        [
            ("process_id", "10"),
            ("eprocess", "64"),
            ("name", "'app.exe'"),
            ("thread_count", "1"),
            ("peak_thread_count", peak),
            ("exiting", "true"),
            ("source", "'x'"),
        ]
    };
    let lake = pair("processes", &process("9"), &process("1"));
    let mut last = thread("1", "4", "5");
    last.push(("eprocess", "64"));
    for dump in [FIRST, SECOND] {
        lake.put("threads", dump, &[&last]);
    }
    only(&lake, "one_thread_process", &[("app.exe 10", "strong")]);
}

/// The only frame of thread 1 that says something.
fn frame<'a>(symbol: &'a str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("ethread", "1"),
        ("process_id", "10"),
        ("thread_id", "4"),
        ("index", "3"),
        ("symbol", symbol),
        ("text", text),
        ("confidence", "'high'"),
    ]
}

#[test]
fn threads_that_read_input_or_serve_many() {
    let lake = pair(
        "frames",
        &frame("'RawInputThread'", "'win32kfull!RawInputThread'"),
        &frame("'Worker'", "'contoso!Worker'"),
    );
    for dump in [FIRST, SECOND] {
        lake.put("threads", dump, &[&thread("1", "4", "5")]);
    }
    only(&lake, "input_thread", &[("a process 10.4", "certain")]);
}

#[test]
fn a_dialog_that_waits_for_somebody() {
    let lake = pair(
        "frames",
        &frame("'MessageBoxW'", "'user32!MessageBoxW'"),
        &frame("'MessageLoop'", "'app!MessageLoop'"),
    );
    only(&lake, "dialog_box", &[("a process 10.4", "certain")]);
}
