//! What a user names: files, folders, patterns, copies, a lake inside the folder, a place that cannot be one.

use crate::{
    ask::{Ask, Ran, dumplake_in},
    support::{busy_machine, scratch},
};
use fixtures::{Arch, Family, Format, ProcessId};
use std::path::Path;

fn small_dump(arch: Arch, folder: &Path) -> std::path::PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    busy_machine(arch).dump(Format::Triage(Family::B)).write_to(folder).unwrap()
}

/// Status and file name of every outcome, in the order of the report.
fn outcomes(ran: &Ran) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().replace('\\', "/");
    ran.json().iter().map(|outcome| (text(&outcome["status"]), text(&outcome["path"]))).collect()
}

fn check(ran: &Ran, code: i32, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(status, path)| (status.to_string(), path.to_string())).collect();
    assert_eq!((ran.code, outcomes(ran)), (code, expected), "{}", ran.err);
}

#[test]
fn equal_files_are_converted_once() {
    let folder = scratch("copies");
    let dump = small_dump(Arch::X64, &folder.join("a"));
    for copy in ["b.dmp", "no extension"] {
        std::fs::copy(&dump, folder.join(copy)).unwrap();
    }
    let ran = dumplake_in(
        &folder,
        &["convert", "a", "b.dmp", "no extension", "-o", "lake", "--json", "--jobs", "4"],
    );
    let expected = [("converted", "a/mini.dmp"), ("skipped", "b.dmp"), ("skipped", "no extension")];
    check(&ran, 0, &expected);
    let ids: Vec<_> = ran.json().iter().map(|outcome| outcome["dump_id"].clone()).collect();
    assert!(ids.iter().all(|id| id.is_string() && *id == ids[0]), "{ids:?}");
    let ask = Ask::open(&folder.join("lake"));
    assert_eq!(ask.cell("SELECT path FROM dumps"), "a/mini.dmp");
    // A file that is named twice is one input.
    let twice = dumplake_in(&folder, &["convert", "b.dmp", "b.dmp", "-o", "lake", "--json"]);
    check(&twice, 0, &[("skipped", "b.dmp")]);
}

#[test]
fn a_copy_of_a_bad_file_is_bad_too() {
    let folder = scratch("bad copies");
    for name in ["a.dmp", "b.dmp"] {
        std::fs::write(folder.join(name), b"MDMP and then nothing").unwrap();
    }
    let ran = dumplake_in(&folder, &["convert", "a.dmp", "b.dmp", "-o", "lake", "--json"]);
    check(&ran, 2, &[("failed", "a.dmp"), ("failed", "b.dmp")]);
}

#[test]
fn a_folder_may_hold_the_lake() {
    let folder = scratch("lake inside");
    small_dump(Arch::X64, &folder.join("case"));
    for (status, code) in [("converted", 0), ("skipped", 0)] {
        let ran = dumplake_in(&folder, &["convert", ".", "-o", "case/lake", "--json"]);
        check(&ran, code, &[(status, "./case/mini.dmp")]);
    }
    let human = dumplake_in(&folder, &["convert", ".", "-o", "case/lake"]);
    assert!(!human.err.contains("other files"), "files of the lake are not counted: {}", human.err);
}

#[test]
fn patterns_and_folders() {
    let folder = scratch("patterns");
    for (name, arch) in [("deep/er/x64", Arch::X64), ("deep/arm64", Arch::Arm64), ("x86", Arch::X86)] {
        small_dump(arch, &folder.join(name));
    }
    let convert = |paths: &[&str], lake: &str| {
        dumplake_in(&folder, &[&["convert", "--json", "-o", lake], paths].concat())
    };
    check(&convert(&["*/mini.dmp"], "one"), 0, &[("converted", "x86/mini.dmp")]);
    let deep = [("converted", "deep/arm64/mini.dmp"), ("converted", "deep/er/x64/mini.dmp")];
    check(&convert(&["deep"], "two"), 0, &deep);
    check(&convert(&["deep/**/*.dmp"], "three"), 0, &deep);
    let some = [("failed", "nobody.dmp"), ("converted", "x86/mini.dmp")];
    check(&convert(&["x86", "nobody.dmp"], "four"), 1, &some);
    // A name that looks like a pattern is a name where such a file exists.
    std::fs::rename(folder.join("x86/mini.dmp"), folder.join("x86/mini[1].dmp")).unwrap();
    check(&convert(&["x86/mini[1].dmp"], "five"), 0, &[("converted", "x86/mini[1].dmp")]);
}

#[test]
fn a_place_that_cannot_be_a_lake() {
    let folder = scratch("no place");
    small_dump(Arch::X64, &folder.join("a"));
    std::fs::write(folder.join("file"), "a file, not a folder").unwrap();
    for lake in ["file", "file/lake"] {
        let ran = dumplake_in(&folder, &["convert", "a", "-o", lake]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{lake}");
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        assert!(ran.err.starts_with("error: ") && ran.err.contains("file"), "{}", ran.err);
    }
    assert_eq!(std::fs::read(folder.join("file")).unwrap(), b"a file, not a folder");
}

#[test]
fn info_of_every_format() {
    let folder = scratch("info");
    for arch in [Arch::X86, Arch::X64La57, Arch::Arm64] {
        let user = Format::UserMinidump { process: ProcessId(1), full: false };
        let formats = Format::PHYSICAL.into_iter().chain(Format::TRIAGE).chain([user]);
        for format in formats.filter(|format| format.fits(arch)) {
            // A bare image needs what the next test is about: the user's word for it.
            if matches!(format, Format::Raw | Format::RawWithoutGap(..) | Format::Vmem) {
                continue;
            }
            let path = busy_machine(arch).dump(format).write_to(&folder).unwrap();
            let path = path.to_str().unwrap();
            let human = dumplake_in(&folder, &["info", path]);
            let json = dumplake_in(&folder, &["info", path, "--json"]);
            assert_eq!((human.code, json.code, human.err.as_str()), (0, 0, ""), "{arch:?} {format:?}");
            let facts = json.json().remove(0);
            assert_eq!(facts["path"], path);
            assert_eq!(facts["dump_type"].as_u64(), format.dump_type().map(u64::from), "{format:?}");
            let name = facts["format"].as_str().unwrap();
            assert!(human.out.contains(&format!("{:24} {name}", "format")), "{}", human.out);
            let header = format.dump_type().is_some();
            assert_eq!(facts["bugcheck_code"].as_u64(), header.then_some(0xd1), "{format:?}");
            assert_eq!(human.out.contains("DRIVER_IRQL_NOT_LESS_OR_EQUAL"), header, "{format:?}");
        }
    }
}

/// A small dump that was cut off, in its headers too: the summary, `bytes_missing` and a fault all say so.
#[test]
fn a_small_dump_that_is_cut() {
    let folder = scratch("cut small dumps");
    for (family, ends) in [(Family::A, &[8, 100, 4096, 8192, 8300][..]), (Family::B, &[8192, 0])] {
        let machine = busy_machine(Arch::X64);
        let dump = machine.dump(Format::Triage(family)).write_to(&folder).unwrap();
        let whole = std::fs::read(&dump).unwrap();
        std::fs::remove_file(&dump).unwrap();
        let size_of_dump = u32::from_le_bytes(whole[0x2004..0x2008].try_into().unwrap()) as usize;
        let ends = ends.iter().map(|&end| if end == 0 { whole.len() - 1 } else { end });
        for end in ends.chain([size_of_dump - 1]) {
            std::fs::write(folder.join(format!("{family:?} {end}.dmp")), &whole[..end]).unwrap();
        }
    }
    let ran = dumplake_in(&folder, &["convert", ".", "-o", "lake"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in ran.out.lines().filter(|line| line.starts_with("converted")) {
        assert!(line.contains("truncated: "), "{line}");
    }
    let ask = Ask::open(&folder.join("lake"));
    let sql = "SELECT path, file_size, bytes_missing FROM dumps WHERE bytes_missing = 0 OR dump_id NOT IN \
               (SELECT dump_id FROM faults WHERE kind = 'truncated')";
    assert_eq!(ask.rows(sql), []);
    assert_eq!(ask.cell("SELECT bytes_missing FROM dumps WHERE file_size = 8"), 8192 - 8);
}

/// An entry of the directory that points far beyond the end, of a file that lacks nothing.
#[test]
fn a_damaged_directory_is_not_told_as_a_truncated_file() {
    let folder = scratch("damaged directory");
    let format = Format::UserMinidump { process: ProcessId(0), full: false };
    let dump = busy_machine(Arch::X64).dump(format).write_to(&folder).unwrap();
    let mut bytes = std::fs::read(&dump).unwrap();
    damage(&mut bytes, 6);
    std::fs::write(&dump, bytes).unwrap();
    let ran = dumplake_in(&folder, &["convert", ".", "-o", "lake"]);
    assert!(ran.code == 0 && !ran.out.contains("truncated"), "{}{}", ran.out, ran.err);
    let ask = Ask::open(&folder.join("lake"));
    assert_eq!(ask.cell("SELECT bytes_missing FROM dumps"), serde_json::Value::Null);
    let faults = "SELECT count(*) FROM faults WHERE structure = 'MINIDUMP_DIRECTORY' AND kind = 'invalid'";
    assert_eq!(ask.number(faults), 1);
    let told = dumplake_in(&folder, &["analyze", "lake"]);
    assert!(told.code == 0 && !told.out.contains("truncated"), "{}", told.out);
    // What the damaged entry led to was the exception.
    assert!(!told.out.contains("Nothing crashed"), "{}", told.out);
    let told = dumplake_in(&folder, &["analyze", "lake", "--json"]).out;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["dumps"][0]["crash"].is_null() && told["dumps"][0]["truncated"].is_null(), "{told}");
}

/// Lets the directory of a user minidump point anywhere for a type of stream.
fn damage(bytes: &mut [u8], kind: u32) {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (count, directory) = (number(8) as usize, number(12) as usize);
    let mut entries = (0..count).map(|entry| directory + entry * 12);
    let entry = entries.find(|entry| number(*entry) == kind).unwrap();
    bytes[entry + 8..entry + 12].copy_from_slice(&0xf000_0000_u32.to_le_bytes());
}

#[test]
fn memory_that_is_missing_is_told_beside_a_damaged_directory() {
    let folder = scratch("damaged and cut");
    let format = Format::UserMinidump { process: ProcessId(0), full: true };
    let dump = busy_machine(Arch::X64).dump(format).write_to(&folder).unwrap();
    let mut bytes = std::fs::read(&dump).unwrap();
    damage(&mut bytes, 6);
    bytes.truncate(bytes.len() - 0x800);
    std::fs::write(&dump, bytes).unwrap();
    let ran = dumplake_in(&folder, &["convert", ".", "-o", "lake"]);
    let missing = Ask::open(&folder.join("lake")).number("SELECT bytes_missing FROM dumps");
    assert!((1..=0x800).contains(&missing), "{missing}: {}{}", ran.out, ran.err);
    assert!(ran.out.contains(&format!("truncated: {missing} bytes")), "{}", ran.out);
}

#[test]
fn info_of_what_is_no_dump() {
    let folder = scratch("info of nothing");
    std::fs::write(folder.join("notes.txt"), "no dump").unwrap();
    let ran = dumplake_in(&folder, &["info", "notes.txt"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (2, "", 1), "{}", ran.err);
    // An image without any header is one because the user says so.
    busy_machine(Arch::X64).dump(Format::Raw).write_to(&folder).unwrap();
    let name = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    let name = name.into_iter().find(|name| name != "notes.txt").unwrap();
    let ran = dumplake_in(&folder, &["info", name.to_str().unwrap(), "--format", "raw", "--json"]);
    assert_eq!(ran.json()[0]["format"], "raw", "{}", ran.err);
    let formats = dumplake_in(&folder, &["info", "--formats"]);
    for name in ["kernel full", "kernel triage", "user minidump", "ELF core", "VMware memory", "raw"] {
        assert!(formats.out.lines().any(|line| line.starts_with(name)), "{name} in {}", formats.out);
    }
}
