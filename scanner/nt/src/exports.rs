//! Exported functions of an image in memory: the names that are there without any PDB.
//!
//! Source: Microsoft's PE format document, "Export Directory Table".

use crate::pe::ImageFacts;
use memory::{Space, Va};

/// More names than this are not read; `ntoskrnl.exe` has about 3,000.
const MOST: u32 = 0x1_0000;
/// Bytes of a name; decorated C++ names are long.
const LONGEST: usize = 256;

/// The named exports of an image, by relative address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exports(Vec<(u32, Box<str>)>);

impl Exports {
    /// Reads the export directory; forwarded names are no code of this image and are left out. Pages that are missing
    /// cost the names on them.
    pub fn read(space: Space<'_>, base: Va, facts: &ImageFacts) -> Exports {
        Exports::names(space, base, facts).unwrap_or_default().0
    }

    /// The same, `None` unless all of it lies within the directory as linkers write it, each name once: what is read
    /// then depends on the pages of the directory alone, and takes memory in proportion to it.
    pub fn read_within(space: Space<'_>, base: Va, facts: &ImageFacts) -> Option<Exports> {
        let (exports, within) = Exports::names(space, base, facts)?;
        within.then_some(exports)
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn names(space: Space<'_>, base: Va, facts: &ImageFacts) -> Option<(Exports, bool)> {
        let &(directory, length) = facts.directories.first()?;
        let at = |rva: u32, offset: u64| base.checked_add(u64::from(rva) + offset);
        let number = |rva: u32, offset: u64| space.u32(at(rva, offset)?).ok();
        let inside = |rva: u32| facts.size.is_none_or(|size| rva < size);
        let functions = number(directory, 20)?;
        let names = number(directory, 24)?.min(MOST);
        let [addresses, pointers, ordinals] = [28, 32, 36].map(|offset| number(directory, offset));
        let (addresses, pointers, ordinals) = (addresses?, pointers?, ordinals?);
        let ends = |rva: u32, len: u64| {
            u64::from(rva).checked_sub(directory.into()).is_some_and(|at| at + len <= length.into())
        };
        let mut within = ends(addresses, u64::from(functions) * 4)
            && ends(pointers, u64::from(names) * 4)
            && ends(ordinals, u64::from(names) * 2);
        let (mut found, mut texts) = (Vec::new(), 0);
        for index in 0..names {
            let ordinal = at(ordinals, u64::from(index) * 2).and_then(|va| space.u16(va).ok());
            let Some(ordinal) = ordinal.filter(|ordinal| u32::from(*ordinal) < functions) else { continue };
            let Some(rva) = number(addresses, u64::from(ordinal) * 4) else { continue };
            let forwarded = rva.wrapping_sub(directory) < length;
            let pointer = number(pointers, u64::from(index) * 4);
            let name = pointer.and_then(|name| text(space, at(name, 0)?));
            if let (Some(pointer), Some(name)) = (pointer, &name) {
                within &= ends(pointer, name.len() as u64 + 1);
                texts += name.len() as u64;
            }
            if let (false, true, Some(name)) = (forwarded, inside(rva) && rva != 0, name) {
                found.push((rva, name));
            }
        }
        found.sort();
        Some((Exports(found), within && texts <= u64::from(length)))
    }

    /// The nearest export at or below a relative address, and how far below.
    pub fn nearest(&self, rva: u32) -> Option<(&str, u32)> {
        let behind = self.0.partition_point(|(start, _)| *start <= rva);
        let start = self.0.get(behind.checked_sub(1)?)?.0;
        // Of several names of one address the first by alphabet, whatever the order in the file.
        let first = self.0.partition_point(|(other, _)| *other < start);
        self.0.get(first).map(|(start, name)| (&**name, rva - start))
    }
}

/// A name: printable ASCII up to a NUL.
pub(crate) fn text(space: Space<'_>, va: Va) -> Option<Box<str>> {
    let mut bytes = [0; LONGEST];
    // The name may end right before memory that is missing.
    let page = (memory::PAGE_SIZE - va.0 % memory::PAGE_SIZE) as usize;
    let len = match space.read(va, &mut bytes) {
        Ok(()) => LONGEST,
        Err(_) => {
            let len = page.min(LONGEST);
            space.read(va, &mut bytes[..len]).ok()?;
            len
        }
    };
    let end = bytes[..len].iter().position(|byte| *byte == 0)?;
    let name = &bytes[..end];
    let printable = !name.is_empty() && name.iter().all(|byte| (0x21..0x7f).contains(byte));
    printable.then(|| String::from_utf8_lossy(name).into())
}
