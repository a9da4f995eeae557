//! The container of a PDB: numbered streams in pages (MSF 7.0).

use super::{cursor::Cursor, damaged};
use crate::{Error, Result};
use std::borrow::Cow;

const MAGIC: &[u8] = b"Microsoft C/C++ MSF 7.00\r\n\x1a\x44\x53\0\0\0";
const MAGIC_OLD: &[u8] = b"Microsoft C/C++ program database 2.00\r\n";
const MAGIC_PORTABLE: &[u8] = b"BSJB";
const MAGIC_COMPRESSED: &[u8] = b"Microsoft MSFZ Container\r\n";
/// The size of a stream that is not there.
const ABSENT: u32 = u32::MAX;

/// An opened container.
pub struct Msf<'f> {
    file: &'f [u8],
    page_size: usize,
    /// Size of each stream in bytes and its place in the list of pages.
    streams: Vec<(u32, usize)>,
    /// Directory of streams: the pages of all streams, one after the other, 4 bytes each.
    pages: Cow<'f, [u8]>,
}

impl<'f> Msf<'f> {
    /// Reads the header and the directory.
    pub fn open(file: &'f [u8]) -> Result<Msf<'f>> {
        if !file.starts_with(MAGIC) {
            return Err(other_format(file));
        }
        Msf::directory(file)
            .ok_or_else(|| damaged("it is cut off, or its directory of streams points outside the file"))
    }

    fn directory(file: &'f [u8]) -> Option<Msf<'f>> {
        let mut header = Cursor(file.get(MAGIC.len()..)?);
        let page_size = header.u32()? as usize;
        if !page_size.is_power_of_two() || !(0x200..=0x10000).contains(&page_size) {
            return None;
        }
        let (_free_map, page_count) = (header.u32()?, header.u32()? as usize);
        if page_count.checked_mul(page_size)? > file.len() {
            return None;
        }
        let size = header.u32()? as usize;
        let _unknown = header.u32()?;
        // The directory's pages are listed in pages, whose numbers follow the header.
        let list_size = size.div_ceil(page_size).checked_mul(4)?;
        let list = gather(file, page_size, header.0, list_size)?;
        let directory = gather(file, page_size, &list, size)?;
        let mut cursor = Cursor(&directory);
        let count = cursor.u32()?;
        let mut sizes = Cursor(cursor.take((count as usize).checked_mul(4)?)?);
        let mut place = 0usize;
        let mut streams = Vec::new();
        while let Some(size) = sizes.u32() {
            streams.push((size, place));
            let held = if size == ABSENT { 0 } else { size as usize };
            place = place.checked_add(held.div_ceil(page_size).checked_mul(4)?)?;
        }
        let pages = Cow::Owned(cursor.0.to_vec());
        Some(Msf { file, page_size, streams, pages })
    }

    /// The bytes of a stream; none if there is no such stream.
    pub fn stream(&self, number: usize) -> Result<Option<Cow<'f, [u8]>>> {
        match self.streams.get(number) {
            None | Some((ABSENT, _)) => Ok(None),
            Some(&(size, place)) => {
                let list = self.pages.get(place..).unwrap_or_default();
                let bytes = gather(self.file, self.page_size, list, size as usize);
                Ok(Some(bytes.ok_or_else(|| damaged(&format!("stream {number} lies outside the file")))?))
            }
        }
    }
}

fn other_format(file: &[u8]) -> Error {
    if file.starts_with(MAGIC_OLD) {
        return Error::new("a PDB of the old format 2.00 (Windows 2000 and before), which is not supported");
    }
    if file.starts_with(MAGIC_PORTABLE) {
        return Error::new("a portable PDB of .NET, which has no layouts of memory");
    }
    if file.starts_with(MAGIC_COMPRESSED) {
        return Error::new("a PDB in the compressed format MSFZ, which is not supported");
    }
    damaged("it does not begin as one")
}

/// Collects `size` bytes from the pages that the list names. Pages that lie in a row are not copied. No more than the
/// file has: a small file could name one page a million times.
fn gather<'f>(file: &'f [u8], page_size: usize, list: &[u8], size: usize) -> Option<Cow<'f, [u8]>> {
    if size > file.len() {
        return None;
    }
    let numbers = list.get(..size.div_ceil(page_size) * 4)?;
    let numbers = numbers.chunks_exact(4).map(|n| u32::from_le_bytes([n[0], n[1], n[2], n[3]]));
    let mut bytes: Cow<[u8]> = Cow::Borrowed(&[]);
    let mut next = None;
    for (at, number) in numbers.enumerate() {
        let length = page_size.min(size - at * page_size);
        let from = (number as usize).checked_mul(page_size)?;
        let page = file.get(from..from.checked_add(length)?)?;
        match &mut bytes {
            Cow::Borrowed(run) if run.is_empty() => *run = page,
            Cow::Borrowed(run) if next == Some(from) => *run = &file[from - run.len()..from + length],
            run => run.to_mut().extend_from_slice(page),
        }
        next = Some(from + length);
    }
    Some(bytes)
}
