//! Which words of a page point into one of a few spans? The cheap test that decides for nearly every page.
//!
//! Code of a half of the address space lies in a few clusters, so the spans are made few: at most [`SPANS`]. A page is
//! first compared in lanes of 32 bits, which compilers turn into vector instructions on any processor: of words of 64
//! bits only the upper halves. Blocks with a lane in range are then looked at word by word.

use crate::sweeps::look::{BLOCK, Words};
use memory::Architecture;

/// Upper halves of addresses of user mode are below this one.
const LOWER_HALF: u32 = 0x8000_0000;

/// Spans that are told apart.
pub const SPANS: usize = 3;

/// A few ranges of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    architecture: Architecture,
    /// First address and length; the unused ones repeat the first.
    exact: [(u64, u64); SPANS],
    /// The same in lanes of 32 bits; the length is the last value in it, less the first.
    lanes: [(u32, u32); SPANS],
    /// From the least of them to the largest: one comparison that nearly every page fails.
    hull: (u32, u32),
    /// Bits of a lane that count.
    mask: u32,
}

impl Spans {
    /// Spans over ranges that are sorted and apart: split at the widest gaps. `None` if there are no ranges.
    pub fn over(architecture: Architecture, ranges: &[(u64, u64)]) -> Option<Spans> {
        let (first, last) = (ranges.first()?.0, ranges.last()?.1);
        let mut gaps: Vec<(u64, usize)> = ranges
            .windows(2)
            .enumerate()
            .map(|(index, pair)| (pair[1].0.saturating_sub(pair[0].1), index))
            .collect();
        gaps.sort_by_key(|&(gap, index)| (std::cmp::Reverse(gap), index));
        // Signed addresses of ARM64 keep only their 48 low bits, and with them 16 of a lane.
        let mask = if architecture == Architecture::Arm64 { 0xffff } else { u32::MAX };
        let narrow = architecture == Architecture::X86;
        let lane = |va: u64| if narrow { va.min(u32::MAX.into()) as u32 } else { (va >> 32) as u32 };
        let mut cuts: Vec<usize> = gaps.iter().take(SPANS - 1).map(|&(_, index)| index).collect();
        cuts.sort_unstable();
        let mut exact = [(first, last - first); SPANS];
        let mut start = first;
        for (slot, &cut) in cuts.iter().enumerate() {
            exact[slot] = (start, ranges[cut].1 - start);
            start = ranges[cut + 1].0;
        }
        exact[cuts.len()] = (start, last - start);
        for slot in cuts.len() + 1..SPANS {
            exact[slot] = exact[0];
        }
        let lanes = exact.map(|(start, len)| {
            let low = lane(start) & mask;
            (low, (lane(start.saturating_add(len)) & mask).wrapping_sub(low))
        });
        let low = lanes.iter().map(|lane| lane.0).min()?;
        let high = lanes.iter().map(|lane| lane.0.saturating_add(lane.1)).max()?;
        Some(Spans { architecture, exact, lanes, hull: (low, high - low), mask })
    }

    /// Bytes of a word.
    pub fn width(&self) -> usize {
        self.architecture.pointer_size() as usize
    }

    /// The upper halves of all that lies in a span, for a look at whole pages: the first, and the last less the first.
    /// `None` where a look cannot find them: signed addresses, and code that claims the lower half of the address space.
    pub fn uppers(&self) -> Option<(u32, u32)> {
        (self.architecture == Architecture::X64 && self.hull.0 >= LOWER_HALF).then_some(self.hull)
    }

    /// As [`Spans::words`], of a whole page of which a look told upper halves in the range of [`Spans::uppers`].
    pub fn seen(&self, bytes: &[u8], uppers: &Words, mut found: impl FnMut(usize, u64)) {
        for at in uppers.places().map(|upper| upper - 4) {
            let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
            if let Some(value) =
                word.map(|word| u64::from_le_bytes(*word)).filter(|value| self.inside(*value))
            {
                found(at, value);
            }
        }
    }

    /// Calls `found` with place and value of each word that points into a span. `offset` is that of the bytes in
    /// their page: words are aligned in memory, not in the bytes.
    pub fn words(&self, bytes: &[u8], offset: usize, mut found: impl FnMut(usize, u64)) {
        let width = self.width();
        let skip = offset.wrapping_neg() % width;
        let Some(bytes) = bytes.get(skip..) else { return };
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            if self.any(block) {
                self.each(block, skip + number * BLOCK, &mut found);
            }
        }
        self.each(rest, skip + blocks.len() * BLOCK, &mut found);
    }

    /// Whether a lane is in range. For the first look every lane counts: to leave out lower halves costs more.
    fn any(&self, block: &[u8; BLOCK]) -> bool {
        let lanes = || block.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        let upper = || block.as_chunks::<8>().0.iter().map(|word| (u64::from_le_bytes(*word) >> 32) as u32);
        self.has_lane(lanes(), &[self.hull])
            && match self.width() {
                8 => self.has_lane(upper(), &self.lanes),
                _ => self.has_lane(lanes(), &self.lanes),
            }
    }

    /// No branch in the loop, and numbers put together, not truths: only so it becomes vector code.
    #[inline(always)]
    fn has_lane<const N: usize>(&self, lanes: impl Iterator<Item = u32>, ranges: &[(u32, u32); N]) -> bool {
        let mask = self.mask;
        let mut any = 0;
        for lane in lanes {
            for &(start, len) in ranges {
                any |= u32::from((lane & mask).wrapping_sub(start) <= len);
            }
        }
        any != 0
    }

    fn each(&self, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, u64)) {
        match self.architecture {
            Architecture::X86 => {
                let words = bytes.as_chunks::<4>().0.iter();
                self.exact(words.map(|word| u32::from_le_bytes(*word).into()), 4, at, found);
            }
            Architecture::X64 => {
                let words = bytes.as_chunks::<8>().0.iter();
                self.exact(words.map(|word| u64::from_le_bytes(*word)), 8, at, found);
            }
            Architecture::Arm64 => {
                let words = bytes.as_chunks::<8>().0.iter();
                self.exact(words.map(|word| unwind::arm64::strip(u64::from_le_bytes(*word))), 8, at, found);
            }
        }
    }

    #[inline(always)]
    fn exact(
        &self,
        words: impl Iterator<Item = u64>,
        width: usize,
        at: usize,
        found: &mut impl FnMut(usize, u64),
    ) {
        for (number, value) in words.enumerate() {
            if self.inside(value) {
                found(at + number * width, value);
            }
        }
    }

    #[inline(always)]
    fn inside(&self, value: u64) -> bool {
        let [a, b, c] = self.exact;
        let inside = |(start, len): (u64, u64)| value.wrapping_sub(start) <= len;
        inside(a) | inside(b) | inside(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(spans: &Spans, bytes: &[u8], offset: usize) -> Vec<(usize, u64)> {
        let mut found = Vec::new();
        spans.words(bytes, offset, |at, value| found.push((at, value)));
        found
    }

    const RANGES: [(u64, u64); 5] = [
        (0xffff_f802_1000_0000, 0xffff_f802_1100_0000),
        (0xffff_f804_0000_1000, 0xffff_f804_00a0_0000),
        (0xffff_f804_0100_0000, 0xffff_f804_0200_0000),
        (0xffff_f804_0300_0000, 0xffff_f804_0400_0000),
        (0xffff_fa00_0000_0000, 0xffff_fa00_0000_8000),
    ];

    #[test]
    fn clusters_become_spans() {
        let spans = Spans::over(Architecture::X64, &RANGES).unwrap();
        let ends = spans.exact.map(|(start, len)| (start, start + len));
        assert_eq!(
            ends,
            [
                (0xffff_f802_1000_0000, 0xffff_f802_1100_0000),
                (0xffff_f804_0000_1000, 0xffff_f804_0400_0000),
                (0xffff_fa00_0000_0000, 0xffff_fa00_0000_8000),
            ]
        );
        assert_eq!(Spans::over(Architecture::X64, &[]), None);
        let one = Spans::over(Architecture::X86, &[(0x8100_0000, 0x8200_0000)]).unwrap();
        assert_eq!(one.exact, [(0x8100_0000, 0x100_0000); 3]);
    }

    #[test]
    fn every_aligned_word_in_a_span_is_found_wherever_it_lies() {
        let spans = Spans::over(Architecture::X64, &RANGES).unwrap();
        let inside = [0xffff_f802_1000_0000u64, 0xffff_f804_0123_4567, 0xffff_fa00_0000_0001];
        let outside = [0xffff_f803_0000_0000u64, 0xffff_f804_0000_0fff, 0x0000_f804_0123_4567, u64::MAX, 0];
        for at in (0..4096).step_by(8) {
            let mut page = [0u8; 4096];
            for value in outside {
                page[at..at + 8].copy_from_slice(&value.to_le_bytes());
                assert_eq!(found(&spans, &page, 0), []);
            }
            for value in inside {
                page[at..at + 8].copy_from_slice(&value.to_le_bytes());
                assert_eq!(found(&spans, &page, 0), [(at, value)]);
                // A piece of the page that starts between words.
                let cut = 5.min(at);
                assert_eq!(found(&spans, &page[cut..], cut), [(at - cut, value)]);
                assert_eq!(found(&spans, &page[..at + 7], 0), []);
            }
        }
    }

    #[test]
    fn narrow_words_and_signed_addresses() {
        let narrow = Spans::over(Architecture::X86, &[(0x8100_0000, 0x8200_0000)]).unwrap();
        let mut page = [0u8; 600];
        page[4..8].copy_from_slice(&0x8123_4567u32.to_le_bytes());
        page[516..520].copy_from_slice(&0x8100_0000u32.to_le_bytes());
        assert_eq!(found(&narrow, &page, 0), [(4, 0x8123_4567), (516, 0x8100_0000)]);
        let signed = Spans::over(Architecture::Arm64, &RANGES).unwrap();
        page[8..16].copy_from_slice(&0x12ff_f804_0123_4567u64.to_le_bytes());
        assert_eq!(found(&signed, &page, 0), [(8, 0xffff_f804_0123_4567)]);
    }
}
