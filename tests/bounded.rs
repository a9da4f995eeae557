//! Memory of the converter is bounded by what a dump holds, not by its size. `DUMPLAKE_TEST_PAGES=16777216` for a dump of
//! 64 GiB.

use crate::support::scratch;
use fixtures::{Arch, Build, Format, Machine, PAGE, Run, mix};
use std::process::{Command, Stdio};

#[allow(dead_code)] // benches use the rest
#[path = "../benches/support/process.rs"]
mod process;

/// Pages of a dump of 512 MiB: as much as an unoptimised build reads in some seconds.
const PAGES: u64 = 0x2_0000;
/// Pages at the end that hold something; the others are empty.
const FILLED: u64 = 0x2000;
/// What a conversion may have of its own, whatever the dump: rows on their way, and what Parquet holds of every table.
const BASE: u64 = 128;
/// Bytes for each frame: where it is mapped (8), and what the walks remember.
const EACH: u64 = 16;

#[test]
fn memory_of_the_converter_is_bounded() {
    if !std::path::Path::new("/proc/self/status").exists() {
        eprintln!("skipped: memory_of_the_converter_is_bounded: the system does not say what a process uses");
        return;
    }
    let pages = std::env::var("DUMPLAKE_TEST_PAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(PAGES);
    let folder = scratch("sparse");
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: pages }];
    let machine = Machine::with_ram(Arch::X64, Build::WIN10_19041, &runs);
    let path = machine.dump(Format::Full).write_to(&folder).unwrap();
    let size = path.metadata().unwrap().len();
    mix::fill(&path, size - FILLED * PAGE, &machine.facts).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dumplake"));
    let command = command.arg("convert").arg(&path).arg("-o").arg(folder.join("lake"));
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let watch = process::Watch::of(running.id());
    assert!(running.wait().unwrap().success());
    let (own, most) = (watch.peak(), BASE + pages * EACH / (1 << 20));
    eprintln!("{own} MiB of its own for a dump of {pages} pages; {most} are allowed");
    assert!(own > 0 && own <= most, "{own} MiB for a dump of {pages} pages; {most} are allowed");
    let rows = process::tables_of(&folder.join("lake"));
    let swept = rows.iter().find(|(table, ..)| table == "pages").map(|(_, rows, _)| *rows);
    assert_eq!(swept, Some(pages + 0x9e), "every page was swept");
    std::fs::remove_dir_all(&folder).unwrap();
}
