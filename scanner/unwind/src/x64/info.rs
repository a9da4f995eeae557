//! `UNWIND_INFO`: what a prologue did, and where the rest of it is written.
//!
//! Four bytes (version and flags, size of the prologue, number of code slots, frame register and offset), the slots
//! of 2 bytes each, and then, at an even slot, the parent's table entry if the data is chained, or the handler. The
//! size of the prologue is not needed: each code says where its instruction ends. Version 3 has [`Words`] instead.

use super::{pdata::Function, v3::Words};
use crate::{Image, Why};

/// `UNW_FLAG_CHAININFO`
const CHAINED: u8 = 4;
/// Longest chain that is followed. Linkers make chains of a few.
const MOST_CHAINED: u32 = 32;

/// Room for the code slots of any function.
pub(super) type Room = [u8; 510];

/// Nothing read yet.
pub(super) const EMPTY: Room = [0; 510];

/// Unwind data of a function or fragment; its slots stay in the [`Room`] that they were read into.
pub(super) struct Info<'r> {
    /// 1 to 3.
    pub version: u8,
    /// Register that holds the frame, if there is one.
    pub frame: Option<usize>,
    /// What the frame register was above the stack pointer when it was set, bytes.
    pub frame_offset: u32,
    /// RVA of the parent's table entry, if it is chained.
    pub parent: Option<u32>,
    /// The code slots, low byte and high byte: offset in the prologue; operation (4 bits) and its info (4 bits).
    pub slots: &'r [[u8; 2]],
    /// Of version 3 everything, instead of slots and frame.
    pub words: Option<Words<'r>>,
}

impl<'r> Info<'r> {
    /// Reads the data at an RVA.
    pub fn read(image: &Image, rva: u32, room: &'r mut Room) -> Result<Info<'r>, Why> {
        let mut head = [0; 4];
        image.read(rva, &mut head)?;
        let (version, flags) = (head[0] & 7, head[0] >> 3);
        let after = rva.checked_add(4).ok_or(Why::BadUnwindData("an RVA beyond the image"))?;
        let tail =
            |bytes: u32| (flags & CHAINED != 0).then_some(after.saturating_add(bytes.next_multiple_of(4)));
        if !(1..=3).contains(&version) {
            return Err(Why::BadUnwindData("unknown version"));
        }
        let bytes = 2 * usize::from(head[2]);
        image.read(after, &mut room[..bytes])?;
        let (bytes, parent) = (&room[..bytes], tail(bytes as u32));
        Ok(match version {
            3 => {
                let words = Some(Words::new(flags, head[3], bytes));
                Info { version, frame: None, frame_offset: 0, parent, slots: &[], words }
            }
            _ => {
                let slots = bytes.as_chunks().0;
                let register = usize::from(head[3] & 15);
                let (frame, frame_offset) =
                    ((register != 0).then_some(register), u32::from(head[3] >> 4) * 16);
                Info { version, frame, frame_offset, parent, slots, words: None }
            }
        })
    }
}

/// Parents of chained unwind data, one after the other.
pub(super) struct Chain<'i, 'a> {
    image: &'i Image<'a>,
    next: Option<u32>,
    left: u32,
}

impl<'i, 'a> Chain<'i, 'a> {
    /// The chain that starts with `info`, which is not part of what it gives.
    pub fn new(image: &'i Image<'a>, info: &Info) -> Chain<'i, 'a> {
        Chain { image, next: info.parent, left: MOST_CHAINED }
    }

    /// The next parent; the last one is the function's first fragment.
    pub fn next<'r>(&mut self, room: &'r mut Room) -> Result<Option<(Function, Info<'r>)>, Why> {
        let Some(entry) = self.next else { return Ok(None) };
        self.left = self.left.checked_sub(1).ok_or(Why::BadUnwindData("a chain of more than 32"))?;
        let function = Function::read(self.image, entry)?;
        let info = Info::read(self.image, function.info, room)?;
        self.next = info.parent;
        Ok(Some((function, info)))
    }
}
