//! The build script's cache: what it takes, what it refuses, and builds that run at the same time.

#![allow(dead_code)]

#[path = "../build/cache.rs"]
mod cache;
#[path = "../build/platform.rs"]
mod platform;

use std::fs;
use std::path::{Path, PathBuf};

use platform::Platform;

/// `sha256sum` of the six bytes `right\n`.
const RIGHT: &str = "55c97802b397ef4da0d8e2ecf4a8fa33c1f4755da0eacec54c62cacbbcfd9713";

const PINNED: Platform = Platform {
    key: "test-pinned",
    library: "lib.so",
    import_library: None,
    npm: true,
    github_archive: "",
    sha256: &[RIGHT],
};

const UNPINNED: Platform =
    Platform { key: "test-unpinned", import_library: Some("lib.lib"), sha256: &[], ..PINNED };

/// A cache folder of its own for each test.
struct Cache(PathBuf);

impl Cache {
    fn new(test: &str) -> Self {
        Self(std::env::temp_dir().join(format!("dumplake-cache-{test}-{}", std::process::id())))
    }

    fn dir(&self) -> PathBuf {
        self.0.join("duckdb")
    }

    /// What lies in the cache beside the finished folder.
    fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| *path != self.dir()).collect()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(name: &'static str, text: &'static str) -> impl Fn(&Path) -> Result<(), String> {
    move |folder| fs::write(folder.join(name), text).map_err(|e| e.to_string())
}

#[test]
fn the_right_file_is_taken_and_found_again() {
    let cache = Cache::new("right");
    assert!(cache::verify(&cache.dir(), &PINNED).is_err());
    let found = cache::install(&cache.dir(), &PINNED, write("lib.so", "right\n")).unwrap();
    assert!(found.pinned && found.sha256 == RIGHT);
    assert!(cache::verify(&cache.dir(), &PINNED).is_ok());
    assert!(cache.leftovers().is_empty());
}

#[test]
fn a_wrong_file_is_refused_and_leaves_nothing() {
    let cache = Cache::new("wrong");
    let error = cache::install(&cache.dir(), &PINNED, write("lib.so", "wrong\n")).unwrap_err();
    assert!(error.contains("wrong SHA-256"), "{error}");
    assert!(!cache.dir().exists() && cache.leftovers().is_empty());
    let error = cache::install(&cache.dir(), &PINNED, write("other.so", "right\n")).unwrap_err();
    assert!(error.contains("lib.so"), "{error}");
    let error = cache::install(&cache.dir(), &PINNED, |_| Err("no network".to_owned())).unwrap_err();
    assert_eq!(error, "no network");
    assert!(!cache.dir().exists() && cache.leftovers().is_empty());
}

#[test]
fn a_file_that_was_changed_in_the_cache_is_replaced() {
    let cache = Cache::new("changed");
    cache::install(&cache.dir(), &PINNED, write("lib.so", "right\n")).unwrap();
    fs::write(cache.dir().join("lib.so"), "changed\n").unwrap();
    assert!(cache::verify(&cache.dir(), &PINNED).is_err());
    cache::install(&cache.dir(), &PINNED, write("lib.so", "right\n")).unwrap();
    assert!(cache::verify(&cache.dir(), &PINNED).is_ok());
    assert!(cache.leftovers().is_empty());
}

#[test]
fn without_a_pinned_sum_the_first_one_counts() {
    let cache = Cache::new("unpinned");
    let both = |folder: &Path| write("lib.so", "any\n")(folder).and_then(|()| write("lib.lib", "x")(folder));
    assert!(
        cache::install(&cache.dir(), &UNPINNED, write("lib.so", "any\n")).is_err(),
        "the import library is missing"
    );
    let first = cache::install(&cache.dir(), &UNPINNED, both).unwrap();
    assert!(!first.pinned);
    assert_eq!(cache::verify(&cache.dir(), &UNPINNED).unwrap().sha256, first.sha256);
    fs::write(cache.dir().join("lib.so"), "changed\n").unwrap();
    assert!(cache::verify(&cache.dir(), &UNPINNED).is_err());
}

#[test]
fn builds_at_the_same_time_agree() {
    let cache = Cache::new("race");
    let slow = |folder: &Path| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        write("lib.so", "right\n")(folder)
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| cache::install(&cache.dir(), &PINNED, slow).unwrap());
        }
    });
    assert!(cache::verify(&cache.dir(), &PINNED).is_ok());
    assert!(cache.leftovers().is_empty());
}

#[test]
fn targets_have_the_platform_that_their_name_says() {
    let key = |os, arch, abi| platform::find(os, arch, abi).map(|platform| platform.key);
    assert_eq!(key("linux", "x86_64", "gnu"), Some("linux-x64"));
    assert_eq!(key("linux", "x86_64", "musl"), None);
    assert_eq!(key("macos", "aarch64", ""), Some("darwin-arm64"));
    assert_eq!(key("windows", "x86_64", "msvc"), Some("win32-x64"));
    assert_eq!(key("windows", "x86_64", "gnu"), None);
    assert_eq!(key("freebsd", "x86_64", ""), None);
}
