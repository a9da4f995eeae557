//! `pool_allocations` and `pool_pages`: blocks of kernel pool on every page that can hold some.

mod big;
mod damage;

use super::{Context, Harvest, LeftOut, Owner, Page, Part, Sweep};
use big::Big;
use memory::Va;
use nt::poolheap::{Blocks, PoolHeaps};
use nt::poolpage::{Block, Era, Evidence, Header, Kind, Reader, VsPage};
use schema::{
    InlineText, Table, TableSpec,
    tables::{PoolAllocationRow, PoolAllocations, PoolPageRow, PoolPages, TagConstants},
};
use std::collections::HashSet;

/// Rows of a page. Real pages have fewer blocks: this is one of 16 bytes in every place of a page.
const MOST_ROWS: usize = 256;
/// Tags that are remembered beside the set of all.
const LATELY: usize = 64;

/// The sweep.
pub struct Pool<'a> {
    context: Context<'a>,
    era: Era,
    /// `ExpPoolQuotaCookie`.
    cookie: Option<u64>,
    /// Every known `_EPROCESS` and its id, by address.
    processes: Vec<(u64, Option<u32>)>,
    /// The segment heaps.
    heaps: PoolHeaps,
    /// Every tag that the pool's tracker counts.
    tags: Vec<u32>,
    /// Allocations with pages of their own.
    big: Big,
}

impl<'a> Pool<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Pool<'a> {
        let system = context.system;
        let cookie = system.global_pointer("ExpPoolQuotaCookie").map(|cookie| cookie.0);
        let mut processes: Vec<_> =
            system.processes().iter().map(|process| (process.va.0, process.pid)).collect();
        processes.sort_unstable();
        let era = Era::of(system.pointer_size(), system.build);
        let (heaps, tags) = match era.segment_heap {
            true => (system.pool_heaps(), system.pool_tags().keys().map(|tag| tag.0).collect()),
            false => Default::default(),
        };
        Pool { context, era, cookie, processes, heaps, tags, big: Big::of(system) }
    }
}

impl Sweep for Pool<'_> {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn tables(&self) -> Vec<&'static TableSpec> {
        vec![PoolAllocations::spec(), PoolPages::spec()]
    }

    fn feeds(&self) -> Vec<&'static TableSpec> {
        vec![TagConstants::spec()]
    }

    fn part(&self) -> Box<dyn Part + '_> {
        Box::new(Rows {
            pool: self,
            reader: Reader::new(self.era),
            blocks: PoolAllocations::new(),
            pages: PoolPages::new(),
            left_out: None,
            tags: Tags { all: HashSet::new(), lately: [0; LATELY] },
        })
    }
}

struct Rows<'a> {
    pool: &'a Pool<'a>,
    reader: Reader,
    blocks: PoolAllocations,
    pages: PoolPages,
    left_out: Option<LeftOut>,
    tags: Tags,
}

/// The tags of text of a chunk's blocks. Few tags are met again and again, so that most need no look into the set.
struct Tags {
    all: HashSet<u32>,
    /// Those that were met lately, each at a place that it tells itself; 0 is none.
    lately: [u32; LATELY],
}

impl Tags {
    fn note(&mut self, header: &Header) {
        let lately = &mut self.lately[(header.tag.wrapping_mul(0x9e37_79b9) >> 26) as usize % LATELY];
        if *lately != header.tag && header.printable() {
            *lately = header.tag;
            self.all.insert(header.tag);
        }
    }
}

impl Part for Rows<'_> {
    fn page(&mut self, page: &Page<'_>) {
        if matches!(page.owner, Owner::Process(_)) {
            return;
        }
        self.big(page);
        let Some(manager) = self.read(page) else { return };
        let era = self.pool.era;
        let stated = self.reader.blocks().iter().find_map(|block| era.kind(&block.header));
        let of = Of { kind: manager.kind.or(stated), exact: manager.kind.is_some(), ..manager };
        self.pages.push(self.pool.page_row(page, &of, &self.reader));
        for block in self.reader.blocks().iter().take(MOST_ROWS) {
            self.blocks.push(self.pool.row(page, &of, block));
            self.tags.note(&block.header);
        }
        let more = self.reader.blocks().len().saturating_sub(MOST_ROWS) as u64;
        if more > 0 {
            let address = page.va_of(0).or(page.pa_of(0)).unwrap_or(0);
            self.left_out.get_or_insert(LeftOut { rows: 0, address }).rows += more;
        }
    }

    fn finish(mut self: Box<Self>) -> schema::Result<Harvest> {
        let mut harvest = Harvest::default();
        harvest.add(&mut self.blocks)?;
        harvest.add(&mut self.pages)?;
        harvest.left_out = self.left_out;
        harvest.found.pool_tags.extend(self.tags.all);
        Ok(harvest)
    }
}

/// What manages a page.
#[derive(Clone, Copy)]
struct Of {
    allocator: &'static str,
    /// Of its heap, else of its blocks.
    kind: Option<Kind>,
    /// True if the heap is known.
    exact: bool,
    /// Whether a block's header, or that of its chunk, holds the size of the one before.
    chain: bool,
}

impl Rows<'_> {
    /// Fills the reader; `None` if no pool is on the page.
    fn read(&mut self, page: &Page<'_>) -> Option<Of> {
        let found = self.in_heap(page);
        if found.is_some() {
            return found;
        }
        let tags = page.seen.map(|seen| seen.tags.bits());
        if page.seen.is_some_and(|seen| seen.tags.is_empty())
            || !self.reader.read(page.bytes, page.offset(), tags)
        {
            return None;
        }
        let segment = self.pool.era.segment_heap;
        if segment {
            let tags = &self.pool.tags;
            let known = |block: &Block| {
                block.evidence != Evidence::Alone || tags.binary_search(&block.header.tag).is_ok()
            };
            self.reader.keep(known);
        }
        let allocator = if segment { "segment" } else { "classic" };
        let of = Of { allocator, kind: None, exact: false, chain: !segment };
        (!self.reader.blocks().is_empty()).then_some(of)
    }

    /// A page of a heap that is known.
    fn in_heap(&mut self, page: &Page<'_>) -> Option<Of> {
        let heaps = &self.pool.heaps;
        let va = page.va_of(0)?;
        let of = heaps.at(va)?;
        let bytes = <&[u8; 0x1000]>::try_from(page.bytes).ok()?;
        let offset = va - of.va.0;
        let found = |allocator, chain| {
            let allocator = if of.special { "special" } else { allocator };
            Of { allocator, kind: Some(of.kind), exact: true, chain }
        };
        match &of.blocks {
            Blocks::Vs(starts) => {
                let start = starts.get((offset / 0x1000) as usize)?;
                let end = of.va.0.wrapping_add(of.len);
                let any = self.reader.read_vs(&VsPage { bytes, va, end, key: heaps.key }, *start);
                any.then(|| found("vs", true))
            }
            Blocks::Lfh(lfh) => {
                let any = self.reader.read_lfh(bytes, offset, lfh);
                any.then(|| found("lfh", false))
            }
        }
    }
}

impl Pool<'_> {
    fn row(&self, page: &Page<'_>, of: &Of, block: &Block) -> PoolAllocationRow {
        let (header, place) = (&block.header, Place::new(page, block.at));
        let end = place.at.saturating_add(block.size.into()).min(page.bytes.len());
        let bytes = page.bytes.get(place.at..end).unwrap_or_default();
        let (confidence, reason) = confidence(block);
        let billed = self.billed(block, bytes, place.va);
        PoolAllocationRow {
            va: place.va,
            pa: place.pa,
            tag: text(header.tag),
            key: header.tag,
            protected: header.tag().is_protected(),
            size: block.size.into(),
            state: if block.allocated { "allocated" } else { "freed" },
            kind: self.era.kind(header).filter(|_| !of.exact).or(of.kind).map(Kind::name),
            allocator: of.allocator,
            pool_type: Some(header.pool_type.into()),
            process_billed: billed,
            process_id: billed.and_then(|process| self.process_id(process)),
            confidence,
            reason,
            chain_ok: of.chain.then_some(block.before && block.behind),
            preview: preview(bytes.get(self.era.unit..).unwrap_or_default()),
        }
    }

    /// The process that a block is charged to. On x64 the header names it, on x86 the last pointer of the block; since
    /// Windows 8 mixed with a cookie and with its own address, which on x86 no source states.
    fn billed(&self, block: &Block, bytes: &[u8], va: Option<u64>) -> Option<u64> {
        if !self.era.quota(&block.header) {
            return None;
        }
        let process = match (self.era.unit, self.era.cookie) {
            (8, false) => u64::from(u32::from_le_bytes(*bytes.last_chunk()?)),
            (8, true) => return None,
            (_, false) => u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?),
            (_, true) => u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?) ^ self.cookie? ^ va?,
        };
        // A wrong cookie or a block that was written over gives no kernel address.
        self.context.system.is_kernel(Va(process)).then_some(process).filter(|process| process % 8 == 0)
    }

    fn process_id(&self, process: u64) -> Option<u32> {
        let at = self.processes.binary_search_by_key(&process, |known| known.0).ok()?;
        self.processes[at].1
    }

    /// What lies where a header is wrong.
    fn damage(&self, page: &Page<'_>, offset: u16) -> damage::Found {
        let system = self.context.system;
        let bytes = page.bytes.get(Place::new(page, offset).at..).unwrap_or_default();
        let width = system.pointer_size() as usize;
        damage::look(bytes, |va| va != 0 && system.is_kernel(Va(va)), width)
    }

    fn page_row(&self, page: &Page<'_>, of: &Of, reader: &Reader) -> PoolPageRow {
        let (blocks, breaks) = (reader.blocks(), reader.breaks());
        let [bytes_free, bytes_used] = reader.bytes();
        let hard = breaks.iter().find(|found| found.wrong.breaks_chain());
        let first = hard.or(breaks.first());
        let suspect = first.and_then(|found| blocks.get(found.suspect?));
        let place = suspect.map(|block| Place::new(page, block.at));
        let damage = first.map(|found| self.damage(page, found.at)).unwrap_or_default();
        PoolPageRow {
            va: page.va_of(0).map(|va| va & !0xfff),
            pa: page.pa_of(0).map(|pa| pa & !0xfff),
            kind: of.kind.map(Kind::name),
            allocator: of.allocator,
            blocks: blocks.len() as u32,
            bytes_used,
            bytes_free,
            chain_ok: of.chain.then_some(hard.is_none()),
            breaks: breaks.len() as u32,
            broken_at: first.map(|found| found.at.into()),
            wrong: first.map(|found| found.wrong.name()),
            wrong_bytes: damage.bytes,
            wrong_content: damage.content,
            suspect: place.and_then(|place| place.va.or(place.pa)),
            suspect_tag: suspect.map(|block| text(block.header.tag)),
            suspect_size: suspect.map(|block| block.size.into()),
        }
    }
}

/// Where a header is.
struct Place {
    /// Offset in the bytes of the page that are there.
    at: usize,
    va: Option<u64>,
    pa: Option<u64>,
}

impl Place {
    fn new(page: &Page<'_>, offset: u16) -> Place {
        let at = usize::from(offset).saturating_sub(page.offset());
        Place { at, va: page.va_of(at), pa: page.pa_of(at) }
    }
}

fn confidence(block: &Block) -> (&'static str, &'static str) {
    match (block.evidence, block.before, block.behind) {
        (Evidence::Chunk, ..) => ("high", "the heap's header of the chunk says so"),
        (Evidence::Bitmap, ..) => ("high", "the heap's bitmap says so"),
        (Evidence::Near, ..) => {
            ("medium", "another header is where the next block would begin; what is freed may look in use")
        }
        (Evidence::Alone, ..) => {
            ("low", "nothing but a header with a tag that the kernel counts; what is freed may look in use")
        }
        (Evidence::Resized, ..) => ("medium", "its own size is wrong; this is what the block behind says"),
        (Evidence::Neighbours, true, true) => ("high", "both neighbours agree"),
        (Evidence::Neighbours, true, false) => ("medium", "the block before agrees, the one behind does not"),
        (Evidence::Neighbours, false, true) => ("medium", "the block behind agrees, the one before does not"),
        (Evidence::Neighbours, false, false) => ("low", "it ends with the page, but no neighbour agrees"),
    }
}

/// A tag without its protected bit; what cannot be printed is a dot.
fn text(tag: u32) -> InlineText<4> {
    let shown = |byte| if (0x20..0x7f).contains(&byte) { byte } else { b'.' };
    InlineText::of(&(tag & !(1 << 31)).to_le_bytes().map(shown))
}

/// The first 16 bytes as text or in hexadecimal.
fn preview(bytes: &[u8]) -> InlineText<32> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = &bytes[..bytes.len().min(16)];
    if bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return InlineText::of(bytes);
    }
    let mut digits = [0; 32];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)]);
    }
    InlineText::of(&digits[..bytes.len() * 2])
}
