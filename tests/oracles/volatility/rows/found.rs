//! Scanners of volatility3 over machines with hidden, freed and disguised objects and with pools, beside what the sweep
//! over memory found.

use super::{
    Python, Read, number, one, ours, short, text,
    walk_support::{Row, some_tables},
};
use fixtures::{Arch, Build, scenario};
use std::{collections::BTreeMap, sync::OnceLock};

const BUILDS: [Build; 2] = [Build::WIN7_7601, Build::WIN10_19041];

const PLUGINS: &[&str] = &[
    "windows.psscan.PsScan",
    "windows.thrdscan.ThrdScan",
    "windows.driverscan.DriverScan",
    "windows.filescan.FileScan",
    "windows.mutantscan.MutantScan",
    "windows.modscan.ModScan",
    "windows.symlinkscan.SymlinkScan",
    "windows.bigpools.BigPools",
    "windows.poolscanner.PoolScanner",
    "windows.psxview.PsXView",
];

const TABLES: [&str; 7] =
    ["processes", "threads", "drivers", "modules", "found_objects", "pool_allocations", "big_pool"];

fn read() -> Option<&'static [Read]> {
    static READ: OnceLock<Option<Vec<Read>>> = OnceLock::new();
    let made = READ.get_or_init(|| {
        let python = Python::with_volatility()?;
        let read = |build: &Build| {
            let machine = scenario::hidden(Arch::X64, build.clone());
            one(&python, machine, PLUGINS, |machine, format| some_tables(machine, format, &TABLES))
        };
        Some(BUILDS.iter().map(read).collect())
    });
    made.as_deref()
}

/// Whether they scan physical memory: since Windows 10 they scan what the kernel's page tables lead to.
fn is_physical(read: &Read) -> bool {
    read.facts.build.number < 10_240
}

/// Where an object of ours is in the memory that they scan; `None` if it is not in it.
fn place(read: &Read, row: &Row, va: &str, pa: &str) -> Option<u64> {
    if is_physical(read) { ours(row, pa) } else { ours(row, va).map(short) }
}

/// Our rows that have a pool header, where they scan for one.
fn headed<'a>(read: &'a Read, table: &str, va: &'a str, pa: &'a str) -> impl Iterator<Item = (u64, &'a Row)> {
    let rows = read.ours(table).iter().filter(|row| row["found_in_pool"] == "true");
    rows.filter_map(move |row| Some((place(read, row, va, pa)?, row)))
}

/// Those of `found_objects` of a kind.
fn found<'a>(read: &'a Read, kind: &'a str) -> impl Iterator<Item = (u64, &'a Row)> {
    headed(read, "found_objects", "va", "pa").filter(move |(_, row)| row["kind"] == kind)
}

fn same<T: Ord + std::fmt::Debug>(
    name: &str,
    theirs: impl Iterator<Item = T>,
    ours: impl Iterator<Item = T>,
) {
    let (mut theirs, mut ours): (Vec<T>, Vec<T>) = (theirs.collect(), ours.collect());
    theirs.sort();
    ours.sort();
    assert!(theirs.len() > 1, "{name}");
    assert_eq!(ours, theirs, "{name}");
}

/// What was planted, has no pool header, and is in a table nevertheless: they cannot see it.
fn seen_by_us_alone(read: &Read, kind: &str, table: &str, id: &str) {
    let unseen: Vec<u64> = read
        .facts
        .hidden
        .iter()
        .filter(|hidden| hidden.kind == kind && hidden.real && !hidden.pool)
        .map(|hidden| hidden.id.into())
        .collect();
    let shaped = read.ours(table).iter().filter(|row| row["found_in_pool"] == "false");
    let mut found: Vec<u64> = shaped.filter_map(|row| ours(row, id)).collect();
    found.sort();
    assert_eq!((found.len(), &found), (2, &unseen), "{kind}: pool tag wiped, fake pool header");
}

#[test]
fn psscan() {
    for read in read().into_iter().flatten() {
        let theirs = read.theirs("windows.psscan.PsScan").iter().map(|row| {
            let name = text(row, "ImageFileName").map(str::to_string);
            (number(row, "PID"), name, number(row, "Offset(V)").unwrap())
        });
        let mine = headed(read, "processes", "eprocess", "pa");
        let mine = mine.map(|(at, row)| (ours(row, "process_id"), row.get("name").cloned(), at));
        same(&read.name("psscan"), theirs, mine);
        seen_by_us_alone(read, "process", "processes", "process_id");
    }
}

#[test]
fn thrdscan() {
    for read in read().into_iter().flatten() {
        let theirs = read.theirs("windows.thrdscan.ThrdScan").iter().map(|row| {
            let start = number(row, "StartAddress");
            (number(row, "TID"), number(row, "PID"), start, number(row, "Offset").unwrap())
        });
        let mine = headed(read, "threads", "ethread", "pa").map(|(at, row)| {
            let start = ours(row, "start_address").map(short);
            (ours(row, "thread_id"), ours(row, "process_id"), start, at)
        });
        same(&read.name("thrdscan"), theirs, mine);
        seen_by_us_alone(read, "thread", "threads", "thread_id");
    }
}

#[test]
fn driverscan() {
    for read in read().into_iter().flatten() {
        let theirs = read
            .theirs("windows.driverscan.DriverScan")
            .iter()
            .map(|row| (number(row, "Offset").unwrap(), number(row, "Start"), number(row, "Size")));
        let mine = headed(read, "drivers", "driver", "pa")
            .map(|(at, row)| (at, ours(row, "start").map(short), ours(row, "size")));
        same(&read.name("driverscan"), theirs, mine);
    }
}

/// They know no devices of files.
#[test]
fn filescan() {
    for read in read().into_iter().flatten() {
        let name = read.name("filescan");
        let theirs = || read.theirs("windows.filescan.FileScan").iter();
        same(
            &name,
            theirs().map(|row| number(row, "Offset").unwrap()),
            found(read, "file").map(|(at, _)| at),
        );
        for row in theirs() {
            let at = number(row, "Offset").unwrap();
            let (_, mine) = found(read, "file").find(|(place, _)| *place == at).unwrap();
            assert!(mine["name"].ends_with(text(row, "Name").unwrap()), "{name}: {mine:?}");
        }
    }
}

fn leaf(row: &Row) -> Option<String> {
    row.get("name").map(|name| name.rsplit('\\').next().unwrap().to_string())
}

#[test]
fn mutantscan() {
    for read in read().into_iter().flatten() {
        let theirs = read.theirs("windows.mutantscan.MutantScan").iter();
        let theirs =
            theirs.map(|row| (number(row, "Offset").unwrap(), text(row, "Name").map(str::to_string)));
        same(&read.name("mutantscan"), theirs, found(read, "mutant").map(|(at, row)| (at, leaf(row))));
    }
}

/// They leave out links without a name, which are those that no directory holds.
#[test]
fn symlinkscan() {
    for read in read().into_iter().flatten() {
        let theirs = read.theirs("windows.symlinkscan.SymlinkScan").iter();
        let theirs: Vec<_> = theirs
            .map(|row| (number(row, "Offset").unwrap(), text(row, "From Name").map(str::to_string)))
            .collect();
        let named = found(read, "symbolic link").filter(|(_, row)| row.contains_key("name"));
        let named: Vec<_> = named.map(|(at, row)| (at, leaf(row))).collect();
        assert_eq!((named.len(), &named), (1, &theirs), "{}", read.name("symlinkscan"));
        assert_eq!(found(read, "symbolic link").count(), 3, "{}", read.name("symlinkscan"));
    }
}

#[test]
fn modscan() {
    for read in read().into_iter().flatten() {
        let theirs = read.theirs("windows.modscan.ModScan").iter().map(|row| {
            let cells = (number(row, "Base"), number(row, "Size"), text(row, "Path").map(str::to_string));
            (number(row, "Offset").unwrap(), cells)
        });
        let mine = headed(read, "modules", "entry", "entry_pa").map(|(at, row)| {
            (at, (ours(row, "base").map(short), ours(row, "size"), row.get("path").cloned()))
        });
        same(&read.name("modscan"), theirs, mine);
    }
}

/// Allocated ones; they show 48 bits of some addresses.
#[test]
fn bigpools() {
    for read in read().into_iter().flatten() {
        let theirs = read.theirs("windows.bigpools.BigPools").iter();
        let theirs = theirs.map(|row| (number(row, "Allocation").map(short), number(row, "NumberOfBytes")));
        let mine = read.ours("big_pool").iter().filter(|row| row["free"] == "false");
        let mine = mine.map(|row| (ours(row, "address").map(short), ours(row, "size")));
        same(&read.name("bigpools"), theirs, mine);
    }
}

/// Kinds that they scan for, by their structures.
const SCANNED: [(&str, &str); 7] = [
    ("process", "_EPROCESS"),
    ("thread", "_ETHREAD"),
    ("driver", "_DRIVER_OBJECT"),
    ("file", "_FILE_OBJECT"),
    ("mutant", "_KMUTANT"),
    ("symbolic link", "_OBJECT_SYMBOLIC_LINK"),
    ("module", "_LDR_DATA_TABLE_ENTRY"),
];

/// They show pool headers, we what is behind the headers: no more than these apart.
const MOST_FRONT: u64 = 0xc0;

/// One object of ours behind each header of theirs, and no header of theirs without one. Both take the tag that stands
/// in the `_OBJECT_TYPE` of drivers for one more header, ours with low confidence; before Windows 8 only we, since the tag
/// is not a protected one there.
#[test]
fn poolscanner() {
    for read in read().into_iter().flatten() {
        let name = read.name("poolscanner");
        let theirs = read.theirs("windows.poolscanner.PoolScanner");
        for (kind, structure) in SCANNED {
            let of = |row: &&serde_json::Value| text(row, "Tag").unwrap().ends_with(&format!("!{structure}"));
            let mut headers: Vec<u64> =
                theirs.iter().filter(of).map(|row| number(row, "Offset").unwrap()).collect();
            let plain = |row: &Row| row["confidence"] == "low" && is_physical(read);
            let (tags, objects): (Vec<_>, Vec<_>) = found(read, kind).partition(|(_, row)| plain(row));
            assert_eq!(tags.len(), usize::from(kind == "driver" && is_physical(read)), "{name}: {tags:?}");
            let mut bodies: Vec<u64> = objects.iter().map(|(at, _)| *at).collect();
            headers.sort();
            bodies.sort();
            assert_eq!(headers.len(), bodies.len(), "{name}: {kind}: {headers:x?} {bodies:x?}");
            for (header, body) in headers.iter().zip(&bodies) {
                let front = body.checked_sub(*header).unwrap_or(u64::MAX);
                assert!(front <= MOST_FRONT, "{name}: {kind}: {header:x} {body:x}");
            }
        }
    }
}

/// Who saw a process. On systems before Windows 10 they give a process two rows, as its two addresses differ: here they
/// are one. What no pool header leads to is ours alone, as above, and so is what has ended and nothing maps: they do not
/// take it for a valid process, or do not scan where it is.
#[test]
fn psxview() {
    for read in read().into_iter().flatten() {
        let name = read.name("psxview");
        let mut theirs: BTreeMap<u64, [Option<bool>; 4]> = BTreeMap::new();
        for row in read.theirs("windows.psxview.PsXView") {
            let seen = theirs.entry(number(row, "PID").unwrap()).or_insert([Some(false); 4]);
            for (seen, column) in seen.iter_mut().zip(["pslist", "psscan", "thrdscan", "csrss"]) {
                *seen = (*seen).max(row[column].as_bool());
            }
        }
        let mine = read.ours("processes").iter();
        let mine: BTreeMap<u64, [Option<bool>; 4]> = mine
            .filter(|row| {
                row["found_in_pool"] == "true" && (is_physical(read) || row.contains_key("eprocess"))
            })
            .map(|row| {
                let columns = ["in_active_list", "found_in_pool", "is_thread_owner", "in_csrss_handles"];
                let seen = columns.map(|column| row.get(column).map(|cell| cell == "true"));
                (ours(row, "process_id").unwrap(), seen)
            })
            .collect();
        assert!(theirs.values().any(|seen| seen[0] == Some(false) && seen[2] == Some(true)), "{name}");
        assert_eq!(mine, theirs, "{name}");
    }
}
