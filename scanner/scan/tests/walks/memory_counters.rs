//! `memory_counters` equals the plan wherever the kernel's symbols tell where a counter is.

use crate::support::{kernels, tables_of};
use fixtures::{Format, scenario};
use std::collections::BTreeMap;

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build.clone());
        let rows = tables_of(&machine, Format::Full).remove("memory_counters").unwrap();
        let found: BTreeMap<&str, u64> =
            rows.iter().map(|row| (row["name"].as_str(), row["value"].parse().unwrap())).collect();
        // Kernels without symbols of their own have those of 19041, whose counters are in structures: where such a
        // kernel does not know the structures, nothing holds the counters.
        let known =
            machine.layout().has("_MI_PARTITION") || machine.layout().symbol("MmAvailablePages").is_some();
        assert_eq!(found.contains_key("AvailablePages"), known, "{name}");
        for (counter, value) in found {
            match machine.facts.counters.get(counter) {
                Some(expected) => assert_eq!(value, *expected, "{name}: {counter}"),
                None => assert!(
                    !["AvailablePages", "TotalCommittedPages"].contains(&counter),
                    "{name}: {counter}"
                ),
            }
        }
    }
}
