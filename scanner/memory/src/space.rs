//! Virtual memory as a value: captured blocks, or physical memory and a paging root.
//! (stub: filled in by the paging task)
use crate::{
    addr::{Pa, Va},
    error::Fault,
    image::Image,
    paging::PagingMode,
    runs::VirtRuns,
};

/// An address space.
#[derive(Clone, Copy)]
pub struct Space<'a> {
    kind: Kind<'a>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Captured { file: &'a [u8], runs: &'a VirtRuns },
    Paged { image: Image<'a>, root: Pa, mode: PagingMode },
}

impl<'a> Space<'a> {
    /// The blocks of a triage dump or user minidump.
    pub fn captured(file: &'a [u8], runs: &'a VirtRuns) -> Space<'a> {
        Space { kind: Kind::Captured { file, runs } }
    }
    /// Physical memory seen through the page tables at `root`.
    pub fn paged(image: Image<'a>, root: Pa, mode: PagingMode) -> Space<'a> {
        Space { kind: Kind::Paged { image, root, mode } }
    }
    /// Fills `out` from `va` on.
    pub fn read(&self, va: Va, _out: &mut [u8]) -> Result<(), Fault> {
        match self.kind {
            Kind::Captured { file, runs } => {
                let _ = (file, runs);
            }
            Kind::Paged { image, root, mode } => {
                let _ = (image, root, mode);
            }
        }
        Err(Fault::NotMapped(va))
    }
}
