//! Kernel dumps and user minidumps of one machine, joined by process, thread and time.

use super::*;

const THIRD: &str = "d00000000000000aa";

/// A dump with one process and one thread of it.
fn dump(lake: &Lake, id: &str, format: &str, time: &str, process: (&str, &str), thread_born: &str) {
    let quoted = |text: &str| quote(text);
    let (name, born) = process;
    let ethread = if format == "user minidump" { "NULL" } else { "77" };
    let ([format, time, name, born], thread_born) =
        ([format, time, name, born].map(quoted), quoted(thread_born));
    lake.put("dumps", id, &[&[("format", &format), ("system_time", &time), ("build", "19041")]]);
    lake.put("processes", id, &[&[("process_id", "8"), ("name", &name), ("create_time", &born)]]);
    let thread: &[(&str, &str)] = &[
        ("process_id", "8"),
        ("thread_id", "9"),
        ("ethread", ethread),
        ("create_time", &thread_born),
        ("state_name", "'Waiting'"),
        ("wait_reason_name", "'UserRequest'"),
    ];
    lake.put("threads", id, &[thread]);
}

fn frames(lake: &Lake, id: &str, ethread: &str, frames: &[(&str, &str)]) {
    let texts: Vec<[String; 3]> =
        frames.iter().zip(0..).map(|((mode, text), at)| [at.to_string(), quote(mode), quote(text)]).collect();
    let rows: Vec<Vec<(&str, &str)>> = texts
        .iter()
        .map(|[at, mode, text]| {
            let of = [("process_id", "8"), ("thread_id", "9"), ("ethread", ethread), ("index", at.as_str())];
            [&of[..], &[("mode", mode), ("text", text)]].concat()
        })
        .collect();
    lake.put("frames", id, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

/// The service of two kernel dumps, and its minidump from soon after the second.
fn machine(minidump: (&str, &str), thread_born: &str) -> Lake {
    let lake = Lake::empty();
    let service = ("contoso_servic", "2024-05-17 09:09:12.5");
    dump(&lake, FIRST, "kernel bitmap", "2024-05-17 12:00:00", service, "2024-05-17 10:00:00.25");
    dump(&lake, SECOND, "kernel bitmap", "2024-05-18 12:00:00", service, "2024-05-17 10:00:00.25");
    dump(&lake, THIRD, "user minidump", "2024-05-18 12:00:03", minidump, thread_born);
    frames(&lake, FIRST, "77", &[("kernel", "nt!Old")]);
    frames(
        &lake,
        SECOND,
        "77",
        &[("kernel", "nt!KiSwap"), ("kernel", "nt!NtWait"), ("user", "seen from below")],
    );
    frames(&lake, THIRD, "NULL", &[("user", "ntdll!NtWait"), ("user", "service!Main")]);
    lake
}

#[test]
fn the_stack_goes_on_in_the_minidump() {
    let lake = machine(("contoso_service.exe", "2024-05-17 09:09:12"), "2024-05-17 10:00:00.25");
    let bundles = lake.csv("SELECT kernel_dump, seconds_apart, nearest FROM fiber_bundles ORDER BY ALL");
    assert_eq!(bundles, format!("{FIRST},86403,false\n{SECOND},3,true"));
    let stack = lake.csv(
        "SELECT kernel_dump, same_thread, wait_reason, frame, part, text FROM bundle_stacks ORDER BY frame",
    );
    let expected = ["0,kernel,nt!KiSwap", "1,kernel,nt!NtWait", "2,user,ntdll!NtWait", "3,user,service!Main"];
    let expected = expected.map(|row| format!("{SECOND},true,UserRequest,{row}")).join("\n");
    assert_eq!(stack, expected);
}

#[test]
fn an_id_that_was_used_again_joins_nothing() {
    for other in [
        ("contoso_service.exe", "2024-05-17 09:09:13"), // another process, born a second later
        ("contoso.exe", "2024-05-17 09:09:12"),
        ("other_service.exe", "2024-05-17 09:09:12"),
    ] {
        let lake = machine(other, "2024-05-17 10:00:00.25");
        assert_eq!(lake.csv("SELECT count(*) FROM fiber_bundles"), "0", "{other:?}");
    }
    let lake = machine(("contoso_service.exe", "2024-05-17 09:09:12"), "2024-05-17 10:00:01");
    assert_eq!(lake.csv("SELECT count(*) FROM fiber_bundles"), "2");
    assert_eq!(lake.csv("SELECT count(*) FROM bundle_stacks"), "0", "another thread of that id");
}
