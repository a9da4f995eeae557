//! Code that return addresses lead into, and whether a call is before an address.

use super::{
    exports::{Names, Shelf},
    words::Spans,
};
use crate::code::{Code, executable};
use memory::{Architecture, Space, Va};
use nt::System;
use std::sync::Arc;
use unwind::call::{self, Call};

/// Bytes of retpoline stubs behind a module, as `RetpolineStubOffset` (0) and `RetpolineStubSize` of
/// `KDDEBUGGER_DATA64` state them.
const STUBS: u64 = 0x1000;

/// A stretch of code. Stretches are sorted and apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Place in [`Targets::modules`].
    pub module: u32,
}

/// A module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// File name.
    pub name: String,
    /// First address.
    pub base: u64,
    /// Bytes of address space.
    pub size: u64,
    /// It was unloaded: what is there now is not its code.
    pub unloaded: bool,
}

/// What an address of code is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The function, where a symbol or an export tells.
    pub function: Option<String>,
    /// Bytes from its beginning; from the module's where no function is known.
    pub offset: u64,
    /// Bytes from the beginning of the function, by its name or by unwind data.
    pub function_offset: Option<u64>,
}

/// Where code is read.
enum Reader<'a> {
    /// Through the pages that are kept of each module.
    Kernel(Box<Code<'a>>),
    Process(Names<'a>),
}

/// All code of one half of an address space.
pub struct Targets<'a> {
    architecture: Architecture,
    reader: Reader<'a>,
    /// The modules.
    pub modules: Vec<Module>,
    stretches: Vec<Stretch>,
    /// Around all of it; `None` if there is no code.
    pub spans: Option<Spans>,
}

/// What the bytes before an address say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No call ends there.
    NoCall,
    /// They are not in the dump.
    NotThere,
    /// A direct call of code at this address.
    Direct(u64),
    /// A call through a pointer of the same module.
    Import,
    /// A call through a register or memory.
    Indirect,
}

impl Verdict {
    /// Whether a call is there.
    pub fn is_call(self) -> bool {
        !matches!(self, Verdict::NoCall | Verdict::NotThere)
    }
}

impl<'a> Targets<'a> {
    /// Modules of the kernel: loaded and unloaded ones.
    pub fn of_kernel(system: &'a System<'_>) -> Targets<'a> {
        let code = Box::new(Code::of_kernel(system));
        let (mut modules, mut found) = (Vec::new(), Vec::new());
        for module in code.modules() {
            let size = module.size;
            add(&mut modules, &mut found, (module.name.clone(), module.base, size), module.executable());
        }
        let mut stretches = apart(found);
        for (name, start, end) in unloaded(system).into_iter().rev() {
            // What is loaded there now counts; of two that were, the one that was there last.
            let free = gaps(&stretches, start, end);
            let module = modules.len() as u32;
            modules.push(Module { name, base: start, size: end.saturating_sub(start), unloaded: true });
            stretches.extend(free.into_iter().map(|(start, end)| Stretch { start, end, module }));
            stretches.sort_by_key(|stretch| stretch.start);
        }
        Targets::new(system.architecture, Reader::Kernel(code), modules, stretches)
    }

    /// Modules of a process: name, first address, size.
    pub fn of_process(
        architecture: Architecture,
        space: Space<'a>,
        shelf: Arc<Shelf>,
        images: impl Iterator<Item = (String, u64, u64)>,
    ) -> Targets<'a> {
        let (mut modules, mut found, mut headers) = (Vec::new(), Vec::new(), Vec::new());
        for image in images {
            let facts = nt::image_facts(space, Va(image.1));
            add(&mut modules, &mut found, image, facts.as_ref().and_then(executable));
            headers.push(facts);
        }
        let names = Names::new(space, shelf, modules.iter().zip(headers.iter().map(Option::as_ref)));
        Targets::new(architecture, Reader::Process(names), modules, apart(found))
    }

    fn new(
        architecture: Architecture,
        reader: Reader<'a>,
        modules: Vec<Module>,
        stretches: Vec<Stretch>,
    ) -> Targets<'a> {
        let ranges: Vec<(u64, u64)> = stretches.iter().map(|stretch| (stretch.start, stretch.end)).collect();
        let spans = Spans::over(architecture, &ranges);
        Targets { architecture, reader, modules, stretches, spans }
    }

    /// The code that a return address leads into. A call may be the last instruction, so the byte before counts.
    pub fn find(&self, target: u64) -> Option<&Stretch> {
        self.stretch_of(target.checked_sub(1)?)
    }

    fn stretch_of(&self, va: u64) -> Option<&Stretch> {
        let behind = self.stretches.partition_point(|stretch| stretch.start <= va);
        self.stretches[..behind].last().filter(|stretch| va < stretch.end)
    }

    /// What ends before a return address.
    pub fn judge(&self, target: u64, stretch: &Stretch) -> Verdict {
        if self.modules[stretch.module as usize].unloaded {
            return Verdict::NotThere;
        }
        let mut bytes = [0; call::BEFORE];
        let inside = (target - stretch.start).min(call::BEFORE as u64) as usize;
        let bytes = &mut bytes[..inside];
        if !self.read(target - inside as u64, bytes) {
            return Verdict::NotThere;
        }
        let found = match self.architecture {
            Architecture::X64 => call::x64(bytes),
            Architecture::X86 => call::x86(bytes),
            Architecture::Arm64 => call::arm64(bytes),
        };
        self.verdict(target, stretch, found).unwrap_or_else(|| {
            // The bytes look like a direct call of no code: they may still be another one.
            let wide = self.architecture == Architecture::X64;
            match self.architecture {
                Architecture::Arm64 => Verdict::NoCall,
                _ if call::x86_indirect(bytes, wide).is_some() => Verdict::Indirect,
                _ => Verdict::NoCall,
            }
        })
    }

    /// `None` if what the call names cannot be.
    fn verdict(&self, target: u64, stretch: &Stretch, found: Option<Call>) -> Option<Verdict> {
        Some(match found {
            None => Verdict::NoCall,
            Some(Call::Direct(distance)) => {
                let called = target.wrapping_add_signed(distance);
                let called =
                    if self.architecture == Architecture::X86 { called & 0xffff_ffff } else { called };
                let known = self.stretch_of(called).is_some() || self.is_stub(called, stretch);
                known.then_some(Verdict::Direct(called))?
            }
            Some(Call::Slot(distance)) => {
                let slot = target.wrapping_add_signed(distance);
                let module = &self.modules[stretch.module as usize];
                let inside = slot.checked_sub(module.base).is_some_and(|rva| rva < module.size);
                if inside { Verdict::Import } else { Verdict::Indirect }
            }
            Some(Call::Indirect) => Verdict::Indirect,
        })
    }

    /// Whether an address lies on the page behind a module, where Windows puts the stubs that imported functions are
    /// called through: it writes direct calls of them over the calls through pointers.
    fn is_stub(&self, called: u64, stretch: &Stretch) -> bool {
        let module = &self.modules[stretch.module as usize];
        let behind = called.checked_sub(module.base).and_then(|rva| rva.checked_sub(module.size));
        self.architecture == Architecture::X64 && behind.is_some_and(|behind| behind < STUBS)
    }

    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        match &self.reader {
            Reader::Kernel(code) => code.module(va).is_some_and(|module| module.read(va, out)),
            Reader::Process(names) => names.read(va, out),
        }
    }

    /// What a return address is called: by the call before it, which may be a function's last instruction.
    pub fn symbol(&self, target: u64, stretch: &Stretch) -> Name {
        let module = &self.modules[stretch.module as usize];
        let in_module = target.wrapping_sub(module.base);
        let unknown = Name { function: None, offset: in_module, function_offset: None };
        let code = match &self.reader {
            Reader::Kernel(code) => code,
            Reader::Process(names) => return names.of(target, stretch.module, module),
        };
        if module.unloaded {
            return unknown;
        }
        let symbol = code.symbol(target.wrapping_sub(1));
        let function_offset = symbol.start.and_then(|start| in_module.checked_sub(start));
        let offset = symbol.offset.filter(|_| symbol.name.is_some());
        Name { offset: offset.map_or(in_module, |offset| offset + 1), function: symbol.name, function_offset }
    }

    /// Of code that is not in the dump: whether symbols allow an address inside a function there.
    pub fn may_be_inside(&self, target: u64, stretch: &Stretch) -> bool {
        match &self.reader {
            Reader::Kernel(code) if !self.modules[stretch.module as usize].unloaded => {
                code.may_be_inside(target)
            }
            _ => true,
        }
    }
}

/// Drivers that were unloaded, oldest first: name, first address, one past the last. Small dumps state them and do not
/// hold the ring.
fn unloaded(system: &System<'_>) -> Vec<(String, u64, u64)> {
    let last = |path: String| path.rsplit(['\\', '/']).next().unwrap_or_default().to_string();
    if system.dump.records.header.triage.is_none() {
        let drivers = system.unloaded_drivers().into_iter();
        return drivers.filter_map(|it| Some((last(it.name?), it.start.0, it.end.0))).collect();
    }
    let stated = system.dump.records.unloaded_modules.iter();
    let narrow = |va: u64| system.narrow(va).0;
    stated.filter_map(|it| Some((last(it.name.clone()?), narrow(it.start), narrow(it.end)))).collect()
}

/// Adds a module and its executable sections; all of it if its section table is not in the dump.
fn add(
    modules: &mut Vec<Module>,
    found: &mut Vec<Stretch>,
    (name, base, size): (String, u64, u64),
    executable: Option<&[(u32, u32)]>,
) {
    let module = modules.len() as u32;
    modules.push(Module { name, base, size, unloaded: false });
    let whole = [(0, u32::try_from(size).unwrap_or(u32::MAX))];
    for &(rva, len) in executable.unwrap_or(&whole) {
        let start = base.saturating_add(rva.into());
        let end = start.saturating_add(len.into()).min(base.saturating_add(size));
        found.push(Stretch { start, end, module });
    }
}

/// Sorts, and ends each stretch where the next begins: lists of a damaged system can overlap.
fn apart(mut found: Vec<Stretch>) -> Vec<Stretch> {
    found.sort_by_key(|stretch| (stretch.start, stretch.module));
    found.dedup_by_key(|stretch| stretch.start);
    let starts: Vec<u64> = found.iter().skip(1).map(|stretch| stretch.start).chain([u64::MAX]).collect();
    found.iter_mut().zip(starts).for_each(|(stretch, next)| stretch.end = stretch.end.min(next));
    found.retain(|stretch| stretch.start < stretch.end);
    found
}

/// What stretches leave free of a range.
fn gaps(stretches: &[Stretch], start: u64, end: u64) -> Vec<(u64, u64)> {
    let mut free = Vec::new();
    let mut at = start;
    let first = stretches.partition_point(|stretch| stretch.end <= start);
    for stretch in stretches[first..].iter().take_while(|stretch| stretch.start < end) {
        if at < stretch.start {
            free.push((at, stretch.start));
        }
        at = at.max(stretch.end);
    }
    if at < end {
        free.push((at, end));
    }
    free
}
