//! The same rows in the same order for any number of threads.

use crate::support::Tables;
use fixtures::{Arch, Build, Format, scenario};

fn with_threads(number: usize) -> Tables {
    let machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(number).build().unwrap();
    pool.install(|| crate::support::every_table(&machine, Format::Full))
}

#[test]
fn rows_do_not_depend_on_the_number_of_threads() {
    let one = with_threads(1);
    assert!(one.values().map(Vec::len).sum::<usize>() > 4_000);
    for number in [2, 8] {
        let other = with_threads(number);
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
        // `dumps` has the path of the file and the time of the conversion.
        for (table, rows) in one.iter().filter(|(table, _)| *table != "dumps") {
            assert!(*rows == other[table], "{table} differs with {number} threads");
        }
    }
}
