//! Layouts of different public sources agree: C headers with offsets and ISF files of the same build.

use ::symbols::{Layouts, Wanted, collect, pack::Kernel};
use std::path::{Path, PathBuf};

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/symbols").join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: there is no ../shared/symbols/{name}");
    None
}

fn wanted() -> Wanted {
    scan::nt::wanted()
}

/// The kernel of a build with the lowest or highest revision.
fn of(all: &[(Kernel, Layouts)], build: u32) -> Option<&(Kernel, Layouts)> {
    let same = all.iter().filter(|(kernel, _)| kernel.build == build && kernel.architecture == "x64");
    same.min_by_key(|(kernel, _)| kernel.revision)
}

/// Fields that both have, and those of them that differ, as `_STRUCT.Field`.
fn compare(a: &Layouts, b: &Layouts) -> (usize, Vec<String>) {
    let (mut both, mut differ) = (0, Vec::new());
    for (name, layout) in &a.types {
        for (path, field) in &layout.fields {
            let Some(other) = b.field(name, path) else { continue };
            both += 1;
            if (field.offset, field.size, field.bits) != (other.offset, other.size, other.bits) {
                differ.push(format!("{name}.{path}"));
            }
        }
    }
    (both, differ)
}

#[test]
fn headers_and_isf_files_agree() {
    let (Some(headers), Some(isf)) = (shared("vergilius-headers"), shared("jpcert-isf")) else { return };
    // One ISF file of each build is enough: the oldest, which is closest to the headers.
    let oldest = [
        "8B11040A5928757B11390AC78F6B6925-1", // 17763.379, headers 17763.107
        "35A038B1F6E2E8CAF642111E6EC66F57-1", // 18362.30, headers 18362.30
        "BBED7C2955FBE4522AAA23F4B8677AD9-1", // 19041.329, headers 19041.264
        "32C1A669D5FFEFD41091F636CFDB6E99-1", // 22000.318, headers 22000.1
    ];
    let mut from: Vec<PathBuf> =
        oldest.iter().map(|id| isf.join(format!("ntkrnlmp.pdb/{id}.json.xz"))).collect();
    from.push(isf.join("guid_version.json"));
    let isf = collect::collect(&from, &wanted()).unwrap();
    let headers = collect::collect(&[headers], &wanted()).unwrap();
    assert!(isf.problems.is_empty() && headers.problems.is_empty(), "{:?}", isf.problems);
    for build in [17763, 18362, 19041, 22000] {
        let (a, b) = (of(&isf.kernels, build).unwrap(), of(&headers.kernels, build).unwrap());
        let (both, mut differ) = compare(&a.1, &b.1);
        // `MiState` moved between revisions of one build: 17763.107 and .379 differ in it as .379 and .2928 do.
        differ.retain(|field| !field.starts_with("_MI_SYSTEM_INFORMATION."));
        println!("{build}: {} of {both} fields agree; {differ:?}", both - differ.len());
        assert!(both > 20, "{build}");
        assert!(differ.len() * 100 <= both, "{build}: {differ:?}");
    }
}

/// The three triage dumps whose kernel has a public ISF file (`../shared/symbols/README.md`), and its name.
const EXACT: [(&str, &str); 3] = [
    ("rizin-triage/triage_x64.dmp", "5278AFF86C341677D7D7835C85B7B844-1"),
    ("ojusha-minidumps/100623-4953-01.dmp", "79BE8C368BEC7DD9677EA9B355ACE784-1"),
    ("ojusha-minidumps/100623-6156-01.dmp", "89284D0CA6ACC8274B9A44BD5AF9290B-1"),
];

/// Fields of the debugger block that hold the address of a variable, up to `KdPrintBufferSize` and behind the sizes.
fn pointers() -> impl Iterator<Item = usize> {
    (0x20..0x298).step_by(8).chain((0x2c8..0x2e0).step_by(8)).chain((0x308..0x338).step_by(8)).chain([0x368])
}

/// Every pointer into the image is the address of a symbol, but for two: `MmPagedPoolCommit` has no symbol there, and
/// the end of a buffer is none of its own. Each variable that is known by name is the symbol of that name.
#[test]
fn debugger_blocks_point_at_the_symbols() {
    let (Some(isf), Some(dumps)) = (shared("jpcert-isf"), crate::support::real_dumps("debugger blocks"))
    else {
        return;
    };
    for (file, id) in EXACT {
        let profile = ::symbols::isf::read(&isf.join(format!("ntkrnlmp.pdb/{id}.json.xz"))).unwrap();
        let addresses: std::collections::HashSet<u64> =
            profile.symbols.values().map(|&rva| rva.into()).collect();
        let dump = memory::open(&dumps.join(file), None).unwrap();
        let system = scan::nt::System::open(&dump, &::symbols::Library::built_in()).unwrap();
        let kernel = system.kernel.as_ref().unwrap();
        let (base, size) = (kernel.base.0, u64::from(kernel.image.size.unwrap()));
        let (offset, _) = dump.records.header.triage.as_ref().unwrap().debugger_data.unwrap();
        let block = &dump.file()[offset as usize..];
        let mut inside = 0;
        for at in pointers() {
            let value = u64::from_le_bytes(block[at..at + 8].try_into().unwrap());
            if let Some(rva) = value.checked_sub(base).filter(|rva| *rva < size) {
                inside += 1;
                assert!(addresses.contains(&rva) || [0x170, 0x1e8].contains(&at), "{file}: {at:#x}");
            }
        }
        assert!(inside > 30, "{file}: {inside} pointers");
        let known = scan::nt::GLOBALS.iter().filter_map(|name| {
            let rva = u64::from(*profile.symbols.get(*name)?);
            Some((name, rva, system.kdbg.as_ref()?.variable(name)?.0.checked_sub(base)?))
        });
        let known: Vec<_> = known.filter(|(.., block)| *block < size).collect();
        assert!(known.len() >= 15, "{file}: {known:x?}");
        for (name, symbol, block) in known {
            assert_eq!(symbol, block, "{file}: {name}");
            assert_eq!(
                system.layouts.symbols.get(*name),
                Some(&(symbol as u32)),
                "{file}: {name} in the pack"
            );
        }
    }
}
