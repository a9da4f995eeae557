//! The bytes behind a site of an inlined function: which code is its, and of which lines (`BinaryAnnotations`).

use super::super::cursor::Cursor;

/// A piece of code of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// From the procedure's first byte.
    pub start: u32,
    /// Behind its last byte; `None` where nothing states it.
    pub end: Option<u32>,
    /// The file's place among the module's files; `None` is that of the function's declaration.
    pub file: Option<u32>,
    /// Lines from the function's declaration.
    pub line: i64,
}

/// All pieces. Ends at the first byte that makes no sense.
pub fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let mut state = State::default();
    let mut cursor = Cursor(bytes);
    while state.step(&mut cursor).is_some() {}
    state.found
}

#[derive(Default)]
struct State {
    at: u32,
    file: Option<u32>,
    line: i64,
    found: Vec<Piece>,
}

impl State {
    /// One annotation; `None` at the end.
    fn step(&mut self, bytes: &mut Cursor) -> Option<()> {
        match number(bytes)? {
            0 => return None, // padding
            1 => self.at = number(bytes)?,
            // A base other than the procedure, which compilers do not write: nothing of it can be believed.
            2 => return None,
            3 => {
                let delta = number(bytes)?;
                self.begin(delta, None);
            }
            4 => {
                let length = number(bytes)?;
                self.end_last(length);
                self.at = self.at.wrapping_add(length);
            }
            5 => self.file = Some(number(bytes)?),
            6 => self.line = self.line.saturating_add(signed(number(bytes)?)),
            // Ends of lines, kinds of ranges, columns.
            7..=10 | 13 => drop(number(bytes)?),
            11 => {
                let both = number(bytes)?;
                self.line = self.line.saturating_add(signed(both >> 4));
                self.begin(both & 0xf, None);
            }
            12 => {
                let (length, delta) = (number(bytes)?, number(bytes)?);
                self.begin(delta, Some(length));
            }
            _ => return None,
        }
        Some(())
    }

    fn begin(&mut self, delta: u32, length: Option<u32>) {
        self.at = self.at.wrapping_add(delta);
        self.end_last(u32::MAX);
        let end = length.map(|length| self.at.wrapping_add(length));
        self.found.push(Piece { start: self.at, end, file: self.file, line: self.line });
    }

    /// The piece before ends after so many bytes, or where the next begins.
    fn end_last(&mut self, length: u32) {
        let at = self.at;
        if let Some(last) = self.found.last_mut().filter(|last| last.end.is_none()) {
            last.end = Some(if length == u32::MAX { at } else { last.start.wrapping_add(length) });
        }
    }
}

/// A number of one, two or four bytes.
fn number(bytes: &mut Cursor) -> Option<u32> {
    let first: u32 = bytes.u8()?.into();
    let mut next = || bytes.u8().map(u32::from);
    Some(match first {
        0..0x80 => first,
        0x80..0xc0 => (first & 0x3f) << 8 | next()?,
        0xc0..0xe0 => (first & 0x1f) << 24 | next()? << 16 | next()? << 8 | next()?,
        _ => return None,
    })
}

/// The lowest bit is the sign.
fn signed(number: u32) -> i64 {
    let size = i64::from(number >> 1);
    if number & 1 == 1 { -size } else { size }
}
