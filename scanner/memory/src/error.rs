//! Two kinds of bad news. [`Error`]: the file cannot be opened as what it claims to be, said in one
//! line with structure, offset, expected and found. [`Fault`]: one page cannot be read, and why.

use crate::addr::{Pa, Va};
use std::{fmt, io};

/// What the fallible functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a file cannot be opened. Displays as one line without the file's name: the caller, who knows
/// the name, puts it in front.
#[derive(Debug)]
pub struct Error {
    /// The family of the problem, for exit codes and `--json`.
    pub kind: ErrorKind,
    /// The structure that was being read, by its documented name (`DUMP_HEADER64`, `ELF header`).
    pub structure: &'static str,
    /// The field within the structure, empty when the whole structure is meant.
    pub field: &'static str,
    /// File offset of the field, in bytes.
    pub offset: u64,
    /// What a good file holds there.
    pub expected: String,
    /// What this file holds there.
    pub found: String,
}

/// The family of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The operating system would not give the file.
    Io,
    /// The content is none of the formats that we read.
    Unrecognised,
    /// The file is too short for a structure without which nothing can be said.
    Truncated,
    /// A field has a value that makes the rest unreadable.
    Invalid,
    /// A format that exists and that we do not read.
    Unsupported,
}

impl Error {
    /// A field whose value makes it impossible to go on.
    pub fn invalid(
        structure: &'static str,
        field: &'static str,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error {
            kind: ErrorKind::Invalid,
            structure,
            field,
            offset,
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// `need` bytes of `structure` should start at `offset`; the file has only `have` there.
    pub fn truncated(structure: &'static str, offset: u64, need: u64, have: u64) -> Error {
        Error {
            kind: ErrorKind::Truncated,
            structure,
            field: "",
            offset,
            expected: format!("{need} bytes"),
            found: format!("{have} bytes before the end of the file"),
        }
    }

    /// The operating system refused; `doing` says what (`open`, `map`).
    pub fn io(doing: &'static str, error: &io::Error) -> Error {
        Error {
            kind: ErrorKind::Io,
            structure: doing,
            field: "",
            offset: 0,
            expected: "a readable file".into(),
            found: error.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ErrorKind::Io {
            return write!(f, "cannot {} it: {}", self.structure, self.found);
        }
        let dot = if self.field.is_empty() { "" } else { "." };
        write!(
            f,
            "{}{dot}{} at offset {:#x}: expected {}, found {}",
            self.structure, self.field, self.offset, self.expected, self.found
        )
    }
}

impl std::error::Error for Error {}

/// Why a virtual or physical address has no bytes in this dump. A fact about the dump, not a failure
/// of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No run of the dump holds this page: the dump's writer left it out.
    NotInDump(Pa),
    /// A run of the dump holds this page, but the file ends before it.
    BeyondEnd(Pa),
    /// A virtual-address dump (triage, user minidump) has no block that covers the address.
    NotCaptured(Va),
    /// A virtual block covers the address, but the file ends before it.
    CapturedBeyondEnd(Va),
    /// The address is not canonical on this architecture.
    NonCanonical(Va),
    /// An entry of the page tables is zero: nothing was ever mapped here (or a VAD decides).
    NotMapped(Va),
    /// The page would be created full of zeros at first touch. `protection`: five bits of the entry.
    DemandZero { va: Va, protection: u8 },
    /// The page is in a page file: `number` and `offset` in pages (`None`: hidden by a mask that is not known).
    PageFile { va: Va, number: u8, offset: Option<u32> },
    /// The entry refers to a prototype PTE at `prototype`, which could not be followed.
    Prototype { va: Va, prototype: Va },
    /// Only a VAD knows what is here (page-file offset 0xffffffff).
    VadBacked(Va),
    /// The page is in a mapped file: a prototype entry that refers to a subsection, or an entry of builds
    /// from 22621 on that says so.
    FileBacked(Va),
    /// An entry has bits set that the architecture reserves: damaged or not a page table.
    Reserved { va: Va, entry: u64 },
    /// A page table itself is not in the dump. `table` is its physical address, `level` counts from the top (0).
    TableMissing { va: Va, table: Pa, level: u8 },
    /// The address has bytes but no physical address: the dump holds virtual memory only.
    NoPhysical(Va),
    /// More bytes from here on were asked for than the whole file holds: damaged page tables or lengths.
    TooLong(Va),
    /// The space has no paging root that is usable.
    NoRoot,
}

impl Fault {
    /// Stable snake_case name, stored in `faults.kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::NotInDump(_) => "not_in_dump",
            Fault::BeyondEnd(_) => "beyond_end",
            Fault::NotCaptured(_) => "not_captured",
            Fault::CapturedBeyondEnd(_) => "captured_beyond_end",
            Fault::NonCanonical(_) => "non_canonical",
            Fault::NotMapped(_) => "not_mapped",
            Fault::DemandZero { .. } => "demand_zero",
            Fault::PageFile { .. } => "page_file",
            Fault::Prototype { .. } => "prototype",
            Fault::VadBacked(_) => "vad_backed",
            Fault::FileBacked(_) => "file_backed",
            Fault::Reserved { .. } => "reserved_bits",
            Fault::TableMissing { .. } => "table_missing",
            Fault::NoPhysical(_) => "no_physical",
            Fault::TooLong(_) => "too_long",
            Fault::NoRoot => "no_root",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotInDump(pa) => write!(f, "physical {pa} is not in the dump"),
            Fault::BeyondEnd(pa) => write!(f, "physical {pa} lies beyond the end of the truncated file"),
            Fault::NotCaptured(va) => write!(f, "{va} was not captured"),
            Fault::CapturedBeyondEnd(va) => write!(f, "{va} lies beyond the end of the truncated file"),
            Fault::NonCanonical(va) => write!(f, "{va} is not canonical"),
            Fault::NotMapped(va) => write!(f, "{va} is not mapped"),
            Fault::DemandZero { va, .. } => write!(f, "{va} is demand-zero"),
            Fault::PageFile { va, number, offset: Some(offset) } => {
                write!(f, "{va} is in page file {number} at page {offset:#x}")
            }
            Fault::PageFile { va, number, offset: None } => write!(f, "{va} is in page file {number}"),
            Fault::Prototype { va, prototype } => write!(f, "{va} needs the prototype PTE at {prototype}"),
            Fault::VadBacked(va) => write!(f, "{va} is described by a VAD only"),
            Fault::FileBacked(va) => write!(f, "{va} is in a mapped file"),
            Fault::Reserved { va, entry } => write!(f, "{va} has a damaged page-table entry {entry:#x}"),
            Fault::TableMissing { va, table, level } => {
                write!(f, "{va} needs the level-{level} page table at {table}, which is not in the dump")
            }
            Fault::NoPhysical(va) => write!(f, "{va} has no physical address in a virtual-memory dump"),
            Fault::TooLong(va) => write!(f, "more bytes at {va} than the file holds"),
            Fault::NoRoot => write!(f, "there is no usable page-table root"),
        }
    }
}
