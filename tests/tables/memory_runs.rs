//! Which memory a dump holds, and that it really is where the table says.

use super::{Made, world};
use fixtures::{Format, PAGE};
use serde_json::Value;
use serde_json::json;

/// Runs that join are one: first address and length.
fn joined(runs: impl IntoIterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = runs.into_iter().filter(|run| run.1 > 0).collect();
    runs.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (start, length) in runs {
        match joined.last_mut() {
            Some((first, known)) if start <= *first + *known => {
                *known = (*known).max(start + length - *first)
            }
            _ => joined.push((start, length)),
        }
    }
    joined
}

/// The rows of a dump: start, length, offset in the file; all of it is in the file.
fn rows(made: &Made, kind: &str) -> Vec<(u64, u64, u64)> {
    let row = |row: &crate::ask::Row| {
        assert_eq!(row["kind"], kind, "{}", made.name);
        assert_eq!(row["bytes_in_file"], row["length"], "{}", made.name);
        let [start, length, offset] =
            ["start", "length", "file_offset"].map(|name| row[name].as_u64().unwrap());
        (start, length, offset)
    };
    made.rows("memory_runs").iter().map(row).collect()
}

/// No two rows speak of the same address, and together they are what `dumps` says is present.
fn check_sum(made: &Made, rows: &[(u64, u64, u64)]) {
    for pair in rows.windows(2) {
        assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{}: {pair:x?} overlap", made.name);
    }
    let sum: u64 = rows.iter().map(|row| row.1).sum();
    assert_eq!(made.dump()["bytes_present"], json!(sum), "{}", made.name);
}

#[test]
fn physical_runs() {
    let mut checked = 0;
    for made in &world().made {
        let plan = made.plan();
        if matches!(plan.format, Format::Triage(_) | Format::UserMinidump { .. }) {
            continue;
        }
        let rows = rows(made, "physical");
        let planned = plan.runs.iter().map(|run| (run.first * PAGE, run.count * PAGE));
        let end = planned.clone().next_back().map_or(0, |(start, length)| start + length);
        let expected = match plan.format {
            // The file is the memory from address 0 on, gaps included.
            Format::Raw | Format::Vmem | Format::VmssWithMemory => vec![(0, end)],
            // The file does not say where something is missing.
            Format::RawWithoutGap(..) => vec![(0, made.planned.files[0].len())],
            _ => joined(planned),
        };
        assert_eq!(joined(rows.iter().map(|row| (row.0, row.1))), expected, "{}", made.name);
        check_sum(made, &rows);
        let has_pages = plan.format != Format::HeaderOnly;
        let pages = has_pages.then(|| rows.iter().map(|row| row.1).sum::<u64>() / PAGE);
        assert_eq!(made.dump()["pages_present"], json!(pages), "{}", made.name);
        checked += check_pages(made, &rows);
    }
    assert!(checked > 20_000, "{checked} pages");
}

/// Compares the pages that the table leads to with the machine's; the value is how many there are.
fn check_pages(made: &Made, rows: &[(u64, u64, u64)]) -> usize {
    let plan = made.plan();
    if matches!(plan.format, Format::RawWithoutGap(..)) {
        return 0;
    }
    // The pages of a VMware pair are in the file that is not the state.
    let path =
        made.dump()["companion"].as_str().filter(|_| made.path.extension().is_some_and(|e| e == "vmss"));
    let file = std::fs::read(path.map_or(made.path.clone(), Into::into)).unwrap();
    let mut checked = 0;
    for &(start, length, offset) in rows {
        for page in 0..length / PAGE {
            let at = (offset + page * PAGE) as usize;
            if let Some(expected) = plan.page(start / PAGE + page) {
                assert!(file[at..at + PAGE as usize] == expected, "{}: {start:#x}, page {page}", made.name);
                checked += 1;
            }
        }
    }
    checked
}

#[test]
fn virtual_runs() {
    let mut checked = 0;
    for made in &world().made {
        let plan = made.plan();
        if !matches!(plan.format, Format::Triage(_) | Format::UserMinidump { .. }) {
            continue;
        }
        let rows = rows(made, "virtual");
        check_sum(made, &rows);
        // The copies of the crashed thread and process are memory too, beside the blocks of the plan.
        let starts: Vec<Value> = made
            .rows("memory_runs")
            .iter()
            .filter(|row| row["source"] == "triage copy")
            .map(|row| row["start"].clone())
            .collect();
        assert_eq!(!starts.is_empty(), matches!(plan.format, Format::Triage(_)), "{}", made.name);
        let rows: Vec<_> = rows.into_iter().filter(|row| !starts.contains(&row.0.into())).collect();
        let planned = plan.blocks.iter().map(|block| (block.va, block.bytes.len() as u64));
        let found = rows.iter().map(|row| (row.0, row.1));
        assert_eq!(joined(found), joined(planned), "{}", made.name);
        let file = made.planned.bytes();
        for (start, length, offset) in rows {
            let bytes = &file[offset as usize..(offset + length) as usize];
            let inside = plan
                .blocks
                .iter()
                .filter(|block| block.va <= start && start + length <= block.va + block.bytes.len() as u64);
            let mut expected =
                inside.map(|block| &block.bytes[(start - block.va) as usize..][..length as usize]);
            assert!(expected.any(|expected| expected == bytes), "{}: {start:#x}", made.name);
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} blocks");
}
