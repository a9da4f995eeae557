//! `user_modules`: what the loaders of each process list, beside what is mapped in it.

use super::modules::base_name;
use crate::{Job, out::Out};
use memory::{Architecture, Space, Va};
use nt::{
    System, image_facts, image_version,
    peb::{Halves, Loaded},
    process::Process,
    vad::{Vad, Vads},
    version_text,
};
use schema::{
    Sink,
    tables::{UserModuleRow, UserModules},
};
use std::collections::BTreeMap;
use unwind::{
    Image, MACHINE_AMD64, MACHINE_I386,
    arm64::{Hybrid, is_chpe},
};

/// An image of a process as its sources have it.
#[derive(Default)]
struct Known {
    /// By the native loader and the 32-bit one.
    loaders: [Option<Loaded>; 2],
    vad: Option<Vad>,
}

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<UserModules>::new(sink);
    // The process of a triage dump is there without its memory.
    let system = job.system.filter(|system| system.dump.records.header.triage.is_none());
    let Some(system) = system else { return out.finish() };
    let (halves, vads) = (Halves::of(system), Vads::of(system));
    for process in system.processes().iter().filter(|process| process.peb.is_some()) {
        let vads = vads.read(system, process);
        let (listed, mut images) = listed(system, &halves, process);
        let has_vads = !vads.is_empty();
        for vad in vads {
            match images.get_mut(&vad.start) {
                Some(known) => known.vad = Some(vad),
                None if vad.is_image == Some(true) => {
                    images.insert(vad.start, Known { vad: Some(vad), ..Known::default() });
                }
                None => {}
            }
        }
        let space = process.dtb.and_then(|dtb| system.process_space(dtb));
        for (base, known) in images {
            let row = row(system, base, &known, listed);
            let row = UserModuleRow {
                process_id: process.pid,
                eprocess: process.va.0,
                in_vad: has_vads.then_some(known.vad.is_some()),
                ..row
            };
            let row = with_header(space, row);
            let hybrid = if system.architecture == Architecture::Arm64 { hybrid(space, &row) } else { None };
            out.push(UserModuleRow { hybrid, ..row })?;
        }
    }
    out.finish()
}

/// What the loaders list by base, and whether any list could be read.
fn listed(system: &System, halves: &Halves, process: &Process) -> (bool, BTreeMap<u64, Known>) {
    let (mut any, mut images) = (false, BTreeMap::<u64, Known>::new());
    for half in halves.of_process(system, process) {
        let Some(modules) = half.loaded(system) else { continue };
        any = true;
        for module in modules {
            let slot = &mut images.entry(module.base).or_default().loaders[usize::from(half.is_wow64)];
            // Of two entries with one base the first counts, but each list that has either does.
            match slot {
                Some(first) => {
                    let both = first.lists.iter_mut().zip(module.lists);
                    both.for_each(|(seen, also)| *seen |= also);
                }
                None => *slot = Some(module),
            }
        }
    }
    (any, images)
}

fn row(system: &System, base: u64, known: &Known, any: bool) -> UserModuleRow {
    let [native, narrow] = &known.loaders;
    let module = native.as_ref().or(narrow.as_ref());
    let in_list =
        |number: usize| any.then(|| known.loaders.iter().flatten().any(|loaded| loaded.lists[number]));
    let vad = known.vad.as_ref();
    let mapped_path = vad.and_then(|vad| vad.file.clone());
    let mapped_size = vad.map(|vad| vad.end.saturating_sub(vad.start).saturating_add(1));
    UserModuleRow {
        base: system.narrow(base).0,
        size: module.and_then(|module| module.size).map(u64::from).or(mapped_size),
        name: module.and_then(|module| module.name.clone()).or(mapped_path.as_deref().map(base_name)),
        path: module.and_then(|module| module.path.clone()),
        mapped_path,
        entry_point: module.and_then(|module| module.entry_point),
        in_load: in_list(0),
        in_memory: in_list(1),
        in_init: in_list(2),
        mapped_as_image: vad.and_then(|vad| vad.is_image),
        is_wow64: narrow.is_some(),
        load_order: module.and_then(|module| module.load_order),
        entry: module.map(|module| module.entry.0),
        flags: module.and_then(|module| module.flags),
        load_count: module.and_then(|module| module.load_count),
        load_reason: module.and_then(|module| module.load_reason),
        load_time: super::time(module.and_then(|module| module.load_time)),
        timestamp: module.and_then(|module| module.timestamp).filter(|&stamp| stamp != 0),
        ..UserModuleRow::default()
    }
}

/// The columns of the image itself, if its headers are there.
fn with_header(space: Option<Space>, row: UserModuleRow) -> UserModuleRow {
    let base = Va(row.base);
    let Some((space, facts)) = space.and_then(|space| Some((space, image_facts(space, base)?))) else {
        return row;
    };
    UserModuleRow {
        timestamp: row.timestamp.or(facts.timestamp),
        machine: Some(facts.machine.into()),
        checksum: facts.checksum,
        version: image_version(space, base, &facts).map(|version| version_text(version.file)),
        pdb_guid: facts.pdb.map(|id| id.guid_text()),
        pdb_age: facts.pdb.map(|id| id.age),
        pdb_name: facts.pdb_name,
        ..row
    }
}

/// Whether an image holds code of two architectures; `None` where that cannot be read.
fn hybrid(space: Option<Space>, row: &UserModuleRow) -> Option<&'static str> {
    let (space, machine) = (space?, row.machine?);
    let image = Image::open(row.base, &space).ok()?;
    if machine == u32::from(MACHINE_I386) {
        return Some(if is_chpe(&image).ok()? { "CHPE" } else { "none" });
    }
    match Hybrid::open(&image).ok()? {
        // For an x64 process Windows changes the header of an ARM64X image to x64, by dynamic relocations that such a
        // file has for its own header (lld's COFF writer makes them): in memory it is as one of ARM64EC.
        Some(_) if machine == u32::from(MACHINE_AMD64) => Some("ARM64EC or ARM64X"),
        Some(_) => Some("ARM64X"),
        None => Some("none"),
    }
}
