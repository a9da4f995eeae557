//! Is the code of the kernel's modules what their makers built, and do their imports lead where they should?
//!
//! Code is compared with the image file of the same link time and size, relocated as the loader does it; what Windows
//! itself patches is told by the file and is no change. Imports are compared with the exports of the modules in the
//! dump, forwarders followed: an entry is wrong if it leads outside the module that exports the function. Where no file
//! is at hand, exported functions are looked at that begin with a jump to what no module exports.

mod books;
mod compare;
mod effect;
mod file;
mod files;
mod starts;

use crate::code::{Code, ImageFile};
use books::Books;
use compare::{Change, Pair};
use file::Original;
use files::Files;
use memory::{Space, Va};
use nt::{
    ImageFacts, System, image_facts,
    imports::{Import, ImportName, imports},
    owner::Owner,
};
use schema::tables::{CodeChangeRow, CodeCheckRow};
use std::cell::{Cell, OnceCell};

/// Pages of code, and entries of import tables and of exports, of all modules together: a list of modules that claims
/// more lies.
const MOST_PAGES: u64 = 1 << 20;
const MOST_ENTRIES: u64 = 1 << 20;
/// Instructions that are followed to find where changed ones begin.
const MOST_STEPS: u64 = 1 << 24;

/// What a module gave.
pub struct Checked {
    pub row: CodeCheckRow,
    pub changes: Vec<CodeChangeRow>,
}

/// Looks at all kernel modules, by address.
pub fn check(system: &System<'_>, mut each: impl FnMut(Checked) -> schema::Result<()>) -> schema::Result<()> {
    let mut check = Check {
        system,
        books: Books::new(system),
        files: Files::new(system),
        code: OnceCell::new(),
        pages: MOST_PAGES,
        entries: MOST_ENTRIES,
        steps: Cell::new(MOST_STEPS),
    };
    for owner in system.owners() {
        each(check.module(owner))?;
    }
    for (spent, found) in [
        (check.pages == 0, format!("{MOST_PAGES} pages of code, where it ended")),
        (check.entries == 0, format!("{MOST_ENTRIES} imports and exports, where it ended")),
        (check.steps.get() == 0, format!("{MOST_STEPS} instructions around changes, where it ended")),
        (check.files.is_full(), "more image files, or larger ones, than are read".to_string()),
        (check.books.is_full(), "more exports than are kept".to_string()),
    ] {
        if spent {
            system.problem("too_many", "code_checks", "", None, "modules of a few hundred MiB", &found);
        }
    }
    Ok(())
}

struct Check<'a> {
    system: &'a System<'a>,
    books: Books<'a>,
    files: Files<'a>,
    /// Names of code, once something was found.
    code: OnceCell<Code<'a>>,
    pages: u64,
    entries: u64,
    steps: Cell<u64>,
}

/// A module with what its headers in the dump say.
struct Module<'a> {
    owner: &'a Owner,
    space: Space<'a>,
    facts: Option<ImageFacts>,
}

impl<'a> Check<'a> {
    fn module(&mut self, owner: &'a Owner) -> Checked {
        let row = CodeCheckRow { module: owner.name.clone(), base: owner.base.0, ..CodeCheckRow::default() };
        let mut checked = Checked { row, changes: Vec::new() };
        let headers = self.system.module_headers(owner.base);
        let (space, facts) = headers.map_or((self.system.space, None), |(space, facts)| (space, Some(facts)));
        let module = Module { owner, space, facts };
        let file = if self.pages > 0 { self.files.of(owner) } else { None };
        // A list may name one file many times.
        let read = file.as_ref().map_or(0, |bytes| bytes.len() as u64 / memory::PAGE_SIZE + 1);
        self.pages = self.pages.saturating_sub(read);
        checked.row.image_file = file.is_some();
        let image = file.as_ref().and_then(|bytes| ImageFile::new(bytes.clone(), owner.base.0));
        self.imports(&module, image.as_ref(), &mut checked);
        match file.map(|bytes| Original::open(bytes, owner.base.0, self.system.architecture)) {
            Some(Ok(mut original)) => {
                original.filled.extend(self.services(owner));
                self.code(&module, &original, &mut checked);
            }
            Some(Err(why)) => {
                let at = Some(owner.base);
                self.system.problem(
                    "unsupported",
                    "image file",
                    &owner.name,
                    at,
                    "a file to compare with",
                    why,
                );
            }
            None => {}
        }
        if checked.row.pages_compared.is_none_or(|pages| pages == 0) {
            self.entries(&module, &mut checked);
        }
        checked
    }

    fn code(&mut self, module: &Module<'_>, original: &Original, checked: &mut Checked) {
        let system = self.system;
        let is_kernel = system.kernel.as_ref().is_some_and(|kernel| kernel.base == module.owner.base);
        let names = system.choice.names.as_ref().filter(|_| is_kernel);
        let pair = Pair {
            architecture: system.architecture,
            original,
            space: module.space,
            base: module.owner.base.0,
            size: module.owner.size,
            loaded: &|va| system.owner(system.narrow(va)).is_some(),
            named: &|rva| rva.checked_sub(names?.nearest(rva)?.1),
            steps: &self.steps,
            starts: OnceCell::new(),
        };
        let compared = pair.compare(&mut self.pages);
        let row = &mut checked.row;
        (row.code_pages, row.pages_compared) = (Some(compared.pages), Some(compared.compared));
        (row.patched_sites, row.changes) = (Some(compared.patched), Some(compared.changed));
        if compared.changed as usize > compared.changes.len() {
            let (at, found) = (Some(module.owner.base), format!("{} changes", compared.changed));
            system.problem("too_many", "code_changes", "", at, "a few changes of a module", &found);
        }
        let rows = compared.changes.iter().map(|change| self.changed(module.owner, change));
        checked.changes.extend(rows.collect::<Vec<_>>());
    }

    /// The kernel's table of system services, which 64-bit kernels up to Windows 8.1 have among their code and rewrite at
    /// boot: addresses become distances. Where its entries lead is what `syscalls` tells.
    fn services(&self, owner: &Owner) -> Option<(u32, u32)> {
        let is_kernel = self.system.kernel.as_ref().is_some_and(|kernel| kernel.base == owner.base);
        if !is_kernel || self.system.pointer_size() != 8 {
            return None;
        }
        let table = self.system.native_services()?;
        let rva = u32::try_from(table.va.0.checked_sub(owner.base.0)?).ok()?;
        Some((rva, table.count.checked_mul(4)?))
    }

    fn changed(&self, owner: &Owner, change: &Change) -> CodeChangeRow {
        CodeChangeRow {
            kind: "code",
            bytes: change.len,
            section: Some(change.section.clone()),
            function: self.function(change.va),
            expected: Some(hex(&change.expected)),
            found: hex(&change.found),
            effect: change.effect.name,
            ..self.leading(owner, change.va, change.effect.target)
        }
    }

    /// A row with the columns that say where something leads.
    fn leading(&self, owner: &Owner, va: u64, target: Option<u64>) -> CodeChangeRow {
        let target = target.map(|target| self.system.narrow(target));
        CodeChangeRow {
            module: owner.name.clone(),
            base: owner.base.0,
            va,
            target: target.map(|va| va.0),
            target_text: target.and_then(|va| self.system.owner_text(va)),
            target_module: target.and_then(|va| self.system.owner(va)).map(|owner| owner.name.clone()),
            ..CodeChangeRow::default()
        }
    }

    fn function(&self, va: u64) -> Option<String> {
        let symbol = self.code.get_or_init(|| Code::of_kernel(self.system)).symbol(va);
        let name = symbol.name?;
        Some(symbol.offset.filter(|&offset| offset != 0).map_or(name.clone(), |at| format!("{name}+{at:#x}")))
    }

    /// Import tables: names of the dump or else of the file, entries of the dump.
    fn imports(&mut self, module: &Module<'_>, file: Option<&ImageFile>, checked: &mut Checked) {
        let base = module.owner.base;
        if self.entries == 0 {
            return;
        }
        let of_dump =
            module.facts.as_ref().map(|facts| imports(module.space, base, facts)).unwrap_or_default();
        self.entries = self.entries.saturating_sub(of_dump.looked.into());
        let facts = module.facts.clone().or_else(|| image_facts(file?.space(), base));
        let found = match (of_dump.functions.is_empty(), file, &facts) {
            (true, Some(file), Some(facts)) => imports(file.space(), base, facts),
            _ => of_dump,
        };
        let found = found.functions;
        let Some(facts) = facts.filter(|_| !found.is_empty()) else { return };
        let (mut sure, mut elsewhere) = (0, 0);
        for import in &found {
            if self.entries == 0 {
                break;
            }
            self.entries -= 1;
            if let Some(row) = self.import(module, &facts, import) {
                sure += 1;
                elsewhere += u32::from(row.is_some());
                checked.changes.extend(row);
            }
        }
        let row = &mut checked.row;
        (row.imports, row.imports_checked) = (Some(found.len() as u32), Some(sure));
        row.imports_elsewhere = Some(elsewhere);
    }

    /// `None` if nothing can be said, `Some(None)` if the entry leads where it should.
    fn import(
        &self,
        module: &Module<'_>,
        facts: &ImageFacts,
        import: &Import,
    ) -> Option<Option<CodeChangeRow>> {
        let within = |&(rva, size): &(u32, u32)| import.slot.wrapping_sub(rva) < size;
        if facts.discardable.iter().any(within) {
            return None; // what lies there now is somebody else's
        }
        let (owner, expected) = self.books.resolve(&import.module, &import.name, &self.files)?;
        let slot = module.owner.base.checked_add(import.slot.into())?;
        let value = compare::pointer(module.space, self.system.architecture, slot.0)?;
        let va = self.system.narrow(value);
        // An entry that the loader has not filled in yet holds what the file has: a relative address.
        if !self.system.is_kernel(va) {
            return None;
        }
        if owner.holds(va) {
            return Some(None);
        }
        let width = self.system.pointer_size() as usize;
        let name = match &import.name {
            ImportName::Name(name) => format!("{}!{name}", owner.name),
            ImportName::Ordinal(ordinal) => format!("{}!#{ordinal}", owner.name),
        };
        Some(Some(CodeChangeRow {
            kind: "import",
            bytes: width as u32,
            function: Some(name),
            expected: Some(hex(&expected.0.to_le_bytes()[..width])),
            found: hex(&value.to_le_bytes()[..width]),
            effect: "pointer",
            expected_target: Some(expected.0),
            ..self.leading(module.owner, slot.0, Some(value))
        }))
    }

    /// Exported functions that begin with a jump to what no module exports.
    fn entries(&mut self, module: &Module<'_>, checked: &mut Checked) {
        let Some(facts) = module.facts.as_ref().filter(|facts| !facts.sections_missing) else { return };
        let Some(exported) = self.books.of(module.owner, &self.files) else { return };
        let is_code = |rva: u32| {
            let holds =
                |list: &[(u32, u32)]| list.iter().any(|&(first, size)| rva.wrapping_sub(first) < size);
            holds(&facts.executable) && !holds(&facts.discardable)
        };
        let (mut looked, mut elsewhere) = (0, 0);
        for rva in exported.starts().filter(|&rva| is_code(rva)) {
            if self.entries == 0 {
                break;
            }
            self.entries -= 1;
            let mut bytes = [0; effect::LONGEST];
            let Some(va) = module.owner.base.checked_add(rva.into()) else { continue };
            if module.space.read(va, &mut bytes).is_err() {
                continue;
            }
            looked += 1;
            if let Some(row) = self.entry(module, va, &bytes) {
                elsewhere += 1;
                checked.changes.push(row);
            }
        }
        (checked.row.entries, checked.row.entries_elsewhere) = (Some(looked), Some(elsewhere));
    }

    fn entry(&self, module: &Module<'_>, va: Va, bytes: &[u8]) -> Option<CodeChangeRow> {
        let architecture = self.system.architecture;
        let pointer = |at: u64| compare::pointer(module.space, architecture, at);
        let effect = effect::of(architecture, bytes, va.0, &pointer);
        let target = self.system.narrow(effect.target.filter(|_| effect.name == "jump")?);
        if module.owner.holds(target) {
            return None;
        }
        // A function that only hands on begins with a jump to what it hands on to: another module's export.
        if let Some(owner) = self.system.owner(target) {
            // Through a table of routines, such as the HAL's, it may lead to what is not exported.
            if bytes.starts_with(&[0xff, 0x25]) || bytes.starts_with(&[0x48, 0xff, 0x25]) {
                return None;
            }
            let rva = u32::try_from(target.0 - owner.base.0).ok()?;
            if self.books.of(owner, &self.files)?.begins(rva) {
                return None;
            }
        }
        Some(CodeChangeRow {
            kind: "entry",
            bytes: compare::SHOWN as u32,
            function: self.function(va.0),
            found: hex(&bytes[..compare::SHOWN]),
            effect: effect.name,
            ..self.leading(module.owner, va.0, Some(target.0))
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
