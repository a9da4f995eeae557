//! Finding Windows in a dump: an address space, the kernel image, the debugger block, the build.
//!
//! One way to find something is one file in `discover/`. Roots of page tables that the file states come first (header,
//! registers), then the stub of x64 hardware, then a search by their looks. Each has to show a kernel (`trial`), and
//! every one that was tried is a row of `discovery`.

mod build;
mod image;
pub(crate) mod kdbg;
mod root;
mod scan;
mod stub;
mod trial;

pub use image::KERNEL_FILES;
pub use scan::Depth;

pub(crate) use build::{kernels_own, of_lab, of_shared_data};
pub(crate) use root::better_root;

use crate::{ImageFacts, System, image_facts};
use memory::{Architecture, Dump, Memory, Pa, PagingMode, Space, Va};

/// A page-table root that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it came from: `header`, `CPU state`, `low stub`, `scan ...`, `PsInitialSystemProcess`.
    pub source: String,
    /// Its physical address.
    pub root: Pa,
    /// How it was read.
    pub mode: PagingMode,
    /// Base of the kernel image that was found through it.
    pub kernel_base: Option<Va>,
    /// Build number that the kernel's memory states.
    pub build: Option<u32>,
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
    /// How it was found.
    pub source: &'static str,
}

pub(crate) struct AddressSpace<'a> {
    pub architecture: Architecture,
    pub mode: Option<PagingMode>,
    pub space: Space<'a>,
    pub root: Option<Pa>,
    /// Base of the kernel image, and how it was found.
    pub kernel: Option<(Va, &'static str)>,
    pub candidates: Vec<Candidate>,
    /// Parts of memory that were searched for roots.
    pub searched: Vec<&'static str>,
}

/// The kernel's address space. `None` for dumps that hold no kernel memory at all.
pub(crate) fn address_space(dump: &Dump, depth: Depth) -> Option<AddressSpace<'_>> {
    match &dump.memory {
        Memory::Virtual(_) => captured(dump),
        Memory::Physical(_) => Some(root::address_space(dump, dump.image()?, depth)),
        Memory::None => None,
    }
}

/// The blocks of a triage dump. User minidumps have no kernel.
fn captured(dump: &Dump) -> Option<AddressSpace<'_>> {
    let header = &dump.records.header;
    header.triage.as_ref()?;
    let (architecture, space) = (header.architecture?, dump.captured()?);
    let (candidates, searched) = (Vec::new(), Vec::new());
    Some(AddressSpace { architecture, mode: None, space, root: None, kernel: None, candidates, searched })
}

/// The kernel image: as it was found with the root, where the debugger block says, else below the kernel variables
/// that the header names.
pub(crate) fn kernel(system: &System<'_>, found: Option<(Va, &'static str)>) -> Option<Kernel> {
    let by_block = || Some((system.kdbg.as_ref()?.kernel_base()?, "debugger block"));
    let by_list = || {
        let near = system.global("PsLoadedModuleList")?;
        Some((image::below(system.space, near)?, "image below PsLoadedModuleList"))
    };
    let (base, source) = found.or_else(by_block).or_else(by_list)?;
    let image = image_facts(system.space, base).unwrap_or_default();
    let image = with_driver_list(system, base, image);
    Some(Kernel { base, image, source })
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
