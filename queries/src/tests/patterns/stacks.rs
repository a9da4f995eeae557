//! Section B: stacks beyond the stack pointer.

use super::*;

/// A word of thread 4096's stack.
fn word<'a>(
    va: &'a str,
    target: &'a str,
    called: &'a str,
    symbol: &'a str,
    offset: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("va", va),
        ("page_kind", "'kernel stack'"),
        ("ethread", "4096"),
        ("process_id", "4"),
        ("thread_id", "8"),
        ("live", "false"),
        ("target", target),
        ("called", called),
        ("module", "'contoso.sys'"),
        ("symbol", symbol),
        ("offset", offset),
        ("unloaded", "false"),
        ("confidence", "'high'"),
    ]
}

fn changed<'a>(row: &[(&'a str, &'a str)], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    row.iter().map(|(n, v)| if *n == name { (*n, value) } else { (*n, *v) }).collect()
}

#[test]
fn what_ran_here_earlier() {
    let left = word("100", "5000", "NULL", "'Worker'", "16");
    // A frame that has not returned is no residue of the past.
    let lake = pair("residue", &left, &changed(&left, "live", "true"));
    only(&lake, "execution_residue", &[("contoso.sys", "strong")]);
    lake.put("residue", FIRST, &[&changed(&left, "confidence", "'low'")]);
    only(&lake, "execution_residue", &[("contoso.sys", "weak")]);
}

#[test]
fn the_raw_return_addresses_of_a_stack() {
    let live = changed(&word("100", "5000", "NULL", "'Worker'", "16"), "live", "true");
    let lake = kernel_dumps();
    for dump in [FIRST, SECOND] {
        lake.put("residue", dump, &[&live, &changed(&live, "va", "108")]);
    }
    let stack = |ended: &'static str| [("ethread", "4096"), ("frames", "1"), ("end_reason", ended)];
    lake.put("stacks", FIRST, &[&stack("'lost'")]);
    // A walk that is whole says more than its words.
    lake.put("stacks", SECOND, &[&stack("'thread start'")]);
    only(&lake, "rough_stack_trace", &[("a process 4.8", "strong")]);
    // Words below the stack pointer are no part of it.
    lake.put("residue", FIRST, &[&word("100", "5000", "NULL", "'Worker'", "16"), &live]);
    only(&lake, "rough_stack_trace", &[]);
}

#[test]
fn a_chain_of_calls_that_have_returned() {
    let lake = kernel_dumps();
    // Innermost returns into C (at 3000); the next called C and returns into B (2000); the last called B.
    let (inner, middle, outer) = (
        word("100", "3016", "NULL", "'C'", "16"),
        word("120", "2032", "3000", "'B'", "32"),
        word("140", "1064", "2000", "'A'", "64"),
    );
    lake.put("residue", FIRST, &[&inner, &middle, &outer]);
    // The middle one called another function.
    lake.put("residue", SECOND, &[&inner, &changed(&middle, "called", "2900"), &outer]);
    only(&lake, "past_stack_trace", &[("a process 4.8", "strong")]);
    assert!(found(&lake, "past_stack_trace")[0].reading.contains("from A+0x40 to C+0x10"));
}

#[test]
fn words_that_only_look_like_return_addresses() {
    let page = |kind: &'static str, validated: &'static str| {
        [
            ("va", "4096"),
            ("page_kind", kind),
            ("candidates", "9"),
            ("validated", validated),
            ("unverified", "0"),
            ("in_tables", "0"),
            ("modules", "1"),
        ]
    };
    let lake = kernel_dumps();
    lake.put("residue_pages", FIRST, &[&page("'kernel stack'", "6"), &page("'image'", "0")]);
    lake.put("residue_pages", SECOND, &[&page("'kernel stack'", "9"), &page("'kernel'", "0")]);
    only(&lake, "coincidental_symbols", &[("kernel stack", "certain")]);
}

#[test]
fn what_memory_remembers() {
    let process = |exited: &'static str| {
        [("process_id", "1200"), ("name", "'gone.exe'"), ("exited", exited), ("source", "'PspCidTable'")]
    };
    let lake = pair("processes", &process("true"), &process("false"));
    only(&lake, "historical_information", &[("gone.exe 1200", "certain")]);
    let module = [("name", "'old.sys'"), ("start", "4096"), ("end", "8192")];
    lake.put("unloaded_modules", FIRST, &[&module]);
    let thread = [("thread_id", "8"), ("terminated", "true")];
    lake.put("threads", FIRST, &[&thread, &thread]);
    lake.put("threads", SECOND, &[&[("thread_id", "8"), ("terminated", "false")]]);
    let all = ["gone.exe 1200", "1 unloaded modules", "2 threads that have ended"];
    let mut subjects: Vec<_> =
        found(&lake, "historical_information").into_iter().map(|f| f.subject).collect();
    subjects.sort_by_key(|subject| all.iter().position(|known| known == subject));
    assert_eq!(subjects, all);
}

/// A walked stack of a thread.
fn stack<'a>(ethread: &'a str, hash: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("ethread", ethread),
        ("process_id", "4"),
        ("thread_id", ethread),
        ("frames", "5"),
        ("hash", hash),
        ("top_function", "'contoso+0x1'"),
        ("end_reason", "'thread start'"),
    ]
}

#[test]
fn all_stacks_of_a_dump_and_those_that_many_share() {
    let lake = kernel_dumps();
    lake.put("stacks", FIRST, &[&stack("1", "'a'"), &stack("2", "'a'"), &stack("3", "'a'")]);
    lake.put("stacks", SECOND, &[&stack("1", "'a'")]);
    only(&lake, "stack_trace_collection", &[("3 threads", "certain")]);
    only(&lake, "stack_trace_set", &[("contoso+0x1", "strong")]);
    let evidence = found(&lake, "stack_trace_collection").remove(0).evidence;
    assert!(evidence.contains(r#""different":1"#) && evidence.contains("3 x contoso+0x1"), "{evidence}");
}

#[test]
fn the_odd_stack_among_many() {
    let lake = kernel_dumps();
    let ids: Vec<String> = (1..=10).map(|id| id.to_string()).collect();
    let of = |odd: &'static str| -> Vec<Vec<(&str, &str)>> {
        ids.iter().map(|id| stack(id, if id == "7" { odd } else { "'common'" })).collect()
    };
    for (dump, odd) in [(FIRST, "'odd'"), (SECOND, "'common'")] {
        let rows = of(odd);
        let rows: Vec<Cells<'_>> = rows.iter().map(Vec::as_slice).collect();
        lake.put("stacks", dump, &rows);
    }
    let odd: Vec<_> = found(&lake, "stack_trace_set").into_iter().filter(|f| f.strength == "weak").collect();
    assert_eq!(odd.iter().map(|f| (f.dump_id.as_str(), f.address)).collect::<Vec<_>>(), [(FIRST, Some(7))]);
}

#[test]
fn what_ran_on_the_stack_for_dpcs() {
    let processor = [
        ("number", "2"),
        ("kprcb", "64"),
        ("current_thread", "4096"),
        ("dpc_active", "false"),
        ("dpc_stack", "131072"),
    ];
    let lake = pair("processors", &processor, &processor);
    let frame =
        |sp: &'static str| [("ethread", "4096"), ("index", "0"), ("sp", sp), ("text", "'contoso!Dpc'")];
    lake.put("frames", FIRST, &[&frame("130000")]);
    lake.put("frames", SECOND, &[&frame("60000")]);
    only(&lake, "dpc_interrupt_stack", &[("processor 2", "strong")]);
    let active = changed(&processor, "dpc_active", "true");
    lake.put("processors", FIRST, &[&active]);
    only(&lake, "dpc_interrupt_stack", &[("processor 2", "certain")]);
}

#[test]
fn both_halves_of_a_stack() {
    let of = |user: &'static str| {
        let mut row = stack("4096", "'a'");
        row.push(("user_frames", user));
        row
    };
    let lake = pair("stacks", &of("2"), &of("0"));
    let frame = |index: &'static str, mode: &'static str| {
        [("ethread", "4096"), ("index", index), ("mode", mode), ("text", "'ntdll!X'")]
    };
    lake.put("frames", FIRST, &[&frame("0", "'kernel'"), &frame("1", "'user'"), &frame("2", "'user'")]);
    only(&lake, "dual_stack_trace", &[("a process 4.4096", "certain")]);
}

#[test]
fn threads_that_were_running() {
    let processor = |idle: &'static str| {
        [
            ("number", "0"),
            ("kprcb", "64"),
            ("current_thread", "4096"),
            ("current_thread_id", "8"),
            ("current_process_id", "4"),
            ("idle", idle),
        ]
    };
    let lake = pair("processors", &processor("false"), &processor("true"));
    only(&lake, "active_thread", &[("a process 4.8", "certain")]);
}

#[test]
fn a_walk_that_ended_too_early() {
    let stack = |why: &'static str| {
        [("ethread", "4096"), ("process_id", "4"), ("thread_id", "8"), ("frames", "5"), ("end_reason", why)]
    };
    let lake = pair("stacks", &stack("'lost'"), &stack("'user mode'"));
    only(&lake, "truncated_stack_trace", &[("a process 4.8", "strong")]);
}
