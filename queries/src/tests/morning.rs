//! The morning read: what it says of a crash, and of a dump that says nothing of one.

use super::*;
use crate::analyze::{Crash, analyze};

/// A crash whose stack has twenty frames, with the instruction at fault in this one.
fn crash(fault: u64) -> Crash {
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("format", "'kernel triage'")]]);
    let of_thread = [("ethread", "77"), ("thread_id", "9")];
    let fault_ip = (1000 + fault).to_string();
    let crash = [
        &of_thread[..],
        &[("bucket", "'b'"), ("fault_ip", &fault_ip), ("irql", "2"), ("irql_source", "'parameter'")],
    ];
    lake.put("crashes", FIRST, &[&crash.concat()]);
    let texts: Vec<[String; 3]> =
        (0..20).map(|at| [at.to_string(), (1000 + at).to_string(), format!("'f{at}'")]).collect();
    let rows: Vec<Vec<(&str, &str)>> = texts
        .iter()
        .map(|[at, ip, text]| {
            [&of_thread[..], &[("index", at), ("ip", ip), ("text", text), ("confidence", "'high'")]].concat()
        })
        .collect();
    lake.put("frames", FIRST, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let mut reading = analyze(&lake.session(), None).unwrap();
    reading.dumps.pop().unwrap().crash.unwrap()
}

#[test]
fn the_fault_is_among_the_frames_that_are_shown() {
    let near = crash(5);
    assert_eq!(near.stack, (0..12).map(|at| format!("f{at}")).collect::<Vec<_>>());
    assert_eq!(near.irql.as_deref(), Some("2 (parameter)"));
    let far = crash(14);
    let expected =
        ["f0", "f1", "f2", "... 11 more, then the fault:", "f14", "f15", "f16", "f17", "f18", "f19"];
    assert_eq!(far.stack, expected);
    assert_eq!(crash(300).stack.len(), 12, "an instruction that is on no frame");
}

#[test]
fn a_file_that_was_cut_does_not_say_that_nothing_crashed() {
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("format", "'user minidump'"), ("bytes_missing", "0")]]);
    lake.put("dumps", SECOND, &[&[("format", "'user minidump'"), ("bytes_missing", "7")]]);
    let reading = analyze(&lake.session(), None).unwrap();
    for dump in reading.dumps {
        let is_cut = dump.dump_id == SECOND;
        assert_eq!((dump.crash.is_none(), dump.is_truncated), (true, is_cut));
        assert_eq!(dump.what.ends_with("truncated: 7 bytes are missing at least"), is_cut, "{}", dump.what);
    }
}
