//! Sweeps that panic and sinks that fail.

use super::*;
use crate::sweeps::LeftOut;
use fixtures::{Arch, Build, Format, Machine, Run};
use schema::{Batch, Table, TableSpec, tables};
use std::sync::Mutex;

/// Counts pages; panics at one of them, or leaves rows out.
struct Counting {
    name: &'static str,
    panics_at: Option<u64>,
}

struct Count<'a>(&'a Counting, tables::Pages, u64);

impl Sweep for Counting {
    fn name(&self) -> &'static str {
        self.name
    }
    fn tables(&self) -> Vec<&'static TableSpec> {
        vec![tables::Pages::spec()]
    }
    fn zero_pages(&self) -> bool {
        true
    }
    fn part(&self) -> Box<dyn Part + '_> {
        Box::new(Count(self, tables::Pages::new(), 0))
    }
}

impl Part for Count<'_> {
    fn page(&mut self, page: &Page<'_>) {
        assert_ne!(page.pa_of(0), self.0.panics_at, "as the test wants it");
        let content = self.0.name;
        let row = tables::PageRow {
            pa: page.pa_of(0),
            va: None,
            process_id: None,
            process: None,
            shared: false,
            content,
            ..tables::PageRow::default()
        };
        self.1.push(row);
        self.2 += 1;
    }
    fn finish(self: Box<Self>) -> schema::Result<Harvest> {
        let left_out = Some(LeftOut { rows: self.2, address: 0x1000 });
        Ok(Harvest { left_out, ..Harvest::of(self.1)? })
    }
}

/// Keeps the number of rows; fails after so many batches.
struct Keeping(Mutex<u64>, u64);

impl Sink for Keeping {
    fn write(&self, _: &TableSpec, batch: Batch) -> schema::Result<()> {
        let mut rows = self.0.lock().unwrap();
        *rows += batch.num_rows() as u64;
        if *rows > self.1 { Err(schema::Error::plain("the disk is full")) } else { Ok(()) }
    }
}

/// 16 MiB of memory: five chunks with the header.
fn swept(sweeps: &[Counting], most: u64, threads: usize) -> (schema::Result<Rows>, Vec<String>) {
    swept_to(&[tables::Pages::spec()], sweeps, most, threads)
}

/// The same with the tables that are wanted.
fn swept_to(
    tables: &[&'static TableSpec],
    sweeps: &[Counting],
    most: u64,
    threads: usize,
) -> (schema::Result<Rows>, Vec<String>) {
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0xf00 }];
    let machine = Machine::with_ram(Arch::X64, Build::WIN10_19041, &runs);
    let folder = std::env::temp_dir().join(format!(
        "dumplake-run-{}-{most}-{threads}-{}",
        std::process::id(),
        sweeps.len()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    let path = machine.dump(Format::Full).write_to(&folder).unwrap();
    let dump = memory::open(&path, None).unwrap();
    let system = nt::System::open(&dump, &symbols::Library::built_in()).unwrap();
    let pieces = Pieces::new(&dump);
    let map = ReverseMap::default();
    let boxed: Vec<Box<dyn Sweep + '_>> = sweeps
        .iter()
        .map(|s| Box::new(Counting { name: s.name, panics_at: s.panics_at }) as Box<dyn Sweep + '_>)
        .collect();
    let pass = Pass {
        pieces: &pieces,
        sweeps: &boxed,
        tables,
        map: &map,
        system: &system,
        hash: true,
        sha256: true,
        progress: &|_| {},
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let result = pool.install(|| pass.run(&Keeping(Mutex::new(0), most)));
    let problems = system
        .problems()
        .into_iter()
        .filter(|p| p.kind != "not_found")
        .map(|p| format!("{} {} {}", p.kind, p.structure, p.found));
    let problems = problems.collect();
    drop(boxed);
    let rows = result.map(|swept| check_hash(swept, &dump));
    std::fs::remove_dir_all(&folder).unwrap();
    (rows, problems)
}

fn check_hash(swept: Swept, dump: &memory::Dump) -> Rows {
    assert_eq!(swept.content_hash.unwrap(), blake3::hash(dump.file()).to_hex().as_str());
    assert_eq!(swept.found.sha256.unwrap(), crate::hash::sha256(dump.file()));
    swept.rows
}

const GOOD: Counting = Counting { name: "good", panics_at: None };

#[test]
fn a_sweep_that_panics_ends_alone_and_says_where() {
    let bad = || Counting { name: "bad", panics_at: Some(0x80_0000) };
    let frames = 0x9e + 0xf00;
    for threads in [1, 2, 8] {
        let (rows, problems) = swept(&[bad(), GOOD], u64::MAX, threads);
        let rows = rows.unwrap()["pages"];
        // Frame 0x800 lies behind 0x79e others and the header of 8 KiB: in the second chunk. The first has 1022 pages.
        assert_eq!(rows - frames, 1022, "{threads} threads");
        let found = "internal_error bad an internal error in the pages from offset 0x400000 of the file on";
        assert!(problems.iter().any(|problem| problem == found), "{problems:?}");
    }
}

#[test]
fn tables_that_nobody_wants_are_not_written() {
    // The sink fails at the first row.
    let (rows, _) = swept_to(&[tables::Threads::spec()], &[GOOD], 0, 2);
    assert_eq!(rows.unwrap(), Rows::new());
}

#[test]
fn what_was_left_out_is_summed() {
    let (_, problems) = swept(&[GOOD], u64::MAX, 2);
    assert!(problems.iter().any(|problem| problem == "too_many good 3998 more"), "{problems:?}");
}

#[test]
fn a_sink_that_fails_ends_the_pass() {
    for threads in [1, 4] {
        let (rows, _) = swept(&[GOOD], 1_500, threads);
        assert!(rows.unwrap_err().to_string().contains("the disk is full"));
    }
}
