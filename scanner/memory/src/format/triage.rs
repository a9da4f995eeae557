//! DumpType 4, small memory dump ("triage", "minidump"): no physical memory, but what the system
//! captured of the crash: driver list, unloaded drivers, copies of the processor, process and thread,
//! the stack, and blocks of virtual memory.
//!
//! Two families exist. Written by the system at crash time: `TriageOptions` 0x41, some dozens of data
//! blocks, bare driver names. Written out of a bigger dump: 0xffffffff, up to thousands of blocks,
//! full paths. Their layouts are the same. The physical memory descriptor of the first family names
//! the machine's memory, of which nothing is in the file: it must not become memory here.
//!
//! Sources: rizin `dmp64_triage`/`dmp32_triage`, Singularity `Dump.h`, 17 real dumps of builds 19041,
//! 22000 and 26100. 32-bit by the documents only; no sample exists.

mod blocks;
mod copies;
mod drivers;
mod header;
mod kernel;
mod mm;
#[cfg(test)]
mod tests;
mod unloaded;

use super::{Format, Memory, Opened, blobs, header as dump_header, header::Kind};
use crate::{
    addr::PAGE_SIZE,
    error::Result,
    records::{Problem, Records, Triage},
    runs::VirtRuns,
};
use header::TriageHeader;

pub(crate) static FORMAT: Format = Format {
    name: "kernel triage",
    about: "small memory dump (DumpType 4): drivers, registers, the stack and blocks of memory around the crash",
    probe: |map| dump_header::dump_type(map.bytes()) == Some(DUMP_TYPE),
    open: |map| open(map.bytes()),
};

const DUMP_TYPE: u32 = 4;
/// `TriageOptions` of dumps that the system wrote at crash time.
const AT_CRASH_TIME: u32 = 0x41;
/// `TRGD`, the mark at the end of a triage dump that was written to its end.
const END_MARK: u32 = 0x4447_5254;

/// A triage dump while it is read.
struct Reader<'a> {
    file: &'a [u8],
    kind: Kind,
    header: TriageHeader,
    /// Every offset must be below: the smaller of `SizeOfDump` and the file's size.
    limit: u64,
}

fn open(file: &[u8]) -> Result<Opened> {
    let dump_header::Header { kind, mut records, .. } = dump_header::read(file)?;
    let header = match TriageHeader::read(file, kind) {
        Ok(header) => header,
        // The file ends before the triage header: what the dump header says is all that there is.
        Err(error) => {
            records.header.least_file_size = kind.size() + TriageHeader::size(kind);
            records.fault(error);
            return Ok(Opened::new(Memory::None, records));
        }
    };
    let limit = limit(file, &header, &mut records);
    let reader = Reader { file, kind, header, limit };
    let runs = reader.runs(&mut records);
    let mut triage = reader.triage(&mut records);
    let at = reader.addresses(&triage, &runs);
    (triage.prcb_address, triage.process_address, triage.thread_address) = (at.prcb, at.process, at.thread);
    let runs = reader.with_copies(runs, &triage, at);
    records.header.triage = Some(triage);
    reader.drivers(&mut records);
    reader.unloaded_drivers(&mut records);
    reader.kernel_facts(&runs, &mut records);
    blobs::walk(file, reader.header.size_of_dump.into(), &mut records);
    Ok(Opened::new(Memory::Virtual(runs), records))
}

fn limit(file: &[u8], header: &TriageHeader, records: &mut Records) -> u64 {
    let (stated, size) = (u64::from(header.size_of_dump), file.len() as u64);
    if stated > size {
        let found = format!("{size} bytes in the file");
        records.fault(header.problem("truncated", header::SIZE_OF_DUMP, format!("{stated} bytes"), found));
    }
    records.header.least_file_size = stated.max(whole_size(header, records).unwrap_or(0));
    let whole = records.header.least_file_size;
    if stated <= size && whole > size {
        let (expected, found) = (format!("{whole} bytes"), format!("{size} bytes in the file"));
        let structure = "DUMP_HEADER";
        let at = 0xfa0; // in both headers
        records.fault(Problem::new("truncated", structure, "RequiredDumpSpace", at, expected, found));
    }
    stated.min(size)
}

/// Bytes of the file with its tagged blobs, by `DUMP_HEADER.RequiredDumpSpace`. Only a dump that was written at crash
/// time states its own size there; one that was written out of a bigger dump the size of something else.
fn whole_size(header: &TriageHeader, records: &Records) -> Option<u64> {
    records.header.required_dump_space.filter(|_| header.triage_options == AT_CRASH_TIME)
}

impl Reader<'_> {
    /// The fields that become columns of `dumps`.
    fn triage(&self, records: &mut Records) -> Triage {
        let header = &self.header;
        let debugger_data = (header.debugger_data_offset != 0)
            .then(|| (header.debugger_data_offset.into(), header.debugger_data_size.into()));
        Triage {
            service_pack_build: header.service_pack_build,
            size_of_dump: header.size_of_dump,
            complete: self.complete(),
            triage_options: header.triage_options,
            data_blocks: header.data_blocks_count,
            top_of_stack: header.top_of_stack,
            size_of_call_stack: header.size_of_call_stack,
            broken_driver: self.broken_driver(records),
            mm: self.mm_information(records),
            prcb: self.copy(header::PRCB_OFFSET, header.prcb_offset, records),
            process: self.copy(header::PROCESS_OFFSET, header.process_offset, records),
            thread: self.copy(header::THREAD_OFFSET, header.thread_offset, records),
            debugger_data,
            ..Triage::default()
        }
    }

    /// Whether the end mark stands; `None` when the file ends before it.
    fn complete(&self) -> Option<bool> {
        let bytes = crate::bytes::slice(self.file, self.header.valid_offset.into(), 4)?;
        Some(bytes == END_MARK.to_le_bytes())
    }

    /// Where a copy is and how long. One that begins beyond the end is a fault and not there.
    fn copy(&self, field: (&str, u64), offset: u32, records: &mut Records) -> Option<(u64, u64)> {
        if offset == 0 {
            return None;
        }
        if u64::from(offset) >= self.limit {
            let kind = if offset < self.header.size_of_dump { "truncated" } else { "invalid" };
            let expected = format!("an offset before {:#x}", self.limit);
            records.fault(self.header.problem(kind, field, expected, format!("{offset:#x}")));
            return None;
        }
        Some((offset.into(), self.size_of_copy(offset)))
    }

    /// The copies lie back to back, so each ends where the next part begins.
    fn size_of_copy(&self, offset: u32) -> u64 {
        let following = self.header.offsets().into_iter().filter(|&other| other > offset).min();
        let end = following.map_or(self.limit, u64::from).min(self.limit);
        end.saturating_sub(offset.into())
    }

    /// The driver that the system blames. The offset is zero when it blames none.
    fn broken_driver(&self, records: &mut Records) -> Option<String> {
        let offset = self.header.broken_driver_offset;
        if offset == 0 {
            return None;
        }
        records.keep(drivers::string(self.file, offset.into(), self.limit))
    }

    /// Whether `address` can be where a driver begins: drivers live in the upper half of the addresses.
    fn is_kernel_page(&self, address: u64) -> bool {
        let half = match self.kind {
            Kind::Bits64 => 1 << 63,
            Kind::Bits32 => 1 << 31,
        };
        address >= half && address.is_multiple_of(PAGE_SIZE)
    }

    /// A row of `faults` about a count that the file cannot hold.
    fn too_many(&self, field: (&str, u64), stated: u64, room: u64) -> Problem {
        self.header.problem(
            "invalid",
            field,
            format!("at most {room}, for which there is room"),
            stated.to_string(),
        )
    }

    /// The runs of virtual memory. Blocks overlap each other and the stack as a rule: the same bytes.
    fn runs(&self, records: &mut Records) -> VirtRuns {
        VirtRuns::new(self.blocks(records)).0
    }
}
