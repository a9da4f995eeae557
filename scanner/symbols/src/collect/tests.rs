//! Public sources against each other: C headers, ISF files and rekall profiles of the same kernels.

use super::{archives, headers, kernels, rekall};
use crate::{Field, Kind, Layouts, PdbId, Profile, Wanted, WantedType, isf, pack};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Headers of a version, and the ISF file of the very same kernel. 19045 is file version 19041.
const SAME: [(&str, &str); 5] = [
    ("10.0.18362.30", "35A038B1F6E2E8CAF642111E6EC66F57-1"),
    ("10.0.19041.508", "641F55C592201DCC4F59FACC72EA54DA-1"),
    ("10.0.19041.928", "769C521E4833ECF72E21F02BF33691A5-1"),
    ("10.0.19041.1288", "CA8E2F01B822EDE6357898BFBF862997-1"),
    ("10.0.19045.2965", "89284D0CA6ACC8274B9A44BD5AF9290B-1"),
];

/// Headers of a version, the ISF file of the next revision that there is, and how many fields of [`CORE`] differ:
/// all of them lie behind a structure that grew, or were moved to the end.
const NEAR: [(&str, &str, usize); 5] = [
    // .24540: KTHREAD grew for the update that separates page tables, so that all of ETHREAD behind it moved.
    ("6.1.7601.17514", "339E74133576439CBCDF7E0229DA3773-1", 98),
    // .19913: MMSUPPORT, which EPROCESS holds, grew, and three fields behind it gave way.
    ("6.3.9600.17415", "22597D0B40394E23936F6A24C6C52D5B-1", 4),
    // .4583: the same, and what is behind it moved; KPROCESS lost its LDT.
    ("10.0.14393.0", "517E128F7B7C4EA79491DE6B9B9CE190-1", 86),
    // .379 and .318.
    ("10.0.17763.107", "8B11040A5928757B11390AC78F6B6925-1", 0),
    ("10.0.22000.194", "32C1A669D5FFEFD41091F636CFDB6E99-1", 0),
];

/// What everything that is read from a dump rests on.
const CORE: [&str; 10] = [
    "_EPROCESS",
    "_ETHREAD",
    "_KTHREAD",
    "_KPROCESS",
    "_OBJECT_HEADER",
    "_HANDLE_TABLE",
    "_FILE_OBJECT",
    "_DRIVER_OBJECT",
    "_MMVAD",
    "_MMVAD_SHORT",
];

/// Kernels from 19041 on have these twice; the headers have the short public form.
const SHORT: [&str; 3] = ["_KPCR", "_KPRCB", "_DRIVER_EXTENSION"];

/// Folders of collections; `None` if one is absent.
fn shared<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/symbols");
    let paths = names.map(|name| root.join(name));
    let missing = paths.iter().find(|path| !path.is_dir());
    if let Some(missing) = missing {
        eprintln!("skipped: there is no {}", missing.display());
    }
    missing.is_none().then_some(paths)
}

/// The headers of a collection by `version-architecture`.
fn all_headers(folder: &Path) -> HashMap<String, String> {
    let files = archives::members(&folder.join("vergilius-headers.tar.xz")).unwrap().into_iter();
    let named = |(name, text): (String, String)| {
        Some((name.strip_prefix("bindings-")?.strip_suffix(".h")?.to_string(), text))
    };
    files.filter_map(named).collect()
}

fn isf_file(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("ntkrnlmp.pdb/{id}.json.xz"))
}

/// Every field of a structure by path, down into structures that are defined in it.
fn paths(profile: &Profile, type_name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for member in &profile.types[type_name].members {
        found.push(member.name.clone());
        if let Kind::Struct(inner) = &member.kind
            && inner.starts_with('<')
        {
            found.extend(paths(profile, inner).into_iter().map(|path| format!("{}.{path}", member.name)));
        }
    }
    found
}

/// A field that two sources have at different places, or only the first has.
type Difference = (String, Field, Option<Field>);

/// How many fields were compared, and those that differ. The headers do not state the sizes of structures that are
/// defined in others, so of those only the offset counts.
fn compare(a: &Profile, b: &Profile, type_name: &str) -> (usize, Vec<Difference>) {
    let fields = paths(a, type_name).into_iter().filter_map(|path| {
        let (ours, theirs) = (a.field(type_name, &path)?, b.field(type_name, &path));
        Some((format!("{type_name}.{path}"), ours, theirs))
    });
    let all: Vec<Difference> = fields.collect();
    let inner = |path: &str| all.iter().any(|(other, ..)| other.starts_with(&format!("{path}.")));
    let same = |(path, ours, theirs): &&Difference| {
        theirs.is_some_and(|theirs| theirs == *ours || (theirs.offset == ours.offset && inner(path)))
    };
    let differ = all.iter().filter(|field| !same(field)).cloned();
    (all.len(), differ.collect())
}

/// A line a difference: path, place, the other place.
fn listed(differ: &[Difference]) -> String {
    let place = |field: &Field| format!("{:#x}+{:#x} {:?}", field.offset, field.size, field.bits);
    let line = |(path, ours, theirs): &Difference| {
        format!("\n  {path} {} | {}", place(ours), theirs.as_ref().map_or("none".into(), place))
    };
    differ.iter().map(line).collect()
}

#[test]
fn every_field_of_the_same_kernel() {
    let Some([folder, isfs]) = shared(["vergilius-headers", "jpcert-isf"]) else { return };
    let texts = all_headers(&folder);
    for (version, id) in SAME {
        let ours = headers::parse(&texts[&format!("{version}-x64")], 8);
        let theirs = isf::read(&isf_file(&isfs, id)).unwrap();
        let both: Vec<&String> = ours.types.keys().filter(|name| theirs.types.contains_key(*name)).collect();
        assert!(both.len() > 1200, "{version}: {} structures", both.len());
        let (mut fields, mut differ) = (0, Vec::new());
        for name in both {
            let (compared, different) = compare(&ours, &theirs, name);
            fields += compared;
            differ.extend(different);
            let sizes = [&ours, &theirs].map(|profile| profile.types[name].size);
            assert!(sizes[0] == sizes[1] || SHORT.contains(&name.as_str()), "{version}: {name} {sizes:x?}");
        }
        println!("{version}: {fields} fields, {} differ", differ.len());
        assert!(fields > 12_000 && differ.is_empty(), "{version}:{}", listed(&differ));
    }
}

#[test]
fn core_structures_of_neighbouring_revisions() {
    let Some([folder, isfs]) = shared(["vergilius-headers", "jpcert-isf"]) else { return };
    let texts = all_headers(&folder);
    for (version, id, moved) in NEAR {
        let ours = headers::parse(&texts[&format!("{version}-x64")], 8);
        let theirs = isf::read(&isf_file(&isfs, id)).unwrap();
        let (mut fields, mut differ) = (0, Vec::new());
        for name in CORE {
            let (compared, different) = compare(&ours, &theirs, name);
            fields += compared;
            differ.extend(different);
        }
        println!("{version}: {fields} fields, {} differ:{}", differ.len(), listed(&differ));
        assert!(fields > 400 && differ.len() == moved, "{version}");
        for (path, ours, theirs) in differ {
            assert!(theirs.is_none_or(|theirs| theirs.bits == ours.bits), "{version}: other bits of {path}");
        }
    }
}

/// Windows XP: SP2 from rekall, SP3 without PAE from headers. Page table entries and what holds them differ by PAE;
/// the registry, power management and `_EX_PUSH_LOCK_CACHE_AWARE` by service pack and number of processors.
#[test]
fn windows_xp() {
    let Some([folder, libvmi]) = shared(["vergilius-headers", "libvmi"]) else { return };
    let headers = headers::parse(&all_headers(&folder)["5.1.2600.5512-x86"], 4);
    for (file, moved) in [
        ("ntkrnlpa.pdb.bd8f451f3e754ed8a34b50560ceb08e31.rekall.json.xz", 105),
        ("ntoskrnl.pdb.32962337f0f646388b39535cd8dd70e82.rekall.json.xz", 18),
    ] {
        let found = rekall::read(&libvmi.join(file)).unwrap();
        let (mut fields, mut differ) = (0, Vec::new());
        for name in found.profile.types.keys().filter(|name| headers.types.contains_key(*name)) {
            let (compared, different) = compare(&headers, &found.profile, name);
            fields += compared;
            differ.extend(different);
        }
        println!("{file}: {fields} fields, {} differ:{}", differ.len(), listed(&differ));
        assert!(fields > 4300 && differ.len() == moved, "{file}");
        let core =
            differ.iter().filter(|(path, ..)| CORE.iter().any(|name| path.starts_with(&format!("{name}."))));
        assert!(core.map(|(path, ..)| path).all(|path| path == "_EPROCESS.PageDirectoryPte"), "{file}");
        assert_eq!(found.ids.len(), 2, "the age of the image and that of the PDB file");
        assert!(found.profile.symbols.contains_key("PsActiveProcessHead"));
    }
}

fn wanted() -> Wanted {
    let fields = &["Pcb", "UniqueProcessId", "ActiveProcessLinks", "ImageFileName", "Pcb.DirectoryTableBase"];
    let flags = &["u.VadFlags.VadType", "StartingVpn"];
    let types = [("_EPROCESS", &fields[..]), ("_MMVAD_SHORT", &flags[..])];
    let types = types.map(|(name, fields)| WantedType { name, fields }).to_vec();
    Wanted { types, symbols: vec!["PsActiveProcessHead", "PsLoadedModuleList", "MiState"] }
}

#[test]
fn through_the_pack_and_back() {
    let Some([isfs]) = shared(["jpcert-isf"]) else { return };
    let versions = super::versions(&[isfs.join("guid_version.json")]).unwrap();
    let (mut packed, mut expected) = (Vec::new(), Vec::new());
    for id in [NEAR[0].1, NEAR[2].1, SAME[4].1] {
        let file = isf_file(&isfs, id);
        packed.extend(kernels::of_isf(&file, &versions, &wanted()).unwrap());
        expected.push((id.parse::<PdbId>().unwrap(), Layouts::of(&isf::read(&file).unwrap(), &wanted())));
    }
    let bytes = pack::build(packed, Vec::new()).unwrap();
    let pack = pack::Pack::parse(&bytes).unwrap();
    for (id, layouts) in expected {
        assert!(layouts.types.len() == 2 && layouts.symbols.len() >= 2, "{id}");
        assert_eq!(pack.exact(id).unwrap().0, layouts, "{id}");
    }
}
