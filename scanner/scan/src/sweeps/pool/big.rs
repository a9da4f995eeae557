//! Allocations that have pages of their own: nothing on them says so, but the kernel's table of big pages names them.
//!
//! Large allocations of a segment heap are in that table too (`_HEAP_LARGE_ALLOC_DATA` says no more than it does).

use super::{Rows, preview, text};
use crate::sweeps::{Owner, Page};
use memory::PAGE_SIZE;
use nt::poolpage::Kind;
use nt::{System, pool::BigPage};
use schema::{Table, tables::PoolAllocationRow};

/// More entries are not joined with pages; `big_pool` has them. Real tables name some ten thousand allocations.
const MOST: usize = 1 << 20;
/// Bits of `POOL_TYPE` (`wdm.h`): paged, of a session, not executable.
const PAGED: u32 = 1;
const SESSION: u32 = 0x20;
const NX: u32 = 0x200;

/// Entries of the table in the order of their addresses, one for each.
#[derive(Default)]
pub struct Big(Vec<BigPage>);

impl Big {
    /// Those of a kernel.
    pub fn of(system: &System<'_>) -> Big {
        let mut pages = Vec::new();
        // An end of it leaves the table to the walk that fills `big_pool`.
        let all = system.big_pages(|page| {
            if page.va.0.is_multiple_of(PAGE_SIZE) && system.is_kernel(page.va) && page.bytes.is_some() {
                pages.push(page);
            }
            if pages.len() < MOST { Ok(()) } else { Err(()) }
        });
        if all.is_err() {
            let expected = format!("at most {MOST} big allocations");
            system.problem("too_many", "pool_allocations", "", None, &expected, "more");
        }
        // An address that was used again has an entry that is free and one that is not.
        pages.sort_by_key(|page| (page.va, page.free, page.entry));
        pages.dedup_by_key(|page| page.va);
        Big(pages)
    }

    /// The allocation that begins with a page.
    fn at(&self, page: &Page<'_>) -> Option<&BigPage> {
        let va = page.va.filter(|va| page.owner == Owner::Kernel && va.0.is_multiple_of(PAGE_SIZE))?;
        let index = self.0.binary_search_by_key(&va, |big| big.va).ok()?;
        self.0.get(index)
    }
}

impl Rows<'_> {
    /// A row for an allocation that begins with a page.
    pub(super) fn big(&mut self, page: &Page<'_>) {
        let Some(big) = self.pool.big.at(page) else { return };
        let billed = big.billed.map(|process| process.0).filter(|_| !big.free);
        let (confidence, reason) = match big.free {
            false => ("high", "the kernel's table of big pages names it"),
            true => ("medium", "the kernel's table of big pages names it; its memory may be in other use"),
        };
        self.blocks.push(PoolAllocationRow {
            va: page.va_of(0),
            pa: page.pa_of(0),
            tag: text(big.tag.0),
            key: big.tag.0,
            protected: big.tag.is_protected(),
            size: big.bytes.unwrap_or(0),
            state: if big.free { "freed" } else { "allocated" },
            kind: big.pool_type.map(|pool_type| kind(pool_type).name()),
            allocator: "big",
            pool_type: big.pool_type,
            process_billed: billed,
            process_id: billed.and_then(|process| self.pool.process_id(process)),
            confidence,
            reason,
            chain_ok: None,
            preview: preview(page.bytes),
        });
    }
}

fn kind(pool_type: u32) -> Kind {
    match pool_type {
        session if session & SESSION != 0 => Kind::Session,
        paged if paged & PAGED != 0 => Kind::Paged,
        nx if nx & NX != 0 => Kind::NonPagedNx,
        _ => Kind::NonPaged,
    }
}
