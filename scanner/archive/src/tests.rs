//! Archives as other programs make them, and as enemies do.

use crate::{Kind, Limits, Member, expand, kind};
use std::{
    fs::{self, File},
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

const LIMITS: Limits = Limits { bytes: 64 << 20, ratio: 100, free: 1 << 20, members: 100 };

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("dumplake-archive-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("out")).unwrap();
        Scratch(folder)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn expand(&self, archive: &Path, limits: Limits) -> (Vec<Member>, Option<String>) {
        let out = self.0.join("out");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir_all(&out).unwrap();
        let expanded = expand(archive, &out, limits);
        // Nothing may lie anywhere but in the folder, under a number.
        let names = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name());
        for name in names.map(|name| name.into_string().unwrap()) {
            assert!(name.len() >= 6 && name[..6].bytes().all(|b| b.is_ascii_digit()), "{name}");
        }
        expanded
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Name and content of a member, or why there is none.
type Content = (String, Result<Vec<u8>, String>);

/// The members with their content.
fn content((members, end): (Vec<Member>, Option<String>)) -> (Vec<Content>, Option<String>) {
    let read = |member: Member| (member.name, member.file.map(|path| fs::read(path).unwrap()));
    (members.into_iter().map(read).collect(), end)
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn seven_zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    for (name, content) in members {
        let entry = sevenz_rust2::ArchiveEntry::new_file(name);
        writer.push_archive_entry(entry, Some(*content)).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    xz.write_all(content).unwrap();
    xz.finish().unwrap()
}

/// Something with structure: text, then zeros, then numbers.
fn sample() -> Vec<u8> {
    let mut bytes = b"a dump".repeat(1000);
    bytes.resize(300_000, 0);
    bytes.extend((0..50_000u32).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()));
    bytes
}

#[test]
fn every_kind_gives_its_members() {
    let (scratch, sample) = (Scratch::new("kinds"), sample());
    let two: [(&str, &[u8]); 2] = [("monday/MEMORY.DMP", &sample), ("note", b"hello")];
    let expected = |name: &str| (vec![(name.to_string(), Ok(sample.clone()))], None);
    for (name, packed, of) in [
        ("MEMORY.DMP.gz", gzip(&sample), Kind::Gzip),
        ("MEMORY.DMP.xz", xz(&sample), Kind::Xz),
        ("MEMORY.DMP.zst", zstd::stream::encode_all(&sample[..], 1).unwrap(), Kind::Zstd),
    ] {
        let path = scratch.file(name, &packed);
        assert_eq!(kind(&path).unwrap(), Some(of));
        assert!(content(scratch.expand(&path, LIMITS)) == expected("MEMORY.DMP"), "{name}");
    }
    for (name, packed, of) in
        [("case.zip", zip(&two), Kind::Zip), ("case.7z", seven_zip(&two), Kind::SevenZip)]
    {
        let path = scratch.file(name, &packed);
        assert_eq!(kind(&path).unwrap(), Some(of));
        let (members, end) = content(scratch.expand(&path, LIMITS));
        assert_eq!(end, None);
        let all: Vec<(&str, &[u8])> =
            members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_deref().unwrap())).collect();
        assert!(all == two, "{name}");
    }
}

#[test]
fn what_is_no_archive() {
    let scratch = Scratch::new("none");
    for (name, bytes) in
        [("a.zip", &b"MZ"[..]), ("a.docx", b"PK\x03\x04"), ("empty.gz", b""), ("gz", b"\x1f\x8b")]
    {
        assert_eq!(kind(&scratch.file(name, bytes)).unwrap(), None, "{name}");
    }
    assert_eq!(kind(&scratch.0.join("out")).unwrap(), None);
}

#[test]
fn names_are_no_paths() {
    let scratch = Scratch::new("names");
    let names =
        ["../../up.dmp", "/etc/passwd", "C:\\x\\y.dmp", "a.\u{1b}[2J", "x.d/../m", "pair.vmem", "pair.vmss"];
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, name.as_bytes())).collect();
    for (archive, packed) in [("n.zip", zip(&members)), ("n.7z", seven_zip(&members))] {
        let (found, end) = scratch.expand(&scratch.file(archive, &packed), LIMITS);
        assert_eq!((found.len(), end), (names.len(), None), "{archive}");
        let told: Vec<&str> = found.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(told, names, "{archive}");
        let path =
            |name: &str| found.iter().find(|member| member.name == name).unwrap().file.clone().unwrap();
        assert_eq!(fs::read(path("/etc/passwd")).unwrap(), b"/etc/passwd");
        // The two files of one dump stay beside each other.
        assert_eq!(path("pair.vmem").with_extension("vmss"), path("pair.vmss"));
        assert!(!scratch.0.join("up.dmp").exists());
    }
}

#[test]
fn bombs_are_given_up() {
    let scratch = Scratch::new("bombs");
    let zeros = vec![0; 16 << 20];
    let small = Limits { bytes: 4 << 20, ..LIMITS };
    for (name, packed) in [
        ("b.gz", gzip(&zeros)),
        ("b.xz", xz(&zeros)),
        ("b.zst", zstd::stream::encode_all(&zeros[..], 1).unwrap()),
        ("b.zip", zip(&[("a", &zeros)])),
        ("b.7z", seven_zip(&[("a", &zeros)])),
    ] {
        let path = scratch.file(name, &packed);
        let (members, end) = scratch.expand(&path, LIMITS);
        assert!(end.as_deref().is_some_and(|why| why.contains("100 times its size")), "{name}: {end:?}");
        assert!(members.len() == 1 && members[0].file.is_err(), "{name}");
        let (_, end) = scratch.expand(&path, Limits { ratio: u64::MAX, ..small });
        assert!(end.as_deref().is_some_and(|why| why.contains("more than 4 MiB")), "{name}: {end:?}");
        assert_eq!(fs::read_dir(scratch.0.join("out")).unwrap().count(), 0, "{name}");
    }
    let many: Vec<(&str, &[u8])> = ["a", "b", "c"].map(|name| (name, &b"x"[..])).to_vec();
    let (members, end) = scratch.expand(&scratch.file("m.zip", &zip(&many)), Limits { members: 2, ..LIMITS });
    assert_eq!((members.len(), end.as_deref()), (2, Some("more than 2 members")));
}

/// Cut or changed anywhere: an end in words, and no file that is not whole but by its own check.
#[test]
fn damage_costs_what_is_damaged() {
    let (scratch, sample) = (Scratch::new("damage"), sample());
    let two: [(&str, &[u8]); 2] = [("first", &sample[..9000]), ("second", &sample)];
    for (name, packed) in [
        ("d.gz", gzip(&sample)),
        ("d.xz", xz(&sample)),
        ("d.zst", zstd::stream::encode_all(&sample[..], 1).unwrap()),
        ("d.zip", zip(&two)),
        ("d.7z", seven_zip(&two)),
    ] {
        for cut in [1, 7, packed.len() / 2, packed.len() - 3] {
            let (members, end) = scratch.expand(&scratch.file(name, &packed[..cut]), LIMITS);
            let bad = members.iter().any(|member| member.file.is_err());
            assert!(end.is_some() || bad, "{name} cut at {cut}");
        }
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..60 {
            let mut packed = packed.clone();
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(11);
            let at = (random >> 20) as usize % packed.len();
            packed[at] ^= (random >> 50) as u8 | 1;
            let _ = scratch.expand(&scratch.file(name, &packed), LIMITS); // no panic, no endless file
        }
    }
    // One bad member of two: the second one of a zip is found by the directory at its end.
    let mut packed = zip(&two);
    packed[2000] ^= 0xff;
    let (members, _) = scratch.expand(&scratch.file("one.zip", &packed), LIMITS);
    assert_eq!(members.iter().filter(|member| member.file.is_ok()).count(), 1, "{members:?}");
}

#[test]
fn a_scratch_folder_that_is_not_there() {
    let scratch = Scratch::new("gone");
    let path = scratch.file("a.gz", &gzip(b"a"));
    let (members, end) = expand(&path, &scratch.0.join("nowhere"), LIMITS);
    assert!(members.iter().all(|member| member.file.is_err()));
    assert!(end.unwrap().contains("scratch folder"));
    drop(File::open(path));
}
