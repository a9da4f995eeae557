//! Folders filled in every way that is known, with right, wrong and damaged files.

mod cabinets;
mod downloads;
mod server;

use super::*;
use fixtures::pdb::Pdb;
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

pub const NAME: &str = "ntkrnlmp.pdb";
const X64: u16 = 0x8664;

pub fn id() -> PdbId {
    PdbId { guid: *b"\xf8\xaf\x78\x52\x34\x6c\x77\x16\xd7\xd7\x83\x5c\x85\xb7\xb8\x44", age: 11 }
}

/// The bytes of a PDB with one structure.
pub fn pdb_of(id: PdbId) -> Vec<u8> {
    let mut pdb = Pdb::new(id.guid, id.age, X64);
    pdb.structure("_T", false, 8, &[(4, "Member", Pdb::built_in("u4").unwrap())]);
    pdb.section(0x1000).public("Symbol", 1, 8);
    pdb.bytes()
}

fn isf_json(id: PdbId) -> String {
    let pdb = format!("{{\"GUID\":\"{}\",\"age\":{},\"database\":\"x\"}}", id.guid_text(), id.age);
    format!("{{\"metadata\":{{\"windows\":{{\"pdb\":{pdb}}}}},\"base_types\":{{}},\"user_types\":{{}}}}")
}

/// A folder of its own, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("dumplake-store-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn put(&self, at: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(at);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn path(&self) -> SymbolPath {
        SymbolPath::from_option(self.0.to_str().unwrap(), None).unwrap()
    }

    fn find(&self) -> Result<Option<Found>> {
        self.path().find(NAME, id(), &Options::default())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_place_in_a_folder() {
    let (key, pdb, json) = (id().server_key(), pdb_of(id()), isf_json(id()));
    assert!(key.ends_with("844B"), "the age of a server's key is hexadecimal");
    let check = |at: &str, bytes: &[u8], kind: FileKind, also: &[&str]| {
        let folder = Folder::new();
        also.iter().for_each(|other| drop(folder.put(other, "")));
        let path = folder.put(at, bytes);
        let found = folder.find().unwrap_or_else(|e| panic!("{at}: {e}")).unwrap_or_else(|| panic!("{at}"));
        assert_eq!((found.kind, found.forced, found.problems.len()), (kind, false, 0), "{at}");
        assert_eq!((found.origin, found.profile.id), (path.display().to_string(), Some(id())));
    };
    let pdb_at = |at: &str| check(at, &pdb, FileKind::Pdb, &[]);
    pdb_at(&format!("{NAME}/{key}/{NAME}"));
    pdb_at(&format!("NTKRNLMP.PDB/{}/ntkrnlmp.PDB", key.to_lowercase()));
    pdb_at(NAME);
    check(&format!("nt/{NAME}/{key}/{NAME}"), &pdb, FileKind::Pdb, &["index2.txt"]);
    let cabinet = cabinets::cabinet(&[("ntkrnlmp.pdb", &pdb)], cab::CompressionType::MsZip);
    check(&format!("{NAME}/{key}/ntkrnlmp.pd_"), &cabinet, FileKind::Pdb, &[]);
    check("ntkrnlmp.pd_", &cabinet, FileKind::Pdb, &[]);
    let isf_at = |at: &str| check(at, json.as_bytes(), FileKind::Isf, &[]);
    isf_at(&format!("{NAME}/{}.json", id()));
    isf_at(&format!("windows/{NAME}/{}.json", id()));
    isf_at(&format!("symbols/windows/{NAME}/{}.json", id()));
    isf_at("kernel.json");
    isf_at(&format!("{}.json", id()));
    let other = "0".repeat(32) + "-1.json";
    check("zz.json", json.as_bytes(), FileKind::Isf, &[&other, "broken.json"]);
}

#[test]
fn files_and_paths() {
    let (near, right) = (Folder::new(), Folder::new());
    let file = right.put("my kernel.pdb", pdb_of(id()));
    let path = SymbolPath::from_option(file.to_str().unwrap(), None).unwrap();
    assert!(path.find(NAME, id(), &Options::default()).unwrap().is_some(), "a file named by the user");

    let other = PdbId { age: 12, ..id() };
    near.put(NAME, pdb_of(other));
    let mut path = near.path();
    path.append(path.clone());
    path.append(SymbolPath::parse(&format!("/no/such/place;cache*{}", right.0.display()), None).unwrap());
    right.put(&format!("{NAME}/{}/{NAME}", id().server_key()), pdb_of(id()));
    let found = path.find(NAME, id(), &Options { force: true, ..Options::default() }).unwrap().unwrap();
    assert!(
        !found.forced && found.problems[0].contains("near match"),
        "the right one counts, even if forced"
    );
}

#[test]
fn nothing_there() {
    let folder = Folder::new();
    folder.put("ntkrnlmp.txt", "");
    fs::create_dir_all(folder.0.join(NAME)).unwrap();
    assert!(folder.find().unwrap().is_none());
}

#[test]
fn another_build_is_refused_or_forced() {
    let other = PdbId { guid: [7; 16], age: 1 };
    let at = format!("{NAME}/{}/{NAME}", id().server_key());
    for at in [at.as_str(), NAME] {
        let folder = Folder::new();
        folder.put(at, pdb_of(other));
        let error = folder.find().unwrap_err().to_string();
        for part in [id().to_string(), other.to_string(), "near match refused".into()] {
            assert!(error.contains(&part), "{error}");
        }
        let found =
            folder.path().find(NAME, id(), &Options { force: true, ..Options::default() }).unwrap().unwrap();
        assert_eq!((found.forced, found.profile.id), (true, Some(other)));
        assert_eq!(found.problems.len(), 1);
        for (part, has) in [(other.to_string(), true), ("forced".into(), true), ("refused".into(), false)] {
            assert_eq!(found.problems[0].contains(&part), has, "{:?}", found.problems);
        }
    }
}

#[test]
fn damaged_files_are_reported() {
    let folder = Folder::new();
    folder.put(NAME, &pdb_of(id())[..0x2000]);
    let error = folder.find().unwrap_err().to_string();
    assert!(error.contains("not a readable PDB") && error.contains(NAME), "{error}");
    folder.put(&format!("windows/{NAME}/{}.json", id()), isf_json(id()));
    assert_eq!(
        folder.find().unwrap().unwrap().kind,
        FileKind::Isf,
        "a damaged file does not hide a good one"
    );
}

#[test]
fn names_of_a_dump_never_leave_the_folder() {
    let folder = Folder::new();
    folder.put(NAME, pdb_of(id()));
    let inner = folder.0.join("inner");
    fs::create_dir_all(&inner).unwrap();
    let path = SymbolPath::from_option(inner.to_str().unwrap(), None).unwrap();
    for name in
        ["../ntkrnlmp.pdb", "..\\ntkrnlmp.pdb", "/etc/passwd", "", "a/b", "x:y", "nul.pdb", "..", "\0"]
    {
        assert!(path.find(name, id(), &Options::default()).is_err(), "{name:?}");
    }
}
