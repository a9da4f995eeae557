//! `pool_allocations` and `pool_pages`: blocks of kernel pool on every page that can hold some.

use super::{Context, Harvest, LeftOut, Owner, Page, Part, Sweep};
use memory::Va;
use nt::poolpage::{Block, Break, Era, Kind, Reader};
use schema::{
    InlineText, Table, TableSpec,
    tables::{PoolAllocationRow, PoolAllocations, PoolPageRow, PoolPages},
};

/// Rows of a page. Real pages have fewer blocks: this is one of 16 bytes in every place of a page.
const MOST_ROWS: usize = 256;

/// The sweep.
pub struct Pool<'a> {
    context: Context<'a>,
    era: Era,
    /// `ExpPoolQuotaCookie`.
    cookie: Option<u64>,
    /// Every known `_EPROCESS` and its id, by address.
    processes: Vec<(u64, Option<u32>)>,
}

impl<'a> Pool<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Pool<'a> {
        let system = context.system;
        let cookie = system.global_pointer("ExpPoolQuotaCookie").map(|cookie| cookie.0);
        let mut processes: Vec<_> =
            system.processes().iter().map(|process| (process.va.0, process.pid)).collect();
        processes.sort_unstable();
        Pool { context, era: Era::of(system.pointer_size(), system.build), cookie, processes }
    }
}

impl Sweep for Pool<'_> {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn tables(&self) -> Vec<&'static TableSpec> {
        vec![PoolAllocations::spec(), PoolPages::spec()]
    }

    fn part(&self) -> Box<dyn Part + '_> {
        Box::new(Rows {
            pool: self,
            reader: Reader::new(self.era),
            blocks: PoolAllocations::new(),
            pages: PoolPages::new(),
            left_out: None,
        })
    }
}

struct Rows<'a> {
    pool: &'a Pool<'a>,
    reader: Reader,
    blocks: PoolAllocations,
    pages: PoolPages,
    left_out: Option<LeftOut>,
}

impl Part for Rows<'_> {
    fn page(&mut self, page: &Page<'_>) {
        if matches!(page.owner, Owner::Process(_)) || !self.reader.read(page.bytes, page.offset()) {
            return;
        }
        let kind = self.reader.blocks().iter().find_map(|block| self.pool.era.kind(&block.header));
        self.pages.push(self.pool.page_row(page, kind, self.reader.blocks(), self.reader.breaks()));
        for block in self.reader.blocks().iter().take(MOST_ROWS) {
            self.blocks.push(self.pool.row(page, kind, block));
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
        Ok(harvest)
    }
}

impl Pool<'_> {
    fn row(&self, page: &Page<'_>, kind: Option<Kind>, block: &Block) -> PoolAllocationRow {
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
            state: if self.era.allocated(header) { "allocated" } else { "freed" },
            kind: self.era.kind(header).or(kind).map(Kind::name),
            allocator: if self.era.segment_heap { "segment" } else { "classic" },
            pool_type: header.pool_type,
            process_billed: billed,
            process_id: billed.and_then(|process| self.process_id(process)),
            confidence,
            reason,
            chain_ok: block.before && block.behind,
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

    fn page_row(
        &self,
        page: &Page<'_>,
        kind: Option<Kind>,
        blocks: &[Block],
        breaks: &[Break],
    ) -> PoolPageRow {
        let bytes = |used: bool| -> u32 {
            let of = blocks.iter().filter(|block| self.era.allocated(&block.header) == used);
            of.map(|block| u32::from(block.size)).sum()
        };
        let hard = breaks.iter().find(|found| found.wrong.breaks_chain());
        let first = hard.or(breaks.first());
        let suspect = first.and_then(|found| blocks.get(found.suspect?));
        let place = suspect.map(|block| Place::new(page, block.at));
        PoolPageRow {
            va: page.va_of(0).map(|va| va & !0xfff),
            pa: page.pa_of(0).map(|pa| pa & !0xfff),
            kind: kind.map(Kind::name),
            allocator: if self.era.segment_heap { "segment" } else { "classic" },
            blocks: blocks.len() as u32,
            bytes_used: bytes(true),
            bytes_free: bytes(false),
            chain_ok: Some(hard.is_none()),
            breaks: breaks.len() as u32,
            broken_at: first.map(|found| found.at.into()),
            wrong: first.map(|found| found.wrong.name()),
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
    match (block.before, block.behind, block.resized) {
        (_, _, true) => ("medium", "its own size is wrong; this is what the block behind says"),
        (true, true, _) => ("high", "both neighbours agree"),
        (true, false, _) => ("medium", "the block before agrees, the one behind does not"),
        (false, true, _) => ("medium", "the block behind agrees, the one before does not"),
        (false, false, _) => ("low", "it ends with the page, but no neighbour agrees"),
    }
}

/// A tag without its protected bit; what cannot be printed is a dot.
fn text(tag: u32) -> InlineText<4> {
    let mut text = InlineText::default();
    for byte in (tag & !(1 << 31)).to_le_bytes() {
        text.push(if (0x20..0x7f).contains(&byte) { byte } else { b'.' });
    }
    text
}

/// The first 16 bytes as text or in hexadecimal.
fn preview(bytes: &[u8]) -> InlineText<32> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = &bytes[..bytes.len().min(16)];
    let mut text = InlineText::default();
    let printable = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    for byte in bytes {
        match printable {
            true => text.push(*byte),
            false => {
                text.push(DIGITS[usize::from(byte >> 4)]);
                text.push(DIGITS[usize::from(byte & 15)]);
            }
        }
    }
    text
}
