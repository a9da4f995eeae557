//! The table of functions: `IMAGE_RUNTIME_FUNCTION_ENTRY`, 12 bytes each, sorted by address.

use super::info::{Chain, EMPTY, Info};
use crate::{Image, MACHINE_AMD64, Why};

/// Bytes of an entry.
const ENTRY: u32 = 12;
/// An entry whose unwind data is another entry.
const INDIRECT: u32 = 1;

/// An entry of the table: a function, or a fragment of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// RVA of its first byte.
    pub begin: u32,
    /// RVA after its last byte.
    pub end: u32,
    /// RVA of its unwind data.
    pub info: u32,
}

impl Function {
    /// Reads the entry at an RVA.
    pub(super) fn read(image: &Image, rva: u32) -> Result<Function, Why> {
        let mut bytes = [0; ENTRY as usize];
        image.read(rva, &mut bytes)?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Ok(Function { begin: word(0), end: word(4), info: word(8) })
    }

    /// Whether the RVA is in it.
    pub fn contains(&self, rva: u32) -> bool {
        (self.begin..self.end).contains(&rva)
    }
}

/// The entry that holds an RVA; `None` if there is none, so that the code there is a leaf.
pub fn find(image: &Image, rva: u32) -> Result<Option<Function>, Why> {
    if image.machine != MACHINE_AMD64 {
        return Err(Why::NotAnImage("not x64"));
    }
    let count = image.table_size / ENTRY;
    if count == 0 {
        return Err(Why::NoUnwindData);
    }
    let (mut low, mut high) = (0, count);
    let mut best = None;
    while low < high {
        let middle = low + (high - low) / 2;
        let at = image.table.saturating_add(ENTRY * middle);
        // Tables may be padded with zeros at the end.
        match image.u32(at)? {
            0 => high = middle,
            begin if begin > rva => high = middle,
            _ => {
                best = Some(at);
                low = middle + 1;
            }
        }
    }
    let Some(at) = best else { return Ok(None) };
    let found = Function::read(image, at)?;
    if !found.contains(rva) {
        return Ok(None);
    }
    if found.info & INDIRECT == 0 {
        return Ok(Some(found));
    }
    let other = Function::read(image, found.info & !INDIRECT)?;
    if other.info & INDIRECT != 0 {
        return Err(Why::BadUnwindData("an indirect entry points to another one"));
    }
    Ok(Some(other))
}

/// The first fragment of the function that this entry is a fragment of; most often the entry itself.
pub fn primary(image: &Image, function: Function) -> Result<Function, Why> {
    let mut room = EMPTY;
    let info = Info::read(image, function.info, &mut room)?;
    let mut chain = Chain::new(image, &info);
    let mut first = function;
    while let Some((parent, _)) = chain.next(&mut room)? {
        first = parent;
    }
    Ok(first)
}
