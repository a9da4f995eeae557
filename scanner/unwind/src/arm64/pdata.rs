//! The table of functions: a record of eight bytes for each function, or fragment of one, in the order of addresses.
//!
//! Source: Microsoft's "ARM64 exception handling", ".pdata records".

use super::{
    code::{Codes, hosted, instructions},
    frame::Frame,
    packed,
    xdata::{Room, Xdata},
};
use crate::{Image, Why};

/// A function, or a fragment of one, with unwind data of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// RVA of its first instruction.
    pub begin: u32,
    /// RVA after its last instruction.
    pub end: u32,
    /// Second word of the record.
    data: u32,
}

/// `Flag` of a record
const FULL: u32 = 0;
const PACKED: u32 = 1;
const PACKED_FRAGMENT: u32 = 2;

impl Function {
    /// The record that covers an RVA; `None` if none does.
    pub fn find(image: &Image, rva: u32) -> Result<Option<Function>, Why> {
        let (mut low, mut high) = (0, image.table_size / 8);
        while low < high {
            let middle = low + (high - low) / 2;
            if image.u32(image.table + 8 * middle)? <= rva {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(index) = low.checked_sub(1) else { return Ok(None) };
        let function = Function::at(image, index)?;
        Ok((rva < function.end).then_some(function))
    }

    /// The record with this index; the table has `image.table_size / 8` of them.
    pub fn at(image: &Image, index: u32) -> Result<Function, Why> {
        let beyond = Why::BadUnwindData("a record beyond the table");
        let inside = index < image.table_size / 8;
        let at =
            image.table.checked_add(index.checked_mul(8).ok_or(beyond)?).filter(|_| inside).ok_or(beyond)?;
        let (begin, data) = (image.u32(at)?, image.u32(at + 4)?);
        let length = match data & 3 {
            FULL if data == 0 => return Err(Why::BadUnwindData("a record without unwind data")),
            FULL => Xdata::open(image, data)?.length,
            PACKED | PACKED_FRAGMENT => data >> 2 & 0x7ff,
            _ => return Err(Why::BadUnwindData("a record with the reserved flag")),
        };
        Ok(Function { begin, end: begin.saturating_add(4 * length), data })
    }

    /// Whether it is known to be a part of a function that starts elsewhere: it has no prologue, or one that builds upon
    /// its host's. Fragments are found by what they say; a false here does not prove that there is no host.
    pub fn is_fragment(&self, image: &Image) -> Result<bool, Why> {
        if self.data & 3 != FULL {
            return Ok(self.data & 3 == PACKED_FRAGMENT);
        }
        let mut room = Room::new();
        Ok(hosted(Xdata::open(image, self.data)?.codes(image, &mut room)?))
    }

    /// Instructions of its prologue.
    pub(super) fn prologue(&self, image: &Image) -> Result<u32, Why> {
        if self.data & 3 != FULL {
            return Ok(packed::unfold(self.data)?.prologue().len() as u32);
        }
        let mut room = Room::new();
        Ok(instructions(Xdata::open(image, self.data)?.codes(image, &mut room)?))
    }

    /// Undoes in `frame` what the function did before the instruction at `rva`.
    pub(super) fn undo(&self, image: &Image, rva: u32, frame: &mut Frame) -> Result<(), Why> {
        let instruction = rva.saturating_sub(self.begin) / 4;
        match self.data & 3 {
            FULL => {
                let (xdata, mut room) = (Xdata::open(image, self.data)?, Room::new());
                let codes = xdata.codes(image, &mut room)?;
                let place = xdata.place(image, codes, instruction)?;
                frame.apply(Codes(&codes[place.start..]).skip(place.skip as usize))
            }
            _ => self.undo_packed(instruction, frame),
        }
    }

    fn undo_packed(&self, instruction: u32, frame: &mut Frame) -> Result<(), Why> {
        let ops = packed::unfold(self.data)?;
        let (prologue, epilogue) = (ops.prologue(), ops.epilogue().count() as u32 + 1);
        let length = (self.end - self.begin) / 4;
        if self.data & 3 == PACKED {
            if let Some(skip) = (prologue.len() as u32).checked_sub(instruction) {
                return frame.apply(prologue.iter().copied().map(Ok).skip(skip as usize));
            }
            let at = length.checked_sub(epilogue);
            let at = at.ok_or(Why::BadUnwindData("an epilogue longer than its function"))?;
            if let Some(skip) = instruction.checked_sub(at) {
                return frame.apply(ops.epilogue().map(Ok).skip(skip as usize));
            }
        }
        frame.apply(prologue.iter().copied().map(Ok))
    }
}
