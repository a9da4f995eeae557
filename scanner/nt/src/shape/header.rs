//! The `_OBJECT_HEADER` in front of an object, where nobody vouches for its address.

use super::{Kind, Shapes};
use crate::System;
use memory::Va;
use symbols::Field;

/// What the header of an object of a kind states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Index of its type.
    index: u8,
    /// Address of its `_OBJECT_TYPE`.
    va: Va,
}

impl Named {
    pub(super) fn of(system: &System<'_>, kind: Kind) -> Option<Named> {
        let mut types = system.object_types();
        let (index, found) = types.find(|(_, found)| kind.types().contains(&found.name.as_str()))?;
        Some(Named { index: u8::try_from(index).ok()?, va: found.va })
    }
}

pub(super) fn fronts(system: &System<'_>) -> Option<Box<[u8; 256]>> {
    let mut table = Box::new([0; 256]);
    system.space.read(system.global("ObpInfoMaskToOffset")?, &mut table[..]).ok()?;
    Some(table)
}

/// A header is followed by at most so many bytes that align what is behind it.
const MOST_PADDING: usize = 0x10;

/// Counts of references and handles: since Windows 8 those that handles hold in advance count too, 32768 for each; of a
/// dead object they may be a little below 0.
const COUNTS: std::ops::Range<i64> = -0x1_0000..0x1_0000_0000;

impl Shapes<'_, '_> {
    /// Bytes from `_OBJECT_HEADER` to the object.
    pub fn header_size(&self) -> Option<u32> {
        self.header.body.map(|body| body.offset)
    }

    /// Whether bytes are the `_OBJECT_HEADER` of an object of a kind. The type is encoded with a byte of the header's
    /// address, of which only four bits are known where no page table leads to it. `None`: types cannot be told.
    pub fn is_header(&self, kind: Kind, bytes: &[u8], va: Option<Va>, low: u64) -> Option<bool> {
        let named = self.named[kind as usize]?;
        let count = part(bytes, self.header.pointer_count)?;
        let handles = part(bytes, self.header.handle_count)?;
        if let Some(pointed) = part(bytes, self.header.type_pointer) {
            return Some(
                self.system.narrow(pointed as u64) == named.va
                    && COUNTS.contains(&count)
                    && COUNTS.contains(&handles),
            );
        }
        let stored = part(bytes, self.header.type_index)? as u8;
        let (address, known) = va.map_or((low, 0x0f), |va| (va.0, 0xff));
        let expected = self.system.objects().stored_index(named.index, address);
        let known = if self.system.objects().is_encoded() { known } else { 0xff };
        Some((stored ^ expected) & known == 0 && COUNTS.contains(&count) && self.is_handle_count(handles))
    }

    /// Whether the optional headers that an `_OBJECT_HEADER` names fill the bytes in front of it; true where their sizes
    /// are not known.
    pub fn has_front(&self, header: &[u8], front: usize) -> bool {
        let (Some(fronts), Some(mask)) = (&self.fronts, part(header, self.header.info_mask)) else {
            return true;
        };
        let named = usize::from(fronts[usize::from(mask as u8)]);
        front.checked_sub(named).is_some_and(|padding| padding <= MOST_PADDING)
    }

    /// `HandleCount`, which for a dead object holds a link to the next one to free.
    fn is_handle_count(&self, value: i64) -> bool {
        let pointer = if self.pointer_size() == 4 { value & 0xffff_ffff } else { value };
        COUNTS.contains(&value) || self.kernel_pointer(pointer as u64)
    }
}

/// A signed member.
fn part(bytes: &[u8], field: Option<Field>) -> Option<i64> {
    let field = field?;
    let size = (field.size as usize).clamp(1, 8);
    let found = bytes.get(field.offset as usize..)?.get(..size)?;
    let mut value = [0; 8];
    value[..size].copy_from_slice(found);
    let unused = 64 - 8 * size as u32;
    Some((i64::from_le_bytes(value) << unused) >> unused)
}
