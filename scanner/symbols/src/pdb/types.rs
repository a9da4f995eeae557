//! Structures, unions and what their members are: the type records of a PDB (`TPI` stream).
//!
//! A record may only name earlier ones, but nobody checked that in a damaged file: chains are followed a bounded
//! number of steps, and all members together cost a bounded multiple of the stream.

use super::{
    cursor::{Cursor, records},
    damaged,
};
use crate::{Kind, Member, Profile, Result, Type};
use std::collections::HashMap;

/// Types below this number are built in and have no record.
const FIRST: u32 = 0x1000;
/// `std::nullptr_t`, of all built-in types the one that does not say its size.
const NULL_POINTER: u32 = 0x103;
/// How many steps from a member to its kind: `const` of an array of an array of a bit field.
const STEPS: usize = 16;

/// Leaves (`LF_*`).
const MODIFIER: u16 = 0x1001;
const POINTER: u16 = 0x1002;
const PROCEDURE: u16 = 0x1008;
const MEMBER_FUNCTION: u16 = 0x1009;
const FIELD_LIST: u16 = 0x1203;
const BIT_FIELD: u16 = 0x1205;
const ARRAY: u16 = 0x1503;
const ENUM: u16 = 0x1507;

/// Adds all structures and unions to the profile.
pub fn read(stream: &[u8], profile: &mut Profile) -> Result<()> {
    let cut = || damaged("the type stream is cut off");
    if stream.is_empty() {
        return Ok(());
    }
    let types = Types::index(stream, profile.pointer_size).ok_or_else(cut)?;
    let mut budget = Budget(stream.len().saturating_mul(8));
    for (at, record) in types.records.iter().enumerate() {
        let Some(found) = Structure::parse(*record).filter(|found| !found.forward) else { continue };
        let members = types.members(found.fields, &mut budget)?;
        profile.add(found.key(at as u32 + FIRST), Type { size: found.size, members });
    }
    Ok(())
}

/// What members may still cost.
struct Budget(usize);

impl Budget {
    fn take(&mut self, cost: usize) -> Result<()> {
        self.0 =
            self.0.checked_sub(cost).ok_or_else(|| damaged("its types name the same lists over and over"))?;
        Ok(())
    }
}

/// A structure, class or union as its record states it.
struct Structure {
    forward: bool,
    fields: u32,
    size: u32,
    name: String,
    /// Decorated name; empty where the compiler gave none.
    unique: String,
}

impl Structure {
    fn parse((leaf, mut r): (u16, Cursor)) -> Option<Structure> {
        let (flags, fields) = match leaf {
            // LF_CLASS, LF_STRUCTURE, LF_INTERFACE: count, flags, fields, base, shape of the virtual table
            0x1504 | 0x1505 | 0x1519 => (r.u32()? >> 16, (r.u32()?, r.u32()?, r.u32()?).0),
            0x1506 => (r.u32()? >> 16, r.u32()?), // LF_UNION
            // The forms for more than 65535 members: flags, fields, base, shape, count
            0x1608 | 0x1609 | 0x160b => (r.u32()?, (r.u32()?, r.u32()?, r.u32()?, r.u16()?).0),
            0x160a => (r.u32()?, (r.u32()?, r.u16()?).0),
            _ => return None,
        };
        let size = u32::try_from(r.number()?).ok()?;
        let name = r.text()?;
        let unique = if flags & 0x200 != 0 { r.text()? } else { String::new() };
        Some(Structure { forward: flags & 0x80 != 0, fields, size, name, unique })
    }

    /// The name in a profile. Unnamed ones all have the same name in the file; their number tells them apart.
    fn key(&self, number: u32) -> String {
        if self.unnamed() { format!("{}#{number:x}", self.name) } else { self.name.clone() }
    }

    fn unnamed(&self) -> bool {
        ["<unnamed-", "<anonymous-", "__unnamed"].iter().any(|mark| self.name.contains(mark))
    }
}

/// Of an enumeration: whether it is a forward reference, its integer type, its name.
fn enumeration((leaf, mut r): (u16, Cursor)) -> Option<(bool, u32, String)> {
    if leaf != ENUM {
        return None;
    }
    let (flags, integer, _fields) = (r.u32()? >> 16, r.u32()?, r.u32()?);
    Some((flags & 0x80 != 0, integer, r.text()?))
}

/// All records, and where the definitions are.
struct Types<'s> {
    records: Vec<(u16, Cursor<'s>)>,
    /// Size by name, of the largest definition.
    sizes: HashMap<String, u32>,
    /// Name in the profile by decorated name, for unnamed structures.
    unnamed: HashMap<String, String>,
    /// Integer type of an enumeration by its name: a forward reference does not state it.
    enums: HashMap<String, u32>,
    pointer_size: u8,
}

impl<'s> Types<'s> {
    fn index(stream: &'s [u8], pointer_size: u8) -> Option<Types<'s>> {
        let mut header = Cursor(stream);
        let (_version, length) = (header.u32()?, header.u32()? as usize);
        let (_first, _last, size) = (header.u32()?, header.u32()?, header.u32()? as usize);
        let body = stream.get(length..)?;
        let records: Vec<_> = records(&body[..body.len().min(size)]).collect();
        let (sizes, unnamed, enums) = Default::default();
        let mut types = Types { records, sizes, unnamed, enums, pointer_size };
        for (at, record) in types.records.iter().enumerate() {
            if let Some((false, integer, name)) = enumeration(*record) {
                types.enums.insert(name, integer);
            }
            let Some(found) = Structure::parse(*record).filter(|found| !found.forward) else { continue };
            let key = found.key(at as u32 + FIRST);
            if found.unnamed() && !found.unique.is_empty() {
                types.unnamed.insert(found.unique, key.clone());
            }
            let size = types.sizes.entry(key).or_default();
            *size = found.size.max(*size);
        }
        Some(types)
    }

    fn record(&self, number: u32) -> Option<(u16, Cursor<'s>)> {
        self.records.get(number.checked_sub(FIRST)? as usize).copied()
    }

    /// The members of a field list and of those that continue it.
    fn members(&self, mut list: u32, budget: &mut Budget) -> Result<Vec<Member>> {
        let mut members = Vec::new();
        while let Some((FIELD_LIST, mut fields)) = self.record(list) {
            list = 0;
            budget.take(16)?;
            while let Some(entry) = entry(&mut fields) {
                match entry {
                    Entry::Member { of, offset, name } => {
                        budget.take(24 + name.len())?;
                        members.extend(self.kind(of, 0).map(|kind| Member { name, offset, kind }));
                    }
                    Entry::Continues(at) => list = at,
                    Entry::Other => {}
                }
            }
        }
        Ok(members)
    }

    fn kind(&self, number: u32, step: usize) -> Option<Kind> {
        match number {
            NULL_POINTER => return Some(Kind::Scalar(self.pointer_size.into())),
            ..FIRST => return built_in(number).map(Kind::Scalar),
            _ if step > STEPS => return None,
            _ => {}
        }
        let (leaf, mut r) = self.record(number)?;
        match leaf {
            MODIFIER => self.kind(r.u32()?, step + 1),
            POINTER => Some(Kind::Scalar(self.pointer(r)?)),
            PROCEDURE | MEMBER_FUNCTION => Some(Kind::Scalar(0)),
            ENUM => {
                let (forward, integer, name) = enumeration((leaf, r))?;
                let integer = if forward { *self.enums.get(&name)? } else { integer };
                self.kind(integer, step + 1).filter(|kind| matches!(kind, Kind::Scalar(_)))
            }
            BIT_FIELD => {
                let Kind::Scalar(size) = self.kind(r.u32()?, step + 1)? else { return None };
                let (count, start) = (r.u8()?, r.u8()?);
                let fits = u32::from(start) + u32::from(count) <= size.checked_mul(8)?;
                fits.then_some(Kind::Bits { size, start, count })
            }
            ARRAY => {
                let (element, _index_type) = (r.u32()?, r.u32()?);
                let bytes = u32::try_from(r.number()?).ok()?;
                Some(self.array(self.kind(element, step + 1), bytes))
            }
            _ => self.structure(number, Structure::parse((leaf, r))?).map(Kind::Struct),
        }
    }

    /// The record of an array says its bytes; without a size of the elements it is a block of so many.
    fn array(&self, element: Option<Kind>, bytes: u32) -> Kind {
        let Some(element) = element else { return Kind::Scalar(bytes) };
        match self.size(&element) {
            Some(size) if size > 0 && bytes.is_multiple_of(size) => {
                Kind::Array(Box::new(element), bytes / size)
            }
            _ => Kind::Scalar(bytes),
        }
    }

    fn size(&self, kind: &Kind) -> Option<u32> {
        match kind {
            Kind::Scalar(size) | Kind::Bits { size, .. } => Some(*size),
            Kind::Struct(name) => self.sizes.get(name).copied(),
            Kind::Array(element, count) => self.size(element)?.checked_mul(*count),
        }
    }

    fn structure(&self, number: u32, found: Structure) -> Option<String> {
        if found.forward && found.unnamed() {
            return self.unnamed.get(&found.unique).cloned();
        }
        Some(found.key(number))
    }

    /// Bits 13 to 18 of a pointer's attributes are its size; old compilers left them 0 and said it by the kind.
    fn pointer(&self, mut record: Cursor) -> Option<u32> {
        let _of = record.u32()?;
        let attributes = record.u32()?;
        match ((attributes >> 13) & 0x3f, attributes & 0x1f) {
            (0, 0x0a) => Some(4),
            (0, 0x0c) => Some(8),
            (0, _) => Some(self.pointer_size.into()).filter(|&size| size > 0),
            (size, _) => Some(size),
        }
    }
}

/// An entry of a field list.
enum Entry {
    Member { of: u32, offset: u32, name: String },
    Continues(u32),
    Other,
}

/// The next entry; none at the end, and at one of a kind whose length nobody knows.
fn entry(r: &mut Cursor) -> Option<Entry> {
    while r.0.first().is_some_and(|&byte| byte >= 0xf0) {
        let padding = (r.0[0] & 0x0f).max(1); // LF_PAD0 to LF_PAD15
        r.take(padding.into())?;
    }
    let leaf = r.u16()?;
    let attributes = r.u16()?;
    match leaf {
        0x150d | 0x1400 | 0x151a => {
            // LF_MEMBER; LF_BCLASS and LF_BINTERFACE are members without a name
            let (of, offset) = (r.u32()?, u32::try_from(r.number()?).ok()?);
            let name = if leaf == 0x150d { r.text()? } else { String::new() };
            return Some(Entry::Member { of, offset, name });
        }
        0x1404 => return Some(Entry::Continues(r.u32()?)),
        0x1401 | 0x1402 => drop((r.u32()?, r.u32()?, r.number()?, r.number()?)), // LF_VBCLASS, LF_IVBCLASS
        0x1409 | 0x140a => drop(r.u32()?),                                       // LF_VFUNCTAB, LF_FRIENDCLS
        0x140c => drop((r.u32()?, r.u32()?)),                                    // LF_VFUNCOFF
        0x150c | 0x150e | 0x150f | 0x1510 | 0x1512 => drop((r.u32()?, r.text()?)), // friend, static, methods, nested
        0x1511 => {
            // LF_ONEMETHOD: a virtual one that its class introduces has a place in the virtual table
            let introduces = matches!((attributes >> 2) & 7, 4 | 6);
            drop((r.u32()?, introduces.then(|| r.u32()), r.text()?));
        }
        _ => return None,
    }
    Some(Entry::Other)
}

/// Size of a built-in type: bits 8 to 11 say whether it is a pointer to one (`CV_prmode_e`), the low byte which.
fn built_in(number: u32) -> Option<u32> {
    match (number >> 8) & 0xf {
        0 => {}
        1 => return Some(2),
        2..=4 => return Some(4),
        5 => return Some(6),
        6 => return Some(8),
        7 => return Some(16),
        _ => return None,
    }
    Some(match number & 0xff {
        0x03 => 0,
        0x10 | 0x20 | 0x30 | 0x68 | 0x69 | 0x70 | 0x7c => 1,
        0x11 | 0x21 | 0x31 | 0x46 | 0x71 | 0x72 | 0x73 | 0x7a => 2,
        0x08 | 0x12 | 0x22 | 0x32 | 0x40 | 0x45 | 0x74 | 0x75 | 0x7b => 4,
        0x44 => 6,
        0x13 | 0x23 | 0x33 | 0x41 | 0x50 | 0x76 | 0x77 => 8,
        0x42 => 10,
        0x14 | 0x24 | 0x43 | 0x51 | 0x78 | 0x79 => 16,
        _ => return None,
    })
}
