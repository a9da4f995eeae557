//! Every walk over a large server: 300 processes, 4,000 threads, 150,000 handles. `cargo bench --bench walks`.
//!
//! `DUMPLAKE_BENCH_PAGES` sets the size of memory in pages (default 262,144: 1 GiB). Beside it, in the same run:
//! reading the whole file once, and volatility3's `handles` and `threads` over the same dump, if the tests have made
//! its environment.

use arrow::array::RecordBatch;
use fixtures::{Format, isf, scenario::large};
use scan::nt;
use schema::{Sink, TableSpec};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Instant,
};

/// Counts rows.
#[derive(Default)]
struct Counter(Mutex<BTreeMap<&'static str, usize>>);

impl Sink for Counter {
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> schema::Result<()> {
        *self.0.lock().unwrap().entry(table.name).or_default() += batch.num_rows();
        Ok(())
    }
}

fn main() {
    let pages =
        std::env::var("DUMPLAKE_BENCH_PAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(0x4_0000);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-walks");
    std::fs::create_dir_all(&folder).unwrap();
    let machine = large::server(pages);
    let path = machine.dump(Format::Full).write_to(&folder).unwrap();
    let symbols = folder.join("symbols");
    let file = symbols.join("windows").join(isf::file_name(&machine.facts));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, isf::json(&machine.facts)).unwrap();
    drop(machine);
    let start = Instant::now();
    let bytes = std::fs::read(&path).unwrap().len();
    println!("plain read          {:>8.3} s  {:.1} GB", start.elapsed().as_secs_f64(), bytes as f64 / 1e9);
    let walks = (0..3).map(|_| walks(&path)).fold(f64::MAX, f64::min);
    for plugin in ["windows.handles.Handles", "windows.threads.Threads"] {
        volatility(&path, &symbols, plugin, walks);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn walks(path: &Path) -> f64 {
    let start = Instant::now();
    let dump = memory::open(path, None).unwrap();
    let library = symbols::Library::built_in();
    let system = nt::System::open(&dump, &library).unwrap();
    let job = scan::Job {
        dump: &dump,
        system: Some(&system),
        content_hash: "",
        tool_version: "",
        options: "",
        tables: schema::all(),
    };
    let counter = Counter::default();
    scan::run(&job, &counter).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let rows = counter.0.into_inner().unwrap();
    let shown: Vec<String> =
        rows.iter().filter(|(_, n)| **n > 100).map(|(name, n)| format!("{n} {name}")).collect();
    println!("every walk          {seconds:>8.3} s  {}", shown.join(", "));
    seconds
}

fn volatility(dump: &Path, symbols: &Path, plugin: &str, walks: f64) {
    let Some(python) = python() else { return println!("no volatility3 to compare with") };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/vol3_rows.py");
    let start = Instant::now();
    let output = Command::new(python).arg(script).arg(dump).arg(symbols).arg(plugin).output().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let rows = output.stdout.windows(6).filter(|window| window == b"_depth").count();
    println!("{plugin:<24} {seconds:>8.3} s  {rows} rows, {:.0} times every walk of ours", seconds / walks);
}

/// The environment that the tests make.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries.map(|entry| entry.path().join("bin/python")).find(|path| path.exists())
}
