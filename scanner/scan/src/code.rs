//! Code by address: which module, is it executable, does a call end there, what is it called.
//!
//! Made once for the kernel and once for the space of a process. Images are read from the dump itself, and what it
//! lacks from image files where the user names some; each page once.

mod boundary;
mod frames;
mod layers;
mod process;

pub use boundary::Boundary;
pub use frames::Traps;
pub use layers::ImageFile;
use layers::{Layers, Origin};
use memory::{Architecture, Space, Va};
use nt::{
    ImageFacts, System, directory,
    exports::Exports,
    image_facts,
    symbols::{Frames, Names, PdbId, Provider},
};
use std::sync::{Arc, OnceLock};
use unwind::{Cached, Image, Memory, arm64::Function, call};

pub use process::ProcessCode;

/// A loaded image.
pub struct Module<'a> {
    /// File name.
    pub name: String,
    /// First address.
    pub base: u64,
    /// Bytes of address space.
    pub size: u64,
    memory: Cached<Layers<'a>>,
    facts: OnceLock<Option<ImageFacts>>,
    exports: OnceLock<Exports>,
    names: Option<Arc<Names>>,
    stated: Option<(String, PdbId)>,
    frames: OnceLock<Option<Arc<Frames>>>,
}

/// What an address of code is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbol {
    /// The module.
    pub module: Option<String>,
    /// The function: of the kernel's symbols where they are known, else an export.
    pub name: Option<String>,
    /// Bytes from the function's first one; from the module's first one where no function is known.
    pub offset: Option<u64>,
    /// Where the function begins, in bytes from the module's first one: by its name, else by unwind data.
    pub start: Option<u64>,
    /// Source file, where a PDB tells.
    pub file: Option<String>,
    /// Line of it.
    pub line: Option<u32>,
    /// Functions inlined there, the innermost first.
    pub inlined: Option<String>,
}

/// An image as the loader lists it.
pub struct Listed {
    /// File name.
    pub name: String,
    /// First address.
    pub base: u64,
    /// Bytes of address space.
    pub size: u64,
    /// Link time, where the list states it.
    pub timestamp: Option<u32>,
    /// Its PDB, where the list states it.
    pub pdb: Option<(String, PdbId)>,
}

/// All code of a space.
pub struct Code<'a> {
    architecture: Architecture,
    modules: Vec<Module<'a>>,
    /// Where members of trap frames are: in the kernel only.
    pub traps: Traps,
}

impl<'a> Code<'a> {
    /// The kernel's modules.
    pub fn of_kernel(system: &'a System<'_>) -> Code<'a> {
        let owners = system.owners().iter().map(|owner| Listed {
            name: owner.name.clone(),
            base: owner.base.0,
            size: owner.size,
            timestamp: owner.timestamp,
            pdb: None,
        });
        let mut code = Code::new(system.space, system.architecture, system.names, owners);
        let base = system.kernel.as_ref().map(|kernel| kernel.base.0);
        if let Some(kernel) = code.modules.iter_mut().find(|module| Some(module.base) == base) {
            kernel.names = system.choice.names.clone();
        }
        code.traps = Traps::of(system);
        code
    }

    /// Images of a space, and who may have files of them.
    pub fn new(
        space: Space<'a>,
        architecture: Architecture,
        provider: Option<&'a dyn Provider>,
        images: impl Iterator<Item = Listed>,
    ) -> Code<'a> {
        let mut modules: Vec<Module<'a>> = images.map(|image| Module::new(space, provider, image)).collect();
        modules.sort_by_key(|module| module.base);
        modules.dedup_by_key(|module| module.base);
        Code { architecture, modules, traps: Traps::default() }
    }

    /// All images by first address.
    pub fn modules(&self) -> &[Module<'a>] {
        &self.modules
    }

    /// The module that holds an address.
    pub fn module(&self, va: u64) -> Option<&Module<'a>> {
        let behind = self.modules.partition_point(|module| module.base <= va);
        self.modules[..behind].last().filter(|module| va - module.base < module.size)
    }

    /// Whether an address is one of executable code of a module; `None` if the module's section table is not there.
    pub fn is_executable(&self, va: u64) -> Option<bool> {
        let Some(module) = self.module(va) else { return Some(false) };
        let rva = va - module.base;
        let inside = |&(start, size): &(u32, u32)| {
            (u64::from(start)..u64::from(start) + u64::from(size)).contains(&rva)
        };
        module.executable().map(|executable| executable.iter().any(inside))
    }

    /// Whether code can run at an address: one in a module, whose sections do not say that it is data.
    pub fn can_run(&self, va: u64) -> bool {
        self.is_executable(va) != Some(false)
    }

    /// The call that ends at an address; `Err` if the bytes before it are not in the dump.
    pub fn call_before(&self, va: u64) -> Result<Option<call::Call>, ()> {
        let Some(module) = self.module(va) else { return Ok(None) };
        let mut bytes = [0; call::BEFORE];
        let inside = (va - module.base).min(call::BEFORE as u64) as usize;
        let bytes = &mut bytes[..inside];
        if !module.memory.read(va - inside as u64, bytes) {
            return Err(());
        }
        Ok(match self.architecture {
            Architecture::X64 => call::x64(bytes),
            Architecture::X86 => call::x86(bytes),
            Architecture::Arm64 => call::arm64(bytes),
        })
    }

    /// Whether an address can be a return address: executable code, right behind a call.
    pub fn may_return_to(&self, va: u64) -> bool {
        self.can_run(va) && matches!(self.call_before(va), Ok(Some(_)))
    }

    /// The same of an address whose code is not in the dump, as far as that can be told.
    pub fn could_return_to(&self, va: u64) -> bool {
        self.can_run(va) && self.call_before(va).is_err() && self.may_be_inside(va)
    }

    /// Of an address whose code is not in the dump: false if symbols say that it is no place inside a function. The
    /// first byte of a function is no return address, and names like `??_C@_` are those of string constants.
    pub fn may_be_inside(&self, va: u64) -> bool {
        let symbol = self.symbol(va);
        symbol.name.is_none_or(|name| symbol.offset != Some(0) && !name.starts_with("??_C@_"))
    }

    /// What an address is called. Of a return address ask for the byte before it: a call may be a function's last.
    pub fn symbol(&self, va: u64) -> Symbol {
        let Some(module) = self.module(va) else { return Symbol::default() };
        let rva = va - module.base;
        let export = u32::try_from(rva).ok().and_then(|rva| module.function(rva));
        let (name, offset) = export.map_or((None, rva), |(name, offset)| (Some(name), offset));
        let by_unwind_data = || {
            let start = module.function_start(u32::try_from(rva).ok()?)?;
            Some(start.wrapping_sub(module.base))
        };
        let start = if name.is_some() { Some(rva - offset) } else { by_unwind_data() };
        Symbol { module: Some(module.name.clone()), name, offset: Some(offset), start, ..Symbol::default() }
    }
}

impl<'a> Module<'a> {
    fn new(space: Space<'a>, provider: Option<&'a dyn Provider>, image: Listed) -> Module<'a> {
        let Listed { name, base, size, timestamp, pdb } = image;
        let origin = provider.map(|provider| Origin { provider, timestamp });
        let layers = Layers { space, image: (name.clone(), base, size), origin, looked: OnceLock::new() };
        let memory = Cached::new(layers, base, size);
        let (facts, exports, frames) = Default::default();
        Module { name, base, size, memory, facts, exports, names: None, stated: pdb, frames }
    }

    /// What its headers say; `None` if neither the dump nor a file has them.
    fn facts(&self) -> Option<&ImageFacts> {
        let layers = self.memory.below();
        let of_file = || image_facts(layers.file()?.space(), Va(self.base));
        self.facts.get_or_init(|| image_facts(layers.space, Va(self.base)).or_else(of_file)).as_ref()
    }

    /// The image as unwinding wants it; `None` if its headers are not in the dump.
    pub fn image(&self) -> Option<Image<'_>> {
        Some(image(self.base, self.size, self.facts()?, &self.memory))
    }

    /// Its PDB, unless its names are known already.
    pub fn pdb(&self) -> Option<(&str, PdbId)> {
        if self.names.is_some() { None } else { self.stated_pdb() }
    }

    /// Its PDB, as its headers or the list of images state it.
    fn stated_pdb(&self) -> Option<(&str, PdbId)> {
        let stated = || self.stated.as_ref().map(|(name, id)| (name.as_str(), *id));
        self.facts().and_then(|facts| facts.pdb_name.as_deref().zip(facts.pdb)).or_else(stated)
    }

    /// Relative addresses and sizes of its executable sections; `None` if its section table is not in the dump.
    pub fn executable(&self) -> Option<&[(u32, u32)]> {
        executable(self.facts()?)
    }

    /// Fills `out` with its bytes at an address; false if one of them is not there.
    pub fn read(&self, va: u64, out: &mut [u8]) -> bool {
        self.memory.read(va, out)
    }

    /// What went wrong when a file of it was looked for.
    pub fn problem(&self) -> Option<&str> {
        self.memory.below().problem()
    }

    fn exports(&self) -> &Exports {
        self.exports.get_or_init(|| {
            let layers = self.memory.below();
            let Some(facts) = self.facts() else { return Exports::default() };
            let found = Exports::read(layers.space, Va(self.base), facts);
            match layers.file().filter(|_| found.is_empty()) {
                Some(file) => Exports::read(file.space(), Va(self.base), facts),
                None => found,
            }
        })
    }

    /// The nearest symbol below; where there are no symbols the nearest export, unless unwind data says that another function begins in between.
    fn function(&self, rva: u32) -> Option<(String, u64)> {
        if let Some(names) = self.names.as_ref().filter(|names| !names.is_empty()) {
            let (name, offset) = names.nearest(rva)?;
            return Some((name.to_string(), offset.into()));
        }
        let (name, offset) = self.exports().nearest(rva)?;
        let same = self.image().is_none_or(|image| is_one_function(&image, rva - offset, rva));
        same.then(|| (name.to_string(), offset.into()))
    }

    /// First address of the function that holds a relative address, where unwind data tells, or on x86 the PDB.
    pub fn function_start(&self, rva: u32) -> Option<u64> {
        let image = self.image()?;
        match image.machine {
            unwind::MACHINE_I386 => Some(self.base + u64::from(self.framed_start(rva)?)),
            _ => function_start(&image, rva),
        }
    }
}

/// First address of the function that holds a relative address, where unwind data tells.
pub fn function_start(image: &Image<'_>, rva: u32) -> Option<u64> {
    match image.machine {
        unwind::MACHINE_AMD64 => {
            unwind::x64::function_start(image, image.base.checked_add(rva.into())?).ok()?
        }
        unwind::MACHINE_ARM64 => {
            let function = Function::find(image, rva).ok()??;
            // Where the host of a part begins, its data does not say.
            let whole = !function.is_fragment(image).ok()?;
            whole.then(|| image.base.checked_add(function.begin.into())).flatten()
        }
        _ => None,
    }
}

/// Relative address behind the function that holds a relative address, where unwind data tells.
fn function_end(image: &Image<'_>, rva: u32) -> Option<u32> {
    match image.machine {
        unwind::MACHINE_AMD64 => unwind::x64::find(image, rva).ok()?.map(|function| function.end),
        unwind::MACHINE_ARM64 => Function::find(image, rva).ok()?.map(|function| function.end),
        _ => None,
    }
}

/// Whether a function that begins at one relative address may hold another above it: unwind data tells where the next
/// one begins; of x86 images nothing does.
pub fn is_one_function(image: &Image<'_>, start: u32, rva: u32) -> bool {
    match function_start(image, rva) {
        Some(first) => u64::from(start) >= first.wrapping_sub(image.base),
        None => function_end(image, start).is_none_or(|end| rva < end),
    }
}

/// An image as unwinding wants it.
pub fn image<'m>(base: u64, size: u64, facts: &ImageFacts, memory: &'m dyn Memory) -> Image<'m> {
    let (table, table_size) = facts.directory(directory::EXCEPTION);
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    Image::from_facts(base, size, facts.machine, table, table_size, memory)
}

/// Relative addresses and sizes of executable sections; `None` if the section table is cut off: any part may be code.
pub fn executable(facts: &ImageFacts) -> Option<&[(u32, u32)]> {
    (!facts.sections_missing).then_some(&facts.executable[..])
}
