//! Functions, lines and inlined functions, as the crate `pdb-addr2line` reads them from files of Microsoft's linker.

use super::{
    super::source::{Inlined, Line, Place, places},
    GUID, Pdb, X64,
};
use fixtures::pdb::{self as plan, Procedure};
use pdb_addr2line::{Context, ContextPdbData};
use pdb2::FallibleIterator;
use std::{
    collections::HashSet,
    io::Cursor as File,
    path::{Path, PathBuf},
};

/// One address of so many is asked for.
const EVERY: u32 = 29;

/// What was compared, and what differs.
#[derive(Default, Debug)]
struct Count {
    addresses: usize,
    lines: usize,
    inlined: usize,
    /// In a function that the linker made one of several: each reader names another of them.
    folded: usize,
    /// A line that the compiler marks as hidden, or code behind the end of a table: theirs takes the one before.
    hidden: Vec<String>,
    other: Vec<String>,
}

/// The last part of a name, without template arguments and parameters: classes are written in different ways.
fn last(name: &str) -> String {
    let mut depth = 0u32;
    let mut plain = String::new();
    for c in name.chars() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    match plain.rsplit("::").next() {
        Some(part) if !name.contains("operator") => part.trim().trim_end_matches(" const").to_string(),
        _ => "an operator".to_string(),
    }
}

fn compare(path: &Path, count: &mut Count) {
    let bytes = std::fs::read(path).unwrap();
    let pdb = pdb_addr2line::pdb::PDB::open(File::new(&bytes[..])).unwrap();
    let data = ContextPdbData::try_from_pdb(pdb).unwrap();
    let context = data.make_context().unwrap();
    let functions = context.functions().filter_map(|f| Some((f.start_rva, f.end_rva?)));
    let rvas: Vec<u32> = functions.flat_map(|(start, end)| (start..end).step_by(EVERY as usize)).collect();
    let folded = folded(&bytes);
    let (_, found) = places(&bytes, &rvas).unwrap();
    for (rva, place) in rvas.iter().zip(&found) {
        count.addresses += 1;
        // It remembers names of inlined functions by numbers that mean another function in every module.
        let again = || one(&data.make_context().unwrap(), *rva, place.as_ref(), &mut Count::default());
        if let Err(what) = one(&context, *rva, place.as_ref(), count).or_else(|_| again()) {
            let what = format!("{} {rva:#x}: {what}", path.file_name().unwrap().display());
            match place.as_ref().is_some_and(|place| folded.contains(&place.start)) {
                true => count.folded += 1,
                false if what.contains(": None, theirs") => count.hidden.push(what),
                false => count.other.push(what),
            }
        }
    }
}

/// Where more than one procedure begins.
fn folded(bytes: &[u8]) -> HashSet<u32> {
    let mut pdb = pdb2::PDB::open(File::new(bytes)).unwrap();
    let (map, debug) = (pdb.address_map().unwrap(), pdb.debug_information().unwrap());
    let (mut seen, mut folded) = (HashSet::new(), HashSet::new());
    let mut modules = debug.modules().unwrap();
    while let Some(module) = modules.next().unwrap() {
        let Some(info) = pdb.module_info(&module).unwrap() else { continue };
        let mut symbols = info.symbols().unwrap();
        while let Some(symbol) = symbols.next().unwrap() {
            let Ok(pdb2::SymbolData::Procedure(procedure)) = symbol.parse() else { continue };
            let Some(rva) = procedure.offset.to_rva(&map) else { continue };
            if !seen.insert(rva.0) {
                folded.insert(rva.0);
            }
        }
    }
    folded
}

/// The innermost frame first, each with its function, file and line.
fn one(context: &Context, rva: u32, place: Option<&Place>, count: &mut Count) -> Result<(), String> {
    let theirs = context.find_frames(rva).unwrap().ok_or("theirs has nothing")?;
    let place = place.ok_or("ours has nothing")?;
    let inlined = place.inlined.iter().map(|inlined| (&inlined.function, &inlined.line));
    let ours: Vec<_> = inlined.chain([(&place.function, &place.line)]).collect();
    count.inlined += place.inlined.len();
    if ours.len() != theirs.frames.len() {
        return Err(format!("{} frames, theirs {}", ours.len(), theirs.frames.len()));
    }
    for ((function, line), frame) in ours.iter().zip(&theirs.frames) {
        let known = frame.function.as_deref().map(last);
        if known.as_ref().is_some_and(|known| *known != last(function)) {
            return Err(format!("{function}, theirs {known:?}"));
        }
        let known = frame.file.as_deref().zip(frame.line);
        let line = line.as_ref().map(|line| (&*line.file, line.line));
        count.lines += usize::from(line.is_some());
        if line != known {
            return Err(format!("{function}: {line:?}, theirs {known:?}"));
        }
    }
    Ok(())
}

fn pdbs(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true => pdbs(&path, found),
            false if path.extension().is_some_and(|e| e == "pdb") => found.push(path),
            false => {}
        }
    }
}

/// Microsoft's SEH tests, and the files below `DUMPLAKE_IMAGES`.
#[test]
fn public_files() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/symbols/msseh-fixtures");
    let mut files = Vec::new();
    pdbs(&folder, &mut files);
    if files.is_empty() {
        eprintln!("skipped: no PDB below {}", folder.display());
    }
    if let Some(more) = std::env::var_os("DUMPLAKE_IMAGES") {
        pdbs(Path::new(&more), &mut files);
    }
    let mut count = Count::default();
    files.iter().for_each(|path| compare(path, &mut count));
    let Count { addresses, lines, inlined, folded, hidden, other } = &count;
    let (files, hidden) = (files.len(), hidden.len());
    eprintln!(
        "{files} files: {addresses} addresses, {lines} lines, {inlined} inlined; {folded} folded, {hidden} hidden"
    );
    assert!(other.is_empty(), "{other:#?}");
    assert!((folded + hidden) * 20 <= *addresses, "{folded} folded, {:#?}", count.hidden);
}

fn line(file: &str, line: u32) -> Option<Line> {
    Some(Line { file: file.into(), line })
}

/// A procedure of 0x100 bytes at 0x1020, into which two functions are inlined, one inside the other; public symbols.
fn sample() -> Pdb {
    let inner = plan::Inlined {
        name: "Inner".into(),
        file: "inner.h".into(),
        declared: 20,
        line: 18,
        piece: (0x90, 0x8),
        inlined: Vec::new(),
    };
    let middle = plan::Inlined {
        name: "Middle".into(),
        file: "middle.h".into(),
        declared: 100,
        line: 130,
        piece: (0x80, 0x20),
        inlined: vec![inner],
    };
    let outer = Procedure {
        name: "Outer".into(),
        place: (1, 0x20),
        length: 0x100,
        file: "outer.c".into(),
        lines: vec![(0, 7), (0x40, 9), (0xa0, 0xf0_0f00)],
        inlined: vec![middle],
    };
    let mut pdb = Pdb::new(GUID, 1, X64);
    pdb.section(0x1000).section(0x4000);
    pdb.public("?Outer@@YAXXZ", 1, 0x20).public("Assembler", 1, 0x200).public("Elsewhere", 2, 0);
    pdb.procedure(outer);
    pdb
}

#[test]
fn functions_lines_and_what_is_inlined() {
    let (_, found) =
        places(&sample().bytes(), &[0x1020, 0x10a8, 0x10b4, 0x10c1, 0x1300, 0x10, 0x4001]).unwrap();
    let outer = |number, inlined| {
        Some(Place { function: "Outer".into(), start: 0x1020, line: line("outer.c", number), inlined })
    };
    let middle = || Inlined { function: "Middle".into(), line: line("middle.h", 130) };
    let inner = Inlined { function: "Inner".into(), line: line("inner.h", 18) };
    let public = |function: &str, start| {
        Some(Place { function: function.into(), start, line: None, inlined: Vec::new() })
    };
    assert_eq!(found[0], outer(7, Vec::new()));
    assert_eq!(found[1], outer(9, vec![middle()]));
    assert_eq!(found[2], outer(9, vec![inner, middle()]));
    assert_eq!(found[3].as_ref().map(|place| &place.line), Some(&None), "a hidden line is none");
    assert_eq!(found[4], public("Assembler", 0x1200), "no procedure: the public symbol");
    assert_eq!(found[5], None, "before the first section");
    assert_eq!(found[6], public("Elsewhere", 0x4000));
}

/// Whatever byte is wrong: an answer or an error, quickly.
#[test]
fn damage() {
    let good = sample().bytes();
    let asked: Vec<u32> = (0x1000..0x1400).step_by(40).collect();
    for at in 0..good.len() {
        for value in [0, 0x7f, 0xff] {
            // Most of a page is empty, and empty bytes are read as such.
            if good[at] == value || (good[at] == 0 && at % 31 != 0) {
                continue;
            }
            let mut bytes = good.clone();
            bytes[at] = value;
            let _ = places(&bytes, &asked);
        }
    }
}
