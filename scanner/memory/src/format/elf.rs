//! ELF cores of whole machines: QEMU `dump-guest-memory`, `virsh dump --memory-only`, VirtualBox
//! `dumpvmcore`. Each `PT_LOAD` segment says which physical addresses (`p_paddr`) are at which file
//! offset (`p_offset`); notes give the processors.
//!
//! A core of a Linux process has the same header. It names virtual addresses only and leaves
//! `p_paddr` zero: without a note of a hypervisor and without one physical address there is no
//! physical memory in it, and it is refused.
//!
//! VirtualBox writes the machine of the *host* into `e_machine`, so a 32-bit guest reads x64 there.

mod notes;
#[cfg(test)]
mod tests;

use super::{Format, Memory, Opened, tally::Tally};
use crate::{
    addr::{PAGE_SIZE, Pfn},
    bytes::Bytes,
    error::{Error, ErrorKind, Result},
    map::Map,
    records::{Architecture, Problem, Records},
    runs::{PhysRun, PhysRuns},
};

pub(crate) static FORMAT: Format = Format {
    name: "ELF core",
    about: "ELF core of a whole machine: QEMU dump-guest-memory, virsh dump --memory-only, VirtualBox dumpvmcore",
    probe: |map| matches!(Elf::read(map.bytes()), Ok(elf) if elf.kind == ET_CORE),
    open,
};

/// `e_type` of a core.
pub(super) const ET_CORE: u16 = 4;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// `e_phnum` when the count does not fit 16 bits: it is then in `sh_info` of section header 0.
const PN_XNUM: u16 = 0xffff;
/// Notes of 2,048 processors are 2 MiB; more than this is not read.
const NOTES_LIMIT: u64 = 16 << 20;

/// Field offsets of `Elf32_Ehdr`/`Elf32_Phdr`/`Elf32_Shdr` or their 64-bit forms.
struct Layout {
    wide: bool,
    ehdr: u64,
    e_phoff: u64,
    e_shoff: u64,
    e_phentsize: u64,
    e_phnum: u64,
    shdr: u64,
    sh_info: u64,
    phdr: u64,
    p_offset: u64,
    p_paddr: u64,
    p_filesz: u64,
    p_memsz: u64,
}

static ELF32: Layout = Layout {
    wide: false,
    ehdr: 52,
    e_phoff: 28,
    e_shoff: 32,
    e_phentsize: 42,
    e_phnum: 44,
    shdr: 40,
    sh_info: 28,
    phdr: 32,
    p_offset: 4,
    p_paddr: 12,
    p_filesz: 16,
    p_memsz: 20,
};

static ELF64: Layout = Layout {
    wide: true,
    ehdr: 64,
    e_phoff: 32,
    e_shoff: 40,
    e_phentsize: 54,
    e_phnum: 56,
    shdr: 64,
    sh_info: 44,
    phdr: 56,
    p_offset: 8,
    p_paddr: 24,
    p_filesz: 32,
    p_memsz: 40,
};

impl Layout {
    /// An address, offset or size: 4 or 8 bytes by class.
    fn word(&self, bytes: &Bytes<'_>, offset: u64) -> Result<u64> {
        if self.wide { bytes.u64(offset) } else { bytes.u32(offset).map(u64::from) }
    }
}

/// The ELF header (`Elf32_Ehdr`, `Elf64_Ehdr`).
pub(super) struct Elf<'a> {
    layout: &'static Layout,
    header: Bytes<'a>,
    /// `e_type`.
    pub kind: u16,
    machine: u16,
}

/// A program header (`Elf32_Phdr`, `Elf64_Phdr`) and its file offset.
struct Segment {
    at: u64,
    kind: u32,
    offset: u64,
    paddr: u64,
    filesz: u64,
    memsz: u64,
}

impl<'a> Elf<'a> {
    /// Reads a little-endian header of either class.
    pub fn read(file: &'a [u8]) -> Result<Elf<'a>> {
        let ident = Bytes::at(file, 0, 16, "ELF header")?;
        let layout = match ident.array::<6>(0)? {
            [0x7f, b'E', b'L', b'F', 1, 1] => &ELF32,
            [0x7f, b'E', b'L', b'F', 2, 1] => &ELF64,
            other => {
                return Err(ident.invalid("e_ident", 0, "a little-endian ELF file", format!("{other:02x?}")));
            }
        };
        let header = Bytes::at(file, 0, layout.ehdr, "ELF header")?;
        Ok(Elf { layout, header, kind: header.u16(16)?, machine: header.u16(18)? })
    }

    fn architecture(&self) -> Result<Architecture> {
        match self.machine {
            3 => Ok(Architecture::X86),
            62 => Ok(Architecture::X64),
            183 => Ok(Architecture::Arm64),
            other => Err(Error {
                kind: ErrorKind::Unsupported,
                ..self.header.invalid(
                    "e_machine",
                    18,
                    "3 (386), 62 (x86-64) or 183 (AArch64)",
                    other.to_string(),
                )
            }),
        }
    }

    /// Number of program headers, wherever the file puts it.
    fn count(&self, file: &[u8]) -> Result<u64> {
        match self.header.u16(self.layout.e_phnum)? {
            PN_XNUM => {
                let at = self.layout.word(&self.header, self.layout.e_shoff)?;
                let section = Bytes::at(file, at, self.layout.shdr, "ELF section header 0")?;
                section.u32(self.layout.sh_info).map(u64::from)
            }
            count => Ok(u64::from(count)),
        }
    }

    /// The program headers that the file really has; what is cut off is a fault.
    fn segments(&self, file: &'a [u8], records: &mut Records) -> Result<Vec<Segment>> {
        let layout = self.layout;
        let (at, count) = (layout.word(&self.header, layout.e_phoff)?, self.count(file)?);
        let stride = u64::from(self.header.u16(layout.e_phentsize)?);
        if stride < layout.phdr {
            let expected = format!("at least {}", layout.phdr);
            return Err(self.header.invalid("e_phentsize", layout.e_phentsize, expected, stride.to_string()));
        }
        let table = Bytes::up_to(file, at, count.saturating_mul(stride), "ELF program headers");
        let have = table.len() / stride;
        if have == 0 {
            return Err(Error::truncated("ELF program headers", at, layout.phdr, table.len()));
        }
        if have < count {
            let need = count.saturating_mul(stride);
            records.fault(Error::truncated("ELF program headers", at, need, table.len()));
        }
        (0..have)
            .map(|index| self.segment(&table.sub(index * stride, stride, "ELF program header")?))
            .collect()
    }

    fn segment(&self, header: &Bytes<'_>) -> Result<Segment> {
        let layout = self.layout;
        Ok(Segment {
            at: header.start(),
            kind: header.u32(0)?,
            offset: layout.word(header, layout.p_offset)?,
            paddr: layout.word(header, layout.p_paddr)?,
            filesz: layout.word(header, layout.p_filesz)?,
            memsz: layout.word(header, layout.p_memsz)?,
        })
    }
}

fn open(map: &Map) -> Result<Opened> {
    let file = map.bytes();
    let elf = Elf::read(file)?;
    if elf.kind != ET_CORE {
        return Err(elf.header.invalid("e_type", 16, "4 (ET_CORE)", elf.kind.to_string()));
    }
    let architecture = elf.architecture()?;
    let mut records = Records::default();
    records.header.architecture = Some(architecture);
    records.header.machine_type = Some(machine_type(architecture));
    let segments = elf.segments(file, &mut records)?;
    let guest = read_notes(file, &segments, architecture, &mut records);
    let loads: Vec<&Segment> = segments.iter().filter(|segment| segment.kind == PT_LOAD).collect();
    if !guest && loads.iter().all(|load| load.paddr == 0) {
        return Err(Error {
            kind: ErrorKind::Unsupported,
            ..elf.header.invalid(
                "p_paddr",
                0,
                "a core of a whole machine: physical addresses, or a note of QEMU or VirtualBox",
                format!("{} PT_LOAD segments without physical addresses: a core of a process", loads.len()),
            )
        });
    }
    let runs = physical(&loads, &mut records);
    Ok(Opened::new(Memory::Physical(runs), records))
}

/// The `IMAGE_FILE_MACHINE_*` value of an architecture.
fn machine_type(architecture: Architecture) -> u32 {
    match architecture {
        Architecture::X86 => 0x014c,
        Architecture::X64 => 0x8664,
        Architecture::Arm64 => 0xaa64,
    }
}

/// Reads the notes of every `PT_NOTE`; true when a hypervisor left one. Many headers can name the
/// same bytes, so the total is bounded, not each segment.
fn read_notes(file: &[u8], segments: &[Segment], architecture: Architecture, records: &mut Records) -> bool {
    let (mut guest, mut budget) = (false, NOTES_LIMIT);
    for segment in segments.iter().filter(|segment| segment.kind == PT_NOTE && segment.filesz > 0) {
        let len = segment.filesz.min(budget);
        budget -= len;
        guest |= notes::read(&Bytes::up_to(file, segment.offset, len, "ELF notes"), architecture, records);
        if budget == 0 {
            let expected = format!("at most {NOTES_LIMIT} bytes of notes");
            records.fault(Problem::new("limit", "ELF notes", "", segment.offset, expected, "more"));
            break;
        }
    }
    guest
}

/// The whole pages of every segment, and rows for what is odd about them.
fn physical(loads: &[&Segment], records: &mut Records) -> PhysRuns {
    let (mut short, mut ragged) = (Tally::default(), Tally::default());
    let mut runs = Vec::new();
    for load in loads {
        let len = load.filesz.min(load.memsz);
        if load.filesz != load.memsz {
            short.note(|| load.problem("not_file_backed", "p_filesz", load.memsz, load.filesz));
        }
        let run = load.whole_pages(len);
        let kept = run.map_or(0, |run| run.count * PAGE_SIZE);
        if kept != len {
            ragged.note(|| load.problem("partial_page", "p_filesz", kept, len));
        }
        runs.extend(run);
    }
    short.finish(records);
    ragged.finish(records);
    super::physical(runs, "ELF program headers", loads.first().map_or(0, |load| load.at), records)
}

impl Segment {
    /// The page frames that lie wholly within the first `len` bytes of the segment.
    fn whole_pages(&self, len: u64) -> Option<PhysRun> {
        let first = self.paddr.div_ceil(PAGE_SIZE);
        let skip = first.checked_mul(PAGE_SIZE)?.checked_sub(self.paddr)?;
        let count = len.checked_sub(skip)? / PAGE_SIZE;
        let offset = self.offset.checked_add(skip)?;
        (count > 0).then_some(PhysRun { first: Pfn(first), count, offset })
    }

    fn problem(&self, kind: &str, field: &str, expected: u64, found: u64) -> Problem {
        let mut problem = Problem::new(
            kind,
            "ELF program header",
            field,
            self.at,
            format!("{expected:#x}"),
            format!("{found:#x}"),
        );
        problem.address = Some(self.paddr);
        problem
    }
}
