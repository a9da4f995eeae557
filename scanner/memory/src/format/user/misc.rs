//! The process: `MiscInfoStream` (five versions, each longer than the one before) and
//! `ProcessVmCountersStream` (two versions).
//!
//! `MINIDUMP_MISC_INFO.Flags1` says which parts were filled in; the rest is `None`.

use super::{directory::Stream, reader::Reader};
use crate::{
    bytes::Bytes,
    error::{Error, Result},
    records::{Architecture, VmCounters},
    time::Time,
};
use minidump::{Endian, MinidumpMiscInfo, MinidumpStream, RawMiscInfo};

/// `MINIDUMP_MISC_INFO` to `MINIDUMP_MISC_INFO_5`: the longest version of which all bytes are there.
pub(super) fn misc_info(reader: &mut Reader<'_>, stream: &Stream<'_>) -> Result<usize> {
    let bytes = stream.bytes;
    let info = MinidumpMiscInfo::read(bytes.data(), reader.file, Endian::Little, None)
        .map_err(|_| Error::truncated("MINIDUMP_MISC_INFO", bytes.start(), 24, bytes.len()))?;
    let raw = &info.raw;
    reader.process_id = raw.process_id().copied();
    process(reader, raw);
    if let Some(text) = raw.build_string().map(|text| text_of(text)).filter(|text| !text.is_empty()) {
        reader.records.header.build_string = Some(text);
    }
    let debug = raw.dbg_bld_str().map(|text| text_of(text));
    reader.records.header.debug_build_string = debug.filter(|text| !text.is_empty());
    Ok(1)
}

fn process(reader: &mut Reader<'_>, raw: &RawMiscInfo) {
    let process = &mut reader.process;
    process.create_time = raw.process_create_time().and_then(|&time| Time::from_unix(time));
    process.user_time_seconds = raw.process_user_time().map(|&seconds| seconds.into());
    process.kernel_time_seconds = raw.process_kernel_time().map(|&seconds| seconds.into());
    process.cpu_max_mhz = raw.processor_max_mhz().copied();
    process.cpu_current_mhz = raw.processor_current_mhz().copied();
    process.cpu_mhz_limit = raw.processor_mhz_limit().copied();
    process.integrity_level = raw.process_integrity_level().copied();
    process.execute_flags = raw.process_execute_flags().copied();
    process.protected = raw.protected_process().map(|&protected| protected != 0);
    process.process_cookie = raw.process_cookie().copied();
    process.time_zone_id = raw.time_zone_id().copied();
    if let Some(zone) = raw.time_zone() {
        process.time_zone_bias = Some(zone.bias);
        // TIME_ZONE_ID_DAYLIGHT: the clock was on summer time when the dump was written.
        let daylight = process.time_zone_id == Some(2);
        process.time_zone_name =
            Some(text_of(if daylight { &zone.daylight_name } else { &zone.standard_name }));
    }
}

/// Text of a fixed-size array of UTF-16 units, up to the first NUL.
fn text_of(units: &[u16]) -> String {
    let end = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or(units))
}

/// `MINIDUMP_PROCESS_VM_COUNTERS_1` (80 bytes) or `_2` (152 bytes), told apart by `Revision`.
///
/// Situation: a writer that may not query the process reserves the stream and leaves it zero (seen in
/// real files). Revision 0 therefore means "does not say": no counters, no fault.
pub(super) fn vm_counters(reader: &mut Reader<'_>, stream: &Stream<'_>) -> Result<usize> {
    let bytes = stream.bytes;
    let counters = match bytes.u16(0)? {
        0 => return Ok(0),
        1 => counters_1(bytes)?,
        2 => counters_2(bytes)?,
        other => return Err(bytes.invalid("Revision", 0, "0, 1 or 2", other.to_string())),
    };
    reader.process.vm = Some(counters);
    Ok(1)
}

/// The fields that both versions have at the same places.
fn common(bytes: Bytes<'_>) -> Result<VmCounters> {
    Ok(VmCounters {
        page_fault_count: bytes.u32(4)?,
        peak_working_set: bytes.u64(8)?,
        working_set: bytes.u64(16)?,
        quota_peak_paged_pool: bytes.u64(24)?,
        quota_paged_pool: bytes.u64(32)?,
        quota_peak_nonpaged_pool: bytes.u64(40)?,
        quota_nonpaged_pool: bytes.u64(48)?,
        pagefile_usage: bytes.u64(56)?,
        peak_pagefile_usage: bytes.u64(64)?,
        ..VmCounters::default()
    })
}

fn counters_1(bytes: Bytes<'_>) -> Result<VmCounters> {
    Ok(VmCounters { private_usage: bytes.u64(72)?, ..common(bytes)? })
}

/// `Flags` says which groups the system could tell: 2 virtual sizes, 8 the EX2 fields, 16 the job.
fn counters_2(bytes: Bytes<'_>) -> Result<VmCounters> {
    let flags = bytes.u16(2)?;
    let when = |flag: u16, offset: u64| match flags & flag {
        0 => Ok(None),
        _ => bytes.u64(offset).map(Some),
    };
    Ok(VmCounters {
        peak_virtual_size: when(2, 72)?,
        virtual_size: when(2, 80)?,
        private_usage: bytes.u64(88)?,
        private_working_set: when(8, 96)?,
        shared_commit: when(8, 104)?,
        job_shared_commit_usage: when(16, 112)?,
        job_private_commit_usage: when(16, 120)?,
        job_peak_private_commit_usage: when(16, 128)?,
        job_private_commit_limit: when(16, 136)?,
        job_total_commit_limit: when(16, 144)?,
        ..common(bytes)?
    })
}

/// Makes the row of the process, once all streams are read.
///
/// A row needs a process id. Writers that state none (Breakpad on Linux) leave no row: its other
/// cells would be empty, too. Where counters were read all the same, a fault says why they are not
/// in the table.
pub(super) fn finish(reader: &mut Reader<'_>) {
    let Some(process_id) = reader.process_id else {
        if reader.process.vm.is_some() {
            let expected = "Flags1 with bit 0 set (MINIDUMP_MISC1_PROCESS_ID)";
            reader.note(Error::invalid(
                "MINIDUMP_MISC_INFO",
                "ProcessId",
                0,
                expected,
                "no process id in the file",
            ));
            reader.flush();
        }
        return;
    };
    let mut process = std::mem::take(&mut reader.process);
    process.process_id = process_id;
    let modules = &reader.records.modules;
    process.name =
        modules.first().and_then(|module| module.path.as_deref()).map(|path| base_name(path).to_string());
    process.wow64 = match reader.architecture {
        Some(Architecture::X64 | Architecture::Arm64) if !modules.is_empty() => Some(is_wow64(modules)),
        _ => None,
    };
    reader.records.processes.push(process);
}

/// Situation: a 64-bit tool wrote the dump of a 32-bit process. `SystemInfo` and the contexts are those
/// of the 64-bit side, where every thread sits in the emulation layer; the 32-bit registers are in
/// memory behind each TEB. What gives it away is the layer itself in the module list.
fn is_wow64(modules: &[crate::records::Module]) -> bool {
    let names = modules.iter().filter_map(|module| module.path.as_deref());
    names.map(base_name).any(|name| name.eq_ignore_ascii_case("wow64.dll"))
}

fn base_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}
