//! Every walk over a large server: 300 processes, 4,000 threads, 150,000 handles, 30,000 VADs.
//! `cargo bench --bench walks`.
//!
//! `DUMPLAKE_BENCH_PAGES` sets the size of memory in pages (default 1,048,576: 4 GiB). Beside it, in the same run:
//! reading the whole file once, and volatility3's `handles`, `threads`, `vadinfo` over the same dump, if the tests have
//! made its environment; it takes minutes. The walks run in a process of their own, so that its peak memory is theirs.

mod support;

use fixtures::{Format, isf, scenario::large};
use scan::nt;
use std::{io::Read, path::Path, process::Command, time::Instant};
use support::{Counter, status, volatility};

fn main() {
    if let Some(path) = std::env::var_os("DUMPLAKE_BENCH_WALK") {
        return walks(Path::new(&path));
    }
    let pages =
        std::env::var("DUMPLAKE_BENCH_PAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(0x10_0000);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-walks");
    std::fs::create_dir_all(&folder).unwrap();
    let machine = large::server(pages);
    let path = machine.dump(Format::Full).write_to(&folder).unwrap();
    let symbols = folder.join("symbols");
    let file = symbols.join("windows").join(isf::file_name(&machine.facts));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, isf::json(&machine.facts)).unwrap();
    drop(machine);
    let bytes = read_once(&path);
    let start = Instant::now();
    read_once(&path);
    println!("plain read, warm    {:>8.3} s  {:.1} GB", start.elapsed().as_secs_f64(), bytes as f64 / 1e9);
    let walks = (0..3).map(|_| child(&path)).fold(f64::MAX, f64::min);
    let plugins = ["windows.handles.Handles", "windows.threads.Threads", "windows.vadinfo.VadInfo"];
    let theirs: f64 =
        plugins.iter().filter_map(|plugin| volatility(&path, &symbols, plugin)).map(|[clock, _]| clock).sum();
    println!("volatility3 in sum  {theirs:>8.1} s  {:.0} times every walk of ours", theirs / walks);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Reads a file through a small buffer and returns its length.
fn read_once(path: &Path) -> u64 {
    let mut file = std::fs::File::open(path).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return total,
            count => total += count as u64,
        }
    }
}

/// Runs the walks in a process of their own, passes its line on, and returns its seconds.
fn child(path: &Path) -> f64 {
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own).env("DUMPLAKE_BENCH_WALK", path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    print!("{text}");
    text.split_whitespace().nth(2).and_then(|word| word.parse().ok()).expect("the seconds of the walks")
}

fn walks(path: &Path) {
    let start = Instant::now();
    let dump = memory::open(path, None).unwrap();
    let library = symbols::Library::built_in();
    let system = nt::System::open(&dump, &library).unwrap();
    let job = scan::Job::bare(&dump, Some(&system), schema::all());
    let counter = Counter::default();
    scan::run(&job, &counter).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let rows = counter.0.into_inner().unwrap();
    let shown: Vec<String> =
        rows.iter().filter(|(_, n)| **n > 100).map(|(name, n)| format!("{n} {name}")).collect();
    let [peak, own] = ["VmHWM", "RssAnon"].map(status);
    let shown = shown.join(", ");
    println!(
        "every walk          {seconds:>8.3} s  peak {peak} MiB with the map, {own} MiB of its own; {shown}"
    );
}
