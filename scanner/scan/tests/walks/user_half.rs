//! `user_modules`, `critical_sections` and the parameters of `processes` equal the plan on every build; damage keeps
//! the rest.

use crate::support::{Row, Tables, kernels, tables_of};
use fixtures::{Arch, Build, Facts, Format, Image, Lock, Machine, Role, Space, UserSpace, scenario};

fn number(row: &Row, name: &str) -> Option<i64> {
    row.get(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is {text}")))
}

fn cell<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).map(String::as_str)
}

fn pid(facts: &Facts, space: &UserSpace) -> String {
    facts.processes[space.process.0].pid.to_string()
}

/// Rows of a process.
fn of<'a>(tables: &'a Tables, table: &str, pid: &str) -> Vec<&'a Row> {
    tables[table].iter().filter(|row| row.get("process_id").map(String::as_str) == Some(pid)).collect()
}

#[test]
fn every_build() {
    for (arch, build) in kernels() {
        let name = format!("{arch:?} {}", build.number);
        let machine = scenario::busy(arch, build);
        let tables = tables_of(&machine, Format::Full);
        for space in &machine.facts.spaces {
            modules(&name, &machine.facts, &tables, space);
            locks(&name, &machine.facts, &tables, space);
            parameters(&name, &machine.facts, &tables, space);
        }
        let spaces = machine.facts.spaces.iter();
        let all: usize = spaces.map(|space| space.locks.len()).sum();
        assert_eq!(tables["critical_sections"].len(), all, "{name}: nothing of other processes");
        let user = |row: &&Row| ["_LDR", "_PEB", "_RTL_C"].iter().any(|s| row["structure"].starts_with(s));
        let faults: Vec<_> = tables["faults"].iter().filter(user).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

fn modules(name: &str, facts: &Facts, tables: &Tables, space: &UserSpace) {
    // Which descriptors are images is not public for 10.0.26100 and ARM64, so what is in no list has no row there.
    let known = facts.layout().find("_MMVAD_SHORT", "u.VadFlags.Protection").is_some();
    let listed = |image: &&Image| image.lists != [false; 3] || image.lists32 != [false; 3];
    let mut images: Vec<&Image> = space.images.iter().filter(|image| known || listed(image)).collect();
    images.sort_by_key(|image| image.module.base);
    let rows = of(tables, "user_modules", &pid(facts, space));
    assert_eq!(rows.len(), images.len(), "{name}");
    for (row, image) in rows.into_iter().zip(images) {
        module(name, facts, space, row, image);
    }
}

fn module(name: &str, facts: &Facts, space: &UserSpace, row: &Row, image: &Image) {
    let name = format!("{name}: {}", image.module.path);
    let truth = |value: bool| Some(if value { "true" } else { "false" });
    let in_list = |number: usize| truth(image.lists[number] || image.lists32[number]);
    let known = image.lists != [false; 3] || image.lists32 != [false; 3];
    let vad = space.vads.iter().find(|vad| vad.start == image.module.base);
    let flags = facts.layout().find("_MMVAD_SHORT", "u.VadFlags.Protection").is_some();
    let files = facts.layout().has("_CONTROL_AREA") && facts.layout().has("_SUBSECTION");
    let file = vad.filter(|_| files).and_then(|vad| vad.file.as_ref());
    let version = image.module.version.map(|part| part.to_string()).join(".");
    let time = Some("2024-05-17T12:26:36").filter(|_| known && facts.build.number >= 7600);
    for (column, expected) in [
        ("name", Some(image.module.name.as_str())),
        ("path", Some(image.module.path.as_str()).filter(|_| known)),
        ("mapped_path", file.map(|(_, path)| path.as_str())),
        ("in_load", in_list(0)),
        ("in_memory", in_list(1)),
        ("in_init", in_list(2)),
        ("in_vad", truth(vad.is_some())),
        ("mapped_as_image", vad.and(truth(true)).filter(|_| flags)),
        ("is_wow64", truth(image.lists32 != [false; 3])),
        ("load_time", time),
        ("version", Some(version.as_str()).filter(|_| image.present)),
        ("pdb_name", Some(image.module.pdb.as_str()).filter(|_| image.present)),
    ] {
        assert_eq!(cell(row, column), expected, "{name} {column}");
    }
    let reason = (known && facts.build.number >= 9200).then_some(image.load_reason.into());
    for (column, expected) in [
        ("base", Some(image.module.base as i64)),
        ("size", Some(image.module.size.into())),
        ("entry_point", known.then_some(image.module.base as i64 + 0x2000)),
        ("load_count", known.then_some(image.load_count.into())),
        ("load_reason", reason),
        ("timestamp", Some(image.module.timestamp.into())),
        ("checksum", image.present.then_some(image.module.checksum.into())),
    ] {
        assert_eq!(number(row, column), expected, "{name} {column}");
    }
}

fn locks(name: &str, facts: &Facts, tables: &Tables, space: &UserSpace) {
    let rows = of(tables, "critical_sections", &pid(facts, space));
    assert_eq!(rows.len(), space.locks.len(), "{name}");
    for (row, lock) in rows.into_iter().zip(&space.locks) {
        let source = match lock.role {
            Role::Loader => "PEB.LoaderLock",
            Role::FastPeb => "PEB.FastPebLock",
            Role::Other => "ProcessLocksList",
        };
        assert_eq!(row["source"], source, "{name}");
        let waiters = if lock.role == Role::FastPeb { 2 } else { 0 };
        for (column, expected) in [
            ("critical_section", Some(lock.va as i64)),
            ("debug_info", lock.debug.map(|va| va as i64)),
            ("lock_count", Some(lock.lock_count.into())),
            ("waiters", Some(waiters)),
            ("recursion_count", Some(lock.recursion.into())),
            ("owning_thread_id", Some(lock.owner.into()).filter(|&owner| owner != 0)),
            ("spin_count", Some((lock.spin & 0xff_ffff).into())),
            ("entry_count", Some(lock.counts[0].into())),
            ("contention_count", Some(lock.counts[1].into())),
        ] {
            assert_eq!(number(row, column), expected, "{name} {source} {column}");
        }
        assert_eq!(row["locked"], (lock.role != Role::Loader).to_string(), "{name}");
        assert_eq!(row["is_wow64"], lock.narrow.to_string(), "{name}");
    }
}

fn parameters(name: &str, facts: &Facts, tables: &Tables, space: &UserSpace) {
    let rows = of(tables, "processes", &pid(facts, space));
    let planned = &space.parameters;
    for (column, expected) in [
        ("command_line", &planned.command_line),
        ("peb_image_path", &planned.image_path),
        ("current_directory", &planned.current_directory),
        ("window_title", &planned.window_title),
        ("desktop", &planned.desktop),
        ("environment", &planned.environment.to_string()),
    ] {
        assert_eq!(cell(rows[0], column), Some(expected.as_str()), "{name} {column}");
    }
    assert_eq!(cell(of(tables, "processes", "4")[0], "command_line"), None, "{name}");
}

const NOTEPAD: &str = "4660";

/// The busy machine with a patch in notepad's own half.
fn damaged(damage: impl Fn(&Machine, Space) -> (u64, Vec<u8>)) -> Tables {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let space = Space::Process(machine.facts.spaces[0].process);
    let (at, bytes) = damage(&machine, space);
    machine.patch(space, at, &bytes);
    tables_of(&machine, Format::Full)
}

fn entry(name: &str) -> u64 {
    let tables = damaged(|machine, _| (machine.facts.spaces[0].data[0] + 0x8_0000, vec![0]));
    let rows = of(&tables, "user_modules", NOTEPAD);
    let row = rows.iter().find(|row| cell(row, "name") == Some(name)).unwrap();
    number(row, "entry").unwrap() as u64
}

/// Load order: notepad, ntdll, kernel32, ghost. The link behind ntdll is damaged; the other two lists are whole.
#[test]
fn damaged_lists() {
    let ntdll = entry("ntdll.dll");
    let in_load = |tables: &Tables| {
        of(tables, "user_modules", NOTEPAD).iter().filter(|row| row["in_load"] == "true").count()
    };
    let cases = [("cycle", ntdll), ("kernel", 0xffff_f800_0000_0000), ("wild", 0x4141_0000), ("null", 0)];
    for (name, value) in cases {
        let tables = damaged(|_, _| (ntdll, value.to_le_bytes().to_vec()));
        assert_eq!(of(&tables, "user_modules", NOTEPAD).len(), 5, "{name}");
        assert_eq!(in_load(&tables), 2, "{name}");
        let broken = tables["faults"].iter().filter(|row| row["structure"] == "_PEB_LDR_DATA");
        assert_eq!(broken.count(), 1, "{name}");
    }
}

/// A PEB that is not there: what is mapped has its rows, the lists are NULL, not false.
#[test]
fn without_a_peb() {
    let tables = damaged(|machine, _| {
        let peb = machine.facts.processes[machine.facts.spaces[0].process.0].peb;
        (peb + machine.layout().offset("_PEB", "Ldr") as u64, vec![0; 16])
    });
    let rows = of(&tables, "user_modules", NOTEPAD);
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| cell(row, "in_load").is_none() && row["in_vad"] == "true"));
    assert_eq!(cell(of(&tables, "processes", NOTEPAD)[0], "command_line"), None);
}

/// A process in creation: its parameters hold offsets from their block in the place of addresses.
#[test]
fn parameters_of_a_new_process() {
    let mut machine = scenario::busy(Arch::X64, Build::WIN10_19041);
    let space = Space::Process(machine.facts.spaces[0].process);
    let at = 0x5000_0000u64;
    let peb = machine.facts.processes[machine.facts.spaces[0].process.0].peb;
    let layout = machine.layout();
    let mut bytes = vec![0; 0x500];
    let line = layout.offset("_RTL_USER_PROCESS_PARAMETERS", "CommandLine");
    bytes[line..line + 2].copy_from_slice(&6u16.to_le_bytes());
    bytes[line + 8..line + 16].copy_from_slice(&0x480u64.to_le_bytes());
    bytes[0x480..0x486].copy_from_slice(b"n\0e\0w\0");
    machine.patch(space, at, &bytes);
    machine.patch(space, peb + layout.offset("_PEB", "ProcessParameters") as u64, &at.to_le_bytes());
    let tables = tables_of(&machine, Format::Full);
    let rows = of(&tables, "processes", NOTEPAD);
    assert_eq!(cell(rows[0], "command_line"), Some("new"));
    assert_eq!(cell(rows[0], "window_title"), None);
}

/// Debug information that does not point back is not believed; a ring that is cut keeps the PEB's own.
#[test]
fn damaged_locks() {
    let lock = |at: usize| scenario::busy(Arch::X64, Build::WIN10_19041).facts.spaces[0].locks[at];
    let count = |tables: &Tables| of(tables, "critical_sections", NOTEPAD).len();
    let Lock { debug: Some(first), .. } = lock(0) else { panic!("no debug information") };
    let cut = damaged(|_, _| (first + 0x10, 0x4141_0000u64.to_le_bytes().to_vec()));
    assert_eq!(count(&cut), 2, "the third is in the ring only");
    assert!(cut["faults"].iter().any(|row| row["structure"] == "_RTL_CRITICAL_SECTION_DEBUG"));
    let Lock { debug: Some(third), .. } = lock(2) else { panic!("no debug information") };
    let stranger = damaged(|_, _| (third + 8, 0x4141_0000u64.to_le_bytes().to_vec()));
    assert_eq!(count(&stranger), 2);
    assert!(stranger["faults"].iter().any(|row| row["kind"] == "bad_value"));
    let none = damaged(|_, _| (lock(0).va, u64::MAX.to_le_bytes().to_vec()));
    assert_eq!(count(&none), 3, "the ring is entered at the other one");
    let row = of(&none, "critical_sections", NOTEPAD)[0].clone();
    assert_eq!((cell(&row, "debug_info"), cell(&row, "entry_count")), (None, None));
    let all = damaged(|machine, _| {
        let start = machine.facts.spaces[0].locks[0].va;
        (start, [vec![0xff; 8], vec![0; 0x1f8], vec![0xff; 8]].concat())
    });
    assert_eq!(count(&all), 2, "without debug information only the PEB's are known");
}

/// Of an ARM64 system: an x64 program with images of three kinds, one of which cannot be told.
#[test]
fn hybrid_images() {
    let mut machine = scenario::busy(Arch::Arm64, Build::WIN10_19041);
    let spaces = machine.facts.spaces.iter();
    let space = spaces.max_by_key(|space| space.images.iter().filter(|image| image.present).count()).unwrap();
    let (process, images): (_, Vec<u64>) = (
        space.process,
        space
            .images
            .iter()
            .filter(|image| image.present && !image.narrow)
            .map(|image| image.module.base)
            .collect(),
    );
    assert!(images.len() >= 3, "{}", images.len());
    let pid = pid(&machine.facts, space);
    let (config, metadata) = (0x1900_u32, 0x1b00_u32);
    for (&base, (x64, pointer)) in
        images.iter().zip([(true, metadata), (false, metadata), (true, 0x7fff_0000)])
    {
        let mut put = |rva: u32, bytes: &[u8]| {
            machine.patch(Space::Process(process), base + u64::from(rva), bytes);
        };
        if x64 {
            put(0x104, &0x8664_u16.to_le_bytes());
        }
        put(0x118 + 112 + 80, &[config.to_le_bytes(), 0x100_u32.to_le_bytes()].concat());
        put(config, &0x100_u32.to_le_bytes());
        put(config + 0xc8, &(base + u64::from(pointer)).to_le_bytes());
        put(metadata, &[1_u32, 0x1b80, 1].map(u32::to_le_bytes).concat());
    }
    let tables = tables_of(&machine, Format::Full);
    let kind = |base: u64| {
        let rows = of(&tables, "user_modules", &pid);
        let row = rows.into_iter().find(|row| row["base"] == base.to_string()).unwrap();
        (row["machine"].clone(), row.get("hybrid").cloned())
    };
    let some = |text: &str| Some(text.to_string());
    assert_eq!(kind(images[0]), (0x8664.to_string(), some("ARM64EC or ARM64X")));
    assert_eq!(kind(images[1]), (0xaa64.to_string(), some("ARM64X")));
    assert_eq!(kind(images[2]), (0x8664.to_string(), None), "metadata beyond the image");
    let plain = tables_of(&scenario::busy(Arch::Arm64, Build::WIN10_19041), Format::Full);
    let told: Vec<_> = plain["user_modules"].iter().filter_map(|row| row.get("hybrid")).collect();
    assert!(told.len() >= 3 && told.iter().all(|hybrid| *hybrid == "none"), "{told:?}");
    let x64 = tables_of(&scenario::busy(Arch::X64, Build::WIN10_19041), Format::Full);
    assert!(!x64["user_modules"].iter().any(|row| row.contains_key("hybrid")));
}
