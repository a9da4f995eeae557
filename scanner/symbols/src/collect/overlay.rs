//! Facts that sources without bit positions leave open, with their own source.

use crate::{Kind, Member, Profile};

/// First build whose kernels System Informer lists.
const FIRST_LISTED: u32 = 10240;

/// Bit fields of `_HANDLE_TABLE_ENTRY` on 64-bit kernels. Source: System Informer's `kphdyn.xml`: `ObDecodeShift` 0x14
/// and `ObAttributesShift` 0x11 in every `ntoskrnl.exe` from 10240 to 29648; widths from the PDBs of 9600 to 22000.
const HANDLE_TABLE_ENTRY: [(&str, u32, u32, u8, u8); 3] =
    [("Attributes", 0, 8, 17, 3), ("ObjectPointerBits", 0, 8, 20, 44), ("GrantedAccessBits", 8, 4, 0, 25)];

/// The same of 32-bit kernels since Windows 8. Source: volatility2's public vtypes.
const HANDLE_TABLE_ENTRY_32: [(&str, u32, u32, u8, u8); 3] =
    [("Attributes", 0, 4, 1, 2), ("ObjectPointerBits", 0, 4, 3, 29), ("GrantedAccessBits", 4, 4, 0, 25)];
/// Windows 8.
const FIRST_WITH_BITS: u32 = 9200;

/// Adds what is known to a profile of a build.
pub fn add(profile: &mut Profile, build: u32) {
    let bits = match profile.pointer_size {
        8 if build >= FIRST_LISTED => HANDLE_TABLE_ENTRY,
        4 if build >= FIRST_WITH_BITS => HANDLE_TABLE_ENTRY_32,
        _ => return,
    };
    let Some(found) = profile.types.get_mut("_HANDLE_TABLE_ENTRY") else { return };
    for (name, offset, size, start, count) in bits {
        found.members.retain(|member| member.name != name);
        let kind = Kind::Bits { size, start, count };
        found.members.push(Member { name: name.into(), offset, kind });
    }
}
