//! ISF files made to do harm.

use super::*;
use std::{fs, path::PathBuf};

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("dumplake-isf-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn xz(bytes: &[u8], dictionary: u32) -> Vec<u8> {
    use std::io::Write;
    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.lzma_options.dict_size = dictionary;
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn nested_without_end() {
    let deep = "{\"kind\":\"array\",\"count\":4294967295,\"subtype\":".repeat(100_000);
    let json = format!(
        "{{\"base_types\":{{}},\"user_types\":{{\"_T\":{{\"size\":1,\"fields\":{{\"f\":{{\"offset\":0,\"type\":{deep}"
    );
    assert!(parse(json.as_bytes()).unwrap_err().to_string().contains("recursion"));
    let path = file("deep.json", format!("{{\"x\":{}", "[".repeat(1_000_000)).as_bytes());
    let error = identify(&path).unwrap_err().to_string();
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    assert!(error.contains("deep.json"), "{error}");
}

/// Arrays of arrays with counts whose product is no number.
#[test]
fn huge_counts() {
    let array = |inner: &str| format!("{{\"kind\":\"array\",\"count\":4294967295,\"subtype\":{inner}}}");
    let type_text = array(&array(&array("{\"kind\":\"base\",\"name\":\"u8\"}")));
    let field = |offset: &str| format!("\"f{offset}\":{{\"offset\":{offset},\"type\":{type_text}}}");
    let types = format!("{{\"_T\":{{\"size\":4294967295,\"fields\":{{{}}}}}}}", field("4294967295"));
    let json = format!("{{\"base_types\":{{\"u8\":{{\"size\":8}}}},\"user_types\":{types}}}");
    let profile = parse(json.as_bytes()).unwrap();
    assert_eq!(profile.field("_T", "f4294967295"), None);
    let negative = json.replace("\"offset\":4294967295", "\"offset\":-1");
    assert!(parse(negative.as_bytes()).is_err());
}

#[test]
fn more_than_fits() {
    let bomb = xz(&vec![b' '; 4 << 20], 1 << 20);
    assert!(bomb.len() < 10_000);
    let error = expand(bomb.as_slice(), 1 << 20).unwrap_err().to_string();
    assert!(error.contains("more than"), "{error}");
}

/// 12 bytes into the file is the block's header; its size of the dictionary is set to 4 GiB.
#[test]
fn a_dictionary_of_4_gib() {
    let mut file = xz(b"{}", 1 << 20);
    let header = &mut file[12..];
    let length = (usize::from(header[0]) + 1) * 4;
    let at = header[..length].windows(2).position(|pair| pair == [0x21, 1]).unwrap() + 2;
    header[at] = 40;
    let sum = crc32(&header[..length - 4]);
    header[length - 4..length].copy_from_slice(&sum.to_le_bytes());
    let error = expand(file.as_slice(), 1 << 20).unwrap_err().to_string();
    assert!(error.contains("memory"), "{error}");
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[test]
fn damaged_anywhere() {
    let json =
        fixtures::isf::json(&fixtures::Machine::new(fixtures::Arch::X86, fixtures::Build::WIN7_7601).facts);
    let whole = &json.as_bytes()[..20_000];
    for end in (0..whole.len()).step_by(997) {
        assert!(parse(&whole[..end]).is_err());
    }
    let packed = xz(whole, 1 << 16);
    for at in (0..packed.len()).step_by(13) {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x55;
        assert!(expand(damaged.as_slice(), 1 << 20).is_err() || at < 12);
    }
}
