//! A Windows system in a dump: its kernel, its layouts, its address spaces.

mod opening;

pub use opening::mode_name;

use crate::object::{Listed, Objects};
use crate::{
    Candidate, Depth, Kdbg, Kernel, View,
    census::Census,
    discover,
    eresource::Resource,
    owner::Owner,
    pool::{Tag, TagUse},
    pte::Entries,
};
use memory::{Architecture, Dump, Fault, Pa, PagingMode, Space, Va, records::Problem};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, OnceLock},
};
use symbols::{Choice, Field, Layouts, Provider, Wish};

/// More problems than this of one system are only counted: a damaged dump could have millions.
const MOST_PROBLEMS: usize = 10_000;

/// Everything that walks need to read structures.
pub struct System<'a> {
    /// The dump.
    pub dump: &'a Dump,
    /// Architecture of the kernel.
    pub architecture: Architecture,
    /// Paging mode; `None` for dumps of virtual memory.
    pub mode: Option<PagingMode>,
    /// Build number, 0 when nothing states it.
    pub build: u32,
    /// The kernel's address space.
    pub space: Space<'a>,
    /// Physical address of its root, where there is one.
    pub root: Option<Pa>,
    /// The kernel image, if it was found.
    pub kernel: Option<Kernel>,
    /// Layouts of the kernel's structures.
    pub layouts: Layouts,
    /// How the layouts were chosen.
    pub choice: Choice,
    /// The debugger block, if it was found.
    pub kdbg: Option<Kdbg>,
    /// Every page-table root that was tried, and what became of it.
    pub candidates: Vec<Candidate>,
    /// Who knows functions and lines of images other than the kernel.
    pub names: Option<&'a dyn Provider>,
    pub(crate) entries: Entries,
    problems: Mutex<Problems>,
    /// Bytes of memory in the dump.
    pub(crate) bytes: u64,
    /// How many things of a name were looked at.
    pub(crate) spent: Mutex<HashMap<String, u64>>,
    pub(crate) census: OnceLock<Census>,
    pub(crate) objects: OnceLock<Objects>,
    pub(crate) tree: OnceLock<Vec<Listed>>,
    pub(crate) owners: OnceLock<Vec<Owner>>,
    pub(crate) resources: OnceLock<Vec<Resource>>,
    pub(crate) pool_tags: OnceLock<BTreeMap<Tag, TagUse>>,
}

#[derive(Default)]
struct Problems {
    /// By what orders them, so that those that are kept do not depend on which thread came first.
    kept: BTreeMap<Order, Problem>,
    /// How often a problem was noted.
    noted: u64,
    /// True once one was left out.
    left_out: bool,
}

/// Structure, field, address, kind, found, expected.
type Order = (String, String, Option<u64>, String, String, String);

impl<'a> System<'a> {
    /// Finds Windows in a dump of kernel memory. `None` for user minidumps and for files without memory; a dump
    /// in which no kernel can be found gives a system without layouts, and `faults` say what was tried.
    pub fn open(dump: &'a Dump, provider: &dyn Provider) -> Option<System<'a>> {
        System::open_at(dump, provider, Depth::Low)
    }

    /// The same with a say in how much memory is searched for the kernel where the file does not name it.
    pub fn open_at(dump: &'a Dump, provider: &dyn Provider, depth: Depth) -> Option<System<'a>> {
        let found = discover::address_space(dump, depth)?;
        let mut system = System {
            dump,
            architecture: found.architecture,
            mode: found.mode,
            build: dump.records.header.build.unwrap_or(0),
            space: found.space,
            root: found.root,
            kernel: None,
            layouts: Layouts::default(),
            choice: Choice { source: "none".into(), ..Choice::default() },
            kdbg: None,
            candidates: found.candidates,
            names: None,
            entries: Entries::default(),
            problems: Mutex::default(),
            bytes: dump.bytes_present(),
            spent: Mutex::default(),
            census: OnceLock::new(),
            objects: OnceLock::new(),
            tree: OnceLock::new(),
            owners: OnceLock::new(),
            resources: OnceLock::new(),
            pool_tags: OnceLock::new(),
        };
        if dump.image().is_some() {
            system.judge_roots(&found.searched);
        }
        if system.mode.is_some() || dump.captured().is_some() {
            system.find_kernel(found.kernel, provider);
        }
        Some(system)
    }

    /// Names functions of all images by their PDBs, where the provider finds them.
    pub fn with_names(self, provider: &'a dyn Provider) -> System<'a> {
        System { names: Some(provider), ..self }
    }

    /// What is known of the kernel image, for whoever finds its layouts.
    pub fn wish(&self) -> Wish {
        let kernel = self.kernel.as_ref();
        let image = kernel.map(|kernel| &kernel.image);
        Wish {
            pdb_name: image.and_then(|image| image.pdb_name.clone()),
            id: image.and_then(|image| image.pdb),
            architecture: self.architecture.name(),
            build: Some(self.build).filter(|&build| build != 0),
            timestamp: image.and_then(|image| image.timestamp),
            size_of_image: image.and_then(|image| image.size),
            known: self.kdbg.as_ref().map(Kdbg::known).unwrap_or_default(),
        }
    }

    /// Bytes of a pointer: 4 or 8.
    pub fn pointer_size(&self) -> u32 {
        self.architecture.pointer_size()
    }

    /// An address as this system writes it: 32-bit systems sign-extend theirs in 64-bit fields.
    pub fn narrow(&self, va: u64) -> Va {
        Va(if self.pointer_size() == 4 { va & 0xffff_ffff } else { va })
    }

    /// The thread of which a small dump has a copy, or says where it is.
    pub fn stated_thread(&self) -> Option<Va> {
        Some(self.narrow(self.dump.records.header.triage.as_ref()?.thread_address?))
    }

    /// The process of which a small dump has a copy, or says where it is.
    pub fn stated_process(&self) -> Option<Va> {
        Some(self.narrow(self.dump.records.header.triage.as_ref()?.process_address?))
    }

    /// True if an address lies in the half that belongs to the kernel.
    pub fn is_kernel(&self, va: Va) -> bool {
        if self.pointer_size() == 4 { va.0 >= 0x8000_0000 } else { va.0 >> 63 == 1 }
    }

    /// The upper half of the least address of the kernel's half, on 64-bit systems: how much of it page tables can lead to
    /// depends on their levels.
    pub fn least_kernel_upper(&self) -> u32 {
        match self.mode {
            Some(PagingMode::X64) => 0xffff_8000,
            Some(PagingMode::Arm64) => 0xffff_0000,
            _ => 0xff00_0000,
        }
    }

    /// The address space of a process by its `DirectoryTableBase`.
    pub fn process_space(&self, dtb: u64) -> Option<Space<'a>> {
        let (image, mode) = (self.dump.image()?, self.mode?);
        let root = match mode {
            PagingMode::X86Pae => dtb & 0xffff_ffe0,
            PagingMode::X86 => dtb & 0xffff_f000,
            // The low bits may hold a PCID, the high ones an ASID or flags.
            _ => dtb & 0x000f_ffff_ffff_f000,
        };
        if root == 0 {
            return None;
        }
        Some(self.entries.apply(Space::paged(image, Pa(root), mode).with_build(self.build)))
    }

    /// A structure of the kernel.
    pub fn view(&self, va: Va, size: u32) -> View<'a> {
        self.view_in(self.space, va, size)
    }

    /// A structure in any address space of this system.
    pub fn view_in(&self, space: Space<'a>, va: Va, size: u32) -> View<'a> {
        View::new(space, va, size, self.pointer_size())
    }

    /// Text of a `UNICODE_STRING` in kernel memory.
    pub fn unicode(&self, va: Va) -> Option<String> {
        crate::view::unicode_at(self.space, va, self.pointer_size()).ok().flatten()
    }

    /// The first name of a structure that the layouts know, else the first.
    pub(crate) fn type_name<'n>(&self, names: &[&'n str]) -> &'n str {
        names.iter().find(|name| self.layouts.types.contains_key(**name)).unwrap_or(&names[0])
    }

    /// Size of a structure, 0 when it is not known. See [`layout!`](crate::layout).
    pub fn size_of(&self, type_name: &str) -> u32 {
        self.layouts.size(type_name).unwrap_or(0)
    }

    /// A member by one of its names. See [`layout!`](crate::layout).
    pub fn field(&self, type_name: &str, paths: &[&str], optional: bool) -> Option<Field> {
        let found = paths.iter().find_map(|path| self.layouts.field(type_name, path));
        if found.is_none() && !optional && !self.layouts.types.is_empty() {
            self.problem(
                "missing_field",
                type_name,
                paths[0],
                None,
                "a member of this kernel",
                "no such member",
            );
        }
        found
    }

    /// Notes what could not be read.
    pub fn problem(
        &self,
        kind: &str,
        structure: &str,
        field: &str,
        va: Option<Va>,
        expected: &str,
        found: &str,
    ) {
        let address = va.map(|va| va.0);
        let (structure, field, kind) = (structure.into(), field.into(), kind.into());
        let (expected, found) = (expected.into(), found.into());
        let problem = Problem { structure, field, offset: None, address, kind, expected, found };
        let Ok(mut problems) = self.problems.lock() else { return };
        problems.noted += 1;
        let p = &problem;
        let order = (
            p.structure.clone(),
            p.field.clone(),
            p.address,
            p.kind.clone(),
            p.found.clone(),
            p.expected.clone(),
        );
        problems.kept.insert(order, problem);
        if problems.kept.len() > MOST_PROBLEMS {
            problems.kept.pop_last();
            problems.left_out = true;
        }
    }

    /// Notes that memory could not be read.
    pub fn unreadable(&self, structure: &str, field: &str, va: Va, fault: &Fault) {
        self.problem(fault.kind(), structure, field, Some(va), "readable memory", &fault.to_string());
    }

    /// True for a small (triage) dump, which has a few captured blocks of kernel memory. If so, notes once that
    /// something is not in it: that is no damage, and a row for each list of each processor would say no more.
    pub fn small_dump_lacks(&self, structure: &str, field: &str) -> bool {
        let small = self.dump.records.header.triage.is_some();
        if small {
            let found = "a small dump without them";
            self.problem("not_captured", structure, field, None, "memory with all of them", found);
        }
        small
    }

    /// Every problem so far, in an order that does not depend on threads.
    pub fn problems(&self) -> Vec<Problem> {
        let Ok(problems) = self.problems.lock() else { return Vec::new() };
        let mut all: Vec<Problem> = problems.kept.values().cloned().collect();
        if problems.left_out {
            let found = format!("more; problems were noted {} times", problems.noted);
            let expected = format!("at most {MOST_PROBLEMS}");
            all.push(Problem { offset: None, ..Problem::new("too_many", "faults", "", 0, expected, found) });
        }
        all
    }
}
