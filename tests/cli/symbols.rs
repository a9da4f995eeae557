//! Where layouts come from, as a user chooses it: the pack inside, files, files of another kernel, nothing.

use crate::{
    ask::{Ask, dumplake},
    support::scratch,
};
use fixtures::{
    Arch, Build, Family, Format, Machine, isf,
    pdb::{Inlined, Pdb, Procedure},
    scenario,
};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
};

/// A dump, and the ISF file of its kernel or of another one in a folder of its own.
fn made(folder: &Path, name: &str, build: Build) -> (PathBuf, PathBuf) {
    let folder = folder.join(name);
    let machine = scenario::busy(Arch::X64, build);
    let symbols = folder.join("symbols").join(isf::file_name(&machine.facts));
    std::fs::create_dir_all(symbols.parent().unwrap()).unwrap();
    std::fs::write(&symbols, isf::json(&machine.facts)).unwrap();
    (machine.dump(Format::Full).write_to(&folder).unwrap(), symbols)
}

/// How many processes its plan has.
fn busy() -> u64 {
    scenario::busy(Arch::X64, Build::WIN10_19041).facts.processes.len() as u64
}

/// `dumps.symbol_source`, whether it is exact, and the number of processes.
fn converted(dump: &Path, lake: &Path, options: &[&str]) -> (String, bool, u64) {
    let paths = ["convert".as_ref(), dump.as_os_str(), "-o".as_ref(), lake.as_os_str()];
    let args = paths.into_iter().chain(options.iter().map(|option| option.as_ref())).collect::<Vec<_>>();
    let ran = dumplake(&args);
    assert_eq!(ran.code, 0, "{options:?}: {}{}", ran.out, ran.err);
    let ask = Ask::open(lake);
    let row = ask.row("SELECT symbol_source, symbols_exact FROM dumps");
    let processes = ask.number("SELECT count(*) FROM processes");
    (row["symbol_source"].as_str().unwrap().into(), row["symbols_exact"].as_bool().unwrap(), processes)
}

#[test]
fn the_pack_a_file_a_folder_another_kernel_and_nothing() {
    let folder = scratch("symbols of a conversion");
    let (dump, own) = made(&folder, "own", Build::WIN10_19041);
    let (_, other) = made(&folder, "other", Build::WIN11_22000);
    let (own, other) = (own.to_str().unwrap(), other.to_str().unwrap());
    let id = "5278AFF86C341677D7D7835C85B7B844-1";
    let lake = folder.join("lake");
    let check = |options: &[&str], source: &str, exact, processes| {
        let found = converted(&dump, &lake, options);
        assert!(found.0.starts_with(source), "{options:?}: {}", found.0);
        assert_eq!((found.1, found.2), (exact, processes), "{options:?}");
    };
    let isf = format!("ISF {id}");
    check(&[], &format!("pack exact {id}"), true, busy());
    check(&["--symbols", own], &isf, true, busy());
    check(&["--pack", "none", "--symbols", folder.join("own/symbols").to_str().unwrap()], &isf, true, busy());
    check(&["--pack", "none", "--symbols", other], "none", false, 0);
    let refused = Ask::open(&lake).cell("SELECT message FROM faults WHERE kind = 'symbols'");
    let refused = refused.as_str().unwrap();
    assert!(refused.contains(id) && refused.contains("32C1A669D5FFEFD41091F636CFDB6E99-1"), "{refused}");
    let forced = "ISF 32C1A669D5FFEFD41091F636CFDB6E99-1 forced, of another kernel";
    check(&["--pack", "none", "--symbols", other, "--force-symbols"], forced, false, busy());
    check(&["--pack", "none"], "none", false, 0);
}

/// A small dump without the kernel's headers, on a program without a pack: a file is taken when it is forced.
#[test]
fn a_forced_file_for_a_dump_that_does_not_state_its_kernel() {
    let folder = scratch("symbols of an unstated kernel");
    let (_, symbols) = made(&folder, "own", Build::WIN10_19041);
    let machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let dump = machine.dump(Format::Triage(Family::B)).write_to(&folder).unwrap();
    let (lake, symbols) = (folder.join("lake"), symbols.to_str().unwrap());
    let asked = ["--pack", "none", "--symbols", symbols];
    assert_eq!(converted(&dump, &lake, &asked), ("none".into(), false, 0));
    let fault = || Ask::open(&lake).cell("SELECT any_value(message) FROM faults WHERE kind = 'symbols'");
    assert!(fault().as_str().unwrap().contains("--force-symbols"), "{}", fault());
    let (source, exact, processes) = converted(&dump, &lake, &[&asked[..], &["--force-symbols"]].concat());
    let expected = "ISF 5278AFF86C341677D7D7835C85B7B844-1 forced, the dump does not state its kernel's PDB";
    assert_eq!((source.as_str(), exact, processes), (expected, false, 1));
    assert!(fault().as_str().unwrap().contains("because it was forced"), "{}", fault());
}

#[test]
fn a_named_file_that_was_not_used_is_a_warning() {
    let folder = scratch("symbols that are not used");
    let (dump, own) = made(&folder, "own", Build::WIN10_19041);
    let (_, other) = made(&folder, "other", Build::WIN11_22000);
    let warnings = |options: &[&str]| {
        let lake = folder.join("lake");
        let paths = ["convert", dump.to_str().unwrap(), "-o", lake.to_str().unwrap()];
        let ran = dumplake(&[&paths[..], options].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.err
    };
    let (own, other) = (own.to_str().unwrap(), other.to_str().unwrap());
    let warning = warnings(&["--symbols", own, "--symbols", other]);
    assert_eq!(warning.lines().count(), 1, "{warning}");
    assert!(warning.starts_with(&format!("warning: {other} was not used")), "{warning}");
    assert_eq!(warnings(&["--symbols", own]), "");
    assert_eq!(warnings(&["--pack", "none", "--symbols", other, "--force-symbols"]), "");
}

/// A symbol server of this machine that has one file.
fn server(path: String, file: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked: Vec<String> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let known = asked.first().is_some_and(|line| line.starts_with(&format!("GET {path} ")));
            let (status, body) = if known { ("200 OK", &file[..]) } else { ("404 Not Found", &b"no"[..]) };
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
        }
    });
    url
}

#[test]
fn a_symbol_server_is_asked_when_it_may_be() {
    let folder = scratch("symbols of a server");
    let machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let dump = machine.dump(Format::Full).write_to(&folder).unwrap();
    let key = "5278AFF86C341677D7D7835C85B7B844";
    let path = format!("/ntkrnlmp.pdb/{key}1/ntkrnlmp.pdb");
    let url = server(path.clone(), fixtures::pdb::bytes(&machine.facts));
    let (lake, store) = (folder.join("lake"), folder.join("store"));
    let server = format!("srv*{}*{url}", store.display());
    let asked = ["--pack", "none", "--symbols", &server];
    assert_eq!(converted(&dump, &lake, &asked), ("none".into(), false, 0));
    assert!(!store.exists(), "nothing is downloaded without --download-symbols");
    let pdb = (format!("PDB {key}-1"), true, busy());
    assert_eq!(converted(&dump, &lake, &[&asked[..], &["--download-symbols"]].concat()), pdb);
    assert!(store.join(&path[1..]).is_file());
    assert_eq!(converted(&dump, &lake, &["--pack", "none", "--symbols", store.to_str().unwrap()]), pdb);
}

#[test]
fn what_is_not_there_is_said() {
    let folder = scratch("symbols that are not there");
    let dump = folder.join("no.dmp");
    std::fs::write(&dump, "no dump").unwrap();
    let check = |options: &[&str], expected: &str| {
        let paths = ["convert", dump.to_str().unwrap(), "-o", folder.to_str().unwrap()];
        let ran = dumplake(&[&paths[..], options].concat());
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(ran.err.contains(expected), "{options:?}: {}", ran.err);
    };
    check(&["--symbols", "/no/such/place"], "no such file");
    check(&["--symbols", dump.to_str().unwrap()], "no.dmp: ");
    check(&["--pack", "/no/such/pack"], "/no/such/pack");
    check(&["--pack", dump.to_str().unwrap()], "not a layout pack");
    check(&["--download-symbols"], "no symbol server");
}

#[test]
fn the_built_in_pack_is_listed() {
    let ran = dumplake(&["symbols", "list", "--json"]);
    let kernels = ran.json();
    assert!(kernels.len() > 250, "{} kernels", kernels.len());
    for (architecture, build) in [("x64", 7601), ("x64", 26100), ("x86", 2600), ("ARM64", 19041)] {
        let known = kernels.iter().any(|k| k["architecture"] == architecture && k["build"] == build);
        assert!(known, "{architecture} {build}");
    }
    let exact = kernels.iter().filter(|kernel| kernel["pdb"].is_string()).count();
    assert!(exact >= 213, "{exact} by PDB");
    assert!(dumplake(&["symbols", "list"]).out.contains("link time and size"));
}

/// Searching all memory is another conversion than searching the low part of it.
#[test]
fn searching_all_memory_changes_the_options() {
    let folder = scratch("search of all memory");
    let machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let dump = machine.dump(Format::Raw).write_to(&folder).unwrap();
    let lake = folder.join("lake");
    converted(&dump, &lake, &["--search-all-memory"]);
    let row = Ask::open(&lake)
        .row("SELECT d.options, r.source FROM dumps d JOIN discovery r USING (dump_id) WHERE chosen");
    assert_eq!(row["options"], "search-all-memory");
    assert_eq!(row["source"], "scan of 0x150000-0x2a0000");
}

/// A folder of symbol files becomes a pack, a conversion reads kernels with it, and files that cannot be used are
/// named.
#[test]
fn a_pack_of_ones_own() {
    let folder = scratch("a pack of one's own");
    let (dump, isf) = made(&folder, "old", Build::WIN10_19041);
    let from = folder.join("from");
    std::fs::create_dir_all(from.join("isf")).unwrap();
    std::fs::copy(&isf, from.join("isf").join(isf.file_name().unwrap())).unwrap();
    let other = scenario::busy(Arch::X64, Build::WIN11_22000);
    std::fs::write(from.join("ntkrnlmp.pdb"), fixtures::pdb::bytes(&other.facts)).unwrap();
    std::fs::write(from.join("readme.json"), "[]").unwrap();
    let versions = r#"{ "5278AFF86C341677D7D7835C85B7B844-1": ["10.0.19041.804"] }"#;
    std::fs::write(from.join("guid_version.json"), versions).unwrap();
    let pack = folder.join("my.pack");
    let make = || {
        let ran = dumplake(&["symbols", "pack", from.to_str().unwrap(), "-o", pack.to_str().unwrap()]);
        (ran.code, ran.out, ran.err)
    };
    let (code, out, err) = make();
    assert!(code == 1 && out.contains("1 kernels"), "{code} {out}");
    assert!(err.contains("readme.json") && err.contains("ntkrnlmp.pdb: no guid_version.json"), "{err}");

    std::fs::remove_file(from.join("readme.json")).unwrap();
    let versions = r#"{ "5278AFF86C341677D7D7835C85B7B844-1": ["10.0.19041.804"],
        "32C1A669D5FFEFD41091F636CFDB6E99-1": ["10.0.22000.318"] }"#;
    std::fs::write(from.join("guid_version.json"), versions).unwrap();
    let (code, out, err) = make();
    assert!(code == 0 && out.contains("2 kernels"), "{code} {out} {err}");
    let bytes = std::fs::read(&pack).unwrap();
    make();
    assert!(std::fs::read(&pack).unwrap() == bytes, "the same files give the same pack");

    let listed = dumplake(&["symbols", "list", "--json", "--pack", pack.to_str().unwrap()]).json();
    let listed: Vec<String> =
        listed.iter().map(|k| format!("{}.{} {}", k["build"], k["revision"], k["pdb"])).collect();
    let expected = [
        r#"19041.804 "5278AFF86C341677D7D7835C85B7B844-1""#,
        r#"22000.318 "32C1A669D5FFEFD41091F636CFDB6E99-1""#,
    ];
    assert_eq!(listed, expected);
    let found = converted(&dump, &folder.join("lake"), &["--pack", pack.to_str().unwrap()]);
    assert_eq!(
        found,
        ("pack exact 5278AFF86C341677D7D7835C85B7B844-1 (19041.804 of from)".into(), true, busy())
    );

    let empty = folder.join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let ran = dumplake(&["symbols", "pack", empty.to_str().unwrap(), "-o", pack.to_str().unwrap()]);
    assert!(ran.code == 2 && ran.err.contains("no kernel's layouts"), "{}", ran.err);
    assert!(std::fs::read(&pack).unwrap() == bytes, "a pack that cannot be made replaces nothing");
}

/// The driver's PDB: a procedure for every function on a stack, each with a name that the image does not export, a line
/// for its beginning and one for what comes behind, and a function inlined at the first return address.
fn driver_pdb(machine: &Machine) -> (String, Vec<u8>) {
    let driver = machine.facts.modules.iter().find(|module| module.name == "contoso.sys").unwrap();
    let mut pdb = Pdb::new(driver.guid, driver.age, 0x8664);
    pdb.section(0x1000);
    let frames = machine.facts.stacks.threads.iter().flat_map(|stack| &stack.frames);
    let mut seen = std::collections::BTreeSet::new();
    for frame in frames.filter(|frame| frame.module == "contoso.sys") {
        let start = (frame.ip - u64::from(frame.offset) - driver.base) as u32;
        if !seen.insert(start) {
            continue;
        }
        let call = frame.offset.saturating_sub(1);
        let inlined = Inlined {
            name: format!("Inlined{}", frame.function),
            file: "C:\\contoso\\inlined.h".into(),
            declared: 5,
            line: 6,
            piece: (call, 1),
            inlined: Vec::new(),
        };
        pdb.procedure(Procedure {
            name: format!("Pdb{}", frame.function),
            place: (1, start - 0x1000),
            length: frame.offset + 1,
            file: "C:\\contoso\\driver.c".into(),
            lines: vec![(0, 10), (call, 20)],
            inlined: vec![inlined],
        });
    }
    (driver.pdb.clone(), pdb.bytes())
}

#[test]
fn frames_of_a_driver_by_its_own_pdb() {
    let folder = scratch("symbols of a driver");
    let machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let dump = machine.dump(Format::Full).write_to(&folder).unwrap();
    let (name, bytes) = driver_pdb(&machine);
    let symbols = folder.join("symbols");
    std::fs::create_dir_all(&symbols).unwrap();
    std::fs::write(symbols.join(&name), &bytes).unwrap();
    let lake = folder.join("lake");
    let ask = |options: &[&str], what: &str| {
        converted(&dump, &lake, options);
        Ask::open(&lake)
            .number(&format!("SELECT count(*) FROM frames WHERE module = 'contoso.sys' AND {what}"))
    };
    let all = ask(&[], "true");
    let with = ["--symbols", symbols.to_str().unwrap()];
    assert!(all > 5 && ask(&[], "symbol LIKE 'Pdb%'") == 0);
    assert_eq!(ask(&with, "symbol LIKE 'Pdb%' AND text LIKE 'contoso!Pdb%'"), all);
    let at_a_call = ask(&with, "source_line = 20 AND source_file = 'C:\\contoso\\driver.c'");
    assert!(at_a_call > 5, "{at_a_call} of {all}");
    let inlined = ask(&with, "inlined LIKE 'Inlined% (C:\\contoso\\inlined.h:6)'");
    assert!(inlined > 5, "{inlined} of {all}");
    // A PDB of another build names nothing.
    std::fs::write(symbols.join(&name), Pdb::new([7; 16], 1, 0x8664).section(0x1000).bytes()).unwrap();
    assert_eq!(ask(&["--force", with[0], with[1]], "symbol LIKE 'Pdb%'"), 0);
}

/// An image as its file: the bytes in memory, each section at its own address in the file too.
fn image_file(system: &scan::nt::System, base: u64, size: u32) -> Vec<u8> {
    let mut bytes = vec![0; size as usize];
    for (at, page) in bytes.chunks_mut(0x1000).enumerate() {
        let _ = system.space.read(memory::Va(base + at as u64 * 0x1000), page);
    }
    let u16_at = |bytes: &[u8], at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let pe = u16_at(&bytes, 0x3c);
    let table = pe + 24 + u16_at(&bytes, pe + 20);
    for section in (0..u16_at(&bytes, pe + 6)).map(|n| table + n * 40) {
        bytes.copy_within(section + 8..section + 16, section + 16);
        bytes.copy_within(section + 12..section + 16, section + 20);
        let (virtual_size, rva): ([u8; 4], [u8; 4]) = (
            bytes[section + 8..section + 12].try_into().unwrap(),
            bytes[section + 12..section + 16].try_into().unwrap(),
        );
        bytes[section + 16..section + 20].copy_from_slice(&virtual_size);
        bytes[section + 20..section + 24].copy_from_slice(&rva);
    }
    bytes
}

/// A small dump holds no code: with the images at hand the crashing thread's frames are those of the complete dump.
#[test]
fn code_that_a_dump_lacks_comes_from_image_files() {
    let folder = scratch("symbols and images");
    let machine = scenario::stacks(Arch::X64, Build::WIN10_19041);
    let whole = machine.dump(Format::Full).write_to(&folder).unwrap();
    let images = folder.join("images");
    let opened = memory::open(&whole, None).unwrap();
    let provider = ::symbols::Library::built_in();
    let system = scan::nt::System::open(&opened, &provider).unwrap();
    let write = |folder: PathBuf, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    };
    for module in machine.facts.modules.iter().filter(|m| ["ntoskrnl.exe", "contoso.sys"].contains(&&*m.name))
    {
        let bytes = image_file(&system, module.base, module.size);
        // The kernel as a symbol store keeps it, the driver as a build leaves it.
        let key = format!("{:08X}{:x}", module.timestamp, module.size);
        let place = match module.name.as_str() {
            "ntoskrnl.exe" => images.join("NTOSKRNL.EXE").join(key),
            _ => images.clone(),
        };
        write(place, &module.name, &bytes);
        // One of another link time is passed over.
        let mut other = bytes.clone();
        let pe = usize::from(u16::from_le_bytes([other[0x3c], other[0x3d]]));
        other[pe + 8] ^= 1;
        write(folder.join("others"), &module.name, &other);
    }
    std::fs::create_dir_all(folder.join("small")).unwrap();
    let small = machine.dump(Format::Triage(Family::A)).write_to(&folder.join("small")).unwrap();
    let lakes = std::cell::Cell::new(0);
    let frames = |dump: &Path, options: &[&str]| {
        lakes.set(lakes.get() + 1);
        let lake = folder.join(format!("lake {}", lakes.get()));
        converted(dump, &lake, options);
        let rows = Ask::open(&lake).rows(
            "SELECT f.ip, f.confidence FROM frames f JOIN crashes c USING (ethread) WHERE f.mode = 'kernel' \
             ORDER BY \"index\"",
        );
        rows.iter().map(|row| (row["ip"].to_string(), row["confidence"].to_string())).collect::<Vec<_>>()
    };
    let known = frames(&whole, &[]);
    assert!(known.len() > 3);
    let alone = frames(&small, &[]);
    assert_ne!(alone, known, "without code there are guesses");
    assert_eq!(frames(&small, &["--images", folder.join("others").to_str().unwrap()]), alone);
    assert_eq!(frames(&small, &["--images", images.to_str().unwrap()]), known);
    images_of_a_server(&folder, &small, &frames, &known);
}

/// Instruction pointer and confidence of frames.
type Frames = Vec<(String, String)>;

/// The kernel from a folder, the driver from a symbol server: the right file, then one of another link time.
fn images_of_a_server(
    folder: &Path,
    small: &Path,
    frames: &dyn Fn(&Path, &[&str]) -> Frames,
    known: &Frames,
) {
    let kernel = folder.join("images/NTOSKRNL.EXE");
    let (kernel_only, key) = (folder.join("kernel"), key_of(&folder.join("images/contoso.sys")));
    std::fs::create_dir_all(&kernel_only).unwrap();
    std::fs::rename(&kernel, kernel_only.join("ntoskrnl.exe")).unwrap();
    let path = format!("/contoso.sys/{key}/contoso.sys");
    let with = |file: &str, store: &str, more: &[&str]| {
        let url = server(path.clone(), std::fs::read(folder.join(file)).unwrap());
        let (store, kernel) = (folder.join(store), kernel_only.to_str().unwrap());
        let chain = format!("srv*{}*{url}", store.display());
        let found = frames(small, &[&["--images", kernel, "--symbols", &chain], more].concat());
        (found, store.join(&path[1..]).exists())
    };
    let download = ["--download-symbols"];
    let without = with("images/contoso.sys", "s1", &[]);
    assert!(without.0 != *known && !without.1, "nothing is downloaded without --download-symbols");
    assert_eq!(with("images/contoso.sys", "s2", &download), (known.clone(), true));
    assert_eq!(with("others/contoso.sys", "s3", &download), (without.0, false), "refused, not kept");
    let said = "SELECT count(*) AS n FROM faults WHERE expected = 'the file of an image' AND \
                found LIKE '%contoso.sys%: it is of link time % but link time % was asked for: not kept%'";
    let lakes = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let lakes: Vec<PathBuf> = lakes.filter(|path| path.join("lake.duckdb").exists()).collect();
    let saying = lakes.iter().filter(|lake| Ask::open(lake).rows(said)[0]["n"] == 1).count();
    assert_eq!((lakes.len(), saying), (7, 1));
}

/// What a symbol server calls the folder of an image file.
fn key_of(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let pe = word(0x3c) as usize;
    format!("{:08X}{:x}", word(pe + 8), word(pe + 24 + 56))
}
