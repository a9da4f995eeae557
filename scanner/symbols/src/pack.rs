//! The layout pack: flattened layouts of many kernels in one small file.
//!
//! A pack is text, compressed with zstd, so that a person can read what a release claims to know. Lines:
//!
//! ```text
//! dumplake pack 1
//! names NAME...                             symbols, by position in the lines `at`
//! type NAME SIZE                            one variant of a structure, numbered from 0 in order of appearance
//! PATH OFFSET SIZE [FIRST_BIT BITS]         its members
//! kernel ARCH BUILD REVISION PDB GUID-AGE SOURCE   `-` for what is not known
//! types N...                                its structures, as numbers of variants
//! at RVA...                                 its symbols, `-` where it has none
//! image ARCH FILE VERSION TIMESTAMP SIZE    which kernel has this link time and size
//! ```
//!
//! Offsets, sizes, addresses and times are hexadecimal, all else is decimal.

mod build;
mod read;

pub use build::build;

use crate::{Layouts, PdbId};
use std::sync::OnceLock;

/// What names a kernel in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// `x86`, `x64` or `ARM64`.
    pub architecture: String,
    /// Build number, such as 19041.
    pub build: u32,
    /// Last part of the file version, where it is known.
    pub revision: Option<u32>,
    /// File name of its PDB, where it is known.
    pub pdb_name: Option<String>,
    /// Its PDB, where it is known: then the addresses of symbols are too.
    pub id: Option<PdbId>,
    /// The public collection that its facts are from.
    pub source: String,
}

/// A kernel image by link time and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageVersion {
    /// `x86`, `x64` or `ARM64`.
    pub architecture: String,
    /// File name, such as `ntoskrnl.exe` or `ntkrla57.exe`.
    pub file: String,
    /// File version, four numbers.
    pub version: [u32; 4],
    /// PE `TimeDateStamp`.
    pub timestamp: u32,
    /// PE `SizeOfImage`.
    pub size: u32,
}

impl ImageVersion {
    /// Every version has several kernels, each with a PDB of its own: `ntkrla57.exe` for five levels of page tables,
    /// on x86 `ntkrnlpa.exe` for PAE. `ntoskrnl.exe` is what the others are renamed from.
    fn may_be(&self, kernel: &Kernel) -> bool {
        let stem = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let (file, pdb) = (stem(&self.file), kernel.pdb_name.as_deref().map(stem).unwrap_or_default());
        file == pdb || file == "ntoskrnl" && pdb == "ntkrnlmp"
    }
}

/// Something that a dump itself states about its kernel's layouts, such as `SizeEProcess` of the debugger block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The structure.
    pub type_name: &'static str,
    /// The member; empty for the size of the structure.
    pub path: &'static str,
    /// Its offset, or the size.
    pub value: u32,
}

/// A pack that was read.
pub struct Pack {
    text: String,
    /// Symbol names.
    names: Vec<String>,
    /// Each variant of a structure: its name, size, and where its members stand in the text.
    variants: Vec<read::Variant>,
    kernels: Vec<read::Entry>,
    images: Vec<ImageVersion>,
    /// Bytes of text that all kernels' layouts are read from.
    work: usize,
}

/// What [`Pack::nearest`] found.
pub struct Nearest<'a> {
    /// Types of the neighbour, and no symbols.
    pub layouts: Layouts,
    /// The neighbour.
    pub kernel: &'a Kernel,
    /// Things that the dump states and the neighbour has otherwise.
    pub disagreements: Vec<Known>,
}

/// The pack that ships with the program.
static BUILT_IN: &[u8] = include_bytes!("../pack/kernels.pack");

impl Pack {
    /// The pack that ships with the program; `None` if a build came without one.
    pub fn built_in() -> Option<&'static Pack> {
        static PACK: OnceLock<Option<Pack>> = OnceLock::new();
        PACK.get_or_init(|| Pack::parse(BUILT_IN).ok()).as_ref()
    }

    /// Every kernel of the pack.
    pub fn kernels(&self) -> impl Iterator<Item = &Kernel> {
        self.kernels.iter().map(|entry| &entry.kernel)
    }

    /// Every image whose version it knows.
    pub fn images(&self) -> &[ImageVersion] {
        &self.images
    }

    /// Layouts and symbols of every kernel, in the order of [`Pack::kernels`].
    pub fn all_layouts(&self) -> impl Iterator<Item = Layouts> {
        self.kernels.iter().map(|entry| self.layouts(entry, true))
    }

    /// Layouts and symbols of this very kernel.
    pub fn exact(&self, id: PdbId) -> Option<(Layouts, &Kernel)> {
        let entry = self.kernels.iter().find(|entry| entry.kernel.id == Some(id))?;
        Some((self.layouts(entry, true), &entry.kernel))
    }

    /// The version of the image with this link time and size.
    pub fn image(&self, architecture: &str, timestamp: u32, size: u32) -> Option<&ImageVersion> {
        let same = |image: &&ImageVersion| {
            image.timestamp == timestamp && image.size == size && image.architecture == architecture
        };
        self.images.iter().find(same)
    }

    /// The kernel of an image: of the same file version, and of the kernels of that version the one that is this file.
    pub fn of_image(&self, image: &ImageVersion) -> Option<(Layouts, &Kernel)> {
        let [_, _, build, revision] = image.version;
        let same = |entry: &&read::Entry| {
            let kernel = &entry.kernel;
            kernel.architecture == image.architecture
                && (kernel.build, kernel.revision) == (build, Some(revision))
                && image.may_be(kernel)
        };
        let entry = self.kernels.iter().find(|entry| same(entry) && entry.kernel.id.is_some())?;
        Some((self.layouts(entry, true), &entry.kernel))
    }

    /// Types of the kernel that is closest: of the same build, agreeing best with what the dump itself states, then
    /// the nearest lower revision, then the nearest higher one. Without a revision: the latest.
    pub fn nearest(
        &self,
        architecture: &str,
        build: u32,
        revision: Option<u32>,
        known: &[Known],
    ) -> Option<Nearest<'_>> {
        let same =
            |entry: &&read::Entry| entry.kernel.architecture == architecture && entry.kernel.build == build;
        let candidates = self.kernels.iter().filter(same);
        let (_, _, entry, disagreements) = candidates
            .map(|entry| {
                let wrong = disagreements(&self.stated(entry, known), known);
                (wrong.len(), distance(entry.kernel.revision, revision), entry, wrong)
            })
            .min_by_key(|(wrong, distance, ..)| (*wrong, *distance))?;
        Some(Nearest { layouts: self.layouts(entry, false), kernel: &entry.kernel, disagreements })
    }
}

impl Pack {
    /// For a kernel whose build nobody knows: of the kernels of other builds the one that agrees best with what the
    /// dump states, cut down to what the dump confirms. Of each structure those members stay that lie no further
    /// than the last one that the dump states at the same place, before the first that it states elsewhere.
    pub fn confirmed(&self, architecture: &str, build: u32, known: &[Known]) -> Option<Nearest<'_>> {
        let candidates = self.kernels.iter().filter(|entry| entry.kernel.architecture == architecture);
        let best =
            candidates.map(|entry| (entry, self.stated(entry, known))).min_by_key(|(entry, layouts)| {
                let wrong = disagreements(layouts, known).len();
                (wrong, entry.kernel.build.abs_diff(build), std::cmp::Reverse(entry.kernel.revision))
            });
        let (entry, mut layouts) = best?;
        layouts.types.retain(|name, layout| {
            let reach = reach(name, layout, known);
            layout.fields.retain(|_, field| field.offset <= reach);
            let size = known.iter().find(|fact| fact.type_name == name && fact.path.is_empty());
            layout.size = size.map_or(0, |fact| fact.value);
            reach > 0
        });
        (!layouts.types.is_empty()).then_some(Nearest {
            layouts,
            kernel: &entry.kernel,
            disagreements: Vec::new(),
        })
    }
}

/// The last offset of a structure up to which everything that the dump states is where the layout has it.
pub(crate) fn reach(name: &str, layout: &crate::Layout, known: &[Known]) -> u32 {
    let stated = known.iter().filter(|fact| fact.type_name == name && !fact.path.is_empty());
    let stated: Vec<(u32, u32)> =
        stated.filter_map(|fact| Some((layout.fields.get(fact.path)?.offset, fact.value))).collect();
    let first_wrong = stated.iter().filter(|(ours, theirs)| ours != theirs).map(|&(a, b)| a.min(b)).min();
    let right = stated.iter().filter(|(ours, theirs)| ours == theirs).map(|&(ours, _)| ours);
    right.filter(|&at| first_wrong.is_none_or(|wrong| at < wrong)).max().unwrap_or(0)
}

/// What a dump states and layouts have otherwise. What the layouts do not know is no disagreement.
pub fn disagreements(layouts: &Layouts, known: &[Known]) -> Vec<Known> {
    let differs = |fact: &&Known| {
        let ours = match fact.path {
            "" => layouts.size(fact.type_name),
            path => layouts.field(fact.type_name, path).map(|field| field.offset),
        };
        ours.is_some_and(|ours| ours != fact.value)
    };
    known.iter().filter(differs).copied().collect()
}

/// Lower revisions first, the nearest of them first; a revision that nobody knows is far away.
fn distance(have: Option<u32>, want: Option<u32>) -> (u8, u32) {
    match (have, want) {
        (Some(have), Some(want)) if have <= want => (0, want - have),
        (Some(have), Some(want)) => (1, have - want),
        (Some(have), None) => (0, u32::MAX - have),
        (None, _) => (2, 0),
    }
}

#[cfg(test)]
mod tests;
