//! What code of a process is called: by the exports of its images.
//!
//! Many processes map the same images. The exports of an image are read once for all that have its directory on the
//! same frames. How much is kept is bounded beforehand and not by what came first, so that names do not depend on the
//! order in which threads meet stacks.

use super::targets::{Module, Name};
use crate::code::{self, function_start, is_one_function};
use memory::{PAGE_SIZE, Space, Va};
use nt::{ImageFacts, directory, exports::Exports};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Bytes of export directories of all processes together, and of one. `ntdll.dll` has 80,000; what is kept of a
/// directory takes some four times its size.
const MOST: u64 = 96 << 20;
const MOST_OF_PROCESS: u64 = 2 << 20;

/// All that the names of a directory depend on: place of the image in a page, place and size of the directory in the
/// image, size of the image, and the directory's frames.
type Key = (u64, (u32, u32), Option<u32>, Vec<Option<u64>>);

/// The exports of all images that were asked for.
pub struct Shelf {
    /// Bytes of directories that a process may have.
    share: u64,
    kept: Mutex<HashMap<Key, Arc<Exports>>>,
}

impl Shelf {
    /// For so many processes.
    pub fn new(processes: usize) -> Shelf {
        let share = (MOST / (processes as u64).max(1)).min(MOST_OF_PROCESS);
        Shelf { share, kept: Mutex::default() }
    }

    /// The exports of an image; none if its directory is not as linkers write it.
    fn exports(&self, space: Space<'_>, image: &Named) -> Arc<Exports> {
        let key = key(space, image);
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(exports) = kept().get(&key) {
            return exports.clone();
        }
        // Not under the lock: of two threads that read the same, both get what was there first.
        let found = Exports::read_within(space, Va(image.base), &image.facts).unwrap_or_default();
        kept().entry(key).or_insert_with(|| Arc::new(found)).clone()
    }
}

fn key(space: Space<'_>, image: &Named) -> Key {
    let (rva, len) = image.facts.directory(directory::EXPORTS);
    let first = image.base.saturating_add(rva.into());
    let last = first.saturating_add(len.into());
    let pages = (first / PAGE_SIZE..last.div_ceil(PAGE_SIZE)).map(|page| Va(page * PAGE_SIZE));
    let frames = pages.map(|va| space.translate(va).ok().map(|pa| pa.0)).collect();
    (image.base % PAGE_SIZE, (rva, len), image.facts.size, frames)
}

/// An image of a process.
struct Named {
    base: u64,
    /// Of its headers what is needed.
    facts: ImageFacts,
    exports: OnceLock<Arc<Exports>>,
}

/// The names of the code of a process.
pub struct Names<'a> {
    space: Space<'a>,
    shelf: Arc<Shelf>,
    /// By the number of the module; `None`: its headers are not in the dump, or it has no exports or too many.
    images: Vec<Option<Named>>,
}

impl<'a> Names<'a> {
    /// Of modules, each with what its headers say, in the order of the loader's list: `ntdll.dll` and what most stacks
    /// are full of come first.
    pub fn new<'m>(
        space: Space<'a>,
        shelf: Arc<Shelf>,
        modules: impl Iterator<Item = (&'m Module, Option<&'m ImageFacts>)>,
    ) -> Names<'a> {
        let mut room = shelf.share;
        let named = |(module, facts): (&Module, Option<&ImageFacts>)| {
            let facts = facts?;
            let len = u64::from(facts.directory(directory::EXPORTS).1);
            room = room.checked_sub(len).filter(|_| len > 0)?;
            let (machine, size) = (facts.machine, facts.size);
            let directories = facts.directories.iter().take(directory::EXCEPTION + 1).copied().collect();
            let facts = ImageFacts { machine, size, directories, ..ImageFacts::default() };
            Some(Named { base: module.base, facts, exports: OnceLock::new() })
        };
        let images = modules.map(named).collect();
        Names { space, shelf, images }
    }

    /// Fills `out` with the bytes at an address; false if one of them is not there.
    pub fn read(&self, va: u64, out: &mut [u8]) -> bool {
        self.space.read(Va(va), out).is_ok()
    }

    /// What a return address into a module is called: by the call before it, which may be a function's last
    /// instruction.
    pub fn of(&self, target: u64, number: u32, module: &Module) -> Name {
        let in_module = target.wrapping_sub(module.base);
        let unknown = Name { function: None, offset: in_module, function_offset: None };
        let call = u32::try_from(in_module).ok().and_then(|rva| rva.checked_sub(1));
        let Some((named, rva)) = self.images.get(number as usize).and_then(Option::as_ref).zip(call) else {
            return unknown;
        };
        let image = code::image(module.base, module.size, &named.facts, &self.space);
        let exports = named.exports.get_or_init(|| self.shelf.exports(self.space, named));
        match exports.nearest(rva).filter(|(_, offset)| is_one_function(&image, rva - offset, rva)) {
            Some((name, offset)) => {
                let offset = u64::from(offset) + 1;
                Name { function: Some(name.to_string()), offset, function_offset: Some(offset) }
            }
            None => {
                let start = function_start(&image, rva);
                Name { function_offset: start.and_then(|start| target.checked_sub(start)), ..unknown }
            }
        }
    }
}
