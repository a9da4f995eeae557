//! `pages`: who maps each frame, what is on it, and what the page-frame database says of it.

use super::{Context, Harvest, Owner, Page, Part, Sweep};
use crate::pieces::CHUNK;
use fearless_simd::{Level, dispatch, prelude::*, u8x32, u64x4};
use memory::PAGE_SIZE;
use nt::pfn::{Frames, InOrder};
use schema::{
    Table, TableSpec,
    tables::{PageRow, Pages as PagesTable},
};

/// The sweep.
pub struct Pages<'a> {
    context: Context<'a>,
    frames: Option<Frames<'a, 'a>>,
    level: Level,
}

impl<'a> Pages<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Pages<'a> {
        Pages { context, frames: Frames::new(context.system), level: Level::new() }
    }
}

impl Sweep for Pages<'_> {
    fn name(&self) -> &'static str {
        "pages"
    }

    fn tables(&self) -> Vec<&'static TableSpec> {
        vec![PagesTable::spec()]
    }

    fn zero_pages(&self) -> bool {
        true
    }

    fn part(&self) -> Box<dyn Part + '_> {
        let frames = self.frames.as_ref().map(Frames::in_order);
        Box::new(Rows { sweep: self, frames, rows: PagesTable::with_room(PAGES) })
    }
}

/// Pages of a chunk.
const PAGES: usize = (CHUNK / PAGE_SIZE) as usize;

struct Rows<'a> {
    sweep: &'a Pages<'a>,
    frames: Option<InOrder<'a, 'a, 'a>>,
    rows: PagesTable,
}

impl Part for Rows<'_> {
    fn page(&mut self, page: &Page<'_>) {
        let process = match page.owner {
            Owner::Process(index) => self.sweep.context.map.process(index),
            Owner::Kernel | Owner::Nobody => None,
        };
        let frame = page.pa.zip(self.frames.as_mut()).and_then(|(pa, frames)| frames.get(pa.pfn()));
        let frame = frame.as_ref();
        self.rows.push(PageRow {
            pa: page.pa_of(0),
            va: page.va_of(0),
            process_id: process.and_then(|process| process.pid),
            process: process.map(|process| process.va.0),
            shared: page.shared,
            content: self.content(page),
            list: frame.and_then(|frame| frame.list),
            share_count: frame.and_then(|frame| frame.shares),
            reference_count: frame.and_then(|frame| frame.references),
            priority: frame.and_then(|frame| frame.priority).map(u32::from),
            modified: frame.and_then(|frame| frame.modified),
            pte_address: frame.and_then(|frame| frame.pte).map(|va| va.0),
            prototype_pte: frame.and_then(|frame| frame.prototype),
        });
    }

    fn finish(self: Box<Self>) -> schema::Result<Harvest> {
        Harvest::of(self.rows)
    }
}

impl Rows<'_> {
    fn content(&self, page: &Page<'_>) -> &'static str {
        let kernel = page.va.filter(|_| page.owner == Owner::Kernel);
        match kernel {
            _ if page.zero => "zero",
            Some(va) if self.sweep.context.system.owner(va).is_some() => "image",
            _ => looks_like(self.sweep.level, page.bytes),
        }
    }
}

/// Every so many words are looked at: 64 of a page.
const STEP: usize = 8;
const WORDS: usize = 0x1000 / 8 / STEP;

/// What most of the words looked at are.
fn looks_like(level: Level, bytes: &[u8]) -> &'static str {
    let words = (bytes.len() / 8).div_ceil(STEP).min(WORDS);
    let sample = match <&[u8; WORDS * 8 * STEP]>::try_from(bytes) {
        Ok(page) => sample(page),
        Err(_) => {
            // Words that are not there are zero, which is neither a pointer nor text.
            let mut page = [0; WORDS * 8 * STEP];
            page.iter_mut().zip(&bytes[..bytes.len() / 8 * 8]).for_each(|(byte, there)| *byte = *there);
            sample(&page)
        }
    };
    let (pointers, texts) = dispatch!(level, simd => count(simd, &sample));
    match () {
        () if words < 8 => "data",
        () if texts * 4 >= words * 3 => "text",
        () if pointers * 4 >= words => "pointers",
        () if is_random(&sample[..words * 8]) => "random",
        () => "data",
    }
}

/// The words of a page that are looked at.
fn sample(page: &[u8; WORDS * 8 * STEP]) -> [u8; WORDS * 8] {
    let mut sample = [0; WORDS * 8];
    for (sampled, words) in sample.as_chunks_mut::<8>().0.iter_mut().zip(page.as_chunks::<{ 8 * STEP }>().0) {
        sampled.copy_from_slice(&words[..8]);
    }
    sample
}

/// How many words are addresses of the kernel's half, and how many are text: eight printable characters of one byte, or
/// four of two.
#[inline(always)]
fn count<S: Simd>(simd: S, sample: &[u8; WORDS * 8]) -> (usize, usize) {
    const SECOND: u64 = 0xff00_ff00_ff00_ff00;
    let (mut pointers, mut texts) = (0, 0);
    for bytes in sample.as_chunks::<32>().0 {
        let bytes = u8x32::simd_from(simd, *bytes);
        let words: u64x4<S> = bytes.bitcast();
        let kernel = (words >> 47).simd_eq(0x1_ffff) & !words.simd_eq(u64::MAX);
        pointers += kernel.to_bitmask().count_ones();
        let blank = bytes.simd_eq(b'\t') | bytes.simd_eq(b'\r') | bytes.simd_eq(b'\n');
        let printable = (bytes - 0x20).simd_lt(0x5f) | blank;
        let printable: u64x4<S> = printable.to_vector().bitcast();
        let wide = (words & SECOND).simd_eq(0) & (printable | SECOND).simd_eq(u64::MAX);
        texts += (printable.simd_eq(u64::MAX) | wide).to_bitmask().count_ones();
    }
    (pointers as usize, texts as usize)
}

/// 512 random bytes have 221 different values, give or take 5.
fn is_random(sample: &[u8]) -> bool {
    const LEAST: usize = 200;
    // Where most words are zero, the others cannot have that many.
    let filled = sample.as_chunks::<8>().0.iter().filter(|word| **word != [0; 8]).count();
    if filled * 8 + 1 < LEAST {
        return false;
    }
    let mut seen = [0u8; 256];
    sample.iter().for_each(|byte| seen[usize::from(*byte)] = 1);
    // Sums of eight in a byte each: additions of many bytes at once.
    let mut sums = [0u8; 32];
    for values in seen.as_chunks::<32>().0 {
        sums.iter_mut().zip(values).for_each(|(sum, seen)| *sum += seen);
    }
    sums.iter().map(|sum| usize::from(*sum)).sum::<usize>() >= LEAST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks_like(bytes: &[u8]) -> &'static str {
        let best = super::looks_like(Level::new(), bytes);
        assert_eq!(best, super::looks_like(Level::baseline(), bytes));
        best
    }

    /// A word by itself, as words are judged in vectors.
    fn is_text(word: [u8; 8]) -> bool {
        let printable = |byte: &u8| (0x20..0x7f).contains(byte) || matches!(byte, b'\t' | b'\r' | b'\n');
        let second = word.iter().skip(1).step_by(2).all(|byte| *byte == 0);
        word.iter().all(printable) || second && word.iter().step_by(2).all(printable)
    }

    #[test]
    fn words_are_counted_one_by_one() {
        const BYTES: [u8; 12] = [0, 0, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0xff, b'\t', b'\r', b'\n', 0x0b];
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        for round in 0..2000 {
            let mut sample = [0u8; WORDS * 8];
            for (at, byte) in sample.iter_mut().enumerate() {
                random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                let any = (random >> 40) as usize;
                *byte = match round % 4 {
                    0 => BYTES[any % 12],
                    1 if at % 2 == 1 => 0,
                    2 => [0xff, 0xff, 0x80, 0x7f][any % 4],
                    _ => [b'a', b'\n', 0x1f, 0x20, b'z', b'~'][any % if at % 64 < 32 { 2 } else { 6 }],
                };
            }
            let words = sample.as_chunks::<8>().0;
            let pointers = words.iter().map(|word| u64::from_le_bytes(*word));
            let pointers = pointers.filter(|word| word >> 47 == 0x1_ffff && *word != u64::MAX).count();
            let texts = words.iter().filter(|word| is_text(**word)).count();
            assert!(round % 4 != 2 || pointers > 0 || round > 8);
            for level in [Level::new(), Level::baseline()] {
                assert_eq!(dispatch!(level, simd => count(simd, &sample)), (pointers, texts));
            }
        }
    }

    #[test]
    fn pages_of_each_kind() {
        let words =
            |value: fn(u64) -> u64| (0..512).flat_map(|n| value(n).to_le_bytes()).collect::<Vec<u8>>();
        assert_eq!(looks_like(&b"printable text, with words. ".repeat(147)[..4096]), "text");
        assert_eq!(
            looks_like(&"wide".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().repeat(512)),
            "text"
        );
        assert_eq!(looks_like(&words(|n| 0xffff_8000_1234_0000 + n * 16)), "pointers");
        assert_eq!(
            looks_like(&words(|n| (n + 1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(17)
                .wrapping_mul(n | 1))),
            "random"
        );
        assert_eq!(looks_like(&words(|n| n % 5)), "data");
        assert_eq!(looks_like(&[1; 40]), "data");
    }
}
