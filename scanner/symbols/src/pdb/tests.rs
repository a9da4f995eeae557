//! What a PDB states, in files made for the purpose, in those of public programs, and in damaged ones.

mod damage;
mod frames;
mod oracle;
mod source;

use super::*;
use crate::{Field, Kind, isf};
use fixtures::{Arch, Build, Machine, pdb::Pdb};

const GUID: [u8; 16] = *b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
const X64: u16 = 0x8664;

fn built_in(name: &str) -> u32 {
    Pdb::built_in(name).unwrap()
}

fn field(offset: u32, size: u32, bits: Option<(u8, u8)>) -> Option<Field> {
    Some(Field { offset, size, bits })
}

/// A file with every kind of member.
fn sample() -> Pdb {
    let mut pdb = Pdb::new(GUID, 3, X64);
    let (u4, u1) = (built_in("u4"), built_in("u1"));
    let bits = pdb.bits(u4, 3, 5);
    let row = pdb.array(u4, 12);
    let grid = pdb.array(row, 0x30);
    let grid = pdb.constant(grid);
    let small = pdb.enumeration("_SMALL", u1);
    let inner = pdb.forward("_INNER", false);
    let pointer = pdb.pointer(inner, 8);
    let unnamed = pdb.structure("<unnamed-tag>", true, 8, &[(0, "Long", built_in("u8")), (0, "Low", u4)]);
    let many = pdb.array(inner, 0x20);
    pdb.structure("_INNER", false, 0x10, &[(8, "Last", u4)]);
    let members = [
        (0, "", inner),
        (0x10, "Bits", bits),
        (0x14, "Grid", grid),
        (0x44, "Enum", small),
        (0x48, "Next", pointer),
        (0x50, "u", unnamed),
        (0x58, "Many", many),
        (0x78, "Far", 0x600 | u4),
    ];
    pdb.structure("_OUTER", false, 0x12345, &members);
    pdb.section(0x1000).section(0x8000);
    pdb.public("Function", 1, 0x10).global("Variable", 2, 0x20).global("Function", 2, 0).public("_x", 9, 0);
    pdb
}

#[test]
fn every_kind_of_member() {
    let bytes = sample().bytes();
    let profile = parse(&bytes).unwrap();
    assert_eq!(profile.id, Some(PdbId { guid: GUID, age: 3 }));
    assert_eq!(identify(&bytes).unwrap(), profile.id.unwrap());
    assert_eq!((profile.pointer_size, profile.types["_OUTER"].size), (8, 0x12345));
    let of = |path| profile.field("_OUTER", path);
    assert_eq!(of("Last"), field(8, 4, None), "of a base class");
    assert_eq!(of("Bits"), field(0x10, 4, Some((3, 5))));
    assert_eq!(of("Grid"), field(0x14, 0x30, None));
    assert_eq!(of("Enum"), field(0x44, 1, None));
    assert_eq!(of("Next"), field(0x48, 8, None));
    assert_eq!(of("u.Low"), field(0x50, 4, None));
    assert_eq!(of("Many"), field(0x58, 0x20, None));
    assert_eq!(of("Far"), field(0x78, 8, None));
    let grid = Kind::Array(Box::new(Kind::Array(Box::new(Kind::Scalar(4)), 3)), 4);
    assert!(profile.types["_OUTER"].members.iter().any(|m| m.name == "Grid" && m.kind == grid));
    assert_eq!(profile.symbols["Function"], 0x1010, "the public one counts");
    assert_eq!(profile.symbols["Variable"], 0x8020);
    assert_eq!(profile.symbols.len(), 2, "a symbol of no section has no address");
}

#[test]
fn the_largest_of_one_name() {
    let mut pdb = Pdb::new(GUID, 1, X64);
    let u4 = built_in("u4");
    for size in [0x700u64, 0xaf00, 0x100] {
        pdb.structure("_KPRCB", false, size, &[(size - 4, "Last", u4)]);
    }
    let profile = parse(&pdb.bytes()).unwrap();
    assert_eq!(profile.field("_KPRCB", "Last"), field(0xaefc, 4, None));
}

#[test]
fn unnamed_structures_stay_apart() {
    let mut pdb = Pdb::new(GUID, 1, X64);
    let u4 = built_in("u4");
    let first = pdb.structure("<unnamed-tag>", false, 8, &[(4, "A", u4)]);
    let second = pdb.structure("<unnamed-tag>", false, 16, &[(12, "B", u4)]);
    pdb.structure("_T", false, 24, &[(0, "x", first), (8, "y", second)]);
    let profile = parse(&pdb.bytes()).unwrap();
    assert_eq!(profile.field("_T", "x.A"), field(4, 4, None));
    assert_eq!(profile.field("_T", "y.B"), field(0x14, 4, None));
    assert_eq!(profile.field("_T", "x.B"), None);
}

#[test]
fn names_of_x86() {
    let mut pdb = Pdb::new(GUID, 1, 0x14c);
    pdb.section(0x1000);
    pdb.public("_PsLoadedModuleList", 1, 0).public("_NtClose@4", 1, 4).public("@Fast@8", 1, 8);
    pdb.public("Fast", 1, 0xc).public("?f@@YAXXZ", 1, 0x10);
    let symbols = parse(&pdb.bytes()).unwrap().symbols;
    let of = |name: &str| symbols.get(name).copied();
    assert_eq!((of("PsLoadedModuleList"), of("_PsLoadedModuleList")), (Some(0x1000), Some(0x1000)));
    assert_eq!((of("NtClose"), of("_NtClose@4")), (Some(0x1004), Some(0x1004)));
    assert_eq!(of("Fast"), Some(0x100c), "a name as it stands counts before a stripped one");
    assert_eq!(of("?f@@YAXXZ"), Some(0x1010));
    assert_eq!(parse(&pdb.bytes()).unwrap().pointer_size, 4);
}

#[test]
fn an_image_that_was_rearranged() {
    let mut pdb = Pdb::new(GUID, 1, X64);
    pdb.section(0x1000).section(0x9000);
    pdb.rearranged(&[0x1000, 0x2000], &[(0x1000, 0x9000), (0x1100, 0), (0x2000, 0x1000)]);
    pdb.public("Moved", 1, 0x10).public("Dropped", 1, 0x120).public("Other", 2, 8);
    let symbols = parse(&pdb.bytes()).unwrap().symbols;
    assert_eq!((symbols["Moved"], symbols["Other"], symbols.len()), (0x9010, 0x1008, 2));
}

#[test]
fn a_kernel_has_what_its_isf_file_has() {
    for (arch, build) in [(Arch::X64, Build::WIN10_19041), (Arch::X86, Build::WIN7_7601)] {
        let machine = Machine::new(arch, build);
        let profile = parse(&fixtures::pdb::bytes(&machine.facts)).unwrap();
        let expected = isf::parse(fixtures::isf::json(&machine.facts).as_bytes()).unwrap();
        assert_eq!((profile.id, profile.pointer_size), (expected.id, expected.pointer_size));
        let mut compared = 0;
        for (name, found) in &expected.types {
            assert_eq!(profile.types[name].size, found.size, "{name}");
            for member in found.members.iter().filter(|member| !member.name.is_empty()) {
                let path = member.name.as_str();
                let Some(field) = expected.field(name, path) else { continue };
                assert_eq!(profile.field(name, path), Some(field), "{name}.{path}");
                compared += 1;
            }
        }
        assert!(compared > 1000, "only {compared} members");
        for (name, rva) in expected.symbols.iter().filter(|symbol| *symbol.1 >= 0x1000) {
            assert_eq!(profile.symbols.get(name), Some(rva), "{name}");
        }
    }
}

#[test]
fn other_files_are_named() {
    let says = |bytes: &[u8], text: &str| {
        let error = parse(bytes).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    says(b"", "does not begin as one");
    says(b"MZ\x90\0", "does not begin as one");
    says(b"Microsoft C/C++ program database 2.00\r\n\x1a\x4a\x47\0\0", "old format 2.00");
    says(b"Microsoft MSFZ Container\r\n\x1aALD\0\0", "MSFZ");
    says(b"BSJB\x01\0\x01\0", "portable PDB");
    says(&sample().bytes()[..0x40], "directory");
    assert!(read(Path::new("no such file.pdb")).unwrap_err().to_string().contains("no such file.pdb"));
}
