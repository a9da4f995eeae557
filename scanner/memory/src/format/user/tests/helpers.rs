//! How published files are read, and registers by the names that debuggers use.

use super::{dumps, read};
use crate::{context::Registers, records::Records, runs::VirtRuns};

/// A published file and the dump that it speaks of.
pub fn pair(expected: &str, dump: &str) -> Option<(String, VirtRuns, Records, Vec<u8>)> {
    let folder = dumps()?;
    let bytes = std::fs::read(folder.join(dump)).unwrap();
    let (runs, records) = read(&bytes);
    Some((std::fs::read_to_string(folder.join(expected)).unwrap(), runs, records, bytes))
}

/// A number as the published files write them: hexadecimal with or without `0x`, WinDbg's with a backtick.
pub fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x").replace('`', "").as_str(), 16).unwrap()
}

pub fn base_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap()
}

/// GUID and age as Breakpad writes them.
pub fn debug_id(module: &crate::records::Module) -> String {
    format!("{}{:X}", module.pdb_guid.as_deref().unwrap(), module.pdb_age.unwrap())
}

/// x86 and x64 registers by the names that debuggers use.
pub fn register(registers: &Registers, name: &str) -> Option<u64> {
    Some(match registers {
        Registers::X86(r) => u64::from(match name {
            "eax" => r.eax,
            "ebx" => r.ebx,
            "ecx" => r.ecx,
            "edx" => r.edx,
            "esi" => r.esi,
            "edi" => r.edi,
            "ebp" => r.ebp,
            "esp" => r.esp,
            "eip" => r.eip,
            "eflags" => r.eflags,
            "cs" => r.cs,
            "ds" => r.ds,
            "es" => r.es,
            "fs" => r.fs,
            "gs" => r.gs,
            "ss" => r.ss,
            "dr0" => r.dr0,
            "dr7" => r.dr7,
            "context_flags" => r.context_flags,
            _ => return None,
        }),
        Registers::X64(r) => match name {
            "rax" => r.rax,
            "rbx" => r.rbx,
            "rcx" => r.rcx,
            "rdx" => r.rdx,
            "rsi" => r.rsi,
            "rdi" => r.rdi,
            "rbp" => r.rbp,
            "rsp" => r.rsp,
            "rip" => r.rip,
            "r8" => r.r8,
            "r9" => r.r9,
            "r10" => r.r10,
            "r11" => r.r11,
            "r12" => r.r12,
            "r13" => r.r13,
            "r14" => r.r14,
            "r15" => r.r15,
            "efl" => r.eflags.into(),
            "cs" => r.cs.into(),
            "ss" => r.ss.into(),
            "ds" => r.ds.into(),
            "es" => r.es.into(),
            "fs" => r.fs.into(),
            "gs" => r.gs.into(),
            _ => return None,
        },
        Registers::Arm64(_) => return None,
    })
}
