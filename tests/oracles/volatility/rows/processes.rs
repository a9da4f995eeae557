//! `windows.pslist`, `windows.pstree`, `windows.sessions`, `windows.psxview` and `processes`.

use super::{number, ours, read, short, text, walk_support::Row};
use serde_json::Value;

/// A time as both print it, in whole seconds: volatility3 drops the rest.
pub fn time(text: &str) -> String {
    text.split(['.', '+']).next().unwrap_or(text).to_string()
}

/// A time of theirs.
pub fn their_time(row: &Value, column: &str) -> Option<String> {
    text(row, column).filter(|text| !text.is_empty()).map(time)
}

/// A time of ours.
pub fn our_time(row: &Row, column: &str) -> Option<String> {
    row.get(column).map(|text| time(text))
}

fn flag(row: &Row, column: &str) -> Option<bool> {
    row.get(column).map(|text| text == "true")
}

#[test]
fn pslist() {
    for read in read().into_iter().flatten() {
        let (name, plugin) = (read.name("pslist"), "windows.pslist.PsList");
        let theirs = read.theirs(plugin).iter().map(|row| {
            let of = |column| number(row, column);
            let times = [their_time(row, "CreateTime"), their_time(row, "ExitTime")];
            let ids = [of("PID"), of("PPID"), of("Offset(V)"), of("Threads"), of("SessionId")];
            (ids, text(row, "ImageFileName").map(str::to_string), row["Wow64"].as_bool(), times)
        });
        let ours = read.ours("processes").iter().map(|row| {
            let of = |column| ours(row, column);
            let times = [our_time(row, "create_time"), our_time(row, "exit_time")];
            let eprocess = of("eprocess").map(short);
            let ids = [of("process_id"), of("parent_id"), eprocess, of("thread_count"), of("session_id")];
            (ids, row.get("name").cloned(), flag(row, "wow64"), times)
        });
        let (theirs, ours): (Vec<_>, Vec<_>) = (theirs.collect(), ours.collect());
        assert!(theirs.len() > 4, "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}

/// The tree prints the path of the image too; its order is that of the tree.
#[test]
fn pstree() {
    for read in read().into_iter().flatten() {
        let name = read.name("pstree");
        let theirs = read.theirs("windows.pstree.PsTree").iter();
        let mut theirs: Vec<_> =
            theirs.map(|row| (number(row, "PID"), text(row, "Audit").map(str::to_string))).collect();
        let rows = read.ours("processes").iter();
        let mut ours: Vec<_> =
            rows.map(|row| (ours(row, "process_id"), row.get("image_path").cloned())).collect();
        theirs.sort();
        ours.sort();
        assert!(theirs.iter().any(|row| row.1.is_some()), "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn sessions() {
    for read in read().into_iter().flatten() {
        let name = read.name("sessions");
        let theirs = read.theirs("windows.sessions.Sessions").iter();
        let mut theirs: Vec<_> =
            theirs.map(|row| (number(row, "Process ID"), number(row, "Session ID"))).collect();
        let rows = read.ours("processes").iter();
        let mut ours: Vec<_> = rows.map(|row| (ours(row, "process_id"), ours(row, "session_id"))).collect();
        theirs.sort();
        ours.sort();
        assert!(theirs.iter().any(|row| row.1 == Some(1)), "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}

/// Who knows a process: their columns that ask what ours ask.
#[test]
fn psxview() {
    for read in read().into_iter().flatten() {
        let name = read.name("psxview");
        let theirs = read.theirs("windows.psxview.PsXView").iter();
        // On Windows 7 it does not see that what it carved is what it listed, and prints a row more.
        let known = |row: &&Value| ["pslist", "thrdscan", "csrss"].iter().any(|source| row[source] == true);
        let mut theirs: Vec<_> = theirs
            .filter(known)
            .map(|row| {
                let of = |column: &str| row[column].as_bool();
                (number(row, "PID"), of("pslist"), of("thrdscan"), of("csrss"))
            })
            .collect();
        let rows = read.ours("processes").iter();
        let mut ours: Vec<_> = rows
            .map(|row| {
                let of = |column| flag(row, column);
                let process = ours(row, "process_id");
                (process, of("in_active_list"), of("is_thread_owner"), of("in_csrss_handles"))
            })
            .collect();
        theirs.sort();
        ours.sort();
        assert!(theirs.iter().any(|row| row.3 == Some(true)), "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}
