//! Kernels of files that state one PDB: ISF files, PDB files, rekall profiles.
//!
//! None of them states the version of its kernel. A `guid_version.json` does, as JPCERT/CC publishes one.

use super::{Versions, name_of, rekall, word};
use crate::{Error, Layouts, PdbId, Profile, Result, Wanted, isf, pack::Kernel, pdb};
use std::path::Path;

/// A kernel with the wanted part of its layouts.
type Found = (Kernel, Layouts);

/// Kernels in the libvmi project's profiles are of Windows XP, as its `SOURCE.txt` says; their revisions nobody states.
const XP_BUILD: u32 = 2600;
const XP: [&str; 2] = ["BD8F451F3E754ED8A34B50560CEB08E3", "32962337F0F646388B39535CD8DD70E8"];

/// Names under which kernels have their PDBs, to tell a kernel without version from any other PDB.
const KERNELS: [&str; 5] = ["ntoskrnl", "ntkrnlmp", "ntkrnlpa", "ntkrpamp", "ntkrla57"];

/// The kernel of an ISF file. Files of other images, and JSON that is none, are passed over.
pub fn of_isf(file: &Path, versions: &Versions, wanted: &Wanted) -> Result<Vec<Found>> {
    let mut profile = isf::read(file)?;
    let named = name_of(file).split('.').next().and_then(|stem| stem.parse().ok());
    profile.id = profile.id.or(named);
    let Some(id) = profile.id.filter(|_| is_kernel(&profile)) else { return Ok(Vec::new()) };
    let folder = file.parent().map(name_of).filter(|name| name.ends_with(".pdb"));
    let pdb_name = folder.unwrap_or_else(|| "ntkrnlmp.pdb".into());
    let source = file.ancestors().nth(2).map(name_of).unwrap_or_default();
    let version = version(file, &[id], versions)?;
    Ok(vec![found(id, version, &pdb_name, &source, &profile, wanted)])
}

/// The kernel of a PDB file; those of other images are passed over, mostly by their name before their types are read.
pub fn of_pdb(file: &Path, versions: &Versions, wanted: &Wanted) -> Result<Vec<Found>> {
    let name = name_of(file);
    let bytes = pdb::load(file)?;
    let named = |e: Error| Error::new(format!("{}: {e}", file.display()));
    let id = pdb::identify(&bytes).map_err(named)?;
    let called = KERNELS.iter().any(|kernel| name.to_ascii_lowercase().starts_with(kernel));
    if !called && !versions.contains_key(&id) {
        return Ok(Vec::new());
    }
    let profile = pdb::parse(&bytes).map_err(named)?;
    if !is_kernel(&profile) {
        return Ok(Vec::new());
    }
    let version = version(file, &[id], versions)?;
    Ok(vec![found(id, version, &name, "PDB", &profile, wanted)])
}

/// The kernel of a rekall profile, once for each age of its PDB.
pub fn of_rekall(file: &Path, versions: &Versions, wanted: &Wanted) -> Result<Vec<Found>> {
    let rekall::Found { profile, pdb_name, ids } = rekall::read(file)?;
    if !is_kernel(&profile) {
        return Ok(Vec::new());
    }
    let source = file.parent().map(name_of).unwrap_or_default();
    let version = match ids.iter().any(|id| XP.contains(&id.guid_text().as_str())) {
        true => (XP_BUILD, None),
        false => version(file, &ids, versions)?,
    };
    Ok(ids.iter().map(|&id| found(id, version, &pdb_name, &source, &profile, wanted)).collect())
}

fn is_kernel(profile: &Profile) -> bool {
    profile.types.contains_key("_EPROCESS")
}

/// Build and revision.
fn version(file: &Path, ids: &[PdbId], versions: &Versions) -> Result<(u32, Option<u32>)> {
    let known = ids.iter().find_map(|id| versions.get(id));
    let &[_, _, build, revision] = known.ok_or_else(|| {
        let id = ids.first().map(PdbId::to_string).unwrap_or_default();
        let example = format!("{{ \"{id}\": [\"10.0.BUILD.REVISION\"] }}");
        Error::new(format!("{}: no guid_version.json names its file version: {example}", file.display()))
    })?;
    Ok((family(build), Some(revision)))
}

/// Kernels of 1903 carry 18362 in `NtBuildNumber`; the public list writes 18326.
fn family(build: u32) -> u32 {
    if build == 18326 { 18362 } else { build }
}

fn found(
    id: PdbId,
    (build, revision): (u32, Option<u32>),
    pdb_name: &str,
    source: &str,
    profile: &Profile,
    wanted: &Wanted,
) -> Found {
    let usual = if profile.pointer_size == 4 { "x86" } else { "x64" };
    let kernel = Kernel {
        architecture: profile.architecture.unwrap_or(usual).into(),
        build,
        revision,
        pdb_name: Some(word(pdb_name)),
        id: Some(id),
        source: word(source),
    };
    (kernel, Layouts::of(profile, wanted))
}
