//! `dumplake diff`: the leak stands first, the wave behind it, and what cannot be compared is said and not called gone.

use crate::{
    ask::{Ask, Row, dumplake_in},
    support::scratch,
};
use fixtures::{
    Arch, Build, Dump, Family, Format,
    scenario::leaking::{EVENTS, PAGES, SNAPSHOTS, leaking},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Three snapshots of a build, as `0.dmp` and so on, in a lake beside them.
fn lake_of(build: &Build) -> PathBuf {
    let folder = scratch(build.branch);
    for snapshot in 0..SNAPSHOTS {
        write(
            &folder,
            &snapshot.to_string(),
            leaking(Arch::X64, build.clone(), snapshot).0.dump(Format::BitmapFull),
        );
    }
    convert(&folder);
    folder
}

fn write(folder: &Path, name: &str, dump: Dump) {
    let place = folder.join(name);
    std::fs::create_dir_all(&place).unwrap();
    let written = dump.write_to(&place).unwrap();
    std::fs::rename(written, folder.join(format!("{name}.dmp"))).unwrap();
    std::fs::remove_dir_all(place).unwrap();
}

fn convert(folder: &Path) {
    let ran = dumplake_in(folder, &["convert", ".", "-o", "lake"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

fn diff(folder: &Path, more: &[&str]) -> Value {
    let ran = dumplake_in(folder, &[&["diff", "lake", "--json"], more].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_default()
}

/// Rows of a part as `kind|subject|what|change`.
fn told(answer: &Value, part: &str) -> Vec<String> {
    let rows = answer[part].as_array().unwrap();
    let words = |row: &Value| ["kind", "subject", "what", "change"].map(|column| text(row, column)).join("|");
    rows.iter().map(words).collect()
}

#[test]
fn the_leak_is_ranked_before_the_wave() {
    for build in &[Build::WIN7_7601, Build::WIN10_14393, Build::WIN10_19041] {
        let folder = lake_of(build);
        let answer = diff(&folder, &["0.dmp", "1.dmp", "2.dmp", "--by", "pool"]);
        let rows = told(&answer, "pool");
        assert!(rows[0].contains("|CtLk|bytes|rising"), "{}: {rows:?}", build.branch);
        let wave = rows.iter().position(|row| row == "pool tag|CtWv|nonpaged bytes|wave").expect("the wave");
        let last_of_leak = rows.iter().rposition(|row| row.contains("CtLk")).unwrap();
        assert!(last_of_leak < wave, "{rows:?}");
        assert!(!rows.iter().any(|row| row.contains("CtSt")), "what is steady is no change: {rows:?}");
        let parts = answer["pool"].as_array().unwrap();
        let counted = |row: &&Value| text(row, "kind") == "pool tag" && text(row, "what") == "nonpaged bytes";
        let leak = parts.iter().find(counted).unwrap();
        assert_eq!((text(leak, "subject"), text(leak, "change")), ("CtLk", "rising"));
        let pages = PAGES[0].map(|pages| (pages * 4096).to_string());
        assert_eq!(leak["history"], json!(pages));
        assert_eq!(leak["details"], "tag in contoso.sys");
        // 6 pages in 4 days.
        assert_eq!(leak["delta"], json!(6 * 4096));
        assert_eq!(leak["per_hour"], json!(256.0));
        let handles = diff(&folder, &["0.dmp", "1.dmp", "2.dmp", "--by", "handles"]);
        assert_eq!(
            told(&handles, "handles"),
            ["handles|contoso_svc.ex (1204)|Event|rising", "handles|spooler.exe (1300)|Event|wave"]
        );
        assert_eq!(handles["handles"][0]["history"], json!(EVENTS.map(|count| count.to_string())));
    }
}

#[test]
fn blocks_are_matched_by_address_tag_and_size() {
    let folder = lake_of(&Build::WIN10_14393);
    let lake = Ask::open(&folder.join("lake"));
    let id = |number: usize| -> String {
        let sql = format!("SELECT dump_id FROM dumps WHERE path LIKE '%{number}.dmp'");
        lake.cell(&sql).as_str().unwrap().into()
    };
    let (first, last) = (id(0), id(2));
    let sql = format!(
        "SELECT change, tag, allocator, count(*) AS blocks FROM diff_pool_blocks('{first}', '{last}') \
         WHERE tag LIKE 'Ct%' AND allocator = 'big' GROUP BY ALL ORDER BY ALL"
    );
    let row = |change: &str, tag: &str, blocks: u64| -> Row {
        let row = json!({"change": change, "tag": tag, "allocator": "big", "blocks": blocks});
        row.as_object().unwrap().clone()
    };
    // What was there before is still there: 6 new pages of the leak, one of the wave.
    assert_eq!(lake.rows(&sql), [row("new", "CtLk", 6), row("new", "CtWv", 1)]);
    let swept = diff(&folder, &["0.dmp", "1.dmp", "2.dmp", "--by", "pool"]);
    let blocks = |row: &&Value| text(row, "kind") == "pool blocks" && text(row, "what") == "blocks";
    let rows = swept["pool"].as_array().unwrap();
    let leak = rows.iter().filter(blocks).find(|row| text(row, "subject") == "CtLk").expect("blocks of CtLk");
    assert_eq!(leak["history"], json!(PAGES[0].map(|pages| (pages * 16).to_string())));
    assert_eq!(leak["change"], "rising");
    let big = |row: &&Value| text(row, "kind") == "big pool blocks" && text(row, "subject") == "CtLk";
    assert_eq!(rows.iter().find(big).unwrap()["details"], "6 new, 0 gone; tag in contoso.sys");
}

#[test]
fn what_came_and_went_is_told_by_identity() {
    let folder = lake_of(&Build::WIN10_19041);
    let answer = diff(&folder, &["0.dmp", "1.dmp", "2.dmp"]);
    assert_eq!(told(&answer, "processes")[0], "process|guest.exe (2000)||came and went");
    assert_eq!(told(&answer, "processes").len(), 1, "{:?}", told(&answer, "processes"));
    assert_eq!(told(&answer, "modules"), ["module|oldtimer.sys||gone", "module|newcomer.sys||new"]);
    assert_eq!(told(&answer, "memory"), ["counter|TotalCommittedPages|pages|rising"]);
    let two = diff(&folder, &["0.dmp", "1.dmp", "--by", "processes"]);
    assert_eq!(told(&two, "processes"), ["process|guest.exe (2000)||new"]);
    assert_eq!(two["order"], json!(null));
    // However they are named: what is new does not become gone, and no hours are negative.
    let mut back = diff(&folder, &["1.dmp", "0.dmp", "--by", "processes"]);
    assert_eq!(back["order"], "by the times at which they were taken, which is not how they were named");
    back["order"] = json!(null);
    assert_eq!(back, two);
    assert_eq!(two["dumps"][0]["hours"], json!(0.0));
    let lake = Ask::open(&folder.join("lake"));
    let negative = "SELECT count(*) FROM diff_snapshots((SELECT list(dump_id ORDER BY system_time DESC) FROM dumps)) \
                    WHERE hours < 0";
    assert_eq!(lake.cell(negative), json!(0));
}

/// A user minidump of one process, a small dump and a kernel dump: nothing that two of them do not hold is gone.
#[test]
fn dumps_of_different_kinds_are_compared_by_what_both_hold() {
    let folder = scratch("kinds");
    let (kernel, _) = leaking(Arch::X64, Build::WIN10_19041, 0);
    write(&folder, "kernel", kernel.dump(Format::BitmapKernel));
    let (later, service) = leaking(Arch::X64, Build::WIN10_19041, 2);
    write(&folder, "user", later.dump(Format::UserMinidump { process: service, full: false }));
    write(&folder, "small", later.dump(Format::Triage(Family::B)));
    convert(&folder);
    let user = diff(&folder, &["kernel.dmp", "user.dmp"]);
    assert_eq!(told(&user, "handles"), ["handles|contoso_svc.exe (1204)|Event|rose"]);
    for part in ["pool", "modules", "drivers", "memory"] {
        assert_eq!(told(&user, part), [""; 0], "{part}");
        let mut left_out = user["not_comparable"].as_array().unwrap().iter();
        let why = left_out.find(|row| text(row, "area") == part && row["position"] == 2);
        assert_eq!(text(why.expect(part), "why"), "a user minidump does not hold it", "{part}");
    }
    let came_or_went =
        |answer| told(answer, "processes").iter().filter(|row| row.starts_with("process|")).count();
    assert_eq!(came_or_went(&user), 0, "System is not gone");
    let small = diff(&folder, &["kernel.dmp", "small.dmp"]);
    assert_eq!(told(&small, "modules"), ["module|oldtimer.sys||gone", "module|newcomer.sys||new"]);
    assert_eq!((came_or_went(&small), told(&small, "pool").len()), (0, 0));
}

#[test]
fn dumps_are_named_by_id_beginning_path_or_file_name() {
    let folder = lake_of(&Build::WIN10_19041);
    let all = diff(&folder, &["0.dmp", "2.dmp", "--by", "memory"]);
    let ids: Vec<&str> = all["dumps"].as_array().unwrap().iter().map(|row| text(row, "dump_id")).collect();
    let again = diff(&folder, &[&ids[0][..8], ids[1], "--by", "memory"]);
    assert_eq!(again, all);
    for (dumps, said) in [
        (["0.dmp", "nobody.dmp"], "no dump is called nobody.dmp"),
        (["d", "0.dmp"], "no dump is called d"),
        (["0.dmp", ids[0]], "was named before"),
        (["'; DROP VIEW dumps; --", "0.dmp"], "no dump is called"),
    ] {
        let ran = dumplake_in(&folder, &["diff", "lake", dumps[0], dumps[1]]);
        assert!(ran.code == 2 && ran.err.contains(said), "{dumps:?}: {}", ran.err);
    }
    let shown = dumplake_in(&folder, &["diff", "lake", "0.dmp", "2.dmp", "--by", "pool", "--limit", "1"]);
    assert!(shown.out.contains("more rows: --limit 0 shows all"), "{}", shown.out);
    assert!(!shown.out.contains("history"), "{}", shown.out);
}
