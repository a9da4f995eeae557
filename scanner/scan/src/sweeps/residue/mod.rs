//! `residue` and `residue_pages`: return addresses that execution left in memory.
//!
//! A word of memory that is an address behind a call was, most likely, put there by that call. On a stack it tells what
//! the thread did, and below the stack pointer what it did before; on a page that nothing maps any more it is what is
//! left of a thread that has ended, or of pool that was freed. Elsewhere it is mostly a coincidence: pointers to code in
//! images and in structures. Those pages are only counted.

mod exports;
mod places;
mod processors;
mod targets;
mod words;

use super::{Context, Harvest, LeftOut, Owner, Page, Part, Sweep, look::Seen};
use exports::Shelf;
use places::{Kind, Places, Stack, code_of};
use schema::{
    Table, TableSpec,
    tables::{Residue as ResidueTable, ResiduePageRow, ResiduePages, ResidueRow},
};
use std::sync::{Arc, OnceLock};
use targets::{Stretch, Targets, Verdict};

/// Rows of one page that nothing maps, and of one page of a stack. The smallest function of x64 that calls another one
/// has a frame of 48 bytes, so that 85 of its frames are on a page.
const MOST_UNMAPPED: usize = 128;
const MOST_STACK: usize = 256;
/// Rows of one chunk of the file. Of an honest one with nothing but stacks it is half of that.
const MOST_OF_CHUNK: usize = 0x1_0000;
/// Candidates in neighbouring words that are a table of pointers. Return addresses have frames between them.
const TABLE: usize = 4;

/// The sweep.
pub struct Residue<'a> {
    context: Context<'a>,
    /// Made when the first chunk is looked at: a sweep whose tables are not wanted costs nothing.
    known: OnceLock<Known<'a>>,
}

/// Where stacks and code are.
struct Known<'a> {
    context: Context<'a>,
    places: Places,
    kernel: Targets<'a>,
    /// Code of processes, made when a page of one of their stacks is met.
    users: Vec<OnceLock<Option<Targets<'a>>>>,
    /// Exports of their images.
    exports: Arc<Shelf>,
}

impl<'a> Residue<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Residue<'a> {
        Residue { context, known: OnceLock::new() }
    }

    fn known(&self) -> &Known<'a> {
        self.known.get_or_init(|| Known::new(self.context))
    }
}

impl<'a> Known<'a> {
    fn new(context: Context<'a>) -> Known<'a> {
        let places = Places::new(context.system, context.map);
        let kernel = Targets::of_kernel(context.system);
        let users = (0..places.processes()).map(|_| OnceLock::new()).collect();
        let exports = Arc::new(Shelf::new(places.processes()));
        Known { context, places, kernel, users, exports }
    }

    /// The code of a process.
    fn user(&self, index: u16) -> Option<&Targets<'a>> {
        let slot = self.users.get(usize::from(index))?;
        let read = || code_of(self.context.system, self.context.map.process(index)?.va, self.exports.clone());
        slot.get_or_init(read).as_ref()
    }
}

impl Sweep for Residue<'_> {
    fn name(&self) -> &'static str {
        "residue"
    }

    fn tables(&self) -> Vec<&'static TableSpec> {
        vec![ResidueTable::spec(), ResiduePages::spec()]
    }

    fn uppers(&self) -> Option<(u32, u32)> {
        self.known().kernel.spans.as_ref()?.uppers()
    }

    fn part(&self) -> Box<dyn Part + '_> {
        Box::new(Rows {
            known: self.known(),
            rows: ResidueTable::new(),
            pages: ResiduePages::new(),
            hits: Vec::new(),
            met: Met::default(),
            left_out: None,
        })
    }
}

/// A word that points into executable code.
#[derive(Clone, Copy)]
struct Hit {
    /// Place in the page's bytes.
    at: usize,
    target: u64,
    stretch: Stretch,
    in_table: bool,
}

struct Rows<'a, 'b> {
    known: &'a Known<'b>,
    rows: ResidueTable,
    pages: ResiduePages,
    /// Those of the page; kept for its memory.
    hits: Vec<Hit>,
    met: Met,
    left_out: Option<LeftOut>,
}

/// Counts different modules, without sorting them: most pages have few, and pages are many.
#[derive(Default)]
struct Met {
    /// For each module the count that it was met in last.
    last: Vec<u64>,
    counts: u64,
}

impl Met {
    /// How many different numbers there are; they are indices, so that memory for them is small.
    fn count(&mut self, modules: impl Iterator<Item = u32>) -> u32 {
        self.counts += 1;
        let mut different = 0;
        for module in modules.map(|module| module as usize) {
            if self.last.len() <= module {
                self.last.resize(module + 1, 0);
            }
            different += u32::from(self.last[module] != self.counts);
            self.last[module] = self.counts;
        }
        different
    }
}

impl Part for Rows<'_, '_> {
    fn page(&mut self, page: &Page<'_>) {
        let known = self.known;
        if let Owner::Process(index) = page.owner
            && let Some(stack) = known.places.user_stack(page, index)
            && let Some(targets) = known.user(index)
        {
            self.collect(page, targets, None);
            self.tell(page, targets, Kind::UserStack, Some(stack));
        }
        self.collect(page, &known.kernel, page.seen);
        if !self.hits.is_empty() {
            let (kind, stack) = known.places.of(page);
            self.tell(page, &known.kernel, kind, stack);
        }
    }

    fn finish(mut self: Box<Self>) -> schema::Result<Harvest> {
        let mut harvest = Harvest { left_out: self.left_out, ..Harvest::default() };
        harvest.add(&mut self.rows)?;
        harvest.add(&mut self.pages)?;
        Ok(harvest)
    }
}

impl Rows<'_, '_> {
    /// The words of a page that point into executable code.
    fn collect(&mut self, page: &Page<'_>, targets: &Targets<'_>, seen: Option<&Seen>) {
        let hits = &mut self.hits;
        hits.clear();
        let Some(spans) = &targets.spans else { return };
        let hit = |at, target| {
            if let Some(&stretch) = targets.find(target) {
                hits.push(Hit { at, target, stretch, in_table: false });
            }
        };
        match seen.filter(|_| spans.uppers().is_some()) {
            Some(seen) => spans.seen(page.bytes, &seen.uppers, hit),
            None => spans.words(page.bytes, page.offset(), hit),
        }
        let width = spans.width();
        for run in hits.chunk_by_mut(|a, b| b.at - a.at == width).filter(|run| run.len() >= TABLE) {
            run.iter_mut().for_each(|hit| hit.in_table = true);
        }
    }

    /// Rows of the words found.
    fn tell(&mut self, page: &Page<'_>, targets: &Targets<'_>, kind: Kind, stack: Option<&Stack>) {
        if self.hits.is_empty() {
            return;
        }
        let verdicts: Vec<Verdict> =
            self.hits.iter().map(|hit| targets.judge(hit.target, &hit.stretch)).collect();
        let unverified = verdicts.iter().filter(|verdict| **verdict == Verdict::NotThere).count();
        let validated = verdicts.iter().filter(|verdict| verdict.is_call()).count();
        let mut room = self.room(&verdicts, kind, targets);
        for (index, verdict) in verdicts.into_iter().enumerate() {
            let hit = self.hits[index];
            if !is_residue(&hit, verdict, kind, targets) {
                continue;
            }
            match room[usize::from(verdict.is_call())].checked_sub(1) {
                Some(left) => {
                    room[usize::from(verdict.is_call())] = left;
                    self.rows.push(row(page, targets, kind, stack, &hit, verdict));
                }
                None => {
                    let address = page.pa_of(0).or(page.va_of(0)).unwrap_or(0);
                    self.left_out.get_or_insert(LeftOut { rows: 0, address }).rows += 1;
                }
            }
        }
        let sums = self.sums(page, kind, validated as u32, unverified as u32);
        self.pages.push(sums);
    }

    /// How many words of a page may be told of: those of which nothing says that a call is there, and those behind a
    /// call, which go first. A module that claims all memory makes every number an address of code.
    fn room(&self, verdicts: &[Verdict], kind: Kind, targets: &Targets<'_>) -> [usize; 2] {
        let most = if kind.is_stack() { MOST_STACK } else { MOST_UNMAPPED };
        let most = most.min(MOST_OF_CHUNK.saturating_sub(self.rows.len()));
        let told = |(hit, verdict): &(&Hit, &Verdict)| is_residue(hit, **verdict, kind, targets);
        let calls = self.hits.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_call()).filter(told);
        let calls = calls.count().min(most);
        [most - calls, calls]
    }

    fn sums(&mut self, page: &Page<'_>, kind: Kind, validated: u32, unverified: u32) -> ResiduePageRow {
        let (candidates, in_tables) =
            (self.hits.len() as u32, self.hits.iter().filter(|hit| hit.in_table).count() as u32);
        let modules = self.met.count(self.hits.iter().map(|hit| hit.stretch.module));
        let process = match page.owner {
            Owner::Process(index) => self.known.context.map.process(index),
            Owner::Kernel | Owner::Nobody => None,
        };
        ResiduePageRow {
            va: page.va_of(0),
            pa: page.pa_of(0),
            page_kind: kind.name().into(),
            process_id: process.and_then(|process| process.pid),
            candidates,
            validated,
            unverified,
            in_tables,
            modules,
        }
    }
}

/// Whether a word is told of, and not only counted. A word of a stack whose code is not in the dump may well be a return
/// address; elsewhere that would tell of every pointer into code that is paged out. What an unloaded driver left is
/// always told: nothing has a reason to point there.
fn is_residue(hit: &Hit, verdict: Verdict, kind: Kind, targets: &Targets<'_>) -> bool {
    let stack = kind.is_stack();
    match verdict {
        _ if !stack && (kind != Kind::Unmapped || hit.in_table) => false,
        Verdict::NoCall => false,
        Verdict::NotThere => {
            let unloaded = targets.modules[hit.stretch.module as usize].unloaded;
            unloaded || stack && targets.may_be_inside(hit.target, &hit.stretch)
        }
        Verdict::Direct(_) | Verdict::Import | Verdict::Indirect => true,
    }
}

fn row(
    page: &Page<'_>,
    targets: &Targets<'_>,
    kind: Kind,
    stack: Option<&Stack>,
    hit: &Hit,
    verdict: Verdict,
) -> ResidueRow {
    let module = &targets.modules[hit.stretch.module as usize];
    let name = targets.symbol(hit.target, &hit.stretch);
    let va = page.va_of(hit.at);
    // A word of the stack's page that does not lie on the stack itself has no depth.
    let stack = stack.zip(va).filter(|(stack, va)| (stack.limit..stack.base).contains(va));
    let thread = stack.and_then(|(stack, _)| stack.thread);
    let (call, confidence) = match verdict {
        Verdict::Direct(_) => (Some("direct"), "high"),
        Verdict::Import => (Some("import"), "high"),
        Verdict::Indirect => (Some("indirect"), "medium"),
        Verdict::NotThere | Verdict::NoCall => (None, "low"),
    };
    ResidueRow {
        va,
        pa: page.pa_of(hit.at),
        page_kind: kind.name().into(),
        ethread: thread.map(|thread| thread.ethread),
        thread_id: thread.and_then(|thread| thread.tid),
        process_id: thread.and_then(|thread| thread.pid),
        depth: stack.and_then(|(stack, va)| Some(stack.top? - va)),
        live: stack.and_then(|(stack, va)| stack.sp.map(|sp| va >= sp)),
        target: hit.target,
        module: module.name.clone(),
        symbol: name.function,
        offset: name.offset,
        function_offset: name.function_offset,
        unloaded: module.unloaded,
        call: call.map(Into::into),
        called: if let Verdict::Direct(called) = verdict { Some(called) } else { None },
        confidence: confidence.into(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn different_modules_are_counted_once_and_anew_each_time() {
        let mut met = super::Met::default();
        assert_eq!(met.count([3, 3, 0, 7, 3].into_iter()), 3);
        assert_eq!(met.count([3, 9].into_iter()), 2);
        assert_eq!(met.count([].into_iter()), 0);
    }
}
