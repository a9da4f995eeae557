//! The pool's own books: the table of big allocations, and the tracker that counts allocations by tag.

use crate::{System, View, layout};
use memory::Va;
use std::collections::{BTreeMap, HashSet};
use symbols::Field;

/// More entries than this are not believed; the largest tables seen have some hundred thousand.
const MOST_ENTRIES: u32 = 0x100_0000;

/// Bit of a tag that says that its memory may only be freed under the same tag (`PROTECTED_POOL`).
const PROTECTED: u32 = 1 << 31;

layout! {
    /// `_POOL_TRACKER_BIG_PAGES`.
    BigPages = "_POOL_TRACKER_BIG_PAGES" {
        va: "Va",
        key: "Key",
        pattern ? "Pattern",
        pool_type ? "PoolType",
        slush_size ? "SlushSize",
        bytes ? "NumberOfBytes",
        pages ? "NumberOfPages",
        billed ? "ProcessBilled",
    }
}

layout! {
    /// `_POOL_TRACKER_TABLE`.
    TrackerTable = "_POOL_TRACKER_TABLE" {
        key: "Key",
        nonpaged_allocs: "NonPagedAllocs",
        nonpaged_frees: "NonPagedFrees",
        nonpaged_bytes: "NonPagedBytes",
        paged_allocs: "PagedAllocs",
        paged_frees: "PagedFrees",
        paged_bytes: "PagedBytes",
    }
}

/// A pool tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u32);

impl Tag {
    /// True if bit 31 is set: the allocation is protected.
    pub fn is_protected(self) -> bool {
        self.0 & PROTECTED != 0
    }

    /// The four characters without the protected bit; what cannot be printed is a dot.
    pub fn text(self) -> String {
        let bytes = (self.0 & !PROTECTED).to_le_bytes();
        bytes.map(|byte| if (0x20..0x7f).contains(&byte) { char::from(byte) } else { '.' }).iter().collect()
    }
}

/// An entry of the table of big allocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BigPage {
    /// Where the entry is.
    pub entry: Va,
    /// `Va` without its low bit.
    pub va: Va,
    /// Low bit of `Va`: the allocation was freed.
    pub free: bool,
    /// `Key`.
    pub tag: Tag,
    /// `Pattern`.
    pub pattern: Option<u32>,
    /// `PoolType`.
    pub pool_type: Option<u32>,
    /// `SlushSize`.
    pub slush_size: Option<u32>,
    /// `NumberOfBytes`, or `NumberOfPages` of XP in bytes.
    pub bytes: Option<u64>,
    /// `ProcessBilled`.
    pub billed: Option<Va>,
}

/// Counters of a tag in one kind of pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Allocations so far.
    pub allocs: u64,
    /// Frees so far.
    pub frees: u64,
    /// Bytes in use.
    pub bytes: u64,
}

/// What the tracker's tables together say of a tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TagUse {
    /// Nonpaged pool.
    pub nonpaged: PoolUse,
    /// Paged pool.
    pub paged: PoolUse,
    /// Tables that have an entry for it.
    pub tables: u32,
}

impl System<'_> {
    /// Shows the entries of `PoolBigPageTable` that were ever used.
    pub fn big_pages<E>(&self, mut visit: impl FnMut(BigPage) -> Result<(), E>) -> Result<(), E> {
        let layout = BigPages::of(self);
        let (Some(table), Some(count)) = (self.table("PoolBigPageTable"), self.count("PoolBigPageTableSize"))
        else {
            return Ok(());
        };
        self.array("PoolBigPageTable", table, layout.size, count.into(), |_, view| {
            big_page(&layout, &view).map_or(Ok(()), &mut visit)
        })
    }

    /// Counters of every tag: the sum over `PoolTrackTable`, its expansion and the processors' `ExPoolTagTables`.
    /// They are read once: a second time the bound of what is read of one dump might cut them shorter.
    pub fn pool_tags(&self) -> &BTreeMap<Tag, TagUse> {
        self.pool_tags.get_or_init(|| self.read_pool_tags())
    }

    fn read_pool_tags(&self) -> BTreeMap<Tag, TagUse> {
        let layout = TrackerTable::of(self);
        let mut tags = BTreeMap::new();
        let (Some(table), Some(count)) = (self.table("PoolTrackTable"), self.track_count()) else {
            return tags;
        };
        // One table may stand in several places; it counts once.
        let mut seen = HashSet::from([table]);
        sum(self, &layout, "PoolTrackTable", table, count, &mut tags);
        for table in self.tag_tables() {
            if seen.insert(table) {
                sum(self, &layout, "ExPoolTagTables", table, count, &mut tags);
            }
        }
        let more = self.global_pointer("PoolTrackTableExpansion").filter(|&table| seen.insert(table));
        if let (Some(table), Some(_)) = (more, self.global("PoolTrackTableExpansionSize")) {
            let count = self.count("PoolTrackTableExpansionSize").unwrap_or(0);
            sum(self, &layout, "PoolTrackTableExpansion", table, count, &mut tags);
        }
        tags
    }

    /// `ExPoolTagTables`: a pointer for each processor.
    fn tag_tables(&self) -> Vec<Va> {
        let Some(at) = self.global("ExPoolTagTables") else { return Vec::new() };
        let processors = self.dump.records.header.processors.unwrap_or(0).min(2048);
        let width = u64::from(self.pointer_size());
        let slots = (0..u64::from(processors)).map_while(|slot| at.checked_add(slot * width));
        let tables = slots.map_while(|slot| self.space.pointer(slot).ok());
        tables.take_while(|&table| self.is_kernel(table)).collect()
    }

    /// A variable that points to a table.
    fn table(&self, name: &str) -> Option<Va> {
        let at = self.needed_global(name)?;
        match self.space.pointer(at) {
            Ok(table) if self.is_kernel(table) => return Some(table),
            Ok(table) => {
                self.problem("bad_pointer", name, "", Some(at), "a kernel address", &table.to_string())
            }
            Err(fault) => self.unreadable(name, "", at, &fault),
        }
        None
    }

    /// Entries of `PoolTrackTable`. The debugger block names the table only; up to Windows 7 the number of its
    /// entries lies in front of it (volatility's public `pooltracker`).
    fn track_count(&self) -> Option<u32> {
        if self.global("PoolTrackTableSize").is_some() || !(1..=7601).contains(&self.build) {
            return self.count("PoolTrackTableSize");
        }
        let table = self.global("PoolTrackTable")?;
        self.count_at("PoolTrackTableSize", Va(table.0.checked_sub(self.pointer_size().into())?))
    }

    /// A variable that counts the entries of a table. Its low 32 bits are the number in every build.
    fn count(&self, name: &str) -> Option<u32> {
        self.count_at(name, self.needed_global(name)?)
    }

    fn count_at(&self, name: &str, at: Va) -> Option<u32> {
        let count = match self.space.u32(at) {
            Ok(count) => count,
            Err(fault) => {
                self.unreadable(name, "", at, &fault);
                return None;
            }
        };
        if count > MOST_ENTRIES {
            let expected = format!("at most {MOST_ENTRIES} entries");
            self.problem("bad_count", name, "", Some(at), &expected, &count.to_string());
        }
        Some(count.min(MOST_ENTRIES))
    }
}

fn big_page(layout: &BigPages, view: &View<'_>) -> Option<BigPage> {
    let tag = Tag(view.u32(layout.key)?);
    let va = view.uint(layout.va)?;
    if tag.0 == 0 {
        return None;
    }
    Some(BigPage {
        entry: view.va(),
        va: Va(va & !1),
        free: va & 1 != 0,
        tag,
        pattern: view.u32(layout.pattern),
        pool_type: view.u32(layout.pool_type),
        slush_size: view.u32(layout.slush_size),
        bytes: view.uint(layout.bytes).or_else(|| view.uint(layout.pages)?.checked_mul(0x1000)),
        billed: view.pointer(layout.billed),
    })
}

fn sum(
    system: &System<'_>,
    layout: &TrackerTable,
    name: &str,
    table: Va,
    count: u32,
    tags: &mut BTreeMap<Tag, TagUse>,
) {
    let read = |view: &View<'_>, fields: [Option<Field>; 3]| {
        let [allocs, frees, bytes] = fields.map(|field| view.uint(field));
        Some(PoolUse { allocs: allocs?, frees: frees?, bytes: bytes? })
    };
    let Ok(()) = system.array(name, table, layout.size, count.into(), |_, view| {
        let Some(key) = view.u32(layout.key).filter(|&key| key != 0) else { return Ok(()) };
        let nonpaged = [layout.nonpaged_allocs, layout.nonpaged_frees, layout.nonpaged_bytes];
        let paged = [layout.paged_allocs, layout.paged_frees, layout.paged_bytes];
        if let (Some(nonpaged), Some(paged)) = (read(&view, nonpaged), read(&view, paged)) {
            let of = tags.entry(Tag(key)).or_default();
            of.nonpaged.add(nonpaged, [layout.nonpaged_allocs, layout.nonpaged_bytes]);
            of.paged.add(paged, [layout.paged_allocs, layout.paged_bytes]);
            of.tables += 1;
        }
        Ok::<(), std::convert::Infallible>(())
    });
}

impl PoolUse {
    /// Adds another table's numbers in the width of the kernel's counters (of counts, of bytes): what one processor
    /// allocates another may free, so a single table's bytes can be negative, and only the sum fits.
    fn add(&mut self, other: PoolUse, widths: [Option<Field>; 2]) {
        let [counts, bytes] =
            widths.map(|field| u64::MAX >> (64 - 8 * field.map_or(8, |field| field.size.clamp(1, 8))));
        self.allocs = self.allocs.wrapping_add(other.allocs) & counts;
        self.frees = self.frees.wrapping_add(other.frees) & counts;
        self.bytes = self.bytes.wrapping_add(other.bytes) & bytes;
    }
}
