//! `pages`: who maps each frame, what is on it, and what the page-frame database says of it.

use super::{Context, Harvest, Owner, Page, Part, Sweep};
use nt::pfn::{Frames, InOrder};
use schema::{
    Table, TableSpec,
    tables::{PageRow, Pages as PagesTable},
};

/// The sweep.
pub struct Pages<'a> {
    context: Context<'a>,
    frames: Option<Frames<'a, 'a>>,
}

impl<'a> Pages<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Pages<'a> {
        Pages { context, frames: Frames::new(context.system) }
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
        Box::new(Rows { sweep: self, frames, rows: PagesTable::new() })
    }
}

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
            _ => looks_like(page.bytes),
        }
    }
}

/// Every so many words are looked at: 64 of a page.
const STEP: usize = 8;

/// What most of the words looked at are.
fn looks_like(bytes: &[u8]) -> &'static str {
    let (mut words, mut pointers, mut texts) = (0, 0, 0);
    for word in bytes.as_chunks::<8>().0.iter().step_by(STEP) {
        words += 1;
        let value = u64::from_le_bytes(*word);
        pointers += u32::from(value >> 47 == 0x1_ffff && value != u64::MAX);
        texts += u32::from(is_text(value));
    }
    match () {
        () if words < 8 => "data",
        () if texts * 4 >= words * 3 => "text",
        () if pointers * 4 >= words => "pointers",
        () if is_random(bytes) => "random",
        () => "data",
    }
}

/// 512 random bytes have 221 different values, give or take 5.
fn is_random(bytes: &[u8]) -> bool {
    const LEAST: usize = 200;
    let words = || bytes.as_chunks::<8>().0.iter().step_by(STEP);
    // Where most words are zero, the others cannot have that many.
    let filled = words().filter(|word| **word != [0; 8]).count();
    if filled * 8 + 1 < LEAST {
        return false;
    }
    let mut seen = [0u8; 256];
    for word in words() {
        word.iter().for_each(|byte| seen[usize::from(*byte)] = 1);
    }
    seen.iter().map(|seen| u32::from(*seen)).sum::<u32>() >= LEAST as u32
}

/// Eight printable characters of one byte, or four of two.
fn is_text(word: u64) -> bool {
    // None of them has its highest bit set; most words of code and numbers end here.
    if word & 0x8080_8080_8080_8080 != 0 {
        return false;
    }
    let printable = |byte: &u8| (0x20..0x7f).contains(byte) || matches!(byte, b'\t' | b'\r' | b'\n');
    let bytes = word.to_le_bytes();
    match word & 0xff00_ff00_ff00_ff00 {
        0 => bytes.iter().step_by(2).all(printable),
        _ => bytes.iter().all(printable),
    }
}

#[cfg(test)]
mod tests {
    use super::looks_like;

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
