//! What a process used: memory of its own, processor time, and bytes in a lake.

use parquet::file::reader::{FileReader, SerializedFileReader};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Looks every few milliseconds how much memory, the pages of mapped files left out, a process and all below it have.
pub struct Watch {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Watch {
    /// From now on.
    pub fn of(process: u32) -> Watch {
        let (most, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watch = Watch { most: most.clone(), over: over.clone() };
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(own(process), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        watch
    }

    /// The most so far, in MiB.
    pub fn peak(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// `RssAnon` of a process and of all below it, in MiB.
fn own(process: u32) -> u64 {
    let parents = if process == std::process::id() { BTreeMap::new() } else { parents() };
    let is_below = |&other: &u32| {
        let above = |at: &u32| parents.get(at).copied().filter(|above| *above > 1);
        std::iter::successors(Some(other), above).take(8).any(|above| above == process)
    };
    let below = parents.keys().copied().filter(|other| *other != process).filter(is_below);
    below.chain([process]).map(|process| field(&format!("/proc/{process}/status"), "RssAnon")).sum::<u64>()
        / 1024
}

/// The parent of every process.
fn parents() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |process: u32| Some((process, field(&format!("/proc/{process}/status"), "PPid") as u32));
    processes.filter_map(parent).collect()
}

/// A number of a status file of proc(5); 0 where it is not.
fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// A number of this process's status, in MiB: `VmHWM` is the most memory at any time.
pub fn status(name: &str) -> u64 {
    field("/proc/self/status", name) / 1024
}

/// Processor time of this process, and of all children that it waited for; 0 where the system does not say.
pub fn processor_time() -> [Duration; 2] {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 to 17 of proc(5), in hundredths of a second on every Linux that we know. The name has no spaces.
    let fields: Vec<u64> = stat.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let sum = |at: usize| fields.get(at..at + 2).map_or(0, |both| both.iter().sum::<u64>() * 10);
    [13, 15].map(|at| Duration::from_millis(sum(at)))
}

/// Rows and bytes of each table of a lake with one dump.
pub fn tables_of(lake: &Path) -> Vec<(String, u64, u64)> {
    let mut tables = Vec::new();
    for entry in fs::read_dir(lake).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let dumps = fs::read_dir(entry.path()).unwrap().flatten();
        for file in dumps.flat_map(|dump| fs::read_dir(dump.path()).into_iter().flatten().flatten()) {
            let bytes = file.metadata().unwrap().len();
            let Ok(reader) = SerializedFileReader::new(fs::File::open(file.path()).unwrap()) else {
                continue;
            };
            let rows = reader.metadata().file_metadata().num_rows() as u64;
            tables.push((entry.file_name().to_string_lossy().into_owned(), rows, bytes));
        }
    }
    tables.sort();
    tables
}
