//! The tag stream inside a group of a VMware state file: a name, up to three indices, some bytes.
//!
//! `u8` flags, `u8` length of the name, name, `(flags >> 6) & 3` indices of `u32`, then `flags & 0x3f`
//! bytes of data. A length of 62 or 63 announces a block: two sizes (stored, in memory) of 4 bytes
//! in version 0 and 8 bytes later, a `u16` number of padding bytes, the padding, the data. Flags 0
//! with an empty name end the stream, or the end of its group does. (Volatility 3 `layers/vmware.py`, whose small tags have
//! padding 0; RAM inside a state file is padded to a page.)

use crate::{bytes::Bytes, error::Result};

/// More tags than any guest has (some hundreds a processor): the rest of such a group is not read.
const TAGS_LIMIT: u64 = 1 << 20;

/// One tag.
pub(super) struct Tag<'a> {
    pub name: &'a [u8],
    indices: [u32; 3],
    index_count: usize,
    data: Bytes<'a>,
}

impl Tag<'_> {
    /// The indices in brackets: `regionPPN[2]` has `[2]`.
    pub fn indices(&self) -> &[u32] {
        self.indices.get(..self.index_count).unwrap_or(&[])
    }

    /// The data as a little-endian integer, `None` unless it has 1 to 8 bytes.
    pub fn integer(&self) -> Option<u64> {
        let data = self.data.data();
        let mut bytes = [0u8; 8];
        bytes.get_mut(..data.len())?.copy_from_slice(data);
        (!data.is_empty()).then(|| u64::from_le_bytes(bytes))
    }

    /// File offset of the data.
    pub fn offset(&self) -> u64 {
        self.data.start()
    }
}

/// The tags of one group, in order. Ends with an error where the stream is damaged.
pub(super) struct Tags<'a> {
    group: Bytes<'a>,
    at: u64,
    left: u64,
    done: bool,
    /// Sizes of blocks have 8 bytes instead of 4.
    wide: bool,
}

impl<'a> Tags<'a> {
    /// The stream at the start of `group`.
    pub fn new(group: Bytes<'a>, wide: bool) -> Tags<'a> {
        Tags { group, at: 0, left: TAGS_LIMIT, done: false, wide }
    }

    fn read(&mut self) -> Result<Option<Tag<'a>>> {
        let (flags, name_size) = (self.group.u8(self.at)?, self.group.u8(self.at + 1)?);
        if flags == 0 && name_size == 0 {
            return Ok(None);
        }
        if self.left == 0 {
            return Err(self.group.invalid("tags", self.at, format!("at most {TAGS_LIMIT} tags"), "more"));
        }
        self.left -= 1;
        let name = self.group.sub(self.at + 2, u64::from(name_size), "VMware tag name")?.data();
        let mut at = self.at + 2 + u64::from(name_size);
        let (mut indices, index_count) = ([0u32; 3], usize::from(flags >> 6));
        for index in indices.iter_mut().take(index_count) {
            *index = self.group.u32(at)?;
            at += 4;
        }
        let (at, size) = self.extent(at, flags & 0x3f)?;
        let data = self.group.sub(at, size, "VMware tag")?;
        self.at = at + size;
        Ok(Some(Tag { name, indices, index_count, data }))
    }

    /// Where the data of a tag start and how long they are.
    fn extent(&self, at: u64, size: u8) -> Result<(u64, u64)> {
        if size < 62 {
            return Ok((at, u64::from(size)));
        }
        let (stored, width) =
            if self.wide { (self.group.u64(at)?, 8) } else { (u64::from(self.group.u32(at)?), 4) };
        let padding = u64::from(self.group.u16(at + 2 * width)?);
        Ok((at + 2 * width + 2 + padding, stored))
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Result<Tag<'a>>;

    fn next(&mut self) -> Option<Result<Tag<'a>>> {
        if self.done || self.at == self.group.len() {
            return None;
        }
        let tag = self.read().transpose();
        self.done = !matches!(tag, Some(Ok(_))); // nothing follows the end or an error
        tag
    }
}
