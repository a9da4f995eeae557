//! Many small dumps into one lake: dumps a second, processor time a dump, size of the lake; a second run that finds
//! everything there; and questions to all of them, before and after the lake is compacted. `BULK_DUMPS=10000` for more than 1,000.

mod support;

use fixtures::{Arch, Build, Family, Format, Machine};
use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use support::{processor_time, scratch};

const MARK: &[u8] = b"number 000000";

fn main() {
    let folder = scratch("bulk");
    let number = std::env::var("BULK_DUMPS").ok().and_then(|number| number.parse().ok()).unwrap_or(1000);
    let (dumps, lake) = (folder.join("dumps"), folder.join("lake"));
    write_dumps(&dumps, number);
    let convert = || run(&[OsStr::new("convert"), dumps.as_os_str(), OsStr::new("-o"), lake.as_os_str()]);
    let (first, used) = convert();
    let (files, bytes) = size(&lake);
    println!(
        "bulk: {number} dumps, {:.1} dumps/s, {:.1} ms of processor time a dump",
        number as f64 / first.as_secs_f64(),
        used.as_secs_f64() * 1e3 / number as f64
    );
    println!("bulk: the lake has {} files and {} KiB a dump", files / number, bytes / number as u64 / 1024);
    let (again, _) = convert();
    println!("bulk: everything is there already: {:.0} dumps/s", number as f64 / again.as_secs_f64());
    ask(&lake, "as converted");
    let (compacting, _) = run(&[OsStr::new("lake"), OsStr::new("compact"), lake.as_os_str()]);
    let (files, bytes) = size(&lake);
    println!("bulk: compacted in {:.1} s: {files} files, {} KiB", compacting.as_secs_f64(), bytes / 1024);
    ask(&lake, "compacted");
    ask_of_one(&lake);
    let (again, _) = convert();
    println!("bulk: everything is there, compacted: {:.0} dumps/s", number as f64 / again.as_secs_f64());
    let _ = fs::remove_dir_all(&folder);
}

/// Runs the program: how long it took, and its processor time.
fn run(args: &[&OsStr]) -> (Duration, Duration) {
    let (start, before) = (Instant::now(), processor_time()[1]);
    let output = Command::new(env!("CARGO_BIN_EXE_dumplake")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (start.elapsed(), processor_time()[1].saturating_sub(before))
}

/// The questions that a lake of many dumps must answer fast, each with the start of the program.
fn ask(lake: &Path, when: &str) {
    let word = OsStr::new;
    let query = |sql| run(&[word("sql"), lake.as_os_str(), word(sql)]).0;
    query("SELECT 1"); // writes the views where that is due
    for sql in ["SELECT 1", "SELECT bugcheck_name, count(*) FROM dumps GROUP BY ALL", "FROM crash_buckets"] {
        println!("bulk: {when}: {sql}: {:.2} s", query(sql).as_secs_f64());
    }
}

/// What is asked of one dump of the lake. Only once it is compacted: some patterns compare a dump with all others, and
/// before that each of those has files of its own.
fn ask_of_one(lake: &Path) {
    let word = OsStr::new;
    let newest = word("SELECT max(dump_id) FROM dumps");
    let one = Command::new(env!("CARGO_BIN_EXE_dumplake"))
        .args([word("sql"), lake.as_os_str(), newest, word("--format"), word("csv")])
        .output()
        .unwrap();
    let id = String::from_utf8_lossy(&one.stdout).lines().last().unwrap_or_default().to_string();
    for command in ["patterns", "analyze"] {
        let (time, _) = run(&[word(command), lake.as_os_str(), word("--dump"), word(&id)]);
        println!("bulk: {command} over one dump of it: {:.2} s", time.as_secs_f64());
    }
}

/// Small dumps that differ in their comment.
fn write_dumps(folder: &Path, number: usize) {
    fs::create_dir_all(folder).unwrap();
    let mut machine = Machine::new(Arch::X64, Build::WIN10_19041);
    let kernel = machine.facts.kernel_base;
    machine.processors(4).crash(0xd1, [0x28, 2, 0, kernel + 0x1234]).comment("number 000000");
    for module in 0..180 {
        // As many as a real system has.
        machine.module(&format!("driver{module:03}.sys"), kernel + 0x200_0000 + module * 0x10_0000, 0x4_0000);
    }
    let path = machine.dump(Format::Triage(Family::B)).write_to(folder).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    let at = bytes.windows(MARK.len()).position(|window| window == MARK).unwrap() + 7;
    for number in 0..number {
        bytes[at..at + 6].copy_from_slice(format!("{number:06}").as_bytes());
        fs::write(folder.join(format!("{number:06}.dmp")), &bytes).unwrap();
    }
}

/// Files below a folder and their bytes.
fn size(folder: &Path) -> (usize, u64) {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (more_files, more) = match entry.metadata().unwrap() {
            data if data.is_dir() => size(&entry.path()),
            data => (1, data.len()),
        };
        files += more_files;
        bytes += more;
    }
    (files, bytes)
}
