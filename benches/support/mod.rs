//! What every bench needs: a scratch folder, medians, and the plain read that everything is compared with.

#![allow(dead_code, unused_imports)] // each bench uses its part

mod peer;
mod process;

pub use peer::volatility;
pub use process::{Watch, processor_time, status, tables_of};

use arrow::array::RecordBatch;
use schema::{Sink, TableSpec};
use std::{
    collections::BTreeMap,
    fs::File,
    hint::black_box,
    io::Read,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

/// Takes rows and counts them by table.
#[derive(Default)]
pub struct Counter(pub Mutex<BTreeMap<&'static str, usize>>);

impl Sink for Counter {
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> schema::Result<()> {
        *self.0.lock().unwrap().entry(table.name).or_default() += batch.num_rows();
        Ok(())
    }
}

/// A folder below the target folder, empty at first.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The median of `runs` runs, after one that does not count.
pub fn median<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    black_box(work());
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort();
    times[runs / 2]
}

/// Reads a file from end to end in pieces of 1 MiB and touches every word; returns their sum.
pub fn plain_read(path: &Path) -> u64 {
    let (mut file, mut buffer, mut sum) = (File::open(path).unwrap(), vec![0u8; 1 << 20], 0u64);
    loop {
        let len = file.read(&mut buffer).unwrap();
        if len == 0 {
            return sum;
        }
        let words = buffer[..len].as_chunks::<8>().0.iter();
        sum = words.fold(sum, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    }
}

/// Gigabytes a second.
pub fn gb_per_s(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e9 / time.as_secs_f64()
}

/// Millions a second.
pub fn millions_per_s(count: u64, time: Duration) -> f64 {
    count as f64 / 1e6 / time.as_secs_f64()
}

/// A small generator of numbers that repeat from run to run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
