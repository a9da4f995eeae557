//! Finding Windows in a dump: an address space, the kernel image, the debugger block.

use crate::{ImageFacts, Kdbg, System, image_facts};
use memory::{Architecture, Dump, Memory, Pa, PagingMode, Space, Va, looks_like_root};

/// A page-table root that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it came from: `header`, `CPU state`, ...
    pub source: String,
    /// Its physical address.
    pub root: Pa,
    /// How it was read.
    pub mode: PagingMode,
    /// What became of it, in words.
    pub outcome: String,
    /// True for the one that is used.
    pub chosen: bool,
}

/// The kernel image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Where it is.
    pub base: Va,
    /// What its headers say, or a triage dump's driver list says of it.
    pub image: ImageFacts,
    /// Build number, where something better than the header states it.
    pub build: Option<u32>,
    /// How it was found.
    pub source: &'static str,
}

pub(crate) struct AddressSpace<'a> {
    pub architecture: Architecture,
    pub mode: Option<PagingMode>,
    pub space: Space<'a>,
    pub root: Option<Pa>,
    pub candidates: Vec<Candidate>,
}

/// How far below a variable of the kernel its image can begin.
const IMAGE_SPAN: u64 = 32 << 20;

/// The kernel's address space.
pub(crate) fn address_space(dump: &Dump) -> Option<AddressSpace<'_>> {
    match &dump.memory {
        Memory::Virtual(_) => captured(dump),
        Memory::Physical(_) => paged(dump),
        Memory::None => None,
    }
}

/// The blocks of a triage dump. User minidumps have no kernel.
fn captured(dump: &Dump) -> Option<AddressSpace<'_>> {
    let header = &dump.records.header;
    header.triage.as_ref()?;
    let (architecture, space) = (header.architecture?, dump.captured()?);
    Some(AddressSpace { architecture, mode: None, space, root: None, candidates: Vec::new() })
}

fn paged(dump: &Dump) -> Option<AddressSpace<'_>> {
    let (image, header) = (dump.image()?, &dump.records.header);
    let hints = header.directory_table_base.iter().map(|&root| ("header", root));
    let hints = hints.chain(header.root_hints.iter().map(|&root| ("CPU state", root)));
    let mut candidates = Vec::new();
    for (source, value) in hints.take(64) {
        for (architecture, mode) in modes(header.architecture, header.pae_enabled) {
            let mask = if mode == PagingMode::X86Pae { 0xffff_ffe0 } else { 0x000f_ffff_ffff_f000 };
            let root = Pa(value & mask);
            let good = looks_like_root(image, root, mode);
            let outcome = if good { "a root of page tables" } else { "no root of page tables" };
            let candidate =
                Candidate { source: source.into(), root, mode, outcome: outcome.into(), chosen: good };
            candidates.push(candidate);
            if good {
                let space = Space::paged(image, root, mode).with_build(header.build.unwrap_or(0));
                return Some(AddressSpace {
                    architecture,
                    mode: Some(mode),
                    space,
                    root: Some(root),
                    candidates,
                });
            }
        }
    }
    None
}

fn modes(architecture: Option<Architecture>, pae: Option<bool>) -> Vec<(Architecture, PagingMode)> {
    let x86 = match pae {
        Some(true) => vec![PagingMode::X86Pae],
        Some(false) => vec![PagingMode::X86],
        None => vec![PagingMode::X86Pae, PagingMode::X86],
    };
    let x64 = [PagingMode::X64, PagingMode::X64La57].map(|mode| (Architecture::X64, mode));
    let x86 = x86.into_iter().map(|mode| (Architecture::X86, mode));
    match architecture {
        Some(Architecture::X64) => x64.to_vec(),
        Some(Architecture::X86) => x86.collect(),
        Some(Architecture::Arm64) => vec![(Architecture::Arm64, PagingMode::Arm64)],
        _ => x64.into_iter().chain([(Architecture::Arm64, PagingMode::Arm64)]).chain(x86).collect(),
    }
}

/// The kernel image: where the debugger block says, else below the kernel variables that the header names.
pub(crate) fn kernel(system: &System<'_>) -> Option<Kernel> {
    let base = system.kdbg.as_ref().and_then(Kdbg::kernel_base);
    let found = base.map(|base| (base, "debugger block")).or_else(|| {
        let near = system.global("PsLoadedModuleList")?;
        Some((image_below(system.space, near)?, "image below PsLoadedModuleList"))
    });
    let (base, source) = found?;
    let image = image_facts(system.space, base).unwrap_or_default();
    let image = with_driver_list(system, base, image);
    Some(Kernel { base, image, build: None, source })
}

/// A triage dump does not hold the kernel's headers, but its driver list has their link time and size.
fn with_driver_list(system: &System<'_>, base: Va, mut image: ImageFacts) -> ImageFacts {
    let modules = &system.dump.records.modules;
    if let Some(module) = modules.iter().find(|module| system.narrow(module.base) == base) {
        image.timestamp = image.timestamp.or(module.timestamp);
        image.size = image.size.or(u32::try_from(module.size).ok());
        image.checksum = image.checksum.or(module.checksum);
    }
    image
}

/// The image whose headers lie closest below an address.
fn image_below(space: Space<'_>, near: Va) -> Option<Va> {
    let page = near.0 & !0xfff;
    let pages = (0..IMAGE_SPAN / 0x1000).map_while(|n| page.checked_sub(n * 0x1000)).map(Va);
    pages.into_iter().find(|&base| image_facts(space, base).is_some())
}

/// The debugger block.
pub(crate) fn kdbg(system: &System<'_>) -> Option<Kdbg> {
    let narrow = system.pointer_size() == 4;
    let va = system.global("KdDebuggerDataBlock")?;
    if let Some((offset, size)) = system.dump.records.header.triage.as_ref().and_then(|t| t.debugger_data) {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        let bytes = system.dump.file().get(start..end)?.to_vec();
        return Kdbg::from_bytes(va, bytes, false, narrow);
    }
    Kdbg::read(system.space, va, narrow)
}
