//! Kernel modules: `PsLoadedModuleList`.

use crate::{ImageFacts, System, image_facts, layout};
use memory::{Space, Va};

layout! {
    /// `_KLDR_DATA_TABLE_ENTRY`; kernels whose PDB lacks it describe drivers by `_LDR_DATA_TABLE_ENTRY`.
    KldrDataTableEntry = "_KLDR_DATA_TABLE_ENTRY" | "_LDR_DATA_TABLE_ENTRY" {
        links: "InLoadOrderLinks",
        base: "DllBase",
        entry_point: "EntryPoint",
        size_of_image: "SizeOfImage",
        full_name: "FullDllName",
        base_name: "BaseDllName",
        flags: "Flags",
        load_count ? "LoadCount" | "ObsoleteLoadCount",
        checksum ? "CheckSum",
        timestamp ? "TimeDateStamp",
    }
}

/// Processes in which the headers of a module are looked for that the kernel's own address space lacks.
const MOST_SESSIONS: usize = 16;

impl System<'_> {
    /// Addresses of the `_KLDR_DATA_TABLE_ENTRY`s of the loaded kernel modules, in load order.
    pub fn module_entries(&self) -> Vec<Va> {
        let links = KldrDataTableEntry::of(self).links;
        let (Some(head), Some(links)) = (self.needed_global("PsLoadedModuleList"), links) else {
            return Vec::new();
        };
        let list = self.list(self.space, head, "PsLoadedModuleList");
        list.entries.iter().filter_map(|at| at.0.checked_sub(links.offset.into()).map(Va)).collect()
    }

    /// The headers of a kernel module and the address space that has them. Drivers of a session (`win32k.sys`) are
    /// mapped in the processes of that session only.
    pub fn module_headers(&self, base: Va) -> Option<(Space<'_>, ImageFacts)> {
        if let Some(facts) = image_facts(self.space, base) {
            return Some((self.space, facts));
        }
        let users = self.processes().iter().filter(|process| process.peb.is_some());
        users.take(MOST_SESSIONS).find_map(|process| {
            let space = self.process_space(process.dtb?)?;
            Some((space, image_facts(space, base)?))
        })
    }
}
