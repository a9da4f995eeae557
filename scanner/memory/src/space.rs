//! Virtual memory as a value: captured blocks, or physical memory and a paging root.

use crate::{
    addr::{PAGE_SIZE, Pa, Va},
    bytes::{slice, utf16_lossy},
    error::Fault,
    image::Image,
    paging::{Entry, Pages, PagingMode, Software, SoftwareFormat, Walk},
    runs::{VirtRun, VirtRuns},
};
use std::{borrow::Cow, slice::Iter};

#[cfg(test)]
mod tests;

/// An address space. Cheap to copy, `Sync`.
#[derive(Clone, Copy)]
pub struct Space<'a> {
    kind: Kind<'a>,
    /// Pointers have 8 bytes, not 4.
    wide: bool,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Captured { file: &'a [u8], runs: &'a VirtRuns },
    Paged(Walk<'a>),
}

impl<'a> Space<'a> {
    /// The blocks of a triage dump or user minidump. Pointers are taken to have 8 bytes.
    pub fn captured(file: &'a [u8], runs: &'a VirtRuns) -> Space<'a> {
        Space { kind: Kind::Captured { file, runs }, wide: true }
    }

    /// Bytes of a pointer: 4 or 8.
    pub fn pointer_size(&self) -> u32 {
        if self.wide { 8 } else { 4 }
    }

    /// No memory at all, with pointers of 8 bytes.
    pub fn nothing() -> Space<'a> {
        static NO_RUNS: VirtRuns = VirtRuns::none();
        Space::captured(&[], &NO_RUNS)
    }

    /// Physical memory seen through the page tables at `root` (CR3, or both TTBRs of ARM64).
    pub fn paged(image: Image<'a>, root: Pa, mode: PagingMode) -> Space<'a> {
        let walk = Walk { image, root, user_root: None, mode, software: Software::default() };
        Space { kind: Kind::Paged(walk), wide: !matches!(mode, PagingMode::X86 | PagingMode::X86Pae) }
    }

    /// The same with pointers of 4 bytes: captured blocks of a 32-bit system, or of a WOW64 process.
    pub fn with_narrow_pointers(mut self) -> Space<'a> {
        self.wide = false;
        self
    }

    /// The same with the build known, which decides how page-file entries are read while their format is not known.
    pub fn with_build(mut self, build: u32) -> Space<'a> {
        if let Kind::Paged(walk) = &mut self.kind {
            walk.software.build = Some(build);
        }
        self
    }

    /// The same with the format of software entries known by the kernel's layouts. It is taken for what it is: whoever
    /// calls sees to it that it is of entries of this paging mode.
    pub fn with_software_format(mut self, format: SoftwareFormat) -> Space<'a> {
        if let Kind::Paged(walk) = &mut self.kind {
            walk.software.format = Some(format);
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

    /// Whether it is made of blocks that a small dump captured, and not of pages.
    pub fn is_captured(&self) -> bool {
        matches!(self.kind, Kind::Captured { .. })
    }

    /// The physical address of `va`. Whether the page is in the dump, reading tells.
    pub fn translate(&self, va: Va) -> Result<Pa, Fault> {
        Ok(self.entry(va)?.at(va))
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

    /// `len` bytes at `va`, without a copy where they lie together in the file, be it over many pages.
    pub fn bytes(&self, va: Va, len: usize) -> Result<Cow<'a, [u8]>, Fault> {
        if len == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let first = self.piece(va, len)?;
        if first.len() == len {
            return Ok(Cow::Borrowed(first));
        }
        match self.together(va, len) {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => self.copied(va, len, first).map(Cow::Owned),
        }
    }

    /// `len` bytes of consecutive pages that are consecutive in one physical run too.
    fn together(&self, va: Va, len: usize) -> Option<&'a [u8]> {
        let Kind::Paged(walk) = &self.kind else { return None };
        let start = walk.entry(va).ok()?.at(va);
        let bytes = walk.image.bytes(start, len).ok()?;
        let mut covered = 0;
        while covered < len as u64 {
            let at = va.checked_add(covered)?;
            let entry = walk.entry(at).ok()?;
            if start.checked_add(covered) != Some(entry.at(at)) {
                return None;
            }
            covered += entry.size - at.0 % entry.size;
        }
        Some(bytes)
    }

    /// Grows as far as memory really goes, so that an absurd `len` costs nothing; and no further than the
    /// file is long, since tables can map one page a billion times.
    fn copied(&self, va: Va, len: usize, first: &[u8]) -> Result<Vec<u8>, Fault> {
        let most = match &self.kind {
            Kind::Captured { file, .. } => file.len(),
            Kind::Paged(walk) => walk.image.file_size(),
        };
        let mut bytes = first.to_vec();
        while bytes.len() < len {
            let at = va.checked_add(bytes.len() as u64).ok_or(Fault::NonCanonical(va))?;
            bytes.extend_from_slice(self.piece(at, len - bytes.len())?);
            if bytes.len() > most {
                return Err(Fault::TooLong(va));
            }
        }
        Ok(bytes)
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

    /// A little-endian integer of 2 bytes.
    pub fn u16(&self, va: Va) -> Result<u16, Fault> {
        let mut bytes = [0; 2];
        self.read(va, &mut bytes).map(|()| u16::from_le_bytes(bytes))
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

    /// A pointer, of the size that pointers of this space have.
    pub fn pointer(&self, va: Va) -> Result<Va, Fault> {
        if self.wide { self.u64(va).map(Va) } else { self.u32(va).map(|low| Va(low.into())) }
    }

    /// UTF-16 text of `len` bytes or up to its NUL; what cannot be decoded becomes U+FFFD.
    pub fn utf16(&self, va: Va, len: usize) -> Result<String, Fault> {
        self.bytes(va, len).map(|bytes| utf16_lossy(&bytes))
    }

    /// The pages that the tables name, or the captured blocks, in ascending order of address. Whether a
    /// page is in the dump, reading tells. The window in which Windows maps the tables themselves is left out.
    pub fn pages(&self) -> SpacePages<'a> {
        self.pages_from(Va(0))
    }

    /// The same, without those that lie wholly below `first`.
    pub fn pages_from(&self, first: Va) -> SpacePages<'a> {
        SpacePages(match self.kind {
            Kind::Paged(walk) => Source::Paged(Pages::from(walk, first)),
            Kind::Captured { runs, .. } => {
                let runs = runs.as_slice();
                let below = runs.partition_point(|run| run.start.0.saturating_add(run.len) <= first.0);
                Source::Captured(runs.get(below..).unwrap_or_default().iter())
            }
        })
    }
}

/// A page or captured block of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// First address.
    pub va: Va,
    /// Length in bytes.
    pub size: u64,
    /// The leaf that leads to the page, `None` for a captured block.
    pub entry: Option<Entry>,
}

/// Iterates over the pages or captured blocks of a [`Space`].
pub struct SpacePages<'a>(Source<'a>);

enum Source<'a> {
    Paged(Pages<'a>),
    Captured(Iter<'a, VirtRun>),
}

impl SpacePages<'_> {
    /// True when the iteration ended because damaged tables share tables without end.
    pub fn truncated(&self) -> bool {
        match &self.0 {
            Source::Paged(pages) => pages.truncated(),
            Source::Captured(_) => false,
        }
    }
}

impl Iterator for SpacePages<'_> {
    type Item = Mapped;

    fn next(&mut self) -> Option<Mapped> {
        match &mut self.0 {
            Source::Paged(pages) => {
                pages.next().map(|(va, entry)| Mapped { va, size: entry.size, entry: Some(entry) })
            }
            Source::Captured(runs) => {
                runs.next().map(|run| Mapped { va: run.start, size: run.len, entry: None })
            }
        }
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
