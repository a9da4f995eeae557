//! The bytes of a PDB, for whoever asks it for functions and lines: nothing but its identity is read here.

use super::{Options, download, expand, folder, is_isf, name, path::Element, path::SymbolPath};
use crate::{Error, PdbId, Result, pdb};
use std::path::{Path, PathBuf};

/// A PDB of the wanted identity.
pub struct PdbFile {
    /// The file, expanded.
    pub bytes: Vec<u8>,
    /// Where it was found.
    pub origin: String,
}

impl SymbolPath {
    /// Searches as [`SymbolPath::find`] does, but only for PDBs of exactly this identity. An error: files of the name
    /// that cannot be read or are of another build, a server that failed.
    pub fn pdb(&self, name: &str, id: PdbId, options: &Options) -> Result<Option<PdbFile>> {
        let name = name::check(name)?;
        let mut problems = Vec::new();
        for path in self.elements.iter().flat_map(|element| files(element, name, id)) {
            match exact(&path, id) {
                Ok(Some(bytes)) => return Ok(Some(PdbFile { bytes, origin: path.display().to_string() })),
                Ok(None) => {}
                Err(e) => problems.push(e.to_string()),
            }
        }
        let chains = self.elements.iter().filter(|_| options.download);
        for element in chains {
            match downloaded(element, name, id, options) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(e) => problems.push(e.to_string()),
            }
        }
        if problems.is_empty() { Ok(None) } else { Err(Error::new(problems.join("; "))) }
    }
}

/// Files of an element that may be the one.
fn files(element: &Element, name: &str, id: PdbId) -> Vec<PathBuf> {
    let of_folder = |folder: &Path| folder::candidates(folder, name, id);
    let found = match element {
        Element::Place(path) if path.is_dir() => of_folder(path),
        Element::Place(path) if path.is_file() => vec![path.clone()],
        Element::Place(_) => Vec::new(),
        Element::Chain { stores, .. } => stores.iter().flat_map(|store| of_folder(store)).collect(),
    };
    let is_pdb = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
        !name.is_some_and(|name| is_isf(&name))
    };
    found.into_iter().filter(is_pdb).collect()
}

/// The file's bytes if it is of this identity. One of another build is no error: a folder of a driver team holds many.
fn exact(path: &Path, id: PdbId) -> Result<Option<Vec<u8>>> {
    let named = |e: Error| Error::new(format!("{}: {e}", path.display()));
    let bytes = pdb::load(path)?;
    let bytes = if expand::is_cabinet(&bytes) { expand::one_file(&bytes).map_err(named)? } else { bytes };
    let same = pdb::identify(&bytes).map_err(named)? == id;
    Ok(same.then_some(bytes))
}

/// Asks the servers; the file is then in the first store.
fn downloaded(element: &Element, name: &str, id: PdbId, options: &Options) -> Result<Option<PdbFile>> {
    let Element::Chain { stores, servers } = element else { return Ok(None) };
    let Some(store) = stores.first() else { return Ok(None) };
    for server in servers {
        if download::fetch(server, store, name, id, &options.limits)?.is_none() {
            continue;
        }
        for path in folder::candidates(store, name, id) {
            if let Some(bytes) = exact(&path, id)? {
                // Not the URL: what is said of the file is the same for all who find it here later.
                return Ok(Some(PdbFile { bytes, origin: path.display().to_string() }));
            }
        }
    }
    Ok(None)
}
