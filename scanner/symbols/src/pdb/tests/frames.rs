//! Frame data: records made by hand, real ones as `pdb2` reads them, damaged ones.

use super::super::frames::{FrameData, FrameKind, Frames, frames};
use super::*;
use pdb2::FallibleIterator;
use std::{fs, io::Cursor as File, path::PathBuf};

/// The program of a newer record.
fn program<'a>(data: &FrameData<'a>) -> Option<&'a str> {
    if let FrameKind::Program(program) = data.kind { Some(program) } else { None }
}

/// A record of the newer table.
fn newer(rva: u32, size: u32, program: u32, sizes: [u16; 4], flags: u32) -> Vec<u8> {
    let [locals, params, prologue, saved] = sizes;
    let words = [rva, size, locals.into(), params.into(), 0, program].map(u32::to_le_bytes).concat();
    [words, [prologue, saved].map(u16::to_le_bytes).concat(), flags.to_le_bytes().to_vec()].concat()
}

/// A record of the older one, sizes in doublewords.
fn older(rva: u32, size: u32, locals: u32, params: u16, bits: u16) -> Vec<u8> {
    let words = [rva, size, locals].map(u32::to_le_bytes).concat();
    [words, [params, bits].map(u16::to_le_bytes).concat()].concat()
}

#[test]
fn the_innermost_piece_counts() {
    let new = [
        newer(0x1041, 0x20, 9, [0, 4, 2, 4], 0),
        newer(0x1040, 0x30, 1, [0, 4, 3, 0], 4),
        newer(0x1100, 0x10, 99, [8, 0, 0, 0], 4),
    ]
    .concat();
    let old = [older(0x1040, 0x30, 0, 1, 3), older(0x1200, 8, 2, 3, 0x1304), older(0x1208, 8, 0, 0, 0xc000)]
        .concat();
    let all = Frames::of(&new, &old, b"\0outside\0inside\0".to_vec(), None);
    assert_eq!(all.len(), 5, "the older record of 0x1040 says nothing new");
    let at = |rva| all.find(rva);
    let program_at = |rva| at(rva).and_then(|data| program(&data));
    assert_eq!(program_at(0x1040), Some("outside"));
    assert_eq!(program_at(0x1041), Some("inside"));
    assert_eq!(program_at(0x1100), Some(""), "a program that is not there");
    assert_eq!([0x103f, 0x1070, 0x1110, 0x1210].map(at), [None, None, None, None]);
    let after = at(0x1061).unwrap();
    assert_eq!((after.rva, after.split, program(&after), after.start), (0x1040, true, Some("outside"), true));
    let inside = at(0x1050).unwrap();
    assert_eq!(
        (inside.function..inside.function_end, inside.split, inside.start),
        (0x1040..0x1070, false, false)
    );
    assert_eq!((inside.params, inside.prologue, inside.saved), (4, 2, 4));
    let fpo = at(0x1204).unwrap();
    let expected = FrameData {
        rva: 0x1200,
        size: 8,
        locals: 8,
        params: 12,
        prologue: 4,
        saved: 12,
        start: true,
        function: 0x1200,
        function_end: 0x1208,
        split: false,
        kind: FrameKind::Fpo(true),
    };
    assert_eq!(fpo, expected);
    assert_eq!(at(0x1208).unwrap().kind, FrameKind::FramePointer);
}

#[test]
fn code_that_was_moved_after_linking() {
    let new = newer(0x1000, 0x40, 0, [0, 0, 8, 0], 4);
    let moved = vec![(0x5000, 0x1000), (0x5010, 0), (0x9000, 0x1010), (0x9030, 0x2000)];
    let all = Frames::of(&new, &[], b"p\0".to_vec(), Some(moved));
    let first = all.find(0x5004).unwrap();
    assert_eq!((first.rva, first.start, first.prologue), (0x5000, true, 8));
    let second = all.find(0x9004).unwrap();
    assert_eq!((second.rva, second.start, second.prologue), (0x8ff0, false, 0), "its start is elsewhere");
    assert_eq!([0x1004, 0x5010, 0x9030].map(|rva| all.find(rva)), [None, None, None]);
}

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/symbols/msseh-fixtures/x86");
    let found = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let found: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|e| e == "pdb")).collect();
    if found.is_empty() {
        eprintln!("skipped: no PDBs of x86 in ../shared/symbols/msseh-fixtures");
    }
    found
}

/// As many records, and those with programs are the same.
#[test]
fn pdb2_agrees() {
    for path in files() {
        let bytes = fs::read(&path).unwrap();
        let all = frames(&bytes).unwrap();
        let mut pdb = pdb2::PDB::open(File::new(&bytes)).unwrap();
        let (table, strings) = (pdb.frame_table().unwrap(), pdb.string_table().unwrap());
        let (mut records, mut count, mut programs) = (table.iter(), 0, 0);
        while let Some(record) = records.next().unwrap() {
            count += 1;
            let Some(their_program) = record.program else { continue };
            programs += 1;
            let found = all.find(record.code_start.0).unwrap();
            let theirs = (record.code_start.0, strings.get(their_program).unwrap().to_string().into_owned());
            assert_eq!((found.rva, program(&found).unwrap_or_default().to_string()), theirs);
            let sizes = (found.locals, found.prologue, found.saved, found.start);
            let (prologue, saved) = (record.prolog_size.into(), record.saved_regs_size.into());
            assert_eq!(sizes, (record.locals_size, prologue, saved, record.is_function_start));
        }
        assert_eq!(all.len(), count, "{}", path.display());
        assert!(programs > 80, "{}: {programs}", path.display());
    }
}

#[test]
fn damaged_tables() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..2000 {
        // Addresses near each other, so that pieces overlap
        let new: Vec<u8> = (0..20)
            .flat_map(|_| {
                newer(
                    next() as u32 % 64,
                    next() as u32 % 40,
                    next() as u32 % 8,
                    [next() as u16; 4],
                    next() as u32,
                )
            })
            .collect();
        let old: Vec<u8> = (0..200).map(|_| next() as u8).collect();
        let moved = (next() & 1 == 0).then(|| (0..4).map(|n| (16 * n, next() as u32)).collect());
        let all = Frames::of(&new, &old, vec![b'$', 0xff, 0, b'a'], moved);
        for rva in (0..128).chain([u32::MAX, u32::MAX - 1]) {
            let _ = all.find(rva);
        }
    }
    let deep: Vec<u8> = (0..100_000).flat_map(|n| newer(n, 200_000 - n, 0, [0; 4], 0)).collect();
    let deep = Frames::of(&deep, &[], Vec::new(), None);
    assert_eq!(deep.find(99_999).map(|data| data.rva), Some(99_999));
    let _ = deep.find(150_000);
    let whole = sample().bytes();
    assert!(frames(&whole).unwrap().is_empty());
    for end in (0..whole.len()).step_by(61) {
        let _ = frames(&whole[..end]);
    }
}

#[test]
fn streams_by_name() {
    for path in files() {
        let bytes = fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 300 + 1) {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            let _ = frames(&broken);
            let _ = frames(&bytes[..at]);
        }
    }
}
