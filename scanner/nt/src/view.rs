//! A structure in memory, read by its layout.

use memory::{Fault, Space, Va, utf16_lossy};
use std::borrow::Cow;
use symbols::Field;

/// Longest text that is read out of a `UNICODE_STRING`: its length field has 16 bits.
const MOST_TEXT: usize = 0xffff;

/// A structure at an address. Reading a member gives `None` if the kernel lacks it or the memory is not there.
#[derive(Clone)]
pub struct View<'a> {
    space: Space<'a>,
    va: Va,
    pointer: u32,
    /// All of it, if it could be read at once.
    bytes: Option<Cow<'a, [u8]>>,
}

impl<'a> View<'a> {
    /// A structure of `size` bytes; what is not there shows when members are read. `pointer`: 4 or 8.
    pub fn new(space: Space<'a>, va: Va, size: u32, pointer: u32) -> View<'a> {
        View {
            space,
            va,
            pointer,
            bytes: space.bytes(va, size as usize).ok().filter(|bytes| !bytes.is_empty()),
        }
    }

    /// A structure whose bytes were read with those around it.
    pub fn within(space: Space<'a>, va: Va, bytes: &'a [u8], pointer: u32) -> View<'a> {
        View { space, va, pointer, bytes: Some(Cow::Borrowed(bytes)) }
    }

    /// Where it is.
    pub fn va(&self) -> Va {
        self.va
    }

    /// The address space it is in.
    pub fn space(&self) -> Space<'a> {
        self.space
    }

    /// True if all of it is in the dump.
    pub fn is_whole(&self) -> bool {
        self.bytes.is_some()
    }

    /// Address of a member.
    pub fn at(&self, field: Option<Field>) -> Option<Va> {
        self.va.checked_add(field?.offset.into())
    }

    /// An integer, a pointer or a bit field of up to 8 bytes, zero-extended.
    pub fn uint(&self, field: Option<Field>) -> Option<u64> {
        let field = field?;
        let size = (field.size as usize).min(8);
        if size == 0 {
            return None; // a member of a type that the source does not know
        }
        let value = match self.slice(field) {
            Some(bytes) => integer(&bytes[..size]),
            None => {
                let mut value = [0; 8];
                self.space.read(self.at(Some(field))?, &mut value[..size]).ok()?;
                u64::from_le_bytes(value)
            }
        };
        let Some((start, count)) = field.bits else { return Some(value) };
        bits(value, start, count)
    }

    /// The same as a narrower integer, cut off.
    pub fn u32(&self, field: Option<Field>) -> Option<u32> {
        self.uint(field).map(|value| value as u32)
    }

    /// The same as a byte, cut off.
    pub fn u8(&self, field: Option<Field>) -> Option<u8> {
        self.uint(field).map(|value| value as u8)
    }

    /// A signed integer, sign-extended from the member's size.
    pub fn int(&self, field: Option<Field>) -> Option<i64> {
        let unused = 64 - 8 * field?.size.clamp(1, 8);
        self.uint(field).map(|value| ((value << unused) as i64) >> unused)
    }

    /// True if a bit field or integer is not zero.
    pub fn flag(&self, field: Option<Field>) -> Option<bool> {
        self.uint(field).map(|value| value != 0)
    }

    /// A pointer; `None` for a NULL pointer too.
    pub fn pointer(&self, field: Option<Field>) -> Option<Va> {
        self.uint(field).filter(|&value| value != 0).map(Va)
    }

    /// The pointer of an `EX_FAST_REF`, whose low bits count references.
    pub fn fast_ref(&self, field: Option<Field>) -> Option<Va> {
        let count_bits = if self.pointer == 8 { 0xf } else { 7 };
        self.uint(field).map(|value| value & !count_bits).filter(|&value| value != 0).map(Va)
    }

    /// The bytes of a member.
    pub fn bytes(&self, field: Option<Field>) -> Option<Cow<'_, [u8]>> {
        let field = field?;
        match self.slice(field) {
            Some(bytes) => Some(Cow::Borrowed(bytes)),
            None => self.space.bytes(self.at(Some(field))?, field.size as usize).ok(),
        }
    }

    /// Text of a fixed array of 8-bit characters, up to its NUL.
    pub fn ascii(&self, field: Option<Field>) -> Option<String> {
        let bytes = self.bytes(field)?;
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        Some(bytes[..end].iter().map(|&byte| char::from(byte)).collect())
    }

    /// Text of a `UNICODE_STRING` member; empty text is `None`.
    pub fn unicode(&self, field: Option<Field>) -> Option<String> {
        unicode_at(self.space, self.at(field)?, self.pointer).ok().flatten()
    }

    /// A `LARGE_INTEGER` member that holds a FILETIME; 0 is `None`.
    pub fn time(&self, field: Option<Field>) -> Option<memory::Time> {
        self.uint(field).filter(|&value| value != 0).and_then(memory::Time::from_filetime)
    }

    fn slice(&self, field: Field) -> Option<&[u8]> {
        let start = field.offset as usize;
        self.bytes.as_deref()?.get(start..start.checked_add(field.size as usize)?)
    }
}

/// A little-endian integer of 1 to 8 bytes. The usual sizes are read as what they are: a copy of as many bytes as a number
/// says is a call.
fn integer(bytes: &[u8]) -> u64 {
    match *bytes {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)),
    }
}

/// Bits of an integer; `None` for bits that no integer of 8 bytes has.
pub(crate) fn bits(value: u64, start: u8, count: u8) -> Option<u64> {
    let mask = u64::MAX.checked_shr(64u32.checked_sub(count.into())?)?;
    Some(value.checked_shr(start.into())? & mask)
}

/// Text of a `UNICODE_STRING` at an address: `Length`, `MaximumLength`, then `Buffer`. `Ok(None)`: it is empty.
pub fn unicode_at(space: Space<'_>, va: Va, pointer: u32) -> Result<Option<String>, Fault> {
    let length = space.u16(va)? as usize & !1;
    let at = va.checked_add(pointer.into()).ok_or(Fault::NonCanonical(va))?;
    let buffer = space.pointer(at)?;
    if length == 0 || buffer.0 == 0 {
        return Ok(None);
    }
    let bytes = space.bytes(buffer, length.min(MOST_TEXT))?;
    Ok(Some(utf16_lossy(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::{bits, integer};

    #[test]
    fn integers_of_every_size() {
        let bytes = [0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88];
        for size in 0..=8 {
            let expected = (0..size).map(|at| u64::from(bytes[at]) << (8 * at)).sum::<u64>();
            assert_eq!(integer(&bytes[..size]), expected, "{size}");
        }
    }

    #[test]
    fn bits_of_damaged_layouts() {
        assert_eq!(bits(0xabcd, 4, 8), Some(0xbc));
        assert_eq!(bits(u64::MAX, 0, 64), Some(u64::MAX));
        for (start, count) in [(0, 0), (0, 65), (64, 1), (255, 255)] {
            assert_eq!(bits(u64::MAX, start, count), None, "{start} {count}");
        }
    }
}
