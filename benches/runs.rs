//! Lookups of a frame in a dump with 100,000 runs, in order and at random, one thread.

mod support;

use memory::{Pfn, PhysRun, PhysRuns};
use support::{Random, median, millions_per_s};

const RUNS: u64 = 100_000;
const LOOKUPS: u64 = 2_000_000;

fn main() {
    // Every other group of four frames is missing, as in a kernel dump of a busy machine.
    let runs = (0..RUNS).map(|run| PhysRun { first: Pfn(run * 8), count: 4, offset: 0x2000 + run * 0x4000 });
    let stated: Vec<PhysRun> = runs.collect();
    let build = median(5, || PhysRuns::new(stated.clone()).0.frames());
    let (runs, _) = PhysRuns::new(stated);
    let in_order = median(5, || (0..LOOKUPS).filter(|at| runs.find(Pfn(at % (RUNS * 8))).is_some()).count());
    let at_random = median(5, || {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        (0..LOOKUPS).filter(|_| runs.find(Pfn(random.below(RUNS * 8))).is_some()).count()
    });
    println!("runs: {RUNS} runs built in {build:.1?}");
    let rate = |time| millions_per_s(LOOKUPS, time);
    println!(
        "runs: lookups in millions a second: in order {:.1}, at random {:.1}",
        rate(in_order),
        rate(at_random)
    );
}
