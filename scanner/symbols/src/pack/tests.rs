//! Packs that are written and read, near misses, and damaged packs.

use super::*;
use crate::{Field, Layout};

fn layouts(process_size: u32, symbols: &[(&str, u32)]) -> Layouts {
    let field = |offset, bits| Field { offset, size: 4, bits };
    let fields = [("Pid", field(0x440, None)), ("Flags.Exiting", field(0x464, Some((2, 1))))];
    let fields = fields.into_iter().map(|(name, field)| (name.to_string(), field)).collect();
    let types = [("_EPROCESS".to_string(), Layout { size: process_size, fields })].into();
    let symbols = symbols.iter().map(|&(name, rva)| (name.to_string(), rva)).collect();
    Layouts { id: None, pointer_size: 8, types, symbols }
}

fn kernel(revision: u32, id: Option<u8>) -> Kernel {
    Kernel {
        architecture: "x64".into(),
        build: 19041,
        revision: Some(revision),
        pdb_name: Some("ntkrnlmp.pdb".into()),
        id: id.map(|byte| PdbId { guid: [byte; 16], age: 1 }),
        source: "somewhere".into(),
    }
}

fn image() -> ImageVersion {
    let version = [10, 0, 19041, 804];
    ImageVersion { architecture: "x64".into(), file: "ntoskrnl.exe".into(), version, timestamp: 7, size: 9 }
}

fn made() -> Vec<u8> {
    let kernels = vec![
        (kernel(804, Some(1)), layouts(0xa40, &[("A", 0x10), ("B", 0x20)])),
        (kernel(100, Some(2)), layouts(0xa00, &[("B", 0x28)])),
        (kernel(900, None), layouts(0xa80, &[])),
    ];
    build(kernels, vec![image()]).unwrap()
}

#[test]
fn what_was_written_is_read() {
    let pack = Pack::parse(&made()).unwrap();
    let id = PdbId { guid: [1; 16], age: 1 };
    let (found, of) = pack.exact(id).unwrap();
    assert_eq!(found, Layouts { id: Some(id), ..layouts(0xa40, &[("A", 0x10), ("B", 0x20)]) });
    assert_eq!(of, &kernel(804, Some(1)));
    let (found, _) = pack.exact(PdbId { guid: [2; 16], age: 1 }).unwrap();
    assert_eq!(found.symbols.get("A"), None);
    assert_eq!(found.symbols.get("B"), Some(&0x28));
    assert!(pack.exact(PdbId { guid: [1; 16], age: 2 }).is_none());
    assert_eq!(pack.image("x64", 7, 9), Some(&image()));
    assert_eq!(pack.image("x64", 7, 8), None);
    assert_eq!(pack.kernels().count(), 3);
}

/// A kernel for five levels of page tables has the version of the usual one, and symbols elsewhere.
#[test]
fn a_kernel_of_the_same_version_in_another_file() {
    let pack = Pack::parse(&made()).unwrap();
    let of = |file: &str| {
        pack.of_image(&ImageVersion { file: file.into(), ..image() }).map(|found| found.1.revision)
    };
    assert_eq!(of("ntoskrnl.exe"), Some(Some(804)));
    assert_eq!(of("ntkrnlmp.exe"), Some(Some(804)));
    assert_eq!(of("ntkrla57.exe"), None);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(made(), made());
}

#[test]
fn the_nearest_kernel() {
    let pack = Pack::parse(&made()).unwrap();
    let check = |revision, known: &[Known], expected, wrong| {
        let found = pack.nearest("x64", 19041, revision, known).unwrap();
        assert_eq!(found.kernel.revision, Some(expected), "{revision:?}");
        assert_eq!(found.disagreements.len(), wrong);
        assert!(found.layouts.symbols.is_empty() && found.layouts.id.is_none());
    };
    let size = |value| Known { type_name: "_EPROCESS", path: "", value };
    check(Some(850), &[], 804, 0);
    check(Some(804), &[], 804, 0);
    check(Some(5), &[], 100, 0);
    check(None, &[], 900, 0);
    check(Some(850), &[size(0xa80)], 900, 0);
    check(Some(850), &[size(0xfff)], 804, 1);
    assert!(pack.nearest("x64", 19042, None, &[]).is_none());
    assert!(pack.nearest("x86", 19041, None, &[]).is_none());
}

#[test]
fn another_build_as_far_as_the_dump_confirms() {
    let pack = Pack::parse(&made()).unwrap();
    let known = |path, value| Known { type_name: "_EPROCESS", path, value };
    let fields = |known: &[Known]| {
        let found = pack.confirmed("x64", 30000, known);
        let mut names: Vec<String> =
            found.iter().flat_map(|found| found.layouts.types["_EPROCESS"].fields.keys().cloned()).collect();
        names.sort();
        names
    };
    assert_eq!(fields(&[known("Pid", 0x440)]), ["Pid"]);
    assert_eq!(fields(&[known("Pid", 0x440), known("Flags.Exiting", 0x464)]), ["Flags.Exiting", "Pid"]);
    assert_eq!(fields(&[known("Pid", 0x440), known("Flags.Exiting", 0x470)]), ["Pid"]);
    assert_eq!(fields(&[known("Pid", 0x448), known("Flags.Exiting", 0x464)]), [""; 0]);
    assert!(pack.confirmed("x64", 30000, &[]).is_none());
}

#[test]
fn damaged_packs_are_refused() {
    assert!(Pack::parse(b"").is_err() || Pack::parse(b"").unwrap().kernels().count() == 0);
    assert!(Pack::parse(b"nonsense").is_err());
    let good = made();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        if let Ok(pack) = Pack::parse(&bad) {
            pack.nearest("x64", 19041, None, &[]);
        }
        let _ = Pack::parse(&good[..at]);
    }
    for text in ["dumplake pack 1\ntypes 0\n", "dumplake pack 1\nkernel x64 1 - - - s\ntypes 5\n", "other\n"]
    {
        let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert!(Pack::parse(&packed).is_err(), "{text}");
    }
}

/// A line that names one large structure again and again, members that stand behind no structure, endless text.
#[test]
fn packs_that_want_too_much_are_refused() {
    let refused = |text: &str| {
        let packed = zstd::encode_all(format!("dumplake pack 1\n{text}").as_bytes(), 1).unwrap();
        assert!(Pack::parse(&packed).is_err());
    };
    let members = "Member 10 8\n".repeat(100_000);
    let again = " 0".repeat(1000);
    refused(&format!("type _T 8\n{members}kernel x64 1 - - - s\ntypes{again}\n"));
    refused(&format!("type _T 8\nkernel x64 1 - - - s\ntypes{}\n", " 0".repeat(16 << 20)));
    refused("type _T 8\nkernel x64 1 - - - s\ntypes 0\nMember 10 8\n");
    refused(&"names\n".repeat(12 << 20));
}

/// Reading the pack that ships is the first thing that every conversion does.
#[test]
fn the_pack_inside_is_sound() {
    let started = std::time::Instant::now();
    let pack = Pack::parse(BUILT_IN).unwrap();
    println!("read in {:?}", started.elapsed());
    assert!(pack.work < 64 << 20, "{} bytes of text for all kernels", pack.work);
    for kernel in pack.kernels() {
        let Kernel { architecture, build, revision, id, .. } = kernel;
        let found = match *id {
            Some(id) => pack.exact(id).unwrap().0,
            None => pack.nearest(architecture, *build, *revision, &[]).unwrap().layouts,
        };
        assert!(found.size("_EPROCESS").is_some(), "{kernel:?}");
        assert_eq!(found.symbols.is_empty(), id.is_none(), "{kernel:?}");
        assert_eq!(found.pointer_size, if architecture == "x86" { 4 } else { 8 });
    }
}
