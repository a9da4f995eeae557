//! `needles`: where bytes that somebody looks for lie.
//!
//! One automaton for all needles (Aho and Corasick 1975, with the vector search of the `aho-corasick` crate in front). A
//! page is asked whether it has any; only then all are listed, overlapping ones too. What lies over a border of pages is
//! looked for in the end of a page and the front of the page that follows it *in virtual memory*: neighbours in physical
//! memory have nothing to do with each other.

use super::{Context, Harvest, LeftOut, Owner, Page, Part, Sweep};
use aho_corasick::{AhoCorasick, MatchKind};
use memory::{PAGE_SIZE, Space, Va};
use schema::{
    Table, TableSpec,
    tables::{NeedleRow, Needles as NeedlesTable},
};
use std::sync::OnceLock;

/// Rows of one page.
const MOST_ROWS: usize = 64;
/// Bytes of context before and behind.
const BEFORE: usize = 32;
const BEHIND: usize = 64;

/// The sweep.
pub struct Needles<'a> {
    context: Context<'a>,
    automaton: OnceLock<Option<Automaton>>,
}

/// All needles, in one automaton.
struct Automaton {
    search: AhoCorasick,
    /// Needle and form by the number of a pattern.
    patterns: Vec<(usize, usize)>,
    longest: usize,
}

impl<'a> Needles<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Needles<'a> {
        Needles { context, automaton: OnceLock::new() }
    }

    /// `None` if nothing is looked for.
    fn automaton(&self) -> Option<&Automaton> {
        let needles = self.context.job.needles;
        let make = || {
            let patterns: Vec<(usize, usize)> = needles
                .iter()
                .enumerate()
                .flat_map(|(index, needle)| (0..needle.forms.len()).map(move |form| (index, form)))
                .collect();
            let bytes: Vec<&[u8]> =
                patterns.iter().map(|&(index, form)| &needles[index].forms[form].1[..]).collect();
            let longest = bytes.iter().map(|bytes| bytes.len()).max()?;
            let search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(bytes).ok()?;
            Some(Automaton { search, patterns, longest })
        };
        self.automaton.get_or_init(make).as_ref()
    }
}

impl Sweep for Needles<'_> {
    fn name(&self) -> &'static str {
        "needles"
    }

    fn tables(&self) -> Vec<&'static TableSpec> {
        vec![NeedlesTable::spec()]
    }

    fn part(&self) -> Box<dyn Part + '_> {
        let automaton = self.automaton();
        let rows = NeedlesTable::new();
        Box::new(Rows { context: self.context, automaton, rows, joined: Vec::new(), left_out: None })
    }
}

struct Rows<'a> {
    context: Context<'a>,
    automaton: Option<&'a Automaton>,
    rows: NeedlesTable,
    /// End of a page and front of the next; kept for its memory.
    joined: Vec<u8>,
    left_out: Option<LeftOut>,
}

impl Part for Rows<'_> {
    fn page(&mut self, page: &Page<'_>) {
        let Some(automaton) = self.automaton else { return };
        let mut told = 0;
        if automaton.search.is_match(page.bytes) {
            for found in automaton.search.find_overlapping_iter(page.bytes) {
                self.tell(page, found.pattern().as_usize(), found.start(), page.bytes, 0, &mut told);
            }
        }
        self.over_the_border(page, automaton, &mut told);
    }

    fn finish(mut self: Box<Self>) -> schema::Result<Harvest> {
        let mut harvest = Harvest { left_out: self.left_out, ..Harvest::default() };
        harvest.add(&mut self.rows)?;
        Ok(harvest)
    }
}

impl Rows<'_> {
    /// What begins on this page and ends on the next.
    fn over_the_border(&mut self, page: &Page<'_>, automaton: &Automaton, told: &mut usize) {
        let (Some(space), Some(va)) = (space(self.context, page.owner), page.va) else { return };
        let end = va.0.saturating_add(page.bytes.len() as u64);
        if !end.is_multiple_of(PAGE_SIZE) {
            return; // a captured block that ends earlier
        }
        let reach = (automaton.longest - 1).min(page.bytes.len());
        let start = page.bytes.len() - reach;
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        joined.extend_from_slice(&page.bytes[start..]);
        joined.resize(reach + automaton.longest - 1, 0);
        if space.read(Va(end), &mut joined[reach..]).is_err() {
            joined.truncate(reach);
        }
        for found in automaton.search.find_overlapping_iter(&joined) {
            if found.start() < reach && found.end() > reach {
                self.tell(page, found.pattern().as_usize(), found.start(), &joined, start, told);
            }
        }
        self.joined = joined;
    }

    /// `around` holds the needle at `at`, and begins at `start` of the page.
    fn tell(
        &mut self,
        page: &Page<'_>,
        pattern: usize,
        at: usize,
        around: &[u8],
        start: usize,
        told: &mut usize,
    ) {
        if *told >= MOST_ROWS {
            let address = page.pa_of(0).or(page.va_of(0)).unwrap_or(0);
            self.left_out.get_or_insert(LeftOut { rows: 0, address }).rows += 1;
            return;
        }
        *told += 1;
        let Some(automaton) = self.automaton else { return };
        let (needle, form) = automaton.patterns[pattern];
        let needle = &self.context.job.needles[needle];
        let (encoding, bytes) = &needle.forms[form];
        let process = match page.owner {
            Owner::Process(index) => self.context.map.process(index),
            Owner::Kernel | Owner::Nobody => None,
        };
        self.rows.push(NeedleRow {
            needle: needle.text.clone(),
            encoding: (*encoding).into(),
            pa: page.pa_of(start + at),
            va: page.va_of(start + at),
            process_id: process.and_then(|process| process.pid),
            process: process.map(|process| process.va.0),
            shared: page.shared,
            context: context(around, at, bytes.len(), *encoding == "utf-16"),
        });
    }
}

/// Whose space a page is seen in.
fn space(context: Context<'_>, owner: Owner) -> Option<Space<'_>> {
    let system = context.system;
    match owner {
        Owner::Nobody => None,
        Owner::Kernel => Some(system.space),
        Owner::Process(index) => {
            let va = context.map.process(index)?.va;
            let process = system.processes().iter().find(|process| process.va == va)?;
            system.process_space(process.dtb?)
        }
    }
}

/// What lies around a place, as text.
fn context(bytes: &[u8], at: usize, len: usize, wide: bool) -> String {
    let step = if wide { 2 } else { 1 };
    let from = at - at.min(BEFORE) / step * step;
    let to = at.saturating_add(len).saturating_add(BEHIND).min(bytes.len());
    let show = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
    bytes[from..to].iter().step_by(step).map(show).collect()
}
