//! One sweep a file. A sweep looks at every page of memory once, beside all others, while the page is in cache.
//!
//! The engine ([`crate::run`]) cuts the file into chunks and gives each to a worker. For every chunk a sweep makes a
//! [`Part`], which sees the chunk's pages in order and ends in a [`Harvest`]: rows that are final, and findings that
//! the walks join with what the lists say. Harvests arrive in the order of the chunks, whatever the number of threads.

mod alike;
mod images;
pub mod look;
mod needles;
mod objects;
mod pages;
mod pool;
mod residue;

pub use objects::FoundObject;

use crate::{Job, reverse::ReverseMap, stack::ThreadStack, walks::Fault};
use look::Seen;
use memory::{PAGE_SIZE, Pa, Va, records::Problem};
use nt::irp::Irp;
use schema::{Batch, Table, TableSpec, tables::CodeCheckRow};
use std::{
    collections::BTreeSet,
    sync::{Mutex, OnceLock},
};

/// What a sweep may ask while it looks at pages.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The dump and what is wanted of it.
    pub job: &'a Job<'a>,
    /// Windows in it.
    pub system: &'a nt::System<'a>,
    /// Which virtual address leads to a frame.
    pub map: &'a ReverseMap,
}

/// A page, or the part of one that a small dump captured. It never reaches over a border of pages.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// The bytes; all of a page but for captured blocks and a file that is cut short.
    pub bytes: &'a [u8],
    /// Physical address of the first byte; `None` in dumps of virtual memory.
    pub pa: Option<Pa>,
    /// Virtual address of the first byte in the space of `owner`; `None` where nothing maps the frame.
    pub va: Option<Va>,
    /// Whose tables map it.
    pub owner: Owner,
    /// True if more than one entry of page tables leads to the frame.
    pub shared: bool,
    /// True if every byte is zero.
    pub zero: bool,
    /// What a look for all sweeps found; `None` for parts of pages and on 32-bit systems.
    pub seen: Option<&'a Seen>,
}

/// Whose page tables map a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// No valid or transition entry that was found leads to it.
    Nobody,
    /// The kernel's half.
    Kernel,
    /// The user half of `ReverseMap::process(index)`.
    Process(u16),
}

impl Page<'_> {
    /// Offset of the first byte in its page; not 0 only in captured blocks.
    pub fn offset(&self) -> usize {
        let address = self.pa.map(|pa| pa.0).or(self.va.map(|va| va.0));
        address.map_or(0, |address| (address % PAGE_SIZE) as usize)
    }

    /// Physical address of a byte of [`Page::bytes`].
    pub fn pa_of(&self, at: usize) -> Option<u64> {
        self.pa.map(|pa| pa.0.wrapping_add(at as u64))
    }

    /// Virtual address of a byte of [`Page::bytes`].
    pub fn va_of(&self, at: usize) -> Option<u64> {
        self.va.map(|va| va.0.wrapping_add(at as u64))
    }
}

/// A question that is asked of every page.
pub trait Sweep: Sync {
    /// Name for `faults`.
    fn name(&self) -> &'static str;

    /// The tables that it fills; they exist even when it finds nothing.
    fn tables(&self) -> Vec<&'static TableSpec>;

    /// The tables of walks that join what it finds; they make the sweep run, but it does not write them.
    fn feeds(&self) -> Vec<&'static TableSpec> {
        Vec::new()
    }

    /// Whether pages of zeros matter to it; if not, it is not shown them.
    fn zero_pages(&self) -> bool {
        false
    }

    /// Which upper halves of 64-bit words [`Seen::uppers`] should tell of: the first, and the last less the first.
    fn uppers(&self) -> Option<(u32, u32)> {
        None
    }

    /// What looks at one chunk.
    fn part(&self) -> Box<dyn Part + '_>;
}

/// A sweep at work on the pages of one chunk.
pub trait Part {
    /// Looks at a page.
    fn page(&mut self, page: &Page<'_>);

    /// What the chunk gave.
    fn finish(self: Box<Self>) -> schema::Result<Harvest>;
}

/// What a sweep found in one chunk.
#[derive(Default)]
pub struct Harvest {
    /// Final rows.
    pub batches: Vec<(&'static TableSpec, Batch)>,
    /// What walks join with their rows.
    pub found: Found,
    /// Rows that were left out because a page held more than a bound allows, and the first such page's address.
    pub left_out: Option<LeftOut>,
}

/// Rows beyond a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub rows: u64,
    /// Address of the first page that had too many.
    pub address: u64,
}

impl Harvest {
    /// A harvest of one table's rows.
    pub fn of<T: Table>(mut rows: T) -> schema::Result<Harvest> {
        let mut harvest = Harvest::default();
        harvest.add(&mut rows)?;
        Ok(harvest)
    }

    /// Adds the rows of a table.
    pub fn add<T: Table>(&mut self, rows: &mut T) -> schema::Result<()> {
        if !rows.is_empty() {
            self.batches.push((T::spec(), rows.finish()?));
        }
        Ok(())
    }
}

/// Findings of all sweeps that are no rows yet, in the order of memory, and what several walks share.
#[derive(Default)]
pub struct Found {
    /// The stacks of all threads, once a walk has asked for them.
    pub(crate) stacks: OnceLock<Vec<ThreadStack>>,
    /// What is stated of the fault, once a walk has asked for it.
    pub(crate) fault: OnceLock<Fault>,
    /// Requests of the system, once a walk has asked for them.
    pub(crate) irps: OnceLock<Vec<Irp>>,
    /// Rows of `code_checks`, once the walk that fills `code_changes` has looked.
    pub(crate) code_checks: OnceLock<Vec<CodeCheckRow>>,
    /// What could not be read of a user minidump after it was opened.
    pub(crate) problems: Mutex<Vec<Problem>>,
    /// Kernel objects.
    pub objects: Vec<FoundObject>,
    /// Objects beyond [`MOST_OBJECTS`], which are only counted.
    pub objects_left_out: u64,
    /// Tags of blocks of pool, as far as they can be printed.
    pub pool_tags: BTreeSet<u32>,
    /// SHA-256 of the file, if it was asked for and the pass went over all of it.
    pub sha256: Option<String>,
}

impl Found {
    /// What could not be read of a user minidump after it was opened.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.problems.lock().map(|all| all.clone()).unwrap_or_default()
    }
}

/// More objects than any system has; only memory that was made to look like them holds more.
const MOST_OBJECTS: usize = 1 << 21;

/// More tags than any system has.
const MOST_TAGS: usize = 1 << 16;

impl Found {
    /// Adds those of the next chunk.
    pub fn append(&mut self, next: Found) {
        let room = MOST_OBJECTS.saturating_sub(self.objects.len());
        let over = next.objects.len().saturating_sub(room);
        self.objects.extend(next.objects.into_iter().take(room));
        let room = MOST_TAGS.saturating_sub(self.pool_tags.len());
        self.pool_tags.extend(next.pool_tags.into_iter().take(room));
        self.objects_left_out += next.objects_left_out + over as u64;
    }
}

/// Every sweep that fills a wanted table.
pub fn all<'a>(context: Context<'a>) -> Vec<Box<dyn Sweep + 'a>> {
    let sweeps: Vec<Box<dyn Sweep + 'a>> = vec![
        Box::new(pages::Pages::new(context)),
        Box::new(pool::Pool::new(context)),
        Box::new(objects::Objects::new(context)),
        Box::new(residue::Residue::new(context)),
        Box::new(images::Images::new(context)),
        Box::new(needles::Needles::new(context)),
    ];
    let wanted = |sweep: &(dyn Sweep + 'a)| {
        let fills = [sweep.tables(), sweep.feeds()].concat();
        fills.iter().any(|table| context.job.tables.iter().any(|wanted| wanted.name == table.name))
    };
    sweeps.into_iter().filter(|sweep| wanted(&**sweep)).collect()
}
