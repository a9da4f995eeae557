//! `tag_constants`: every kernel image that is in the dump is read once for the pool tags in use.

use crate::{Job, out::Out, tags, tags::Tags};
use memory::{PAGE_SIZE, Va};
use nt::{System, image_facts, owner::Owner, pool::Tag};
use schema::{
    Sink,
    tables::{TagConstantRow, TagConstants},
};
use std::collections::BTreeMap;

/// Pages of all images together, 4 GiB: a list of modules that claims more lies.
const MOST_PAGES: u64 = 1 << 20;
const PAGE: usize = PAGE_SIZE as usize;
/// Bytes that are looked at together.
const MOST_HELD: usize = 1 << 20;

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<TagConstants>::new(sink);
    if let Some(system) = job.system {
        let tags = known(job, system);
        let mut pages = if tags.is_empty() { 0 } else { MOST_PAGES };
        for owner in system.owners() {
            for ((kind, key), found) in image(system, &tags, owner, &mut pages) {
                let (tag, module) = (Tag(key).text(), owner.name.clone());
                let kind = if kind == Kind::Immediate { "immediate" } else { "string" };
                let TagConstant { va, count } = found;
                out.push(TagConstantRow { tag, key, module, va, kind: kind.into(), count })?;
            }
        }
        if pages == 0 && !tags.is_empty() {
            let found = format!("{MOST_PAGES} pages, where it ended");
            system.problem("too_many", "tag_constants", "", None, "images of a few hundred MiB", &found);
        }
    }
    out.finish()
}

/// Tags that the pool's books count and that blocks in memory have.
fn known(job: &Job, system: &System<'_>) -> Tags {
    let mut tags: Vec<u32> = system.pool_tags().keys().map(|tag| tag.0).collect();
    let every: Result<(), std::convert::Infallible> = system.big_pages(|page| {
        tags.push(page.tag.0);
        Ok(())
    });
    let _ = every;
    let swept = job.found.into_iter().flat_map(|found| &found.pool_tags);
    Tags::new(tags.into_iter().chain(swept.copied()))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Immediate,
    String,
}

struct TagConstant {
    va: u64,
    count: u32,
}

type Constants = BTreeMap<(Kind, u32), TagConstant>;

/// All sections of one image, as far as the number of pages lasts.
fn image(system: &System<'_>, tags: &Tags, owner: &Owner, pages: &mut u64) -> Constants {
    let mut constants = Constants::new();
    let facts = if *pages > 0 { image_facts(system.space, owner.base) } else { None };
    let facts = facts.unwrap_or_default();
    for &(_, start, size) in &facts.sections {
        let kind = if facts.executable.contains(&(start, size)) { Kind::Immediate } else { Kind::String };
        // A section that claims to reach beyond its image lies; what lies there is somebody else's.
        let end = owner.size.min(u64::from(start) + u64::from(size));
        let mut at = u64::from(start) & !(PAGE_SIZE - 1);
        let mut run =
            Run { system, tags, kind, bytes: Vec::new(), va: 0, from: 0, constants: &mut constants };
        while at < end && *pages > 0 {
            *pages -= 1;
            let va = owner.base.checked_add(at);
            let read = va.is_some_and(|va| run.page(va));
            if !read || run.bytes.len() >= MOST_HELD {
                run.look(read);
            }
            at += PAGE_SIZE;
        }
        run.look(false);
    }
    constants
}

/// Pages of a section that follow each other without a gap.
struct Run<'a, 's> {
    system: &'a System<'s>,
    tags: &'a Tags,
    kind: Kind,
    bytes: Vec<u8>,
    /// Address of the first byte.
    va: u64,
    /// What lies in front of this was looked at.
    from: usize,
    constants: &'a mut Constants,
}

impl Run<'_, '_> {
    /// Adds a page; false if it cannot be read.
    fn page(&mut self, va: Va) -> bool {
        let held = self.bytes.len();
        if held == 0 {
            self.va = va.0;
        }
        self.bytes.resize(held + PAGE, 0);
        let read = self.system.space.read(va, &mut self.bytes[held..]).is_ok();
        if !read {
            self.bytes.truncate(held);
        }
        read
    }

    /// Looks at all that is held, or, if more may follow, at all of which enough is known; keeps what the next look
    /// needs.
    fn look(&mut self, more: bool) {
        let until = if more { self.bytes.len().saturating_sub(tags::BEHIND) } else { self.bytes.len() };
        let (va, kind, constants) = (self.va, self.kind, &mut *self.constants);
        let hit = |at: usize, key: u32| {
            let va = va.wrapping_add(at as u64);
            let known = constants.entry((kind, key)).or_insert(TagConstant { va, count: 0 });
            known.count = known.count.saturating_add(1);
        };
        match kind {
            Kind::Immediate => {
                self.tags.in_code(self.system.architecture, &self.bytes, self.from..until, hit);
            }
            Kind::String => self.tags.in_data(&self.bytes, self.from..until, hit),
        }
        let gone = if more { until.saturating_sub(tags::IN_FRONT) } else { self.bytes.len() };
        self.bytes.drain(..gone);
        self.va = self.va.wrapping_add(gone as u64);
        self.from = until.saturating_sub(gone).min(self.bytes.len());
    }
}
