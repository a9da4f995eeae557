//! Pool blocks on one page, found by arithmetic: every slot of the page may be a header, and those are believed that
//! agree with their neighbours.
//!
//! [`Reader`] keeps its memory between pages. Most pages fall through a test that looks at every slot by itself, in a
//! loop that compilers make vectors of; the rest costs a few microseconds.

mod chain;
mod header;

pub use header::{Era, Header, Kind};

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
    /// The block before, or the start of the page, agrees.
    pub before: bool,
    /// The block behind, or the end of the page, agrees.
    pub behind: bool,
    /// The header's own size is wrong; `size` is what the block behind says.
    pub resized: bool,
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
}

impl Reader {
    /// For the pool of a kernel.
    pub fn new(era: Era) -> Reader {
        let (flags, chains) = (Box::new([0; SLOTS]), Box::default());
        Reader { era, flags, chains, blocks: Vec::new(), breaks: Vec::new() }
    }

    /// Looks at a page, or at the part from `offset` on that a small dump captured; whether pool blocks are on it.
    pub fn read(&mut self, bytes: &[u8], offset: usize) -> bool {
        self.blocks.clear();
        self.breaks.clear();
        match <&[u8; PAGE]>::try_from(bytes) {
            Ok(page) => self.page(page, 0, PAGE),
            Err(_) => {
                let end = (offset % PAGE + bytes.len()).min(PAGE);
                let start = offset % PAGE;
                let mut page = [0; PAGE];
                page[start..end].copy_from_slice(&bytes[..end - start]);
                self.page(&page, start, end)
            }
        }
    }

    fn page(&mut self, page: &[u8; PAGE], start: usize, end: usize) -> bool {
        match self.era.unit {
            8 => self.slots::<8>(page, start, end),
            _ => self.slots::<16>(page, start, end),
        }
    }

    fn slots<const UNIT: usize>(&mut self, page: &[u8; PAGE], start: usize, end: usize) -> bool {
        if !plausible::<UNIT>(page, &mut self.flags, self.era.segment_heap) {
            return false;
        }
        if self.era.segment_heap {
            return false;
        }
        let part = chain::Part { page, first: start.div_ceil(UNIT), end: end / UNIT };
        let found = (&mut self.blocks, &mut self.breaks);
        self.chains.classic::<UNIT>(&self.era, &part, &self.flags, found)
    }

    /// The blocks of the last page in the order of their addresses.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// What is wrong on the last page.
    pub fn breaks(&self) -> &[Break] {
        &self.breaks
    }
}

/// Marks the slots that may be headers, each by itself: a size that stays in the page, a previous size that does too,
/// and a tag of text. Whether there are any.
fn plausible<const UNIT: usize>(page: &[u8; PAGE], flags: &mut [u8; SLOTS], segment_heap: bool) -> bool {
    let (slots, _) = page.as_chunks::<UNIT>();
    let mask = (1u32 << header::size_bits::<UNIT>()) - 1;
    let count = (PAGE / UNIT) as u32;
    let no_previous = u32::from(segment_heap);
    let mut any = 0;
    for (number, (slot, flag)) in (0u32..).zip(slots.iter().zip(flags.iter_mut())) {
        let word = u32::from_le_bytes([slot[0], slot[1], slot[2], slot[3]]);
        let tag = u32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]);
        let size = word >> 16 & mask;
        let fits =
            (size.wrapping_sub(1) < count - number) & (word & mask <= number | no_previous.wrapping_neg());
        // Every byte has bit 5 or 6 and not bit 7, which only the last may have: a protected tag.
        let text = ((tag | tag << 1) & 0x4040_4040 == 0x4040_4040) & (tag & 0x0080_8080 == 0);
        let good = u8::from(fits & text);
        *flag = good;
        any |= good;
    }
    any != 0
}
