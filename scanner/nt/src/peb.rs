//! The user half of a process as it describes itself: PEB, loader lists, process parameters, of both pointer sizes.
//!
//! A 32-bit process of a 64-bit system has a PEB of each size. Kernel symbols describe only the native structures;
//! those of the 32-bit half are what 32-bit Windows has had since XP, which is the ABI of its programs.

use crate::{System, View, layout, list::ENTRY, process::Process};
use memory::{Space, Va};
use std::collections::HashSet;
use symbols::Field;

layout! {
    /// `_PEB`.
    Peb = "_PEB" {
        ldr: "Ldr",
        parameters: "ProcessParameters",
        loader_lock ? "LoaderLock",
        fast_lock ? "FastPebLock",
    }
}

layout! {
    /// `_PEB_LDR_DATA`.
    PebLdrData = "_PEB_LDR_DATA" {
        load: "InLoadOrderModuleList",
        memory: "InMemoryOrderModuleList",
        init: "InInitializationOrderModuleList",
    }
}

layout! {
    /// `_LDR_DATA_TABLE_ENTRY`.
    LdrEntry = "_LDR_DATA_TABLE_ENTRY" {
        load: "InLoadOrderLinks",
        memory: "InMemoryOrderLinks",
        init: "InInitializationOrderLinks",
        base: "DllBase",
        entry_point: "EntryPoint",
        size_of_image: "SizeOfImage",
        full_name: "FullDllName",
        base_name: "BaseDllName",
        flags: "Flags",
        load_count ? "LoadCount" | "ObsoleteLoadCount",
        timestamp: "TimeDateStamp",
        load_time ? "LoadTime",
        load_reason ? "LoadReason",
    }
}

layout! {
    /// `_RTL_USER_PROCESS_PARAMETERS`.
    ProcessParameters = "_RTL_USER_PROCESS_PARAMETERS" {
        flags: "Flags",
        current_directory: "CurrentDirectory.DosPath",
        image_path: "ImagePathName",
        command_line: "CommandLine",
        environment: "Environment",
        window_title: "WindowTitle",
        desktop: "DesktopInfo",
    }
}

layout! {
    /// `_EPROCESS`: the way to the PEB of the 32-bit half.
    Wow64Owner = "_EPROCESS" {
        wow64 ? "WoW64Process" | "Wow64Process",
    }
}

/// No process has more modules or critical sections; a ring that has has been damaged.
const MOST_ENTRIES: usize = 1 << 16;

/// Structures of one pointer size.
#[derive(Clone, Copy)]
pub(crate) struct Layouts {
    pub(crate) peb: Peb,
    pub(crate) ldr: PebLdrData,
    pub(crate) entry: LdrEntry,
    pub(crate) parameters: ProcessParameters,
    pub(crate) section: crate::lock::Section,
    pub(crate) debug: crate::lock::SectionDebug,
}

/// How user halves of a system are read.
pub struct Halves {
    owner: Wow64Owner,
    native: Layouts,
    narrow: Layouts,
}

/// One half of a process: its PEB of one pointer size.
#[derive(Clone)]
pub struct Half<'a> {
    /// The process's address space, with pointers of this half's size.
    pub space: Space<'a>,
    /// The PEB.
    pub peb: View<'a>,
    /// Whether it is the 32-bit half of a process on a 64-bit system.
    pub is_wow64: bool,
    pub(crate) layouts: Layouts,
    width: u32,
}

impl Halves {
    /// Of a system.
    pub fn of(system: &System<'_>) -> Halves {
        let native = Layouts {
            peb: Peb::of(system),
            ldr: PebLdrData::of(system),
            entry: LdrEntry::of(system),
            parameters: ProcessParameters::of(system),
            section: crate::lock::Section::of(system),
            debug: crate::lock::SectionDebug::of(system),
        };
        Halves { owner: Wow64Owner::of(system), native, narrow: narrow(system.build) }
    }

    /// The halves of a process: the native one, then the 32-bit one. None for processes without user memory, or
    /// whose page tables are not known.
    pub fn of_process<'a>(&self, system: &System<'a>, process: &Process) -> Vec<Half<'a>> {
        let Some(space) = process.dtb.and_then(|dtb| system.process_space(dtb)) else { return Vec::new() };
        let half = |space: Space<'a>, at: Option<Va>, layouts: Layouts, is_wow64: bool| {
            let width = if is_wow64 { 4 } else { system.pointer_size() };
            let peb = View::new(space, at?, layouts.peb.size, width);
            Some(Half { space, peb, is_wow64, layouts, width })
        };
        let native = half(space, process.peb, self.native, false);
        let peb32 = self.peb32(system, process);
        native.into_iter().chain(half(space.with_narrow_pointers(), peb32, self.narrow, true)).collect()
    }

    /// The PEB of the 32-bit half: since Windows 10 the first member of an `_EWOW64PROCESS`, before it stands in the
    /// `_EPROCESS` itself.
    fn peb32(&self, system: &System<'_>, process: &Process) -> Option<Va> {
        if system.pointer_size() == 4 {
            return None;
        }
        let wow64 = system.view(process.va, 0).pointer(self.owner.wow64)?;
        let peb = if system.is_kernel(wow64) { system.space.pointer(wow64).ok()? } else { wow64 };
        (peb.0 != 0 && peb.0 <= u32::MAX.into()).then_some(peb)
    }
}

/// What a loader knows of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Address of its `_LDR_DATA_TABLE_ENTRY`.
    pub entry: Va,
    /// `DllBase`.
    pub base: u64,
    /// In load, memory and initialization order.
    pub lists: [bool; 3],
    /// Place in load order.
    pub load_order: Option<u32>,
    /// `SizeOfImage`.
    pub size: Option<u32>,
    /// `EntryPoint`.
    pub entry_point: Option<u64>,
    /// `BaseDllName`.
    pub name: Option<String>,
    /// `FullDllName`.
    pub path: Option<String>,
    /// `Flags`.
    pub flags: Option<u32>,
    /// `LoadCount`.
    pub load_count: Option<u32>,
    /// `LoadReason`.
    pub load_reason: Option<i32>,
    /// `LoadTime`.
    pub load_time: Option<memory::Time>,
    /// `TimeDateStamp`.
    pub timestamp: Option<u32>,
}

/// Process parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// `CommandLine`.
    pub command_line: Option<String>,
    /// `ImagePathName`.
    pub image_path: Option<String>,
    /// `CurrentDirectory.DosPath`.
    pub current_directory: Option<String>,
    /// `WindowTitle`.
    pub window_title: Option<String>,
    /// `DesktopInfo`.
    pub desktop: Option<String>,
    /// `Environment`.
    pub environment: Option<u64>,
}

impl<'a> Half<'a> {
    /// A structure of this half.
    pub(crate) fn view(&self, va: Va, size: u32) -> View<'a> {
        View::new(self.space, va, size, self.width)
    }

    /// The modules that the loader's lists have, in load order, then those of the other lists alone. `None` if the
    /// loader's data cannot be read.
    pub fn loaded(&self, system: &System<'a>) -> Option<Vec<Loaded>> {
        let ldr = self.view(self.peb.pointer(self.layouts.peb.ldr)?, self.layouts.ldr.size);
        if !ldr.is_whole() {
            return None;
        }
        let (heads, links) = (self.layouts.ldr, self.layouts.entry);
        let lists = [(heads.load, links.load), (heads.memory, links.memory), (heads.init, links.init)];
        let mut all: Vec<Loaded> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (number, (head, link)) in lists.into_iter().enumerate() {
            let (Some(head), Some(link)) = (ldr.at(head), link) else { continue };
            for (order, at) in (0u32..).zip(self.ring(system, head, "_PEB_LDR_DATA")) {
                let Some(entry) = at.0.checked_sub(link.offset.into()).map(Va) else { continue };
                let place = *places.entry(entry).or_insert(all.len());
                if place == all.len() {
                    let module = self.module(entry);
                    let text = |text| system.text("user_modules.path", text);
                    all.push(Loaded { name: text(module.name), path: text(module.path), ..module });
                }
                all[place].lists[number] = true;
                if number == 0 {
                    all[place].load_order = Some(order);
                }
            }
        }
        all.retain(|module| module.base != 0);
        Some(all)
    }

    fn module(&self, entry: Va) -> Loaded {
        let layout = &self.layouts.entry;
        let view = self.view(entry, layout.size);
        Loaded {
            entry,
            base: view.uint(layout.base).unwrap_or(0),
            lists: [false; 3],
            load_order: None,
            size: view.u32(layout.size_of_image),
            entry_point: view.uint(layout.entry_point),
            name: view.unicode(layout.base_name),
            path: view.unicode(layout.full_name),
            flags: view.u32(layout.flags),
            load_count: view.u32(layout.load_count),
            load_reason: view.int(layout.load_reason).map(|reason| reason as i32),
            load_time: view.time(layout.load_time),
            timestamp: view.u32(layout.timestamp),
        }
    }

    /// The entries of a ring in user memory, which its process may have written anything to.
    pub(crate) fn ring(&self, system: &System<'a>, head: Va, name: &str) -> Vec<Va> {
        let (mut seen, mut entries, mut at) = (HashSet::from([head]), Vec::new(), head);
        if system.left(name, ENTRY) == 0 {
            return entries;
        }
        loop {
            let found = match self.space.pointer(at) {
                Ok(next) if next == head => return entries,
                Ok(next) if !seen.insert(next) => "an entry that was met before: a cycle".into(),
                Ok(next) if system.is_kernel(next) => format!("a link to {next}, which is no user address"),
                Ok(_) if entries.len() >= MOST_ENTRIES => format!("more than {MOST_ENTRIES} entries"),
                Ok(next) => {
                    entries.push(next);
                    system.spend(name, 1);
                    at = next;
                    continue;
                }
                Err(fault) => {
                    // An entry that cannot be read is none, unless it is the head itself.
                    entries.pop();
                    fault.to_string()
                }
            };
            system.problem("broken_list", name, "Flink", Some(at), "a ring that ends at its head", &found);
            return entries;
        }
    }

    /// The process's parameters; `None` if they are not there.
    pub fn parameters(&self) -> Option<Parameters> {
        let layout = &self.layouts.parameters;
        let block = self.view(self.peb.pointer(self.layouts.peb.parameters)?, layout.size);
        // RTL_USER_PROC_PARAMS_NORMALIZED; before, a new process has offsets in the place of pointers.
        let normalized = block.u32(layout.flags)? & 1 == 1;
        let text = |field: Option<Field>| {
            if normalized { block.unicode(field) } else { self.relative(&block, field) }
        };
        Some(Parameters {
            command_line: text(layout.command_line),
            image_path: text(layout.image_path),
            current_directory: text(layout.current_directory),
            window_title: text(layout.window_title),
            desktop: text(layout.desktop),
            environment: block.pointer(layout.environment).map(|va| va.0),
        })
    }

    /// Text of a `UNICODE_STRING` whose buffer is an offset from its block.
    fn relative(&self, block: &View<'a>, field: Option<Field>) -> Option<String> {
        let at = block.at(field)?;
        let length = self.space.u16(at).ok()? as usize & !1;
        let offset = self.space.pointer(at.checked_add(self.width.into())?).ok()?;
        let buffer = block.va().checked_add(offset.0).filter(|_| length != 0 && offset.0 != 0)?;
        Some(memory::utf16_lossy(&self.space.bytes(buffer, length).ok()?))
    }
}

impl System<'_> {
    /// Command line and all that of a process: of its native half, else of its 32-bit one.
    pub fn process_parameters(&self, halves: &Halves, process: &Process) -> Option<Parameters> {
        let stated = halves.of_process(self, process).iter().find_map(Half::parameters)?;
        let text = |text| self.text("_RTL_USER_PROCESS_PARAMETERS", text);
        Some(Parameters {
            command_line: text(stated.command_line),
            image_path: text(stated.image_path),
            current_directory: text(stated.current_directory),
            window_title: text(stated.window_title),
            desktop: text(stated.desktop),
            environment: stated.environment,
        })
    }
}

/// The 32-bit half. Offsets: public symbols of 32-bit kernels; alike from XP to Windows 11 but for what the loader
/// keeps at the end of an entry.
fn narrow(build: u32) -> Layouts {
    let field = |offset: u32, size: u32| Some(Field { offset, size, bits: None });
    let (time, reason) = match build {
        9200.. => (field(0x88, 8), field(0x94, 4)),
        7600.. => (field(0x70, 8), None),
        _ => (None, None),
    };
    Layouts {
        peb: Peb {
            size: 0xa4,
            ldr: field(0xc, 4),
            parameters: field(0x10, 4),
            loader_lock: field(0xa0, 4),
            fast_lock: field(0x1c, 4),
        },
        ldr: PebLdrData { size: 0x24, load: field(0xc, 8), memory: field(0x14, 8), init: field(0x1c, 8) },
        entry: LdrEntry {
            size: 0x50,
            load: field(0, 8),
            memory: field(8, 8),
            init: field(0x10, 8),
            base: field(0x18, 4),
            entry_point: field(0x1c, 4),
            size_of_image: field(0x20, 4),
            full_name: field(0x24, 8),
            base_name: field(0x2c, 8),
            flags: field(0x34, 4),
            load_count: field(0x38, 2),
            timestamp: field(0x44, 4),
            load_time: time,
            load_reason: reason,
        },
        parameters: ProcessParameters {
            size: 0x90,
            flags: field(8, 4),
            current_directory: field(0x24, 8),
            image_path: field(0x38, 8),
            command_line: field(0x40, 8),
            environment: field(0x48, 4),
            window_title: field(0x70, 8),
            desktop: field(0x78, 8),
        },
        section: crate::lock::Section::narrow(),
        debug: crate::lock::SectionDebug::narrow(),
    }
}
