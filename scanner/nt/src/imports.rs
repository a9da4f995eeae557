//! What an image in memory imports: which function of which module, and the place where the loader put its address.
//!
//! Source: Microsoft's PE format document, "The .idata Section".

use crate::{
    exports::text,
    pe::{ImageFacts, directory},
};
use memory::{Space, Va};

/// Modules that an image imports from, and functions of all of them; `ntoskrnl.exe` imports a few hundred functions.
const MOST_MODULES: u32 = 1024;
const MOST_FUNCTIONS: u32 = 0x4000;

/// How a function is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportName {
    /// By name.
    Name(Box<str>),
    /// By ordinal.
    Ordinal(u16),
}

/// A function that an image imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// File name of the module, as the image states it.
    pub module: Box<str>,
    /// Which function.
    pub name: ImportName,
    /// Relative address of its entry in the import address table.
    pub slot: u32,
}

/// What an image imports.
#[derive(Debug, Clone, Default)]
pub struct Imports {
    /// The functions of which the names could be read.
    pub functions: Vec<Import>,
    /// Entries that were looked at for them: what reading them cost.
    pub looked: u32,
}

/// Reads the import directory. Descriptors lie in parts of drivers that Windows discards after their start; what is
/// missing costs what it holds.
pub fn imports(space: Space<'_>, base: Va, facts: &ImageFacts) -> Imports {
    let mut found = Imports::default();
    let (directory, size) = facts.directory(directory::IMPORTS);
    if directory == 0 || size == 0 {
        return found;
    }
    let number = |rva: u32| space.u32(base.checked_add(rva.into())?).ok();
    for index in 0..MOST_MODULES {
        let Some(at) = index.checked_mul(20).and_then(|at| directory.checked_add(at)) else { break };
        let field = |offset: u32| at.checked_add(offset).and_then(number);
        let (Some(names), Some(module), Some(slots)) = (field(0), field(12), field(16)) else { break };
        if module == 0 || slots == 0 {
            break;
        }
        // Old linkers leave the names out; then nothing says what an entry was.
        let module = base.checked_add(module.into()).and_then(|va| text(space, va));
        if let (Some(module), true) = (module, names != 0) {
            functions(space, base, facts, &module, (names, slots), &mut found);
        }
        found.looked += 1;
        if found.looked >= MOST_FUNCTIONS {
            break;
        }
    }
    found
}

fn functions(
    space: Space<'_>,
    base: Va,
    facts: &ImageFacts,
    module: &str,
    (names, slots): (u32, u32),
    found: &mut Imports,
) {
    let width = if facts.wide { 8 } else { 4 };
    let inside = |rva: u32| facts.size.is_none_or(|size| rva.saturating_add(width) <= size);
    for index in 0..MOST_FUNCTIONS.saturating_sub(found.looked) {
        found.looked += 1;
        let at = |first: u32| first.checked_add(index * width).filter(|&rva| inside(rva));
        let (Some(name), Some(slot)) = (at(names), at(slots)) else { return };
        let Some(va) = base.checked_add(name.into()) else { return };
        let value = if facts.wide { space.u64(va).ok() } else { space.u32(va).ok().map(u64::from) };
        let Some(value) = value.filter(|&value| value != 0) else { return };
        let by_ordinal = value >> (width * 8 - 1) == 1;
        let name = if by_ordinal {
            Some(ImportName::Ordinal(value as u16))
        } else {
            // Two bytes of a hint stand in front of the name.
            let va = u32::try_from(value).ok().and_then(|rva| base.checked_add(u64::from(rva) + 2));
            va.and_then(|va| text(space, va)).map(ImportName::Name)
        };
        found.functions.extend(name.map(|name| Import { module: module.into(), name, slot }));
    }
}
