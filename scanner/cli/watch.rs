//! `dumplake convert --watch`: what comes into the folders is converted once nobody writes it any more, until Ctrl-C.

use crate::{
    Result,
    bulk::{INTERRUPTED, Stamp},
    convert::{Batch, Input, refresh_views},
    inputs, unpack,
};
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

/// Between two looks. A file that did not change from one to the next is whole; one that was only paused fails or is
/// converted as it is, and once more when it has changed.
const LOOK: Duration = Duration::from_secs(2);

/// Converts until Ctrl-C.
///
/// Errors: no worker can be started, or the views cannot be written.
pub fn run(batch: &mut Batch) -> Result<()> {
    let (mut last, mut done) = (HashMap::new(), HashMap::new());
    let mut refused = HashSet::new();
    while !INTERRUPTED.load(Ordering::Relaxed) {
        let args = batch.args;
        let mut inputs = inputs::collect(args);
        inputs.failed.retain(|(path, _)| refused.insert(path.clone()));
        batch.refuse(&inputs.failed);
        let paths = inputs.dumps.iter().chain(inputs.archives.keys());
        let now: HashMap<PathBuf, Stamp> =
            paths.filter_map(|path| Some((path.clone(), Stamp::of(path).ok()?))).collect();
        let is_new = |path: &PathBuf| {
            let stamp = now.get(path);
            stamp.is_some() && stamp == last.get(path) && stamp != done.get(path)
        };
        let dumps: Vec<PathBuf> = inputs.dumps.into_iter().filter(is_new).collect();
        let archives: Vec<(PathBuf, bool)> =
            inputs.archives.into_iter().filter(|(path, _)| is_new(path)).collect();
        if !dumps.is_empty() || !archives.is_empty() {
            let new: Vec<PathBuf> =
                dumps.iter().chain(archives.iter().map(|(path, _)| path)).cloned().collect();
            batch.convert(dumps.into_iter().map(|path| Input { path, origin: None }).collect())?;
            unpack::convert(batch, archives)?;
            refresh_views(&args.output)?;
            done.extend(new.into_iter().filter_map(|path| now.get(&path).map(|stamp| (path, *stamp))));
        }
        last = now;
        wait();
    }
    Ok(())
}

/// Until it is time to look again, or Ctrl-C.
fn wait() {
    let start = Instant::now();
    while start.elapsed() < LOOK && !INTERRUPTED.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
    }
}
