//! Everything that an image exports, by name and by ordinal, also what it only forwards: enough to say where an import
//! should lead.
//!
//! Source: Microsoft's PE format document, "Export Directory Table", "Forwarder RVA".

use crate::{
    exports::text,
    imports::ImportName,
    pe::{ImageFacts, directory},
};
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
}

/// Bytes that one function takes, and one name beside its text.
const FUNCTION: u64 = 64;
const NAME: u64 = 48;

impl Exported {
    /// Reads the export directory of an image; `None` if its head is not there. Pages that are missing cost what is on
    /// them. What it takes in memory is taken from `room`; where that is too little the value is `None` and `room` 0:
    /// images may share one directory of many thousand names.
    pub fn read(space: Space<'_>, base: Va, facts: &ImageFacts, room: &mut u64) -> Option<Exported> {
        let (directory, length) = Some(facts.directory(directory::EXPORTS)).filter(|found| found.0 != 0)?;
        let at = |rva: u32, offset: u64| base.checked_add(u64::from(rva) + offset);
        let number = |rva: u32, offset: u64| space.u32(at(rva, offset)?).ok();
        let [first, functions, names] = [16, 20, 24].map(|offset| number(directory, offset));
        let [addresses, pointers, ordinals] = [28, 32, 36].map(|offset| number(directory, offset));
        let (functions, names) = (functions?.min(MOST), names?.min(MOST));
        let (addresses, pointers, ordinals) = (addresses?, pointers?, ordinals?);
        take(room, u64::from(functions) * FUNCTION + u64::from(names) * NAME)?;
        let mut all = Exported { first: first?, ..Exported::default() };
        for index in 0..functions {
            let rva = number(addresses, u64::from(index) * 4).filter(|&rva| rva != 0);
            let target = rva.and_then(|rva| match rva.wrapping_sub(directory) < length {
                true => at(rva, 0).and_then(|va| text(space, va)).map(Target::Forward),
                false => facts.size.is_none_or(|size| rva < size).then_some(Target::Here(rva)),
            });
            match &target {
                Some(Target::Here(rva)) => drop(all.starts.insert(*rva)),
                Some(Target::Forward(to)) => take(room, to.len() as u64)?,
                None => {}
            }
            all.targets.push(target);
        }
        for index in 0..u64::from(names) {
            let ordinal = at(ordinals, index * 2).and_then(|va| space.u16(va).ok());
            let name = number(pointers, index * 4).and_then(|name| text(space, at(name, 0)?));
            let (Some(ordinal), Some(name)) = (ordinal, name) else { continue };
            take(room, name.len() as u64)?;
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

fn take(room: &mut u64, bytes: u64) -> Option<()> {
    let left = room.checked_sub(bytes);
    *room = left.unwrap_or(0);
    left.map(drop)
}
