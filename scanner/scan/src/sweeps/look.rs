//! One look at a page for all sweeps: which of its words may matter to any of them?
//!
//! Most sweeps want a few words of few pages. Were each to test every word by itself, a page would be gone through once
//! for each; here it is gone through once, in vectors of 256 bits where the processor has them (the `fearless_simd`
//! crate chooses at run time), and what is left are bits: one for each 32-bit word that a sweep has to look at again.
//! Sweeps give exact answers; a bit only says that a word is worth their while.
//!
//! Only whole pages of 64-bit systems are looked at. Elsewhere sweeps go through all words by themselves.

use super::images::MARKS;
use fearless_simd::{Level, dispatch, i8x32, mask32x8, prelude::*, u8x32, u16x16, u32x8, u64x4};

/// Bytes that one number of bits tells of.
pub const BLOCK: usize = 256;
/// Blocks of a page.
pub const BLOCKS: usize = PAGE / BLOCK;
const PAGE: usize = 0x1000;

/// Least `Size` of driver, device and file objects that the look finds.
pub const LEAST_IO: u32 = 0x80;
/// `PROTECTED_POOL`.
const PROTECTED: u32 = 1 << 31;
/// The lowest character of text.
const SPACE: i8 = 0x20;

/// Bits of words that begin a slot of 16 bytes, that are second in one, that are the upper half of a word of 64 bits.
const FIRST: u64 = 0x1111_1111_1111_1111;
const SECOND: u64 = FIRST << 1;
const UPPER: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Some of the 32-bit words of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// Blocks with any, the lowest bit for the first.
    blocks: u16,
    /// For each block one bit for each of its words, the lowest for the first.
    bits: [u64; BLOCKS],
}

impl Words {
    fn set(&mut self, block: usize, bits: u64) {
        self.bits[block] |= bits;
        self.blocks |= u16::from(bits != 0) << block;
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.blocks == 0
    }

    /// For each block of the page the bits of its words.
    pub fn bits(&self) -> &[u64; BLOCKS] {
        &self.bits
    }

    /// Places in the page's bytes.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let blocks = each(self.blocks.into());
        blocks.flat_map(|block| each(self.bits[block]).map(move |word| block * BLOCK + word * 4))
    }

    /// Blocks in which these or other words are, with the bits of both.
    pub fn with<'w>(&'w self, other: &'w Words) -> impl Iterator<Item = (usize, u64, u64)> + 'w {
        each((self.blocks | other.blocks).into()).map(|block| (block, self.bits[block], other.bits[block]))
    }
}

/// What a look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where a pool header would have its tag: four characters, the last perhaps with the bit of protected pool.
    pub tags: Words,
    /// First words of slots that may begin a driver, device or file object; that have the first members of a dispatcher
    /// header; that may be an image's base.
    pub objects: Words,
    /// Words that may be the mark of an image or of a record.
    pub marks: Words,
    /// Upper halves in the range that was asked for.
    pub uppers: Words,
}

/// Looks at pages.
#[derive(Clone, Copy)]
pub struct Look {
    level: Level,
    /// First upper half of 64-bit words that is looked for, and the last less the first.
    upper: (u32, u32),
    /// Upper half of the least address of the kernel's half.
    kernel: u32,
}

impl Look {
    /// For words of 64 bits whose upper halves are in a range, among the others. `kernel` is the upper half of the least
    /// address of the kernel's half.
    pub fn new(upper: Option<(u32, u32)>, kernel: u32) -> Look {
        Look { level: Level::new(), upper: upper.unwrap_or((u32::MAX, 0)), kernel }
    }

    /// Whether all bytes are zero.
    pub fn is_zero(&self, bytes: &[u8]) -> bool {
        dispatch!(self.level, simd => is_zero(simd, bytes))
    }

    /// Looks at a page.
    pub fn at(&self, page: &[u8; PAGE], seen: &mut Seen) {
        dispatch!(self.level, simd => look(simd, page, self, seen));
    }
}

/// The places of bits that are set.
pub fn each(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        (at < 64).then_some(at)
    })
}

#[inline(always)]
fn is_zero<S: Simd>(simd: S, bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<128>();
    let empty = |block: &[u8; 128]| {
        let any = block
            .as_chunks::<32>()
            .0
            .iter()
            .fold(u8x32::splat(simd, 0), |any, bytes| any | u8x32::simd_from(simd, *bytes));
        any.simd_eq(0).all_true()
    };
    blocks.iter().all(empty) && rest.iter().all(|byte| *byte == 0)
}

#[inline(always)]
fn look<S: Simd>(simd: S, page: &[u8; PAGE], of: &Look, seen: &mut Seen) {
    *seen = Seen::default();
    let least = of.kernel.min(of.upper.0);
    let [dispatcher, base] = [dispatcher(of.kernel), base(of.kernel)];
    for (number, block) in page.as_chunks::<BLOCK>().0.iter().enumerate() {
        let rough = rough(simd, block, least);
        if rough.tags {
            seen.tags.set(number, bits(simd, block, is_text) & SECOND);
        }
        if rough.io {
            seen.objects.set(number, bits(simd, block, is_io) & FIRST);
        }
        if rough.marks {
            seen.marks.set(number, bits(simd, block, is_mark));
        }
        if rough.kernel {
            let (objects, uppers) = pointed(simd, block, of.upper, &dispatcher, &base);
            seen.objects.set(number, objects);
            seen.uppers.set(number, uppers);
        }
    }
}

/// Whether a block has any word of a kind. Few have, so that places are asked for later.
struct Rough {
    tags: bool,
    io: bool,
    marks: bool,
    /// Some word of 64 bits may be an address of the kernel's half.
    kernel: bool,
}

#[inline(always)]
fn rough<S: Simd>(simd: S, block: &[u8; BLOCK], least: u32) -> Rough {
    let none = || mask32x8::splat(simd, false);
    let (mut tags, mut io, mut marks, mut highest) = (none(), none(), none(), u32x8::splat(simd, 0));
    for pair in block.as_chunks::<64>().0 {
        let [a, b] = [0, 1].map(|half| u8x32::simd_from(simd, pair.as_chunks::<32>().0[half]));
        let (longs_a, longs_b): (u64x4<S>, u64x4<S>) = (a.bitcast(), b.bitcast());
        // First and second words of four slots, by turns.
        let fronts: u32x8<S> = longs_a.unzip_low(longs_b).bitcast();
        tags |= is_text(fronts);
        io |= is_io(fronts);
        let (a, b): (u32x8<S>, u32x8<S>) = (a.bitcast(), b.bitcast());
        marks |= is_mark(a) | is_mark(b);
        highest = highest.max(a).max(b);
    }
    Rough {
        tags: tags.to_bitmask() & 0b1010_1010 != 0,
        io: io.to_bitmask() & 0b0101_0101 != 0,
        marks: marks.any_true(),
        kernel: highest.simd_ge(least).to_bitmask() & 0b1010_1010 != 0,
    }
}

/// One bit for each word of a block that passes a test.
#[inline(always)]
fn bits<S: Simd>(simd: S, block: &[u8; BLOCK], test: impl Fn(u32x8<S>) -> mask32x8<S>) -> u64 {
    let mut bits = 0;
    for (number, bytes) in block.as_chunks::<32>().0.iter().enumerate() {
        let words: u32x8<S> = u8x32::simd_from(simd, *bytes).bitcast();
        bits |= test(words).to_bitmask() << (8 * number as u32);
    }
    bits
}

/// What needs an address of the kernel's half: first words of slots, and upper halves.
#[inline(always)]
fn pointed<S: Simd>(
    simd: S,
    block: &[u8; BLOCK],
    (first, len): (u32, u32),
    dispatcher: &Lanes,
    base: &Lanes,
) -> (u64, u64) {
    let (mut dispatchers, mut bases, mut uppers) = (0, 0, 0);
    for (number, bytes) in block.as_chunks::<32>().0.iter().enumerate() {
        let words: u32x8<S> = u8x32::simd_from(simd, *bytes).bitcast();
        let shift = 8 * number as u32;
        dispatchers |= dispatcher.passes(simd, words).to_bitmask() << shift;
        bases |= base.passes(simd, words).to_bitmask() << shift;
        uppers |= (words - first).simd_le(len).to_bitmask() << shift;
    }
    let dispatchers = dispatchers & dispatchers >> 1 & dispatchers >> 2 & dispatchers >> 3;
    ((dispatchers | bases & bases >> 1) & FIRST, uppers & UPPER)
}

/// Four characters; bytes are compared as signed numbers, so that those beyond ASCII are below all characters.
#[inline(always)]
fn is_text<S: Simd>(words: u32x8<S>) -> mask32x8<S> {
    let characters: i8x32<S> = (words & !PROTECTED).bitcast();
    let text: u32x8<S> = characters.simd_ge(SPACE).to_vector().bitcast();
    text.simd_eq(u32::MAX)
}

/// `Type` 0 to 7 and a `Size` of [`LEAST_IO`] or more: in two halves of 16 bits, of which the lower has none and the upper
/// has some of the bits that count.
#[inline(always)]
fn is_io<S: Simd>(words: u32x8<S>) -> mask32x8<S> {
    let halves: u16x16<S> = (words & (0xffff_fff8 & !((LEAST_IO - 1) << 16))).bitcast();
    let zero: u32x8<S> = halves.simd_eq(0).to_vector().bitcast();
    zero.simd_eq(0xffff)
}

#[inline(always)]
fn is_mark<S: Simd>(words: u32x8<S>) -> mask32x8<S> {
    let (bits, value) = MARKS.bits();
    (words & bits).simd_eq(value)
}

/// A test of the four words of a slot: of the bits that count, less the first value that passes, none is beyond a
/// length.
struct Lanes {
    bits: [u32; 4],
    first: [u32; 4],
    len: [u32; 4],
}

/// `Type` 2, 3, 6 or 7, a `SignalState` from -0x8000 to 1, and the upper half of `WaitListHead.Flink`.
fn dispatcher(kernel: u32) -> Lanes {
    Lanes {
        bits: [0x7a, u32::MAX, 0, u32::MAX],
        first: [2, 0x8000u32.wrapping_neg(), 0, kernel],
        len: [0, 0x8001, 0, u32::MAX - kernel],
    }
}

/// The address of a page in the kernel's half.
fn base(kernel: u32) -> Lanes {
    Lanes { bits: [0xfff, u32::MAX, 0, 0], first: [0, kernel, 0, 0], len: [0, u32::MAX - kernel, 0, 0] }
}

impl Lanes {
    #[inline(always)]
    fn passes<S: Simd>(&self, simd: S, words: u32x8<S>) -> mask32x8<S> {
        let twice = |[a, b, c, d]: [u32; 4]| u32x8::simd_from(simd, [a, b, c, d, a, b, c, d]);
        ((words & twice(self.bits)) - twice(self.first)).simd_le(twice(self.len))
    }
}

#[cfg(test)]
mod tests;
