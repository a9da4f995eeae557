//! `--copy`, and files that cannot be mapped: dumps that nobody maps where they lie. The lake is the same, and nothing stays behind.

use crate::{
    ask::{Ask, dumplake_in},
    bulk::{content, write_dumps},
    support::{busy_machine, scratch},
};
use fixtures::{Arch, Format};
use std::{fs, path::Path};

/// A small dump, a pair of VMware files and something else.
fn inputs(folder: &Path) {
    write_dumps(&folder.join("input"), 1);
    busy_machine(Arch::X64)
        .dump(Format::VmemWithState { wide: true })
        .write_to(&folder.join("input"))
        .unwrap();
    fs::write(folder.join("input/notes.txt"), "no dump").unwrap();
    fs::create_dir(folder.join("scratch")).unwrap();
}

#[test]
fn copies_give_the_same_lake() {
    let folder = scratch("copies");
    inputs(&folder);
    let mapped = dumplake_in(&folder, &["convert", "input", "-o", "mapped"]);
    let args = ["convert", "input", "-o", "copied", "--copy", "--scratch", "scratch"];
    let copied = dumplake_in(&folder, &args);
    assert_eq!((mapped.code, copied.code), (0, 0), "{}{}", mapped.err, copied.err);
    assert_eq!(copied.out.matches("converted").count(), 2, "{}", copied.out);
    assert!(copied.err.contains("1 other file"), "{}", copied.err);
    let (lake, other) = (content(&folder.join("copied")), content(&folder.join("mapped")));
    for ((table, rows), (_, others)) in lake.iter().zip(&other) {
        assert_eq!(rows, others, "{table}");
    }
    let ask = Ask::open(&folder.join("copied"));
    let sql = "SELECT count(*) AS n FROM dumps WHERE path LIKE 'input/%' AND companion LIKE 'input/%' AND archive_member IS NULL";
    assert_eq!(ask.rows(sql)[0]["n"], 1, "the pair is told where it was");
    assert_eq!(
        fs::read_dir(folder.join("scratch")).unwrap().count(),
        0,
        "nothing stays in the scratch folder"
    );
    let again = dumplake_in(&folder, &args);
    assert_eq!((again.code, again.out.matches("skipped").count()), (0, 2), "{}{}", again.out, again.err);
}

#[test]
fn what_cannot_be_copied_is_told() {
    let folder = scratch("copies told");
    inputs(&folder);
    let args = ["convert", "input/notes.txt", "input/0000.dmp", "absent.dmp", "-o", "lake", "--copy"];
    let ran = dumplake_in(&folder, &[&args[..], &["--scratch", "scratch"]].concat());
    let told = format!("{}{}", ran.out, ran.err);
    assert_eq!(ran.code, 1, "{told}");
    let line = |name: &str| told.lines().find(|line| line.contains(name)).unwrap_or_default().to_string();
    assert!(line("0000.dmp").starts_with("converted"), "{told}");
    assert!(
        line("notes.txt").starts_with("failed") && line("notes.txt").contains("a Windows dump"),
        "{}",
        ran.out
    );
    assert!(line("absent.dmp").contains("no such file"), "{told}");
    let small = ["convert", "input", "-o", "lake", "--copy", "--scratch", "scratch", "--scratch-limit", "1M"];
    let ran = dumplake_in(&folder, &small);
    let told = format!("{}{}", ran.out, ran.err);
    let failed: Vec<&str> = told.lines().filter(|line| line.starts_with("failed")).collect();
    assert_eq!((ran.code, failed.len()), (1, 1), "{told}");
    assert!(failed[0].contains(".vmem") && failed[0].contains("--scratch-limit"), "{told}");
    assert_eq!(fs::read_dir(folder.join("scratch")).unwrap().count(), 0);
}

/// A regular file with bytes that Linux lets be read and not mapped; what is in it is no dump.
const REFUSED: &str = "/sys/devices/system/cpu/online";

#[test]
fn what_cannot_be_mapped_is_copied() {
    if memory::Map::refused(Path::new(REFUSED)).is_none() {
        eprintln!("skipped: what_cannot_be_mapped_is_copied: this system has no file that it does not map");
        return;
    }
    // Commands that open one file read a copy as well.
    for command in ["info", "analyze"] {
        let ran = dumplake_in(&scratch("one file"), &[command, REFUSED]);
        assert!(
            ran.err.contains("cannot be mapped") && ran.err.contains("a Windows dump"),
            "{command}: {}",
            ran.err
        );
        assert!(
            ran.err.contains(REFUSED) && !ran.err.contains("dumplake-scratch-"),
            "{command}: {}",
            ran.err
        );
        assert_eq!(ran.code, 2, "{command}: {}", ran.err);
    }
    let folder = scratch("not mapped");
    inputs(&folder);
    assert!(memory::Map::refused(&folder.join("input/0000.dmp")).is_none());
    assert!(memory::Map::refused(&folder.join("absent.dmp")).is_none());
    let args = ["convert", REFUSED, "input/0000.dmp", "-o", "lake", "--scratch", "scratch"];
    let ran = dumplake_in(&folder, &args);
    let told = format!("{}{}", ran.out, ran.err);
    assert_eq!(ran.code, 1, "{told}");
    let notice: Vec<&str> = ran.err.lines().filter(|line| line.contains("cannot be mapped")).collect();
    assert_eq!(notice.len(), 1, "{told}");
    assert!(notice[0].starts_with(REFUSED) && notice[0].contains("scratch folder"), "{told}");
    // It was read: what is wrong with it is what is in it.
    let failed: Vec<&str> = told.lines().filter(|line| line.starts_with("failed")).collect();
    assert!(failed.len() == 1 && failed[0].contains("a Windows dump"), "{told}");
    assert!(told.lines().any(|line| line.starts_with("converted") && line.contains("0000.dmp")), "{told}");
    assert_eq!(fs::read_dir(folder.join("scratch")).unwrap().count(), 0);
}
