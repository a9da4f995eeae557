//! Small dumps: residue on the stack that they hold, and pool on the pages that they hold.

use crate::residue::{expected, planted};
use crate::support::{Row, kernels, number, some_tables};
use fixtures::{
    Arch, Family, Format, PoolPlace, Space,
    scenario::{self, residue::Place},
};
use std::collections::BTreeMap;

const FAMILIES: [Family; 2] = [Family::A, Family::B];

/// Words on the stack of the thread that crashed, judged by the pieces of code that the file holds as in a complete dump.
#[test]
fn words_of_the_stack_that_a_small_dump_holds() {
    for (arch, build) in kernels() {
        let (mut machine, words) = planted(arch, build.clone());
        let sp = machine.facts.contexts[0].sp();
        let threads = machine.facts.threads.iter();
        let thread =
            threads.clone().find(|it| (it.stack_limit..it.stack_base).contains(&sp)).unwrap().clone();
        let first = words.iter().find_map(|word| match word.place {
            Place::KernelStack { ethread, .. } => Some(ethread),
            _ => None,
        });
        let mut targets = BTreeMap::new();
        let on_first =
            |place| matches!(place, Place::KernelStack { ethread, live: true, .. } if Some(ethread) == first);
        for word in words.iter().filter(|word| on_first(word.place)) {
            let depth = 0x40 + targets.len() as u64 * 0x20;
            let va = thread.stack_base - depth;
            assert!(va > sp, "{arch:?} {}: no room on the stack", build.number);
            machine.write_va(Space::Kernel, va, &word.target.va.to_le_bytes()[..arch.pointer()]);
            targets.insert(va, (*word, depth));
        }
        for family in FAMILIES {
            let name = format!("{arch:?} {} {family:?}", build.number);
            let rows = some_tables(&machine, Format::Triage(family), &["residue"]).remove("residue").unwrap();
            let mut rows: BTreeMap<u64, Row> =
                rows.into_iter().map(|row| (number(&row, "va").unwrap(), row)).collect();
            for (va, (word, depth)) in &targets {
                let name = format!("{name}: {:x?}", word.target);
                let (row, expected) = (rows.remove(va), expected(word));
                assert_eq!(row.as_ref().map(|row| &*row["confidence"]), expected, "{name}");
                let Some(row) = row else { continue };
                let cells = ["target", "depth", "thread_id", "ethread", "called"];
                let ids = [word.target.va, *depth, thread.tid.into(), thread.ethread].map(Some);
                let planted = [&ids[..], &[word.target.called]].concat();
                assert_eq!(cells.map(|column| number(&row, column)).to_vec(), planted, "{name}: {row:?}");
                assert_eq!((&*row["page_kind"], &*row["live"]), ("kernel stack", "true"), "{name}: {row:?}");
                assert_eq!(
                    (row.get("call").map(|it| &**it), row.get("pa")),
                    (word.target.call, None),
                    "{name}"
                );
            }
            // Random bytes of a stack: of 32 bits some words point into modules.
            assert!(rows.is_empty() || !arch.is_64(), "{name}: not planted: {rows:?}");
        }
    }
}

/// A page of classic pool in a small dump has the rows that it has in a complete one.
#[test]
fn blocks_of_the_page_that_a_small_dump_holds() {
    for (arch, build) in crate::pool::kernels() {
        let mut machine = scenario::pools(arch, build.clone());
        let page = machine.facts.pools.pages.iter().find_map(|page| match page.at {
            PoolPlace::Va(va) => Some(va),
            PoolPlace::Pa(_) => None,
        });
        let page = page.unwrap();
        machine.facts.data_page = Some(page);
        let of = |format| {
            let rows =
                some_tables(&machine, format, &["pool_allocations"]).remove("pool_allocations").unwrap();
            let here = |row: &Row| number(row, "va").filter(|va| va / 0x1000 == page / 0x1000);
            let rows = rows.into_iter().filter_map(|mut row| {
                row.remove("pa");
                row.remove("process_billed"); // a small dump does not hold the cookie, nor all processes
                row.remove("process_id");
                Some((here(&row)?, row))
            });
            rows.collect::<BTreeMap<u64, Row>>()
        };
        let complete = of(Format::Full);
        assert!(complete.len() > 8, "{arch:?} {}", build.number);
        for family in FAMILIES {
            assert_eq!(of(Format::Triage(family)), complete, "{arch:?} {} {family:?}", build.number);
        }
    }
}

/// Every way in which x86 maps pages is among the kernels of these tests.
#[test]
fn pool_of_every_paging_mode() {
    let modes: Vec<Arch> = crate::pool::kernels().into_iter().map(|(arch, _)| arch).collect();
    assert!([Arch::X86, Arch::X86Pae, Arch::X64].iter().all(|arch| modes.contains(arch)));
}
