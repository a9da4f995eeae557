//! How long the conversion of a dump may take, and how much memory all conversions together.
//!
//! Only memory of their own counts: the pages of a dump that is mapped are the system's to take back at any time. So a
//! limit that the system would keep for us (`RLIMIT_AS`) is of no use, and Linux is asked for `RssAnon` instead. Other
//! systems are not asked; there is no limit of memory there.

use std::{fs, time::Duration};

/// The limits of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// For one dump.
    pub time: Option<Duration>,
    /// Bytes, for all workers together.
    pub memory: Option<u64>,
}

impl Limits {
    /// The limits that were asked for; for memory half of the machine's, otherwise.
    pub fn new(seconds: Option<f64>, memory: Option<u64>) -> Limits {
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Limits { time, memory: memory.or_else(|| in_file("/proc/meminfo", "MemTotal:").map(|all| all / 2)) }
    }

    /// Why a conversion that has taken so long has to end, if it has to.
    pub fn too_long(&self, taken: Duration) -> Option<String> {
        let limit = self.time.filter(|limit| taken > *limit)?;
        Some(format!("not converted within {} s (--timeout)", limit.as_secs_f64()))
    }

    /// Why conversions that use so many bytes have to end, if they have to.
    pub fn too_much(&self, bytes: u64) -> Option<String> {
        let limit = self.memory.filter(|limit| bytes > *limit)?;
        Some(format!("its conversion needs more than {} MiB of memory (--memory)", limit >> 20))
    }

    /// Bytes of memory that a process has for itself; 0 where nobody says.
    pub fn memory_of(&self, process: u32) -> u64 {
        if self.memory.is_none() {
            return 0;
        }
        in_file(&format!("/proc/{process}/status"), "RssAnon:").unwrap_or(0)
    }
}

/// A number of bytes that a file of Linux states in KiB behind a name.
fn in_file(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_a_process_is_seen() {
        let limits = Limits::new(None, None);
        assert!(limits.memory.is_some_and(|half| half > 64 << 20), "{limits:?}");
        let before = limits.memory_of(std::process::id());
        let mine = vec![1u8; 64 << 20];
        let more = limits.memory_of(std::process::id()) - before;
        assert!(more > 60 << 20, "{more} more with {} bytes", std::hint::black_box(mine).len());
    }

    #[test]
    fn limits_are_limits() {
        let limits = Limits::new(Some(1.5), Some(3 << 20));
        assert_eq!((limits.too_long(Duration::from_secs(1)), limits.too_much(3 << 20)), (None, None));
        assert_eq!(
            limits.too_long(Duration::from_secs(2)).unwrap(),
            "not converted within 1.5 s (--timeout)"
        );
        assert!(limits.too_much((3 << 20) + 1).unwrap().contains("more than 3 MiB"));
    }
}
