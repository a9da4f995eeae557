//! Which loaded kernel module holds an address?
//!
//! The question of every table with code addresses: whose routine is this? The answer is kept sorted, so that asking
//! costs a binary search. An address of no module is the interesting answer.

use crate::{System, module::KldrDataTableEntry};
use memory::Va;

/// A loaded kernel module as the owner of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// File name (`_KLDR_DATA_TABLE_ENTRY.BaseDllName`), such as `ntoskrnl.exe`.
    pub name: String,
    /// First address.
    pub base: Va,
    /// Bytes of address space.
    pub size: u64,
    /// Link time, where the list states it.
    pub timestamp: Option<u32>,
    /// Address of its `_KLDR_DATA_TABLE_ENTRY`; `None` where only the driver list of a triage dump states it.
    pub entry: Option<Va>,
}

impl Owner {
    /// True if the address lies in the module.
    pub fn holds(&self, va: Va) -> bool {
        va.0.checked_sub(self.base.0).is_some_and(|offset| offset < self.size)
    }

    /// An address of this module as people write it: `ntfs.sys+0x1234`.
    pub fn text(&self, va: Va) -> String {
        format!("{}+{:#x}", self.name, va.0.wrapping_sub(self.base.0))
    }
}

impl System<'_> {
    /// The file name of the kernel itself, where the modules are known.
    pub fn kernel_name(&self) -> Option<&str> {
        let base = self.kernel.as_ref()?.base;
        self.owners().iter().find(|owner| owner.base == base).map(|owner| owner.name.as_str())
    }

    /// The loaded kernel modules by base address: of `PsLoadedModuleList`, else of a triage dump's driver list.
    pub fn owners(&self) -> &[Owner] {
        self.owners.get_or_init(|| {
            let mut owners = listed(self);
            if owners.is_empty() {
                owners = stated(self);
            }
            owners.retain(|owner| owner.size != 0);
            owners.sort_by_key(|owner| owner.base); // stable: of two with one base, the first of the list stays
            owners.dedup_by_key(|owner| owner.base);
            owners
        })
    }

    /// The kernel module that holds an address; `None` for an address in no module.
    pub fn owner(&self, va: Va) -> Option<&Owner> {
        let owners = self.owners();
        let behind = owners.partition_point(|owner| owner.base <= va);
        owners[..behind].last().filter(|owner| owner.holds(va))
    }

    /// `module+offset` of an address; `None` for an address in no module.
    pub fn owner_text(&self, va: Va) -> Option<String> {
        self.owner(va).map(|owner| owner.text(va))
    }
}

fn listed(system: &System<'_>) -> Vec<Owner> {
    let layout = KldrDataTableEntry::of(system);
    let owner = |entry: Va| {
        let view = system.view(entry, layout.size);
        Some(Owner {
            name: view.unicode(layout.base_name)?,
            base: view.pointer(layout.base)?,
            size: view.u32(layout.size_of_image)?.into(),
            timestamp: view.u32(layout.timestamp),
            entry: Some(entry),
        })
    };
    // A triage dump does not hold the list; asking for it would only make a row of `faults`.
    if system.dump.records.header.triage.is_some() {
        return Vec::new();
    }
    system.module_entries().into_iter().filter_map(owner).collect()
}

fn stated(system: &System<'_>) -> Vec<Owner> {
    let last = |path: &str| path.rsplit(['\\', '/']).next().unwrap_or(path).to_string();
    let modules = system.dump.records.modules.iter();
    let owners = modules.filter_map(|module| {
        let (base, name) = (system.narrow(module.base), last(module.path.as_deref()?));
        Some(Owner { name, base, size: module.size, timestamp: module.timestamp, entry: None })
    });
    owners.collect()
}
