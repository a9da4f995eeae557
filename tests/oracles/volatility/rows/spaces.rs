//! `windows.vadinfo`, `windows.dlllist`, `windows.ldrmodules` and `windows.cmdline` beside `vads`, `user_modules` and
//! `processes`.

use super::{Read, Row, number, ours, read, short, text};
use serde_json::Value;

/// Theirs: nodes before their children, ours by address; they know no names of processes that we do not.
#[test]
fn vads() {
    for read in read().into_iter().flatten() {
        let name = read.name("vadinfo");
        let theirs = read.theirs("windows.vadinfo.VadInfo").iter().map(|row| {
            let of = |column| number(row, column);
            let numbers = ["PID", "Start VPN", "End VPN", "CommitCharge", "PrivateMemory"].map(of);
            let addresses = [of("Offset"), of("Parent").filter(|&parent| parent != 0)];
            let texts = ["Tag", "File"].map(|column| text(row, column).map(str::to_string));
            (numbers, addresses.map(|va| va.map(short)), texts, protection(text(row, "Protection").unwrap()))
        });
        let mine = read.ours("vads").iter().map(|row| {
            let of = |column| ours(row, column);
            let private = row.get("private").map(|private| u64::from(private == "true"));
            let numbers = [of("process_id"), of("start"), of("end"), of("commit_charge"), private];
            let texts = ["tag", "file"].map(|column| row.get(column).cloned());
            (
                numbers,
                [of("vad"), parent(read, row)].map(|va| va.map(short)),
                texts,
                protection(&row["protection_name"]),
            )
        });
        let (mut theirs, mut mine): (Vec<_>, Vec<_>) = (theirs.collect(), mine.collect());
        theirs.sort();
        mine.sort();
        assert!(theirs.len() > 10, "{name}");
        assert_eq!(mine, theirs, "{name}");
    }
}

/// Theirs: on Windows 7 the parent of a root is the table in `_EPROCESS`; ours is NULL.
fn parent(read: &Read, row: &Row) -> Option<u64> {
    let table = read.facts.layout().find("_EPROCESS", "VadRoot.BalancedRoot");
    let root = || Some(ours(row, "eprocess")? + table?.offset as u64);
    ours(row, "parent").or_else(root)
}

/// Names in one order.
fn protection(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text.split('|').map(str::to_string).collect();
    names.sort();
    names
}

/// Theirs: one row for each loader that lists a module, so a 32-bit program has two. Their 32-bit types are those of
/// Windows 7, so load times of 32-bit modules on later systems are theirs to err about. They show a load count of
/// 65535, read as signed, as none.
#[test]
fn dlllist() {
    for read in read().into_iter().flatten() {
        let name = read.name("dlllist");
        let theirs = read.theirs("windows.dlllist.DllList").iter().map(|row| {
            let of = |column| number(row, column);
            let texts = ["Name", "Path"].map(|column| text(row, column).map(str::to_string));
            (of("PID"), of("Base"), of("Size"), texts)
        });
        let mine = read.ours("user_modules").iter().filter(|row| row["in_load"] == "true").map(|row| {
            let of = |column| ours(row, column);
            (
                of("process_id"),
                of("base"),
                of("size"),
                ["name", "path"].map(|column| row.get(column).cloned()),
            )
        });
        let (mut theirs, mut mine): (Vec<_>, Vec<_>) = (theirs.collect(), mine.collect());
        theirs.sort();
        theirs.dedup();
        mine.sort();
        assert!(theirs.len() > 5, "{name}");
        assert_eq!(mine, theirs, "{name}");
        let time = |row: &Value| text(row, "LoadTime").map(|time| time[..19].to_string());
        for row in read.theirs("windows.dlllist.DllList").iter().filter(|row| time(row).is_some()) {
            let same = |mine: &&Row| {
                ours(mine, "base") == number(row, "Base") && ours(mine, "process_id") == number(row, "PID")
            };
            let mine = read.ours("user_modules").iter().find(same).unwrap();
            assert_eq!(mine.get("load_time").cloned(), time(row), "{name}");
        }
    }
}

/// Theirs: every descriptor that begins with an image.
#[test]
fn ldrmodules() {
    for read in read().into_iter().flatten() {
        let name = read.name("ldrmodules");
        let theirs = read.theirs("windows.ldrmodules.LdrModules").iter().map(|row| {
            let lists = ["InLoad", "InInit", "InMem"].map(|column| row[column].as_bool());
            (number(row, "Pid"), number(row, "Base"), lists, text(row, "MappedPath").map(str::to_string))
        });
        let mapped = read.ours("user_modules").iter().filter(|row| row["in_vad"] == "true");
        let mine = mapped.map(|row| {
            let lists =
                ["in_load", "in_init", "in_memory"].map(|column| row.get(column).map(|cell| cell == "true"));
            (ours(row, "process_id"), ours(row, "base"), lists, row.get("mapped_path").cloned())
        });
        let (mut theirs, mut mine): (Vec<_>, Vec<_>) = (theirs.collect(), mine.collect());
        theirs.sort();
        mine.sort();
        assert!(theirs.len() > 5, "{name}");
        assert_eq!(mine, theirs, "{name}");
    }
}

/// Theirs: processes of the active list.
#[test]
fn cmdline() {
    for read in read().into_iter().flatten() {
        let name = read.name("cmdline");
        let theirs = read.theirs("windows.cmdline.CmdLine").iter();
        let theirs: Vec<_> =
            theirs.map(|row| (number(row, "PID"), text(row, "Args").map(str::to_string))).collect();
        let mine = read.ours("processes").iter().filter(|row| row["in_active_list"] == "true");
        let mine: Vec<_> =
            mine.map(|row| (ours(row, "process_id"), row.get("command_line").cloned())).collect();
        assert_eq!(mine, theirs, "{name}");
        assert!(theirs.iter().any(|(_, line)| line.is_some()), "{name}");
    }
}
