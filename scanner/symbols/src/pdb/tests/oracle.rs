//! The same files read by the crate `pdb2`.

use super::*;
use pdb2::{FallibleIterator, SymbolData, TypeData};
use std::{collections::HashMap, io::Cursor as File, path::PathBuf};

/// Sizes of structures by name, the largest of each; offsets of members by structure and name.
type Types = (HashMap<String, u64>, Vec<(String, String, u64)>);

fn types_by_pdb2(bytes: &[u8]) -> Types {
    let mut pdb = pdb2::PDB::open(File::new(bytes)).unwrap();
    let stream = pdb.type_information().unwrap();
    let mut finder = stream.finder();
    let mut found = Vec::new();
    let mut types = stream.iter();
    while let Some(record) = types.next().unwrap() {
        finder.update(&types);
        let (name, size, fields, properties) = match record.parse() {
            Ok(TypeData::Class(c)) => (c.name, c.size, c.fields, c.properties),
            Ok(TypeData::Union(u)) => (u.name, u.size, Some(u.fields), u.properties),
            _ => continue,
        };
        if !properties.forward_reference() && !name.as_bytes().contains(&b'<') {
            found.push((name.to_string().into_owned(), size, fields));
        }
    }
    let mut sizes: HashMap<String, u64> = HashMap::new();
    for (name, size, _) in &found {
        let known = sizes.entry(name.clone()).or_default();
        *known = (*known).max(*size);
    }
    let mut members = Vec::new();
    for (name, size, mut fields) in found {
        while let Some(list) = fields.take().filter(|_| sizes[&name] == size) {
            let Ok(TypeData::FieldList(list)) = finder.find(list).and_then(|item| item.parse()) else {
                break;
            };
            for field in list.fields {
                if let TypeData::Member(m) = field {
                    members.push((name.clone(), m.name.to_string().into_owned(), m.offset));
                }
            }
            fields = list.continuation;
        }
    }
    (sizes, members)
}

fn publics_by_pdb2(bytes: &[u8]) -> Vec<(String, Option<u32>)> {
    let mut pdb = pdb2::PDB::open(File::new(bytes)).unwrap();
    let map = pdb.address_map().unwrap();
    let symbols = pdb.global_symbols().unwrap();
    let mut found = Vec::new();
    let mut all = symbols.iter();
    while let Some(symbol) = all.next().unwrap() {
        if let Ok(SymbolData::Public(public)) = symbol.parse() {
            found.push((public.name.to_string().into_owned(), public.offset.to_rva(&map).map(|rva| rva.0)));
        }
    }
    found
}

fn compare(what: &str, bytes: &[u8]) -> usize {
    let profile = parse(bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut pdb = pdb2::PDB::open(File::new(bytes)).unwrap();
    let id = profile.id.unwrap();
    let info = pdb.pdb_information().unwrap();
    let debug = pdb.debug_information().unwrap();
    let guid = info.guid.simple().to_string().to_uppercase();
    assert_eq!((id.guid_text(), Some(id.age)), (guid, debug.age()), "{what}");
    let (sizes, members) = types_by_pdb2(bytes);
    for (name, size) in &sizes {
        assert_eq!(profile.types.get(name).map(|found| found.size.into()), Some(*size), "{what}: {name}");
    }
    for (name, member, offset) in &members {
        let known = &profile.types[name].members;
        let same = known.iter().any(|m| m.name == *member && u64::from(m.offset) == *offset);
        assert!(same, "{what}: {name}.{member} at {offset:#x}");
    }
    let publics = publics_by_pdb2(bytes);
    for (name, rva) in &publics {
        let several: Vec<u32> = publics.iter().filter(|p| p.0 == *name).filter_map(|p| p.1).collect();
        let known = profile.symbols.get(name);
        assert!(known.map_or(rva.is_none(), |known| several.contains(known)), "{what}: {name} {rva:x?}");
    }
    sizes.len() + members.len() + publics.len()
}

#[test]
fn synthetic_files() {
    compare("sample", &sample().bytes());
    for (arch, build) in [(Arch::X64, Build::WIN10_19041), (Arch::X86, Build::WIN10_19041)] {
        let machine = Machine::new(arch, build);
        assert!(compare("kernel", &fixtures::pdb::bytes(&machine.facts)) > 1000);
    }
}

/// Files of Microsoft's linker, of three architectures.
#[test]
fn public_files() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/symbols/msseh-fixtures");
    let Ok(architectures) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: no {}", folder.display());
        return;
    };
    let files =
        architectures.flatten().flat_map(|a| std::fs::read_dir(a.path()).into_iter().flatten().flatten());
    let (mut compared, mut lists) = (0, 0);
    for path in files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "pdb")) {
        let bytes = std::fs::read(&path).unwrap();
        compared += compare(&path.display().to_string(), &bytes);
        let profile = parse(&bytes).unwrap();
        let pointer = u32::from(profile.pointer_size);
        if profile.types.contains_key("_LIST_ENTRY") {
            assert_eq!(
                profile.field("_LIST_ENTRY", "Blink"),
                field(pointer, pointer, None),
                "{}",
                path.display()
            );
            lists += 1;
        }
    }
    assert!(compared > 1000 && lists > 0, "only {compared} facts, {lists} lists");
}
