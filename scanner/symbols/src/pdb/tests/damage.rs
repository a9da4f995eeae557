//! Damaged files and files made to do harm: an error or a poorer profile, soon, and never a panic.

use super::*;
use std::time::{Duration, Instant};

/// Steps of a generator of numbers (xorshift), the same in every run.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as usize
}

#[test]
fn cut_off_anywhere() {
    let whole = sample().bytes();
    for end in (0..whole.len()).step_by(61) {
        let _ = parse(&whole[..end]);
        let _ = identify(&whole[..end]);
    }
}

#[test]
fn bytes_replaced() {
    let whole = sample().bytes();
    let used: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] != 0).collect();
    let start = Instant::now();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + random(&mut state) % 4 {
            let at = used[random(&mut state) % used.len()];
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random(&mut state) as u8][random(&mut state) % 6];
        }
        read += usize::from(parse(&bytes).is_ok());
    }
    assert!(read > 1000, "only {read} of the files could still be read");
    assert!(start.elapsed() < Duration::from_secs(120));
}

/// Lists that continue each other in a circle, or that many structures share, are refused instead of expanded.
#[test]
fn circles_and_bombs() {
    let mut pdb = Pdb::new(GUID, 1, X64);
    let continues = |to: u32| [&0x1404u16.to_le_bytes()[..], &[0, 0], &to.to_le_bytes()].concat();
    let circle = pdb.record(0x1203, &[&continues(0x1001)]);
    pdb.record(0x1203, &[&continues(0x1000)]);
    let head = [&[0u8; 4][..], &circle.to_le_bytes(), &[0; 8], &[4, 0], b"_CIRCLE\0"].concat();
    pdb.record(0x1505, &[&head]);
    assert!(parse(&pdb.bytes()).unwrap_err().to_string().contains("over and over"));

    let mut pdb = Pdb::new(GUID, 1, X64);
    let names: Vec<String> = (0..3000).map(|at| format!("member{at}")).collect();
    let members: Vec<(u64, &str, u32)> = names.iter().map(|name| (0, name.as_str(), 0x22)).collect();
    let shared = pdb.structure("_MANY", false, 4, &members) - 1;
    for at in 0..10_000 {
        let head = [&[0u8; 4][..], &shared.to_le_bytes(), &[0; 8], &[4, 0]].concat();
        pdb.record(0x1505, &[&head, format!("_BOMB{at}\0").as_bytes()]);
    }
    assert!(parse(&pdb.bytes()).unwrap_err().to_string().contains("over and over"));
}

/// Types that name themselves: an array of itself, `const` of itself, a bit field of itself.
#[test]
fn types_that_name_themselves() {
    let mut pdb = Pdb::new(GUID, 1, X64);
    let array = pdb.array(0x1000, 8);
    let constant = pdb.constant(0x1001);
    let bits = pdb.bits(0x1002, 0, 1);
    let wide = pdb.bits(0x22, 30, 5);
    let members = [(0, "Array", array), (0, "Const", constant), (0, "Bits", bits), (0, "Wide", wide)];
    pdb.structure("_SELF", false, 8, &members);
    let profile = parse(&pdb.bytes()).unwrap();
    for path in ["Const", "Bits", "Wide"] {
        assert_eq!(profile.field("_SELF", path), None, "{path}");
    }
    let _ = profile.field("_SELF", "Array");
}

/// A stream that claims more bytes than the file has, by naming one page again and again.
#[test]
fn a_stream_longer_than_the_file() {
    let mut bytes = sample().bytes();
    let root = u32::from_le_bytes(bytes[52..56].try_into().unwrap()) as usize * 0x1000;
    let directory = u32::from_le_bytes(bytes[root..root + 4].try_into().unwrap()) as usize * 0x1000;
    bytes[directory + 4 + 2 * 4..][..4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    assert!(parse(&bytes).unwrap_err().to_string().contains("outside the file"));
}
