//! Collecting what a pack is made of: folders of ISF files and of other public layout data.

mod archives;
mod flat;
mod headers;
mod images;
mod kernels;
mod overlay;
mod rekall;
mod sharp;

use crate::{
    Error, Layouts, PdbId, Result, Wanted,
    pack::{ImageVersion, Kernel},
};
use rayon::prelude::*;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Everything that was found below some paths.
#[derive(Debug, Default)]
pub struct Collected {
    /// Kernels with the wanted part of their layouts.
    pub kernels: Vec<(Kernel, Layouts)>,
    /// Kernel images by link time and size.
    pub images: Vec<ImageVersion>,
    /// Files that could not be used, one sentence each.
    pub problems: Vec<String>,
}

/// How deep folders are searched.
const DEPTH: usize = 6;

/// Reads everything usable below the paths: ISF files (`.json`, `.json.xz`), PDB files and rekall profiles
/// (`.rekall.json`) of kernels, whose file versions a `guid_version.json` names; `kphdyn.xml` (System Informer's list
/// of kernel images); and archives of headers with offsets (see [`archives`]).
pub fn collect(from: &[PathBuf], wanted: &Wanted) -> Result<Collected> {
    let mut files = Vec::new();
    for path in from {
        files_below(path, DEPTH, &mut files)?;
    }
    files.sort();
    let versions = versions(&files)?;
    let read = files.par_iter().map(|file| one(file, &versions, wanted)).collect::<Vec<_>>();
    let mut collected = archives::read(&files, wanted)?;
    for found in read {
        match found {
            Ok(found) => {
                collected.kernels.extend(found.kernels);
                collected.images.extend(found.images);
            }
            Err(error) => collected.problems.push(error.to_string()),
        }
    }
    Ok(collected)
}

fn files_below(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let shown = path.display();
    let data = fs::symlink_metadata(path).map_err(|e| Error::new(format!("{shown}: {e}")))?;
    if data.is_file() {
        files.push(path.to_path_buf());
    } else if data.is_dir() && depth > 0 {
        let entries = fs::read_dir(path).map_err(|e| Error::new(format!("{shown}: {e}")))?;
        for entry in entries.flatten() {
            files_below(&entry.path(), depth - 1, files)?;
        }
    }
    Ok(())
}

/// `GUID-AGE` to file version, as `guid_version.json` states it.
type Versions = BTreeMap<PdbId, [u32; 4]>;

fn versions(files: &[PathBuf]) -> Result<Versions> {
    let mut versions = Versions::new();
    for file in files.iter().filter(|file| name_of(file) == "guid_version.json") {
        let broken = |why: String| Error::new(format!("{}: {why}", file.display()));
        let text = fs::read(file).map_err(|e| broken(e.to_string()))?;
        let stated: BTreeMap<String, Vec<String>> =
            serde_json::from_slice(&text).map_err(|e| broken(e.to_string()))?;
        for (id, stated) in stated {
            if let (Ok(id), Some(version)) = (id.parse(), stated.first().and_then(|text| four(text))) {
                versions.insert(id, version);
            }
        }
    }
    Ok(versions)
}

/// A file version of four numbers.
pub(crate) fn four(text: &str) -> Option<[u32; 4]> {
    let parts = text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
    parts.try_into().ok()
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn one(file: &Path, versions: &Versions, wanted: &Wanted) -> Result<Collected> {
    let name = name_of(file);
    let mut collected = Collected::default();
    if name.starts_with("kphdyn.xml") {
        collected.images = images::read(file)?;
    } else if name.ends_with(".rekall.json") || name.ends_with(".rekall.json.xz") {
        collected.kernels = kernels::of_rekall(file, versions, wanted)?;
    } else if (name.ends_with(".json") || name.ends_with(".json.xz")) && name != "guid_version.json" {
        collected.kernels = kernels::of_isf(file, versions, wanted)?;
    } else if name.to_ascii_lowercase().ends_with(".pdb") {
        collected.kernels = kernels::of_pdb(file, versions, wanted)?;
    }
    Ok(collected)
}

/// A word for the pack: no spaces.
fn word(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    if kept.is_empty() { "-".into() } else { kept }
}

#[cfg(test)]
mod tests;
