//! From a machine to rows as text.

use arrow::{
    array::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use fixtures::{Arch, Build, Facts, Format, Machine};
use scan::nt::{
    self,
    symbols::{Library, OneProfile, isf},
};
use schema::{Sink, TableSpec, tables};
use std::{collections::BTreeMap, path::PathBuf, sync::Mutex};

/// One row: text by column; NULL is not in it.
pub type Row = BTreeMap<String, String>;

/// The rows of every table.
pub type Tables = BTreeMap<String, Vec<Row>>;

/// The number in a cell; NULL is none.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn number(row: &Row, name: &str) -> Option<u64> {
    row.get(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is {text}")))
}

/// The faults of a structure.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn faults<'a>(tables: &'a Tables, structure: &str) -> Vec<&'a Row> {
    tables["faults"].iter().filter(|row| row.get("structure").is_some_and(|of| of == structure)).collect()
}

/// Whether there is a fault of a kind.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn has_fault(tables: &Tables, kind: &str) -> bool {
    tables["faults"].iter().any(|row| row.get("kind").is_some_and(|found| found == kind))
}

/// `module+offset` as the facts have it.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn owner(facts: &Facts, va: u64) -> Option<String> {
    let holds = |base: u64, size: u32| (base..base + u64::from(size)).contains(&va);
    let module = facts.modules.iter().find(|module| holds(module.base, module.size))?;
    Some(format!("{}+{:#x}", module.name, va - module.base))
}

/// Every kernel that the machine can be.
pub fn kernels() -> Vec<(Arch, Build)> {
    let x64 = Build::X64.map(|build| (Arch::X64, build));
    let x86 = Build::X86.map(|build| (Arch::X86, build));
    let pae = Build::X86.map(|build| (Arch::X86Pae, build));
    let arm = [(Arch::Arm64, Build::WIN10_19041)];
    x64.into_iter().chain(x86).chain(pae).chain(arm).collect()
}

/// The symbols of a machine's kernel as another program would state them: read from its ISF file.
pub fn symbols_of(facts: &Facts) -> OneProfile {
    let profile = isf::parse(fixtures::isf::json(facts).as_bytes()).unwrap();
    OneProfile { profile, source: "ISF".into() }
}

/// What the program has without any option: the pack inside it.
pub fn offline() -> Library<'static> {
    Library::built_in()
}

/// All tables of a machine's dump, read with the symbols of its kernel.
pub fn tables_of(machine: &Machine, format: Format) -> Tables {
    tables_with(machine, format, &symbols_of(&machine.facts))
}

/// All tables of a machine's dump but those of every page or block, which only tests of sweeps ask for.
pub fn tables_with(machine: &Machine, format: Format, provider: &dyn nt::symbols::Provider) -> Tables {
    let large = [
        "pages",
        "pool_allocations",
        "pool_pages",
        "tag_constants",
        "residue",
        "residue_pages",
        "found_images",
        "found_records",
    ];
    let tables: Vec<_> = tables::all().iter().copied().filter(|table| !large.contains(&table.name)).collect();
    these_tables(machine, format, provider, &tables)
}

/// The named tables of a machine's dump.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn some_tables(machine: &Machine, format: Format, names: &[&str]) -> Tables {
    let tables: Vec<_> = tables::all().iter().copied().filter(|table| names.contains(&table.name)).collect();
    assert_eq!(tables.len(), names.len(), "a table of {names:?} does not exist");
    these_tables(machine, format, &symbols_of(&machine.facts), &tables)
}

/// The named tables of a machine's dump, with other symbols.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn named_tables(
    machine: &Machine,
    format: Format,
    provider: &dyn nt::symbols::Provider,
    names: &[&str],
) -> Tables {
    let tables: Vec<_> = tables::all().iter().copied().filter(|table| names.contains(&table.name)).collect();
    these_tables(machine, format, provider, &tables)
}

/// The named tables of a machine's dump, with something to look for.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn tables_for(machine: &Machine, format: Format, names: &[&str], needles: &[scan::Needle]) -> Tables {
    let tables: Vec<_> = tables::all().iter().copied().filter(|table| names.contains(&table.name)).collect();
    tables_looking(machine, format, &symbols_of(&machine.facts), &tables, needles)
}

/// Every table of a machine's dump.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn every_table(machine: &Machine, format: Format) -> Tables {
    these_tables(machine, format, &symbols_of(&machine.facts), tables::all())
}

fn these_tables(
    machine: &Machine,
    format: Format,
    provider: &dyn nt::symbols::Provider,
    tables: &[&'static TableSpec],
) -> Tables {
    tables_looking(machine, format, provider, tables, &[])
}

fn tables_looking(
    machine: &Machine,
    format: Format,
    provider: &dyn nt::symbols::Provider,
    tables: &[&'static TableSpec],
    needles: &[scan::Needle],
) -> Tables {
    opened(machine, format, provider, |dump, system| scanned((dump, system), provider, tables, needles))
}

/// The named tables of a machine's dump whose records say something else.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn altered_tables(
    (machine, format): (&Machine, Format),
    provider: &dyn nt::symbols::Provider,
    names: &[&str],
    alter: impl FnOnce(&mut memory::Dump),
) -> Tables {
    let tables: Vec<_> = tables::all().iter().copied().filter(|table| names.contains(&table.name)).collect();
    let folder = scratch();
    let mut dump = memory::open(&machine.dump(format).write_to(&folder).unwrap(), None).unwrap();
    alter(&mut dump);
    let system = nt::System::open(&dump, provider).map(|system| system.with_names(provider));
    let found = scanned((&dump, system.as_ref()), provider, &tables, &[]);
    std::fs::remove_dir_all(&folder).unwrap();
    found
}

/// The named tables of a file.
#[allow(dead_code, reason = "only some of the test programs that share this file")]
pub fn file_tables(path: &std::path::Path, provider: &dyn nt::symbols::Provider, names: &[&str]) -> Tables {
    let tables: Vec<_> = tables::all().iter().copied().filter(|table| names.contains(&table.name)).collect();
    let dump = memory::open(path, None).unwrap();
    let system = nt::System::open(&dump, provider).map(|system| system.with_names(provider));
    scanned((&dump, system.as_ref()), provider, &tables, &[])
}

fn scanned(
    (dump, system): (&memory::Dump, Option<&nt::System>),
    provider: &dyn nt::symbols::Provider,
    tables: &[&'static TableSpec],
    needles: &[scan::Needle],
) -> Tables {
    let job = scan::Job { names: Some(provider), needles, ..scan::Job::bare(dump, system, tables) };
    let rows = Rows::default();
    scan::run(&job, &rows).unwrap();
    rows.0.into_inner().unwrap()
}

/// Looks into the system of a machine's dump.
pub fn with_system<T>(
    machine: &Machine,
    format: Format,
    provider: &dyn nt::symbols::Provider,
    look: impl FnOnce(&nt::System) -> T,
) -> T {
    opened(machine, format, provider, |_, system| look(system.unwrap()))
}

fn opened<T>(
    machine: &Machine,
    format: Format,
    provider: &dyn nt::symbols::Provider,
    look: impl FnOnce(&memory::Dump, Option<&nt::System>) -> T,
) -> T {
    let folder = scratch();
    let path = machine.dump(format).write_to(&folder).unwrap();
    let dump = memory::open(&path, None).unwrap();
    let found =
        look(&dump, nt::System::open(&dump, provider).map(|system| system.with_names(provider)).as_ref());
    std::fs::remove_dir_all(&folder).unwrap();
    found
}

fn scratch() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("dumplake-walks-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A sink that keeps rows as text.
#[derive(Default)]
struct Rows(Mutex<Tables>);

impl Sink for Rows {
    fn write(&self, table: &TableSpec, batch: RecordBatch) -> schema::Result<()> {
        let mut tables = self.0.lock().unwrap();
        let rows = tables.entry(table.name.to_string()).or_default();
        let options = FormatOptions::new();
        let schema = batch.schema();
        for at in 0..batch.num_rows() {
            let mut row = Row::new();
            for (column, field) in batch.columns().iter().zip(schema.fields()) {
                if !column.is_null(at) {
                    let formatter = ArrayFormatter::try_new(column, &options).unwrap();
                    row.insert(field.name().clone(), formatter.value(at).to_string());
                }
            }
            rows.push(row);
        }
        Ok(())
    }
}
