//! The compiled modules that a program was linked from (`DBI` stream, module information).

use super::super::cursor::Cursor;

/// A module's stream and how it is divided.
pub struct Module<'d> {
    /// Name as the linker was given it: an object file, or one of a library.
    pub name: &'d [u8],
    pub stream: u16,
    symbols: usize,
    old_lines: usize,
    lines: usize,
}

/// Bytes of the debug stream's header; the module information follows it, its size stands at 24.
const HEADER: usize = super::Debug::HEADER;
const SIZE_AT: usize = 24;
/// No stream.
const NONE: u16 = 0xffff;

/// All modules that have a stream. Ends at the first record that is not whole.
pub fn list(debug: &[u8]) -> impl Iterator<Item = Module<'_>> {
    let size = debug.get(SIZE_AT..).and_then(|bytes| Cursor(bytes).u32()).unwrap_or(0) as usize;
    let bytes = debug.get(HEADER..).unwrap_or_default();
    let bytes = &bytes[..bytes.len().min(size)];
    let mut cursor = Cursor(bytes);
    let all = std::iter::from_fn(move || {
        let module = one(&mut cursor)?;
        let read = bytes.len() - cursor.0.len();
        cursor.take(read.next_multiple_of(4) - read)?;
        Some(module)
    });
    all.filter(|module| module.stream != NONE)
}

fn one<'d>(cursor: &mut Cursor<'d>) -> Option<Module<'d>> {
    let _opened = cursor.u32()?;
    let _section_contribution = cursor.take(28)?;
    let (_flags, stream) = (cursor.u16()?, cursor.u16()?);
    let (symbols, old_lines, lines) =
        (cursor.u32()? as usize, cursor.u32()? as usize, cursor.u32()? as usize);
    let _files = cursor.take(16)?;
    let (name, _object) = (cursor.raw_text()?, cursor.raw_text()?);
    Some(Module { name, stream, symbols, old_lines, lines })
}

impl Module<'_> {
    /// Where in the stream the tables of lines begin.
    pub fn tables_at(&self) -> usize {
        self.symbols.saturating_add(self.old_lines)
    }

    /// The symbol records, and the tables of lines.
    pub fn parts<'s>(&self, stream: &'s [u8]) -> (&'s [u8], &'s [u8]) {
        let part = |from: usize, length: usize| {
            let rest = stream.get(from..).unwrap_or_default();
            &rest[..rest.len().min(length)]
        };
        // The stream begins with a signature of 4 bytes, which the size of the symbols counts.
        (part(4, self.symbols.saturating_sub(4)), part(self.tables_at(), self.lines))
    }
}
