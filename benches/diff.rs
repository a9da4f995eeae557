//! `dumplake diff` of two snapshots with a million blocks of pool each: seconds, processor time and peak memory, beside a
//! plain count over the same rows. `cargo bench --bench diff`; `DIFF_BLOCKS` for another number.
//!
//! Nine blocks of ten are in both snapshots, so that every block has to be matched. The rows are written straight into
//! a lake. A comparison runs in a process of its own, so that its peak memory is its own.

mod support;

use queries::{Session, Style, diffs};
use schema::{
    Identity, InlineText, Lake, Sink, Staged, Table, Time,
    tables::{
        BigPool, BigPoolRow, DumpRow, Dumps, PoolAllocationRow, PoolAllocations, PoolTagRow, PoolTags,
        TagConstantRow, TagConstants,
    },
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use support::{Random, processor_time, scratch, status};

/// As many tags as a busy server has.
const TAGS: u64 = 2_000;
/// Entries of the table of big pages.
const BIG: u64 = 50_000;
/// As many rows as a sweep hands on at once.
const BATCH: usize = 16 * 1024;
/// The two snapshots.
const IDS: [&str; 2] = ["d1111111111111111", "d2222222222222222"];

fn main() {
    if let Some(lake) = std::env::var_os("DUMPLAKE_BENCH_LAKE") {
        return compare(Path::new(&lake), &std::env::var("DUMPLAKE_BENCH_AREA").unwrap());
    }
    let folder = scratch("diff");
    let blocks = std::env::var("DIFF_BLOCKS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let path = folder.join("lake");
    let lake = Lake::create_or_open(&path).unwrap();
    for snapshot in 0..2 {
        write(&lake, snapshot, blocks);
    }
    for area in ["count", "pool", "all"] {
        child(&path, area);
        child(&path, area);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Runs a comparison in a process of its own; it prints its line.
fn child(lake: &PathBuf, area: &str) {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own);
    let status = command.env("DUMPLAKE_BENCH_LAKE", lake).env("DUMPLAKE_BENCH_AREA", area).status().unwrap();
    assert!(status.success());
}

fn compare(lake: &Path, area: &str) {
    let start = Instant::now();
    let session = Session::open(lake).unwrap();
    let opened = start.elapsed();
    let mut out = Vec::new();
    let style = Style::default();
    if area == "count" {
        let sql =
            "SELECT count(*), count(DISTINCT tag), sum(size) FROM pool_allocations WHERE state = 'allocated'";
        session.run(sql, style, &mut out).unwrap();
    } else {
        let areas: Vec<&str> =
            diffs::AREAS.into_iter().filter(|name| area == "all" || *name == area).collect();
        let dumps = IDS.map(String::from);
        diffs::Comparison { dumps: &dumps, areas: &areas, limit: Some(20) }
            .run(&session, style, &mut out)
            .unwrap();
    }
    let (time, used) = (start.elapsed(), processor_time()[0]);
    line(area, opened, time, used, out.iter().filter(|byte| **byte == b'\n').count());
}

fn line(area: &str, opened: Duration, time: Duration, used: Duration, lines: usize) {
    println!(
        "diff: {area:<6} {:>6.2} s ({:.2} s of it to open the lake), {:>6.2} s of processor time, peak {} MiB, {lines} lines",
        time.as_secs_f64(),
        opened.as_secs_f64(),
        used.as_secs_f64(),
        status("VmHWM")
    );
}

/// One snapshot of a machine; the two are of one run of Windows, an hour apart.
fn write(lake: &Lake, snapshot: u64, blocks: u64) {
    let identity =
        Identity { content_hash: "0".into(), tool_version: "0".into(), options: String::new(), file_size: 1 };
    let staged = lake.begin(IDS[snapshot as usize], &identity).unwrap();
    let mut dumps = Dumps::new();
    dumps.push(DumpRow {
        path: format!("{snapshot}.dmp"),
        format: "kernel bitmap".into(),
        system_time: Some(Time(1_700_000_000_000_000 + snapshot as i64 * 3_600_000_000)),
        uptime_seconds: Some(1_000.0 + snapshot as f64 * 3_600.0),
        kernel_base: Some(0xffff_f800_0000_0000),
        ..DumpRow::default()
    });
    staged.write(Dumps::spec(), dumps.finish().unwrap()).unwrap();
    rows(&staged, blocks, |number| block(number, snapshot), PoolAllocations::new());
    rows(&staged, BIG, |number| big(number, snapshot), BigPool::new());
    rows(&staged, TAGS, |number| counters(number, snapshot), PoolTags::new());
    rows(&staged, TAGS, constant, TagConstants::new());
    staged.commit().unwrap();
}

fn rows<T: Table>(staged: &Staged, count: u64, row: impl Fn(u64) -> T::Row, mut table: T) {
    for number in 0..count {
        table.push(row(number));
        if table.len() == BATCH {
            staged.write(T::spec(), table.finish().unwrap()).unwrap();
        }
    }
    staged.write(T::spec(), table.finish().unwrap()).unwrap();
}

/// The tag of a number; real blocks lie by size, not by tag.
fn tag(number: u64) -> [u8; 4] {
    let tag = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).below(TAGS);
    [b'A' + (tag / 676 % 26) as u8, b'a' + (tag / 26 % 26) as u8, b'a' + (tag % 26) as u8, b'0']
}

/// One block of ten is another one in the second snapshot.
fn block(number: u64, snapshot: u64) -> PoolAllocationRow {
    let moved = number.is_multiple_of(10);
    let page = 0xffff_b000_0000_0000 + number / 24 * 0x1000;
    let va = page + number % 24 * 0xa0 + if moved { snapshot * 0x10 } else { 0 };
    let (mut text, mut preview) = (InlineText::default(), InlineText::default());
    let tag = tag(number);
    tag.into_iter().for_each(|byte| text.push(byte));
    format!("{:032x}", number * 0x1_0001).into_bytes().into_iter().for_each(|byte| preview.push(byte));
    PoolAllocationRow {
        va: Some(va),
        pa: Some(va & 0xffff_ffff),
        tag: text,
        key: u32::from_le_bytes(tag),
        protected: false,
        size: 0x90,
        state: if number % 16 == 5 { "freed" } else { "allocated" },
        kind: Some("nonpaged_nx"),
        allocator: "vs",
        pool_type: Some(2),
        process_billed: None,
        process_id: None,
        confidence: "high",
        reason: "the heap's header of the chunk says so",
        chain_ok: Some(true),
        preview,
    }
}

fn big(number: u64, snapshot: u64) -> BigPoolRow {
    let tag = tag(number);
    let moved = if number.is_multiple_of(10) { snapshot * 0x1_0000_0000 } else { 0 };
    BigPoolRow {
        address: 0xffff_c000_0000_0000 + number * 0x1_0000 + moved,
        tag: String::from_utf8(tag.to_vec()).unwrap(),
        key: u32::from_le_bytes(tag),
        size: Some(0x2000),
        paged: Some(number.is_multiple_of(2)),
        entry: 0xffff_d000_0000_0000 + number * 32,
        ..BigPoolRow::default()
    }
}

fn counters(number: u64, snapshot: u64) -> PoolTagRow {
    let tag = tag(number);
    PoolTagRow {
        tag: String::from_utf8(tag.to_vec()).unwrap(),
        key: u32::from_le_bytes(tag),
        nonpaged_allocs: 1_000 + number + snapshot * 10,
        nonpaged_frees: 500,
        nonpaged_bytes: 0x90 * (500 + number + snapshot * 10),
        tables: 4,
        ..PoolTagRow::default()
    }
}

fn constant(number: u64) -> TagConstantRow {
    let tag = tag(number);
    TagConstantRow {
        tag: String::from_utf8(tag.to_vec()).unwrap(),
        key: u32::from_le_bytes(tag),
        module: format!("driver{}.sys", number % 200),
        va: 0xffff_f800_0100_0000 + number * 0x100,
        kind: "immediate".into(),
        count: 1,
    }
}
