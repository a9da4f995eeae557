//! Stacks of user minidumps as breakpad, rust-minidump and WinDbg print them, frame by frame.
//!
//! None of the dumps holds the code of its images. Frames of x86 come over frame pointers, and are the same; those of
//! x64 cannot be unwound without the images that WinDbg had, so that its frames must be among the words that the walk
//! found, in this order and at these stack pointers, and each must be marked as what it is.

use super::{Real, hex, real};
use crate::ask::Row;
use serde_json::Value;

const X86: &str = "breakpad/minidump2.dmp";
const X64: &str = "zphixon/dump2.dmp";

/// The frames of the thread with the exception.
fn crashed(real: &Real, dump: &str) -> Vec<Row> {
    let sql = "SELECT f.* FROM frames f JOIN stacks s USING (dump_id, thread_id) \
               WHERE f.dump_id = {id} AND s.start = 'exception' ORDER BY f.\"index\"";
    real.rows(dump, sql)
}

/// Instruction pointer and stack pointer.
fn place(row: &Row) -> (u64, u64) {
    (row["ip"].as_u64().unwrap(), row["sp"].as_u64().unwrap())
}

/// `eip = 0x00404200   esp = 0x0012fe90 …` of every frame of a text by a stackwalk.
fn places(text: &str) -> Vec<(u64, u64)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let of = |name: &str| -> Vec<u64> {
        words.windows(3).filter(|w| w[0] == name && w[1] == "=").map(|w| hex(w[2])).collect()
    };
    of("eip").into_iter().zip(of("esp")).collect()
}

#[test]
fn x86_over_frame_pointers() {
    let Some(real) = real("frames of stackwalk") else { return };
    let rows = crashed(real, X86);
    let ours: Vec<(u64, u64)> = rows.iter().map(place).collect();
    for file in ["breakpad/expected/minidump2.stackwalk.out", "rust-minidump/expected/human.snap"] {
        let text = real.read(file);
        let (_, text) = text.split_once("(crashed)").unwrap();
        let (text, _) = text.split_once("Loaded modules:").unwrap();
        let theirs = places(text);
        assert_eq!(theirs.len(), 4, "{file}");
        assert_eq!(ours, theirs, "{file}");
    }
    let output = real.read("rust-minidump/expected/json-pretty.snap");
    let (_, text) = output.rsplit_once("---\n").unwrap();
    let json: Value = serde_json::from_str(text).unwrap();
    for (row, theirs) in rows.iter().zip(json["crashing_thread"]["frames"].as_array().unwrap()) {
        assert_eq!(row["module"], theirs["module"]);
        let method = row["method"].as_str().unwrap().replace(' ', "_");
        assert_eq!(theirs["trust"], method);
        // Of a return address they give the place of the call.
        let back = u64::from(method != "context");
        assert_eq!(row["offset"].as_u64().unwrap() - back, hex(theirs["module_offset"].as_str().unwrap()));
    }
    let ended = real.rows(X86, "FROM stacks WHERE dump_id = {id} AND start = 'exception'").remove(0);
    assert_eq!((&ended["end_reason"], &ended["truncated"]), (&"thread start".into(), &false.into()));
}

#[test]
fn x64_by_looking_for_return_addresses() {
    let Some(real) = real("frames of WinDbg") else { return };
    let output = real.read("zphixon/dump2.txt");
    let (_, rest) = output.split_once("STACK_TEXT:  \n").unwrap();
    let lines: Vec<Vec<&str>> =
        rest.lines().take_while(|line| !line.is_empty()).map(|line| line.split(' ').collect()).collect();
    let number = |text: &str| u64::from_str_radix(&text.replace('`', ""), 16).unwrap();
    // A line has the stack pointer of its frame and the instruction pointer of the next.
    let ips: Vec<u64> =
        [0x7fff_0766_4111].into_iter().chain(lines.iter().map(|line| number(line[1]))).collect();
    let theirs: Vec<(u64, u64)> = ips.into_iter().zip(lines.iter().map(|line| number(line[0]))).collect();
    let rows = crashed(real, X64);
    let ours: Vec<(u64, u64)> = rows.iter().map(place).collect();
    let mut rest = ours.iter();
    let missing: Vec<_> = theirs.iter().filter(|frame| !rest.any(|ours| ours == *frame)).collect();
    assert_eq!((theirs.len(), missing.len()), (25, 0), "{missing:x?}");
    // What else is there are words that look the same without the code: marked, all of them.
    assert!(ours.len() < 5 * theirs.len(), "{}", ours.len());
    assert!(rows[1..].iter().all(|row| row["method"] == "scan" && row["confidence"] == "low"));
}

#[test]
fn every_thread_of_every_user_minidump_has_a_stack() {
    let Some(real) = real("stacks of user minidumps") else { return };
    let sql = "SELECT d.path, count(s.thread_id) AS stacks, count(t.thread_id) AS threads, \
               count(*) FILTER (s.frames > 0) AS walked, count(c.thread_id) AS with_registers FROM threads t \
               JOIN dumps d USING (dump_id) LEFT JOIN stacks s USING (dump_id, thread_id) \
               LEFT JOIN (SELECT DISTINCT dump_id, thread_id FROM contexts WHERE sp IS NOT NULL) c USING (dump_id, thread_id) \
               WHERE d.format = 'user minidump' GROUP BY ALL ORDER BY ALL";
    let rows = real.ask().rows(sql);
    assert!(rows.len() > 10, "{}", rows.len());
    for row in rows {
        assert_eq!(row["stacks"], row["threads"], "{row:?}");
        assert_eq!(row["walked"], row["with_registers"], "{row:?}");
    }
}
