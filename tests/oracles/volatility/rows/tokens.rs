//! `windows.getsids`, `windows.privileges` and `tokens`, `token_sids`, `token_privileges`.

use super::{Read, number, ours, read, text, walk_support::Row};
use serde_json::Value;

/// Rows of a table that belong to the primary token of each process, with the process id.
fn of_processes<'r>(read: &'r Read, table: &str) -> Vec<(u64, &'r Row)> {
    let primary = read.ours("tokens").iter().filter(|row| !row.contains_key("thread_id"));
    let mut found = Vec::new();
    for user in primary {
        let process = ours(user, "process_id").expect("a process");
        let rows = read.ours(table).iter().filter(|row| row["token"] == user["token"]);
        found.extend(rows.map(|row| (process, row)));
    }
    found
}

#[test]
fn getsids() {
    for read in read().into_iter().flatten() {
        let name = read.name("getsids");
        // A process without a token has a row of theirs that says so.
        let sid = |row: &&Value| text(row, "SID").is_some_and(|sid| sid.starts_with("S-"));
        let theirs = read.theirs("windows.getsids.GetSIDs").iter().filter(sid);
        let theirs: Vec<_> =
            theirs.map(|row| (number(row, "PID"), text(row, "SID").map(str::to_string))).collect();
        let ours = of_processes(read, "token_sids").into_iter();
        let ours: Vec<_> = ours.map(|(process, row)| (Some(process), row.get("sid").cloned())).collect();
        assert!(theirs.len() > 9, "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}

/// They print every privilege that there is; we have rows of those that are present.
#[test]
fn privileges() {
    for read in read().into_iter().flatten() {
        let name = read.name("privileges");
        let present = |row: &&Value| text(row, "Attributes").is_some_and(|text| text.contains("Present"));
        let theirs = read.theirs("windows.privileges.Privs").iter().filter(present);
        let theirs: Vec<_> = theirs
            .map(|row| {
                let has = |word| text(row, "Attributes").is_some_and(|text| text.contains(word));
                let name = text(row, "Privilege").map(str::to_string);
                (number(row, "PID"), number(row, "Value"), name, has("Enabled"), has("Default"))
            })
            .collect();
        let ours: Vec<_> = of_processes(read, "token_privileges")
            .into_iter()
            .map(|(process, row)| {
                let is = |column: &str| row[column] == "true";
                let name = row.get("name").cloned();
                (Some(process), ours(row, "privilege"), name, is("enabled"), is("enabled_by_default"))
            })
            .collect();
        assert!(theirs.len() > 9, "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}
