//! All that one symbol source states about an image: structures with their members, and symbols.

use crate::{Field, PdbId};
use std::collections::HashMap;

/// How deep members may nest: a hostile source can nest a structure in itself.
const DEPTH: usize = 8;

/// Types and symbols of one image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// The PDB that it describes, where the source says.
    pub id: Option<PdbId>,
    /// `x86`, `x64` or `ARM64`, where the source says.
    pub architecture: Option<&'static str>,
    /// Bytes of a pointer: 4 or 8; 0 when the source does not say.
    pub pointer_size: u8,
    /// Structures and unions by name. Of several definitions of one name the largest is kept: the public
    /// `_KPRCB` of 0x700 bytes stands beside the full one.
    pub types: HashMap<String, Type>,
    /// Addresses of symbols relative to the image base.
    pub symbols: HashMap<String, u32>,
}

/// A structure or union.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Type {
    /// Size in bytes.
    pub size: u32,
    /// Members in the order of the source.
    pub members: Vec<Member>,
}

/// A member of a structure.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Name; empty for an anonymous structure, whose members count as members of the outer one.
    pub name: String,
    /// Offset in bytes.
    pub offset: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a member is, as far as reading needs it.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Integer, pointer, enumeration: so many bytes.
    Scalar(u32),
    /// A bit field inside an integer of `size` bytes.
    Bits { size: u32, start: u8, count: u8 },
    /// A structure by value, by its name.
    Struct(String),
    /// So many elements.
    Array(Box<Kind>, u32),
}

/// The architecture of an `IMAGE_FILE_MACHINE_*`.
pub(crate) fn architecture(machine: u16) -> Option<&'static str> {
    match machine {
        0x014c => Some("x86"),
        0x8664 => Some("x64"),
        0xaa64 => Some("ARM64"),
        _ => None,
    }
}

impl Profile {
    /// Adds a type; the largest definition of a name wins.
    pub fn add(&mut self, name: String, found: Type) {
        match self.types.get(&name) {
            Some(known) if known.size >= found.size => {}
            _ => drop(self.types.insert(name, found)),
        }
    }

    /// Where a member is: a path such as `u.VadFlags.VadType`, through structures by value.
    pub fn field(&self, type_name: &str, path: &str) -> Option<Field> {
        self.types.get(type_name).and_then(|found| self.within(found, path, 0))
    }

    fn within(&self, of: &Type, path: &str, depth: usize) -> Option<Field> {
        if depth > DEPTH {
            return None;
        }
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        if let Some(member) = of.members.iter().find(|member| member.name == first) {
            return self.inside(member, rest, depth);
        }
        let anonymous = of.members.iter().filter(|member| member.name.is_empty());
        anonymous.into_iter().find_map(|member| self.inside(member, Some(path), depth))
    }

    fn inside(&self, member: &Member, rest: Option<&str>, depth: usize) -> Option<Field> {
        let Some(rest) = rest else {
            let bits = match member.kind {
                Kind::Bits { start, count, .. } => Some((start, count)),
                _ => None,
            };
            return Some(Field { offset: member.offset, size: self.size(&member.kind, depth)?, bits });
        };
        let Kind::Struct(name) = &member.kind else { return None };
        let field = self.within(self.types.get(name)?, rest, depth + 1)?;
        Some(Field { offset: member.offset.checked_add(field.offset)?, ..field })
    }

    fn size(&self, kind: &Kind, depth: usize) -> Option<u32> {
        match kind {
            Kind::Scalar(size) | Kind::Bits { size, .. } => Some(*size),
            Kind::Struct(name) => self.types.get(name).map(|found| found.size),
            Kind::Array(..) if depth > DEPTH => None,
            Kind::Array(element, count) => self.size(element, depth + 1)?.checked_mul(*count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, offset: u32, kind: Kind) -> Member {
        Member { name: name.into(), offset, kind }
    }

    #[test]
    fn paths() {
        let mut profile = Profile::default();
        let inner = vec![member("Bit", 4, Kind::Bits { size: 4, start: 3, count: 2 })];
        profile.add("_INNER".into(), Type { size: 8, members: inner });
        let outer = vec![
            member("a", 0, Kind::Struct("_INNER".into())),
            member("", 8, Kind::Struct("_INNER".into())),
            member("many", 0x10, Kind::Array(Box::new(Kind::Struct("_INNER".into())), 3)),
            member("me", 0x28, Kind::Struct("_OUTER".into())),
        ];
        profile.add("_OUTER".into(), Type { size: 0x30, members: outer });
        type Place = (u32, u32, Option<(u8, u8)>);
        let check = |path, expected: Option<Place>| {
            let found = profile.field("_OUTER", path).map(|field| (field.offset, field.size, field.bits));
            assert_eq!(found, expected, "{path}");
        };
        check("a.Bit", Some((4, 4, Some((3, 2)))));
        check("Bit", Some((0xc, 4, Some((3, 2)))));
        check("many", Some((0x10, 0x18, None)));
        check("a.none", None);
        check("many.Bit", None);
        check("me.me.Bit", Some((0x5c, 4, Some((3, 2)))));
        check("me.me.me.me.me.me.me.me.me.me.me.Bit", None);
    }

    #[test]
    fn the_largest_definition_wins() {
        let mut profile = Profile::default();
        for size in [0x700, 0xaf00, 0x100] {
            profile.add("_KPRCB".into(), Type { size, members: Vec::new() });
        }
        assert_eq!(profile.types["_KPRCB"].size, 0xaf00);
    }
}
