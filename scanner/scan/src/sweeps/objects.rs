//! Kernel objects wherever they are: behind pool headers with their tag, and by their own shape.
//!
//! Every aligned slot of a page goes through a test of a few integers that the compiler makes vectors of
//! ([`slots`]); what passes is judged by [`nt::shape`]. The walks join what is found with what lists say.

mod slots;

use super::{Context, Found, Harvest, LeftOut, Owner, Page, Part, Sweep};
use memory::{Dump, PAGE_SIZE, Pa, Space, Va};
use nt::{
    System, View,
    shape::{Body, Kind, Level, Shapes, Verdict},
};
use schema::{Table, TableSpec, tables};
use slots::{Slot, Slots};

/// No page has more: the smallest objects are mutants with 64 bytes on 32-bit systems.
const MOST_IN_PAGE: usize = 64;
/// All optional headers of an object together are no larger.
const MOST_FRONT: usize = 0xa0;
/// `_POOL_HEADER` has 16 bytes on 64-bit systems and 8 on 32-bit ones, as have the units of block sizes.
const UNITS: [usize; 2] = [8, 16];

/// An object whose headers agree, though its members are not those of a finished one.
const HEADERS: Verdict =
    Verdict { level: Level::Medium, why: "its pool tag and its object header agree", stated: None };

/// An object that memory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundObject {
    /// What it is.
    pub kind: Kind,
    /// Its physical address; `None` in dumps of virtual memory.
    pub pa: Option<u64>,
    /// Its address in the kernel's half; `None` if only processes, or nothing, lead to it.
    pub va: Option<u64>,
    /// Address of a process's page that it is on, if only processes lead to it.
    pub user: Option<u64>,
    /// A pool header with its tag is in front of it.
    pub pool: bool,
    /// Its members were recognised without that header.
    pub shape: bool,
    /// The pool block that holds it was freed.
    pub freed: bool,
    /// How sure it is, why, and the address that it states itself.
    pub verdict: Verdict,
}

impl FoundObject {
    /// Its members. Those of an object that the kernel's page tables do not lead to end with its page.
    pub fn view<'a>(&self, system: &System<'a>, size: u32) -> View<'a> {
        if let Some(va) = self.va {
            return system.view(Va(va), size);
        }
        let bytes = self.pa.and_then(|pa| rest_of_page(system.dump, pa)).unwrap_or(&[]);
        View::within(Space::nothing(), Va(0), bytes, system.pointer_size())
    }
}

fn rest_of_page(dump: &Dump, pa: u64) -> Option<&[u8]> {
    dump.image()?.bytes(Pa(pa), (PAGE_SIZE - pa % PAGE_SIZE) as usize).ok()
}

/// The sweep.
pub struct Objects<'a> {
    shapes: Shapes<'a, 'a>,
    slots: Slots,
}

impl<'a> Objects<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Objects<'a> {
        let shapes = Shapes::of(context.system);
        Objects { slots: Slots::of(context.system, &shapes), shapes }
    }
}

impl Sweep for Objects<'_> {
    fn name(&self) -> &'static str {
        "objects"
    }

    fn tables(&self) -> Vec<&'static TableSpec> {
        Vec::new()
    }

    fn feeds(&self) -> Vec<&'static TableSpec> {
        vec![
            tables::Processes::spec(),
            tables::Threads::spec(),
            tables::Drivers::spec(),
            tables::Modules::spec(),
            tables::FoundObjects::spec(),
        ]
    }

    fn part(&self) -> Box<dyn Part + '_> {
        Box::new(Looking { sweep: self, found: Vec::new(), page: 0, left_out: None })
    }
}

struct Looking<'a> {
    sweep: &'a Objects<'a>,
    found: Vec<FoundObject>,
    /// Index of the first object of the page at hand.
    page: usize,
    left_out: Option<LeftOut>,
}

impl Part for Looking<'_> {
    fn page(&mut self, page: &Page<'_>) {
        self.page = self.found.len();
        let sweep = self.sweep;
        sweep.slots.each(page, |slot| self.slot(page, slot));
    }

    fn finish(self: Box<Self>) -> schema::Result<Harvest> {
        let found = Found { objects: self.found, ..Found::default() };
        Ok(Harvest { found, left_out: self.left_out, ..Harvest::default() })
    }
}

impl Looking<'_> {
    fn slot(&mut self, page: &Page<'_>, slot: Slot) {
        if let Some(kind) = slot.tag {
            self.tagged(page, slot.at, kind);
        }
        for kind in [slot.dispatcher, slot.io].into_iter().flatten() {
            self.shaped(page, slot.at, kind);
        }
        if let Some(at) = slot.module {
            self.shaped(page, at, Kind::Module);
        }
    }

    /// An object of which only the dispatcher header was looked at.
    fn shaped(&mut self, page: &Page<'_>, at: usize, kind: Kind) {
        let Some(verdict) = self.sweep.shapes.judge(kind, &self.body(page, at)) else { return };
        // Mutexes lie inside of many structures; without an object header they are no mutants.
        if kind == Kind::Mutant && self.header(page, at, kind) != Some(true) {
            return;
        }
        self.add(page, at, kind, (false, true, false), verdict);
    }

    /// A slot that has the tag of a kind where a pool header would have it.
    fn tagged(&mut self, page: &Page<'_>, at: usize, kind: Kind) {
        let shapes = &self.sweep.shapes;
        let unit = UNITS[usize::from(shapes.pointer_size() == 8)];
        let Some(block) = Block::at(page.bytes, at, unit) else { return };
        if kind == Kind::Module {
            return self.tagged_body(page, at + unit, kind, block.freed, None);
        }
        let Some(header) = shapes.header_size().map(|size| size as usize) else { return };
        let least = unit + header + (shapes.size(kind) as usize).min(0x200);
        if block.size != 0 && block.size < least {
            return;
        }
        for front in (0..=MOST_FRONT).step_by(unit) {
            let body = at + unit + front + header;
            if body >= page.bytes.len() {
                return;
            }
            let fits = page.bytes.get(body - header..).is_some_and(|header| shapes.has_front(header, front));
            let named = self.header(page, body, kind).map(|named| named && fits);
            if named == Some(true) || slots::is_kind(page.bytes, body, kind) {
                let before = self.found.len();
                self.tagged_body(page, body, kind, block.freed, named);
                if self.found.len() > before || self.known(page, body, kind).is_some() {
                    return;
                }
            }
        }
    }

    fn tagged_body(&mut self, page: &Page<'_>, at: usize, kind: Kind, freed: bool, named: Option<bool>) {
        let judged = self.sweep.shapes.judge(kind, &self.body(page, at));
        let shape = judged.is_some() && slots::is_kind(page.bytes, at, kind);
        let verdict = match (judged, named) {
            // A free block may have lost the object header; of one in use it must be right too.
            (Some(verdict), Some(false)) if !freed => {
                Verdict { level: verdict.level.min(Level::Medium), ..verdict }
            }
            (Some(verdict), _) => verdict,
            (None, Some(true)) if !freed => HEADERS,
            _ => return,
        };
        self.add(page, at, kind, (true, shape, freed), verdict);
    }

    /// Whether the object header in front of a body is that of a kind.
    fn header(&self, page: &Page<'_>, body: usize, kind: Kind) -> Option<bool> {
        let shapes = &self.sweep.shapes;
        let at = body.checked_sub(shapes.header_size()? as usize)?;
        let va = page.va_of(at).filter(|_| page.owner == Owner::Kernel).map(Va);
        let low = (page.offset() + at) as u64;
        shapes.is_header(kind, page.bytes.get(at..)?, va, low)
    }

    fn body<'p>(&self, page: &Page<'p>, at: usize) -> Body<'p>
    where
        Self: 'p,
    {
        let system = self.sweep.shapes.system();
        let va = page.va_of(at).filter(|_| page.owner == Owner::Kernel).map(Va);
        let space = if va.is_some() { system.space } else { Space::nothing() };
        let bytes = page.bytes.get(at..).unwrap_or(&[]);
        let view = View::within(space, va.unwrap_or(Va(0)), bytes, system.pointer_size());
        Body { view, va, low: (page.offset() + at) as u64 }
    }

    fn known(&mut self, page: &Page<'_>, at: usize, kind: Kind) -> Option<&mut FoundObject> {
        let (pa, va) = (page.pa_of(at), page.va_of(at));
        let mut here = self.found[self.page..].iter_mut();
        here.find(|found| found.kind == kind && found.pa == pa && found.va.or(found.user) == va)
    }

    fn add(
        &mut self,
        page: &Page<'_>,
        at: usize,
        kind: Kind,
        (pool, shape, freed): (bool, bool, bool),
        verdict: Verdict,
    ) {
        if let Some(known) = self.known(page, at, kind) {
            (known.pool, known.shape, known.freed) =
                (known.pool | pool, known.shape | shape, known.freed | freed);
            return;
        }
        if self.found.len() - self.page >= MOST_IN_PAGE {
            let address = page.pa_of(0).or(page.va_of(0)).unwrap_or(0);
            self.left_out.get_or_insert(LeftOut { rows: 0, address }).rows += 1;
            return;
        }
        let kernel = page.owner == Owner::Kernel;
        let va = page.va_of(at);
        let (va, user) = if kernel { (va, None) } else { (None, va) };
        self.found.push(FoundObject { kind, pa: page.pa_of(at), va, user, pool, shape, freed, verdict });
    }
}

/// What a pool header says of its block.
struct Block {
    /// Bytes with the header; 0 where the header does not say.
    size: usize,
    /// `PoolType` is 0.
    freed: bool,
}

impl Block {
    /// `None` if the block would end behind its page, as no block with a header does.
    fn at(bytes: &[u8], at: usize, unit: usize) -> Option<Block> {
        let header = bytes.get(at..)?.first_chunk::<4>()?;
        let (size, kind) = match unit {
            16 => (usize::from(header[2]), header[3]),
            _ => {
                let both = u16::from_le_bytes([header[2], header[3]]);
                (usize::from(both & 0x1ff), (both >> 9) as u8)
            }
        };
        let fits = at.checked_add(size * unit)? <= PAGE_SIZE as usize;
        fits.then_some(Block { size: size * unit, freed: kind == 0 })
    }
}
