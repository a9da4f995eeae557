//! For tests: a folder that goes away, what was opened there, and the two ways in which every reader is ill-treated.

use super::Memory;
use crate::{Dump, runs::PhysRun};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder of its own for one test.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("dumplake-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    /// Writes a file of this name.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a file that ends with a hole, so that it is `size` bytes long.
    pub fn sparse(&self, name: &str, bytes: &[u8], size: u64) -> PathBuf {
        let path = self.file(name, bytes);
        std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Opens what would be a file.
pub(super) fn open(bytes: &[u8]) -> Dump {
    crate::open(&Scratch::new().file("memory.dmp", bytes), None).unwrap()
}

/// First frame, number of frames and file offset of each run of physical memory.
pub(super) fn runs(dump: &Dump) -> Vec<(u64, u64, u64)> {
    let Memory::Physical(runs) = &dump.memory else { panic!("not physical") };
    runs.as_slice().iter().map(|PhysRun { first, count, offset }| (first.0, *count, *offset)).collect()
}

/// Field, what was expected and what was found of each fault.
pub(super) fn faults(dump: &Dump) -> Vec<(&str, &str, &str)> {
    dump.records.faults.iter().map(|p| (&*p.field, &*p.expected, &*p.found)).collect()
}

/// Gives `open` the file cut at every length, and 2,000 copies with some bytes changed. `open` must
/// come back; what it says is its own business.
pub(super) fn ill_treat(name: &str, bytes: &[u8], open: impl Fn(&Path)) {
    let scratch = Scratch::new();
    damaged(bytes, |bytes| open(&scratch.file(name, bytes)));
}

/// As [`ill_treat`], for what reads bytes and needs no file: quick enough for long headers.
pub(super) fn damaged(bytes: &[u8], read: impl Fn(&[u8])) {
    for len in 0..bytes.len() {
        read(&bytes[..len]);
    }
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for _ in 0..2_000 {
        let mut copy = bytes.to_vec();
        for _ in 0..1 + random(4) {
            let at = random(copy.len() as u64) as usize;
            copy[at] = [0, 0xff, 0x7f, 0x80, random(256) as u8][random(5) as usize];
        }
        read(&copy);
    }
}
