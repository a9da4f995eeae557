//! Virtual memory as a value: captured blocks, or physical memory and a paging root.

use crate::{
    addr::{PAGE_SIZE, Pa, Va},
    bytes::slice,
    error::Fault,
    image::Image,
    paging::{Entry, Mapped, Pages, PagingMode, Software, Walk},
    runs::VirtRuns,
};
use std::borrow::Cow;

/// An address space. Cheap to copy, `Sync`.
#[derive(Clone, Copy)]
pub struct Space<'a> {
    kind: Kind<'a>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Captured { file: &'a [u8], runs: &'a VirtRuns },
    Paged(Walk<'a>),
}

impl<'a> Space<'a> {
    /// The blocks of a triage dump or user minidump.
    pub fn captured(file: &'a [u8], runs: &'a VirtRuns) -> Space<'a> {
        Space { kind: Kind::Captured { file, runs } }
    }

    /// Physical memory seen through the page tables at `root` (CR3, or both TTBRs of ARM64).
    pub fn paged(image: Image<'a>, root: Pa, mode: PagingMode) -> Space<'a> {
        let walk = Walk { image, root, user_root: None, mode, software: Software::default() };
        Space { kind: Kind::Paged(walk) }
    }

    /// The same with the build known, which decides how page-file entries are read.
    pub fn with_build(mut self, build: u32) -> Space<'a> {
        if let Kind::Paged(walk) = &mut self.kind {
            walk.software.build = Some(build);
        }
        self
    }

    /// The same with `MiState.Hardware.InvalidPteMask` known, which undoes swizzled entries.
    pub fn with_invalid_pte_mask(mut self, mask: u64) -> Space<'a> {
        if let Kind::Paged(walk) = &mut self.kind {
            walk.software.invalid_mask = Some(mask);
        }
        self
    }

    /// The same with a root of its own for the user half (TTBR0 of ARM64).
    pub fn with_user_root(mut self, root: Pa) -> Space<'a> {
        if let Kind::Paged(walk) = &mut self.kind {
            walk.user_root = Some(root);
        }
        self
    }

    /// The leaf entry for `va`.
    pub fn entry(&self, va: Va) -> Result<Entry, Fault> {
        match &self.kind {
            Kind::Paged(walk) => walk.entry(va),
            Kind::Captured { file, runs } => Err(match covered(file, runs, va, 1) {
                Ok(_) => Fault::NoPhysical(va),
                Err(fault) => fault,
            }),
        }
    }

    /// The physical address of `va`. Whether the page is in the dump, reading tells.
    pub fn translate(&self, va: Va) -> Result<Pa, Fault> {
        let entry = self.entry(va)?;
        Ok(Pa(entry.pa.0 + va.0 % entry.size))
    }

    /// Fills `out` from `va` on. On a fault the front of `out` may have been written.
    pub fn read(&self, va: Va, out: &mut [u8]) -> Result<(), Fault> {
        let mut done = 0;
        while done < out.len() {
            let at = va.checked_add(done as u64).ok_or(Fault::NonCanonical(va))?;
            let piece = self.piece(at, out.len() - done)?;
            out[done..done + piece.len()].copy_from_slice(piece);
            done += piece.len();
        }
        Ok(())
    }

    /// `len` bytes at `va`, without a copy where they lie together in the file.
    pub fn bytes(&self, va: Va, len: usize) -> Result<Cow<'a, [u8]>, Fault> {
        if len == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let first = self.piece(va, len)?;
        if first.len() == len {
            return Ok(Cow::Borrowed(first));
        }
        // Grows as far as memory really goes, so that an absurd `len` costs nothing.
        let mut bytes = first.to_vec();
        while bytes.len() < len {
            let at = va.checked_add(bytes.len() as u64).ok_or(Fault::NonCanonical(va))?;
            bytes.extend_from_slice(self.piece(at, len - bytes.len())?);
        }
        Ok(Cow::Owned(bytes))
    }

    /// As many bytes from `va` on, at most `len` and at least one, as lie together.
    fn piece(&self, va: Va, len: usize) -> Result<&'a [u8], Fault> {
        match &self.kind {
            Kind::Captured { file, runs } => covered(file, runs, va, len),
            Kind::Paged(walk) => {
                let in_page = (PAGE_SIZE - va.0 % PAGE_SIZE) as usize;
                walk.image.bytes(self.translate(va)?, in_page.min(len))
            }
        }
    }

    /// A little-endian integer of 4 bytes.
    pub fn u32(&self, va: Va) -> Result<u32, Fault> {
        let mut bytes = [0; 4];
        self.read(va, &mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    /// A little-endian integer of 8 bytes.
    pub fn u64(&self, va: Va) -> Result<u64, Fault> {
        let mut bytes = [0; 8];
        self.read(va, &mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    /// The pages that the tables name, in ascending order; nothing for captured blocks, whose
    /// [`VirtRuns`] are the list.
    pub fn pages(&self) -> SpacePages<'a> {
        match self.kind {
            Kind::Paged(walk) => SpacePages(Some(walk.pages())),
            Kind::Captured { .. } => SpacePages(None),
        }
    }
}

/// Iterates over the pages of a [`Space`].
pub struct SpacePages<'a>(Option<Pages<'a>>);

impl SpacePages<'_> {
    /// True when the iteration ended because damaged tables refer to each other without end.
    pub fn truncated(&self) -> bool {
        self.0.as_ref().is_some_and(Pages::truncated)
    }
}

impl Iterator for SpacePages<'_> {
    type Item = Mapped;

    fn next(&mut self) -> Option<Mapped> {
        self.0.as_mut()?.next()
    }
}

/// The bytes from `va` on in one captured block, at most `len` and at least one.
fn covered<'a>(file: &'a [u8], runs: &VirtRuns, va: Va, len: usize) -> Result<&'a [u8], Fault> {
    let run = runs.find(va).ok_or(Fault::NotCaptured(va))?;
    let within = va.0 - run.start.0;
    let offset = run.offset.checked_add(within).ok_or(Fault::CapturedBeyondEnd(va))?;
    let left = (file.len() as u64).saturating_sub(offset).min(run.len - within);
    match slice(file, offset, left.min(len as u64)) {
        Some(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(Fault::CapturedBeyondEnd(va)),
    }
}
