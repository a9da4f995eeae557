//! Without any option the pack inside the program is enough, and the row of `dumps` says what was used.

use crate::support::{Row, kernels, offline, symbols_of, tables_of, tables_with};
use fixtures::{Arch, Build, Format, scenario};
use scan::nt::symbols::{OneProfile, pdb};

/// Kernels whose PDB is public: their types and the addresses of their variables are in the pack.
fn is_public(arch: Arch, build: &Build) -> bool {
    arch == Arch::X64 && build.number < 22621
}

/// Tables whose structures became wanted after the pack was made; making it anew empties this list.
const AWAITING_THE_PACK: &[&str] = &[];

/// Tables that had fewer columns when the pack was made; the cells that they have are right.
const WIDER_SINCE_THE_PACK: &[&str] = &[];

/// Tables with names of functions, which symbols have and the pack has not.
const NAMED: &[&str] = &["stacks", "frames", "crashes"];

#[test]
fn the_pack_gives_the_rows_that_symbols_give() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build.clone());
        let mut by_pack = tables_with(&machine, Format::Full, &offline());
        let mut by_symbols = tables_of(&machine, Format::Full);
        let source = by_pack["dumps"][0]["symbol_source"].clone();
        let expected = if is_public(arch, &build) { "pack exact" } else { "pack nearest revision" };
        assert!(source.starts_with(expected), "{name}: {source}");
        for tables in [&mut by_pack, &mut by_symbols] {
            tables.remove("faults");
            tables.get_mut("dumps").unwrap()[0].retain(|column, _| {
                !["symbol_source", "kernel_version", "symbols_exact", "faults", "converted_at", "path"]
                    .contains(&column.as_str())
            });
        }
        for (table, rows) in &by_symbols {
            if AWAITING_THE_PACK.contains(&table.as_str()) || NAMED.contains(&table.as_str()) {
                continue;
            }
            if WIDER_SINCE_THE_PACK.contains(&table.as_str()) {
                check_no_other_cells(&format!("{name}: {table}"), &by_pack[table], rows);
                continue;
            }
            if is_public(arch, &build) {
                assert_eq!(&by_pack[table], rows, "{name}: {table}");
            } else if ["processes", "threads", "modules"].contains(&table.as_str()) {
                check_no_other_cells(&format!("{name}: {table}"), &by_pack[table], rows);
            }
        }
    }
}

/// Without symbols of this very kernel nobody can know where its variables are, so such kernels have cells that are
/// NULL; those that they have are the same.
fn check_no_other_cells(name: &str, by_pack: &[Row], by_symbols: &[Row]) {
    assert_eq!(by_pack.len(), by_symbols.len(), "{name}");
    for (row, full) in by_pack.iter().zip(by_symbols) {
        for (column, cell) in row {
            assert_eq!(Some(cell), full.get(column), "{name}: {column}");
        }
    }
}

#[test]
fn a_pdb_gives_the_rows_that_an_isf_file_gives() {
    for (arch, build) in kernels() {
        let machine = scenario::busy(arch, build.clone());
        let profile = pdb::parse(&fixtures::pdb::bytes(&machine.facts)).unwrap();
        assert_eq!(profile.id, symbols_of(&machine.facts).profile.id);
        let by_pdb = OneProfile { profile, source: "ISF".into() };
        let mut tables = [tables_with(&machine, Format::Full, &by_pdb), tables_of(&machine, Format::Full)];
        for tables in &mut tables {
            tables.get_mut("dumps").unwrap()[0]
                .retain(|column, _| !["converted_at", "path"].contains(&column.as_str()));
        }
        let [by_pdb, by_isf] = tables;
        for (table, rows) in &by_isf {
            assert_eq!(&by_pdb[table], rows, "{arch:?} {}: {table}", build.number);
        }
    }
}

#[test]
fn nothing_at_all_says_so() {
    let machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let tables = tables_with(&machine, Format::Full, &scan::nt::symbols::NoSymbols);
    assert_eq!(tables["dumps"][0]["symbol_source"], "none");
    assert!(tables["processes"].is_empty());
    assert!(tables["faults"].iter().any(|row| row["kind"] == "no_layouts"), "{:?}", tables["faults"]);
}
