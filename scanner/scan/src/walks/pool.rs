//! `big_pool` and `pool_tags`.

use crate::{Job, out::Out};
use nt::{System, pool::BigPage};
use schema::{
    Sink,
    tables::{BigPool, BigPoolRow, PoolTagRow, PoolTags},
};

/// `POOL_TYPE` of the WDK's `wdm.h`; of two names for one value the older.
const POOL_TYPES: [(u32, &str); 17] = [
    (0, "NonPagedPool"),
    (1, "PagedPool"),
    (2, "NonPagedPoolMustSucceed"),
    (3, "DontUseThisType"),
    (4, "NonPagedPoolCacheAligned"),
    (5, "PagedPoolCacheAligned"),
    (6, "NonPagedPoolCacheAlignedMustS"),
    (7, "MaxPoolType"),
    (32, "NonPagedPoolSession"),
    (33, "PagedPoolSession"),
    (34, "NonPagedPoolMustSucceedSession"),
    (35, "DontUseThisTypeSession"),
    (36, "NonPagedPoolCacheAlignedSession"),
    (37, "PagedPoolCacheAlignedSession"),
    (38, "NonPagedPoolCacheAlignedMustSSession"),
    (512, "NonPagedPoolNx"),
    (516, "NonPagedPoolNxCacheAligned"),
];

pub fn big_pool(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<BigPool>::new(sink);
    if let Some(system) = job.system {
        system.big_pages(|page| out.push(big_page(system, page)))?;
    }
    out.finish()
}

fn big_page(system: &System, page: BigPage) -> BigPoolRow {
    let name = |value: u32| POOL_TYPES.iter().find(|known| known.0 == value).map(|known| known.1.to_string());
    let billed = page.billed.and_then(|va| system.process_at(va));
    BigPoolRow {
        address: page.va.0,
        free: page.free,
        tag: page.tag.text(),
        key: page.tag.0,
        protected: page.tag.is_protected(),
        size: page.bytes,
        pool_type: page.pool_type,
        pool_type_name: page.pool_type.and_then(name),
        paged: page.pool_type.map(|value| value & 1 != 0),
        pattern: page.pattern,
        slush_size: page.slush_size,
        process_billed: page.billed.map(|va| va.0),
        process_id: billed.and_then(|process| process.pid),
        entry: page.entry.0,
    }
}

pub fn pool_tags(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<PoolTags>::new(sink);
    for (tag, of) in job.system.into_iter().flat_map(System::pool_tags) {
        out.push(PoolTagRow {
            tag: tag.text(),
            key: tag.0,
            protected: tag.is_protected(),
            nonpaged_allocs: of.nonpaged.allocs,
            nonpaged_frees: of.nonpaged.frees,
            nonpaged_bytes: of.nonpaged.bytes,
            paged_allocs: of.paged.allocs,
            paged_frees: of.paged.frees,
            paged_bytes: of.paged.bytes,
            tables: of.tables,
        })?;
    }
    out.finish()
}
