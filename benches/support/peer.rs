//! volatility3 over the same dump, in the environment that the tests make.

use super::processor_time;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// Runs a plugin, prints its seconds and rows, and returns its seconds by the clock and of processors; `None` without
/// volatility3.
pub fn volatility(dump: &Path, symbols: &Path, plugin: &str) -> Option<[f64; 2]> {
    let Some(python) = python() else {
        println!("no volatility3 to compare with");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/vol3_rows.py");
    let (start, before) = (Instant::now(), processor_time()[1]);
    let output = Command::new(python).arg(script).arg(dump).arg(symbols).arg(plugin).output().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let used = processor_time()[1].saturating_sub(before).as_secs_f64();
    // The script ends well when a plugin does not, and prints its error in the place of rows.
    let failed = output.stdout.windows(9).any(|window| window == b"\"error\": ");
    if failed || !output.status.success() {
        let text = if failed { &output.stdout } else { &output.stderr };
        let text = String::from_utf8_lossy(text).into_owned();
        let last = text.lines().last().unwrap_or_default();
        println!("{plugin:<32} failed: {}", last.chars().take(160).collect::<String>());
        return None;
    }
    let rows = output.stdout.windows(6).filter(|window| window == b"_depth").count();
    println!("{plugin:<32} {seconds:>8.2} s, {used:>8.2} s of processors, {rows} rows");
    Some([seconds, used])
}

/// Its Python.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let works = |python: &PathBuf| {
        Command::new(python)
            .args(["-c", "import volatility3"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    entries.map(|entry| entry.path().join("bin/python")).filter(|path| path.exists()).find(works)
}
