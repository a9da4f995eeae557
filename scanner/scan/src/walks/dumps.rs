//! `dumps`: one row a dump, from its headers.

use super::time;
use crate::{Job, names::bugcheck_name, names::is_live_dump, out::Out};
use memory::{
    Memory, PAGE_SIZE,
    records::{Bugcheck, Header, MmInformation, Triage},
};
use schema::{
    Sink,
    tables::{DumpRow, Dumps},
};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Dumps>::new(sink);
    out.push(row(job))?;
    out.finish()
}

fn row(job: &Job) -> DumpRow {
    let dump = job.dump;
    let beside = |path: &Path| match job.origin {
        Some((of, None)) => path.file_name().map_or(of.to_path_buf(), |name| of.with_file_name(name)),
        _ => path.to_path_buf(),
    };
    let companion = dump.companion().map(|(path, _)| beside(path).to_string_lossy().into_owned());
    let pages_present = match &dump.memory {
        Memory::Physical(_) => Some(dump.bytes_present() / PAGE_SIZE),
        Memory::Virtual(_) | Memory::None => None,
    };
    DumpRow {
        path: job.origin.map_or(dump.path(), |(archive, _)| archive).to_string_lossy().into_owned(),
        archive_member: job.origin.and_then(|(_, member)| member).map(str::to_string),
        file_size: dump.file().len() as u64,
        content_hash: job.content_hash.unwrap_or_default().into(),
        format: dump.format.name.into(),
        sha256: job.found.and_then(|found| found.sha256.clone()),
        pages_present,
        bytes_present: dump.bytes_present(),
        bytes_missing: dump.bytes_missing(),
        companion,
        faults: faults(job),
        options: job.options.into(),
        tool_version: job.tool_version.into(),
        converted_at: now(),
        ..kernel(job.system, machine(&dump.records.header))
    }
}

/// Rows that `faults` has.
fn faults(job: &Job) -> u64 {
    let of_system = job.system.map_or(0, |system| system.problems().len());
    let of_process = job.found.map_or(0, |found| found.problems().len());
    (job.dump.records.faults.len() + of_system + of_process) as u64
}

/// The columns that say which kernel it is and how its structures were read.
fn kernel(system: Option<&nt::System>, row: DumpRow) -> DumpRow {
    let Some(system) = system else { return DumpRow { symbol_source: "none".into(), ..row } };
    let image = system.kernel.as_ref().map(|kernel| &kernel.image);
    let pae = system.mode.filter(|_| system.architecture == memory::Architecture::X86);
    let found = system.kernel.is_some();
    DumpRow {
        // What the kernel's own memory states comes before what the file states.
        architecture: Some(system.architecture)
            .filter(|_| found)
            .map(|it| it.name().into())
            .or(row.architecture),
        build: Some(system.build).filter(|&build| build != 0).or(row.build),
        dtb: row.dtb.or(system.root.map(|root| root.0)),
        pae_enabled: row.pae_enabled.or(pae.map(|mode| mode == memory::PagingMode::X86Pae)),
        symbol_source: system.choice.source.clone(),
        symbols_exact: system.kernel.as_ref().map(|_| system.choice.exact),
        kernel_base: system.kernel.as_ref().map(|kernel| kernel.base.0),
        kernel_version: system.choice.version.clone(),
        kernel_pdb_name: image.and_then(|image| image.pdb_name.clone()),
        kernel_pdb: image.and_then(|image| image.pdb).map(|id| id.to_string()),
        ..row
    }
}

/// The columns that come from the header.
fn machine(header: &Header) -> DumpRow {
    DumpRow {
        dump_type: header.dump_type,
        dump_type_name: header.dump_type.and_then(dump_type_name).map(Into::into),
        architecture: header.architecture.map(|architecture| architecture.name().into()),
        machine_type: header.machine_type,
        major_version: header.major_version,
        os_major: header.os_major,
        os_minor: header.os_minor,
        build: header.build,
        csd_version: header.csd_version.clone(),
        processors: header.processors,
        system_time: time(header.system_time),
        uptime_seconds: header.uptime.map(|ticks| ticks as f64 / 1e7),
        dtb: header.directory_table_base,
        pfn_database: header.pfn_database,
        ps_loaded_module_list: header.ps_loaded_module_list,
        ps_active_process_head: header.ps_active_process_head,
        kd_debugger_data_block: header.kd_debugger_data_block,
        pae_enabled: header.pae_enabled,
        required_dump_space: header.required_dump_space,
        comment: header.comment.clone(),
        version_user: header.version_user.clone(),
        product_type: header.product_type,
        product_type_name: header.product_type.and_then(product_type_name).map(Into::into),
        suite_mask: header.suite_mask,
        minidump_fields: header.minidump_fields,
        secondary_data_state: header.secondary_data_state,
        writer_status: header.writer_status,
        attributes: header.attributes,
        boot_id: header.boot_id,
        minidump_flags: header.minidump_flags,
        minidump_time: time(header.minidump_time),
        build_string: header.build_string.clone(),
        debug_build_string: header.debug_build_string.clone(),
        cpu_vendor: header.cpu_vendor.clone(),
        cpu_description: header.cpu_description.clone(),
        ..bugcheck(header.bugcheck, triage(header.triage.as_ref()))
    }
}

fn bugcheck(bugcheck: Option<Bugcheck>, row: DumpRow) -> DumpRow {
    let Some(Bugcheck { code, parameters: [one, two, three, four] }) = bugcheck else { return row };
    DumpRow {
        bugcheck_code: Some(code),
        bugcheck_name: bugcheck_name(code).map(Into::into),
        bugcheck_param1: one,
        bugcheck_param2: two,
        bugcheck_param3: three,
        bugcheck_param4: four,
        is_live: (code != 0).then(|| is_live_dump(code)),
        ..row
    }
}

/// The columns that only a triage dump has.
fn triage(triage: Option<&Triage>) -> DumpRow {
    let Some(triage) = triage else { return DumpRow::default() };
    DumpRow {
        triage_options: Some(triage.triage_options),
        triage_service_pack_build: Some(triage.service_pack_build),
        triage_size_of_dump: Some(triage.size_of_dump),
        triage_complete: triage.complete,
        data_blocks: Some(triage.data_blocks),
        broken_driver: triage.broken_driver.clone(),
        ..mm(triage.mm.as_ref())
    }
}

fn mm(mm: Option<&MmInformation>) -> DumpRow {
    let Some(mm) = mm else { return DumpRow::default() };
    DumpRow {
        mm_special_pool_tag: Some(mm.special_pool_tag),
        mm_verify_driver_level: Some(mm.verify_driver_level),
        mm_triage_action_taken: Some(mm.triage_action_taken),
        mm_kernel_verifier: Some(mm.kernel_verifier),
        mm_max_nonpaged_pool: mm.max_nonpaged_pool,
        mm_allocated_nonpaged_pool: mm.allocated_nonpaged_pool,
        mm_paged_pool_max: mm.paged_pool_max,
        mm_paged_pool_allocated: mm.paged_pool_allocated,
        mm_committed_pages: mm.committed_pages,
        mm_committed_pages_peak: mm.committed_pages_peak,
        mm_commit_limit_max: mm.commit_limit_max,
        ..DumpRow::default()
    }
}

/// `DUMP_HEADER.DumpType`.
fn dump_type_name(dump_type: u32) -> Option<&'static str> {
    let name = match dump_type {
        1 => "full",
        2 => "summary",
        3 => "header",
        4 => "triage",
        5 => "bitmap full",
        6 => "bitmap kernel",
        7 => "automatic",
        8 => "kernel ranges",
        9 => "kernel and user ranges",
        10 => "full ranges",
        _ => return None,
    };
    Some(name)
}

/// `KUSER_SHARED_DATA.NtProductType`.
fn product_type_name(product_type: u32) -> Option<&'static str> {
    match product_type {
        1 => Some("workstation"),
        2 => Some("domain controller"),
        3 => Some("server"),
        _ => None,
    }
}

fn now() -> schema::Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    schema::Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
