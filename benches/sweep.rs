//! Every sweep over a large image with a mix of pages, against a plain read of the same map by as many threads in the
//! same run; the whole conversion against it; and volatility3's scanners over the same dump, if the tests have made its
//! environment. `cargo bench --bench sweep`. Ratios are of processor time, which other work on the machine changes less.
//!
//! `DUMPLAKE_BENCH_PAGES` sets the size of memory in pages (default 1,048,576: 4 GiB). `DUMPLAKE_BENCH_SPARSE=1` leaves
//! the pages empty and only converts, so that 16,777,216 of them (64 GiB) need no disk. `DUMPLAKE_BENCH_DUMP` names an
//! image that is there already; `DUMPLAKE_BENCH_KEEP=1` leaves the image where it is and does nothing else, for profilers
//! and for comparisons of builds. Sweeps run in processes of their own, so that memory and processor time are their own.

mod support;

use fixtures::{Format, LargeSize, Machine, PAGE, Space, isf, mix, scenario::large};
use rayon::prelude::*;
use scan::nt;
use schema::TableSpec;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};
use support::{Counter, Watch, processor_time, scratch, volatility};

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
/// Stands for a plain read of the map, where tables stand else.
const READ: &str = "read";
/// Runs of each sweep; the middle one counts.
const RUNS: usize = 3;

fn main() {
    if let Some(path) = std::env::var_os("DUMPLAKE_BENCH_SWEEP") {
        return sweep(Path::new(&path), &std::env::var("DUMPLAKE_BENCH_TABLES").unwrap());
    }
    let pages =
        std::env::var("DUMPLAKE_BENCH_PAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(0x10_0000);
    let folder = scratch("sweep");
    let path = match std::env::var_os("DUMPLAKE_BENCH_DUMP") {
        Some(path) => path.into(),
        None => image(&folder, pages),
    };
    if std::env::var_os("DUMPLAKE_BENCH_KEEP").is_some() {
        return println!("{}", path.display());
    }
    let size = path.metadata().unwrap().len();
    if std::env::var_os("DUMPLAKE_BENCH_SPARSE").is_some() {
        conversion(&path, &folder, size, None);
        return std::fs::remove_dir_all(&folder).unwrap();
    }
    let read = child(&path, READ, size, None);
    let names: Vec<&str> =
        SWEPT.iter().copied().filter(|name| schema::all().iter().any(|s| s.name == *name)).collect();
    for name in [""].iter().chain(&names) {
        child(&path, name, size, Some(read));
    }
    let every = child(&path, &names.join(","), size, Some(read));
    let whole = conversion(&path, &folder, size, Some(read));
    let symbols = folder.join("symbols");
    if symbols.exists() {
        peers(&path, &symbols, every, whole);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn image(folder: &Path, pages: u64) -> PathBuf {
    let mut machine = large::server(pages);
    map_middle(&mut machine, pages);
    let path = machine.dump(Format::Full).write_to(folder).unwrap();
    if std::env::var_os("DUMPLAKE_BENCH_SPARSE").is_none() {
        mix::fill(&path, 2 * PAGE, &machine.facts).unwrap();
        // Or what is measured waits for these bytes on their way to the disk.
        std::fs::File::open(&path).unwrap().sync_all().unwrap();
    }
    let file = folder.join("symbols/windows").join(isf::file_name(&machine.facts));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, isf::json(&machine.facts)).unwrap();
    path
}

/// Nonpaged pool in large pages over the middle half of memory.
fn map_middle(machine: &mut Machine, pages: u64) {
    for number in pages / 4 / 512..pages * 3 / 4 / 512 {
        let va = 0xffff_b000_0000_0000 + number * 0x20_0000;
        machine.map_large(Space::Kernel, va, number * 0x20_0000, LargeSize::M2);
    }
}

/// Maps the file and touches every word.
fn parallel_read(path: &Path) -> u64 {
    let map = memory::Map::open(path).unwrap();
    let sum = |sum: u64, word: &[u8; 8]| sum.wrapping_add(u64::from_le_bytes(*word));
    map.bytes()
        .par_chunks(4 << 20)
        .map(|chunk| chunk.as_chunks::<8>().0.iter().fold(0, sum))
        .reduce(|| 0, u64::wrapping_add)
}

/// Seconds by the clock, and seconds of all processors together, which other work on the machine does not change.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Times {
    clock: f64,
    used: f64,
}

/// Runs the sweeps of these tables in a process of their own, and prints the line of the middle run.
fn child(path: &Path, tables: &str, size: u64, read: Option<Times>) -> Times {
    let run = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let command = command.env("DUMPLAKE_BENCH_SWEEP", path).env("DUMPLAKE_BENCH_TABLES", tables);
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let mut words = text.splitn(3, ' ');
        let mut number = || words.next().unwrap().parse().unwrap();
        (Times { clock: number(), used: number() }, words.next().unwrap_or_default().trim_end().to_string())
    };
    let mut runs: Vec<(Times, String)> = (0..RUNS).map(|_| run()).collect();
    runs.sort_by(|a, b| a.0.used.total_cmp(&b.0.used));
    let (times, rest) = runs.swap_remove(RUNS / 2);
    let name = match tables {
        "" => "opening the dump",
        READ => "plain read of the map",
        tables if tables.contains(',') => "every sweep",
        table => table,
    };
    line(name, size, read.unwrap_or(times), times, &rest);
    times
}

fn line(name: &str, size: u64, read: Times, times: Times, rest: &str) {
    println!(
        "{name:<22} {:>7.2} s, {:>6.2} s of processors, {:>5.2} GB/s of one, {:>5.1} % of the read's speed; {rest}",
        times.clock,
        times.used,
        size as f64 / 1e9 / times.used.max(0.01),
        100.0 * read.used / times.used.max(0.01),
    );
}

/// Opens the dump and runs the sweeps of these tables; the time includes opening and the reverse map.
fn sweep(path: &Path, names: &str) {
    let (start, before, watch) = (Instant::now(), processor_time()[0], Watch::of(std::process::id()));
    let rows = match names {
        READ => format!("sum {:x}", parallel_read(path)),
        names => rows_of(path, names),
    };
    let (clock, used) =
        (start.elapsed().as_secs_f64(), processor_time()[0].saturating_sub(before).as_secs_f64());
    println!("{clock} {used} {} MiB of its own; {rows}", watch.peak());
}

fn rows_of(path: &Path, names: &str) -> String {
    let wanted = |spec: &&TableSpec| names.split(',').any(|name| name == spec.name);
    let tables: Vec<&'static TableSpec> = schema::all().iter().copied().filter(wanted).collect();
    let dump = memory::open(path, None).unwrap();
    let library = symbols::Library::built_in();
    let system = nt::System::open(&dump, &library).unwrap();
    let job = scan::Job::bare(&dump, Some(&system), &tables);
    let counter = Counter::default();
    scan::run(&job, &counter).unwrap();
    let rows = counter.0.into_inner().unwrap();
    rows.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

/// `dumplake convert` with everything that it does by default.
fn conversion(path: &Path, folder: &Path, size: u64, read: Option<Times>) -> Times {
    let lake = folder.join("lake");
    let (start, before) = (Instant::now(), processor_time()[1]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_dumplake"));
    let command = command.arg("convert").arg(path).arg("-o").arg(&lake).stdout(Stdio::null());
    let mut running = command.stderr(Stdio::null()).spawn().unwrap();
    let watch = Watch::of(running.id());
    assert!(running.wait().unwrap().success());
    let (clock, own) = (start.elapsed().as_secs_f64(), watch.peak());
    let times = Times { clock, used: processor_time()[1].saturating_sub(before).as_secs_f64() };
    line("whole conversion", size, read.unwrap_or(times), times, &format!("{own} MiB of its own"));
    for (table, rows, bytes) in support::tables_of(&lake) {
        if rows >= 10_000 {
            let each = bytes as f64 / rows as f64;
            println!(
                "    {table:<18} {rows:>9} rows  {:>7.1} MiB  {each:>5.1} MB a million rows",
                bytes as f64 / 1048576.0
            );
        }
    }
    times
}

/// What volatility3 needs for the same questions.
fn peers(path: &Path, symbols: &Path, every: Times, whole: Times) {
    let plugins = [
        "windows.poolscanner.PoolScanner",
        "windows.psscan.PsScan",
        "windows.thrdscan.ThrdScan",
        "windows.bigpools.BigPools",
    ];
    let theirs: f64 =
        plugins.iter().filter_map(|plugin| volatility(path, symbols, plugin)).map(|[_, used]| used).sum();
    if theirs > 0.0 {
        let (every, whole) = (theirs / every.used, theirs / whole.used);
        println!(
            "volatility3 in sum     {theirs:>8.2} s of processors: {every:.0} times every sweep, {whole:.1} times the whole conversion"
        );
    }
}
