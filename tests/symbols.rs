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
        let (both, differ) = compare(&a.1, &b.1);
        println!("{build}: {} of {both} fields agree; {differ:?}", both - differ.len());
        assert!(both > 20, "{build}");
        assert!(differ.len() * 100 <= both, "{build}: {differ:?}");
    }
}
