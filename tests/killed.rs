//! A conversion that is killed at any moment leaves a lake that opens, and the next run completes it.

use crate::support::{busy_machine, scratch};
use fixtures::{Arch, Family, Format};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const DUMPS: usize = 12;

fn dumplake(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dumplake"));
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What a query prints as CSV.
fn ask(lake: &str, query: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_dumplake"))
        .args(["sql", lake, query, "--format", "csv"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().skip(1).collect()
}

fn write_dumps(folder: &Path) {
    for number in 0..DUMPS {
        let mut machine = busy_machine(Arch::X64);
        machine.comment(&format!("number {number}"));
        let place = folder.join(number.to_string());
        std::fs::create_dir_all(&place).unwrap();
        machine.dump(Format::Triage(Family::B)).write_to(&place).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_whole_dumps_only() {
    let folder = scratch("killed");
    let (dumps, lake) = (folder.join("dumps"), folder.join("lake"));
    write_dumps(&dumps);
    let (dumps, lake) = (dumps.to_str().unwrap(), lake.to_str().unwrap());
    for round in 0..12 {
        let mut run = dumplake(&["convert", dumps, "-o", lake, "--jobs", "2", "--force"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(30 + 47 * round));
        run.kill().unwrap();
        run.wait().unwrap();
        if !Path::new(lake).join(".staging").exists() {
            continue; // killed before there was a lake
        }
        // Every dump of the lake has its modules: the machine has two, always.
        let whole = ask(
            lake,
            "SELECT count(*) FROM dumps d WHERE (SELECT count(*) FROM modules m \
                               WHERE m.dump_id = d.dump_id) <> 2",
        );
        assert_eq!(whole, "0", "round {round}");
        let orphans =
            ask(lake, "SELECT count(*) FROM modules WHERE dump_id NOT IN (SELECT dump_id FROM dumps)");
        assert_eq!(orphans, "0", "round {round}");
    }
    let last = dumplake(&["convert", dumps, "-o", lake]).status().unwrap();
    assert_eq!(last.code(), Some(0));
    assert_eq!(ask(lake, "SELECT count(*) FROM dumps"), DUMPS.to_string());
    let staged: Vec<_> = std::fs::read_dir(Path::new(lake).join(".staging")).unwrap().flatten().collect();
    let left = staged.iter().filter(|entry| entry.path().is_dir()).count();
    assert_eq!(left, 0, "nothing is left behind: {staged:?}");
}
