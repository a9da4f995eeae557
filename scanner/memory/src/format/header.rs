//! The header of every kernel dump: `DUMP_HEADER64` (x64 and ARM64) or `DUMP_HEADER32` (x86).
//!
//! The writer first fills the header with the pattern `PAGE` and then writes the fields that it
//! knows. A field that still holds the pattern was never written: it is `None` here, not a number.
//! Example: a live dump taken with LiveKD has no uptime, a triage dump no physical memory
//! descriptor, a header cut off after 4 KiB no dump type.
//!
//! The same fields serve all dump types; what follows the header is the other files' business. A
//! dump type of which nobody knows the body is opened by [`FORMAT`] with its header alone.
//!
//! Sources: kdmp-parser, windows-sys `DUMP_HEADER32/64`, volatility3 `crash.json`, `crash64.json`.

mod descriptor;
mod fields;
#[cfg(test)]
pub(super) mod tests;

use super::{Format, Memory, Opened};
use crate::{
    bytes::Bytes,
    context::Context,
    error::{Error, Result},
    records::{Architecture, Bugcheck, Exception, Problem, Records},
    time::Time,
};
use fields::{Fields, HEADER32, HEADER64, Layout, is_fill};

pub(crate) static FORMAT: Format = Format {
    name: "kernel header",
    about: "kernel dump that holds no memory (header only), or of a type that is not known: its header is read",
    probe: |map| probe(map.bytes()).is_some(),
    open: |map| open(map.bytes()),
};

/// Which of the two headers a kernel dump has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `PAGEDUMP`: `DUMP_HEADER32`.
    Bits32,
    /// `PAGEDU64`: `DUMP_HEADER64`.
    Bits64,
}

impl Kind {
    /// Size of the header in bytes: the offset of what follows it.
    pub fn size(self) -> u64 {
        match self {
            Kind::Bits32 => 0x1000,
            Kind::Bits64 => 0x2000,
        }
    }

    /// The documented name of the structure.
    pub fn structure(self) -> &'static str {
        match self {
            Kind::Bits32 => "DUMP_HEADER32",
            Kind::Bits64 => "DUMP_HEADER64",
        }
    }

    /// File offset of `PhysicalMemoryBlock`.
    pub fn descriptor(self) -> u64 {
        self.layout().descriptor
    }

    fn layout(self) -> &'static Layout {
        match self {
            Kind::Bits32 => &HEADER32,
            Kind::Bits64 => &HEADER64,
        }
    }
}

/// `DumpType` values. Source: windows-sys `DUMP_TYPE_*`; 8-10: kdmp-parser.
pub(super) mod dump_type {
    pub const FULL: u32 = 1;
    pub const SUMMARY: u32 = 2;
    pub const BITMAP_FULL: u32 = 5;
    pub const BITMAP_KERNEL: u32 = 6;
    pub const AUTOMATIC: u32 = 7;
    pub const RANGES_KERNEL: u32 = 8;
    pub const RANGES_KERNEL_USER: u32 = 9;
    pub const RANGES_FULL: u32 = 10;
}

/// What the header states.
pub(crate) struct Header {
    /// Which header it is.
    pub kind: Kind,
    /// `DumpType`, `None` when never written or cut off.
    pub dump_type: Option<u32>,
    /// The fields, the context and the exception record.
    pub records: Records,
    /// `PhysicalMemoryBlock.Run`: first frame and number of frames, in the order of the file. They
    /// say where the pages of the file are for a full dump only.
    pub runs: Vec<(u64, u64)>,
}

/// The kind of kernel dump that `file` is, from its signature.
pub(crate) fn probe(file: &[u8]) -> Option<Kind> {
    match file.get(..8)? {
        b"PAGEDUMP" => Some(Kind::Bits32),
        b"PAGEDU64" => Some(Kind::Bits64),
        _ => None,
    }
}

/// `DumpType` of a kernel dump; `None` when `file` is none, or the field is cut off or unwritten.
pub(crate) fn dump_type(file: &[u8]) -> Option<u32> {
    let kind = probe(file)?;
    Fields::new(file, kind).u32(kind.layout().dump_type)
}

/// Reads the header. A file that ends within it gives the fields that are there, and a fault.
///
/// Errors: the file does not start with the signature of a kernel dump.
pub(crate) fn read(file: &[u8]) -> Result<Header> {
    let Some(kind) = probe(file) else {
        let head: Vec<String> = file.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        return Err(Error::invalid(
            "DUMP_HEADER",
            "Signature",
            0,
            "PAGEDUMP or PAGEDU64",
            if head.is_empty() { "an empty file".into() } else { head.join(" ") },
        ));
    };
    let (fields, layout) = (Fields::new(file, kind), kind.layout());
    let mut records = Records::default();
    records.header.least_file_size = kind.size();
    records.keep(Bytes::at(file, 0, kind.size(), kind.structure()));
    values(&fields, layout, &mut records);
    machine(&fields, layout, kind, &mut records);
    let runs = descriptor::read(&fields, layout, kind, &mut records);
    context(file, layout, &mut records);
    exception(&fields, layout, kind, &mut records);
    Ok(Header { kind, dump_type: records.header.dump_type, records, runs })
}

fn open(file: &[u8]) -> Result<Opened> {
    let Header { kind, dump_type, mut records, .. } = read(file)?;
    // A type that is known comes here only when the user names this format.
    let found = match dump_type {
        Some(dump_type::FULL..=dump_type::RANGES_FULL) => None,
        Some(other) => Some(format!("unsupported dump type {other}")),
        None => Some("a field that was never written or is cut off".into()),
    };
    if let (Some(found), Some(machine), None) =
        (&found, records.header.machine_type, records.header.architecture)
        && dump_type.is_some()
    {
        // Nothing of what it says can be believed.
        let expected = "a header with a machine and a dump type that Windows has";
        let found = format!("machine type {machine:#x}, {found}");
        return Err(Error::invalid(
            kind.structure(),
            "MachineImageType",
            kind.layout().machine,
            expected,
            found,
        ));
    }
    if let Some(found) = found {
        let (structure, at) = (kind.structure(), kind.layout().dump_type);
        let expected = "a dump type from 1 to 10";
        records.fault(Problem::new("unsupported", structure, "DumpType", at, expected, found));
    }
    Ok(Opened::new(Memory::None, records))
}

/// The plain fields.
fn values(f: &Fields<'_>, layout: &Layout, records: &mut Records) {
    let h = &mut records.header;
    h.dump_type = f.u32(layout.dump_type);
    h.major_version = f.u32(0x08);
    h.build = f.u32(0x0c);
    h.directory_table_base = f.word(layout.directory_table_base);
    h.pfn_database = f.word(layout.pfn_database);
    h.ps_loaded_module_list = f.word(layout.ps_loaded_module_list);
    h.ps_active_process_head = f.word(layout.ps_active_process_head);
    h.kd_debugger_data_block = f.word(layout.kd_debugger_data_block);
    h.processors = f.u32(layout.processors);
    h.bugcheck = bugcheck(f, layout);
    h.version_user = f.text(layout.version_user, 32);
    h.comment = f.text(layout.comment, 128);
    h.pae_enabled = layout.pae_enabled.and_then(|at| f.flag(at));
    h.required_dump_space = f.u64(layout.required_dump_space);
    h.system_time = f.u64(layout.system_time).and_then(Time::from_filetime);
    h.uptime = f.u64(layout.uptime);
    h.minidump_fields = f.u32(layout.minidump_fields);
    h.secondary_data_state = f.u32(layout.secondary_data_state);
    h.product_type = f.u32(layout.product_type);
    h.suite_mask = f.u32(layout.suite_mask);
    h.writer_status = f.u32(layout.writer_status);
    h.attributes = f.u32(layout.attributes);
    h.boot_id = f.u32(layout.boot_id);
}

/// `BugCheckCode` and its parameters. A code of 0 means that the dump was taken without a crash.
fn bugcheck(f: &Fields<'_>, layout: &Layout) -> Option<Bugcheck> {
    let code = f.u32(layout.bugcheck_code)?;
    let parameter = |n| f.word(layout.bugcheck_parameters + n * f.word_size());
    Some(Bugcheck { code, parameters: [0, 1, 2, 3].map(parameter) })
}

/// `MachineImageType`, and the architecture where it fits the header.
fn machine(f: &Fields<'_>, layout: &Layout, kind: Kind, records: &mut Records) {
    let Some(machine) = f.u32(layout.machine) else { return };
    records.header.machine_type = Some(machine);
    let (architecture, expected) = match (kind, Architecture::from_machine(machine)) {
        (Kind::Bits32, known @ Some(Architecture::X86)) => (known, ""),
        (Kind::Bits64, known @ Some(Architecture::X64 | Architecture::Arm64)) => (known, ""),
        (Kind::Bits32, _) => (None, "0x14c (x86)"),
        (Kind::Bits64, _) => (None, "0x8664 (x64) or 0xaa64 (ARM64)"),
    };
    records.header.architecture = architecture;
    if architecture.is_none() {
        let found = format!("{machine:#x}");
        let at = layout.machine;
        let problem = Problem::new("invalid", kind.structure(), "MachineImageType", at, expected, found);
        records.fault(problem);
    }
}

/// `ContextRecord`: a slot of fixed size, whatever the size of the architecture's `CONTEXT`. A slot
/// that was never written (`PAGE` fill, or zeros) is no context and no fault.
fn context(file: &[u8], layout: &Layout, records: &mut Records) {
    let Some(architecture) = records.header.architecture else { return };
    let (at, size) = layout.context;
    let slot = Bytes::up_to(file, at, size.min(Context::size(architecture)), "CONTEXT");
    let unwritten = is_fill(slot.data()) || slot.data().iter().all(|&byte| byte == 0);
    if !unwritten && let Some(context) = records.keep(Context::parse(architecture, slot, "header")) {
        records.contexts.push(context);
    }
}

/// `Exception`: `EXCEPTION_RECORD32/64`. All zero is what a writer without an exception leaves.
fn exception(f: &Fields<'_>, layout: &Layout, kind: Kind, records: &mut Records) {
    let (at, word) = (layout.exception, f.word_size());
    let Some(code) = f.u32(at) else { return };
    let (flags, record, address) = (f.u32(at + 4), f.word(at + 8), f.word(at + 8 + word));
    if (code, flags, record, address) == (0, Some(0), Some(0), Some(0)) {
        return;
    }
    let count_at = at + 8 + 2 * word;
    let first = (count_at + 4).next_multiple_of(word);
    let mut parameters = Vec::new();
    match f.u32(count_at) {
        Some(count @ 0..=15) => {
            parameters.extend((0..u64::from(count)).map_while(|n| f.word(first + n * word)));
        }
        Some(count) => {
            let structure = kind.structure();
            let field = "Exception.NumberParameters";
            let found = count.to_string();
            records.fault(Problem::new("invalid", structure, field, count_at, "at most 15", found));
        }
        None => {}
    }
    let thread_id = None;
    records.exceptions.push(Exception {
        source: "header",
        thread_id,
        code,
        flags,
        record,
        address,
        parameters,
    });
}
