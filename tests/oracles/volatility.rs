//! volatility3 (PyPI) reads our synthetic dumps and agrees, page by page and row by row.
//!
//! The layer needs no symbols and is always checked. The plugins need the symbols of the kernel that the
//! machine claims to be, which are not ours to ship: they are checked where `../shared/symbols` is.

mod rows;

use super::python::{self, Python};
use crate::support::{busy_machine, scratch};
use fixtures::{Arch, Dump as Planned, Format};
use memory::{Memory, PAGE_SIZE, Pfn};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

/// Pages by address, each as the hash of its bytes.
type Pages = BTreeMap<u64, String>;

fn our_pages(path: &Path) -> Pages {
    let dump = memory::open(path, None).unwrap();
    let (Memory::Physical(runs), Some(image)) = (&dump.memory, dump.image()) else { panic!("no pages") };
    let frames = runs.as_slice().iter().flat_map(|run| run.first.0..run.first.0 + run.count);
    let hash =
        |frame| Sha256::digest(image.page(Pfn(frame)).unwrap()).iter().map(|b| format!("{b:02x}")).collect();
    frames.map(|frame| (frame * PAGE_SIZE, hash(frame))).collect()
}

/// `python tests/oracle/vol3_layer.py BITS DUMP`
fn their_pages(python: &Python, bits: &str, path: &Path) -> Pages {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/vol3_layer.py");
    let output = python.run(&[script.as_os_str(), bits.as_ref(), path.as_os_str()]);
    let pages: BTreeMap<String, String> = serde_json::from_str(output.trim()).unwrap();
    let address = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    pages.into_iter().map(|(at, hash)| (address(&at), hash)).collect()
}

#[test]
fn the_same_pages() {
    let Some(python) = Python::with_volatility() else { return };
    for (arch, bits) in [(Arch::X64, "64"), (Arch::X64La57, "64"), (Arch::Arm64, "64"), (Arch::X86Pae, "32")]
    {
        for format in [Format::Full, Format::BitmapFull] {
            let name = format!("volatility {arch:?} {format:?}");
            let path = busy_machine(arch).dump(format).write_to(&scratch(&name)).unwrap();
            let (ours, theirs) = (our_pages(&path), their_pages(&python, bits, &path));
            assert!(ours.len() > 500, "{name}: only {} pages", ours.len());
            assert!(ours == theirs, "{name}: we have {} pages, volatility3 {}", ours.len(), theirs.len());
        }
    }
}

/// `vol --offline -q -r json -s SYMBOLS --cache-path CACHE -f DUMP PLUGIN`
fn rows(python: &Python, symbols: &Path, dump: &Path, plugin: &str) -> Vec<Value> {
    let cache = dump.with_file_name("cache");
    std::fs::create_dir_all(&cache).unwrap();
    let options = ["--offline", "-q", "-r", "json", "-s"].map(AsRef::as_ref);
    let more =
        [symbols.as_os_str(), "--cache-path".as_ref(), cache.as_os_str(), "-f".as_ref(), dump.as_os_str()];
    let output = python.vol(&[&options[..], &more, &[plugin.as_ref()]].concat());
    let start = output.find('[').unwrap_or_else(|| panic!("{plugin} printed no rows: {output}"));
    serde_json::from_str(&output[start..]).unwrap()
}

#[test]
fn the_same_rows() {
    let Some(python) = Python::with_volatility() else { return };
    for format in [Format::Full, Format::BitmapFull] {
        let folder = scratch(&format!("volatility plugins {format:?}"));
        let Some(symbols) = python::private_symbols(&folder) else { return };
        let planned = busy_machine(Arch::X64).dump(format);
        let path = planned.write_to(&folder).unwrap();
        check_info(&planned, &rows(&python, &symbols, &path, "windows.info"));
        check_processes(&planned, &rows(&python, &symbols, &path, "windows.pslist"));
        check_modules(&planned, &rows(&python, &symbols, &path, "windows.modules"));
    }
}

/// volatility3 prints the 48 bits of an address that mean something.
fn short(address: u64) -> u64 {
    address & 0xffff_ffff_ffff
}

fn check_info(planned: &Planned, rows: &[Value]) {
    let facts = &planned.plan.facts;
    let value = |name: &str| {
        let row = rows.iter().find(|row| row["Variable"] == name).unwrap_or_else(|| panic!("no {name}"));
        row["Value"].as_str().unwrap().to_string()
    };
    assert_eq!(value("Kernel Base"), format!("{:#x}", short(facts.kernel_base)));
    assert_eq!(value("DTB"), format!("{:#x}", facts.dtb));
    assert_eq!(value("NtMajorVersion"), facts.build.major.to_string());
    assert!(value("Major/Minor").ends_with(&facts.build.number.to_string()));
    assert_eq!(value("KeNumberProcessors"), facts.processors.to_string());
}

fn check_processes(planned: &Planned, rows: &[Value]) {
    let found: Vec<(u64, u64, &str, u64)> = rows
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_u64().unwrap();
            (number("PID"), number("PPID"), row["ImageFileName"].as_str().unwrap(), number("Offset(V)"))
        })
        .collect();
    let expected: Vec<(u64, u64, &str, u64)> = planned
        .plan
        .facts
        .processes
        .iter()
        .map(|process| {
            (process.pid.into(), process.parent.into(), process.name.as_str(), short(process.eprocess))
        })
        .collect();
    assert_eq!(found, expected);
}

fn check_modules(planned: &Planned, rows: &[Value]) {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_string();
    let found: Vec<(u64, u64, String, String)> = rows
        .iter()
        .map(|row| {
            (
                row["Base"].as_u64().unwrap(),
                row["Size"].as_u64().unwrap(),
                text(row, "Name"),
                text(row, "Path"),
            )
        })
        .collect();
    let expected: Vec<(u64, u64, String, String)> = planned
        .plan
        .facts
        .modules
        .iter()
        .map(|module| (short(module.base), module.size.into(), module.name.clone(), module.path.clone()))
        .collect();
    assert_eq!(found, expected);
}
