//! `modules` and `unloaded_modules`.

use crate::{cell::Time, table};

table! {
    /// One row for every loaded module that the dump states: drivers of a kernel dump (`PsLoadedModuleList`, or the list of a triage dump), modules of a user minidump's process. Modules of all processes of a kernel dump are in `user_modules`.
    pub modules: Modules of ModuleRow {
        /// Process id for a user-mode module; NULL for the kernel.
        process_id: Option<u32>,
        /// File name without its folder.
        name: Option<String>,
        /// Path, or the bare name where the dump states no more.
        path: Option<String>,
        /// First address (`_KLDR_DATA_TABLE_ENTRY.DllBase`, `MINIDUMP_MODULE.BaseOfImage`).
        base: u64,
        /// Bytes of address space (`_KLDR_DATA_TABLE_ENTRY.SizeOfImage`, `MINIDUMP_MODULE.SizeOfImage`).
        size: u64,
        /// PE `TimeDateStamp` as it is: a date for old images, a hash for reproducible builds (`_KLDR_DATA_TABLE_ENTRY.TimeDateStamp`, else the image's header).
        timestamp: Option<u32>,
        /// PE `CheckSum` (`_KLDR_DATA_TABLE_ENTRY.CheckSum`, else the image's header).
        checksum: Option<u32>,
        /// File version `a.b.c.d` (`VS_FIXEDFILEINFO.dwFileVersionMS`, `dwFileVersionLS`).
        version: Option<String>,
        /// Product version `a.b.c.d` (`VS_FIXEDFILEINFO.dwProductVersionMS`, `dwProductVersionLS`).
        product_version: Option<String>,
        /// Path or file name of the PDB as the linker left it (CodeView record `RSDS` or `NB10`).
        pdb_name: Option<String>,
        /// GUID of the PDB, 32 hexadecimal digits, upper case, no dashes (CodeView record `RSDS`); with `pdb_age` it is the key on a symbol server.
        pdb_guid: Option<String>,
        /// Age of the PDB: how often it was written since its GUID was made (CodeView record).
        pdb_age: Option<u32>,
        /// Address of the entry point (`_KLDR_DATA_TABLE_ENTRY.EntryPoint`).
        entry_point: Option<u64>,
        /// Loader flags (`_KLDR_DATA_TABLE_ENTRY.Flags`).
        flags: Option<u32>,
        /// Place in the list, from 0.
        load_order: Option<u32>,
        /// Address of the list's entry (`_KLDR_DATA_TABLE_ENTRY`); NULL where a file format states the module.
        entry: Option<u64>,
        /// References that keep it loaded (`_KLDR_DATA_TABLE_ENTRY.LoadCount`).
        load_count: Option<u32>,
        /// `IMAGE_FILE_HEADER.Machine` of the image in memory: 0x8664 x64, 0x14c x86, 0xaa64 ARM64.
        machine: Option<u32>,
        /// Whether the image's headers are in the dump and are those of an image; NULL where the dump was not asked.
        header_present: Option<bool>,
        /// Whether the sweep over all of memory met its entry behind a pool header with the tag of such entries.
        found_in_pool: Option<bool>,
        /// Whether the sweep over all of memory recognised its entry by its own members.
        found_by_shape: Option<bool>,
        /// Physical address of the list's entry; NULL in dumps of virtual memory.
        entry_pa: Option<u64>,
        /// True for a kernel module whose image and entry are in memory but not in `PsLoadedModuleList`: somebody hides it, or it is being loaded or unloaded right now; NULL where the dump was not searched.
        hidden: Option<bool>,
        /// List that states the module: `PsLoadedModuleList`, `triage driver list`, `ModuleListStream`; `pool header` or `object's members` if only the sweep over memory found its entry.
        source: String,
    }
}

table! {
    /// One row for every module that had been unloaded before the dump was taken.
    pub unloaded_modules: UnloadedModules of UnloadedModuleRow {
        /// Process id for a user-mode module; NULL for the kernel.
        process_id: Option<u32>,
        /// File name without its folder (`UNLOADED_DRIVERS.Name`); those of a triage dump keep the first 12 characters only.
        name: Option<String>,
        /// Path, or the bare name where the dump states no more.
        path: Option<String>,
        /// First address (`UNLOADED_DRIVERS.StartAddress`, `DUMP_UNLOADED_DRIVERS.StartAddress`, `MINIDUMP_UNLOADED_MODULE.BaseOfImage`).
        start: u64,
        /// First address behind the module (`UNLOADED_DRIVERS.EndAddress`, `DUMP_UNLOADED_DRIVERS.EndAddress`, `MINIDUMP_UNLOADED_MODULE.BaseOfImage` plus `SizeOfImage`).
        end: u64,
        /// When it was unloaded, UTC (`UNLOADED_DRIVERS.CurrentTime`); triage dumps and minidumps do not say.
        unload_time: Option<Time>,
        /// PE `TimeDateStamp`.
        timestamp: Option<u32>,
        /// PE `CheckSum`.
        checksum: Option<u32>,
        /// Slot of the ring `MmUnloadedDrivers`, which has 50; rows are in the order of unloading.
        slot: Option<u32>,
        /// List that states it: `MmUnloadedDrivers`, `triage unloaded drivers`, `UnloadedModuleListStream`.
        source: String,
    }
}
