//! The cheap test: which slots of a page may begin an object, a pool block of one, or a loader entry's base.
//!
//! Slots are the units of the pool: 16 bytes on 64-bit systems, 8 on 32-bit ones. Each block of the page is folded into
//! one bit by comparisons of 32-bit numbers without a branch; only blocks in which something passed are looked at slot
//! by slot.

use super::Page;
use crate::sweeps::{
    alike::Alike,
    look::{self, BLOCK, Seen},
};
use nt::{
    System,
    shape::{Kind, Shapes},
};

/// Tags that are looked for.
const TAGS: usize = 11;
/// `PROTECTED_POOL`.
const PROTECTED: u32 = 1 << 31;

/// What a block may have: an object's first members; a tag.
const OBJECT: u32 = 1;
const TAG: u32 = 2;

/// Numbers to compare with.
pub struct Slots {
    wide: bool,
    /// Upper half of the least address of the kernel's half.
    kernel: u32,
    tags: [u32; TAGS],
    /// What the tags have in common.
    alike: Alike,
    /// `Type` and `Size` of driver and file objects as one number.
    driver: u32,
    file: u32,
    /// Least `Size` of a device object: what it has without its driver's own data.
    device: u32,
    /// Offset of `_KLDR_DATA_TABLE_ENTRY.DllBase`; `None` if it is not at a slot's begin.
    base: Option<usize>,
    /// Whether a look at a page finds all that is looked for here.
    in_look: bool,
}

/// A slot that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its offset among the bytes.
    pub at: usize,
    /// Kind whose tag stands where a pool header would have it.
    pub tag: Option<Kind>,
    /// Kind whose dispatcher header this may be.
    pub dispatcher: Option<Kind>,
    /// Kind whose type and size these may be.
    pub io: Option<Kind>,
    /// Where a loader entry would begin that has an image's base here.
    pub module: Option<usize>,
}

/// `IO_TYPE_*` and `Size`; a number that no memory has if the size is not known.
fn io_type(kind: u32, size: u32) -> u32 {
    if size == 0 || size > 0xffff { 0xffff_ffff } else { kind | size << 16 }
}

impl Slots {
    /// Those of a kernel.
    pub fn of(system: &System<'_>, shapes: &Shapes<'_, '_>) -> Slots {
        let wide = system.pointer_size() == 8;
        let mut tags = [u32::MAX; TAGS];
        for (slot, tag) in tags.iter_mut().zip(Kind::all().flat_map(Kind::tags)) {
            *slot = tag;
        }
        let base = shapes.module_base().map(|field| field.offset as usize);
        let sizes = [Kind::Driver, Kind::File, Kind::Device].map(|kind| shapes.size(kind));
        Slots {
            wide,
            kernel: system.least_kernel_upper(),
            in_look: wide && sizes.iter().all(|&size| size == 0 || size >= look::LEAST_IO),
            alike: Alike::of(&tags, !PROTECTED),
            tags,
            driver: io_type(4, shapes.size(Kind::Driver)),
            file: io_type(5, shapes.size(Kind::File)),
            device: match shapes.size(Kind::Device) {
                0 => u32::MAX,
                size => size,
            },
            base: base.filter(|base| base.is_multiple_of(if wide { 16 } else { 8 })),
        }
    }

    /// Shows the slots of a page that pass.
    pub fn each(&self, page: &Page<'_>, mut visit: impl FnMut(Slot)) {
        let unit = if self.wide { 16 } else { 8 };
        if let Some(seen) = page.seen.filter(|_| self.in_look) {
            return self.seen(page.bytes, seen, &mut visit);
        }
        let first = page.offset().wrapping_neg() % unit;
        let Some(bytes) = page.bytes.get(first..) else { return };
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            let passed = if self.wide { self.any::<4>(block) } else { self.any::<2>(block) };
            let hit = passed & OBJECT != 0 || passed & TAG != 0 && self.any_tag(block);
            if hit {
                self.look(page.bytes, first + number * BLOCK, BLOCK, unit, &mut visit);
            }
        }
        self.look(page.bytes, first + blocks.len() * BLOCK, rest.len(), unit, &mut visit);
    }

    /// The same with the bits of a look.
    fn seen(&self, bytes: &[u8], seen: &Seen, visit: &mut impl FnMut(Slot)) {
        for (number, tags, objects) in seen.tags.with(&seen.objects) {
            let start = number * BLOCK;
            let is_tag = |second: &usize| {
                let word = bytes.get(start + second * 4..).and_then(|rest| rest.first_chunk::<4>());
                word.map(|word| u32::from_le_bytes(*word))
                    .is_some_and(|word| self.alike.passes(word) && self.is_tag(word))
            };
            let tags = look::each(tags).filter(is_tag).fold(0, |bits, second| bits | 1 << (second - 1));
            for first in look::each(objects | tags) {
                self.look(bytes, start + first * 4, 1, 16, visit);
            }
        }
    }

    /// Whether any slot of a block may pass; `WORDS` are the 32-bit words of a slot. More pass than [`Slots::look`] takes.
    /// No branch in the loop, and numbers put together, not truths: only so it becomes vector code.
    #[inline]
    fn any<const WORDS: usize>(&self, block: &[u8; BLOCK]) -> u32 {
        let (words, _) = block.as_chunks::<4>();
        let (mut object, mut tag) = (0, 0);
        for slot in words.as_chunks::<WORDS>().0 {
            let (first, second) = (u32::from_le_bytes(slot[0]), u32::from_le_bytes(slot[1]));
            let top = if WORDS == 4 { u32::from_le_bytes(slot[WORDS - 1]) } else { u32::MAX };
            let found =
                self.is_dispatcher(first, second, top) | self.is_io(first) | self.is_base(first, second);
            object |= u32::from(found);
            tag |= u32::from(self.alike.passes(second));
        }
        (object * OBJECT) | (tag * TAG)
    }

    /// Whether a slot of a block has one of the tags.
    fn any_tag(&self, block: &[u8; BLOCK]) -> bool {
        let unit = if self.wide { 16 } else { 8 };
        let tag = |slot: &[u8]| Some(u32::from_le_bytes(*slot.get(4..)?.first_chunk()?));
        block.chunks_exact(unit).filter_map(tag).any(|tag| self.alike.passes(tag) && self.is_tag(tag))
    }

    /// `Type` 2, 3 or 6 (or 7, which the second look takes out), a small `SignalState`, and the upper half of
    /// `WaitListHead.Flink` of a 64-bit system.
    #[inline]
    fn is_dispatcher(&self, first: u32, second: u32, top: u32) -> bool {
        (first & 0x7a == 2) & (second.wrapping_add(0x8000) <= 0x8001) & (top >= self.kernel)
    }

    #[inline]
    fn is_io(&self, first: u32) -> bool {
        let device = (first & 0xffff == 3) & (first >> 16 >= self.device);
        (first == self.driver) | (first == self.file) | device
    }

    #[inline]
    fn is_base(&self, first: u32, second: u32) -> bool {
        let page = first & 0xfff == 0;
        page & if self.wide { second >= self.kernel } else { first >= 0x8000_0000 }
    }

    fn is_tag(&self, word: u32) -> bool {
        self.tags.contains(&(word & !PROTECTED))
    }

    /// Slot by slot.
    fn look(&self, bytes: &[u8], from: usize, len: usize, unit: usize, visit: &mut impl FnMut(Slot)) {
        for at in (from..from + len).step_by(unit) {
            let Some(words) = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<8>()) else { return };
            let (first, second) = words.split_at(4);
            let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let (first, second) = (number(first), number(second));
            let slot = Slot {
                at,
                tag: self.tag(second),
                dispatcher: self.dispatcher(bytes, at, first, second),
                io: self.io(first),
                module: self
                    .base
                    .filter(|_| self.is_base(first, second))
                    .and_then(|base| at.checked_sub(base)),
            };
            if slot != (Slot { at, tag: None, dispatcher: None, io: None, module: None }) {
                visit(slot);
            }
        }
    }

    fn tag(&self, word: u32) -> Option<Kind> {
        let tag = word & !PROTECTED;
        Kind::all().find(|kind| kind.tags().any(|other| other == tag))
    }

    fn dispatcher(&self, bytes: &[u8], at: usize, first: u32, second: u32) -> Option<Kind> {
        if !self.is_dispatcher(first, second, u32::MAX) {
            return None;
        }
        let top = if self.wide { bytes.get(at + 12..at + 16) } else { bytes.get(at + 8..at + 12) };
        let top = u32::from_le_bytes(top?.try_into().ok()?);
        let kernel = if self.wide { top >= self.kernel } else { top >= 0x8000_0000 };
        let kinds = [Kind::Mutant, Kind::Process, Kind::Thread];
        kinds.into_iter().find(|&kind| kernel && is_kind(bytes, at, kind))
    }

    fn io(&self, first: u32) -> Option<Kind> {
        match first {
            first if first == self.driver => Some(Kind::Driver),
            first if first == self.file => Some(Kind::File),
            first if self.is_io(first) => Some(Kind::Device),
            _ => None,
        }
    }
}

/// Whether the first members of an object are those of its kind. Flags beside the type are not looked at, but for
/// processes, which have none.
pub fn is_kind(bytes: &[u8], at: usize, kind: Kind) -> bool {
    let Some(&[first, flags, low, high]) = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<4>()) else {
        return false;
    };
    let size = u16::from_le_bytes([low, high]);
    match kind {
        Kind::Process => first & 0x7f == 3 && flags == 0 && high == 0,
        Kind::Thread => first & 0x7f == 6,
        Kind::Mutant => first & 0x7f == 2,
        Kind::Driver => first == 4 && flags == 0 && size != 0,
        Kind::Device => first == 3 && flags == 0 && size != 0,
        Kind::File => first == 5 && flags == 0 && size != 0,
        Kind::SymbolicLink | Kind::Section | Kind::Port | Kind::Module => false,
    }
}
