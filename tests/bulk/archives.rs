//! Dumps in archives: converted like files, named by archive and member, gone from the scratch folder afterwards.

use crate::{
    ask::{Ask, dumplake_in},
    bulk::write_dumps,
    support::scratch,
};
use serde_json::json;
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

fn zip(path: &Path, members: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn members_of_archives_are_dumps_like_others() {
    let folder = scratch("archives");
    write_dumps(&folder.join("made"), 3);
    let dump = |number: usize| fs::read(folder.join(format!("made/{number:04}.dmp"))).unwrap();
    let (input, place) = (folder.join("input"), folder.join("scratch"));
    fs::create_dir_all(&input).unwrap();
    fs::create_dir_all(&place).unwrap();
    fs::write(input.join("plain.dmp"), dump(0)).unwrap();
    zip(
        &input.join("case.zip"),
        &[
            ("monday/MEMORY.DMP", &dump(1)),
            ("../../evil\u{1b}[2J.dmp", &dump(2)),
            ("copy", &dump(0)),
            ("notes.txt", b"no dump"),
            ("bad.dmp", b"MDMP and no more"),
        ],
    );
    fs::write(input.join("cut.zip"), b"PK\x03\x04 and no more").unwrap();
    let args = ["convert", "input", "-o", "lake", "--scratch", "scratch"];
    let ran = dumplake_in(&folder, &[&args[..], &["--json"]].concat());
    let outcome =
        |outcome: &serde_json::Value| json!([outcome["status"], outcome["path"], outcome["member"]]);
    let report: Vec<_> = ran.json().iter().map(outcome).collect();
    let expected = [
        json!(["converted", "input/plain.dmp", null]),
        json!(["failed", "input/cut.zip", null]),
        json!(["converted", "input/case.zip", "monday/MEMORY.DMP"]),
        json!(["converted", "input/case.zip", "../../evil\u{1b}[2J.dmp"]),
        json!(["skipped", "input/case.zip", "copy"]),
        json!(["failed", "input/case.zip", "bad.dmp"]),
    ];
    assert_eq!((ran.code, report), (1, expected.to_vec()), "{}", ran.err);
    let ask = Ask::open(&folder.join("lake"));
    let names = ask.rows("SELECT path, archive_member FROM dumps ORDER BY ALL");
    let row = |path: &str, member: Option<&str>| {
        json!({"path": path, "archive_member": member}).as_object().unwrap().clone()
    };
    let expected = [
        row("input/case.zip", Some("../../evil\u{1b}[2J.dmp")),
        row("input/case.zip", Some("monday/MEMORY.DMP")),
        row("input/plain.dmp", None),
    ];
    assert_eq!(names, expected);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "nothing stays in the scratch folder");
    let again = dumplake_in(&folder, &args);
    assert_eq!((again.code, again.out.matches("skipped").count()), (1, 4), "{}{}", again.out, again.err);
    assert!(!again.out.contains('\u{1b}') && !again.err.contains('\u{1b}'));
    assert!(again.out.contains("input/case.zip [monday/MEMORY.DMP]"), "{}", again.out);
}

#[test]
fn a_bomb_is_given_up_in_one_line() {
    let folder = scratch("bomb");
    fs::create_dir(folder.join("scratch")).unwrap();
    write_dumps(&folder.join("dumps"), 1);
    zip(&folder.join("dumps/bomb.zip"), &[("MEMORY.DMP", &vec![0; 8 << 20])]);
    zip(&folder.join("dumps/none.zip"), &[("letter.txt", b"dear")]);
    let args = ["convert", "dumps", "-o", "lake", "--scratch", "scratch", "--scratch-limit", "2M"];
    let ran = dumplake_in(&folder, &args);
    assert_eq!((ran.code, ran.out.lines().count()), (1, 1), "{}{}", ran.out, ran.err);
    let failed: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("failed")).collect();
    assert!(
        failed.iter().all(|line| line.contains("bomb.zip") && line.contains("--scratch-limit")),
        "{failed:?}"
    );
    assert!(!failed.is_empty() && failed.len() <= 2, "the member and the archive: {failed:?}");
    assert_eq!(fs::read_dir(folder.join("scratch")).unwrap().count(), 0);
    // Named, an archive without a dump is a failure; so is a scratch folder that is not there.
    let named = dumplake_in(&folder, &["convert", "dumps/none.zip", "-o", "other"]);
    assert!(named.code == 2 && named.err.contains("there is no dump in it"), "{}", named.err);
    let absent = dumplake_in(&folder, &["convert", "dumps/none.zip", "-o", "other", "--scratch", "absent"]);
    assert!(absent.code == 2 && absent.err.contains("no scratch folder"), "{}", absent.err);
}
