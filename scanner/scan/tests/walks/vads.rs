//! `vads` of every build equals the plan; damaged trees keep what is left of them.

use crate::support::{Row, Tables, kernels, number, tables_of};
use fixtures::{Arch, Build, Facts, Format, Space, Vad, scenario};

fn planned(facts: &Facts) -> Vec<(u32, &Vad)> {
    let of = |space: &'_ fixtures::UserSpace| facts.processes[space.process.0].pid;
    facts.spaces.iter().flat_map(|space| space.vads.iter().map(move |vad| (of(space), vad))).collect()
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        let planned = planned(&machine.facts);
        assert_eq!(tables["vads"].len(), planned.len(), "{name}: {:#?}", tables["faults"]);
        for (row, (pid, vad)) in tables["vads"].iter().zip(planned) {
            check(&name, &machine.facts, row, pid, vad);
        }
        let broken = tables["faults"].iter().filter(|row| row["kind"] == "broken_tree");
        assert_eq!(broken.count(), 0, "{name}");
    }
}

fn check(name: &str, facts: &Facts, row: &Row, pid: u32, vad: &Vad) {
    let layout = facts.layout();
    let known = |path: &str| layout.find("_MMVAD_SHORT", path).is_some();
    // Public layouts of 10.0.26100 and ARM64 lack the bits of the flags.
    let flags = known("u.VadFlags.Protection");
    let commit = known("u1.VadFlags1.CommitCharge") || flags || known("CommitCharge");
    let has_kind = known("u.VadFlags.VadType");
    for (column, expected) in [
        ("process_id", Some(pid.into())),
        ("vad", Some(vad.va)),
        ("start", Some(vad.start)),
        ("end", Some(vad.end)),
        ("size", Some(vad.end - vad.start + 1)),
        ("vad_type", has_kind.then_some(vad.kind.into())),
        ("protection", flags.then_some(vad.protection.into())),
        ("commit_charge", commit.then_some(vad.commit)),
    ] {
        assert_eq!(number(row, column), expected, "{name}: {column} of {:#x}", vad.start);
    }
    let cell = |column: &str| row.get(column).map(String::as_str);
    assert_eq!(cell("tag"), Some(vad.tag), "{name}");
    let truth = |value: bool| Some(if value { "true" } else { "false" });
    assert_eq!(cell("private"), truth(vad.private).filter(|_| flags), "{name}");
    assert_eq!(cell("is_image"), truth(vad.kind == 2).filter(|_| flags), "{name}");
    let protection = match vad.protection {
        1 => "PAGE_READONLY",
        4 => "PAGE_READWRITE",
        6 => "PAGE_EXECUTE_READWRITE",
        7 => "PAGE_EXECUTE_WRITECOPY",
        0x14 => "PAGE_READWRITE|PAGE_GUARD",
        other => panic!("{other:#x}"),
    };
    assert_eq!(cell("protection_name"), Some(protection).filter(|_| flags), "{name}");
    let has_files = layout.has("_CONTROL_AREA") && layout.has("_SUBSECTION");
    let file = vad.file.as_ref().filter(|_| has_files);
    assert_eq!(cell("file"), file.map(|(_, name)| name.as_str()), "{name}");
    assert_eq!(number(row, "file_object"), file.map(|(va, _)| *va), "{name}");
}

/// One root a process, every other node under one that is one level higher.
#[test]
fn a_tree() {
    let tables = tables_of(&scenario::busy(Arch::X64, Build::WIN10_19041), Format::Full);
    let rows = &tables["vads"];
    let roots: Vec<_> = rows.iter().filter(|row| row["depth"] == "0").collect();
    assert_eq!(roots.len(), 2);
    assert!(roots.iter().all(|row| !row.contains_key("parent")));
    for row in rows.iter().filter(|row| row["depth"] != "0") {
        let parent = rows.iter().find(|other| other["vad"] == row["parent"]).unwrap();
        assert_eq!(parent["eprocess"], row["eprocess"]);
        assert_eq!(number(parent, "depth").unwrap() + 1, number(row, "depth").unwrap());
    }
}

/// Patches the left child of the notepad tree's root. Left of the root: four of eight nodes.
fn damaged(damage: impl Fn(&Facts) -> (u64, Vec<u8>)) -> Tables {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let (at, bytes) = damage(&machine.facts);
    machine.patch(Space::Kernel, at, &bytes);
    tables_of(&machine, Format::Full)
}

fn notepad(tables: &Tables) -> usize {
    tables["vads"].iter().filter(|row| row["process_id"] == "4660").count()
}

#[test]
fn damage() {
    let root = |facts: &Facts| facts.spaces[0].vads[4].va;
    let cases: [(&str, u64, usize); 5] = [
        ("itself", 0, 4),
        ("a user address", 0x1000, 4),
        ("not canonical", 0x4141_4141_4141_4141, 4),
        ("unmapped", 0xffff_d000_0000_0000, 4),
        ("nothing", 1, 4),
    ];
    for (name, value, left) in cases {
        let tables = damaged(|facts| {
            let value = if value == 0 { root(facts) } else { value & !1 };
            (root(facts), value.to_le_bytes().to_vec())
        });
        assert_eq!(notepad(&tables), left, "{name}");
        let broken = tables["faults"].iter().filter(|row| row["kind"] == "broken_tree").count();
        assert_eq!(broken, usize::from(name != "nothing"), "{name}");
        assert_eq!(tables["vads"].len(), left + 5, "{name}: the other process");
    }
    // A node whose block is somebody else's ends its branch.
    let tables = damaged(|facts| (facts.spaces[0].vads[2].va - 12, b"Thre".to_vec()));
    assert_eq!(notepad(&tables), 4);
    // A deep chain of nodes that are their own grandchildren.
    let tables =
        damaged(|facts| (facts.spaces[0].vads[0].va, facts.spaces[0].vads[4].va.to_le_bytes().to_vec()));
    assert_eq!(notepad(&tables), 8);
    assert!(tables["faults"].iter().any(|row| row["kind"] == "broken_tree"));
}
