//! What a dump file states by itself, before anybody follows a pointer: header fields, driver
//! list, contexts, exception, thread list, handle list, tagged blobs.
//!
//! Every `Option` is `None` when the file does not say: the field does not exist in this format, was
//! never written (`PAGE` fill), or cannot be read (then [`Records::faults`] has the reason).

pub use crate::architecture::Architecture;

use crate::{context::Context, time::Time};

/// Everything one file states.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// One value a dump: header fields and the like.
    pub header: Header,
    /// Modules in the order of the file's list: drivers of a kernel dump, modules of a process.
    pub modules: Vec<Module>,
    /// Modules that were unloaded before the dump was written.
    pub unloaded_modules: Vec<UnloadedModule>,
    /// Register sets.
    pub contexts: Vec<Context>,
    /// Exception records.
    pub exceptions: Vec<Exception>,
    /// Processes (one for a user minidump).
    pub processes: Vec<Process>,
    /// Threads.
    pub threads: Vec<Thread>,
    /// Handles of the process.
    pub handles: Vec<Handle>,
    /// Regions of the process's address space, with their protection.
    pub regions: Vec<Region>,
    /// Secondary data that bug-check callbacks left behind.
    pub blobs: Vec<Blob>,
    /// The directory of a user minidump.
    pub streams: Vec<Stream>,
    /// Access tokens that the file lists.
    pub tokens: Vec<Token>,
    /// What could not be read, and why.
    pub faults: Vec<Problem>,
}

impl Records {
    /// Notes that something could not be read and goes on.
    pub fn fault(&mut self, problem: impl Into<Problem>) {
        self.faults.push(problem.into());
    }

    /// The headers name something that ends at `end`: the file has as many bytes at least.
    pub(crate) fn reaches(&mut self, end: u64) {
        self.header.least_file_size = self.header.least_file_size.max(end);
    }

    /// What the headers say of the extent of the file cannot all be true: why.
    pub(crate) fn doubt(&mut self, problem: impl Into<Problem>) {
        self.header.extent_in_doubt = true;
        self.fault(problem);
    }

    /// Unwraps a result, turning an error into a row of `faults`.
    pub fn keep<T>(&mut self, result: crate::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(error);
                None
            }
        }
    }
}

/// One thing that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The structure, by its documented name.
    pub structure: String,
    /// The field, empty for the whole structure.
    pub field: String,
    /// File offset, where there is one.
    pub offset: Option<u64>,
    /// Virtual or physical address, where there is one.
    pub address: Option<u64>,
    /// Stable snake_case name of the kind of problem (`truncated`, `invalid`, or `Fault::kind`).
    pub kind: String,
    /// What a good file holds there.
    pub expected: String,
    /// What this file holds there.
    pub found: String,
}

impl Problem {
    /// A field of the file with an impossible value; `kind` is a stable snake_case name.
    pub fn new(
        kind: &str,
        structure: &str,
        field: &str,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Problem {
        Problem {
            structure: structure.into(),
            field: field.into(),
            offset: Some(offset),
            address: None,
            kind: kind.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

impl From<crate::Error> for Problem {
    fn from(error: crate::Error) -> Problem {
        let kind = match error.kind {
            crate::ErrorKind::Truncated => "truncated",
            crate::ErrorKind::Io => "io",
            crate::ErrorKind::Unsupported => "unsupported",
            crate::ErrorKind::Unrecognised | crate::ErrorKind::Invalid => "invalid",
        };
        Problem::new(kind, error.structure, error.field, error.offset, error.expected, error.found)
    }
}

/// One value a dump. Sources: `DUMP_HEADER32/64`, `TRIAGE_DUMP32/64`, the Mm information block,
/// minidump `SystemInfo` and `MiscInfo` streams.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the columns of table `dumps` carry the sentences
pub struct Header {
    pub architecture: Option<Architecture>,
    pub machine_type: Option<u32>,
    /// `DUMP_HEADER.DumpType`.
    pub dump_type: Option<u32>,
    /// `MajorVersion` of a kernel dump header: 0xF free build, 0xC checked build.
    pub major_version: Option<u32>,
    pub os_major: Option<u32>,
    pub os_minor: Option<u32>,
    pub build: Option<u32>,
    pub csd_version: Option<String>,
    pub processors: Option<u32>,
    pub system_time: Option<Time>,
    /// 100-ns units.
    pub uptime: Option<u64>,
    pub bugcheck: Option<Bugcheck>,
    pub directory_table_base: Option<u64>,
    pub pfn_database: Option<u64>,
    pub ps_loaded_module_list: Option<u64>,
    pub ps_active_process_head: Option<u64>,
    pub kd_debugger_data_block: Option<u64>,
    pub pae_enabled: Option<bool>,
    pub required_dump_space: Option<u64>,
    /// Bytes that the file must have by what its headers say of their own extent; 0 where they say nothing.
    pub least_file_size: u64,
    /// What the headers say of the file's extent beyond that contradicts itself: a damaged header, maybe no truncation.
    pub extent_in_doubt: bool,
    /// The same of the memory that the file's tables name.
    pub memory_in_doubt: bool,
    pub comment: Option<String>,
    pub version_user: Option<String>,
    pub product_type: Option<u32>,
    pub suite_mask: Option<u32>,
    pub minidump_fields: Option<u32>,
    pub secondary_data_state: Option<u32>,
    pub writer_status: Option<u32>,
    pub attributes: Option<u32>,
    pub boot_id: Option<u32>,
    /// Pages that the physical memory descriptor claims (`NumberOfPages`), whatever the runs say.
    pub stated_pages: Option<u64>,
    pub triage: Option<Triage>,
    /// `MINIDUMP_HEADER.Flags` (MINIDUMP_TYPE).
    pub minidump_flags: Option<u64>,
    /// `MINIDUMP_HEADER.TimeDateStamp`.
    pub minidump_time: Option<Time>,
    pub build_string: Option<String>,
    pub debug_build_string: Option<String>,
    pub cpu_vendor: Option<String>,
    pub cpu_description: Option<String>,
    /// Physical root hints by processor (QEMU CPU notes, VMware): CR3 or TTBR values as they are.
    pub root_hints: Vec<u64>,
}

/// `BugCheckCode` and its four parameters, zero-extended on 32-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Bugcheck {
    pub code: u32,
    /// `None` where the parameter was never written or is cut off.
    pub parameters: [Option<u64>; 4],
}

/// `TRIAGE_DUMP32/64` and its Mm information block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Triage {
    pub service_pack_build: u32,
    pub size_of_dump: u32,
    /// The `TRGD` marker stands at `ValidOffset`: the writer finished.
    pub complete: Option<bool>,
    pub triage_options: u32,
    pub data_blocks: u32,
    pub top_of_stack: u64,
    pub size_of_call_stack: u32,
    /// Name of the driver that the system blames, where the file names one.
    pub broken_driver: Option<String>,
    pub mm: Option<MmInformation>,
    /// File offset and size of the copies, where present: KPRCB, EPROCESS, ETHREAD, KDDEBUGGER_DATA64.
    pub prcb: Option<(u64, u64)>,
    pub process: Option<(u64, u64)>,
    pub thread: Option<(u64, u64)>,
    pub debugger_data: Option<(u64, u64)>,
    /// Addresses of those copies, where the file tells them: the copies are then memory like any captured block.
    pub prcb_address: Option<u64>,
    pub process_address: Option<u64>,
    pub thread_address: Option<u64>,
}

/// The Mm information block of a triage dump; sizes in the units of the kernel variable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MmInformation {
    pub special_pool_tag: u32,
    pub triage_action_taken: u32,
    pub verify_driver_level: u32,
    pub kernel_verifier: u32,
    pub max_nonpaged_pool: Option<u64>,
    pub allocated_nonpaged_pool: Option<u64>,
    pub paged_pool_max: Option<u64>,
    pub paged_pool_allocated: Option<u64>,
    pub committed_pages: Option<u64>,
    pub committed_pages_peak: Option<u64>,
    pub commit_limit_max: Option<u64>,
}

/// A loaded module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Module {
    /// Path or bare name as the file gives it; NULL when the string cannot be read.
    pub path: Option<String>,
    pub base: u64,
    pub size: u64,
    pub timestamp: Option<u32>,
    pub checksum: Option<u32>,
    pub entry_point: Option<u64>,
    pub flags: Option<u32>,
    /// `VS_FIXEDFILEINFO` file version, `a.b.c.d`.
    pub version: Option<String>,
    pub product_version: Option<String>,
    pub pdb_name: Option<String>,
    /// 32 hexadecimal digits, upper case, no dashes (the symbol-server form without the age).
    pub pdb_guid: Option<String>,
    pub pdb_age: Option<u32>,
    /// `triage driver list`, `ModuleListStream`.
    pub source: &'static str,
}

/// A module that had been unloaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct UnloadedModule {
    pub name: Option<String>,
    pub start: u64,
    /// First address behind the module.
    pub end: u64,
    pub unload_time: Option<Time>,
    pub timestamp: Option<u32>,
    pub checksum: Option<u32>,
    pub source: &'static str,
}

/// `EXCEPTION_RECORD32/64` or `MINIDUMP_EXCEPTION`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Exception {
    pub source: &'static str,
    pub thread_id: Option<u32>,
    pub code: u32,
    pub flags: Option<u32>,
    pub record: Option<u64>,
    /// Cut to 32 bits where the process is 32-bit and the writer sign-extended it.
    pub address: Option<u64>,
    /// As many as `NumberParameters` says, at most 15.
    pub parameters: Vec<u64>,
}

/// What a user minidump says of its process.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Process {
    pub process_id: u32,
    pub name: Option<String>,
    pub parent_id: Option<u32>,
    pub create_time: Option<Time>,
    pub user_time_seconds: Option<f64>,
    pub kernel_time_seconds: Option<f64>,
    pub integrity_level: Option<u32>,
    pub execute_flags: Option<u32>,
    pub protected: Option<bool>,
    /// 32-bit process dumped by a 64-bit writer: registers are those of the 64-bit side.
    pub wow64: Option<bool>,
    pub process_cookie: Option<u32>,
    pub cpu_max_mhz: Option<u32>,
    pub cpu_current_mhz: Option<u32>,
    pub cpu_mhz_limit: Option<u32>,
    pub time_zone_id: Option<u32>,
    pub time_zone_bias: Option<i32>,
    pub time_zone_name: Option<String>,
    pub vm: Option<VmCounters>,
    pub source: &'static str,
}

/// `MINIDUMP_PROCESS_VM_COUNTERS_1/2`, in bytes unless said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct VmCounters {
    pub page_fault_count: u32,
    pub peak_working_set: u64,
    pub working_set: u64,
    pub quota_peak_paged_pool: u64,
    pub quota_paged_pool: u64,
    pub quota_peak_nonpaged_pool: u64,
    pub quota_nonpaged_pool: u64,
    pub pagefile_usage: u64,
    pub peak_pagefile_usage: u64,
    pub private_usage: u64,
    pub virtual_size: Option<u64>,
    pub peak_virtual_size: Option<u64>,
    pub private_working_set: Option<u64>,
    pub peak_private_working_set: Option<u64>,
    pub shared_commit: Option<u64>,
    pub job_shared_commit_usage: Option<u64>,
    pub job_private_commit_usage: Option<u64>,
    pub job_peak_private_commit_usage: Option<u64>,
    pub job_private_commit_limit: Option<u64>,
    pub job_total_commit_limit: Option<u64>,
}

/// What a user minidump says of one thread.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Thread {
    pub thread_id: u32,
    pub name: Option<String>,
    pub suspend_count: Option<u32>,
    pub priority_class: Option<u32>,
    pub priority: Option<i32>,
    pub teb: Option<u64>,
    pub stack_start: Option<u64>,
    pub stack_size: Option<u64>,
    pub create_time: Option<Time>,
    pub exit_time: Option<Time>,
    pub kernel_time_seconds: Option<f64>,
    pub user_time_seconds: Option<f64>,
    pub start_address: Option<u64>,
    pub affinity: Option<u64>,
    pub exit_status: Option<u32>,
    pub dump_flags: Option<u32>,
    pub dump_error: Option<u32>,
    /// The thread that the exception stream names.
    pub crashed: bool,
    pub source: &'static str,
}

/// `MINIDUMP_HANDLE_DESCRIPTOR(_2)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Handle {
    pub handle: u64,
    pub type_name: Option<String>,
    pub object_name: Option<String>,
    pub attributes: Option<u32>,
    pub granted_access: Option<u32>,
    pub handle_count: Option<u32>,
    pub pointer_count: Option<u32>,
    /// Kind (`MINIDUMP_HANDLE_OBJECT_INFORMATION_TYPE`) and raw bytes of each object-information block.
    pub object_info: Vec<(u32, Vec<u8>)>,
    pub source: &'static str,
}

/// `MINIDUMP_MEMORY_INFO`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Region {
    pub base: u64,
    pub allocation_base: u64,
    pub allocation_protect: u32,
    pub size: u64,
    pub state: u32,
    pub protect: u32,
    pub kind: u32,
}

/// `_DUMP_BLOB_HEADER` and where its data are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Blob {
    /// Tag, as the 16 bytes of the file.
    pub tag: [u8; 16],
    /// File offset of the data.
    pub offset: u64,
    pub size: u64,
    pub pre_pad: u32,
    pub post_pad: u32,
}

/// `MINIDUMP_DIRECTORY`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stream {
    pub kind: u32,
    pub name: Option<&'static str>,
    pub offset: u64,
    pub size: u64,
    /// Its content became rows.
    pub understood: bool,
}

/// `MINIDUMP_TOKEN_INFO_HEADER`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Token {
    pub process_id: Option<u32>,
    pub thread_id: Option<u32>,
    pub token_id: u64,
    pub offset: u64,
    pub size: u64,
}

/// A GUID's 16 bytes in the usual text form, lower case: `270a33fd-3da6-460d-ba89-3c1bae21e39b`.
pub fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let (one, two) = (u32::from_le_bytes([*a, *b, *c, *d]), u16::from_le_bytes([*e, *f]));
    let three = u16::from_le_bytes([*g, *h]);
    let tail: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{one:08x}-{two:04x}-{three:04x}-{}-{}", &tail[..4], &tail[4..])
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_guid_is_mixed_endian() {
        let bytes =
            [0xfd, 0x33, 0x0a, 0x27, 0xa6, 0x3d, 0x0d, 0x46, 0xba, 0x89, 0x3c, 0x1b, 0xae, 0x21, 0xe3, 0x9b];
        assert_eq!(super::guid(&bytes), "270a33fd-3da6-460d-ba89-3c1bae21e39b");
    }
}
