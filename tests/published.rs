//! The real dumps, where they are present: converted once into one lake by the program itself, then asked
//! in SQL for what others published about them. The expectations are read from their files.

mod crashing;
mod frames;
mod minidump_dump;
mod overview;
mod patterns;
mod residue;
mod rizin;
mod stacks;
mod stackwalk;
mod windbg;

use crate::{
    ask::{Ask, Row, dumplake},
    support::{real_dumps, scratch},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::SystemTime,
};

/// The lake of all real dumps, and what the two runs that made it said.
pub struct Real {
    folder: PathBuf,
    ask: Mutex<Ask>,
    /// Exit code and report of the first run and of a second one.
    runs: [(i32, Vec<Value>); 2],
    /// The files of the lake after each run.
    files: [Files; 2],
}

/// Content and time of change of every file below a folder.
type Files = BTreeMap<PathBuf, (SystemTime, Vec<u8>)>;

/// Converts the real dumps, or takes the lake that an earlier test made. `None` where there are none.
pub fn real(test: &str) -> Option<&'static Real> {
    static REAL: OnceLock<Option<Real>> = OnceLock::new();
    let real = REAL.get_or_init(|| real_dumps("conversion of the real dumps").map(Real::convert));
    if real.is_none() {
        println!("skipped: {test}: there are no real dumps");
    }
    real.as_ref()
}

impl Real {
    fn convert(folder: PathBuf) -> Real {
        let lake = scratch("real-lake");
        let run = || {
            let ran = dumplake(&[
                "convert".as_ref(),
                folder.as_os_str(),
                "-o".as_ref(),
                lake.as_os_str(),
                "--json".as_ref(),
            ]);
            (ran.code, ran.json())
        };
        let first = run();
        let before = files(&lake);
        let second = run();
        let after = files(&lake);
        Real { folder, runs: [first, second], files: [before, after], ask: Mutex::new(Ask::open(&lake)) }
    }

    fn ask(&self) -> MutexGuard<'_, Ask> {
        self.ask.lock().unwrap_or_else(PoisonError::into_inner) // another test failed: not our business
    }

    /// What the first run said about a file, named by its path below the folder.
    fn outcome(&self, file: &str) -> &Value {
        let path = self.folder.join(file);
        let of_file = |outcome: &&Value| Path::new(outcome["path"].as_str().unwrap()) == path;
        self.runs[0].1.iter().find(of_file).unwrap_or_else(|| panic!("{file} was not converted"))
    }

    /// The id of a file.
    pub fn id(&self, file: &str) -> &str {
        self.outcome(file)["dump_id"].as_str().unwrap_or_else(|| panic!("{file} has no dump_id"))
    }

    /// The row in `dumps` of a file.
    pub fn dump(&self, file: &str) -> Row {
        self.ask().row(&format!("FROM dumps WHERE dump_id = '{}'", self.id(file)))
    }

    /// The rows of a file that a query finds; `{id}` in it is the file's id.
    pub fn rows(&self, file: &str, sql: &str) -> Vec<Row> {
        self.ask().rows(&sql.replace("{id}", &format!("'{}'", self.id(file))))
    }

    /// An expectation that somebody published beside the dumps.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }
}

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let changed = path.metadata().unwrap().modified().unwrap();
            let content = fs::read(&path).unwrap();
            found.insert(path, (changed, content));
        }
    }
    found
}

/// The number that a tool printed in hexadecimal, with or without `0x`.
pub fn hex(text: &str) -> u64 {
    let digits = text.trim().trim_start_matches("0x");
    u64::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// Compares cells of a row with numbers, by name.
pub fn check_cells(what: &str, row: &Row, expected: &[(&str, Value)]) {
    for (column, value) in expected {
        let found = row.get(*column).unwrap_or_else(|| panic!("{what}: no column {column}"));
        assert_eq!(found, value, "{what}: {column}");
    }
}

#[test]
fn the_numbers_of_the_two_triage_dumps() {
    let Some(real) = real("triage dumps") else { return };
    let check = |file: &str, header: &[(&str, Value)], counts: [(&str, u64); 3]| {
        check_cells(file, &real.dump(file), header);
        for (table, expected) in counts {
            let found =
                real.ask().number(&format!("SELECT count(*) FROM {table} AND dump_id = '{}'", real.id(file)));
            assert_eq!(found, expected, "{file}: {table}");
        }
    };
    let tables = |modules, unloaded, blobs| {
        [
            ("modules WHERE process_id IS NULL", modules),
            ("unloaded_modules WHERE process_id IS NULL", unloaded),
            ("tagged_blobs WHERE true", blobs),
        ]
    };
    let header = |architecture: &str, build, bugcheck, processors, blocks| {
        [
            ("architecture", json!(architecture)),
            ("build", json!(build)),
            ("bugcheck_code", json!(bugcheck)),
            ("processors", json!(processors)),
            ("data_blocks", json!(blocks)),
            ("bytes_missing", json!(0)),
        ]
    };
    let x64 = header("x64", 19041, 0x1000_007e, 16, 1831);
    check("rizin-triage/triage_x64.dmp", &x64, tables(151, 4, 20));
    let arm64 = header("ARM64", 22000, 0x1c8, 8, 679);
    check("rizin-triage/triage_arm64.dmp", &arm64, tables(245, 11, 42));
}

#[test]
fn complete_dump_headers_state_runs_and_a_missing_body() {
    let Some(real) = real("headers of complete dumps") else { return };
    let check = |file: &str, header: u64, runs: &[(u64, u64)]| {
        let file = format!("memflow-coredump-headers/{file}");
        let sql =
            "SELECT start, length, bytes_in_file, kind FROM memory_runs WHERE dump_id = {id} ORDER BY start";
        let found = real.rows(&file, sql);
        let expected = |&(start, length): &(u64, u64)| json!({"start": start, "length": length, "bytes_in_file": 0, "kind": "physical"});
        let expected: Vec<Value> = runs.iter().map(expected).collect();
        assert_eq!(found.into_iter().map(Value::Object).collect::<Vec<_>>(), expected, "{file}");
        let missing: u64 = runs.iter().map(|run| run.1).sum();
        let dump = real.dump(&file);
        let required = dump["required_dump_space"].as_u64().unwrap();
        assert!(missing == required || missing + header == required, "{file}: {missing} of {required} bytes");
        let cells = [
            ("bytes_present", json!(0)),
            ("pages_present", json!(0)),
            ("bytes_missing", json!(missing)),
            ("file_size", json!(header)),
        ];
        check_cells(&file, &dump, &cells);
    };
    // First page and number of pages of each run, as `xxd` shows them in the physical memory descriptor.
    let pages = |first: u64, count: u64| (first * 0x1000, count * 0x1000);
    let win10 = [pages(1, 0x9f), pages(0x100, 0x7f7ef), pages(0x7fbff, 0x3e1), pages(0x10_0000, 0x38_0000)];
    check("coredump_win10_64bit_stripped.raw", 0x2000, &win10);
    let win7 = [pages(1, 0x9e), pages(0x100, 0xbfedf)];
    check("coredump_win7_32bit_stripped.raw", 0x1000, &win7);
}

#[test]
fn malformed_files_are_named() {
    let Some(real) = real("malformed files") else { return };
    for (run, (code, outcomes)) in real.runs.iter().enumerate() {
        assert_eq!(*code, 1, "run {run}");
        let failed = |outcome: &&Value| outcome["status"] == "failed";
        let path = |outcome: &Value| outcome["path"].as_str().unwrap().to_string();
        let mut named: Vec<String> = outcomes.iter().filter(failed).map(path).collect();
        named.sort();
        let malformed = real.folder.join("malformed");
        let expected = ["ghost-in-the-memory.dmp", "mdmp-dos", "npe_r_mdmp.mdmp"]
            .map(|name| malformed.join(name).display().to_string());
        assert_eq!(named, expected, "run {run}");
        for outcome in outcomes.iter().filter(failed) {
            let error = outcome["error"].as_str().unwrap();
            let says = ["at offset 0x", "expected ", "found "].iter().all(|part| error.contains(part));
            assert!(says && !error.contains('\n'), "{error}");
        }
    }
}

#[test]
fn a_second_run_skips_everything_and_changes_nothing() {
    let Some(real) = real("second run") else { return };
    for outcome in &real.runs[1].1 {
        assert!(outcome["status"] == "skipped" || outcome["status"] == "failed", "{outcome}");
    }
    let [before, after] = &real.files;
    assert!(before.len() > 40 * 10, "{} files", before.len());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (path, content) in before {
        assert!(&after[path] == content, "{} changed", path.display());
    }
}
