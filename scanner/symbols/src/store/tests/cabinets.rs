//! Compressed files: right ones, damaged ones, and ones that expand without end.

use super::super::expand::{one_file, one_file_up_to};
use cab::CompressionType;
use std::io::{Cursor, Write};

/// A cabinet with these files.
pub fn cabinet(files: &[(&str, &[u8])], compression: CompressionType) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    let folder = builder.add_folder(compression);
    for (name, _) in files {
        folder.add_file(*name);
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    let mut contents = files.iter();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(contents.next().unwrap().1).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn one_file_only() {
    let two = cabinet(&[("a", b"1"), ("b", b"2")], CompressionType::None);
    assert!(one_file(&two).unwrap_err().to_string().contains("exactly one"));
    let tricky = cabinet(&[("..\\..\\evil.exe", b"text")], CompressionType::MsZip);
    assert_eq!(one_file(&tricky).unwrap(), b"text", "the name inside is not used");
}

#[test]
fn bombs() {
    let bomb = cabinet(&[("a", &vec![0; 8 << 20])], CompressionType::MsZip);
    assert!(bomb.len() < 100_000);
    assert!(one_file_up_to(&bomb, 1 << 20).unwrap_err().to_string().contains("expands to more"));
}

#[test]
fn damaged_anywhere() {
    let text: Vec<u8> = (0..40_000u32).flat_map(|n| (n * n).to_le_bytes()).collect();
    for compression in [CompressionType::None, CompressionType::MsZip] {
        let whole = cabinet(&[("a", &text)], compression);
        assert_eq!(one_file(&whole).unwrap(), text);
        for end in (0..whole.len()).step_by(whole.len() / 60) {
            assert_ne!(one_file(&whole[..end]).ok().as_deref(), Some(text.as_slice()));
        }
        for at in (0..200).chain((200..whole.len()).step_by(whole.len() / 100)) {
            for value in [0, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = one_file_up_to(&damaged, 1 << 20);
            }
        }
    }
}
