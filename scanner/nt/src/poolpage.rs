//! Pool blocks on one page, found by arithmetic: every slot of the page may be a header, and those are believed that
//! agree with their neighbours.
//!
//! [`Reader`] keeps its memory between pages. Most pages fall through a test that looks at every slot by itself, in a
//! loop that compilers make vectors of; the rest costs a few microseconds.

mod chain;
mod header;
mod heap;

pub use header::{Era, Header, Kind};
pub use heap::{Chunk, Lfh, Start, VsPage};

/// Bytes of a page.
const PAGE: usize = 0x1000;
/// Most slots of a page: of 8 bytes.
const SLOTS: usize = PAGE / 8;

/// A block of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Offset of the header in the page.
    pub at: u16,
    /// Bytes, the header included.
    pub size: u16,
    /// The header.
    pub header: Header,
    /// Whether it is in use.
    pub allocated: bool,
    /// The block before, or the start of the page, agrees.
    pub before: bool,
    /// The block behind, or the end of the page, agrees.
    pub behind: bool,
    /// Why there should be a block, and in this state.
    pub evidence: Evidence,
}

/// Why there should be a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Sizes in its header and in those before and behind it; its own header says whether it is in use.
    Neighbours,
    /// The header behind leads back to it; its own size is wrong, and the block's is the one that follows from that.
    Resized,
    /// The header of a chunk of the segment heap.
    Chunk,
    /// The bitmap of a subsegment of the segment heap.
    Bitmap,
    /// A header where the next block of a segment heap would begin, or one behind which this begins.
    Near,
    /// Nothing but itself.
    Alone,
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// `BlockSize` is 0.
    ZeroSize,
    /// `BlockSize` leads out of the page.
    PastEnd,
    /// `PreviousSize` is not the size of the block before; 0 in the first block of a page.
    PreviousSize,
    /// `BlockSize` does not lead to the block behind.
    BlockSize,
    /// The tag of a block in use is no text; sizes agree.
    Tag,
    /// `PoolIndex` is another one than in the rest of the page; sizes agree.
    PoolIndex,
}

impl Wrong {
    /// Its word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Wrong::ZeroSize => "zero_size",
            Wrong::PastEnd => "past_page_end",
            Wrong::PreviousSize => "previous_size",
            Wrong::BlockSize => "block_size",
            Wrong::Tag => "tag",
            Wrong::PoolIndex => "pool_index",
        }
    }

    /// Whether the sizes of the chain disagree, and not only what a header says beside them.
    pub fn breaks_chain(self) -> bool {
        !matches!(self, Wrong::Tag | Wrong::PoolIndex)
    }
}

/// A header that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// Offset of the header in the page.
    pub at: u16,
    /// What is wrong.
    pub wrong: Wrong,
    /// The block before it, whose owner may have written too far: an index into the blocks.
    pub suspect: Option<usize>,
}

/// Reads pages.
pub struct Reader {
    era: Era,
    flags: Box<[u8; SLOTS]>,
    chains: Box<chain::Chains>,
    blocks: Vec<Block>,
    breaks: Vec<Break>,
    bytes: [u32; 2],
}

impl Reader {
    /// For the pool of a kernel.
    pub fn new(era: Era) -> Reader {
        let (flags, chains) = (Box::new([0; SLOTS]), Box::default());
        Reader { era, flags, chains, blocks: Vec::new(), breaks: Vec::new(), bytes: [0; 2] }
    }

    /// Looks at a page, or at the part from `offset` on that a small dump captured; whether pool blocks are on it. `tags`,
    /// of a whole page of a 64-bit system, are the places where a header would have its tag and there is text.
    pub fn read(&mut self, bytes: &[u8], offset: usize, tags: Option<&Tags>) -> bool {
        self.clear();
        let found = match <&[u8; PAGE]>::try_from(bytes) {
            Ok(page) => self.page(page, 0, PAGE, tags),
            Err(_) => {
                let start = offset % PAGE;
                let end = (start + bytes.len()).min(PAGE);
                let mut page = [0; PAGE];
                page[start..end].copy_from_slice(&bytes[..end - start]);
                self.page(&page, start, end, None)
            }
        };
        if found {
            for block in &self.blocks {
                self.bytes[usize::from(block.allocated)] += u32::from(block.size);
            }
        }
        found
    }

    /// Looks at a page of a VS subsegment.
    pub fn read_vs(&mut self, page: &VsPage<'_>, start: Start) -> bool {
        self.clear();
        let found = (&mut self.blocks, &mut self.breaks, &mut self.bytes);
        match self.era.unit {
            8 => heap::vs::<8>(page, start, found),
            _ => heap::vs::<16>(page, start, found),
        }
        self.bytes != [0; 2] || !self.breaks.is_empty()
    }

    /// Looks at a page of an LFH subsegment, `offset` bytes behind its start.
    pub fn read_lfh(&mut self, page: &[u8; PAGE], offset: u64, of: &Lfh) -> bool {
        self.clear();
        let found = (&mut self.blocks, &mut self.bytes);
        match self.era.unit {
            8 => heap::lfh::<8>(page, offset, of, found),
            _ => heap::lfh::<16>(page, offset, of, found),
        }
        self.bytes != [0; 2]
    }

    fn clear(&mut self) {
        self.blocks.clear();
        self.breaks.clear();
        self.bytes = [0; 2];
    }

    fn page(&mut self, page: &[u8; PAGE], start: usize, end: usize, tags: Option<&Tags>) -> bool {
        match self.era.unit {
            8 => self.slots::<8>(page, start, end, None),
            _ => self.slots::<16>(page, start, end, tags),
        }
    }

    fn slots<const UNIT: usize>(
        &mut self,
        page: &[u8; PAGE],
        start: usize,
        end: usize,
        tags: Option<&Tags>,
    ) -> bool {
        let (first, end) = (start.div_ceil(UNIT), end / UNIT);
        let flags = &mut self.flags;
        if self.era.segment_heap {
            let any = match tags {
                Some(tags) => plausible_at::<true>(page, tags, flags),
                None => any_in_use::<UNIT>(page) && plausible::<UNIT, true>(page, flags),
            };
            if !any {
                return false;
            }
            heap::unknown::<UNIT>(page, first..end, &self.flags, &mut self.blocks);
            return !self.blocks.is_empty();
        }
        let any = match tags {
            Some(tags) => plausible_at::<false>(page, tags, flags),
            None => plausible::<UNIT, false>(page, flags),
        };
        if !any {
            return false;
        }
        let found = (&mut self.blocks, &mut self.breaks);
        self.chains.classic::<UNIT>(&self.era, &chain::Part { page, first, end }, &self.flags, found)
    }

    /// The blocks of the last page in the order of their addresses.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Forgets the blocks of the last page that are not wanted, which then count for nothing.
    pub fn keep(&mut self, wanted: impl Fn(&Block) -> bool) {
        let bytes = &mut self.bytes;
        self.blocks.retain(|block| {
            let kept = wanted(block);
            if !kept {
                let sum = &mut bytes[usize::from(block.allocated)];
                *sum = sum.saturating_sub(block.size.into());
            }
            kept
        });
    }

    /// Bytes of the last page that are free, and that are in use.
    pub fn bytes(&self) -> [u32; 2] {
        self.bytes
    }

    /// What is wrong on the last page.
    pub fn breaks(&self) -> &[Break] {
        &self.breaks
    }
}

/// Whether any slot has the type of a block in use and a tag of text: most of what [`plausible`] asks of a segment heap,
/// at half the price, for the many pages that have none. Numbers are put together, not truths: only so it becomes vector
/// code.
fn any_in_use<const UNIT: usize>(page: &[u8; PAGE]) -> bool {
    let bits = 16 + header::size_bits::<UNIT>();
    let mut any = 0;
    for slot in page.as_chunks::<UNIT>().0 {
        let word = u32::from_le_bytes([slot[0], slot[1], slot[2], slot[3]]);
        let tag = u32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]);
        let kind = (word & 0xf2 << bits) ^ 2 << bits;
        any |= u32::from(kind | tag & 0x0080_8080 | !(tag | tag << 1) & 0x4040_4040 == 0);
    }
    any != 0
}

/// Marks the slots that may be headers, each by itself: a size that stays in the page and a tag of text; in a classic
/// pool a previous size that stays in the page too, in a segment heap none (but for blocks that begin on a line of the
/// cache, type 4) and a type of a block in use without higher bits. Whether there are any.
fn plausible<const UNIT: usize, const HEAP: bool>(page: &[u8; PAGE], flags: &mut [u8; SLOTS]) -> bool {
    let (slots, _) = page.as_chunks::<UNIT>();
    let mut any = 0;
    for (number, (slot, flag)) in (0u32..).zip(slots.iter().zip(flags.iter_mut())) {
        let good = u8::from(is_plausible::<UNIT, HEAP>(slot, number));
        *flag = good;
        any |= good;
    }
    any != 0
}

/// One slot, as [`plausible`] says. No branches: see there.
#[inline(always)]
fn is_plausible<const UNIT: usize, const HEAP: bool>(slot: &[u8; UNIT], number: u32) -> bool {
    let bits = header::size_bits::<UNIT>();
    let mask = (1u32 << bits) - 1;
    let word = u32::from_le_bytes([slot[0], slot[1], slot[2], slot[3]]);
    let tag = u32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]);
    let (size, previous, kind) = ((word >> 16) & mask, word & mask, word >> (16 + bits));
    let fits = size.wrapping_sub(1) < (PAGE / UNIT) as u32 - number;
    let before = match HEAP {
        true => ((previous == 0) | (kind & 4 != 0)) & (kind & 0xf2 == 2) & (size > 1),
        false => previous <= number,
    };
    // Every byte has bit 5 or 6 and not bit 7, which only the last may have: a protected tag.
    let text = ((tag | (tag << 1)) & 0x4040_4040 == 0x4040_4040) & (tag & 0x0080_8080 == 0);
    fits & before & text
}

/// For each 256 bytes of a page of a 64-bit system one bit for each 32-bit word, the lowest for the first: the words that
/// are a tag of text and second in a slot.
pub type Tags = [u64; PAGE / 256];

/// More words of text than this, and vectors of all slots are faster than one slot after the other.
const FEW: u32 = 48;

/// What [`plausible`] says, where it is known which slots have a tag of text.
fn plausible_at<const HEAP: bool>(page: &[u8; PAGE], tags: &Tags, flags: &mut [u8; SLOTS]) -> bool {
    if tags.iter().map(|bits| bits.count_ones()).sum::<u32>() > FEW {
        return plausible::<16, HEAP>(page, flags);
    }
    let (slots, _) = page.as_chunks::<16>();
    let mut any = false;
    for (block, bits) in tags.iter().enumerate() {
        let mut bits = *bits;
        while bits != 0 {
            let number = block * 16 + bits.trailing_zeros() as usize / 4;
            bits &= bits - 1;
            if is_plausible::<16, HEAP>(&slots[number], number as u32) {
                if !any {
                    flags[..PAGE / 16].fill(0);
                    any = true;
                }
                flags[number] = 1;
            }
        }
    }
    any
}
