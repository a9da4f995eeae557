//! The engine: one pass over the memory of a dump for all sweeps at once.
//!
//! Workers take chunks in the order of the file and show each page to every sweep. What the sweeps found goes through
//! a channel to one writer, which puts it back into the order of the file. A worker needs a ticket for a chunk, and
//! the writer gives tickets back when it has written chunks: so at most [`TICKETS`] harvests a worker exist at a time,
//! however slow the disk is and whichever chunk takes long.
//!
//! A sweep that panics is a defect of ours; it costs the rest of its own rows, from that chunk on, and a row in
//! `faults`, and nothing of the others.

use crate::{
    hash::{Follower, Subtrees},
    pieces::{CHUNK, Piece, Pieces},
    reverse::ReverseMap,
    sweeps::{
        Found, Harvest, Page, Part, Sweep,
        look::{Look, Seen},
    },
};
use blake3::hazmat::ChainingValue;
use crossbeam_channel::{Receiver, Sender, bounded};
use memory::PAGE_SIZE;
use schema::{Sink, TableSpec};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

#[cfg(test)]
mod tests;

/// Chunks in flight for each worker.
const TICKETS: usize = 4;

/// Number of rows by table.
pub type Rows = BTreeMap<&'static str, u64>;

/// One pass over a dump.
pub struct Pass<'a> {
    /// The dump's file in chunks.
    pub pieces: &'a Pieces<'a>,
    /// The sweeps that take part.
    pub sweeps: &'a [Box<dyn Sweep + 'a>],
    /// The tables to write: a sweep may fill others beside.
    pub tables: &'a [&'static TableSpec],
    /// Which virtual address leads to a frame.
    pub map: &'a ReverseMap,
    /// Where sweeps that had to end or to leave rows out are noted.
    pub system: &'a nt::System<'a>,
    /// Whether the file's hash is wanted too.
    pub hash: bool,
    /// Whether its SHA-256 is wanted as well.
    pub sha256: bool,
    /// Hears how many more bytes of the file were swept.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What a pass gave.
#[derive(Default)]
pub struct Swept {
    /// Rows written.
    pub rows: Rows,
    /// What walks join with their rows.
    pub found: Found,
    /// BLAKE3 of the file, if it was wanted and the file has more than one chunk.
    pub content_hash: Option<String>,
}

/// What one chunk gave.
struct Yield {
    /// For each sweep its harvest, or `None` if it panicked.
    harvests: Vec<Option<schema::Result<Harvest>>>,
    /// The chunk's part of the hash.
    hash: Option<ChainingValue>,
}

impl Pass<'_> {
    /// Sweeps the whole file; rows go to the sink in the order of the file.
    pub fn run(&self, sink: &dyn Sink) -> schema::Result<Swept> {
        let workers = rayon::current_num_threads();
        let (tickets, ticket) = bounded(workers * TICKETS);
        let (done, results) = bounded::<(u64, Yield)>(workers * TICKETS);
        for _ in 0..workers * TICKETS {
            let _ = tickets.send(());
        }
        let next = AtomicU64::new(0);
        std::thread::scope(|threads| {
            let (swept, digest) = if self.sha256 {
                let (swept, follower) = Follower::new(self.pieces);
                (Some(swept), Some(threads.spawn(|| follower.run())))
            } else {
                (None, None)
            };
            let writer = threads.spawn(|| self.write(results, tickets, swept, sink));
            rayon::scope(|scope| {
                for _ in 0..workers {
                    let (ticket, done) = (ticket.clone(), done.clone());
                    scope.spawn(|_| self.work(&next, ticket, done));
                }
            });
            drop(done); // the writer ends when nobody can send any more
            let mut swept = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            swept.found.sha256 = digest.and_then(|digest| digest.join().ok().flatten());
            Ok(swept)
        })
    }

    fn wants(&self, table: &TableSpec) -> bool {
        self.tables.iter().any(|wanted| wanted.name == table.name)
    }

    /// Sweeps chunks until there are no more, or until the writer has given up.
    fn work(&self, next: &AtomicU64, ticket: Receiver<()>, done: Sender<(u64, Yield)>) {
        let uppers = self.sweeps.iter().find_map(|sweep| sweep.uppers());
        let look = Look::new(uppers, self.system.least_kernel_upper());
        while ticket.recv().is_ok() {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            if chunk >= self.pieces.chunks() {
                return;
            }
            let yielded = self.chunk(chunk, &look);
            (self.progress)(self.pieces.bytes(chunk).len() as u64);
            if done.send((chunk, yielded)).is_err() {
                return;
            }
        }
    }

    /// A page as sweeps see it.
    fn page<'p>(&self, piece: &Piece<'p>, look: &Look, seen: &'p mut Seen) -> Page<'p> {
        let place = self.map.place(piece);
        let zero = look.is_zero(piece.bytes);
        let whole = <&[u8; PAGE_SIZE as usize]>::try_from(piece.bytes).ok();
        let whole = whole.filter(|_| !zero && self.system.pointer_size() == 8);
        Page {
            bytes: piece.bytes,
            pa: piece.pa,
            va: place.va,
            owner: place.owner,
            shared: place.shared,
            zero,
            seen: whole.map(|bytes| {
                look.at(bytes, seen);
                &*seen
            }),
        }
    }

    fn chunk(&self, chunk: u64, look: &Look) -> Yield {
        let mut parts: Vec<Option<Box<dyn Part + '_>>> =
            self.sweeps.iter().map(|sweep| Some(sweep.part())).collect();
        let mut seen = Seen::default();
        for piece in self.pieces.of(chunk) {
            let page = self.page(&piece, look, &mut seen);
            for (part, sweep) in parts.iter_mut().zip(self.sweeps) {
                if let Some(running) = part.as_mut().filter(|_| !page.zero || sweep.zero_pages())
                    && catch_unwind(AssertUnwindSafe(|| running.page(&page))).is_err()
                {
                    *part = None;
                }
            }
        }
        let finish = |part: Box<dyn Part + '_>| catch_unwind(AssertUnwindSafe(|| part.finish())).ok();
        let harvests = parts.into_iter().map(|part| part.and_then(finish)).collect();
        let hash = (self.hash && self.pieces.size() > CHUNK)
            .then(|| Subtrees::chunk(chunk, self.pieces.bytes(chunk)));
        Yield { harvests, hash }
    }

    /// Puts the chunks back into order and hands their rows on.
    fn write(
        &self,
        results: Receiver<(u64, Yield)>,
        tickets: Sender<()>,
        swept: Option<Sender<u64>>,
        sink: &dyn Sink,
    ) -> schema::Result<Swept> {
        let mut book = Book::new(self, sink);
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (chunk, yielded) in results {
            early.insert(chunk, yielded);
            while let Some(yielded) = early.remove(&next) {
                book.enter(next, yielded)?; // an error drops both channels, which ends the workers
                let _ = tickets.try_send(());
                if let Some(swept) = &swept {
                    let _ = swept.send(next);
                }
                next += 1;
            }
        }
        book.close()
    }
}

/// The writer's view of the pass.
struct Book<'a> {
    pass: &'a Pass<'a>,
    sink: &'a dyn Sink,
    running: Vec<bool>,
    left_out: Vec<Option<crate::sweeps::LeftOut>>,
    rows: Rows,
    found: Found,
    hash: Option<Subtrees>,
}

impl<'a> Book<'a> {
    fn new(pass: &'a Pass<'a>, sink: &'a dyn Sink) -> Book<'a> {
        let count = pass.sweeps.len();
        Book {
            pass,
            sink,
            running: vec![true; count],
            left_out: vec![None; count],
            rows: Rows::new(),
            found: Found::default(),
            hash: Subtrees::new(pass.pieces.size()).filter(|_| pass.hash),
        }
    }

    fn enter(&mut self, chunk: u64, yielded: Yield) -> schema::Result<()> {
        if let (Some(hash), Some(value)) = (&mut self.hash, yielded.hash) {
            hash.push(value);
        }
        for (index, harvest) in yielded.harvests.into_iter().enumerate() {
            match harvest {
                _ if !self.running[index] => {}
                Some(harvest) => self.add(index, harvest?)?,
                None => self.stop(index, chunk),
            }
        }
        Ok(())
    }

    fn add(&mut self, index: usize, harvest: Harvest) -> schema::Result<()> {
        for (table, batch) in harvest.batches.into_iter().filter(|(table, _)| self.pass.wants(table)) {
            *self.rows.entry(table.name).or_default() += batch.num_rows() as u64;
            self.sink.write(table, batch)?;
        }
        self.found.append(harvest.found);
        if let Some(more) = harvest.left_out {
            let first = self.left_out[index].get_or_insert(crate::sweeps::LeftOut { rows: 0, ..more });
            first.rows += more.rows;
        }
        Ok(())
    }

    fn stop(&mut self, index: usize, chunk: u64) {
        self.running[index] = false;
        let name = self.pass.sweeps[index].name();
        let found = format!(
            "an internal error in the pages from offset {:#x} of the file on",
            chunk.saturating_mul(CHUNK)
        );
        self.pass.system.problem("internal_error", name, "", None, "a sweep to the end", &found);
    }

    /// Makes every table exist and notes what was left out.
    fn close(mut self) -> schema::Result<Swept> {
        for (index, sweep) in self.pass.sweeps.iter().enumerate() {
            for table in sweep.tables().into_iter().filter(|table| self.pass.wants(table)) {
                self.rows.entry(table.name).or_default();
                self.sink.write(table, schema::empty(table))?;
            }
            if let Some(left_out) = self.left_out[index] {
                let found = format!("{} more", left_out.rows);
                let at = Some(memory::Va(left_out.address));
                self.pass.system.problem(
                    "too_many",
                    sweep.name(),
                    "",
                    at,
                    "as many rows as the bound of a page allows",
                    &found,
                );
            }
        }
        let content_hash = self.hash.and_then(|hash| hash.finish());
        Ok(Swept { rows: self.rows, found: self.found, content_hash })
    }
}
