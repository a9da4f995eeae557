//! Folders as they are: garbage, pipes and sockets, links in a circle, files that nobody may read or that still grow;
//! a disk that is full. (Equal content: `cli/inputs.rs`; a damaged lake: `cli/output.rs`; garbage: `cli.rs`.)

use super::write_dumps;
use crate::{
    ask::{Ask, dumplake_in},
    support::{busy_machine, scratch},
};
use fixtures::{Arch, Build, Family, Format, Machine, Run};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

#[test]
#[cfg(unix)]
fn a_folder_of_everything_that_is_no_file() {
    use std::os::unix::{fs::symlink, net::UnixListener};
    let folder = scratch("no files");
    let dumps = folder.join("dumps");
    write_dumps(&dumps, 1);
    symlink("..", dumps.join("loop")).unwrap();
    symlink("myself.dmp", dumps.join("myself.dmp")).unwrap();
    symlink("nowhere", dumps.join("dangling.dmp")).unwrap();
    // A socket's path may be short only, so it is made elsewhere.
    let elsewhere = std::env::temp_dir().join(format!("dumplake-{}.dmp", std::process::id()));
    let _socket = UnixListener::bind(&elsewhere).unwrap();
    fs::rename(&elsewhere, dumps.join("s.dmp")).unwrap();
    assert!(Command::new("mkfifo").arg(dumps.join("pipe.dmp")).status().unwrap().success());
    fs::write(dumps.join("garbage"), [0x5a; 5000]).unwrap();
    let ran = dumplake_in(&folder, &["convert", "dumps", "-o", "lake", "--json"]);
    assert_eq!((ran.code, ran.json().len()), (0, 1), "{}{}", ran.out, ran.err);
    // Named, each is refused at once and in one line; nobody waits for somebody to write into the pipe.
    for name in ["pipe.dmp", "s.dmp", "myself.dmp", "dangling.dmp"] {
        let path = format!("dumps/{name}");
        let ran = dumplake_in(&folder, &["convert", &path, "-o", "lake"]);
        assert_eq!((ran.code, ran.err.lines().count()), (2, 1), "{name}: {}", ran.err);
        assert!(ran.err.starts_with("failed") && ran.err.contains(name), "{}", ran.err);
    }
}

#[test]
#[cfg(unix)]
fn a_file_that_nobody_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch("unreadable");
    write_dumps(&folder.join("dumps"), 2);
    let path = folder.join("dumps/0000.dmp");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::File::open(&path).is_ok() {
        eprintln!("skipped: a file that nobody may read: this user may read everything");
        return;
    }
    let ran = dumplake_in(&folder, &["convert", "dumps", "-o", "lake", "--json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.json()[0]["error"].as_str().unwrap().contains("ermission"), "{}", ran.out);
}

/// A dump that is still being written: what was read is no dump, and is not presented as one.
#[test]
fn a_dump_that_grows_while_it_is_read() {
    let folder = scratch("growing");
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x8000 }];
    let machine = Machine::with_ram(Arch::X64, Build::WIN10_19041, &runs);
    let path = machine.dump(Format::Full).write_to(&folder).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_string();
    let mut run = Command::new(env!("CARGO_BIN_EXE_dumplake"));
    run.args(["convert", &name, "-o", "lake", "--json"]).current_dir(&folder).stdout(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    while run.try_wait().unwrap().is_none() {
        file.write_all(b"more").unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("it changed while it was read"), "{text}");
    assert!(!folder.join("lake/dumps").exists());
    let whole = dumplake_in(&folder, &["convert", &name, "-o", "lake"]);
    assert_eq!(whole.code, 0, "{}", whole.err);
}

/// Files of a lake cannot become larger than 8 KiB here, as on a disk that is full.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_the_lake_as_it_was() {
    let folder = scratch("full disk");
    write_dumps(&folder.join("one"), 1);
    assert_eq!(dumplake_in(&folder, &["convert", "one", "-o", "lake"]).code, 0);
    let before = Ask::open(&folder.join("lake")).rows("FROM dumps");
    busy_machine(Arch::Arm64).dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" convert mini.dmp -o lake";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_dumplake")]).current_dir(&folder);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("failed     mini.dmp: cannot write"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(staged(&folder.join("lake")), 0, "nothing is left in the staging folder");
    assert_eq!(Ask::open(&folder.join("lake")).rows("FROM dumps"), before);
    assert_eq!(dumplake_in(&folder, &["convert", "mini.dmp", "-o", "lake"]).code, 0);
}

fn staged(lake: &Path) -> usize {
    fs::read_dir(lake.join(".staging")).unwrap().flatten().filter(|entry| entry.path().is_dir()).count()
}
