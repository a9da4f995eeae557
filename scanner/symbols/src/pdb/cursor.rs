//! Reading forward through bytes that may end at any point.

/// The bytes that are left.
#[derive(Clone, Copy)]
pub struct Cursor<'b>(pub &'b [u8]);

impl<'b> Cursor<'b> {
    pub fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_le_bytes([b[0], b[1]]))
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A text that ends with a zero byte; a byte that is no UTF-8 is shown as U+FFFD.
    pub fn text(&mut self) -> Option<String> {
        self.raw_text().map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// The bytes of a text that ends with a zero byte.
    pub fn raw_text(&mut self) -> Option<&'b [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        self.take(end + 1).map(|text| &text[..end])
    }

    /// A text behind its length byte, as compilers before 2002 wrote it.
    pub fn short_text(&mut self) -> Option<String> {
        let length = self.u8()?.into();
        Some(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// A CodeView numeric leaf: below 0x8000 itself, else a type and then the value. A negative one is none: sizes
    /// and offsets are not negative.
    pub fn number(&mut self) -> Option<u64> {
        let unsigned = |value: i64| u64::try_from(value).ok();
        match self.u16()? {
            small @ ..0x8000 => Some(small.into()),
            0x8000 => unsigned((self.u8()? as i8).into()),
            0x8001 => unsigned((self.u16()? as i16).into()),
            0x8002 => Some(self.u16()?.into()),
            0x8003 => unsigned((self.u32()? as i32).into()),
            0x8004 => Some(self.u32()?.into()),
            0x8009 => unsigned(i64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            0x800a => Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            _ => None,
        }
    }
}

/// The records of a type or symbol stream: a 16-bit length, then so many bytes that begin with a 16-bit kind. Ends at
/// the first record that is not whole.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = (u16, Cursor<'_>)> {
    let mut cursor = Cursor(bytes);
    std::iter::from_fn(move || {
        let length = cursor.u16()?;
        let mut record = Cursor(cursor.take(length.into())?);
        Some((record.u16()?, record))
    })
}
