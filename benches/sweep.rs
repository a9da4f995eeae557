//! Every sweep over a large image with a mix of pages, against a plain read of the same map by the same threads in the
//! same run, and the whole conversion against it. `cargo bench --bench sweep`.
//!
//! `DUMPLAKE_BENCH_PAGES` sets the size of memory in pages (default 1,048,576: 4 GiB).

mod support;

use fixtures::{Format, LargeSize, Machine, PAGE, Space, mix, scenario::large};
use rayon::prelude::*;
use scan::nt;
use schema::TableSpec;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use support::{Counter, gb_per_s, median, scratch};

/// Tables that only sweeps fill.
const SWEPT: &[&str] = &[
    "pages",
    "pool_allocations",
    "pool_pages",
    "tag_constants",
    "residue",
    "residue_pages",
    "found_objects",
    "found_images",
];

fn main() {
    let pages =
        std::env::var("DUMPLAKE_BENCH_PAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(0x10_0000);
    let folder = scratch("sweep");
    let path = image(&folder, pages);
    let size = path.metadata().unwrap().len();
    let map = memory::Map::open(&path).unwrap();
    let read = median(3, || parallel_read(map.bytes()));
    println!("plain read of the map  {:>8.3} s  {:.2} GB/s", read.as_secs_f64(), gb_per_s(size, read));
    let names: Vec<&str> =
        SWEPT.iter().copied().filter(|name| schema::all().iter().any(|s| s.name == *name)).collect();
    for name in &names {
        report(name, size, read, || sweep(&path, &[name]));
    }
    report("every sweep", size, read, || sweep(&path, &names));
    let memory = own_memory();
    println!("memory of its own      {memory:>8} MiB");
    let start = Instant::now();
    let lake = folder.join("lake");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dumplake"));
    assert!(command.arg("convert").arg(&path).arg("-o").arg(&lake).output().unwrap().status.success());
    line("whole conversion", size, read, start.elapsed(), "");
    std::fs::remove_dir_all(&folder).unwrap();
}

fn image(folder: &Path, pages: u64) -> PathBuf {
    let mut machine = large::server(pages);
    map_middle(&mut machine, pages);
    let path = machine.dump(Format::Full).write_to(folder).unwrap();
    mix::fill(&path, 2 * PAGE, &machine.facts).unwrap();
    path
}

/// Nonpaged pool in large pages over the middle half of memory.
fn map_middle(machine: &mut Machine, pages: u64) {
    for number in pages / 4 / 512..pages * 3 / 4 / 512 {
        let va = 0xffff_b000_0000_0000 + number * 0x20_0000;
        machine.map_large(Space::Kernel, va, number * 0x20_0000, LargeSize::M2);
    }
}

fn parallel_read(bytes: &[u8]) -> u64 {
    let sum = |sum: u64, word: &[u8; 8]| sum.wrapping_add(u64::from_le_bytes(*word));
    bytes
        .par_chunks(4 << 20)
        .map(|chunk| chunk.as_chunks::<8>().0.iter().fold(0, sum))
        .reduce(|| 0, u64::wrapping_add)
}

fn report(name: &str, size: u64, read: Duration, work: impl Fn() -> String) {
    let rows = work();
    let time = median(3, &work);
    line(name, size, read, time, &rows);
}

fn line(name: &str, size: u64, read: Duration, time: Duration, rows: &str) {
    let ratio = time.as_secs_f64() / read.as_secs_f64();
    println!(
        "{name:<22} {:>8.3} s  {:.2} GB/s  {ratio:.2} of the read  {rows}",
        time.as_secs_f64(),
        gb_per_s(size, time)
    );
}

/// Opens the dump and runs the sweeps of these tables; the time includes opening and the reverse map.
fn sweep(path: &Path, names: &[&str]) -> String {
    let tables: Vec<&'static TableSpec> =
        schema::all().iter().copied().filter(|s| names.contains(&s.name)).collect();
    let dump = memory::open(path, None).unwrap();
    let library = symbols::Library::built_in();
    let system = nt::System::open(&dump, &library).unwrap();
    let job = scan::Job {
        dump: &dump,
        system: Some(&system),
        content_hash: Some(""),
        names: None,
        tool_version: "",
        options: "",
        tables: &tables,
        progress: &|_| {},
        origin: None,
        found: None,
        needles: &[],
        sha256: false,
    };
    let counter = Counter::default();
    scan::run(&job, &counter).unwrap();
    let rows = counter.0.into_inner().unwrap();
    rows.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

/// Memory that is no page of the map, in MiB.
fn own_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
