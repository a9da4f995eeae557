//! Guests of VMware: the RAM in `x.vmem`, what is known about it in `x.vmss` (suspended) or `x.vmsn`
//! (snapshot) beside it. Opening either path gives the same memory.
//!
//! Without the state file a `.vmem` is read 1:1, and a row of `faults` says so when the guest is so
//! large that the hole below 4 GiB must exist: the addresses above 3 GiB are then wrong, and
//! nothing in the file tells where the hole is. Old products keep the RAM inside the state file.

mod state;
mod tags;
#[cfg(test)]
mod tests;

use super::{Format, Memory, Opened, raw};
use crate::{
    addr::{PAGE_SIZE, Pfn},
    error::Result,
    map::Map,
    records::{Problem, Records},
    runs::PhysRun,
};
use state::State;
use std::path::{Path, PathBuf};

pub(crate) static STATE: Format = Format {
    name: "VMware state",
    about: "VMware suspended state or snapshot (.vmss, .vmsn) with the memory file (.vmem) beside it or the RAM inside",
    probe: |map| state::is_state(map.bytes()),
    open: open_state,
};

pub(crate) static MEMORY: Format = Format {
    name: "VMware memory",
    about: "VMware memory file (.vmem), read with the state file (.vmss, .vmsn) beside it where there is one",
    probe: |map| state_of(map.path()).is_some() || (is_vmem(map.path()) && raw::recognised(map)),
    open: open_memory,
};

/// A guest with more RAM than this has a hole for devices below 4 GiB.
const LARGEST_WITHOUT_HOLE: u64 = 3 << 30;
/// First physical address of RAM in an ARM64 guest (LeechCore `device_file.c`).
const ARM64_RAM: u64 = 0x8000_0000;

/// The `.vmem` beside a state file: whoever converts a folder converts that and skips the state.
pub(super) fn companion_of(path: &Path) -> Option<PathBuf> {
    let is_state = has_extension(path, "vmss") || has_extension(path, "vmsn");
    if is_state && starts_with_magic(path) { sibling(path, "vmem") } else { None }
}

/// The state file beside a `.vmem`: the suspended state where there is one, else the snapshot.
pub(super) fn state_of(path: &Path) -> Option<PathBuf> {
    if !is_vmem(path) {
        return None;
    }
    let states = ["vmss", "vmsn"].into_iter().filter_map(|extension| sibling(path, extension));
    states.into_iter().find(|path| starts_with_magic(path))
}

fn is_vmem(path: &Path) -> bool {
    has_extension(path, "vmem")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|have| have.eq_ignore_ascii_case(extension))
}

/// The file of the same stem with `extension`, in lower or upper case.
fn sibling(path: &Path, extension: &str) -> Option<PathBuf> {
    let names = [path.with_extension(extension), path.with_extension(extension.to_ascii_uppercase())];
    names.into_iter().find(|name| name != path && name.is_file())
}

fn starts_with_magic(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 4];
    // Only regular files: opening a pipe would block.
    path.is_file()
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && state::is_state(&head)
}

fn open_state(map: &Map) -> Result<Opened> {
    let mut records = Records::default();
    let state = State::read(map.bytes(), &mut records)?;
    let Some(vmem) = sibling(map.path(), "vmem").and_then(|path| records.keep(Map::open(&path))) else {
        let memory = inside(&state, map.bytes().len() as u64, &mut records);
        return Ok(Opened::new(memory, records));
    };
    let memory = beside(&state, vmem.bytes().len() as u64, &mut records);
    Ok(Opened { memory, records, companion: Some(vmem), memory_in_companion: true })
}

fn open_memory(map: &Map) -> Result<Opened> {
    let mut records = Records::default();
    let companion = state_of(map.path()).and_then(|path| records.keep(Map::open(&path)));
    // A damaged state file does not take the memory away: it is then read as if it were alone.
    let state = match &companion {
        Some(file) => State::read(file.bytes(), &mut records).map(Some),
        None => Ok(None),
    };
    let state = records.keep(state).flatten().unwrap_or_default();
    let memory = beside(&state, map.bytes().len() as u64, &mut records);
    Ok(Opened { memory, records, companion, memory_in_companion: false })
}

/// The runs in a `.vmem` of `size` bytes.
fn beside(state: &State, size: u64, records: &mut Records) -> Memory {
    match state.regions.as_slice() {
        [] if state.arm64 => {
            let stated = state.memory_mib.and_then(|mib| mib.checked_mul(1 << 20)).unwrap_or(0);
            let run = raw::whole(0, stated.max(size), records);
            physical(vec![PhysRun { first: Pfn(ARM64_RAM / PAGE_SIZE), ..run }], 0, records)
        }
        [] => physical(vec![one_to_one(0, size, records)], 0, records),
        regions => physical(regions.to_vec(), state.memory_at, records),
    }
}

/// The runs of a state file that has no `.vmem`: old products keep the RAM in the group `memory`,
/// whose tags stand before it.
fn inside(state: &State, size: u64, records: &mut Records) -> Memory {
    let Some((start, len)) = state.inside else {
        let expected = "a .vmem file of the same name beside it, or the RAM inside";
        records.fault(Problem::new("no_memory", "VMware state", "memory", size, expected, "neither"));
        return Memory::None;
    };
    let shift = |run: &PhysRun| Some(PhysRun { offset: run.offset.checked_add(start)?, ..*run });
    match state.regions.as_slice() {
        [] => physical(vec![one_to_one(start, len, records)], start, records),
        regions => physical(regions.iter().filter_map(shift).collect(), start, records),
    }
}

/// `len` bytes at file offset `start` as physical memory from 0 on.
fn one_to_one(start: u64, len: u64, records: &mut Records) -> PhysRun {
    if len > LARGEST_WITHOUT_HOLE {
        let expected = "the memory regions of a state file (.vmss, .vmsn) beside it";
        let found = "none: addresses above 3 GiB are those of a guest without a hole for devices";
        let mut problem = Problem::new("no_metadata", "VMware memory", "regions", start, expected, found);
        problem.address = Some(LARGEST_WITHOUT_HOLE);
        records.fault(problem);
    }
    raw::whole(start, len, records)
}

fn physical(runs: Vec<PhysRun>, offset: u64, records: &mut Records) -> Memory {
    Memory::Physical(super::physical(runs, "VMware regions", offset, records))
}
