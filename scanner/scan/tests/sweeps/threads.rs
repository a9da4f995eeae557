//! The same rows in the same order for any number of threads.

use crate::support::Tables;
use fixtures::{Arch, Build, Format, PAGE, scenario};

fn with_threads(number: usize) -> Tables {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    scenario::residue::add(&mut machine);
    let strays = scenario::strays::add(&mut machine);
    // Pages that fill the bounds of what one page may give.
    machine.more_ram(0x2600, 64);
    let call = machine.facts.kernel_base + 0x4100; // behind a direct call
    for page in 0x2600..0x2640 {
        machine.write_pa(page * PAGE, &[call.to_le_bytes(), 0u64.to_le_bytes()].concat().repeat(256));
    }
    let needles = [strays.text.0, strays.wide.0, "hex:52534453"].map(|it| scan::Needle::parse(it).unwrap());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(number).build().unwrap();
    let names: Vec<&str> = schema::all().iter().map(|table| table.name).collect();
    pool.install(|| crate::support::tables_for(&machine, Format::Full, &names, &needles))
}

#[test]
fn rows_do_not_depend_on_the_number_of_threads() {
    let one = with_threads(1);
    assert!(one.values().map(Vec::len).sum::<usize>() > 4_000);
    for (table, least) in [
        ("residue", 8_000),
        ("residue_pages", 70),
        ("found_images", 10),
        ("found_records", 10),
        ("needles", 10),
    ] {
        assert!(one[table].len() > least, "{} rows of {table}", one[table].len());
    }
    for number in [2, 8] {
        let other = with_threads(number);
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
        // `dumps` has the path of the file and the time of the conversion.
        for (table, rows) in one.iter().filter(|(table, _)| *table != "dumps") {
            assert!(*rows == other[table], "{table} differs with {number} threads");
        }
    }
}
