//! The stacks of all threads of the large server: 4,001 kernel stacks that were made by executing calls.
//! `cargo bench --bench stacks`.
//!
//! `DUMPLAKE_BENCH_PAGES` sets the size of memory in pages (default 1,048,576: 4 GiB); stacks take the same few of them.
//! Every run opens the dump anew, as nothing is to be left of the one before. Rows are checked: each walk ends where its
//! thread starts, and no frame was looked for.

mod support;

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::DataType,
};
use fixtures::{Format, scenario::large};
use scan::nt;
use schema::{Sink, TableSpec};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Columns whose values are counted.
const COUNTED: [(&str, &str); 4] =
    [("frames", "method"), ("frames", "confidence"), ("stacks", "end_reason"), ("stacks", "truncated")];

/// Counts the rows of tables, and the values of some columns.
#[derive(Default)]
struct Values(Mutex<BTreeMap<String, usize>>);

impl Sink for Values {
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> schema::Result<()> {
        let mut counts = self.0.lock().unwrap();
        *counts.entry(table.name.into()).or_default() += batch.num_rows();
        for (_, column) in COUNTED.iter().filter(|(counted, _)| *counted == table.name) {
            let values = batch.column_by_name(column).expect("a column of that name");
            let text = arrow::compute::cast(values, &DataType::Utf8).unwrap();
            for value in text.as_string::<i32>().iter() {
                let key = format!("{}.{column} {}", table.name, value.unwrap_or("NULL"));
                *counts.entry(key).or_default() += 1;
            }
        }
        Ok(())
    }
}

fn main() {
    let pages =
        std::env::var("DUMPLAKE_BENCH_PAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(0x10_0000);
    let folder = support::scratch("stacks");
    let path = large::server(pages).dump(Format::Full).write_to(&folder).unwrap();
    let threads: usize = std::env::args().filter_map(|text| text.parse().ok()).next().unwrap_or(0);
    if threads > 0 {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().unwrap();
    }
    let mut runs: Vec<(Duration, BTreeMap<String, usize>)> = (0..6).map(|_| run(&path)).collect();
    let counts = runs[0].1.clone();
    assert!(runs.iter().all(|run| run.1 == counts));
    let first = runs.remove(0).0;
    runs.sort();
    let (median, frames) = (runs[runs.len() / 2].0, counts["frames"]);
    println!(
        "stacks and frames   {:>8.3} s  ({:.3} s the first time)  {:.0} frames/s",
        median.as_secs_f64(),
        first.as_secs_f64(),
        frames as f64 / median.as_secs_f64()
    );
    for (what, count) in &counts {
        println!("  {count:>7} {what}");
    }
    assert_eq!(counts["stacks"], large::THREADS as usize + 1);
    assert_eq!(counts["stacks.end_reason thread start"], counts["stacks"]);
    assert_eq!(counts["stacks.truncated false"], counts["stacks"]);
    assert!(!counts.contains_key("frames.method scan"));
}

/// Time of the two tables of a dump that was opened for it, and what they held.
fn run(path: &Path) -> (Duration, BTreeMap<String, usize>) {
    let dump = memory::open(path, None).unwrap();
    let library = symbols::Library::built_in();
    let system = nt::System::open(&dump, &library).unwrap();
    let tables: Vec<_> =
        schema::all().iter().copied().filter(|table| ["stacks", "frames"].contains(&table.name)).collect();
    let job = scan::Job::bare(&dump, Some(&system), &tables);
    let values = Values::default();
    let start = Instant::now();
    scan::run(&job, &values).unwrap();
    (start.elapsed(), values.0.into_inner().unwrap())
}
