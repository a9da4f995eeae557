//! `modules`: as the file states them (driver list of a triage dump, module list of a user minidump), or those of the
//! kernel's list.

use super::{found::Findings, process_id};
use crate::{Job, out::Out};
use nt::{
    ImageFacts, System, Version, View, image_version, module::KldrDataTableEntry, shape::Kind, version_text,
};
use schema::{
    Sink,
    tables::{ModuleRow, Modules},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Modules>::new(sink);
    for (order, module) in (0u32..).zip(&job.dump.records.modules) {
        out.push(ModuleRow {
            process_id: process_id(job),
            name: module.path.as_deref().map(base_name),
            path: module.path.clone(),
            base: module.base,
            size: module.size,
            timestamp: module.timestamp,
            checksum: module.checksum,
            version: module.version.clone(),
            product_version: module.product_version.clone(),
            pdb_name: module.pdb_name.clone(),
            pdb_guid: module.pdb_guid.clone(),
            pdb_age: module.pdb_age,
            entry_point: module.entry_point,
            flags: module.flags,
            load_order: Some(order),
            source: module.source.into(),
            ..ModuleRow::default()
        })?;
    }
    // A triage dump states its drivers; the kernel's list is not in it.
    let system = job.system.filter(|system| system.dump.records.header.triage.is_none());
    if let Some(system) = system {
        kernel_modules(job, system, &mut out)?;
    }
    out.finish()
}

/// Those of the kernel's list, then those whose entry and image only memory has.
fn kernel_modules(job: &Job, system: &System, out: &mut Out<Modules>) -> schema::Result<()> {
    let (layout, findings) = (KldrDataTableEntry::of(system), Findings::of(job, Kind::Module));
    let entries = system.module_entries();
    for (order, &entry) in (0u32..).zip(&entries) {
        let (found_in_pool, found_by_shape) = findings.cells(findings.at(system, entry));
        if let Some(row) = loaded(system, &layout, &system.view(entry, layout.size)) {
            let (load_order, entry_pa) = (Some(order), findings.pa(system, entry));
            let hidden = found_in_pool.map(|_| false);
            out.push(ModuleRow { load_order, found_in_pool, found_by_shape, entry_pa, hidden, ..row })?;
        }
    }
    for found in
        findings.others(system, entries.iter().copied()).into_iter().filter(|found| found.is_in_use())
    {
        let view = found.view(system, layout.size);
        let (found_in_pool, found_by_shape) = findings.cells(Some(found));
        let row = loaded(system, &layout, &view).filter(|row| row.header_present == Some(true));
        if let Some(row) = row {
            out.push(ModuleRow {
                found_in_pool,
                found_by_shape,
                entry_pa: found.pa,
                hidden: Some(true),
                source: found.source().into(),
                ..row
            })?;
        }
    }
    Ok(())
}

fn loaded(system: &System, layout: &KldrDataTableEntry, view: &View) -> Option<ModuleRow> {
    let entry = view.va();
    let Some(base) = view.pointer(layout.base) else {
        let name = "_KLDR_DATA_TABLE_ENTRY";
        system.problem("unreadable", name, "DllBase", Some(entry), "the address of a module", "none");
        return None;
    };
    let path = system.text("modules.path", view.unicode(layout.full_name));
    let headers = system.module_headers(base);
    let version = headers.as_ref().and_then(|(space, facts)| image_version(*space, base, facts));
    let facts = headers.map(|(_, facts)| facts);
    let of_header = |field: fn(&ImageFacts) -> Option<u32>| facts.as_ref().and_then(field);
    // The user-mode type that stands in for older kernels has another member at this place.
    let own_type = system.layouts.types.contains_key("_KLDR_DATA_TABLE_ENTRY");
    // The entry's members are 0 where the loader left them so.
    let stated = |field| view.u32(field).filter(|&value| value != 0);
    let row = ModuleRow {
        name: view.unicode(layout.base_name).or_else(|| path.as_deref().map(base_name)),
        path,
        base: base.0,
        size: view.u32(layout.size_of_image).or(of_header(|facts| facts.size)).unwrap_or(0).into(),
        timestamp: stated(layout.timestamp.filter(|_| own_type)).or(of_header(|facts| facts.timestamp)),
        checksum: stated(layout.checksum).or(of_header(|facts| facts.checksum)),
        entry_point: view.pointer(layout.entry_point).map(|va| va.0),
        flags: view.u32(layout.flags),
        entry: Some(entry.0),
        load_count: view.u32(layout.load_count),
        header_present: Some(facts.is_some()),
        source: "PsLoadedModuleList".into(),
        ..identity(facts.as_ref(), version)
    };
    Some(row)
}

/// The columns that only the image itself has.
fn identity(facts: Option<&ImageFacts>, version: Option<Version>) -> ModuleRow {
    let pdb = facts.and_then(|facts| facts.pdb);
    ModuleRow {
        version: version.map(|version| version_text(version.file)),
        product_version: version.map(|version| version_text(version.product)),
        pdb_name: facts.and_then(|facts| facts.pdb_name.clone()),
        pdb_guid: pdb.map(|id| id.guid_text()),
        pdb_age: pdb.map(|id| id.age),
        machine: facts.map(|facts| facts.machine.into()),
        ..ModuleRow::default()
    }
}

/// The last part of a Windows path.
pub fn base_name(path: &str) -> String {
    path.rsplit(['\\', '/']).next().unwrap_or(path).to_string()
}
