//! `vads`, `user_modules` and `critical_sections`: the user half of every process.

use crate::{cell::Time, table};

table! {
    /// One row for every address-space descriptor (VAD) of every process: a range of addresses and what is in it, by address within a process.
    pub vads: Vads of VadRow {
        /// Process id.
        process_id: Option<u32>,
        /// Address of its `_EPROCESS`.
        eprocess: u64,
        /// Address of the descriptor (`_MMVAD_SHORT`, `_MMVAD`).
        vad: u64,
        /// Descriptor above it in the tree (`_RTL_BALANCED_NODE.ParentValue`); NULL for the root (`_EPROCESS.VadRoot`).
        parent: Option<u64>,
        /// Descriptors above it in the tree.
        depth: u32,
        /// Pool tag of the descriptor (`_POOL_HEADER.PoolTag`): `VadS`, `VadF` a short one of private memory, `Vad `, `Vadl`, `Vadm` a long one with a section.
        tag: Option<String>,
        /// First address (`_MMVAD_SHORT.StartingVpn` times the page size).
        start: u64,
        /// Last address (`_MMVAD_SHORT.EndingVpn`, its whole page).
        end: u64,
        /// Bytes of the range.
        size: u64,
        /// Kind (`_MMVAD_FLAGS.VadType`): 0 none, 1 device physical memory, 2 image, 3 AWE, 4 write watch, 5 large pages, 6 rotate physical, 7 large page section; NULL before Windows Vista.
        vad_type: Option<u32>,
        /// Name of the kind.
        vad_type_name: Option<String>,
        /// Whether it is a mapped image (`_MMVAD_FLAGS.VadType` 2; before Windows Vista `_MMVAD_FLAGS.ImageMap`).
        is_image: Option<bool>,
        /// Protection with which the range was made, five bits (`_MMVAD_FLAGS.Protection`); pages may have been given another since.
        protection: Option<u32>,
        /// The same as a `PAGE_*` value.
        page_protection: Option<u32>,
        /// The same by name, such as `PAGE_EXECUTE_READWRITE` or `PAGE_READWRITE|PAGE_GUARD`.
        protection_name: Option<String>,
        /// Whether the memory is private (`_MMVAD_FLAGS.PrivateMemory`).
        private: Option<bool>,
        /// Pages charged to the process (`_MMVAD_FLAGS1.CommitCharge`, before Windows 8 `_MMVAD_FLAGS.CommitCharge`).
        commit_charge: Option<u64>,
        /// Whether all of it was committed when it was made (`_MMVAD_FLAGS1.MemCommit`).
        mem_commit: Option<bool>,
        /// Address of the section's `_CONTROL_AREA` (`_SUBSECTION.ControlArea`).
        control_area: Option<u64>,
        /// Address of the mapped file's `_FILE_OBJECT` (`_CONTROL_AREA.FilePointer`).
        file_object: Option<u64>,
        /// Path of the mapped file on its volume (`_FILE_OBJECT.FileName`).
        file: Option<String>,
    }
}

table! {
    /// One row for every image in a user process, by process and base: what the loader's lists say beside what is mapped. An image that is mapped and in no list, or listed and not mapped, is worth a look.
    pub user_modules: UserModules of UserModuleRow {
        /// Process id.
        process_id: Option<u32>,
        /// Address of its `_EPROCESS`.
        eprocess: u64,
        /// First address (`_LDR_DATA_TABLE_ENTRY.DllBase`, `_MMVAD_SHORT.StartingVpn`).
        base: u64,
        /// Bytes of address space (`_LDR_DATA_TABLE_ENTRY.SizeOfImage`; of an image in no list, of its descriptor).
        size: Option<u64>,
        /// File name (`_LDR_DATA_TABLE_ENTRY.BaseDllName`; of an image in no list, of the mapped file).
        name: Option<String>,
        /// Path as the loader has it (`_LDR_DATA_TABLE_ENTRY.FullDllName`).
        path: Option<String>,
        /// Path of the mapped file on its volume (`_FILE_OBJECT.FileName`).
        mapped_path: Option<String>,
        /// Address of the entry point (`_LDR_DATA_TABLE_ENTRY.EntryPoint`).
        entry_point: Option<u64>,
        /// Whether a loader's list in load order has it (`_PEB_LDR_DATA.InLoadOrderModuleList`); NULL when no list could be read.
        in_load: Option<bool>,
        /// Whether a loader's list in memory order has it (`_PEB_LDR_DATA.InMemoryOrderModuleList`).
        in_memory: Option<bool>,
        /// Whether a loader's list in initialization order has it (`_PEB_LDR_DATA.InInitializationOrderModuleList`); the program itself never is.
        in_init: Option<bool>,
        /// Whether a descriptor of the process begins at its base; NULL when the process has no readable descriptors.
        in_vad: Option<bool>,
        /// Whether that descriptor is one of a mapped image; false for an image that somebody wrote into other memory.
        mapped_as_image: Option<bool>,
        /// Whether the lists of the 32-bit loader have it (`_PEB32.Ldr`): a module of a 32-bit process on a 64-bit system.
        is_wow64: bool,
        /// Place in the list in load order, from 0; of the 32-bit loader if only that has it.
        load_order: Option<u32>,
        /// Address of the loader's entry (`_LDR_DATA_TABLE_ENTRY`).
        entry: Option<u64>,
        /// Loader flags (`_LDR_DATA_TABLE_ENTRY.Flags`).
        flags: Option<u32>,
        /// References (`_LDR_DATA_TABLE_ENTRY.LoadCount`, since Windows 8 `ObsoleteLoadCount`); 65535 for images that stay.
        load_count: Option<u32>,
        /// Why it was loaded (`_LDR_DATA_TABLE_ENTRY.LoadReason`): -1 unknown, 0 static dependency, 1 static forwarder, 2 dynamic forwarder, 3 delay load, 4 dynamic, 5 as image, 6 as data; since Windows 8.
        load_reason: Option<i32>,
        /// When it was loaded, UTC (`_LDR_DATA_TABLE_ENTRY.LoadTime`); since Windows 7.
        load_time: Option<Time>,
        /// PE `TimeDateStamp` as the loader has it (`_LDR_DATA_TABLE_ENTRY.TimeDateStamp`), else of the image's header.
        timestamp: Option<u32>,
        /// `IMAGE_FILE_HEADER.Machine` of the image in memory (of ARM64X images not always that of the file, see `hybrid`): 0x8664 x64, 0x14c x86, 0xaa64 ARM64; NULL where its headers are not in the dump.
        machine: Option<u32>,
        /// Of an ARM64 system: whether the image holds code of two architectures, by the metadata of its load configuration (`CHPEMetadataPointer`). `ARM64EC or ARM64X`: its header says x64, which is that of an ARM64EC file, or of an ARM64X file whose header Windows changed in memory for an x64 process; `ARM64X`: its header says ARM64; `CHPE`: x86; `none`: it does not. NULL elsewhere, and where its headers or its load configuration are not in the dump.
        hybrid: Option<&'static str>,
        /// PE `CheckSum` of the image's header.
        checksum: Option<u32>,
        /// File version `a.b.c.d` (`VS_FIXEDFILEINFO.dwFileVersionMS`, `dwFileVersionLS`).
        version: Option<String>,
        /// Path or file name of the PDB as the linker left it (CodeView record `RSDS`).
        pdb_name: Option<String>,
        /// GUID of the PDB, 32 hexadecimal digits, upper case, no dashes (CodeView record `RSDS`).
        pdb_guid: Option<String>,
        /// Age of the PDB (CodeView record `RSDS`).
        pdb_age: Option<u32>,
    }
}

table! {
    /// One row for every critical section that `PEB.LoaderLock`, `PEB.FastPebLock` or the ring of debug information behind them leads to. Since Windows 8 most critical sections have no debug information and are in no list.
    pub critical_sections: CriticalSections of CriticalSectionRow {
        /// Process id.
        process_id: Option<u32>,
        /// Address of its `_EPROCESS`.
        eprocess: u64,
        /// Address of the `_RTL_CRITICAL_SECTION`.
        critical_section: u64,
        /// How it was found: `PEB.LoaderLock`, `PEB.FastPebLock`, `ProcessLocksList`.
        source: String,
        /// Whether it is one of the 32-bit half of a 32-bit process on a 64-bit system.
        is_wow64: bool,
        /// Address of its `_RTL_CRITICAL_SECTION_DEBUG`; NULL where it has none.
        debug_info: Option<u64>,
        /// `_RTL_CRITICAL_SECTION.LockCount` as it is.
        lock_count: Option<i32>,
        /// Whether a thread owns it (bit 0 of `LockCount` is 0; before Windows Vista `LockCount` is not negative).
        locked: Option<bool>,
        /// Threads that wait for it (the complement of `LockCount` without its two low bits; before Windows Vista `LockCount` without the owner's own entries).
        waiters: Option<u32>,
        /// Whether a waiting thread has been woken (bit 1 of `LockCount` is 0); NULL before Windows Vista.
        waiter_woken: Option<bool>,
        /// How often its owner entered it (`_RTL_CRITICAL_SECTION.RecursionCount`).
        recursion_count: Option<i32>,
        /// Thread id of its owner (`_RTL_CRITICAL_SECTION.OwningThread`); NULL for a free one.
        owning_thread_id: Option<u32>,
        /// Spins before a thread waits (`_RTL_CRITICAL_SECTION.SpinCount` without its flags in the upper byte).
        spin_count: Option<u32>,
        /// `_RTL_CRITICAL_SECTION_DEBUG.EntryCount`.
        entry_count: Option<u32>,
        /// `_RTL_CRITICAL_SECTION_DEBUG.ContentionCount`.
        contention_count: Option<u32>,
    }
}
