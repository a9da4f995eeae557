//! What becomes of a file that the user names, and of what a dump states itself.

use super::*;
use crate::{Kind, Member, Profile, Type, WantedType};

const WANTED: [WantedType; 1] = [WantedType { name: "_T", fields: &["A", "B"] }];

fn found(forced: bool, architecture: Option<&'static str>) -> Found {
    let member = |name: &str, offset| Member { name: name.into(), offset, kind: Kind::Scalar(8) };
    let mut profile = Profile { architecture, pointer_size: 8, ..Profile::default() };
    profile.add("_T".into(), Type { size: 0x20, members: vec![member("A", 8), member("B", 0x10)] });
    profile.symbols.insert("S".into(), 0x1000);
    Found { profile, origin: "f.pdb".into(), kind: FileKind::Pdb, forced, problems: Vec::new() }
}

fn wanted() -> Wanted {
    Wanted { types: WANTED.to_vec(), symbols: vec!["S"] }
}

#[test]
fn a_forced_file_of_another_architecture_is_refused() {
    for (forced, theirs, taken) in
        [(true, Some("x86"), false), (true, Some("x64"), true), (true, None, true), (false, None, true)]
    {
        let choice = chosen(found(forced, theirs), OF_ANOTHER, "x64", &wanted());
        assert_eq!(!choice.source.is_empty(), taken, "{theirs:?}");
        assert_eq!(choice.layouts.types.is_empty(), !taken, "{theirs:?}");
        assert_eq!(choice.notes.len(), usize::from(!taken), "{:?}", choice.notes);
    }
}

#[test]
fn what_the_dump_states_counts_before_a_forced_file() {
    let mut choice = chosen(found(true, Some("x64")), OF_ANOTHER, "x64", &wanted());
    assert!(choice.layouts.symbols.is_empty());
    corrected(&mut choice, &[Known { type_name: "_T", path: "A", value: 0x18 }]);
    assert_eq!(choice.layouts.field("_T", "A").map(|field| field.offset), Some(0x18));
    assert!(choice.notes[0].contains("so it is read there"), "{:?}", choice.notes);
    assert_eq!(choice.layouts.field("_T", "B"), None, "it may have moved too");
    let mut choice = chosen(found(true, Some("x64")), OF_ANOTHER, "x64", &wanted());
    let known = [("A", 8), ("B", 0x18)].map(|(path, value)| Known { type_name: "_T", path, value });
    corrected(&mut choice, &known);
    assert_eq!(choice.layouts.field("_T", "A").map(|field| field.offset), Some(8), "confirmed");
    assert_eq!(choice.layouts.field("_T", "B").map(|field| field.offset), Some(0x18));
}

/// An exact file is believed, and the note must not say otherwise.
#[test]
fn a_doubt_about_an_exact_file_changes_nothing() {
    let choice = chosen(found(false, Some("x64")), OF_ANOTHER, "x64", &wanted());
    let notes = doubts(&choice.layouts, &[Known { type_name: "_T", path: "A", value: 0x18 }], "PDB");
    assert!(notes[0].contains("0x18") && !notes[0].contains("read there"), "{notes:?}");
}

/// A PDB whose frame data cannot be read is read once: that it was taken away since changes nothing.
#[test]
fn a_failing_pdb_is_read_once() {
    use fixtures::{
        pdb::Pdb,
        stack::function::{Piece, Rule},
    };
    let mut file = Pdb::new([7; 16], 1, 0x14c);
    let rule = Rule::Program("$eip $esp ^ = $esp $esp 4 + =".into());
    let piece = Piece { begin: 0, end: 0x10, locals: 0, params: 0, prologue: 0, saved: 0, rule };
    let good = file.section(0x1000).frame(0, true, piece).bytes();
    let mut bytes = good.clone();
    // The length of the table of strings, behind its signature and version.
    let table = bytes.windows(4).position(|word| word == [0xfe, 0xef, 0xfe, 0xef]).unwrap();
    bytes[table + 8..][..4].fill(0xff);
    let folder = std::env::temp_dir().join(format!("dumplake-failing-pdb-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("failing.pdb");
    let id = crate::pdb::identify(&bytes).unwrap();
    let library = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Library::new(
            SymbolPath::from_option(folder.to_str().unwrap(), None).unwrap(),
            Options::default(),
            None,
        )
    };
    assert!(library(&good).frames("failing.pdb", id).unwrap().is_some(), "as it should be");
    let library = library(&bytes);
    let failure = |name: &str| library.frames(name, id).err();
    let first = failure("failing.pdb");
    assert!(first.as_ref().is_some_and(|error| error.0.contains("failing.pdb")), "{first:?}");
    std::fs::remove_dir_all(&folder).unwrap();
    // Whatever path a dump names in front of it.
    assert_eq!(failure(r"C:\build\failing.pdb"), first);
}
