//! An image file laid out as the loader would: sections of the file at their RVAs.

use crate::Memory;

/// Most sections that are looked at; the loader of Windows takes no more.
const MOST_SECTIONS: usize = 96;

/// The bytes of an image file, readable at the addresses they would have when loaded at `base`. Relocations are not
/// applied: unwind data holds RVAs only.
pub struct ImageFile<'a> {
    bytes: &'a [u8],
    base: u64,
    sections: Vec<Section>,
}

/// A piece of the file and where it goes.
struct Section {
    rva: u64,
    len: u64,
    offset: usize,
    filled: u64,
}

impl<'a> ImageFile<'a> {
    /// Parses the section table of an image file; `None` if it has none.
    pub fn parse(bytes: &'a [u8], base: u64) -> Option<ImageFile<'a>> {
        let pe = u32_at(bytes, 0x3c)? as usize;
        if bytes.get(..2)? != b"MZ" || bytes.get(pe..pe.checked_add(4)?)? != b"PE\0\0" {
            return None;
        }
        let optional = pe + 24;
        let table = optional + usize::from(u16_at(bytes, pe + 20)?);
        let headers = u64::from(u32_at(bytes, optional + 60)?);
        let count = usize::from(u16_at(bytes, pe + 6)?).min(MOST_SECTIONS);
        let mut sections = vec![Section { rva: 0, len: headers, offset: 0, filled: headers }];
        for at in (0..count).map(|index| table + 40 * index) {
            let word = |offset| u32_at(bytes, at + offset).map(u64::from);
            let (size, rva, raw, offset) = (word(8)?, word(12)?, word(16)?, word(20)? as usize);
            sections.push(Section { rva, len: size.max(1).next_multiple_of(0x1000), offset, filled: raw });
        }
        Some(ImageFile { bytes, base, sections })
    }
}

impl Memory for ImageFile<'_> {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let Some(rva) = va.checked_sub(self.base) else { return false };
        let holds = |s: &&Section| rva >= s.rva && rva - s.rva < s.len;
        let Some(section) = self.sections.iter().find(holds) else { return false };
        let at = rva - section.rva;
        if out.len() as u64 > section.len - at {
            return false;
        }
        out.fill(0); // what the file does not fill is zero
        let filled = (section.filled.saturating_sub(at)).min(out.len() as u64) as usize;
        let Some(start) = section.offset.checked_add(at as usize) else { return false };
        match self.bytes.get(start..start.saturating_add(filled)) {
            Some(bytes) => out[..filled].copy_from_slice(bytes),
            None => return false,
        }
        true
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
