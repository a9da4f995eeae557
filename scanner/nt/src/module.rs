//! Kernel modules: `PsLoadedModuleList`.

use crate::{System, layout};
use memory::Va;

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
}
