//! Recognises a dump by its content. Each format is one file with one [`Format`] value; adding one
//! is one word in `FORMATS`.
//!
//! A format only says where pages are and what the file states by itself; after [`open`] nothing
//! knows the format any more.

mod bitmap;
mod blobs;
mod elf;
mod full;
mod header;
mod packed;
mod ranges;
mod raw;
mod refuse;
#[cfg(test)]
mod scratch;
mod secondary;
mod summary;
mod tally;
mod triage;
mod user;
mod vmware;

use crate::{
    error::{Error, ErrorKind, Result},
    image::Image,
    map::Map,
    records::{Problem, Records},
    runs::{PhysRun, PhysRuns, VirtRuns},
    space::Space,
};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// One dump format.
pub struct Format {
    /// The name stored in `dumps.format` and `memory_runs.source`.
    pub name: &'static str,
    /// One sentence for `dumplake info` and the manual.
    pub about: &'static str,
    /// True when the file is of this format. Looks at the content, bounded in time whatever the size.
    pub(crate) probe: fn(&Map) -> bool,
    /// Reads runs and records.
    pub(crate) open: fn(&Map) -> Result<Opened>,
}

/// The formats in the order in which they are tried: those with a magic number first.
pub fn formats() -> &'static [&'static Format] {
    &FORMATS
}

static FORMATS: [&Format; 11] = [
    &full::FORMAT,
    &summary::FORMAT,
    &triage::FORMAT,
    &bitmap::FORMAT,
    &ranges::FORMAT,
    &header::FORMAT, // any other dump type: its header is all that there is to read
    &user::FORMAT,
    &elf::FORMAT,
    &vmware::STATE,
    &vmware::MEMORY,
    &raw::FORMAT,
];

/// What a format makes of a file.
pub(crate) struct Opened {
    pub memory: Memory,
    pub records: Records,
    /// The other file of a pair. Runs point into it when `memory_in_companion`.
    pub companion: Option<Map>,
    pub memory_in_companion: bool,
}

impl Opened {
    /// An opened file without a companion.
    pub fn new(memory: Memory, records: Records) -> Opened {
        Opened { memory, records, companion: None, memory_in_companion: false }
    }
}

/// Where the bytes of memory are.
#[derive(Debug, Clone)]
pub enum Memory {
    /// Physical frames: full, bitmap, kernel dumps, raw images, guests of hypervisors.
    Physical(PhysRuns),
    /// Virtual blocks: triage dumps and user minidumps.
    Virtual(VirtRuns),
    /// The file holds no memory (header-only dump).
    None,
}

/// An open dump.
pub struct Dump {
    map: Map,
    companion: Option<Map>,
    memory_in_companion: bool,
    /// Its number among all that this program has opened.
    number: u64,
    /// The format that the content was recognised as.
    pub format: &'static Format,
    /// Where the bytes of memory are.
    pub memory: Memory,
    /// What the file states by itself.
    pub records: Records,
}

impl Dump {
    /// Path of the file that was opened.
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// The file's bytes.
    pub fn file(&self) -> &[u8] {
        self.map.bytes()
    }

    /// Path and bytes of the other file of a pair (`.vmss` beside `.vmem`).
    pub fn companion(&self) -> Option<(&Path, &[u8])> {
        self.companion.as_ref().map(|map| (map.path(), map.bytes()))
    }

    /// The bytes that the offsets of [`Memory`] point into.
    pub fn memory_file(&self) -> &[u8] {
        match &self.companion {
            Some(companion) if self.memory_in_companion => companion.bytes(),
            _ => self.map.bytes(),
        }
    }

    /// Physical memory, where the dump has it.
    pub fn image(&self) -> Option<Image<'_>> {
        match &self.memory {
            Memory::Physical(runs) => Some(Image::new(self.memory_file(), runs).of_dump(self.number)),
            Memory::Virtual(_) | Memory::None => None,
        }
    }

    /// The virtual blocks as an address space, where the dump has them.
    pub fn captured(&self) -> Option<Space<'_>> {
        match &self.memory {
            Memory::Virtual(runs) => Some(Space::captured(self.memory_file(), runs)),
            Memory::Physical(_) | Memory::None => None,
        }
    }

    /// Bytes of memory that the runs name and the file holds.
    pub fn bytes_present(&self) -> u64 {
        let size = self.memory_file().len() as u64;
        match &self.memory {
            Memory::Physical(runs) => runs.bytes_in(size),
            Memory::Virtual(runs) => runs.bytes_in(size),
            Memory::None => 0,
        }
    }

    /// Bytes that the file, being truncated, does not hold: memory that the runs name, or what its headers say that
    /// it has at least. `None` if nothing but what cannot be true says that something is missing.
    pub fn bytes_missing(&self) -> Option<u64> {
        let header = &self.records.header;
        let named = if header.memory_in_doubt { 0 } else { self.memory_missing() };
        let missing = named.max(header.least_file_size.saturating_sub(self.file().len() as u64));
        (missing > 0 || !header.extent_in_doubt && !header.memory_in_doubt).then_some(missing)
    }

    /// Bytes of memory that the runs name beyond the end of the file.
    pub fn memory_missing(&self) -> u64 {
        let named = match &self.memory {
            Memory::Physical(runs) => runs.frames().saturating_mul(crate::PAGE_SIZE),
            Memory::Virtual(runs) => runs.bytes(),
            Memory::None => 0,
        };
        named.saturating_sub(self.bytes_present())
    }
}

/// Opens a dump. `as_format` names the format instead of recognising it: the only way to open a raw
/// image in which nothing of Windows can be recognised.
pub fn open(path: &Path, as_format: Option<&str>) -> Result<Dump> {
    let map = Map::open(path)?;
    let format = match as_format {
        Some(name) => by_name(name)?,
        None => recognise(&map)?,
    };
    let Opened { memory, records, companion, memory_in_companion } = (format.open)(&map)?;
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let number = OPENED.fetch_add(1, Ordering::Relaxed);
    let mut dump = Dump { map, companion, memory_in_companion, number, format, memory, records };
    note_missing(&mut dump);
    doubt_runs(&mut dump);
    Ok(dump)
}

/// The format of a file, from its content; `None` when it is no dump that we know.
pub fn identify(path: &Path) -> Result<Option<&'static Format>> {
    let map = Map::open(path)?;
    Ok(formats().iter().copied().find(|format| (format.probe)(&map)))
}

/// For a file that only describes the memory in another one (a VMware state with its `.vmem` beside
/// it): that other file. Both paths open the same memory, so whoever converts a folder converts the
/// other file and skips this one.
pub fn companion_of(path: &Path) -> Option<PathBuf> {
    vmware::companion_of(path)
}

/// The other file whose content belongs to the dump at `path`: the state file beside a `.vmem`.
pub fn state_file_of(path: &Path) -> Option<PathBuf> {
    vmware::state_of(path)
}

fn by_name(name: &str) -> Result<&'static Format> {
    formats().iter().copied().find(|format| format.name == name).ok_or_else(|| {
        let names: Vec<&str> = formats().iter().map(|format| format.name).collect();
        Error::invalid("format", "", 0, format!("one of {}", names.join(", ")), format!("{name:?}"))
    })
}

fn recognise(map: &Map) -> Result<&'static Format> {
    if let Some(format) = formats().iter().copied().find(|format| (format.probe)(map)) {
        return Ok(format);
    }
    if let Some(error) = refuse::refusal(map) {
        return Err(error);
    }
    let head: Vec<String> = map.bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let found = match head.len() {
        0 => "an empty file".to_string(),
        _ => format!("{} bytes that start with {}", map.bytes().len(), head.join(" ")),
    };
    Err(Error {
        kind: ErrorKind::Unrecognised,
        structure: "file",
        field: "",
        offset: 0,
        expected: "a Windows dump (PAGEDU64, PAGEDUMP, MDMP), an ELF core, a VMware state or a raw image \
                   with a recognisable kernel (--format raw opens one regardless)"
            .into(),
        found,
    })
}

/// Sorted runs of what a file states, with a row of `faults` for frames that it states twice and one
/// for frames that no machine has. `offset` is where the file states them.
fn physical(runs: Vec<PhysRun>, structure: &str, offset: u64, records: &mut Records) -> PhysRuns {
    let fits = |run: &PhysRun| run.first.0.checked_add(run.count).is_some_and(|end| end <= PhysRuns::LIMIT);
    let impossible = runs.iter().filter(|run| !fits(run)).count();
    if impossible > 0 {
        let expected = format!("frames below {:#x}", PhysRuns::LIMIT);
        let found = format!("{impossible} runs beyond");
        records.fault(Problem::new("invalid", structure, "runs", offset, expected, found));
    }
    let (runs, twice) = PhysRuns::new(runs);
    if twice > 0 {
        let found = format!("{twice} frames stated again");
        records.fault(Problem::new("overlap", structure, "runs", offset, "every frame once", found));
    }
    runs
}

fn note_missing(dump: &mut Dump) {
    let missing = dump.memory_missing();
    if missing > 0 {
        let size = dump.memory_file().len() as u64;
        let expected = format!("{} bytes of memory", missing.saturating_add(dump.bytes_present()));
        let found = format!("{missing} of them beyond the end of the file");
        let problem = Problem::new("beyond_end", dump.format.name, "memory", size, expected, found);
        dump.records.fault(problem);
    }
}

/// Bytes that a file may have behind what `DUMP_HEADER.RequiredDumpSpace` counts: headers, bitmaps, secondary data.
const BESIDE: u64 = 16 << 20;

impl Records {
    /// The number of pages in a header says that a file of physical memory ends at `end`. Another header says how long it
    /// was to become: where they contradict each other, nobody knows.
    fn reaches_by_count(&mut self, (structure, offset): (&str, u64), end: u64) {
        match self.beyond_required(end) {
            Some(expected) => {
                self.doubt(Problem::new("invalid", structure, "", offset, expected, format!("{end:#x}")))
            }
            None => self.reaches(end),
        }
    }

    /// Where a file was to end that cannot end at `end`.
    fn beyond_required(&self, end: u64) -> Option<String> {
        let required = self.header.required_dump_space.filter(|&required| required > 0)?;
        let text = || format!("an end at {required:#x}, as DUMP_HEADER.RequiredDumpSpace says");
        (end > required.saturating_add(BESIDE)).then(text)
    }
}

/// Runs that name more memory than the writer of a kernel dump wanted to write are no sign of truncation.
fn doubt_runs(dump: &mut Dump) {
    let (missing, size) = (dump.memory_missing(), dump.memory_file().len() as u64);
    let end = size.saturating_add(missing);
    let physical = matches!(dump.memory, Memory::Physical(_)) && missing > 0;
    if let Some(expected) = dump.records.beyond_required(end).filter(|_| physical) {
        let structure = dump.format.name;
        dump.records.header.memory_in_doubt = true;
        dump.records.fault(Problem::new("invalid", structure, "memory", size, expected, format!("{end:#x}")));
    }
}
