//! Every format of every architecture of the synthetic machine as a row in SQL: the tables equal the plan.

mod contexts;
mod kernel;
mod memory_runs;
mod unwritten;
mod user;

use crate::{
    ask::{Ask, Row, dumplake},
    support::scratch,
};
use fixtures::{
    Arch, Build, Dump as Planned, Format, Handle, Machine, Plan, ProcessId, Run, Space, scenario,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// One dump of the lake, and the plan that it came from.
pub struct Made {
    pub name: String,
    pub planned: Planned,
    pub path: PathBuf,
    id: String,
}

/// The architecture whose dumps are converted a second time, by one thread.
const ONE_THREAD: &str = "X64";
/// Where the synthetic images have their `IMAGE_OPTIONAL_HEADER64`.
const OPTIONAL_HEADER: u64 = 0x118;

/// Tag of the SMBIOS table among the blobs of a small dump.
const SMBIOS: [u8; 16] =
    [0x8f, 0x00, 0x5c, 0xbc, 0x3a, 0x1e, 0xd7, 0x44, 0x98, 0x8d, 0x86, 0xf6, 0x88, 0x4c, 0x67, 0x58];

/// All dumps, the lake that four threads made of them, and another one.
pub struct World {
    pub made: Vec<Made>,
    /// Ids of the busy system, which has something for most tables of kernel structures, of one with pools and of one
    /// with executed stacks.
    systems: [String; 3],
    /// The rows of the first lake by table and dump.
    rows: BTreeMap<&'static str, BTreeMap<String, Vec<Row>>>,
    lakes: [PathBuf; 2],
}

/// A machine with something for every table.
fn machine(arch: Arch) -> Machine {
    let mut m = Machine::with_ram(
        arch,
        Build::WIN10_19041,
        &[Run { first: 1, count: 0x9e }, Run { first: 0x100, count: 0x700 }],
    );
    let kernel = m.facts.kernel_base;
    m.processors(3).crash(0xd1, [0x28, 2, 0, kernel + 0x1234]).comment(&format!("every format of {arch:?}"));
    m.facts.exception.parameters = vec![1, kernel + 0x10, 3];
    (m.facts.product_type, m.facts.suite_mask) = (3, 0x110);
    m.module("storport.sys", kernel + 0x200_0000, 0xb_0000).module(
        "ndis.sys",
        kernel + 0x210_0000,
        0x17_0000,
    );
    m.unloaded("old.sys", kernel + 0x300_0000, kernel + 0x301_0000, 133_604_200_000_000_000);
    m.unloaded(
        "twelve_chars_and_more.sys",
        kernel + 0x310_0000,
        kernel + 0x311_0000,
        133_604_200_000_000_001,
    );
    m.blob(*b"0123456789abcdef", &[0x5a; 77]).blob([7; 16], &[1, 2, 3]);
    m.blob(SMBIOS, &smbios());
    let process = m.process("notepad.exe", 4660);
    let thread = m.thread(process, 4664);
    m.facts.threads[thread.0].name = Some("worker".into());
    m.thread(process, 4668);
    m.user_module(process, "notepad.exe", 0x40_0000, 0x3_0000).user_module(
        process,
        "extra.dll",
        0x60_0000,
        0x4_0000,
    );
    m.user_unloaded(process, "gone.dll", 0x50_0000, 0x1_0000);
    m.handle(process, handle(0x44, "File", Some("\\Device\\NamedPipe\\fixture")));
    m.handle(process, handle(0x48, "Event", None));
    m.write_va(Space::Process(process), 0x2000_0ffe, b"crosses a page");
    let pool = m.kernel_alloc(0x3000);
    m.write_va(Space::Kernel, pool + 0xff0, &[0xa5; 0x20]);
    m
}

fn handle(handle: u64, type_name: &str, object_name: Option<&str>) -> Handle {
    Handle {
        handle,
        type_name: type_name.into(),
        object_name: object_name.map(Into::into),
        attributes: 2,
        granted_access: 0x12_019f,
        handle_count: 1,
        pointer_count: 3,
    }
}

/// Every format that an architecture has; the big one only where its size costs something once.
fn formats(arch: Arch) -> Vec<Format> {
    let user = [false, true].map(|full| Format::UserMinidump { process: ProcessId(1), full });
    let all = Format::PHYSICAL.into_iter().chain(Format::TRIAGE).chain(user);
    let big = (arch == Arch::X64).then_some(Format::VmssWithMemory);
    all.chain(big).filter(|format| format.fits(arch)).collect()
}

fn planned(arch: Arch, format: Format) -> Planned {
    let mut machine = machine(arch);
    match format {
        Format::Triage(_) => {
            // A small dump leads to all processors where the array of their blocks is captured.
            let array = machine.facts.symbol("KiProcessorBlock");
            let bytes = vec![0; machine.facts.processors as usize * arch.pointer()];
            machine.write_va(Space::Kernel, array, &bytes);
            machine.facts.broken_driver = Some("storport.sys".into());
        }
        // It has to be larger than its state.
        Format::VmssWithMemory => drop(machine.more_ram(0x1000, 0x400)),
        // Without a header, so that it would be the same file as the bare memory of another format.
        Format::Raw => drop(machine.write_pa(0x3000, b"raw")),
        _ => {}
    }
    machine.dump(format)
}

/// Raw files are taken as such, whatever they hold; nothing else has to be told what it is.
fn is_raw(format: Format) -> bool {
    matches!(format, Format::Raw | Format::RawWithoutGap(..))
}

/// The lake of all dumps, made once.
pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::make(&scratch("tables")))
}

impl World {
    fn make(folder: &Path) -> World {
        let mut made = Vec::new();
        for arch in Arch::ALL {
            for format in formats(arch) {
                let name = format!("{arch:?} {format:?}");
                let planned = planned(arch, format);
                let kind = if is_raw(format) { "raw" } else { "dumps" };
                let place = folder.join(kind).join(format!("{arch:?}")).join(&name);
                std::fs::create_dir_all(&place).unwrap();
                let path = planned.write_to(&place).unwrap();
                made.push(Made { name, planned, path, id: String::new() });
            }
        }
        let only = folder.join("dumps").join(ONE_THREAD);
        let write = |name: &str, machine: &Machine| {
            std::fs::create_dir_all(only.join(name)).unwrap();
            machine.dump(Format::Full).write_to(&only.join(name)).unwrap()
        };
        let mut busy = scenario::busy(Arch::X64, Build::WIN10_19041);
        scenario::residue::add(&mut busy);
        scenario::strays::add(&mut busy);
        // mov r8d, 'Ntfx' in the code of ntfs.sys: a row of tag_constants.
        let ntfs = busy.facts.modules[1].base;
        busy.write_va(Space::Kernel, ntfs + 0x5_0000, &[&[0x41, 0xb8][..], b"Ntfx"].concat());
        hook_an_export(&mut busy, ntfs);
        let systems = [
            write("busy", &busy),
            write("pools", &scenario::pools(Arch::X64, Build::WIN10_19041)),
            write("stacks", &scenario::stacks(Arch::X64, Build::WIN10_19041)),
        ];
        let lakes = ["four", "one"].map(|jobs| folder.join(jobs));
        let needle = ["--needle", "crosses a page"];
        let mut ids = convert(&folder.join("dumps"), &lakes[0], &[&needle[..], &["--jobs", "4"]].concat());
        ids.extend(convert(&folder.join("raw"), &lakes[0], &["--jobs", "4", "--format", "raw"]));
        convert(&only, &lakes[1], &[&needle[..], &["--jobs", "1"]].concat());
        for made in &mut made {
            made.id = ids[&made.path].clone();
        }
        let systems = systems.map(|path| ids[&path].clone());
        World { made, systems, rows: all_rows(&Ask::open(&lakes[0])), lakes }
    }
}

/// Where the table's order or its cells need a word.
fn query(table: &str) -> String {
    let hex = |prefix: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("hex({prefix}{n}) AS {prefix}{n}")).collect()
    };
    match table {
        "contexts" => {
            let vectors = [hex("xmm", 16), hex("v", 32)].concat().join(", ");
            format!("SELECT * REPLACE ({vectors}) FROM contexts ORDER BY source, processor, thread_id")
        }
        "tagged_blobs" => "SELECT *, hex(preview) AS preview_hex FROM tagged_blobs ORDER BY index".into(),
        "dumps" => "SELECT *, epoch_us(system_time) AS system_us FROM dumps".into(),
        "processes" | "threads" => format!("SELECT *, epoch_us(create_time) AS create_us FROM {table}"),
        "memory_runs" => "FROM memory_runs ORDER BY start".into(),
        _ => format!("FROM {table}"),
    }
}

fn all_rows(ask: &Ask) -> BTreeMap<&'static str, BTreeMap<String, Vec<Row>>> {
    let mut all = BTreeMap::new();
    for table in schema::all() {
        let by_dump: &mut BTreeMap<String, Vec<Row>> = all.entry(table.name).or_default();
        for row in ask.rows(&query(table.name)) {
            by_dump.entry(row["dump_id"].as_str().unwrap().into()).or_default().push(row);
        }
    }
    all
}

impl Made {
    /// The rows that the dump gave to a table.
    pub fn rows(&self, table: &str) -> &[Row] {
        world().rows[table].get(&self.id).map_or(&[], |rows| rows)
    }

    /// The row of the dump.
    pub fn dump(&self) -> &Row {
        &self.rows("dumps")[0]
    }

    pub fn plan(&self) -> &Plan {
        &self.planned.plan
    }

    /// Asserts that a table has exactly these rows, in this order, as far as they say something of them.
    pub fn check(&self, table: &str, expected: &[Vec<(&str, Value)>]) {
        let found = self.rows(table);
        assert_eq!(found.len(), expected.len(), "{}: rows of {table}: {found:?}", self.name);
        for (row, cells) in found.iter().zip(expected) {
            check_cells(&format!("{}: {table}", self.name), row, cells);
        }
    }
}

/// Compares cells of a row with what they have to be, by name.
pub fn check_cells(what: &str, row: &Row, expected: &[(&str, Value)]) {
    for (column, value) in expected {
        let found = row.get(*column).unwrap_or_else(|| panic!("{what}: no column {column}"));
        assert_eq!(found, value, "{what}: {column}");
    }
}

/// FILETIME, 100 ns since 1601, as microseconds since 1970.
pub fn micros(filetime: u64) -> i64 {
    (filetime / 10) as i64 - 11_644_473_600_000_000
}

/// A GUID as it stands in memory, as text of 32 digits: the first three of its parts are little endian.
pub fn guid_digits(guid: &[u8; 16]) -> String {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    order.map(|at| format!("{:02X}", guid[at])).concat()
}

fn convert(dumps: &Path, lake: &Path, options: &[&str]) -> BTreeMap<PathBuf, String> {
    let mut args: Vec<OsString> =
        vec!["convert".into(), dumps.into(), "-o".into(), lake.into(), "--json".into()];
    args.extend(options.iter().map(OsString::from));
    let ran = dumplake(&args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut ids = BTreeMap::new();
    for outcome in ran.json() {
        assert_eq!(outcome["status"], "converted", "{outcome}");
        let text = |key: &str| outcome[key].as_str().unwrap().to_string();
        ids.insert(text("path").into(), text("dump_id"));
    }
    ids
}

/// The tagged blob with the SMBIOS table: its maker's BIOS and the end. A row of `firmware`.
fn smbios() -> Vec<u8> {
    let bios = [0, 0x12, 0, 0, 1, 2, 0, 0xf0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let table = [&bios[..], b"Contoso Firmware\0C1.17\x0005/17/2024\0\0", &[127, 4, 0, 127, 0, 0]].concat();
    [&[0, 3, 2, 0][..], &(table.len() as u32).to_le_bytes(), &table].concat()
}

/// Gives a driver an export directory with one function, which begins with a jump to where no module is: a row of
/// code_changes.
fn hook_an_export(machine: &mut Machine, base: u64) {
    const DIRECTORY: u64 = 0x6_0000;
    const FUNCTION: u64 = 0x5_1000;
    // `IMAGE_EXPORT_DIRECTORY`: Base, NumberOfFunctions, NumberOfNames, and where the three tables are.
    let at = |offset: u64| (DIRECTORY + offset) as u32;
    let words = [0, 0, 0, at(64), 1, 1, 1, at(40), at(44), at(48), FUNCTION as u32, at(52), 0];
    let bytes: Vec<u8> =
        words.iter().flat_map(|word| word.to_le_bytes()).chain(*b"NtfsHooked\0\0ntfs.sys\0").collect();
    machine.write_va(Space::Kernel, base + DIRECTORY, &bytes);
    // mov rax, imm64; jmp rax
    let jump = [&[0x48, 0xb8][..], &(base - 0x1000_0000).to_le_bytes(), &[0xff, 0xe0]].concat();
    machine.write_va(Space::Kernel, base + FUNCTION, &jump);
    // `IMAGE_OPTIONAL_HEADER64.DataDirectory[0]`
    let entry = [(DIRECTORY as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
    machine.patch(Space::Kernel, base + OPTIONAL_HEADER + 112, &entry);
}

fn is_compared(made: &Made) -> bool {
    let plan = made.plan();
    format!("{:?}", plan.facts.arch) == ONE_THREAD && !is_raw(plan.format)
}

#[test]
fn one_thread_and_four_write_the_same_rows() {
    let [four, one] = world().lakes.each_ref().map(|lake| Ask::open(lake));
    for table in schema::all() {
        let excluded = if table.name == "dumps" { " EXCLUDE (converted_at)" } else { "" };
        let sql = format!("SELECT *{excluded} FROM {}", table.name);
        let compared = |id: &str| {
            let system = world().systems.iter().any(|system| system == id);
            system || world().made.iter().any(|made| made.id == id && is_compared(made))
        };
        // The order within a dump counts; that of the dumps is the engine's.
        let rows = |ask: &Ask| -> Vec<String> {
            let mut by_dump: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for row in ask.rows(&sql) {
                let id = row["dump_id"].as_str().unwrap().to_string();
                if compared(&id) {
                    by_dump.entry(id).or_default().push(Value::Object(row).to_string());
                }
            }
            by_dump.into_values().flatten().collect()
        };
        let (one, four) = (rows(&one), rows(&four));
        assert!(one == four, "{}: {} rows by one thread, {} by four", table.name, one.len(), four.len());
        assert!(!one.is_empty(), "{} has no rows: it is not compared", table.name);
    }
}
