//! What the loaded modules export: where should an import lead?

use super::files::Files;
use crate::code::ImageFile;
use memory::{Space, Va};
use nt::{
    ImageFacts, KERNEL_FILES, System,
    exported::{Exported, Target},
    image_facts,
    imports::ImportName,
    owner::Owner,
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
};

/// Bytes of the exports of all modules together; those of a whole system are some MiB.
const MOST_BYTES: u64 = 64 << 20;
/// Modules that a forwarder may pass.
const MOST_FORWARDS: u32 = 8;

/// The exports of all modules, each read when it is asked for.
pub struct Books<'a> {
    system: &'a System<'a>,
    exported: RefCell<HashMap<u64, Option<Rc<Exported>>>>,
    by_name: OnceCell<HashMap<String, Option<usize>>>,
    room: Cell<u64>,
}

impl<'a> Books<'a> {
    pub fn new(system: &'a System<'a>) -> Books<'a> {
        let (exported, by_name) = Default::default();
        Books { system, exported, by_name, room: Cell::new(MOST_BYTES) }
    }

    /// The exports of a module, of the dump or else of its file; `None` if neither has them.
    pub fn of(&self, owner: &Owner, files: &Files<'_>) -> Option<Rc<Exported>> {
        if let Some(known) = self.exported.borrow().get(&owner.base.0) {
            return known.clone();
        }
        let read = |space: Space<'_>, facts: &ImageFacts| {
            let mut room = self.room.get();
            let found = Exported::read(space, owner.base, facts, &mut room);
            self.room.set(room);
            found.map(Rc::new)
        };
        let in_dump = self.system.module_headers(owner.base);
        let found = in_dump.and_then(|(space, facts)| read(space, &facts)).or_else(|| {
            let file = ImageFile::new(files.of(owner)?, owner.base.0)?;
            read(file.space(), &image_facts(file.space(), owner.base)?)
        });
        self.exported.borrow_mut().insert(owner.base.0, found.clone());
        found
    }

    /// Whether there was no room for the exports of all modules.
    pub fn is_full(&self) -> bool {
        self.room.get() == 0
    }

    /// The module and the address that an import should lead to; `None` where that cannot be told: the module is not
    /// loaded under this name, is one of several, or its exports are not in the dump.
    pub fn resolve(&self, module: &str, name: &ImportName, files: &Files<'_>) -> Option<(&'a Owner, Va)> {
        let mut owner = self.find(module)?;
        let mut name = name.clone();
        for _ in 0..MOST_FORWARDS {
            let exported = self.of(owner, files)?;
            match exported.target(&name)? {
                Target::Here(rva) => return Some((owner, owner.base.checked_add((*rva).into())?)),
                Target::Forward(to) => {
                    let (module, function) = to.rsplit_once('.')?;
                    owner = self.find(module)?;
                    name = match function.strip_prefix('#') {
                        Some(ordinal) => ImportName::Ordinal(ordinal.parse().ok()?),
                        None => ImportName::Name(function.into()),
                    };
                }
            }
        }
        None
    }

    fn find(&self, module: &str) -> Option<&'a Owner> {
        let owners = self.system.owners();
        let by_name = self.by_name.get_or_init(|| {
            let mut by_name = HashMap::new();
            for (index, owner) in owners.iter().enumerate() {
                let one = |known: &mut Option<usize>| *known = None;
                by_name.entry(stem(&owner.name)).and_modify(one).or_insert(Some(index));
            }
            by_name
        });
        let wanted = stem(module);
        // Whichever of its names it was loaded under.
        if KERNEL_FILES.iter().any(|kernel| stem(kernel) == wanted) {
            let base = self.system.kernel.as_ref()?.base;
            return owners.binary_search_by_key(&base, |owner| owner.base).ok().and_then(|at| owners.get(at));
        }
        (*by_name.get(&wanted)?).and_then(|index| owners.get(index))
    }
}

/// A file name without its extension, in lower case.
fn stem(name: &str) -> String {
    let name = name.to_lowercase();
    let extensions = [".sys", ".dll", ".exe"];
    extensions.iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(&name).to_string()
}
