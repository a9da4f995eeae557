//! Images with code of two architectures (ARM64EC, ARM64X): which is where, and which table describes it.
//!
//! The load configuration points at metadata whose code map says for each range of the image what its code is. The
//! exception directory describes code of the architecture that the image's header names; the "extra" table describes
//! the other one's. Source: the metadata's layout as LIEF reads it (`MetadataARM64.cpp`); no such binary was at hand to
//! try it on.

use crate::{Image, MACHINE_AMD64, MACHINE_ARM64, MACHINE_ARM64EC, MACHINE_I386, Why};

/// What the code in a range is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Plain ARM64.
    Arm64,
    /// ARM64 with the calling convention of x64.
    Arm64Ec,
    /// x64.
    X64,
}

/// An image that holds code of both architectures.
#[derive(Clone, Copy)]
pub struct Hybrid<'a> {
    image: Image<'a>,
    /// RVA of the code map and its entries.
    map: (u32, u32),
    /// RVA of the other architecture's exception table and its bytes.
    extra: (u32, u32),
}

/// `IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG`
const LOAD_CONFIG: u32 = 10;
/// Offset of `IMAGE_LOAD_CONFIG_DIRECTORY64.CHPEMetadataPointer`
const METADATA: u32 = 0xc8;
/// Offset of `IMAGE_LOAD_CONFIG_DIRECTORY32.CHPEMetadataPointer`
const METADATA32: u32 = 0x7c;

/// Whether an x86 image holds ARM64 code beside (CHPE): its load configuration points at metadata.
pub fn is_chpe(image: &Image<'_>) -> Result<bool, Why> {
    let Some(config) = load_config(image, 0x10b, 92)? else { return Ok(false) };
    if image.machine != MACHINE_I386 || image.u32(config)? < METADATA32 + 4 {
        return Ok(false);
    }
    Ok(image.u32(config.checked_add(METADATA32).ok_or(BEYOND)?)? != 0)
}

impl<'a> Hybrid<'a> {
    /// Reads the metadata of an image; `None` if it has none: all of its code is of one architecture.
    pub fn open(image: &Image<'a>) -> Result<Option<Hybrid<'a>>, Why> {
        if ![MACHINE_AMD64, MACHINE_ARM64].contains(&image.machine) {
            return Ok(None);
        }
        let Some(at) = metadata(image)? else { return Ok(None) };
        let word = |index: u32| image.u32(at.checked_add(4 * index).ok_or(BEYOND)?);
        Ok(Some(Hybrid { image: *image, map: (word(1)?, word(2)?), extra: (word(16)?, word(17)?) }))
    }

    /// What the code at an RVA is; `None` if the map does not say.
    pub fn code(&self, rva: u32) -> Result<Option<Code>, Why> {
        let (map, count) = self.map;
        let entry = |index: u32| map.checked_add(index.checked_mul(8).ok_or(BEYOND)?).ok_or(BEYOND);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.image.u32(entry(middle)?)? & !3 <= rva {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(index) = low.checked_sub(1) else { return Ok(None) };
        let (start, length) = (self.image.u32(entry(index)?)?, self.image.u32(entry(index)? + 4)?);
        if rva - (start & !3) >= length {
            return Ok(None);
        }
        match start & 3 {
            0 => Ok(Some(Code::Arm64)),
            1 => Ok(Some(Code::Arm64Ec)),
            2 => Ok(Some(Code::X64)),
            _ => Err(Why::BadUnwindData("a code map with an unknown kind")),
        }
    }

    /// The image with the table that describes such code.
    pub fn image(&self, code: Code) -> Image<'a> {
        let own = if self.image.machine == MACHINE_AMD64 { code == Code::X64 } else { code != Code::X64 };
        let (table, size) = if own { (self.image.table, self.image.table_size) } else { self.extra };
        let machine = match code {
            Code::Arm64 => MACHINE_ARM64,
            Code::Arm64Ec => MACHINE_ARM64EC,
            Code::X64 => MACHINE_AMD64,
        };
        let mut image = self.image.with_table(table, size);
        image.machine = machine;
        image
    }
}

const BEYOND: Why = Why::BadUnwindData("hybrid metadata beyond the image");

/// RVA of the metadata. The pointer is an address: where the image is loaded, or in a file where it would like to be.
fn metadata(image: &Image) -> Result<Option<u32>, Why> {
    let Some(config) = load_config(image, 0x20b, 108)? else { return Ok(None) };
    if image.u32(config)? < METADATA + 8 {
        return Ok(None);
    }
    let pointer = image.u64(config.checked_add(METADATA).ok_or(BEYOND)?)?;
    if pointer == 0 {
        return Ok(None);
    }
    let optional = image.u32(0x3c)?.checked_add(24).ok_or(BEYOND)?;
    let mut preferred = *image;
    preferred.base = image.u64(optional.checked_add(24).ok_or(BEYOND)?)?;
    image.rva(pointer).or(preferred.rva(pointer)).map(Some).ok_or(BEYOND)
}

/// RVA of the load configuration of an image whose optional header is of a kind and has the number of its directories
/// at an offset; `None` if it has none.
fn load_config(image: &Image, kind: u16, directories: u32) -> Result<Option<u32>, Why> {
    let optional = image.u32(0x3c)?.checked_add(24).ok_or(BEYOND)?;
    let field = |offset: u32| optional.checked_add(offset).ok_or(BEYOND);
    if image.u16(optional)? != kind || image.u32(field(directories)?)? <= LOAD_CONFIG {
        return Ok(None);
    }
    let config = image.u32(field(directories + 4 + 8 * LOAD_CONFIG)?)?;
    Ok((config != 0).then_some(config))
}
