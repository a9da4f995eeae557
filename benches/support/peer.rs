//! volatility3 over the same dump, in the environment that the tests make.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// Runs a plugin, prints its seconds and rows, and returns the seconds; `None` without volatility3.
pub fn volatility(dump: &Path, symbols: &Path, plugin: &str) -> Option<f64> {
    let Some(python) = python() else {
        println!("no volatility3 to compare with");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/vol3_rows.py");
    let start = Instant::now();
    let output = Command::new(python).arg(script).arg(dump).arg(symbols).arg(plugin).output().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let rows = output.stdout.windows(6).filter(|window| window == b"_depth").count();
    println!("{plugin:<32} {seconds:>8.3} s  {rows} rows");
    Some(seconds)
}

/// Its Python.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries.map(|entry| entry.path().join("bin/python")).find(|path| path.exists())
}
