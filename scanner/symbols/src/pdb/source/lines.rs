//! Tables of lines of a module (`DEBUG_S_*`, "C13").

use super::{
    super::{Msf, cursor::Cursor, places::Map},
    Asked, Line, Steps,
};
use crate::Result;
use std::{borrow::Cow, collections::HashMap};

/// Kinds of tables.
const LINES: u32 = 0xf2;
const FILES: u32 = 0xf4;
const INLINEES: u32 = 0xf6;
const IMPORTS: u32 = 0xf7;
/// Numbers that stand for "no line": code that the compiler added.
const NO_LINE: [u32; 2] = [0xfe_efee, 0xf0_0f00];
/// The first of the numbered streams.
const INFO: usize = 1;
const NAMES_SIGNATURE: u32 = 0xeffe_effe;

/// The tables, kind and bytes. Ends at the first that is not whole.
pub fn tables(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut cursor = Cursor(bytes);
    std::iter::from_fn(move || {
        let (kind, length) = (cursor.u32()?, cursor.u32()? as usize);
        let table = cursor.take(length)?;
        cursor.take((length.next_multiple_of(4) - length).min(cursor.0.len()))?;
        Some((kind, table))
    })
}

/// The texts of all modules (stream `/names`).
pub struct Names<'f>(Option<Cow<'f, [u8]>>);

impl<'f> Names<'f> {
    pub fn read(file: &Msf<'f>) -> Result<Names<'f>> {
        let info = file.stream(INFO)?;
        let number = info.as_deref().and_then(|info| named_stream(info, b"/names"));
        Ok(Names(match number {
            Some(number) => file.stream(number as usize)?,
            None => None,
        }))
    }

    pub fn text(&self, at: u32) -> Option<String> {
        let mut cursor = Cursor(self.0.as_deref()?);
        let (signature, _version) = (cursor.u32()?, cursor.u32()?);
        let size = cursor.u32()? as usize;
        let texts = cursor.take(size)?;
        (signature == NAMES_SIGNATURE).then(|| Cursor(texts.get(at as usize..)?).text())?
    }
}

/// Number of a stream by its name: a hash table behind the header of the info stream.
fn named_stream(info: &[u8], wanted: &[u8]) -> Option<u32> {
    let mut cursor = Cursor(info.get(28..)?);
    let size = cursor.u32()? as usize;
    let texts = cursor.take(size)?;
    let (count, _capacity) = (cursor.u32()?, cursor.u32()?);
    for _bit_set in ["present", "deleted"] {
        let words = cursor.u32()? as usize;
        cursor.take(words.checked_mul(4)?)?;
    }
    for _ in 0..count {
        let (key, stream) = (cursor.u32()?, cursor.u32()?);
        let name = texts.get(key as usize..)?;
        if name.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&0)) {
            return Some(stream);
        }
    }
    None
}

/// The source files of a module, and where the functions begin that are inlined into it.
pub struct Files<'s> {
    /// Entries of 6 bytes and a checksum; files are named by the offset of theirs.
    entries: &'s [u8],
    /// File and line by the number of the function.
    declarations: HashMap<u32, (u32, u32)>,
    /// Functions of other modules, which sites name by their place here.
    imports: &'s [u8],
    names: &'s Names<'s>,
}

impl<'s> Files<'s> {
    pub fn of(bytes: &'s [u8], names: &'s Names<'s>) -> Files<'s> {
        let mut files = Files { entries: &[], declarations: HashMap::new(), imports: &[], names };
        for (kind, table) in tables(bytes) {
            match kind {
                FILES => files.entries = table,
                INLINEES => files.declare(table),
                IMPORTS => files.imports = table,
                _ => {}
            }
        }
        files
    }

    fn declare(&mut self, table: &[u8]) {
        let mut cursor = Cursor(table);
        let Some(with_more) = cursor.u32().map(|signature| signature == 1) else { return };
        let mut one = || {
            let declaration = (cursor.u32()?, (cursor.u32()?, cursor.u32()?));
            if with_more {
                let more = cursor.u32()? as usize;
                cursor.take(more.checked_mul(4)?)?;
            }
            Some(declaration)
        };
        self.declarations.extend(std::iter::from_fn(&mut one));
    }

    /// File and line of a function's declaration.
    pub fn declaration(&self, function: u32) -> Option<(u32, u32)> {
        self.declarations.get(&function).copied()
    }

    /// The module that defines a function of another one, and the function's number there.
    pub fn import(&self, group: usize, place: usize) -> Option<(String, u32)> {
        let mut cursor = Cursor(self.imports);
        let mut groups = std::iter::from_fn(|| {
            let (module, count) = (cursor.u32()?, cursor.u32()? as usize);
            Some((module, cursor.take(count.checked_mul(4)?)?))
        });
        let (module, numbers) = groups.nth(group)?;
        let number = Cursor(numbers.get(place.checked_mul(4)?..)?).u32()?;
        Some((self.names.text(module)?, number))
    }

    /// Path of a file by the offset of its entry.
    pub fn name(&self, file: u32) -> Option<String> {
        let at = Cursor(self.entries.get(file as usize..)?).u32()?;
        self.names.text(at)
    }
}

/// Lines of the addresses whose function is known.
pub fn fill(bytes: &[u8], map: &Map, files: &Files, asked: &mut Asked, steps: &mut Steps) -> Result<()> {
    for (kind, table) in tables(bytes) {
        if kind == LINES {
            of_table(table, map, files, asked, steps)?;
        }
    }
    Ok(())
}

fn of_table(table: &[u8], map: &Map, files: &Files, asked: &mut Asked, steps: &mut Steps) -> Result<()> {
    let mut cursor = Cursor(table);
    let mut header = || {
        let (offset, section) = (cursor.u32()?, cursor.u16()?);
        let _flags = cursor.u16()?;
        let start = map.rva((section, offset))?;
        Some((start, start.checked_add(cursor.u32()?)?))
    };
    let Some((start, end)) = header() else { return Ok(()) };
    let wanted = asked.within(start, end);
    if wanted.is_empty() {
        return Ok(());
    }
    steps.take(wanted.len().saturating_mul(table.len() / 8))?;
    for index in wanted {
        let at = asked.rvas[index] - start;
        // The table of a function with handlers covers theirs, which have tables of their own: the nearest counts.
        let Some(place) = asked.places[index].as_mut().filter(|_| asked.tables[index] <= start) else {
            continue;
        };
        let found = nearest(cursor, at).filter(|(_, line)| !NO_LINE.contains(line));
        let line = found.and_then(|(file, line)| Some(Line { file: files.name(file)?, line }));
        // Equal functions that the linker folded have a table each, and nothing tells whose code ran.
        let folded = asked.tables[index] == start && place.line != line;
        place.line = line.filter(|_| !folded);
        asked.tables[index] = start;
    }
    Ok(())
}

/// File and line of the last entry at or below an offset: blocks of one file each.
fn nearest(mut blocks: Cursor, at: u32) -> Option<(u32, u32)> {
    let mut best: Option<(u32, u32, u32)> = None;
    let mut block = || {
        let (file, count) = (blocks.u32()?, blocks.u32()? as usize);
        let size = (blocks.u32()? as usize).checked_sub(12)?;
        let entries = blocks.take(size)?;
        Some((file, entries.get(..count.checked_mul(8)?)?))
    };
    while let Some((file, entries)) = block() {
        for entry in entries.chunks_exact(8) {
            let mut entry = Cursor(entry);
            let (offset, bits) = (entry.u32()?, entry.u32()?);
            if offset <= at && best.is_none_or(|(before, ..)| before <= offset) {
                best = Some((offset, file, bits & 0xff_ffff));
            }
        }
    }
    best.map(|(_, file, line)| (file, line))
}
