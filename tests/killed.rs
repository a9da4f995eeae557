//! A conversion that is killed at any moment leaves a lake that opens, and the next run completes it.

use crate::{
    bulk::{content, write_dumps},
    support::scratch,
};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const DUMPS: usize = 20;

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

/// How many kills; more with `KILLS=100`.
fn kills() -> u64 {
    std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

#[test]
fn a_kill_at_any_moment_leaves_whole_dumps_only() {
    let folder = scratch("killed");
    let (dumps, lake) = (folder.join("dumps"), folder.join("lake"));
    write_dumps(&dumps, DUMPS);
    let (dumps, lake) = (dumps.to_str().unwrap(), lake.to_str().unwrap());
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for round in 0..kills() {
        let force = if round % 3 == 0 { &["--force"][..] } else { &[] };
        let mut run =
            dumplake(&[&["convert", dumps, "-o", lake, "--jobs", "2"], force].concat()).spawn().unwrap();
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(round | 1);
        std::thread::sleep(Duration::from_millis(20 + (random >> 40) % 1000));
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
    let undisturbed = folder.join("undisturbed");
    let all = dumplake(&["convert", dumps, "-o", undisturbed.to_str().unwrap()]).status().unwrap();
    assert_eq!(all.code(), Some(0));
    assert!(content(Path::new(lake)) == content(&undisturbed), "the tables of an undisturbed run");
    let staged: Vec<_> = std::fs::read_dir(Path::new(lake).join(".staging")).unwrap().flatten().collect();
    let left = staged.iter().filter(|entry| entry.path().is_dir()).count();
    assert_eq!(left, 0, "nothing is left behind: {staged:?}");
}
