//! `dumplake lake`: what is in a lake, taking a dump out, reading all of it.

mod compact;
mod versions;

use crate::{
    ask::{Ask, dumplake_in},
    support::{busy_machine, scratch},
};
use fixtures::{Arch, Family, Format};
use std::path::{Path, PathBuf};

/// A lake with two dumps.
fn lake(name: &str) -> PathBuf {
    let folder = scratch(name);
    for (place, arch) in [("one", Arch::X64), ("two", Arch::Arm64)] {
        std::fs::create_dir_all(folder.join(place)).unwrap();
        busy_machine(arch).dump(Format::Triage(Family::B)).write_to(&folder.join(place)).unwrap();
    }
    let ran = dumplake_in(&folder, &["convert", "one", "two", "-o", "lake"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    folder
}

fn part(folder: &Path, table: &str, id: &str) -> PathBuf {
    folder.join("lake").join(table).join(format!("dump_id={id}")).join("part-0.parquet")
}

#[test]
fn a_dump_is_listed_and_removed() {
    let folder = lake("listed");
    let rows = |id: &str| {
        let lake = Ask::open(&folder.join("lake"));
        let tables = schema::all().iter();
        tables
            .map(|table| lake.number(&format!("SELECT count(*) FROM {} WHERE dump_id = '{id}'", table.name)))
            .sum::<u64>()
    };
    let listed = dumplake_in(&folder, &["lake", "list", "lake", "--json"]).json();
    assert_eq!(listed.len(), 2);
    for dump in &listed {
        assert_eq!(dump["rows"], rows(dump["dump_id"].as_str().unwrap()), "{dump}");
        assert!(dump["bytes"].as_u64().unwrap() > 1000 && dump["tables"].as_u64().unwrap() > 3, "{dump}");
    }
    let text = dumplake_in(&folder, &["lake", "list", "lake"]);
    assert!(text.out.contains("one/") && text.out.contains("2 dumps, "), "{}", text.out);

    let of =
        |start: &str| listed.iter().find(|dump| dump["path"].as_str().unwrap().starts_with(start)).unwrap();
    let (gone, path) = (of("one")["dump_id"].as_str().unwrap(), of("one")["path"].as_str().unwrap());
    let wrong = dumplake_in(&folder, &["lake", "remove", "lake", path, "nobody.dmp"]);
    assert_eq!((wrong.code, rows(gone) > 0), (2, true), "{}", wrong.err);
    let removed = dumplake_in(&folder, &["lake", "remove", "lake", path]);
    assert_eq!(removed.code, 0, "{}", removed.err);
    assert_eq!(rows(gone), 0);
    assert!(rows(of("two")["dump_id"].as_str().unwrap()) > 0);
    let again = dumplake_in(&folder, &["lake", "remove", "lake", gone]);
    assert!(again.code == 1 && again.err.contains("is not in the lake"), "{}", again.err);
    // The other too, and the lake is empty and still answers.
    let last = of("two")["dump_id"].as_str().unwrap();
    assert_eq!(dumplake_in(&folder, &["lake", "remove", "lake", last]).code, 0);
    assert_eq!(rows(last), 0);
    assert!(dumplake_in(&folder, &["convert", "one", "-o", "lake"]).out.starts_with("converted"));
}

#[test]
fn every_row_is_read() {
    let folder = lake("verified");
    let verify = || dumplake_in(&folder, &["lake", "verify", "lake"]);
    let whole = verify();
    assert!(
        whole.code == 0 && whole.out.contains("2 dumps, every row was read"),
        "{}{}",
        whole.out,
        whole.err
    );
    let listed = dumplake_in(&folder, &["lake", "list", "lake", "--json"]).json();
    let [first, second] = [0, 1].map(|at: usize| listed[at]["dump_id"].as_str().unwrap().to_string());

    // Behind the first bytes, which the footer says nothing of: opening the file does not meet it.
    let file = part(&folder, "modules", &first);
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[4..64].fill(0xff);
    std::fs::write(&file, damaged).unwrap();
    let found = verify();
    assert!(found.code == 1 && found.out.contains("1 files are not whole"), "{}", found.out);
    assert!(
        found.err.contains("cannot be read to its end") && found.err.contains("convert --force"),
        "{}",
        found.err
    );

    // The rows of another dump.
    std::fs::copy(part(&folder, "dumps", &second), &file).unwrap();
    assert!(verify().err.contains("its conversion counted"), "{}", verify().err);

    std::fs::write(&file, whole).unwrap();
    assert_eq!(verify().code, 0);
    // A table of nobody.
    let orphan = part(&folder, "modules", "d00000000000000ff");
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::copy(&file, &orphan).unwrap();
    let found = verify();
    assert!(found.code == 1 && found.err.contains("of a dump that is not in the lake"), "{}", found.err);
    assert_eq!(dumplake_in(&folder, &["lake", "remove", "lake", "d00000000000000ff"]).code, 0);
    assert_eq!(verify().code, 0);
}
