//! The morning read: what it says of a crash, and of a dump that says nothing of one.

use super::*;
use crate::analyze::{Crash, analyze, records};

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
        assert_eq!((dump.crash.is_none(), dump.is_truncated), (true, Some(is_cut)));
        assert_eq!(dump.what.ends_with("truncated: 7 bytes are missing at least"), is_cut, "{}", dump.what);
    }
}

/// 0x101: the stack is that of what the processor runs that hangs, where the dump has it; the reading says which.
#[test]
fn the_stack_of_the_processor_that_hangs() {
    let hung = |crash: &[(&str, &str)], stack: bool| {
        let lake = Lake::empty();
        lake.put("dumps", FIRST, &[&[("format", "'kernel full'")]]);
        let crash = [&[("ethread", "77"), ("thread_id", "9"), ("bucket", "'b'")], crash].concat();
        lake.put("crashes", FIRST, &[&crash]);
        let frame = |ethread, thread, text| {
            [
                ("ethread", ethread),
                ("thread_id", thread),
                ("index", "0"),
                ("ip", "1"),
                ("text", text),
                ("confidence", "'high'"),
            ]
        };
        let rows = [frame("77", "9", "'noticed'"), frame("88", "10", "'hangs'")];
        lake.put(
            "frames",
            FIRST,
            &rows[..if stack { 2 } else { 1 }].iter().map(|row| &row[..]).collect::<Vec<_>>(),
        );
        if stack {
            let of = |ethread, thread, top| {
                [("ethread", ethread), ("thread_id", thread), ("frames", "1"), ("top_function", top)]
            };
            lake.put("stacks", FIRST, &[&of("77", "9", "'noticed'"), &of("88", "10", "'hangs'")]);
        }
        let session = lake.session();
        let crash = analyze(&session, None).unwrap().dumps.pop().unwrap().crash.unwrap();
        if stack {
            assert_eq!(crash.place.as_deref(), Some("hangs"), "where, by the same stack");
        }
        (crash.stack, crash.hung, records(&session, None).unwrap().remove(FIRST).unwrap())
    };
    let (stack, said, record) = hung(&[("hung_processor", "2"), ("hung_ethread", "88")], true);
    assert_eq!(stack, ["hangs"]);
    assert!(said.unwrap().starts_with("processor 2 does not answer; the stack is that of what it runs"));
    let expected = r#""hung":{"processor":2,"ethread":"0x0000000000000058","is_stack":true}"#;
    assert!(record.contains(expected) && record.contains(r#""text":"hangs""#), "{record}");
    let (stack, said, record) = hung(&[("hung_processor", "2"), ("hung_ethread", "88")], false);
    assert_eq!(stack, ["noticed"]);
    assert!(said.unwrap().contains("0x0000000000000058, whose stack the dump does not hold"));
    assert!(record.contains(r#""is_stack":false"#), "{record}");
    let (_, said, _) = hung(&[("hung_processor", "2")], false);
    assert!(said.unwrap().contains("the dump does not hold what it runs"));
    assert_eq!(hung(&[], false).1, None);
}

/// Meanings are taken apart where one begins, whatever commas they hold; a record is one JSON object.
#[test]
fn the_record_of_a_crash() {
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("format", "'kernel triage'")]]);
    lake.put("dumps", SECOND, &[&[("format", "'user minidump'")]]);
    let meanings = "'1 = kind: a, b, 3 = x (1, 2, 3), or y, 4 = z'";
    let crash =
        [("bucket", "'b'"), ("bugcheck_code", "122"), ("parameter1", "1"), ("parameter_meanings", meanings)];
    lake.put("crashes", FIRST, &[&crash]);
    let records = records(&lake.session(), None).unwrap();
    let parameters = r#""parameters":[{"value":"0x0000000000000001","meaning":"kind: a, b"},{"value":null,"meaning":null},{"value":null,"meaning":"x (1, 2, 3), or y"},{"value":null,"meaning":"z"}]"#;
    assert!(records[FIRST].contains(parameters), "{}", records[FIRST]);
    assert!(records[SECOND].contains(r#""crash":null"#), "{}", records[SECOND]);
}

/// All buckets are read: who shows them says how many are left out.
#[test]
fn no_bucket_is_dropped() {
    let lake = Lake::empty();
    let ids: Vec<String> = (0..12).map(|number| format!("d{number:016x}")).collect();
    for id in &ids {
        lake.put("dumps", id, &[&[("format", "'kernel triage'")]]);
        lake.put("crashes", id, &[&[("bucket", &format!("'{id}'"))]]);
    }
    assert_eq!(analyze(&lake.session(), None).unwrap().buckets.len(), 12);
}
