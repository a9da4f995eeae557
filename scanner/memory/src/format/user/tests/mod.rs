//! Tests of user minidumps: small ones built by hand at documented offsets, real ones against what
//! their publishers say of them, and lists against the `minidump` crate.

mod debuggers;
mod helpers;
mod malformed;
mod oracle;
mod published;
mod streams;
mod system;

use crate::{records::Records, runs::VirtRuns};
use helpers::{base_name, hex, pair, register};
use std::path::{Path, PathBuf};

/// Opens a minidump that is in memory.
fn read(file: &[u8]) -> (VirtRuns, Records) {
    super::read(file).unwrap_or_else(|error| panic!("{error}"))
}

/// A minidump under construction: 16 directory entries, then whatever is added.
struct Dump {
    bytes: Vec<u8>,
    streams: Vec<(u32, u32, u32)>,
}

const SLOTS: usize = 16;

impl Dump {
    fn new() -> Dump {
        Dump { bytes: vec![0; 0x20 + SLOTS * 12], streams: Vec::new() }
    }

    /// Appends bytes that a stream refers to; gives their RVA.
    fn data(&mut self, bytes: &[u8]) -> u32 {
        let rva = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        rva
    }

    /// Appends a `MINIDUMP_STRING`.
    fn string(&mut self, text: &str) -> u32 {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let rva = self.data(&(units.len() as u32).to_le_bytes());
        self.data(&units);
        self.data(&[0, 0]);
        rva
    }

    fn stream(&mut self, kind: u32, bytes: &[u8]) -> &mut Dump {
        let rva = self.data(bytes);
        self.streams.push((kind, bytes.len() as u32, rva));
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let header = words(&[0x504d_444d, 0x1234_a793, SLOTS as u32, 0x20, 0, 0x5ff0_0000, 2, 0]);
        self.bytes[..0x20].copy_from_slice(&header);
        for (index, (kind, size, rva)) in self.streams.into_iter().enumerate() {
            self.bytes[0x20 + index * 12..][..12].copy_from_slice(&words(&[kind, size, rva]));
        }
        self.bytes
    }
}

/// Little-endian 32-bit words.
fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Writes `value` at `at`.
fn put(bytes: &mut [u8], at: usize, value: u64, len: usize) {
    bytes[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
}

/// `MINIDUMP_SYSTEM_INFO` of an architecture and a platform.
fn system_info(architecture: u16, platform: u32, csd: u32) -> Vec<u8> {
    let mut info = vec![0; 56];
    put(&mut info, 0, architecture.into(), 2);
    put(&mut info, 6, 4, 1);
    put(&mut info, 7, 3, 1);
    for (at, value) in [(8, 10), (12, 0), (16, 19041), (20, platform), (24, csd)] {
        put(&mut info, at, value.into(), 4);
    }
    put(&mut info, 28, 0x110, 2);
    info
}

/// An x64 `CONTEXT` with control and integer registers.
fn x64_context(rip: u64, rsp: u64) -> Vec<u8> {
    let mut context = vec![0; 0x4d0];
    put(&mut context, 0x30, 0x10_0003, 4);
    put(&mut context, 0x98, rsp, 8);
    put(&mut context, 0xf8, rip, 8);
    context
}

/// `MINIDUMP_THREAD`.
fn thread(id: u32, stack: (u64, u32, u32), context: (u32, u32)) -> Vec<u8> {
    let mut entry = words(&[id, 1, 0x20, -2i32 as u32]);
    entry.extend_from_slice(&(0x7ff0_0000u64 + u64::from(id)).to_le_bytes());
    entry.extend_from_slice(&stack.0.to_le_bytes());
    entry.extend_from_slice(&words(&[stack.1, stack.2, context.0, context.1]));
    entry
}

/// The real dumps beside the repository; `None`, said aloud, where there are none.
fn dumps() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/dumps");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no dumps in {}", folder.display());
    None
}

/// Every valid user minidump among the real dumps, by folder and file name.
fn real() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = dumps() else { return Vec::new() };
    let mut found = Vec::new();
    for folder in std::fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let files = std::fs::read_dir(folder.path()).unwrap().flatten();
        for file in files.filter(|file| file.path().is_file()) {
            let bytes = std::fs::read(file.path()).unwrap();
            let name = format!("{}/{}", folder.file_name().display(), file.file_name().display());
            if bytes.starts_with(b"MDMP") && !name.starts_with("malformed/") {
                found.push((name, bytes));
            }
        }
    }
    found.sort();
    assert!(found.len() >= 20, "only {} user minidumps", found.len());
    found
}
