//! Chains of the classic pool, Windows XP to Windows 10 1803: the blocks of a page fill it from its start to its end,
//! and each holds its own size and that of the block before it.
//!
//! A chain is followed from the start of the page. Where it breaks, it is taken up again at the first header behind
//! from which blocks agree; that header's `PreviousSize` tells which header was damaged.

use super::{Block, Break, Era, Header, PAGE, SLOTS, Wrong};

/// What is there of a page: slots `first..end`.
pub(super) struct Part<'a> {
    pub page: &'a [u8; PAGE],
    pub first: usize,
    pub end: usize,
}

/// For each slot, what follows if a block begins there.
pub(super) struct Chains {
    /// Blocks behind it, one after the other, that agree in size.
    links: [u16; SLOTS],
    /// The same, as long as they agree in `PoolIndex` too and all have a tag of text.
    strict: [u16; SLOTS],
    /// Whether the last of `links` ends with the page.
    ends: [bool; SLOTS],
}

impl Default for Chains {
    fn default() -> Chains {
        Chains { links: [0; SLOTS], strict: [0; SLOTS], ends: [false; SLOTS] }
    }
}

/// A page under examination.
struct Walk<'a, const UNIT: usize> {
    part: &'a Part<'a>,
    chains: &'a Chains,
    flags: &'a [u8; SLOTS],
    blocks: &'a mut Vec<Block>,
    breaks: &'a mut Vec<Break>,
}

/// Slots of a page.
const fn slots<const UNIT: usize>() -> usize {
    PAGE / UNIT
}

impl Part<'_> {
    fn header<const UNIT: usize>(&self, slot: usize) -> Header {
        let bytes = self.page.get(slot * UNIT..).and_then(|rest| rest.first_chunk::<8>());
        Header::read::<UNIT>(bytes.copied().unwrap_or_default())
    }

    /// A header whose block lies in the page.
    fn sized<const UNIT: usize>(&self, slot: usize) -> Option<Header> {
        let there = (self.first..self.end).contains(&slot);
        let header = there.then(|| self.header::<UNIT>(slot))?;
        (header.size > 0 && slot + usize::from(header.size) <= slots::<UNIT>()).then_some(header)
    }
}

impl Chains {
    /// Fills in the blocks of a page and what is wrong with them; false if it is no pool.
    pub fn classic<const UNIT: usize>(
        &mut self,
        era: &Era,
        part: &Part<'_>,
        flags: &[u8; SLOTS],
        (blocks, breaks): (&mut Vec<Block>, &mut Vec<Break>),
    ) -> bool {
        if !worth_a_look::<UNIT>(part, flags) {
            return false;
        }
        self.fill::<UNIT>(part, flags);
        if !self.convincing::<UNIT>(part, flags) {
            return false;
        }
        let mut walk = Walk::<UNIT> { part, chains: self, flags, blocks, breaks };
        walk.page();
        walk.beside_sizes(era);
        !walk.blocks.is_empty()
    }

    /// From the end of the page to its start, so that each slot costs the same whatever is on the page.
    fn fill<const UNIT: usize>(&mut self, part: &Part<'_>, flags: &[u8; SLOTS]) {
        for slot in (0..slots::<UNIT>()).rev() {
            (self.links[slot], self.strict[slot], self.ends[slot]) = (0, 0, false);
            let Some(header) = part.sized::<UNIT>(slot) else { continue };
            let next = slot + usize::from(header.size);
            if next == slots::<UNIT>() {
                self.ends[slot] = true;
                continue;
            }
            let Some(behind) = part.sized::<UNIT>(next).filter(|next| next.previous == header.size) else {
                continue;
            };
            self.links[slot] = self.links[next] + 1;
            self.ends[slot] = self.ends[next];
            if flags[slot] & flags[next] != 0 && behind.index == header.index {
                self.strict[slot] = self.strict[next] + 1;
            }
        }
    }

    /// Random bytes make a chain that ends with the page, or has four blocks, less than once in a million pages.
    fn convincing<const UNIT: usize>(&self, part: &Part<'_>, flags: &[u8; SLOTS]) -> bool {
        let first = part.first == 0 && flags[0] != 0 && self.links[0] > 0;
        let anchored = first && (self.ends[0] || self.strict[0] > 1);
        let alone = |slot: usize| self.strict[slot] > 2 || self.strict[slot] > 1 && self.ends[slot];
        anchored || (part.first..part.end).any(alone)
    }
}

/// Whether two headers agree anywhere: what most pages with text or with small numbers lack.
fn worth_a_look<const UNIT: usize>(part: &Part<'_>, flags: &[u8; SLOTS]) -> bool {
    let (groups, _) = flags[..slots::<UNIT>()].as_chunks::<8>();
    let marked = groups.iter().enumerate().filter(|(_, group)| **group != [0; 8]);
    let slots = marked.flat_map(|(number, _)| number * 8..number * 8 + 8);
    let mut agreeing = slots.take_while(|slot| *slot < part.end).filter(|&slot| flags[slot] != 0);
    agreeing.any(|slot| {
        let header = part.header::<UNIT>(slot);
        let next = slot + usize::from(header.size);
        next < part.end && part.header::<UNIT>(next).previous == header.size
    })
}

impl<const UNIT: usize> Walk<'_, UNIT> {
    fn page(&mut self) {
        let mut at = match self.starts_well() {
            true => self.part.first,
            false => match self.first_chain() {
                Some(slot) => slot,
                None => return,
            },
        };
        while let Some(stop) = self.follow(at) {
            match self.mend(stop) {
                Some(next) if next > at => at = next,
                _ => return,
            }
        }
    }

    fn starts_well(&self) -> bool {
        let first = self.part.first;
        let Some(header) = self.part.sized::<UNIT>(first) else { return false };
        first == 0 && header.previous == 0 && (self.chains.links[0] > 0 || self.chains.ends[0])
    }

    /// The first block of a page whose start is no header that agrees with anything.
    fn first_chain(&mut self) -> Option<usize> {
        let slot = (self.part.first..self.part.end).find(|&slot| self.believable(slot))?;
        let header = self.part.header::<UNIT>(slot);
        if self.part.first == 0 && slot > 0 {
            self.resize_if_sound(0, slot, 0);
            let wrong = self.classify(0, 0);
            self.breaks.push(Break { at: 0, wrong, suspect: None });
        } else if self.part.first == 0 && header.previous != 0 {
            self.breaks.push(Break { at: 0, wrong: Wrong::PreviousSize, suspect: None });
        }
        Some(slot)
    }

    /// Whether a chain can be taken up at a slot.
    fn believable(&self, slot: usize) -> bool {
        let chains = self.chains;
        self.flags[slot] != 0 && (chains.strict[slot] > 1 || chains.strict[slot] > 0 && chains.ends[slot])
    }

    /// Takes the blocks from a slot on; returns the slot of the header that does not agree, if there is one.
    fn follow(&mut self, start: usize) -> Option<usize> {
        let mut slot = start;
        let mut before = slot == 0 && self.part.header::<UNIT>(0).previous == 0;
        while let Some(header) = self.part.sized::<UNIT>(slot) {
            let linked = self.chains.links[slot] > 0;
            let next = slot + usize::from(header.size);
            let behind = linked || next == slots::<UNIT>();
            self.push(slot, header, before, behind);
            if !linked {
                return (next < self.part.end).then_some(next);
            }
            (slot, before) = (next, true);
        }
        None
    }

    fn push(&mut self, slot: usize, header: Header, before: bool, behind: bool) {
        let (at, size) = ((slot * UNIT) as u16, (usize::from(header.size) * UNIT) as u16);
        self.blocks.push(Block { at, size, header, before, behind, resized: false });
    }

    /// The header at `stop` does not agree with the block before it: says which of both is wrong, and returns where
    /// the chain goes on.
    fn mend(&mut self, stop: usize) -> Option<usize> {
        let suspect = self.blocks.len().checked_sub(1)?;
        let last = self.blocks[suspect];
        let from = usize::from(last.at) / UNIT;
        let again = self.take_up(from, stop);
        if let Some(slot) = again
            && slot != stop
            && self.origin(slot) == Some(from)
        {
            // What is behind says that the last block's own size is wrong.
            let size = (slot - from) * UNIT;
            self.blocks[suspect] = Block { size: size as u16, resized: true, ..last };
            let suspect = suspect.checked_sub(1).filter(|_| last.before);
            self.breaks.push(Break { at: last.at, wrong: Wrong::BlockSize, suspect });
            return again;
        }
        let wrong = self.classify(stop, usize::from(last.header.size));
        self.breaks.push(Break { at: (stop * UNIT) as u16, wrong, suspect: Some(suspect) });
        if let Some(slot) = again.filter(|slot| *slot > stop) {
            self.resize_if_sound(stop, slot, last.header.size);
        }
        again
    }

    /// Where the chain goes on behind a break between the block at `from` and the header at `stop`.
    fn take_up(&self, from: usize, stop: usize) -> Option<usize> {
        let chains = self.chains;
        let header = self.part.sized::<UNIT>(stop);
        let sound = |header: Header| {
            let last = stop + usize::from(header.size) == slots::<UNIT>();
            header.printable()
                && (last || chains.ends[stop] && chains.links[stop] > 0 || chains.strict[stop] > 1)
        };
        if header.is_some_and(sound) {
            return Some(stop);
        }
        let behind = from + 1..self.part.end;
        let leads_back = |&slot: &usize| {
            let origin = self.origin(slot);
            self.flags[slot] != 0 && chains.ends[slot] && (origin == Some(from) || origin == Some(stop))
        };
        behind.clone().find(leads_back).or_else(|| behind.clone().find(|&slot| self.believable(slot)))
    }

    /// Where the block before a header begins, as the header says.
    fn origin(&self, slot: usize) -> Option<usize> {
        let previous = usize::from(self.part.header::<UNIT>(slot).previous);
        slot.checked_sub(previous).filter(|_| previous > 0)
    }

    /// A damaged header whose block is known all the same: the header behind leads back to it, and it knows the block
    /// before.
    fn resize_if_sound(&mut self, slot: usize, next: usize, previous: u16) {
        let header = self.part.header::<UNIT>(slot);
        if self.origin(next) == Some(slot) && header.previous == previous && header.printable() {
            self.push(slot, header, true, false);
            if let Some(last) = self.blocks.last_mut() {
                (last.size, last.resized) = (((next - slot) * UNIT) as u16, true);
            }
        }
    }

    fn classify(&self, slot: usize, previous: usize) -> Wrong {
        let header = self.part.header::<UNIT>(slot);
        match usize::from(header.size) {
            0 => Wrong::ZeroSize,
            size if slot + size > slots::<UNIT>() => Wrong::PastEnd,
            _ if usize::from(header.previous) != previous => Wrong::PreviousSize,
            _ => Wrong::BlockSize,
        }
    }

    /// Tags that are no text, and the odd one out among `PoolIndex`es.
    fn beside_sizes(&mut self, era: &Era) {
        let index = majority(self.blocks.iter().map(|block| block.header.index));
        let odd = self.blocks.iter().filter(|block| Some(block.header.index) != index).count();
        let uniform = odd * 4 <= self.blocks.len();
        for (number, block) in
            self.blocks.iter().enumerate().filter(|(_, block)| block.before && block.behind)
        {
            let wrong = if uniform && Some(block.header.index) != index {
                Wrong::PoolIndex
            } else if !block.header.printable() && era.allocated(&block.header) {
                Wrong::Tag
            } else {
                continue;
            };
            self.breaks.push(Break { at: block.at, wrong, suspect: number.checked_sub(1) });
        }
        self.breaks.sort_by_key(|found| found.at);
    }
}

/// The commonest value, if it is more than half of all (the method of Boyer and Moore).
fn majority(values: impl Iterator<Item = u8>) -> Option<u8> {
    let mut leader = (None, 0usize);
    for value in values {
        leader = match leader {
            (_, 0) => (Some(value), 1),
            (Some(held), count) if held == value => (Some(held), count + 1),
            (held, count) => (held, count - 1),
        };
    }
    leader.0
}
