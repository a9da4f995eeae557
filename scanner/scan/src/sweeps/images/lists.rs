//! Which list of modules has an image?

use crate::sweeps::{Context, Owner};
use memory::Space;
use nt::{System, peb::Halves, process::Process};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

/// Images of a process by first address: names.
type Listed = BTreeMap<u64, Option<String>>;

/// What the lists have. Those of a process are read when an image of it is met.
#[derive(Default)]
pub struct Lists {
    halves: OnceLock<Halves>,
    users: Mutex<BTreeMap<u16, Arc<Listed>>>,
}

impl Lists {
    /// The list that has an image, and its name there.
    pub fn find(
        &self,
        context: Context<'_>,
        owner: Owner,
        base: u64,
    ) -> Option<(&'static str, Option<String>)> {
        match owner {
            Owner::Nobody => None,
            Owner::Kernel => {
                let module = context.system.owner(memory::Va(base)).filter(|module| module.base.0 == base)?;
                Some(("kernel", Some(module.name.clone())))
            }
            Owner::Process(index) => Some(("user", self.of(context, index)?.get(&base)?.clone())),
        }
    }

    /// The address space of a process.
    pub fn space<'a>(&self, context: Context<'a>, index: u16) -> Option<Space<'a>> {
        context.system.process_space(process(context, index)?.dtb?)
    }

    fn of(&self, context: Context<'_>, index: u16) -> Option<Arc<Listed>> {
        let mut users = self.users.lock().ok()?;
        let listed = users.entry(index).or_insert_with(|| {
            let halves = self.halves.get_or_init(|| Halves::of(context.system));
            let process = process(context, index);
            Arc::new(process.map(|process| read(context.system, halves, process)).unwrap_or_default())
        });
        Some(listed.clone())
    }
}

fn process<'a>(context: Context<'a>, index: u16) -> Option<&'a Process> {
    let va = context.map.process(index)?.va;
    context.system.processes().iter().find(|process| process.va == va)
}

/// The images of both loaders of a process.
fn read(system: &System<'_>, halves: &Halves, process: &Process) -> Listed {
    let halves = halves.of_process(system, process);
    let loaded = halves.iter().filter_map(|half| half.loaded(system)).flatten();
    loaded.map(|module| (module.base, module.name)).collect()
}
