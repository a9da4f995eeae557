//! Leaves that were met lately: whoever reads a structure member by member asks for the same few pages again and again.
//!
//! Each thread has a few of its own, so a [`crate::Space`] stays a value. Kept are only leaves that the processor itself
//! would reach: they depend on the dump, the root and the mode alone, and not on what is known of software entries.

use super::{Entry, PagingMode};
use crate::addr::{PAGE_SIZE, Pa, Va};
use std::cell::RefCell;

/// Leaves that a thread keeps; a power of two. Each has one place, and a newer one takes it.
const KEPT: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 10;

/// What a leaf depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// [`crate::Image`]'s number of the dump.
    pub dump: u64,
    /// First table.
    pub root: Pa,
    /// How tables are read.
    pub mode: PagingMode,
    /// Number of the page, with all bits of the address above it.
    page: u64,
}

impl Key {
    /// For an address.
    pub fn of(dump: u64, root: Pa, mode: PagingMode, va: Va) -> Key {
        Key { dump, root, mode, page: va.0 / PAGE_SIZE }
    }

    /// Neighbours lie beside each other; other roots lie elsewhere.
    fn place(&self) -> usize {
        let mixed = (self.page ^ self.root.0.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (64 - PLACE_BITS)) as usize
    }
}

thread_local! {
    static KEPT_LEAVES: RefCell<Vec<Option<(Key, Entry)>>> = const { RefCell::new(Vec::new()) };
}

/// The leaf, if it is kept.
pub fn find(key: &Key) -> Option<Entry> {
    KEPT_LEAVES.with_borrow(|kept| match kept.get(key.place())? {
        Some((known, entry)) if known == key => Some(*entry),
        _ => None,
    })
}

/// Keeps a leaf.
pub fn keep(key: Key, entry: Entry) {
    KEPT_LEAVES.with_borrow_mut(|kept| {
        kept.resize(KEPT, None);
        if let Some(place) = kept.get_mut(key.place()) {
            *place = Some((key, entry));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paging::EntryKind;

    fn leaf(frame: u64) -> Entry {
        let pa = Pa(frame * PAGE_SIZE);
        let kind = EntryKind::Valid;
        Entry { pa, size: PAGE_SIZE, raw: frame, kind, writable: true, user: false, executable: false }
    }

    #[test]
    fn whatever_a_leaf_depends_on_tells_it_from_others() {
        let key = Key::of(1, Pa(0x1000), PagingMode::X64, Va(0xffff_8000_0000_1234));
        assert_eq!(find(&key), None);
        keep(key, leaf(7));
        assert_eq!(find(&Key::of(1, Pa(0x1000), PagingMode::X64, Va(0xffff_8000_0000_1fff))), Some(leaf(7)));
        let others = [
            Key { dump: 2, ..key },
            Key { root: Pa(0x2000), ..key },
            Key { mode: PagingMode::X64La57, ..key },
            Key::of(1, Pa(0x1000), PagingMode::X64, Va(0xffff_8000_0000_2000)),
            // The same page to a processor, but not an address.
            Key::of(1, Pa(0x1000), PagingMode::X64, Va(0x0000_8000_0000_1234)),
        ];
        others.iter().for_each(|other| assert_eq!(find(other), None));
    }

    #[test]
    fn no_more_are_kept_than_there_are_places_and_all_that_are_kept_are_right() {
        let key = |page: u64| Key::of(3, Pa(0x5000), PagingMode::X64, Va(page * PAGE_SIZE));
        for page in 0..KEPT as u64 * 3 {
            keep(key(page), leaf(page));
            assert_eq!(find(&key(page)), Some(leaf(page)));
        }
        let found: Vec<u64> = (0..KEPT as u64 * 3).filter(|&page| find(&key(page)).is_some()).collect();
        assert!(found.len() > KEPT / 2 && found.len() <= KEPT, "{}", found.len());
        assert!(found.iter().all(|&page| find(&key(page)) == Some(leaf(page))));
    }
}
