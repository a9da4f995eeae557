//! Pages of an image, each read once.
//!
//! A step reads a dozen places of the exception table. Translated through page tables each time they would cost more
//! than everything else, so an image that is walked often is put behind a [`Cached`]. Threads share it without a lock.

use crate::Memory;
use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

const PAGE: u64 = 0x1000;
/// Most pages kept for one image: 64 MiB. Later ones are read anew each time.
const MOST_PAGES: u32 = 0x4000;
/// Most bytes of an image that are served from the cache; beyond, reads go through.
const MOST_BYTES: u64 = 1 << 30;

/// A page that was asked for.
enum Kept {
    Whole(Box<[u8; PAGE as usize]>),
    /// Some of it may be there.
    Partly,
    /// Not a byte of it is there.
    Nothing,
}

type Page = OnceLock<Kept>;

/// Pages of which the places are made together: an image may claim any size, and only those that are read cost anything.
const TOGETHER: u64 = 256;

/// Memory behind a cache of whole pages of one range.
pub struct Cached<M> {
    below: M,
    first: u64,
    pages: Vec<OnceLock<Box<[Page]>>>,
    kept: AtomicU32,
}

impl<M: Memory> Cached<M> {
    /// Caches `size` bytes from `base` of `below`, page by page as they are asked for.
    pub fn new(below: M, base: u64, size: u64) -> Cached<M> {
        let first = base & !(PAGE - 1);
        let bytes = size.saturating_add(base - first).min(MOST_BYTES);
        let mut pages = Vec::new();
        pages.resize_with(bytes.div_ceil(PAGE * TOGETHER) as usize, OnceLock::new);
        Cached { below, first, pages, kept: AtomicU32::new(0) }
    }

    /// What is cached.
    pub fn below(&self) -> &M {
        &self.below
    }

    /// The page with this address: `None` if it is not for the cache to say.
    fn page(&self, va: u64) -> Option<&Kept> {
        let number = va.checked_sub(self.first)? / PAGE;
        let together = self.pages.get(usize::try_from(number / TOGETHER).ok()?)?;
        let together = together.get_or_init(|| (0..TOGETHER).map(|_| OnceLock::new()).collect());
        let page = &together[(number % TOGETHER) as usize];
        if page.get().is_none() && self.kept.fetch_add(1, Ordering::Relaxed) >= MOST_PAGES {
            self.kept.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let start = va & !(PAGE - 1);
        Some(page.get_or_init(|| {
            let mut bytes = Box::new([0; PAGE as usize]);
            match self.below.read(start, &mut bytes[..]) {
                true => Kept::Whole(bytes),
                false if self.below.lacks_page(start) => Kept::Nothing,
                false => Kept::Partly,
            }
        }))
    }
}

impl<M: Memory> Memory for Cached<M> {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let offset = (va % PAGE) as usize;
        match self.page(va) {
            Some(Kept::Whole(page)) if offset + out.len() <= page.len() => {
                copy(out, &page[offset..offset + out.len()]);
                true
            }
            Some(Kept::Nothing) if !out.is_empty() => false,
            // A page that is only partly there (captured memory need not end at one) or a read across pages.
            _ => self.below.read(va, out),
        }
    }
}

/// Copies between slices of the same length. Those of a table's search have a copy of their own, because a call of the
/// general one would cost more than the rest of a read.
fn copy(to: &mut [u8], from: &[u8]) {
    match (to.len(), from.as_chunks::<4>()) {
        (4, ([word], _)) => to.copy_from_slice(word),
        (12, ([a, b, c], _)) => {
            to[..4].copy_from_slice(a);
            to[4..8].copy_from_slice(b);
            to[8..].copy_from_slice(c);
        }
        _ => to.copy_from_slice(from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that is there, one of which the front half is, and nothing else.
    struct Below(AtomicU32);

    impl Memory for Below {
        fn read(&self, va: u64, out: &mut [u8]) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            out.fill(7);
            va + out.len() as u64 <= PAGE + PAGE / 2
        }

        fn lacks_page(&self, page: u64) -> bool {
            page >= 2 * PAGE
        }
    }

    #[test]
    fn what_is_not_there_is_looked_for_once_and_what_is_partly_there_is_read() {
        let cached = Cached::new(Below(AtomicU32::new(0)), 0, 4 * PAGE);
        let read = |va| cached.read(va, &mut [0; 8]);
        let reads = || cached.below().0.load(Ordering::Relaxed);
        assert!(read(0) && read(8) && read(PAGE - 8));
        assert_eq!(reads(), 1);
        assert!(read(PAGE) && read(PAGE + PAGE / 2 - 8) && !read(PAGE + PAGE / 2));
        let before = reads();
        assert!(!read(2 * PAGE) && !read(2 * PAGE + 8) && !read(3 * PAGE - 8));
        assert_eq!(reads(), before + 1);
        assert!(!read(4 * PAGE), "behind the cache");
    }
}
