//! Many small dumps into one lake: dumps a second, processor time a dump, size of the lake; a second run that finds
//! everything there; and a count over all of them. `BULK_DUMPS=10000` for more than 1,000.

mod support;

use fixtures::{Arch, Build, Family, Format, Machine};
use std::{fs, path::Path, process::Command, time::Instant};
use support::{processor_time, scratch};

const MARK: &[u8] = b"number 000000";

fn main() {
    let folder = scratch("bulk");
    let number = std::env::var("BULK_DUMPS").ok().and_then(|number| number.parse().ok()).unwrap_or(1000);
    let (dumps, lake) = (folder.join("dumps"), folder.join("lake"));
    write_dumps(&dumps, number);
    let convert = || {
        let (start, before) = (Instant::now(), processor_time()[1]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_dumplake"));
        let output = command.arg("convert").arg(&dumps).arg("-o").arg(&lake).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (start.elapsed(), processor_time()[1].saturating_sub(before))
    };
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
    let start = Instant::now();
    let sql = "SELECT bugcheck_name, count(*) FROM dumps GROUP BY ALL";
    let ran = Command::new(env!("CARGO_BIN_EXE_dumplake")).arg("sql").arg(&lake).arg(sql).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    println!("bulk: {sql}: {:.1?}, with the start of the program", start.elapsed());
    let _ = fs::remove_dir_all(&folder);
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
