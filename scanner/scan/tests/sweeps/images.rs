//! `found_images`, `found_records` and `needles` against what was planted.

use crate::support::{Row, kernels, number, some_tables, tables_for};
use fixtures::{Format, Machine, Module, PAGE, scenario};

fn at(rows: &[Row], column: &str, address: u64) -> Row {
    let row = rows.iter().find(|row| number(row, column) == Some(address));
    row.unwrap_or_else(|| panic!("nothing at {address:#x} in {rows:?}")).clone()
}

fn check(machine: &Machine, row: &Row, module: &Module, kind: &str) {
    assert_eq!(row["kind"], kind, "{row:?}");
    assert_eq!(number(row, "timestamp"), Some(module.timestamp.into()));
    assert_eq!(number(row, "size_of_image"), Some(module.size.into()));
    assert_eq!(number(row, "checksum"), Some(module.checksum.into()));
    assert_eq!(number(row, "image_base"), Some(module.base));
    assert_eq!(number(row, "machine"), Some(machine.facts.arch.machine().into()));
}

#[test]
fn images_are_found_whether_a_list_has_them_or_not() {
    for (arch, build) in kernels() {
        let mut machine = scenario::busy(arch, build);
        let strays = scenario::strays::add(&mut machine);
        let mut tables = some_tables(&machine, Format::Full, &["found_images"]);
        let rows = tables.remove("found_images").unwrap();
        for module in &machine.facts.modules {
            let row = at(&rows, "va", module.base);
            check(&machine, &row, module, "header");
            assert_eq!((&*row["in_list"], &*row["list_name"]), ("kernel", &*module.name));
            assert_eq!((&*row["pdb_name"], number(&row, "pdb_age")), (&*module.pdb, Some(module.age.into())));
        }
        for image in machine.facts.spaces.iter().flat_map(|space| &space.images).filter(|image| image.present)
        {
            let row = at(&rows, "va", image.module.base);
            let listed = image.lists.contains(&true) || image.lists32.contains(&true);
            assert_eq!(row.get("in_list").map(|list| list == "user"), listed.then_some(true), "{row:?}");
            assert!(row.contains_key("process_id"));
        }
        let row = at(&rows, "va", strays.unlinked.base);
        check(&machine, &row, &strays.unlinked, "header");
        assert!(!row.contains_key("in_list") && row["pdb_name"] == strays.unlinked.pdb);
        let row = at(&rows, "va", strays.wiped.base + 0x100);
        check(&machine, &row, &strays.wiped, "fragment");
        let row = at(&rows, "pa", strays.left.1);
        check(&machine, &row, &strays.left.0, "header");
        assert!(!row.contains_key("va") && !row.contains_key("in_list"));
        // What else there is has been planted by user modules; nothing is told twice.
        let mut places: Vec<_> = rows.iter().map(|row| number(row, "pa")).collect();
        places.dedup();
        assert_eq!(places.len(), rows.len());
    }
}

#[test]
fn records_are_found() {
    for (arch, build) in kernels() {
        let mut machine = scenario::busy(arch, build);
        let strays = scenario::strays::add(&mut machine);
        let mut tables = some_tables(&machine, Format::Full, &["found_records"]);
        let rows = tables.remove("found_records").unwrap();
        let row = at(&rows, "pa", strays.rsds);
        assert_eq!((&*row["kind"], &*row["pdb_name"]), ("RSDS", &*strays.left.0.pdb));
        assert_eq!(number(&row, "pdb_age"), Some(strays.left.0.age.into()));
        let kernel = &machine.facts.modules[0];
        assert!(rows.iter().any(|row| row.get("pdb_name") == Some(&kernel.pdb) && row.contains_key("va")));
        let block = rows.iter().filter(|row| row["kind"] == "KDBG").collect::<Vec<_>>();
        assert_eq!(block.len(), 1, "{arch:?}");
        assert_eq!(number(block[0], "va"), Some(machine.facts.kd_debugger_data_block));
        let base = number(block[0], "kernel_base").unwrap();
        assert_eq!(if arch.is_64() { base } else { base & 0xffff_ffff }, kernel.base);
    }
}

#[test]
fn needles_are_found_in_either_encoding_and_over_borders() {
    for (arch, build) in kernels() {
        let mut machine = scenario::busy(arch, build);
        let strays = scenario::strays::add(&mut machine);
        let texts = [strays.text.0, strays.wide.0, "hex:52 53 44 53", "nowhere to be found"];
        let needles = texts.map(|text| scan::Needle::parse(text).unwrap());
        let rows = tables_for(&machine, Format::Full, &["needles"], &needles).remove("needles").unwrap();
        let of = |needle: &str| rows.iter().filter(|row| row["needle"] == needle).collect::<Vec<_>>();
        let border = of(strays.text.0);
        assert_eq!(border.len(), 1, "{border:?}");
        assert_eq!((number(border[0], "va"), &*border[0]["encoding"]), (Some(strays.text.1), "utf-8"));
        assert_eq!(border[0]["context"].trim_matches('.'), strays.text.0);
        assert_eq!(number(border[0], "pa").unwrap() % PAGE, PAGE - 7);
        let wide = of(strays.wide.0);
        assert_eq!(wide.len(), 1, "{wide:?}");
        assert_eq!((number(wide[0], "va"), &*wide[0]["encoding"]), (Some(strays.wide.1), "utf-16"));
        assert_eq!(wide[0]["context"].trim_matches('.'), strays.wide.0);
        let notepad = machine.facts.spaces[0].process;
        let pid = machine.facts.processes[notepad.0].pid;
        assert_eq!(number(wide[0], "process_id"), Some(pid.into()));
        assert!(of(texts[2]).iter().any(|row| number(row, "pa") == Some(strays.rsds)));
        assert!(of(texts[3]).is_empty());
    }
}
