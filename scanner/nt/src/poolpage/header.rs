//! `_POOL_HEADER` and what its bits mean in each era.
//!
//! Sources: the structure in public symbol data (the same bits in every build); volatility3's `extensions/pool.py` for
//! `PoolType` (0 is a free block; before Windows Vista the type plus one); T. Mandt, "Kernel Pool Exploitation on
//! Windows 7" (2011) for the bits "in use" and "quota".

use crate::pool::Tag;

/// Bit of `PoolType`: the block is charged to a process.
const QUOTA: u8 = 8;
/// Bit of `PoolType`: pool of a session.
const SESSION: u8 = 0x20;
/// First build whose pool is a segment heap (Windows 10 1809).
const SEGMENT_HEAP: u32 = 17_763;
/// First build that hides the billed process behind a cookie (Windows 8).
const COOKIE: u32 = 9200;
/// Windows Vista.
const VISTA: u32 = 6000;

/// What the pool of a kernel looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era {
    /// Bytes of a slot: sizes are counted in these, and headers begin at multiples of them.
    pub unit: usize,
    /// True for a segment heap, where `PreviousSize` means nothing.
    pub segment_heap: bool,
    /// True if the pointer to the billed process is mixed with `ExpPoolQuotaCookie` and the header's address.
    pub cookie: bool,
    /// True before Windows Vista.
    old: bool,
}

/// Kind of pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nonpaged; in a header nothing tells executable from not executable.
    NonPaged,
    /// Nonpaged, not executable.
    NonPagedNx,
    /// Paged.
    Paged,
    /// Of a session.
    Session,
}

impl Kind {
    /// Its word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::NonPaged => "nonpaged",
            Kind::NonPagedNx => "nonpaged_nx",
            Kind::Paged => "paged",
            Kind::Session => "session",
        }
    }
}

/// `_POOL_HEADER`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// `PreviousSize` in slots.
    pub previous: u16,
    /// `PoolIndex`.
    pub index: u8,
    /// `BlockSize` in slots.
    pub size: u16,
    /// `PoolType`.
    pub pool_type: u8,
    /// `PoolTag`.
    pub tag: u32,
}

impl Era {
    /// The era of a kernel; an unknown build (0) counts as one of the many with a classic pool.
    pub fn of(pointer_size: u32, build: u32) -> Era {
        Era {
            unit: if pointer_size == 4 { 8 } else { 16 },
            segment_heap: build >= SEGMENT_HEAP,
            cookie: build >= COOKIE,
            old: (1..VISTA).contains(&build),
        }
    }

    /// Whether a block is in use.
    pub fn allocated(&self, header: &Header) -> bool {
        header.pool_type & if self.old { 4 } else { 2 } != 0
    }

    /// Whether a block is charged to a process.
    pub fn quota(&self, header: &Header) -> bool {
        self.allocated(header) && header.pool_type & QUOTA != 0
    }

    /// Kind of pool; a free block does not say.
    pub fn kind(&self, header: &Header) -> Option<Kind> {
        let odd = header.pool_type & 1 != 0;
        match header.pool_type {
            0 => None,
            session if session & SESSION != 0 => Some(Kind::Session),
            _ if odd != self.old => Some(Kind::Paged),
            _ => Some(Kind::NonPaged),
        }
    }
}

impl Header {
    /// From the header's first 8 bytes.
    pub fn read<const UNIT: usize>(bytes: [u8; 8]) -> Header {
        let [a, b, c, d, tag @ ..] = bytes;
        let word = u32::from_le_bytes([a, b, c, d]);
        let bits = size_bits::<UNIT>();
        let part = |half: u32| ((half & ((1 << bits) - 1)) as u16, (half >> bits) as u8);
        let ((previous, index), (size, pool_type)) = (part(word & 0xffff), part(word >> 16));
        Header { previous, index, size, pool_type, tag: u32::from_le_bytes(tag) }
    }

    /// Whether the tag is text, apart from its protected bit.
    pub fn printable(&self) -> bool {
        (self.tag & !(1 << 31)).to_le_bytes().iter().all(|byte| (0x20..0x7f).contains(byte))
    }

    /// The tag.
    pub fn tag(&self) -> Tag {
        Tag(self.tag)
    }
}

/// Bits of `PreviousSize` and of `BlockSize`; the other bits of 16 are `PoolIndex` and `PoolType`.
pub(super) const fn size_bits<const UNIT: usize>() -> u32 {
    if UNIT == 8 { 9 } else { 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: T. Mandt's paper prints `040a0004 ...`-like words for 32-bit blocks: type 2 at bit 25, sizes 9 bits.
    #[test]
    fn bits_of_both_widths() {
        let narrow = Header::read::<8>([0x04, 0x00, 0x0a, 0x04, b'N', b't', b'F', b'x']);
        assert_eq!((narrow.previous, narrow.size, narrow.pool_type, narrow.index), (4, 0xa, 2, 0));
        let wide = Header::read::<16>([4, 1, 0xa, 2, b'P', b'r', b'o', 0xe3]);
        assert_eq!((wide.previous, wide.index, wide.size, wide.pool_type), (4, 1, 0xa, 2));
        assert!(wide.printable() && wide.tag().is_protected());
        assert!(!Header { tag: 0x0041_4141, ..wide }.printable());
    }

    #[test]
    fn kinds_by_era() {
        let header = |pool_type| Header { pool_type, ..Header::default() };
        let (xp, seven) = (Era::of(4, 2600), Era::of(8, 7601));
        assert_eq!(xp.kind(&header(5)), Some(Kind::NonPaged));
        assert_eq!(xp.kind(&header(6)), Some(Kind::Paged));
        assert_eq!(seven.kind(&header(2)), Some(Kind::NonPaged));
        assert_eq!(seven.kind(&header(3)), Some(Kind::Paged));
        assert_eq!(seven.kind(&header(0x23)), Some(Kind::Session));
        assert!(xp.allocated(&header(5)) && !xp.allocated(&header(2)) && seven.quota(&header(0xa)));
        assert_eq!(seven.kind(&header(0)), None);
    }
}
