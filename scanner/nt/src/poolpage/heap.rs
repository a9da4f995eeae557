//! One page of the segment heap, Windows 10 1809 and later.
//!
//! Where the heap is known, its own books say what is allocated: encoded headers in front of the chunks of a VS
//! subsegment, a bitmap in front of the equal blocks of an LFH subsegment. Where it is not (its symbols are missing, or
//! nothing maps the page any more), only pool headers are left, and those are believed behind which another one begins
//! where the next block would.
//!
//! Source: MemProcFS `vmm/vmmwinpool.c` for how chunk headers and block offsets are encoded.

use super::{Block, Break, Evidence, Header, PAGE, SLOTS, Wrong};

/// Blocks from this size on have no pool header.
const BIG: usize = 0xff0;
/// A block that would reach further than this beyond the start of its page is moved to the next page.
const MOVED: usize = 0x1040;

/// Where the chunks of a page of a VS subsegment begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// Offset of the first chunk header in the page, [`Start::UNKNOWN`], or a page or more if none begins there.
    pub at: u32,
    /// Slots of the chunk before it; 0 if that is not known.
    pub previous: u16,
    /// Slots of a block at the start of the page whose chunk began in the page before; 0 if there is none.
    pub moved: u16,
    /// Whether that block is in use.
    pub allocated: bool,
}

impl Start {
    /// The chain of chunks was lost.
    pub const UNKNOWN: u32 = u32::MAX;
}

/// A page of a VS subsegment.
#[derive(Clone, Copy)]
pub struct VsPage<'a> {
    /// Its bytes.
    pub bytes: &'a [u8; PAGE],
    /// Its address.
    pub va: u64,
    /// One past the last byte of the subsegment.
    pub end: u64,
    /// `HeapKey`.
    pub key: u64,
}

/// The header of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Offset in the page.
    pub at: usize,
    /// Slots, the chunk header included.
    pub size: usize,
    /// Slots of the chunk before.
    pub previous: u16,
    /// Whether it is in use.
    pub allocated: bool,
}

impl VsPage<'_> {
    fn chunk<const UNIT: usize>(&self, at: usize) -> Option<Chunk> {
        let va = self.va.wrapping_add(at as u64);
        let rest = self.bytes.get(at..)?;
        let (size, previous, allocated) = if UNIT == 8 {
            let word = u32::from_le_bytes(*rest.first_chunk()?) ^ va as u32 ^ self.key as u32;
            (word >> 1 & 0x7fff, word >> 16 & 0x7fff, word >> 31)
        } else {
            let word = u64::from_le_bytes(*rest.first_chunk()?) ^ va ^ self.key;
            ((word >> 16) as u32 & 0xffff, (word >> 32) as u32 & 0xffff, (word >> 48) as u32 & 0xff)
        };
        Some(Chunk { at, size: size as usize, previous: previous as u16, allocated: allocated != 0 })
    }

    fn wrong<const UNIT: usize>(&self, chunk: &Chunk, previous: u16) -> Option<Wrong> {
        let room = self.end.saturating_sub(self.va.wrapping_add(chunk.at as u64));
        match chunk.size {
            0 => Some(Wrong::ZeroSize),
            size if (size * UNIT) as u64 > room => Some(Wrong::PastEnd),
            _ if previous != 0 && chunk.previous != previous => Some(Wrong::PreviousSize),
            _ => None,
        }
    }

    /// Where the chain goes on: a chunk behind which another one begins on this page and agrees.
    fn again<const UNIT: usize>(&self, from: usize) -> Option<usize> {
        (from.next_multiple_of(UNIT)..PAGE).step_by(UNIT).find(|&at| {
            let good = |at: usize, previous: u16| {
                self.chunk::<UNIT>(at).filter(|chunk| self.wrong::<UNIT>(chunk, previous).is_none())
            };
            let Some(first) = good(at, 0).filter(|first| first.size > 1) else { return false };
            let next = at + first.size * UNIT;
            next < PAGE && good(next, first.size as u16).is_some()
        })
    }

    /// Shows the chunks whose headers are on the page, and where they disagree. Returns where those of the next begin.
    pub fn chunks<const UNIT: usize>(
        &self,
        start: Start,
        mut chunk: impl FnMut(Chunk),
        mut broken: impl FnMut(usize, Wrong),
    ) -> Start {
        let (mut at, mut previous) = (start.at as usize, start.previous);
        if start.at == Start::UNKNOWN {
            let Some(found) = self.again::<UNIT>(0) else {
                return Start { at: Start::UNKNOWN, ..Start::default() };
            };
            (at, previous) = (found, 0);
        }
        let (mut moved, mut allocated) = (0, false);
        while at < PAGE && self.va.wrapping_add(at as u64) < self.end {
            let Some(found) = self.chunk::<UNIT>(at) else { break };
            if let Some(wrong) = self.wrong::<UNIT>(&found, previous) {
                broken(at, wrong);
                let Some(next) = self.again::<UNIT>(at + UNIT) else {
                    return Start { at: Start::UNKNOWN, ..Start::default() };
                };
                (at, previous) = (next, 0);
                continue;
            }
            (moved, allocated) = (self.moved::<UNIT>(&found), found.allocated);
            chunk(found);
            (at, previous) = (at + found.size * UNIT, found.size as u16);
        }
        Start { at: at.saturating_sub(PAGE) as u32, previous, moved, allocated }
    }

    /// Slots at the start of the next page, if the block of a chunk is moved there.
    fn moved<const UNIT: usize>(&self, chunk: &Chunk) -> u16 {
        let body = (chunk.size - 1) * UNIT;
        let crosses = chunk.at + UNIT + body > MOVED && body < BIG;
        let skipped = PAGE.saturating_sub(chunk.at + UNIT);
        let next = skipped == 0 && body < BIG;
        match next || chunk.allocated && crosses && skipped < body {
            true => ((body - skipped) / UNIT) as u16,
            false => 0,
        }
    }
}

/// Blocks of a page of a VS subsegment.
pub(super) fn vs<const UNIT: usize>(
    page: &VsPage<'_>,
    start: Start,
    (blocks, breaks, used): (&mut Vec<Block>, &mut Vec<Break>, &mut [u32; 2]),
) {
    if start.moved > 0 {
        let room = usize::from(start.moved) * UNIT;
        push::<UNIT>(page.bytes, 0, room.min(PAGE), (start.allocated, Evidence::Chunk), blocks);
        used[usize::from(start.allocated)] += room.min(PAGE) as u32;
    }
    let mut found = Vec::new();
    page.chunks::<UNIT>(
        start,
        |chunk| {
            let room = (chunk.size - 1) * UNIT;
            used[usize::from(chunk.allocated)] += (chunk.size * UNIT).min(PAGE - chunk.at) as u32;
            let here = chunk.at + UNIT < PAGE && (room >= BIG || page.moved::<UNIT>(&chunk) == 0);
            if here && room < BIG {
                push::<UNIT>(page.bytes, chunk.at + UNIT, room, (chunk.allocated, Evidence::Chunk), blocks);
            }
        },
        |at, wrong| found.push((at, wrong)),
    );
    for (at, wrong) in found {
        let before = blocks.iter().rposition(|block| usize::from(block.at) < at);
        breaks.push(Break { at: at as u16, wrong, suspect: before });
    }
}

/// Where the blocks of an LFH subsegment lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lfh {
    /// Bytes of a block.
    pub size: u32,
    /// Offset of the first in the subsegment.
    pub first: u32,
    /// How many there are.
    pub count: u32,
    /// Two bits for each; the lower one is set if it is in use.
    pub bitmap: Vec<u8>,
}

impl Lfh {
    fn allocated(&self, number: u32) -> bool {
        let bit = number * 2;
        self.bitmap.get((bit / 8) as usize).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }
}

/// Blocks of a page of an LFH subsegment; `offset` is that of the page in the subsegment.
pub(super) fn lfh<const UNIT: usize>(
    bytes: &[u8; PAGE],
    offset: u64,
    of: &Lfh,
    (blocks, used): (&mut Vec<Block>, &mut [u32; 2]),
) {
    let size = u64::from(of.size);
    if (size as usize) < 2 * UNIT || size > PAGE as u64 {
        return;
    }
    let first = offset.saturating_sub(of.first.into()).div_ceil(size);
    for number in first..of.count.into() {
        let at = (u64::from(of.first) + number * size).saturating_sub(offset);
        if at >= PAGE as u64 {
            break;
        }
        // A block never lies on two pages: this place stays empty.
        if at + size <= PAGE as u64 {
            let allocated = of.allocated(number as u32);
            used[usize::from(allocated)] += of.size;
            push::<UNIT>(bytes, at as usize, size as usize, (allocated, Evidence::Bitmap), blocks);
        }
    }
}

/// Takes a block if there is a pool header: a free block has lost it, or never had one.
fn push<const UNIT: usize>(
    bytes: &[u8; PAGE],
    at: usize,
    room: usize,
    (allocated, evidence): (bool, Evidence),
    blocks: &mut Vec<Block>,
) {
    let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { return };
    let header = Header::read::<UNIT>(*word);
    let size = usize::from(header.size) * UNIT;
    if header.size > 0 && size <= room && header.printable() {
        let (at, size) = (at as u16, size as u16);
        blocks.push(Block { at, size, header, allocated, before: true, behind: true, evidence });
    }
}

/// Blocks of a page of a heap that is not known, by their headers alone.
pub(super) fn unknown<const UNIT: usize>(
    bytes: &[u8; PAGE],
    slots: std::ops::Range<usize>,
    flags: &[u8; SLOTS],
    blocks: &mut Vec<Block>,
) {
    let last = slots.end;
    let marked = |slot: usize| slot < last && flags.get(slot).is_some_and(|flag| *flag != 0);
    let (mut free, mut expected) = (slots.start, [usize::MAX; 3]);
    // Most slots are not marked: eight flags at a time tell that.
    let groups = flags.as_chunks::<8>().0.iter().enumerate();
    let some = groups.filter(|(_, group)| **group != [0; 8]).flat_map(|(group, _)| group * 8..group * 8 + 8);
    for slot in some.take_while(|slot| *slot < last) {
        if slot < free || !marked(slot) {
            continue;
        }
        let Some(word) = bytes.get(slot * UNIT..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let header = Header::read::<UNIT>(*word);
        let next = slot + usize::from(header.size);
        // Next in an LFH subsegment; behind the header of the next VS chunk; the same with a slot of padding.
        let following = [next, next + 1, next + 2];
        let (before, behind) = (expected.contains(&slot), following.into_iter().any(marked));
        let evidence = if before || behind { Evidence::Near } else { Evidence::Alone };
        let (at, size) = ((slot * UNIT) as u16, (usize::from(header.size) * UNIT) as u16);
        blocks.push(Block { at, size, header, allocated: true, before, behind, evidence });
        if evidence == Evidence::Near {
            (free, expected) = (next, following);
        }
    }
}
