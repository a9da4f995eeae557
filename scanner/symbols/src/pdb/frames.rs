//! Frame data: what the compiler of a 32-bit program left about its frames, as nothing in its image tells.
//!
//! Two tables: `FPO_DATA` of older compilers (winnt.h), and `FRAMEDATA` (Microsoft's public microsoft-pdb sources) with
//! programs in the file's table of strings. A record covers a piece of code; a piece that begins after a push lies inside the
//! one that begins at the function. Looking up an address gives the innermost piece.
//!
//! Images that were rearranged after linking keep the records of the code as it was: addresses are translated back first.

use super::{Debug, Msf, cursor::Cursor, damaged};
use crate::Result;
use std::{borrow::Cow, cmp::Reverse};

/// Places in the list of further streams (`DBGTYPE`).
const FPO: usize = 0;
const TO_SOURCE: usize = 3;
const NEW_FPO: usize = 9;

/// Longest program that is given out; real ones have less than 300 bytes.
const MOST_PROGRAM: usize = 0x1000;
/// Most pieces that lie in each other; real ones have up to 5.
const MOST_NESTED: usize = 64;

/// The frame data of a file.
pub struct Frames {
    /// By address, an outer piece before those in it.
    pieces: Vec<Piece>,
    strings: Vec<u8>,
    /// Where pieces of the image came from: sorted pairs of addresses; the second is 0 for what was added.
    moved: Option<Vec<(u32, u32)>>,
}

/// A record. Addresses are those of the linker.
struct Piece {
    rva: u32,
    size: u32,
    locals: u32,
    params: u32,
    prologue: u16,
    saved: u16,
    start: bool,
    /// The program is its offset in the table of strings.
    kind: FrameKind<u32>,
    /// Indices of the piece that it lies in, and of the outermost one.
    outer: Option<u32>,
    outermost: u32,
}

/// How to find the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind<Program> {
    /// A program of a `FRAMEDATA` record.
    Program(Program),
    /// `FPO_DATA` with `cbFrame` 0: from the stack pointer. The flag is `fUseBP`: ebp is used for something else.
    Fpo(bool),
    /// `FPO_DATA` with `cbFrame` 1: ebp points at a trap frame.
    Trap,
    /// `FPO_DATA` with `cbFrame` 2: the processor switched tasks.
    Task,
    /// `FPO_DATA` with `cbFrame` 3: from the frame pointer.
    FramePointer,
}

/// What is known of the frame of a piece of code. Pieces lie in each other; the innermost counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameData<'a> {
    /// RVA of its first byte.
    pub rva: u32,
    /// Bytes of code.
    pub size: u32,
    /// Bytes of local variables.
    pub locals: u32,
    /// Bytes of parameters on the stack.
    pub params: u32,
    /// Bytes of code of the prologue.
    pub prologue: u32,
    /// Bytes of saved registers.
    pub saved: u32,
    /// The function starts here (a piece can also be what follows a push).
    pub start: bool,
    /// RVA of the outermost piece that this one lies in: the function, as far as known.
    pub function: u32,
    /// RVA after it.
    pub function_end: u32,
    /// A piece inside it begins and ends before the address: registers that this one does not name may have been saved
    /// since (compilers write no piece for what follows the first return of a function).
    pub split: bool,
    /// How to find the caller.
    pub kind: FrameKind<&'a str>,
}

/// Reads the frame data of a file; none is not an error.
pub fn frames(bytes: &[u8]) -> Result<Frames> {
    let file = Msf::open(bytes)?;
    let debug = file.stream(super::DEBUG)?.unwrap_or_default();
    if debug.is_empty() {
        return Ok(Frames::of(&[], &[], Vec::new(), None));
    }
    let debug = Debug::parse(&debug)?;
    let table = |kind| debug.further(&file, kind).map(Option::unwrap_or_default);
    let moved = debug.further(&file, TO_SOURCE)?.map(|moved| pairs(&moved).collect());
    let strings = match named(&file, "/names")? {
        Some(names) => strings(&names).ok_or_else(|| damaged("the table of strings is cut off"))?,
        None => Vec::new(),
    };
    Ok(Frames::of(&table(NEW_FPO)?, &table(FPO)?, strings, moved))
}

impl Frames {
    /// From the two tables, the strings and the list of moves.
    pub(super) fn of(new: &[u8], old: &[u8], strings: Vec<u8>, moved: Option<Vec<(u32, u32)>>) -> Frames {
        let mut pieces: Vec<Piece> =
            new.chunks_exact(32).filter_map(|record| newer(Cursor(record))).collect();
        // The older table repeats some of the newer one's records and says less.
        let mut known: Vec<u32> = pieces.iter().map(|piece| piece.rva).collect();
        known.sort_unstable();
        let old = old.chunks_exact(16).filter_map(|record| older(Cursor(record)));
        pieces.extend(old.filter(|piece| known.binary_search(&piece.rva).is_err()));
        pieces.sort_by_key(|piece| (piece.rva, Reverse(piece.size)));
        let mut open: Vec<u32> = Vec::new();
        for index in 0..pieces.len() {
            let rva = pieces[index].rva;
            while open.last().is_some_and(|&outer| !pieces[outer as usize].holds(rva)) {
                open.pop();
            }
            open.truncate(MOST_NESTED);
            pieces[index].outer = open.last().copied();
            pieces[index].outermost = open.first().copied().unwrap_or(index as u32);
            open.push(index as u32);
        }
        Frames { pieces, strings, moved }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The innermost piece that holds an RVA of the image.
    pub fn find(&self, rva: u32) -> Option<FrameData<'_>> {
        let (source, block) = self.source(rva)?;
        let mut index = self.pieces.partition_point(|piece| piece.rva <= source).checked_sub(1)?;
        let mut split = false;
        for _ in 0..=MOST_NESTED + 1 {
            let piece = &self.pieces[index];
            if piece.holds(source) {
                return Some(self.data(piece, split, rva, source, block));
            }
            index = piece.outer? as usize;
            split = true;
        }
        None
    }

    fn data(&self, piece: &Piece, split: bool, rva: u32, source: u32, block: u32) -> FrameData<'_> {
        // The code before the address came along only as far as its block reaches.
        let whole = source - piece.rva <= block;
        let outermost = &self.pieces[piece.outermost as usize];
        let at = |address: u32| rva.wrapping_sub(source).wrapping_add(address);
        let kind = match piece.kind {
            FrameKind::Program(offset) => FrameKind::Program(self.program(offset)),
            FrameKind::Fpo(own_use) => FrameKind::Fpo(own_use),
            FrameKind::Trap => FrameKind::Trap,
            FrameKind::Task => FrameKind::Task,
            FrameKind::FramePointer => FrameKind::FramePointer,
        };
        FrameData {
            rva: at(piece.rva),
            size: piece.size,
            locals: piece.locals,
            params: piece.params,
            prologue: if whole { piece.prologue.into() } else { 0 },
            saved: piece.saved.into(),
            start: piece.start && whole,
            function: at(outermost.rva),
            function_end: at(outermost.rva.saturating_add(outermost.size)),
            split,
            kind,
        }
    }

    /// Where the linker had put what is at an RVA now, and how many bytes before it came along.
    fn source(&self, rva: u32) -> Option<(u32, u32)> {
        let Some(moved) = &self.moved else { return Some((rva, rva)) };
        let next = moved.partition_point(|&(from, _)| from <= rva);
        let (from, to) = moved[..next].last().filter(|(_, to)| *to != 0)?;
        Some((to.checked_add(rva - from)?, rva - from))
    }

    /// A program; empty if it is not there or no text, which no one will take for a program.
    fn program(&self, offset: u32) -> &str {
        let bytes = self.strings.get(offset as usize..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(MOST_PROGRAM)];
        let end = bytes.iter().position(|&byte| byte == 0);
        end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok()).unwrap_or_default()
    }
}

impl Piece {
    fn holds(&self, rva: u32) -> bool {
        rva.wrapping_sub(self.rva) < self.size
    }
}

/// `FRAMEDATA`: rva, bytes, locals, parameters, most of the stack, program, prologue, saved registers, flags.
fn newer(mut record: Cursor) -> Option<Piece> {
    const START: u32 = 4;
    let [rva, size, locals, params, _most, program] = std::array::from_fn(|_| record.u32().unwrap_or(0));
    let (prologue, saved, flags) = (record.u16()?, record.u16()?, record.u32()?);
    let (start, kind) = (flags & START != 0, FrameKind::Program(program));
    Some(Piece { rva, size, locals, params, prologue, saved, start, kind, outer: None, outermost: 0 })
}

/// `FPO_DATA`: rva, bytes, locals and parameters in doublewords, then bits: 8 prologue, 3 registers, SEH, ebp, one
/// reserved, 2 style.
fn older(mut record: Cursor) -> Option<Piece> {
    let (rva, size, locals) = (record.u32()?, record.u32()?, record.u32()?.saturating_mul(4));
    let (params, bits) = (u32::from(record.u16()?) * 4, record.u16()?);
    let kind = match bits >> 14 {
        0 => FrameKind::Fpo(bits >> 12 & 1 == 1),
        1 => FrameKind::Trap,
        2 => FrameKind::Task,
        _ => FrameKind::FramePointer,
    };
    let (prologue, saved) = (bits & 0xff, (bits >> 8 & 7) * 4);
    Some(Piece { rva, size, locals, params, prologue, saved, start: true, kind, outer: None, outermost: 0 })
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> + '_ {
    let mut cursor = Cursor(bytes);
    std::iter::from_fn(move || Some((cursor.u32()?, cursor.u32()?)))
}

/// A stream by its name: behind GUID and age in the info stream are all names, then a hash table of (place of the name,
/// stream), of which only the pairs are of interest.
fn named<'f>(file: &Msf<'f>, wanted: &str) -> Result<Option<Cow<'f, [u8]>>> {
    let Some(info) = file.stream(super::INFO)? else { return Ok(None) };
    match stream_of(&info, wanted) {
        Some(number) => file.stream(number as usize),
        None => Ok(None),
    }
}

fn stream_of(info: &[u8], wanted: &str) -> Option<u32> {
    let mut cursor = Cursor(info.get(28..)?);
    let size = cursor.u32()? as usize;
    let names = cursor.take(size)?;
    let (count, _capacity) = (cursor.u32()?, cursor.u32()?);
    for _bits in ["present", "deleted"] {
        let words = cursor.u32()? as usize;
        cursor.take(words.checked_mul(4)?)?;
    }
    let is_wanted = |at: u32| {
        names.get(at as usize..).is_some_and(|name| name.starts_with(wanted.as_bytes()))
            && names.get(at as usize + wanted.len()) == Some(&0)
    };
    pairs(cursor.0).take(count as usize).find(|(name, _)| is_wanted(*name)).map(|(_, stream)| stream)
}

/// The bytes of `/names`: a signature, a version, their length, the bytes.
fn strings(names: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor(names);
    let (signature, _version, size) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
    (signature == 0xeffe_effe).then(|| cursor.take(size as usize).map(<[u8]>::to_vec)).flatten()
}
