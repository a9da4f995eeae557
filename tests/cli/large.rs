//! Files so large that they are read once: their hash comes from the pass that converts them.

use crate::{ask::dumplake_in, support::scratch};
use fixtures::{Arch, Build, Format, Machine, Run};
use sha2::Digest;
use std::path::Path;

#[test]
fn the_hash_of_a_large_file_is_a_by_product() {
    let folder = scratch("large");
    let runs = [Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x1_0000 }];
    let mut machine = Machine::with_ram(Arch::X64, Build::WIN10_19041, &runs);
    machine.write_pa(0x0fff_f000, b"far behind");
    let path = machine.dump(Format::Full).write_to(&folder).unwrap();
    assert!(path.metadata().unwrap().len() > 256 << 20);
    let convert = || dumplake_in(&folder, &["convert", "memory.dmp", "-o", "lake", "--tables", "pages"]).out;
    let hash = scan::content_hash(&path, &|_| {}).unwrap().0;
    let id = scan::dump_id(&hash);
    let first = convert();
    assert!(first.starts_with(&format!("converted  {id}")), "{}", first);
    let again = convert();
    assert!(again.starts_with(&format!("skipped    {id}")), "{}", again);
    let sql = "SELECT content_hash, (SELECT count(*) FROM pages) AS pages FROM dumps";
    let rows = dumplake_in(&folder, &["sql", "lake", sql, "--format", "csv"]);
    assert_eq!(rows.out.lines().nth(1), Some(format!("{hash},{}", 0x1_009e).as_str()));
    sha256_is_told_when_asked_for(&folder, &path);
}

/// Another option is another conversion, of the same dump. Expected: the digest of all bytes at once.
fn sha256_is_told_when_asked_for(folder: &Path, path: &Path) {
    let sha256 = || {
        let sql = "SELECT sha256 FROM dumps";
        dumplake_in(folder, &["sql", "lake", sql, "--format", "csv"]).out.lines().nth(1).map(str::to_string)
    };
    assert_eq!(sha256().as_deref(), Some(""), "NULL: nobody asked");
    let convert = ["convert", "memory.dmp", "-o", "lake", "--tables", "pages", "--sha256"];
    let out = dumplake_in(folder, &convert).out;
    assert!(out.starts_with("converted"), "{out}");
    let digest = sha2::Sha256::digest(std::fs::read(path).unwrap());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sha256(), Some(digest));
}
