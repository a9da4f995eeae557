//! What readers of memory want from a symbol source, and what they get: flat offsets.

use crate::{PdbId, Profile};
use std::collections::HashMap;

/// Where a member of a structure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    /// Offset from the start of the structure in bytes.
    pub offset: u32,
    /// Size in bytes; for a bit field, of the integer that holds it.
    pub size: u32,
    /// First bit and number of bits of a bit field.
    pub bits: Option<(u8, u8)>,
}

/// The members that somebody wants of one structure. A member is a path; of several names for one thing
/// (`WoW64Process`, later `Wow64Process`) every one is listed.
#[derive(Debug, Clone, Copy)]
pub struct WantedType {
    /// The structure, such as `_EPROCESS`.
    pub name: &'static str,
    /// Paths of its members.
    pub fields: &'static [&'static str],
}

/// All that is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Structures; one name may occur several times.
    pub types: Vec<WantedType>,
    /// Symbols.
    pub symbols: Vec<&'static str>,
}

/// The wanted part of a structure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Size in bytes; 0 when the source does not know it.
    pub size: u32,
    /// Fields by path.
    pub fields: HashMap<String, Field>,
}

/// The wanted part of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layouts {
    /// The PDB that it describes.
    pub id: Option<PdbId>,
    /// Bytes of a pointer.
    pub pointer_size: u8,
    /// Structures by name.
    pub types: HashMap<String, Layout>,
    /// Addresses of symbols relative to the image base; empty where only types are known.
    pub symbols: HashMap<String, u32>,
}

impl Field {
    /// True for a place that a structure of a kernel can have; a damaged file can state any.
    pub(crate) fn is_sane(&self) -> bool {
        let end = u64::from(self.offset) + u64::from(self.size);
        let fits = |(first, count): (u8, u8)| {
            count > 0 && u32::from(first) + u32::from(count) <= self.size.saturating_mul(8)
        };
        end <= LARGEST.into() && self.bits.is_none_or(fits)
    }
}

/// No structure of a kernel has more bytes.
pub(crate) const LARGEST: u32 = 1 << 24;

impl Layouts {
    /// What of the wanted a source has.
    pub fn of(profile: &Profile, wanted: &Wanted) -> Layouts {
        let mut layouts =
            Layouts { id: profile.id, pointer_size: profile.pointer_size, ..Layouts::default() };
        for asked in &wanted.types {
            let Some(known) = profile.types.get(asked.name) else { continue };
            let layout = layouts.types.entry(asked.name.to_string()).or_default();
            layout.size = if known.size <= LARGEST { known.size } else { 0 };
            for path in asked.fields {
                if let Some(field) = profile.field(asked.name, path).filter(Field::is_sane) {
                    layout.fields.insert(path.to_string(), field);
                }
            }
        }
        for symbol in &wanted.symbols {
            if let Some(&rva) = profile.symbols.get(*symbol) {
                layouts.symbols.insert(symbol.to_string(), rva);
            }
        }
        layouts
    }

    /// A field by structure and path.
    pub fn field(&self, type_name: &str, path: &str) -> Option<Field> {
        self.types.get(type_name)?.fields.get(path).copied()
    }

    /// Size of a structure.
    pub fn size(&self, type_name: &str) -> Option<u32> {
        self.types.get(type_name).map(|layout| layout.size).filter(|&size| size > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Field;

    #[test]
    fn places_that_no_structure_has() {
        let sane = |offset, size, bits| Field { offset, size, bits }.is_sane();
        assert!(sane(0xaf00, 8, None) && sane(0, 4, Some((31, 1))) && sane(0, 8, Some((0, 64))));
        assert!(!sane(u32::MAX, 8, None) && !sane(0, u32::MAX, None));
        assert!(!sane(0, 4, Some((31, 2))) && !sane(0, 8, Some((255, 255))) && !sane(0, 8, Some((0, 0))));
    }
}
