//! The ways in which a folder keeps symbol files.
//!
//! - `NAME/GUIDAGE/NAME`, and in a store of two tiers (`index2.txt`) `NA/NAME/GUIDAGE/NAME`: symbol servers
//! - `NAME`: beside the image, as a build leaves it
//! - `NAME/GUID-AGE.json`, the same below `windows` or `symbols/windows`: volatility3
//! - any `*.json`, which must be looked into
//!
//! with `.pd_` for a compressed `.pdb`, and `.json.xz`. Windows does not tell `NTKRNLMP.PDB` from `ntkrnlmp.pdb`, so
//! stores that were filled there hold either.

use crate::{PdbId, isf};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where to stop in a folder that has very many entries.
const MOST_ENTRIES: usize = 200_000;
/// How many ISF files of unknown contents to look into.
const MOST_LOOKS: usize = 512;

/// Files of the folder that may be the wanted one, the most exact place first.
pub fn candidates(folder: &Path, name: &str, id: PdbId) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let (key, packed) = (id.server_key(), compressed_name(name));
    let two_tiers = child(folder, "index2.txt").and_then(|_| child(folder, name.get(..2)?));
    for root in [Some(folder.to_path_buf()), two_tiers].into_iter().flatten() {
        let place = child(&root, name).and_then(|of_name| child(&of_name, &key));
        let Some(place) = place else { continue };
        found.extend([name, &packed].iter().filter_map(|file| child(&place, file)));
    }
    for root in [folder.to_path_buf(), folder.join("windows"), folder.join("symbols").join("windows")] {
        let Some(of_name) = child(&root, name) else { continue };
        let files = ["json", "json.xz"].map(|extension| format!("{id}.{extension}"));
        found.extend(files.iter().filter_map(|file| child(&of_name, file)));
    }
    found.extend([name, &packed].iter().filter_map(|file| child(folder, file)));
    found.retain(|path| path.is_file());
    if found.is_empty() {
        found.extend(isf_of(folder, id));
    }
    found
}

/// The name of the compressed file: the last letter becomes `_`.
pub fn compressed_name(name: &str) -> String {
    let kept = name.char_indices().last().map_or(name, |(last, _)| &name[..last]);
    format!("{kept}_")
}

/// An entry by its name, whatever the case of its letters.
pub fn child(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if exact.exists() {
        return Some(exact);
    }
    let same = |path: &PathBuf| path.file_name().is_some_and(|file| file.eq_ignore_ascii_case(name));
    entries(folder).find(same)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_ENTRIES).map(|entry| entry.path())
}

/// An ISF file that lies in the folder itself and states this identity. A name that is another GUID and age is believed.
fn isf_of(folder: &Path, id: PdbId) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> = entries(folder).filter(|path| may_be(path, id)).collect();
    files.sort();
    files.into_iter().take(MOST_LOOKS).find(|path| isf::identify(path).is_ok_and(|found| found == Some(id)))
}

fn may_be(path: &Path, id: PdbId) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let stem = name.strip_suffix(".xz").unwrap_or(&name).strip_suffix(".json");
    stem.is_some_and(|stem| stem.parse::<PdbId>().map_or(true, |named| named == id))
}
