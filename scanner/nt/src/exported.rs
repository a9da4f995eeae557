//! Everything that an image exports, by name and by ordinal, also what it only forwards: enough to say where an import
//! should lead.
//!
//! Source: Microsoft's PE format document, "Export Directory Table", "Forwarder RVA".

use crate::{exports::text, imports::ImportName, pe::ImageFacts};
use memory::{Space, Va};
use std::collections::{BTreeSet, HashMap};

/// Functions and names that are read; `ntoskrnl.exe` has about 3,000.
const MOST: u32 = 0x1_0000;

/// Where an export leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into the image, relative.
    Here(u32),
    /// To another module: `NTOSKRNL.IoCallDriver` or `NTOSKRNL.#12`.
    Forward(Box<str>),
}

/// The exports of an image.
#[derive(Debug, Clone, Default)]
pub struct Exported {
    /// Ordinal of the first function.
    first: u32,
    names: HashMap<Box<str>, u32>,
    /// By ordinal; `None` where it is not in the dump or leads nowhere.
    targets: Vec<Option<Target>>,
    starts: BTreeSet<u32>,
    /// Bytes of text that are kept.
    pub bytes: u64,
}

impl Exported {
    /// Reads the export directory of an image, names of at most so many bytes together; `None` if its head is not
    /// there. Pages that are missing cost what is on them.
    pub fn read(space: Space<'_>, base: Va, facts: &ImageFacts, room: u64) -> Option<Exported> {
        let &(directory, length) = facts.directories.first().filter(|directory| directory.0 != 0)?;
        let at = |rva: u32, offset: u64| base.checked_add(u64::from(rva) + offset);
        let number = |rva: u32, offset: u64| space.u32(at(rva, offset)?).ok();
        let [first, functions, names] = [16, 20, 24].map(|offset| number(directory, offset));
        let [addresses, pointers, ordinals] = [28, 32, 36].map(|offset| number(directory, offset));
        let (functions, names) = (functions?.min(MOST), names?.min(MOST));
        let (addresses, pointers, ordinals) = (addresses?, pointers?, ordinals?);
        let mut all = Exported { first: first?, ..Exported::default() };
        for index in 0..functions {
            let rva = number(addresses, u64::from(index) * 4).filter(|&rva| rva != 0);
            let target = rva.and_then(|rva| match rva.wrapping_sub(directory) < length {
                true => at(rva, 0).and_then(|va| text(space, va)).map(Target::Forward),
                false => facts.size.is_none_or(|size| rva < size).then_some(Target::Here(rva)),
            });
            match &target {
                Some(Target::Here(rva)) => drop(all.starts.insert(*rva)),
                Some(Target::Forward(to)) => all.bytes += to.len() as u64,
                None => {}
            }
            all.targets.push(target);
            if all.bytes > room {
                return None;
            }
        }
        for index in 0..u64::from(names) {
            let ordinal = at(ordinals, index * 2).and_then(|va| space.u16(va).ok());
            let name = number(pointers, index * 4).and_then(|name| text(space, at(name, 0)?));
            let (Some(ordinal), Some(name)) = (ordinal, name) else { continue };
            all.bytes += name.len() as u64;
            if all.bytes > room {
                return None;
            }
            all.names.insert(name, ordinal.into());
        }
        Some(all)
    }

    /// Where an export leads; `None` if there is none or it is not in the dump.
    pub fn target(&self, name: &ImportName) -> Option<&Target> {
        let index = match name {
            ImportName::Name(name) => *self.names.get(name)?,
            ImportName::Ordinal(ordinal) => u32::from(*ordinal).checked_sub(self.first)?,
        };
        self.targets.get(index as usize)?.as_ref()
    }

    /// Whether an export begins at a relative address.
    pub fn begins(&self, rva: u32) -> bool {
        self.starts.contains(&rva)
    }

    /// Relative addresses where exports begin, ascending.
    pub fn starts(&self) -> impl Iterator<Item = u32> + '_ {
        self.starts.iter().copied()
    }
}
