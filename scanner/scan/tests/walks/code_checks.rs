//! `code_checks` and `code_changes`: what was changed is told, and what Windows itself does is not.
//!
//! The file of a module is its image in memory before anything was done to it: the fixture's sections lie in a file
//! where they lie in memory.

use crate::support::{Row, Tables, named_tables, symbols_of, with_system};
use fixtures::{Arch, Build, Format, Machine, Module, Space};
use memory::Va;
use scan::nt::exported::Exported;
use scan::nt::image_facts;
use scan::nt::symbols::{Choice, OneProfile, Provider, Wanted, Wish};

/// Knows the kernel, and has files.
pub struct Files {
    pub kernel: OneProfile,
    pub files: Vec<(String, u32, u32, Vec<u8>)>,
}

impl Provider for Files {
    fn choose(&self, wish: &Wish, wanted: &Wanted) -> Choice {
        self.kernel.choose(wish, wanted)
    }

    fn image_at_hand(&self, name: &str, timestamp: u32, size: u32) -> Option<Vec<u8>> {
        let mut files = self.files.iter();
        files
            .find(|file| (file.0.as_str(), file.1, file.2) == (name, timestamp, size))
            .map(|file| file.3.clone())
    }
}

/// Where things lie in the images, relative.
const EXPORTS: u64 = 0x1a00;
const IMPORTS: u64 = 0x1c00;
const TEXT: u64 = 0x2000;
/// Of the optional header: `ImageBase`, and the first data directory.
const OPTIONAL: u64 = 0x118;
const SIZE: u32 = 0x6000;

/// A machine with two drivers whose code is in memory.
pub struct Scene {
    pub machine: Machine,
}

impl Scene {
    pub fn new(arch: Arch) -> Scene {
        let build = if arch.is_64() { Build::WIN10_19041 } else { Build::X86[2].clone() };
        let mut machine = Machine::new(arch, build);
        let base = if arch.is_64() { machine.facts.kernel_base + 0x600_0000 } else { 0xf800_0000 };
        machine.module("contoso.sys", base, SIZE).module("fabrikam.sys", base + 0x10_0000, SIZE);
        for driver in [base, base + 0x10_0000] {
            machine.write_va(Space::Kernel, driver + TEXT, &[0x90; 0x2000]);
        }
        Scene { machine }
    }

    pub fn base(&self, name: &str) -> u64 {
        self.module(name).base
    }

    fn module(&self, name: &str) -> &Module {
        self.machine.facts.modules.iter().find(|module| module.name == name).unwrap()
    }

    pub fn put(&mut self, name: &str, rva: u64, bytes: &[u8]) {
        let va = self.base(name) + rva;
        self.machine.patch(Space::Kernel, va, bytes);
    }

    pub fn directory(&mut self, name: &str, number: u64, rva: u64, size: u32) {
        let first = if self.machine.facts.arch.is_64() { 112 } else { 96 };
        let both = [(rva as u32).to_le_bytes(), size.to_le_bytes()].concat();
        self.put(name, OPTIONAL + first + number * 8, &both);
    }

    /// An export directory; `Err` is a forwarder.
    pub fn exports(&mut self, name: &str, functions: &[(&str, Result<u32, &str>)]) {
        let count = functions.len() as u32;
        let mut head = [0_u32; 10];
        let tables = EXPORTS as u32 + 40;
        (head[4], head[5], head[6]) = (1, count, count);
        (head[7], head[8], head[9]) = (tables, tables + count * 4, tables + count * 8);
        let (mut rvas, mut names, mut ordinals, mut texts) = (vec![], vec![], vec![], vec![]);
        let first_text = tables + count * 10;
        for (index, (function, target)) in (0u16..).zip(functions) {
            names.extend((first_text + texts.len() as u32).to_le_bytes());
            texts.extend([function.as_bytes(), &[0]].concat());
            let rva = target.unwrap_or(first_text + texts.len() as u32);
            if let Err(forward) = target {
                texts.extend([forward.as_bytes(), &[0]].concat());
            }
            rvas.extend(rva.to_le_bytes());
            ordinals.extend(index.to_le_bytes());
        }
        let head: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        let all = [head, rvas, names, ordinals, texts].concat();
        self.put(name, EXPORTS, &all);
        self.directory(name, 0, EXPORTS, all.len() as u32);
    }

    /// Imports of `contoso.sys`, one module each: module, function (`#n` by ordinal), what the entry holds.
    fn imports(&mut self, functions: &[(&str, &str, u64)]) {
        let width = if self.machine.facts.arch.is_64() { 8 } else { 4 };
        let count = functions.len() as u32;
        let thunks = IMPORTS as u32 + (count + 1) * 20;
        let slots = thunks + count * 2 * width;
        let first_text = slots + count * 2 * width;
        let (mut descriptors, mut names, mut values, mut texts) = (vec![], vec![], vec![], vec![]);
        for (index, (module, function, value)) in (0u32..).zip(functions) {
            let at = first_text + texts.len() as u32;
            texts.extend([module.as_bytes(), &[0]].concat());
            let by_name = first_text + texts.len() as u32;
            let name = match function.strip_prefix('#') {
                Some(ordinal) => 1 << (width * 8 - 1) | ordinal.parse::<u64>().unwrap(),
                None => u64::from(by_name),
            };
            texts.extend([&[0, 0], function.as_bytes(), &[0]].concat());
            for word in [thunks + index * 2 * width, 0, 0, at, slots + index * 2 * width] {
                descriptors.extend(word.to_le_bytes());
            }
            for (list, value) in [(&mut names, name), (&mut values, *value)] {
                list.extend_from_slice(&value.to_le_bytes()[..width as usize]);
                list.extend(vec![0; width as usize]);
            }
        }
        descriptors.extend([0; 20]);
        self.put("contoso.sys", IMPORTS, &[descriptors, names, values, texts].concat());
        self.directory("contoso.sys", 1, IMPORTS, (count + 1) * 20);
    }

    pub fn tables(&self, files: Vec<(String, u32, u32, Vec<u8>)>) -> Tables {
        let provider = Files { kernel: symbols_of(&self.machine.facts), files };
        let names = ["code_checks", "code_changes", "faults"];
        named_tables(&self.machine, Format::Full, &provider, &names)
    }

    /// An image as it is in memory now.
    pub fn image(&self, name: &str) -> (String, u32, u32, Vec<u8>) {
        let module = self.module(name);
        let mut bytes = vec![0; module.size as usize];
        // What is planted is there in a dump only.
        with_system(&self.machine, Format::Full, &symbols_of(&self.machine.facts), |system| {
            system.space.read(Va(module.base), &mut bytes[..(TEXT + 0x2000) as usize]).unwrap();
        });
        (name.into(), module.timestamp, module.size, bytes)
    }
}

pub fn changes(tables: &Tables) -> Vec<String> {
    let cell = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_else(|| "-".into());
    let words = |row: &Row| {
        let rva = row["va"].parse::<u64>().unwrap() - row["base"].parse::<u64>().unwrap();
        let (target, function) = (cell(row, "target_module"), cell(row, "function"));
        format!(
            "{} {} {rva:#x} {} {} {target} {function}",
            row["kind"], row["module"], row["bytes"], row["effect"]
        )
    };
    tables["code_changes"].iter().map(words).collect()
}

pub fn check<'a>(tables: &'a Tables, module: &str) -> &'a Row {
    tables["code_checks"].iter().find(|row| row["module"] == module).unwrap()
}

/// The kernel exports two functions, `fabrikam.sys` one of its own and one that it hands on to the kernel.
fn importing(arch: Arch) -> Scene {
    let mut scene = Scene::new(arch);
    scene.exports("ntoskrnl.exe", &[("IoOne", Ok(0x2100)), ("IoTwo", Ok(0x2200))]);
    scene.exports(
        "fabrikam.sys",
        &[("FabFwd", Err("NTOSKRNL.IoTwo")), ("FabGo", Ok(0x2040)), ("FabLoop", Err("fabrikam.FabLoop"))],
    );
    scene
}

#[test]
fn imports_that_lead_elsewhere() {
    for arch in [Arch::X64, Arch::X86Pae, Arch::X86, Arch::Arm64] {
        let mut scene = importing(arch);
        let (kernel, fabrikam) = (scene.base("ntoskrnl.exe"), scene.base("fabrikam.sys"));
        let nowhere = kernel + 0x900_0000;
        scene.imports(&[
            ("ntoskrnl.exe", "IoOne", kernel + 0x2100),
            ("ntoskrnl.exe", "IoTwo", nowhere),
            ("fabrikam.sys", "FabGo", kernel + 0x2100),
            // Near misses: forwarded, by ordinal, elsewhere in the right module (the verifier does that), not there,
            // forwarded in a circle, of a module that is not loaded, not filled in yet.
            ("FABRIKAM.sys", "FabFwd", kernel + 0x2200),
            ("ntkrnlmp.exe", "#1", kernel + 0x2100),
            ("ntoskrnl.exe", "IoTwo", kernel + 0x3000),
            ("ntoskrnl.exe", "IoNone", nowhere),
            ("fabrikam.sys", "FabLoop", nowhere),
            ("ext-ms-win-ntos-a-l1-1-0.dll", "Ext", nowhere),
            ("fabrikam.sys", "FabGo", 0x1234),
        ]);
        let tables = scene.tables(Vec::new());
        let width = if arch.is_64() { 8 } else { 4 };
        let slot = |index: u64| IMPORTS + 11 * 20 + 10 * 2 * width + index * 2 * width;
        let expected = [
            format!("import contoso.sys {:#x} {width} pointer - ntoskrnl.exe!IoTwo", slot(1)),
            format!("import contoso.sys {:#x} {width} pointer ntoskrnl.exe fabrikam.sys!FabGo", slot(2)),
        ];
        assert_eq!(changes(&tables), expected, "{arch:?}");
        let first = &tables["code_changes"][0];
        assert_eq!(first["expected_target"], (kernel + 0x2200).to_string(), "{arch:?}");
        assert_eq!(first["target"], nowhere.to_string(), "{arch:?}");
        let row = check(&tables, "contoso.sys");
        let counts = ["imports", "imports_checked", "imports_elsewhere"].map(|name| row[name].as_str());
        assert_eq!(counts, ["10", "6", "2"], "{arch:?}");
        assert_eq!((row["image_file"].as_str(), row.get("pages_compared")), ("false", None));
        assert_eq!(
            check(&tables, "fabrikam.sys").get("imports"),
            None,
            "nothing was looked at, nothing is said"
        );
        assert_ne!(fabrikam, 0);
    }
}

/// The part of a driver with the names of its imports is discarded after its start; its file has it.
#[test]
fn names_of_imports_come_from_the_file() {
    let mut scene = importing(Arch::X64);
    let kernel = scene.base("ntoskrnl.exe");
    scene.imports(&[
        ("ntoskrnl.exe", "IoOne", kernel + 0x900_0000),
        ("ntoskrnl.exe", "IoTwo", kernel + 0x2200),
    ]);
    let file = scene.image("contoso.sys");
    let descriptors = (60 + 4 * 8 * 2) as usize;
    scene.put("contoso.sys", IMPORTS, &[0; 60]);
    scene.put("contoso.sys", IMPORTS + descriptors as u64 + 64, &[0; 16]);
    assert_eq!(changes(&scene.tables(Vec::new())), Vec::<String>::new());
    let slot = IMPORTS + 60 + 2 * 16;
    let found = changes(&scene.tables(vec![file]));
    assert_eq!(found, [format!("import contoso.sys {slot:#x} 8 pointer - ntoskrnl.exe!IoOne")]);
}

/// Without a file: exported functions that begin with a jump to what nobody exports.
#[test]
fn functions_that_begin_with_a_jump_out_of_their_module() {
    let mut scene = importing(Arch::X64);
    scene.exports(
        "fabrikam.sys",
        &[
            ("A", Ok(0x2000)),
            ("B", Ok(0x2020)),
            ("C", Ok(0x2040)),
            ("D", Ok(0x2060)),
            ("E", Ok(0x1100)),
            ("F", Ok(0x2080)),
        ],
    );
    let (kernel, fabrikam) = (scene.base("ntoskrnl.exe"), scene.base("fabrikam.sys"));
    let jump = |from: u64, to: u64| [&[0xe9][..], &(to.wrapping_sub(from + 5) as u32).to_le_bytes()].concat();
    let long = |to: u64| [&[0x48, 0xb8][..], &to.to_le_bytes(), &[0xff, 0xe0]].concat();
    scene.put("fabrikam.sys", 0x2000, &long(kernel + 0x900_0000));
    scene.put("fabrikam.sys", 0x2020, &jump(fabrikam + 0x2020, kernel + 0x2101));
    // Near misses: through a table to another module, on to its export, within the module, data.
    scene.put("fabrikam.sys", 0x2080, &[0x48, 0xff, 0x25, 0x79, 0xf1, 0xff, 0xff]);
    scene.put("fabrikam.sys", 0x1200, &(kernel + 0x2101).to_le_bytes());
    scene.put("fabrikam.sys", 0x2040, &jump(fabrikam + 0x2040, kernel + 0x2100));
    scene.put("fabrikam.sys", 0x2060, &jump(fabrikam + 0x2060, fabrikam + 0x2100));
    scene.put("fabrikam.sys", 0x1100, &long(kernel + 0x900_0000));
    let tables = scene.tables(Vec::new());
    let expected =
        ["entry fabrikam.sys 0x2000 16 jump - A", "entry fabrikam.sys 0x2020 16 jump ntoskrnl.exe B"];
    assert_eq!(changes(&tables), expected);
    let row = check(&tables, "fabrikam.sys");
    assert_eq!((row["entries"].as_str(), row["entries_elsewhere"].as_str()), ("5", "2"));
    // With the file at hand the code itself is compared.
    let file = scene.image("fabrikam.sys");
    let tables = scene.tables(vec![file]);
    assert_eq!(changes(&tables), Vec::<String>::new());
    let row = check(&tables, "fabrikam.sys");
    assert_eq!((row.get("entries"), row["pages_compared"].as_str()), (None, "2"));
    assert_eq!((row["code_pages"].as_str(), row["changes"].as_str()), ("4", "0"));
}

const RELOCATIONS: u64 = 0x1600;
const CONFIG: u64 = 0x1700;
const DYNAMIC: u64 = 0x1880;

/// Of `contoso.sys` on x64: a relocated pointer, and a place of each kind that Windows patches.
fn patched() -> (Scene, (String, u32, u32, Vec<u8>)) {
    let mut scene = Scene::new(Arch::X64);
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let halves = |halves: &[u16]| halves.iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<u8>>();
    scene.put("contoso.sys", RELOCATIONS, &[words(&[0x2000, 12]), halves(&[0xa100, 0xaffc])].concat());
    scene.directory("contoso.sys", 5, RELOCATIONS, 12);
    scene.put("contoso.sys", CONFIG, &words(&[0x100]));
    scene.put("contoso.sys", CONFIG + 0xe0, &words(&[(DYNAMIC - 0x1000) as u32, 1]));
    scene.directory("contoso.sys", 10, CONFIG, 0x100);
    let entry = |symbol: u64, body: Vec<u8>| {
        [&symbol.to_le_bytes()[..], &words(&[body.len() as u32]), &body].concat()
    };
    let table = [
        entry(3, words(&[0x2000, 16, 0x1200, 0x1240])),
        entry(4, [words(&[0x2000, 12]), halves(&[0x280, 0])].concat()),
        entry(5, [words(&[0x2000, 12]), halves(&[0x2c0, 0])].concat()),
        entry(0xffff_f680_0000_0000, [words(&[0x2000, 12]), halves(&[0xa300, 0])].concat()),
    ]
    .concat();
    scene.put("contoso.sys", DYNAMIC, &[words(&[1, table.len() as u32]), table].concat());
    // The import address table among the code, as old linkers had it.
    scene.directory("contoso.sys", 12, 0x2500, 8);
    scene.exports("contoso.sys", &[("A", Ok(0x2000)), ("B", Ok(0x2110)), ("C", Ok(0x2310))]);
    let call = [0xff, 0x15, 0x10, 0, 0, 0, 0x0f, 0x1f, 0x44, 0, 0];
    scene.put("contoso.sys", 0x2200, &call);
    scene.put("contoso.sys", 0x2240, &call);
    scene.put("contoso.sys", 0x2280, &[0xff, 0xd0, 0x0f, 0x1f, 0x44, 0, 0]);
    scene.put("contoso.sys", 0x22c0, &[0xff, 0xe0, 0xcc, 0xcc, 0xcc]);
    scene.put("contoso.sys", 0x2400, &[0xf0, 0x48, 0x0f, 0xc1, 0x01]);
    let mut file = scene.image("contoso.sys");
    // In the file the module would like to be elsewhere, and its pointers say so.
    let preferred = 0x1_4000_0000_u64;
    let at = (OPTIONAL + 24) as usize;
    file.3[at..at + 8].copy_from_slice(&preferred.to_le_bytes());
    for at in [0x2100, 0x2ffc] {
        file.3[at..at + 8].copy_from_slice(&(preferred + 0x1234).to_le_bytes());
        let value = scene.base("contoso.sys") + 0x1234;
        scene.put("contoso.sys", at as u64, &value.to_le_bytes());
    }
    (scene, file)
}

#[test]
fn what_windows_does_to_code_is_no_change() {
    let (mut scene, file) = patched();
    let (base, kernel) = (scene.base("contoso.sys"), scene.base("ntoskrnl.exe"));
    let call = |from: u64, to: u64| [&[0xe8][..], &(to.wrapping_sub(from + 5) as u32).to_le_bytes()].concat();
    let nop = [0x0f, 0x1f, 0x44, 0, 0, 0x90];
    scene.put("contoso.sys", 0x2200, &[&call(base + 0x2200, kernel + 0x2100)[..], &nop].concat());
    scene.put("contoso.sys", 0x2280, &call(base + 0x2280, base + u64::from(SIZE) + 0x100));
    scene.put("contoso.sys", 0x22c0, &[0xe9, 0x10, 0, 0, 0]);
    scene.put("contoso.sys", 0x2300, &0xffff_a680_0000_0000_u64.to_le_bytes());
    scene.put("contoso.sys", 0x2400, &[0x90]);
    scene.put("contoso.sys", 0x2500, &(kernel + 0x2100).to_le_bytes());
    let tables = scene.tables(vec![file]);
    assert_eq!(changes(&tables), Vec::<String>::new());
    let row = check(&tables, "contoso.sys");
    let counts = ["pages_compared", "patched_sites", "changes"].map(|name| row[name].as_str());
    assert_eq!(counts, ["2", "4", "0"]);
    assert_eq!(tables["faults"].iter().filter(|row| row["structure"] == "image file").count(), 0);
}

#[test]
fn changed_code_and_where_it_leads() {
    let (mut scene, file) = patched();
    let (base, kernel) = (scene.base("contoso.sys"), scene.base("ntoskrnl.exe"));
    let to = |from: u64, to: u64| (to.wrapping_sub(from + 5) as u32).to_le_bytes();
    scene.put("contoso.sys", 0x2010, &[&[0xe9][..], &to(base + 0x2010, kernel + 0x900_0000)].concat());
    scene.put("contoso.sys", 0x2080, &[0xc3]);
    scene.put("contoso.sys", 0x2090, &[&[0xe8][..], &to(base + 0x2090, kernel + 0x2100)].concat());
    // At a place that Windows patches, but leading nowhere.
    scene.put("contoso.sys", 0x2240, &[&[0xe8][..], &to(base + 0x2240, kernel + 0x900_0000)].concat());
    // A pointer that was relocated, and then changed.
    scene.put("contoso.sys", 0x2100, &[0x35]);
    let tables = scene.tables(vec![file.clone()]);
    let expected = [
        "code contoso.sys 0x2010 5 jump - A+0x10",
        "code contoso.sys 0x2080 1 return - A+0x80",
        "code contoso.sys 0x2090 5 call ntoskrnl.exe A+0x90",
        "code contoso.sys 0x2100 1 other - A+0x100",
        "code contoso.sys 0x2240 5 call - B+0x130",
    ];
    assert_eq!(changes(&tables), expected);
    let first = &tables["code_changes"][0];
    assert_eq!((first["section"].as_str(), first["expected"].as_str()), (".text", "9090909090"));
    assert_eq!(first["target"], (kernel + 0x900_0000).to_string());
    // The file of another build is not this module's.
    let other = (file.0, file.1 + 1, file.2, file.3);
    let row = check(&scene.tables(vec![other]), "contoso.sys").clone();
    assert_eq!((row["image_file"].as_str(), row.get("changes")), ("false", None));
}

/// A file that lies about itself, or has what is not understood, is not compared, and that is said.
#[test]
fn files_that_cannot_be_compared() {
    type Spoil = fn(&mut Vec<u8>);
    let cases: [(&str, Spoil); 5] = [
        ("a relocation of an unknown kind", |file| file[RELOCATIONS as usize + 9] = 0x51),
        ("relocations beyond the file", |file| file[0x118 + 112 + 5 * 8 + 4..][..4].fill(0x7f)),
        ("dynamic relocations of an unknown version", |file| file[DYNAMIC as usize] = 2),
        ("dynamic relocations of an unknown kind", |file| file[DYNAMIC as usize + 8] = 6),
        ("dynamic relocations beyond the file", |file| file[DYNAMIC as usize + 16..][..4].fill(0x7f)),
    ];
    for (why, spoil) in cases {
        let (scene, mut file) = patched();
        spoil(&mut file.3);
        let tables = scene.tables(vec![file]);
        assert_eq!(changes(&tables), Vec::<String>::new(), "{why}");
        let row = check(&tables, "contoso.sys");
        assert_eq!((row["image_file"].as_str(), row.get("pages_compared")), ("true", None), "{why}");
        let told = tables["faults"].iter().any(|row| row.get("found").is_some_and(|found| found == why));
        let of_files =
            || tables["faults"].iter().filter(|row| row["structure"] == "image file").collect::<Vec<_>>();
        assert!(told, "{why}: {:?}", of_files());
    }
}

/// Images may share one directory of many thousand names.
#[test]
fn exports_take_no_more_memory_than_there_is_room() {
    let scene = importing(Arch::X64);
    let fabrikam = Va(scene.base("fabrikam.sys"));
    with_system(&scene.machine, Format::Full, &symbols_of(&scene.machine.facts), |system| {
        let facts = image_facts(system.space, fabrikam).unwrap();
        let read = |room: u64| {
            let mut left = room;
            (Exported::read(system.space, fabrikam, &facts, &mut left).is_some(), left)
        };
        let (whole, left) = read(10_000);
        assert!(whole && left < 10_000);
        let needed = 10_000 - left;
        assert_eq!(read(needed), (true, 0));
        assert_eq!((read(needed - 1), read(10)), ((false, 0), (false, 0)));
    });
}

/// Each byte of the headers and tables of a file, and of the directories in memory, as something else: nothing breaks.
#[test]
fn hostile_images() {
    let (scene, file) = patched();
    for at in
        (0x3c..0x40).chain(0x100..0x260).chain(0x1600..0x1610).chain(0x17e0..0x17e6).chain(0x1880..0x18e0)
    {
        let mut file = file.clone();
        file.3[at] = file.3[at].wrapping_sub(0x81);
        let tables = scene.tables(vec![file]);
        assert!(!tables["code_checks"].is_empty());
    }
    let mut scene = importing(Arch::X64);
    let kernel = scene.base("ntoskrnl.exe");
    scene.imports(&[("ntoskrnl.exe", "IoOne", kernel + 0x2100), ("fabrikam.sys", "FabFwd", kernel + 0x2200)]);
    for at in (IMPORTS..IMPORTS + 0x80).step_by(7) {
        let before = scene.image("contoso.sys").3[at as usize];
        scene.put("contoso.sys", at, &[0xff]);
        assert!(!scene.tables(Vec::new())["code_checks"].is_empty());
        scene.put("contoso.sys", at, &[before]);
    }
}

/// `code_pages`: a page is itself in two dumps, and is not when a byte of it changed; what may be written or is thrown
/// away has none.
#[test]
fn pages_of_code_by_their_hash() {
    let pages = |scene: &Scene| {
        let provider = symbols_of(&scene.machine.facts);
        let mut tables = named_tables(&scene.machine, Format::Full, &provider, &["code_pages"]);
        let mut rows = tables.remove("code_pages").unwrap();
        rows.retain(|row| row["module"] == "contoso.sys");
        rows.iter()
            .map(|row| (row["rva"].parse().unwrap(), row["hash"].clone()))
            .collect::<Vec<(u64, String)>>()
    };
    let mut scene = Scene::new(Arch::X64);
    let before = pages(&scene);
    assert_eq!(
        before.iter().map(|page| page.0).collect::<Vec<_>>(),
        [0x2000, 0x3000],
        "pages that are there"
    );
    scene.put("contoso.sys", 0x2fff, &[0xcc]);
    let after = pages(&scene);
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
    // Characteristics of .text, the second section: discardable, then writable.
    for flags in [0x6a00_0020_u32, 0xe800_0020] {
        let mut scene = Scene::new(Arch::X64);
        scene.put("contoso.sys", OPTIONAL + 0xf0 + 0x28 + 36, &flags.to_le_bytes());
        assert_eq!(pages(&scene), []);
    }
    // A section that claims all addresses ends with its image.
    scene.put("contoso.sys", OPTIONAL + 0xf0 + 0x28 + 8, &u32::MAX.to_le_bytes());
    let found = pages(&scene);
    assert!(found.len() <= SIZE as usize / 0x1000, "{found:?}");
}
