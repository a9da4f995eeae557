//! `dumps`: one row a dump.

use crate::{cell::Time, table};

table! {
    /// One row for every dump of the lake: what its headers state, and how it was converted.
    pub dumps: Dumps of DumpRow {
        /// Path of the file as it was given to the converter; that of the archive for a member of one.
        path: String,
        /// Name of the dump in the archive, as the archive states it; NULL for a file that is no archive.
        archive_member: Option<String>,
        /// Size of the file in bytes.
        file_size: u64,
        /// BLAKE3 hash of the file's content (both files of a pair), hexadecimal; `dump_id` is taken from it.
        content_hash: String,
        /// SHA-256 hash of the file at `path` (of an archive's member: of what is packed), hexadecimal; NULL unless it was asked for (`--sha256`).
        sha256: Option<String>,
        /// Format that the content was recognised as, such as `kernel triage` or `user minidump`.
        format: String,
        /// Kind of kernel dump (`DUMP_HEADER.DumpType`): 1 full, 2 summary, 3 header, 4 triage, 5 and 6 bitmap, 7 automatic, 8 to 10 ranges.
        dump_type: Option<u32>,
        /// Name of `dump_type`.
        dump_type_name: Option<String>,
        /// Processor architecture: `x86`, `x64` or `ARM64` (`DUMP_HEADER.MachineImageType`, minidump `SystemInfo.ProcessorArchitecture`; where a kernel was found, that of its image).
        architecture: Option<String>,
        /// Major version of Windows, where the file states it (minidump `SystemInfo.MajorVersion`).
        os_major: Option<u32>,
        /// Minor version of Windows, where the file states it (minidump `SystemInfo.MinorVersion`).
        os_minor: Option<u32>,
        /// Build number of Windows (`DUMP_HEADER.MinorVersion`, minidump `SystemInfo.BuildNumber`); what the kernel's own memory states comes first (`NtBuildLab`, `KUSER_SHARED_DATA.NtBuildNumber`), and `faults` has a row where the header differs.
        build: Option<u32>,
        /// Service pack text (minidump `SystemInfo.CSDVersionRva`).
        csd_version: Option<String>,
        /// Number of processors (`DUMP_HEADER.NumberProcessors`, minidump `SystemInfo.NumberOfProcessors`).
        processors: Option<u32>,
        /// When the dump was taken, UTC (`DUMP_HEADER.SystemTime`, `MINIDUMP_HEADER.TimeDateStamp`).
        system_time: Option<Time>,
        /// Seconds since boot (`DUMP_HEADER.SystemUpTime`).
        uptime_seconds: Option<f64>,
        /// Bug-check code (`DUMP_HEADER.BugCheckCode`); 0 for a dump without a crash.
        bugcheck_code: Option<u32>,
        /// Name of the bug-check code as Microsoft documents it.
        bugcheck_name: Option<String>,
        /// First bug-check parameter (`DUMP_HEADER.BugCheckParameter1`); what it means depends on the code.
        bugcheck_param1: Option<u64>,
        /// Second bug-check parameter (`DUMP_HEADER.BugCheckParameter2`).
        bugcheck_param2: Option<u64>,
        /// Third bug-check parameter (`DUMP_HEADER.BugCheckParameter3`).
        bugcheck_param3: Option<u64>,
        /// Fourth bug-check parameter (`DUMP_HEADER.BugCheckParameter4`).
        bugcheck_param4: Option<u64>,
        /// True when the bug-check code only marks a live dump: nothing crashed. NULL without a code.
        is_live: Option<bool>,
        /// Physical address of the page-table root as the header states it (`DUMP_HEADER.DirectoryTableBase`); where no header does, the one that was found (`discovery.chosen`).
        dtb: Option<u64>,
        /// Virtual address of the PFN database (`DUMP_HEADER.PfnDataBase`).
        pfn_database: Option<u64>,
        /// Virtual address of the head of the kernel's module list (`DUMP_HEADER.PsLoadedModuleList`).
        ps_loaded_module_list: Option<u64>,
        /// Virtual address of the head of the process list (`DUMP_HEADER.PsActiveProcessHead`).
        ps_active_process_head: Option<u64>,
        /// Virtual address of `KDDEBUGGER_DATA64` (`DUMP_HEADER.KdDebuggerDataBlock`).
        kd_debugger_data_block: Option<u64>,
        /// `IMAGE_FILE_MACHINE_*` of the system (`DUMP_HEADER.MachineImageType`).
        machine_type: Option<u32>,
        /// 0xF for a free build, 0xC for a checked build (`DUMP_HEADER.MajorVersion`).
        major_version: Option<u32>,
        /// Whether a 32-bit system used PAE page tables (`DUMP_HEADER32.PaeEnabled`, else by the page tables that were found).
        pae_enabled: Option<bool>,
        /// Page frames of physical memory that are in the file; NULL for dumps of virtual memory.
        pages_present: Option<u64>,
        /// Bytes of memory that are in the file.
        bytes_present: u64,
        /// Bytes that lie beyond the end of the file, which is truncated: memory that its tables name, or the rest of what its headers say that it has at least. NULL where only headers that contradict themselves or each other say so (`faults`): whether anything is missing is not known then.
        bytes_missing: Option<u64>,
        /// Size that the writer wanted for the whole dump, in bytes (`DUMP_HEADER.RequiredDumpSpace`); above the file size in ordinary triage dumps.
        required_dump_space: Option<u64>,
        /// Text that the writer left (`DUMP_HEADER.Comment`, minidump comment streams).
        comment: Option<String>,
        /// Version text that the writer may leave (`DUMP_HEADER.VersionUser`).
        version_user: Option<String>,
        /// Kind of Windows: 1 workstation, 2 domain controller, 3 server (`DUMP_HEADER.ProductType`, minidump `SystemInfo.ProductType`).
        product_type: Option<u32>,
        /// Name of `product_type`.
        product_type_name: Option<String>,
        /// `VER_SUITE_*` bits (`DUMP_HEADER.SuiteMask`, minidump `SystemInfo.SuiteMask`).
        suite_mask: Option<u32>,
        /// Valid parts of a triage dump (`DUMP_HEADER.MiniDumpFields`): 1 context, 2 exception, 4 KPRCB, 8 process, 0x10 thread, 0x20 stack, 0x40 driver list, 0x80 broken driver, 0x100 Mm block, 0x200 data page, 0x400 debugger data, 0x800 data blocks.
        minidump_fields: Option<u32>,
        /// State of the secondary data, the tagged blobs (`DUMP_HEADER.SecondaryDataState`); its values are not documented.
        secondary_data_state: Option<u32>,
        /// What the writer says of its work (`DUMP_HEADER.WriterStatus`): 0 good, 1 no module list, 2 corrupt module list.
        writer_status: Option<u32>,
        /// Bits whose meaning is not documented (`DUMP_HEADER.Attributes`).
        attributes: Option<u32>,
        /// Number of the boot (`DUMP_HEADER.BootId`).
        boot_id: Option<u32>,
        /// Options of the writer (`TRIAGE_DUMP.TriageOptions`): bit 0x100 says that a part did not fit; 0xffffffff, all bits, says nothing.
        triage_options: Option<u32>,
        /// Build number of the service pack (`TRIAGE_DUMP.ServicePackBuild`).
        triage_service_pack_build: Option<u32>,
        /// Bytes of the triage dump before its tagged blobs (`TRIAGE_DUMP.SizeOfDump`).
        triage_size_of_dump: Option<u32>,
        /// True when the end mark `TRGD` stands where the header says: the writer finished.
        triage_complete: Option<bool>,
        /// Number of data blocks of a triage dump (`TRIAGE_DUMP.DataBlocksCount`).
        data_blocks: Option<u32>,
        /// Driver that the system blames (`TRIAGE_DUMP.BrokenDriverOffset`, read as a string of the pool: no real dump with it was at hand).
        broken_driver: Option<String>,
        /// Pool tag that special pool is limited to, as a number (triage Mm block, `MmSpecialPoolTag`).
        mm_special_pool_tag: Option<u32>,
        /// Driver Verifier level (triage Mm block, `MmVerifyDriverLevel`).
        mm_verify_driver_level: Option<u32>,
        /// Action that memory management took for the dump (triage Mm block, `MiTriageActionTaken`); its values are not documented.
        mm_triage_action_taken: Option<u32>,
        /// Whether the kernel itself was verified (triage Mm block, `KernelVerifier`).
        mm_kernel_verifier: Option<u32>,
        /// Limit of nonpaged pool (triage Mm block, `MmMaximumNonPagedPool`; unit of the kernel variable).
        mm_max_nonpaged_pool: Option<u64>,
        /// Nonpaged pool in use (triage Mm block, `MmAllocatedNonPagedPool`; unit of the kernel variable).
        mm_allocated_nonpaged_pool: Option<u64>,
        /// Limit of paged pool (triage Mm block, `PagedPoolMaximum`; unit of the kernel variable).
        mm_paged_pool_max: Option<u64>,
        /// Paged pool in use (triage Mm block, `PagedPoolAllocated`; unit of the kernel variable).
        mm_paged_pool_allocated: Option<u64>,
        /// Committed memory in pages (triage Mm block, `CommittedPages`).
        mm_committed_pages: Option<u64>,
        /// Peak of committed memory in pages (triage Mm block, `CommittedPagesPeak`).
        mm_committed_pages_peak: Option<u64>,
        /// Commit limit in pages (triage Mm block, `CommitLimitMaximum`).
        mm_commit_limit_max: Option<u64>,
        /// What a user minidump was asked to hold (`MINIDUMP_HEADER.Flags`, MINIDUMP_TYPE).
        minidump_flags: Option<u64>,
        /// When a user minidump was written, UTC (`MINIDUMP_HEADER.TimeDateStamp`).
        minidump_time: Option<Time>,
        /// Full build text of Windows (captured `NtBuildLab`, minidump `MISC_INFO_4.BuildString`).
        build_string: Option<String>,
        /// Build text of the debugger library that wrote a minidump (`MISC_INFO_4.DbgBldStr`).
        debug_build_string: Option<String>,
        /// Processor vendor (minidump `SystemInfo.Cpu.X86CpuInfo.VendorId`).
        cpu_vendor: Option<String>,
        /// Processor family, model and stepping as text (minidump `SystemInfo`).
        cpu_description: Option<String>,
        /// Where the layouts of the kernel's structures and the addresses of its variables came from: `PDB ...` or `ISF ...` that the user gave; `pack exact GUID-AGE` of this very kernel; `pack nearest revision ...`, whose types are those of a neighbour and whose addresses are not used; `none`.
        symbol_source: String,
        /// True when types and addresses are those of this very kernel; NULL without a kernel.
        symbols_exact: Option<bool>,
        /// Address of the kernel image (`KDDEBUGGER_DATA64.KernBase`, or found by its headers).
        kernel_base: Option<u64>,
        /// File version of the kernel, told by link time and image size.
        kernel_version: Option<String>,
        /// PDB file name of the kernel's `RSDS` record.
        kernel_pdb_name: Option<String>,
        /// GUID and age of the kernel's PDB (`RSDS` record), as `GUID-AGE`.
        kernel_pdb: Option<String>,
        /// Path of the other file of a pair, such as the `.vmss` beside a `.vmem`.
        companion: Option<String>,
        /// Number of rows that this dump has in `faults`.
        faults: u64,
        /// Options of the conversion that change its rows, empty for the defaults.
        options: String,
        /// Version of dumplake that converted the dump.
        tool_version: String,
        /// When the dump was converted, UTC.
        converted_at: Time,
    }
}
