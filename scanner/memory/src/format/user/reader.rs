//! What the readers of all streams share: the records that grow, the complaints about the stream
//! that is being read, strings at file offsets, and the budget that keeps a small file from costing
//! much memory.

use super::directory::Stream;
use crate::{
    bytes::{Bytes, utf16_lossy},
    error::{Error, Result},
    records::{Architecture, Process, Records},
    runs::VirtRun,
};
use std::collections::HashMap;

/// Longest text of a `MINIDUMP_STRING` in bytes: a `UNICODE_STRING` cannot be longer.
const MAX_STRING: u32 = 0xfffe;

/// The state of reading one file.
pub(super) struct Reader<'a> {
    /// The whole file: RVAs are offsets into it.
    pub file: &'a [u8],
    /// What has been read so far.
    pub records: Records,
    /// Layout of the `CONTEXT` records, from `SystemInfo`.
    pub architecture: Option<Architecture>,
    /// `SystemInfo` says 0x8003: ARM64 contexts are laid out as Breakpad did before Windows had them.
    pub old_arm64: bool,
    /// The process, and whether its id is known.
    pub process: Process,
    /// `MINIDUMP_MISC_INFO.ProcessId`, where its flag is set.
    pub process_id: Option<u32>,
    /// Blocks of `MemoryListStream` and `Memory64ListStream` in the order of the file.
    pub blocks: Vec<VirtRun>,
    /// Blocks that `ThreadListStream` names, wanted only where no memory list covers them.
    pub stacks: Vec<VirtRun>,
    /// Where the thread of an id is in `records.threads`.
    pub thread_index: HashMap<u32, usize>,
    budget: u64,
    first_problem: Option<Error>,
    more_problems: u64,
}

impl<'a> Reader<'a> {
    pub fn new(file: &'a [u8]) -> Reader<'a> {
        Reader {
            file,
            records: Records::default(),
            architecture: None,
            old_arm64: false,
            process: Process { source: "MiscInfoStream", ..Process::default() },
            process_id: None,
            blocks: Vec::new(),
            stacks: Vec::new(),
            thread_index: HashMap::new(),
            budget: (file.len() as u64).saturating_mul(4).saturating_add(0x10000),
            first_problem: None,
            more_problems: 0,
        }
    }

    /// Notes something wrong with the stream that is being read.
    pub fn note(&mut self, error: Error) {
        match self.first_problem {
            None => self.first_problem = Some(error),
            Some(_) => self.more_problems += 1,
        }
    }

    /// Unwraps a result, noting the error.
    pub fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.note(error)).ok()
    }

    /// Ends a stream: all that was noted becomes one fault.
    pub fn flush(&mut self) {
        let Some(mut error) = self.first_problem.take() else { return };
        if self.more_problems > 0 {
            error.found =
                format!("{} (and {} more problems in this stream)", error.found, self.more_problems);
        }
        self.more_problems = 0;
        self.records.fault(error);
    }

    /// Says in `records.streams` whether anything came of `stream`.
    pub fn understood(&mut self, stream: &Stream<'_>, understood: bool) {
        if let Some(row) = self.records.streams.get_mut(stream.index) {
            row.understood = understood;
        }
    }

    /// `size` bytes at file offset `rva`, paid from the budget.
    ///
    /// Situation: a thousand modules whose name is the same long string, a million threads with the
    /// same context. Each is a valid reference, together they cost a thousand times the file. What
    /// honest writers refer to lies in the file once for each reference (or is a short type name), so
    /// four times the file is plenty.
    pub fn referred(&mut self, rva: u64, size: u64, structure: &'static str) -> Result<Bytes<'a>> {
        let bytes = Bytes::at(self.file, rva, size, structure)?;
        match self.budget.checked_sub(size) {
            Some(rest) => self.budget = rest,
            None => {
                let found = "references to the same bytes over and over";
                return Err(Error::invalid(
                    structure,
                    "",
                    rva,
                    "every reference to have its own bytes",
                    found,
                ));
            }
        }
        Ok(bytes)
    }

    /// The `MINIDUMP_STRING` at `rva`: a length in bytes, then UTF-16.
    pub fn string(&mut self, rva: u64) -> Result<String> {
        let length = Bytes::at(self.file, rva, 4, "MINIDUMP_STRING")?;
        let bytes = length.u32(0)?;
        if bytes > MAX_STRING {
            return Err(length.invalid(
                "Length",
                0,
                format!("at most {MAX_STRING:#x} bytes"),
                format!("{bytes:#x}"),
            ));
        }
        let text = self.referred(rva.saturating_add(4), bytes.into(), "MINIDUMP_STRING")?;
        Ok(utf16_lossy(text.data()))
    }

    /// The string at `rva`; `None` for RVA 0 ("no string"), and noted where it cannot be read.
    pub fn optional_string(&mut self, rva: u32) -> Option<String> {
        if rva == 0 {
            return None;
        }
        let text = self.string(rva.into());
        self.keep(text)
    }
}
