//! The bytes of an image: of the dump, and where it has none, of the image's file.

use memory::{Space, Va, VirtRun, VirtRuns};
use nt::{image_facts, symbols::Provider};
use std::sync::{Arc, OnceLock};
use unwind::Memory;

/// Most sections of a file.
const MOST_SECTIONS: usize = 96;

/// An image file laid out as it is loaded. Its addresses are not relocated: what unwinding and the decoding of calls
/// read is relative.
pub struct ImageFile {
    bytes: Arc<Vec<u8>>,
    runs: VirtRuns,
}

impl ImageFile {
    /// The file at the address where its image is loaded.
    pub fn new(bytes: Arc<Vec<u8>>, base: u64) -> Option<ImageFile> {
        let runs = VirtRuns::new(pieces(&bytes, base)?).0;
        Some(ImageFile { bytes, runs })
    }

    /// Its bytes by address.
    pub fn space(&self) -> Space<'_> {
        Space::captured(&self.bytes, &self.runs)
    }
}

/// The headers and the sections.
fn pieces(bytes: &[u8], base: u64) -> Option<Vec<VirtRun>> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?));
    let run = |rva: u32, len: u32, offset: u32| {
        let len = u64::from(len).min((bytes.len() as u64).saturating_sub(offset.into()));
        let start = Va(base.checked_add(rva.into())?);
        (len > 0).then_some(VirtRun { start, len, offset: offset.into(), source: "image file" })
    };
    let pe = u32_at(0x3c)? as usize;
    let (count, optional) = (u16_at(pe + 6)?, u16_at(pe + 20)?);
    let table = pe + 24 + usize::from(optional);
    let mut found: Vec<VirtRun> = run(0, u32_at(pe + 24 + 60)?, 0).into_iter().collect();
    for section in (0..usize::from(count).min(MOST_SECTIONS)).map(|n| table + n * 40) {
        let (virtual_size, rva) = (u32_at(section + 8)?, u32_at(section + 12)?);
        let (size, offset) = (u32_at(section + 16)?, u32_at(section + 20)?);
        found.extend(run(rva, size.min(virtual_size.max(1)), offset));
    }
    Some(found)
}

/// Of which image the file is wanted.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// Who may have it.
    pub provider: &'a dyn Provider,
    /// Link time, where the loader's list states it.
    pub timestamp: Option<u32>,
}

/// The dump's memory over the file, which is looked for when the dump lacks something.
pub struct Layers<'a> {
    /// The dump's memory.
    pub space: Space<'a>,
    /// Name, first address, size.
    pub image: (String, u64, u64),
    /// Who has files; nobody: the dump is all there is.
    pub origin: Option<Origin<'a>>,
    /// The file, once it was looked for, or what went wrong.
    pub looked: OnceLock<Result<Option<ImageFile>, String>>,
}

impl Layers<'_> {
    /// The file, if there is one.
    pub fn file(&self) -> Option<&ImageFile> {
        self.looked.get_or_init(|| self.look()).as_ref().ok()?.as_ref()
    }

    /// What went wrong when it was looked for.
    pub fn problem(&self) -> Option<&str> {
        self.looked.get()?.as_ref().err().map(String::as_str)
    }

    fn look(&self) -> Result<Option<ImageFile>, String> {
        let (name, base, size) = &self.image;
        let (Some(origin), Ok(size)) = (self.origin, u32::try_from(*size)) else { return Ok(None) };
        let by_headers = image_facts(self.space, Va(*base)).and_then(|facts| facts.timestamp);
        let Some(timestamp) = by_headers.or(origin.timestamp) else { return Ok(None) };
        let bytes = origin.provider.image(name, timestamp, size).map_err(|e| e.to_string())?;
        Ok(bytes.and_then(|bytes| ImageFile::new(Arc::new(bytes), *base)))
    }
}

impl Memory for Layers<'_> {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        self.space.read(Va(va), out).is_ok()
            || self.file().is_some_and(|file| file.space().read(Va(va), out).is_ok())
    }

    /// A page that no page table leads to is lacking as a whole; captured blocks and files begin and end anywhere.
    fn lacks_page(&self, page: u64) -> bool {
        let space = &self.space;
        !space.is_captured() && space.read(Va(page), &mut [0]).is_err() && self.file().is_none()
    }
}
