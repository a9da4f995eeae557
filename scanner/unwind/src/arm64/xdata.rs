//! Full unwind data: a header, places of epilogues, codes.
//!
//! Source: Microsoft's "ARM64 exception handling", ".xdata records".

use super::code::instructions;
use crate::{Image, Why};

/// Most bytes of codes: eight bits of words.
const MOST: usize = 255 * 4;

/// A record of full unwind data.
pub(super) struct Xdata {
    /// Instructions of the function (or of this fragment of one).
    pub(super) length: u32,
    /// RVA of the codes; the scopes of epilogues end here.
    codes: u32,
    /// Bytes of codes.
    size: usize,
    epilogues: Epilogues,
}

/// Where the epilogues are.
enum Epilogues {
    /// One, at the end of the function; its codes start at this byte.
    One(usize),
    /// As many scopes as this, from this RVA.
    Scopes(u32, u32),
}

/// Where in a function an instruction is, and which codes undo what was done before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// First byte of the codes.
    pub(super) start: usize,
    /// Codes from there on that are not to be undone.
    pub(super) skip: u32,
}

/// Room for the codes of a record.
pub(super) struct Room([u8; MOST]);

impl Room {
    pub(super) fn new() -> Room {
        Room([0; MOST])
    }
}

impl Xdata {
    /// Reads the header at an RVA.
    pub(super) fn open(image: &Image, rva: u32) -> Result<Xdata, Why> {
        let beyond = Why::BadUnwindData("unwind data beyond the image");
        let word = image.u32(rva)?;
        let (mut count, mut words) = (word >> 22 & 0x1f, word >> 27);
        let mut at = rva.checked_add(4).ok_or(beyond)?;
        if count == 0 && words == 0 {
            let extended = image.u32(at)?;
            (count, words) = (extended & 0xffff, extended >> 16 & 0xff);
            at = at.checked_add(4).ok_or(beyond)?;
        }
        if word >> 18 & 3 != 0 {
            return Err(Why::BadUnwindData("a version that is not 0"));
        }
        let single = word >> 21 & 1 == 1;
        let epilogues = if single { Epilogues::One(count as usize) } else { Epilogues::Scopes(count, at) };
        let codes = if single { Some(at) } else { at.checked_add(4 * count) };
        Ok(Xdata {
            length: word & 0x3_ffff,
            codes: codes.ok_or(beyond)?,
            size: words as usize * 4,
            epilogues,
        })
    }

    /// Reads the codes into `room`.
    pub(super) fn codes<'r>(&self, image: &Image, room: &'r mut Room) -> Result<&'r [u8], Why> {
        let codes = &mut room.0[..self.size];
        image.read(self.codes, codes)?;
        Ok(codes)
    }

    /// What undoes the instructions before this one (an index).
    pub(super) fn place(&self, image: &Image, codes: &[u8], instruction: u32) -> Result<Place, Why> {
        let prologue = instructions(codes);
        if instruction < prologue {
            return Ok(Place { start: 0, skip: prologue - instruction });
        }
        let (start, at) = match self.epilogues {
            Epilogues::One(start) => {
                let len = instructions(codes.get(start..).unwrap_or_default()) + 1;
                (start, self.length.checked_sub(len).ok_or(TOO_LONG)?)
            }
            Epilogues::Scopes(count, scopes) => match last_before(image, scopes, count, instruction)? {
                Some(scope) => ((scope >> 22) as usize, scope & 0x3_ffff),
                None => return Ok(Place { start: 0, skip: 0 }),
            },
        };
        let epilogue = codes.get(start..).ok_or(Why::BadUnwindData("an epilogue without codes"))?;
        Ok(match instruction.checked_sub(at) {
            Some(skip) if skip <= instructions(epilogue) => Place { start, skip },
            _ => Place { start: 0, skip: 0 },
        })
    }
}

const TOO_LONG: Why = Why::BadUnwindData("an epilogue longer than its function");

/// The last scope that starts at or before an instruction: they are sorted.
fn last_before(image: &Image, scopes: u32, count: u32, instruction: u32) -> Result<Option<u32>, Why> {
    let (mut low, mut high, mut found) = (0, count, None);
    while low < high {
        let middle = low + (high - low) / 2;
        let scope = image.u32(scopes + 4 * middle)?;
        if scope & 0x3_ffff <= instruction {
            found = Some(scope);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(found)
}
