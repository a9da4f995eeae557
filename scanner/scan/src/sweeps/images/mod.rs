//! `found_images` and `found_records`: PE headers, CodeView records and debugger blocks wherever they lie.
//!
//! A module that was taken out of every list is still an image in memory, and so is one that was unloaded and whose pages
//! were not used again. A page is first compared with what the few words that begin such a thing have in common, in lanes
//! of 32 bits, which becomes vector code; only where one may be are bytes looked at.

mod header;
mod lists;

use super::{Context, Harvest, LeftOut, Owner, Page, Part, Sweep, alike::Alike, look::BLOCK};
use header::{Header, KDBG, MACHINES, PE, RSDS};
use lists::Lists;
use memory::Va;
use nt::symbols::PdbId;
use schema::{
    Table, TableSpec,
    tables::{FoundImageRow, FoundImages, FoundRecordRow, FoundRecords},
};

/// Rows of one page: of images, and of records. Real pages have one image; a page of PDB names has no more than this.
const MOST_IMAGES: usize = 8;
const MOST_RECORDS: usize = 32;

/// The sweep.
pub struct Images<'a> {
    context: Context<'a>,
    lists: Lists,
}

impl<'a> Images<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Images<'a> {
        Images { context, lists: Lists::default() }
    }
}

impl Sweep for Images<'_> {
    fn name(&self) -> &'static str {
        "images"
    }

    fn tables(&self) -> Vec<&'static TableSpec> {
        vec![FoundImages::spec(), FoundRecords::spec()]
    }

    fn part(&self) -> Box<dyn Part + '_> {
        Box::new(Rows {
            context: self.context,
            lists: &self.lists,
            images: FoundImages::new(),
            records: FoundRecords::new(),
            found: [0; 2],
            left_out: None,
        })
    }
}

struct Rows<'a> {
    context: Context<'a>,
    lists: &'a Lists,
    images: FoundImages,
    records: FoundRecords,
    /// How many of the page at hand.
    found: [usize; 2],
    left_out: Option<LeftOut>,
}

impl Part for Rows<'_> {
    fn page(&mut self, page: &Page<'_>) {
        self.found = [0; 2];
        if let Some(seen) = page.seen {
            return seen.marks.places().for_each(|at| self.word(page, at));
        }
        let skip = page.offset().wrapping_neg() % 4;
        let Some(words) = page.bytes.get(skip..) else { return };
        let (blocks, rest) = words.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            if any(block) {
                self.block(page, block, skip + number * BLOCK);
            }
        }
        self.block(page, rest, skip + blocks.len() * BLOCK);
    }

    fn finish(mut self: Box<Self>) -> schema::Result<Harvest> {
        let mut harvest = Harvest { left_out: self.left_out, ..Harvest::default() };
        harvest.add(&mut self.images)?;
        harvest.add(&mut self.records)?;
        Ok(harvest)
    }
}

/// What the words that are looked for have in common.
pub const MARKS: Alike = Alike::of(&[PE, RSDS, KDBG], u32::MAX);

/// Whether a block may have one of the words. No branch in the loop, and numbers put together, not truths: only so it
/// becomes vector code.
fn any(block: &[u8; BLOCK]) -> bool {
    let words = block.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    words.fold(0, |any, word| any | u32::from(MARKS.passes(word))) != 0
}

impl Rows<'_> {
    fn block(&mut self, page: &Page<'_>, block: &[u8], start: usize) {
        for (number, word) in block.as_chunks::<4>().0.iter().enumerate() {
            if MARKS.passes(u32::from_le_bytes(*word)) {
                self.word(page, start + number * 4);
            }
        }
    }

    /// A word that may be a mark.
    fn word(&mut self, page: &Page<'_>, at: usize) {
        let bytes = page.bytes;
        let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) else { return };
        let [images, records] = &mut self.found;
        let (count, most, wanted) = match u32::from_le_bytes(*word) {
            PE => (images, MOST_IMAGES, header::parse(bytes, at).is_some()),
            RSDS => (records, MOST_RECORDS, header::rsds(bytes, at).is_some()),
            KDBG => (records, MOST_RECORDS, header::kdbg(bytes, at).is_some()),
            _ => return,
        };
        if !wanted {
            return;
        }
        *count += 1;
        if *count > most {
            let address = page.pa_of(0).or(page.va_of(0)).unwrap_or(0);
            self.left_out.get_or_insert(LeftOut { rows: 0, address }).rows += 1;
            return;
        }
        self.tell(page, at, *word);
    }

    fn tell(&mut self, page: &Page<'_>, at: usize, word: [u8; 4]) {
        let record = match u32::from_le_bytes(word) {
            PE => {
                let row = header::parse(page.bytes, at).map(|header| self.image(page, at, &header));
                return row.into_iter().for_each(|row| self.images.push(row));
            }
            RSDS => self.rsds(page, at),
            // The tag lies behind the list entry that the block begins with.
            _ => at.checked_sub(16).and_then(|start| {
                let (size, base) = header::kdbg(page.bytes, at)?;
                let row = self.record(page, start, "KDBG");
                Some(FoundRecordRow { size: Some(size), kernel_base: Some(base), ..row })
            }),
        };
        record.into_iter().for_each(|row| self.records.push(row));
    }

    fn image(&self, page: &Page<'_>, at: usize, header: &Header) -> FoundImageRow {
        let whole = page.offset() == 0 && header::signature(page.bytes) == Some(at);
        let start = if whole { 0 } else { at };
        let (va, process) = (page.va_of(start), self.process(page));
        let space = match page.owner {
            Owner::Kernel => Some(self.context.system.space),
            Owner::Process(index) => self.lists.space(self.context, index),
            Owner::Nobody => None,
        };
        let base = va.filter(|_| whole);
        let facts = space.zip(base).and_then(|(space, base)| nt::image_facts(space, Va(base)));
        let pdb = facts.as_ref().and_then(|facts| facts.pdb);
        let listed = base.and_then(|base| self.lists.find(self.context, page.owner, base));
        let machine = MACHINES.iter().find(|(machine, _)| *machine == header.machine);
        FoundImageRow {
            pa: page.pa_of(start),
            va,
            process_id: process.and_then(|process| process.pid),
            process: process.map(|process| process.va.0),
            shared: page.shared,
            kind: if whole { "header" } else { "fragment" }.into(),
            machine: header.machine.into(),
            machine_name: machine.map_or("", |(_, name)| name).into(),
            timestamp: header.timestamp,
            characteristics: header.characteristics.into(),
            sections: header.sections.into(),
            size_of_image: header.size_of_image,
            entry_point: header.entry_point,
            image_base: header.image_base,
            checksum: header.checksum,
            subsystem: header.subsystem.into(),
            pdb_name: facts.and_then(|facts| facts.pdb_name),
            pdb_guid: pdb.map(|id| id.guid_text()),
            pdb_age: pdb.map(|id| id.age),
            in_list: listed.as_ref().map(|(list, _)| (*list).into()),
            list_name: listed.and_then(|(_, name)| name),
        }
    }

    fn rsds(&self, page: &Page<'_>, at: usize) -> Option<FoundRecordRow> {
        let rsds = header::rsds(page.bytes, at)?;
        let id = PdbId { guid: rsds.guid, age: rsds.age };
        Some(FoundRecordRow {
            pdb_name: Some(String::from_utf8_lossy(rsds.name).into_owned()),
            pdb_guid: Some(id.guid_text()),
            pdb_age: Some(rsds.age),
            ..self.record(page, at, "RSDS")
        })
    }

    fn record(&self, page: &Page<'_>, at: usize, kind: &str) -> FoundRecordRow {
        FoundRecordRow {
            pa: page.pa_of(at),
            va: page.va_of(at),
            process_id: self.process(page).and_then(|process| process.pid),
            kind: kind.into(),
            pdb_name: None,
            pdb_guid: None,
            pdb_age: None,
            size: None,
            kernel_base: None,
        }
    }

    fn process(&self, page: &Page<'_>) -> Option<&crate::reverse::Walked> {
        match page.owner {
            Owner::Process(index) => self.context.map.process(index),
            Owner::Kernel | Owner::Nobody => None,
        }
    }
}
