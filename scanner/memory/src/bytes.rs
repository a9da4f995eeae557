//! The only place where integers come out of bytes. Every read is checked; a miss names the
//! structure and the file offset.

use crate::error::{Error, Result};

/// A window of a file: its bytes, where they start in the file, and what they are.
#[derive(Clone, Copy)]
pub struct Bytes<'a> {
    data: &'a [u8],
    start: u64,
    structure: &'static str,
}

impl<'a> Bytes<'a> {
    /// All of `data`, which starts at offset 0 of its file.
    pub fn whole(data: &'a [u8], structure: &'static str) -> Bytes<'a> {
        Bytes { data, start: 0, structure }
    }

    /// `len` bytes at file offset `offset` of `file`, called `structure` in errors.
    pub fn at(file: &'a [u8], offset: u64, len: u64, structure: &'static str) -> Result<Bytes<'a>> {
        match slice(file, offset, len) {
            Some(data) => Ok(Bytes { data, start: offset, structure }),
            None => Err(Error::truncated(structure, offset, len, (file.len() as u64).saturating_sub(offset))),
        }
    }

    /// The part of `offset..offset + len` that the file really has, possibly empty.
    pub fn up_to(file: &'a [u8], offset: u64, len: u64, structure: &'static str) -> Bytes<'a> {
        let have = (file.len() as u64).saturating_sub(offset).min(len);
        let data = slice(file, offset, have).unwrap_or(&[]);
        Bytes { data, start: offset, structure }
    }

    /// A window within this one, under another name.
    pub fn sub(&self, offset: u64, len: u64, structure: &'static str) -> Result<Bytes<'a>> {
        match slice(self.data, offset, len) {
            Some(data) => Ok(Bytes { data, start: self.start.saturating_add(offset), structure }),
            None => Err(self.short(offset, len)),
        }
    }

    /// The bytes themselves.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// File offset of the first byte.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.data.len() as u64
    }

    /// True when there is nothing.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// `N` bytes at `offset` within the window.
    pub fn array<const N: usize>(&self, offset: u64) -> Result<[u8; N]> {
        slice(self.data, offset, N as u64)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| self.short(offset, N as u64))
    }

    /// One byte.
    pub fn u8(&self, offset: u64) -> Result<u8> {
        self.array::<1>(offset).map(|b| b[0])
    }

    /// A little-endian `u16`.
    pub fn u16(&self, offset: u64) -> Result<u16> {
        self.array(offset).map(u16::from_le_bytes)
    }

    /// A little-endian `u32`.
    pub fn u32(&self, offset: u64) -> Result<u32> {
        self.array(offset).map(u32::from_le_bytes)
    }

    /// A little-endian `u64`.
    pub fn u64(&self, offset: u64) -> Result<u64> {
        self.array(offset).map(u64::from_le_bytes)
    }

    /// The error for a field of this window that says something impossible.
    pub fn invalid(
        &self,
        field: &'static str,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error::invalid(self.structure, field, self.start.saturating_add(offset), expected, found)
    }

    fn short(&self, offset: u64, len: u64) -> Error {
        let have = self.len().saturating_sub(offset);
        Error::truncated(self.structure, self.start.saturating_add(offset), len, have)
    }
}

/// `len` bytes of `data` at `offset`, `None` unless all of them are there.
pub(crate) fn slice(data: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(len)?).ok()?;
    data.get(start..end)
}

/// Text from UTF-16LE bytes, up to the first NUL; what cannot be decoded becomes U+FFFD.
pub fn utf16_lossy(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    String::from_utf16_lossy(&units)
}

/// Text from a fixed-size byte field, up to the first NUL; bytes that are not ASCII become U+FFFD.
pub(crate) fn ascii_lossy(bytes: &[u8]) -> String {
    let text = bytes.iter().take_while(|&&b| b != 0);
    text.map(|&b| if b.is_ascii() { char::from(b) } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_names_structure_and_file_offset() {
        let file = [0u8; 16];
        let window = Bytes::at(&file, 8, 8, "THING").unwrap();
        assert_eq!(window.u64(0).unwrap(), 0);
        let error = window.u32(6).unwrap_err().to_string();
        assert_eq!(error, "THING at offset 0xe: expected 4 bytes, found 2 bytes before the end of the file");
        assert!(Bytes::at(&file, u64::MAX, 8, "THING").is_err());
        assert!(window.u64(u64::MAX - 3).is_err());
    }

    #[test]
    fn text_stops_at_nul_and_replaces_what_is_no_text() {
        assert_eq!(utf16_lossy(&[b'n', 0, b't', 0, 0, 0, b'x', 0]), "nt");
        assert_eq!(utf16_lossy(&[0x00, 0xd8, b'a', 0]), "\u{fffd}a");
        assert_eq!(utf16_lossy(b"a"), "");
        assert_eq!(ascii_lossy(b"ab\xffc\0d"), "ab\u{fffd}c");
    }
}
