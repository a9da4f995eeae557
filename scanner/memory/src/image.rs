//! Physical memory: bytes at a physical address, as slices of the map, without a copy.

use crate::addr::{PAGE_SIZE, Pa, Pfn};
use crate::bytes::slice;
use crate::error::Fault;
use crate::runs::PhysRuns;

/// The physical memory of one dump. Cheap to copy, `Sync`.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    file: &'a [u8],
    runs: &'a PhysRuns,
    dump: Option<u64>,
}

impl<'a> Image<'a> {
    /// Physical memory described by `runs`, whose offsets point into `file`.
    pub fn new(file: &'a [u8], runs: &'a PhysRuns) -> Image<'a> {
        Image { file, runs, dump: None }
    }

    /// That of an open dump, which has a number that no other has while this program runs: what is known of it may be
    /// kept under that number.
    pub(crate) fn of_dump(self, number: u64) -> Image<'a> {
        Image { dump: Some(number), ..self }
    }

    /// The number of the dump, if it is one.
    pub(crate) fn dump(&self) -> Option<u64> {
        self.dump
    }

    /// `len` bytes at `pa` as one slice. They must lie in one run: within a page they always do.
    pub fn bytes(&self, pa: Pa, len: usize) -> Result<&'a [u8], Fault> {
        let run = self.runs.find(pa.pfn()).ok_or(Fault::NotInDump(pa))?;
        let within = pa.0 - run.first.0 * PAGE_SIZE;
        if run.count.saturating_mul(PAGE_SIZE) - within < len as u64 {
            return Err(Fault::NotInDump(Pa((run.first.0 + run.count) * PAGE_SIZE)));
        }
        let offset = run.offset.checked_add(within).ok_or(Fault::BeyondEnd(pa))?;
        slice(self.file, offset, len as u64).ok_or(Fault::BeyondEnd(pa))
    }

    /// A whole page frame.
    pub fn page(&self, pfn: Pfn) -> Result<&'a [u8; 0x1000], Fault> {
        let pa = pfn.pa().ok_or(Fault::NotInDump(Pa(u64::MAX)))?;
        let bytes = self.bytes(pa, PAGE_SIZE as usize)?;
        bytes.try_into().map_err(|_| Fault::BeyondEnd(pa))
    }

    /// Fills `out` from `pa` on, across runs. On a fault the front of `out` may have been written.
    pub fn read(&self, pa: Pa, out: &mut [u8]) -> Result<(), Fault> {
        let mut done = 0;
        while done < out.len() {
            let at = pa.checked_add(done as u64).ok_or(Fault::NotInDump(pa))?;
            let in_page = (PAGE_SIZE - at.0 % PAGE_SIZE) as usize;
            let len = in_page.min(out.len() - done);
            out[done..done + len].copy_from_slice(self.bytes(at, len)?);
            done += len;
        }
        Ok(())
    }

    /// A little-endian integer of 4 bytes.
    pub fn u32(&self, pa: Pa) -> Result<u32, Fault> {
        let bytes = self.bytes(pa, 4)?;
        Ok(bytes.try_into().map_or(0, u32::from_le_bytes))
    }

    /// A little-endian integer of 8 bytes.
    pub fn u64(&self, pa: Pa) -> Result<u64, Fault> {
        let bytes = self.bytes(pa, 8)?;
        Ok(bytes.try_into().map_or(0, u64::from_le_bytes))
    }

    /// Bytes of the file that the runs point into.
    pub(crate) fn file_size(&self) -> usize {
        self.file.len()
    }

    /// Number of frames that the file really holds: the bound of whatever grows with memory.
    pub fn frames_in_file(&self) -> u64 {
        self.runs.bytes_in(self.file.len() as u64).min(self.file.len() as u64) / PAGE_SIZE
    }

    /// The runs of frames, ascending.
    pub fn runs(&self) -> &'a PhysRuns {
        self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::PhysRun;

    #[test]
    fn absent_and_truncated_are_told_apart() {
        let file = vec![7u8; 0x2800];
        let (runs, _) = PhysRuns::new(vec![PhysRun { first: Pfn(16), count: 3, offset: 0 }]);
        let image = Image::new(&file, &runs);
        assert_eq!(image.page(Pfn(17)).map(|page| page[0]), Ok(7));
        assert_eq!(image.bytes(Pa(0x12000), 0x800).map(<[u8]>::len), Ok(0x800));
        assert_eq!(image.page(Pfn(18)), Err(Fault::BeyondEnd(Pa(0x12000))));
        assert_eq!(image.page(Pfn(19)), Err(Fault::NotInDump(Pa(0x13000))));
        assert_eq!(image.page(Pfn(u64::MAX)), Err(Fault::NotInDump(Pa(u64::MAX))));
        assert_eq!(image.bytes(Pa(0x12fff), 2), Err(Fault::NotInDump(Pa(0x13000))));
        let mut out = [0; 0x1800];
        assert_eq!(image.read(Pa(0x11000), &mut out), Ok(()));
        assert_eq!(image.read(Pa(u64::MAX), &mut out), Err(Fault::NotInDump(Pa(u64::MAX))));
    }
}
