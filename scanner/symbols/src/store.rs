//! Finding the file for an image: a symbol path, searched for a PDB name and its GUID and age.
//!
//! A path is what debuggers use (`srv*cache*https://server;folder`), a folder, or a file. What is found is read and its
//! identity compared: an offset of another build is worse than none, so a near match is refused unless it is forced,
//! and then reported as forced. Nothing is downloaded unless the caller allows it.

mod bytes;
mod download;
mod expand;
mod folder;
mod images;
mod name;
mod path;
#[cfg(test)]
mod tests;

use crate::{Error, PdbId, Profile, Result, isf, pdb};
use path::Element;
use std::path::Path;

pub use bytes::PdbFile;
pub use download::Limits;
pub use images::{ImageId, at_hand as image_at_hand, download as download_image, find as image};
pub use name::check as check_name;
pub use path::SymbolPath;

/// What a search may do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Ask symbol servers for files that no folder has.
    pub download: bool,
    /// Take a file of another build when there is none of this one.
    pub force: bool,
    /// Bounds of a download.
    pub limits: Limits,
}

/// Which format a found file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A PDB.
    Pdb,
    /// A volatility3 ISF file.
    Isf,
}

/// A file that was found and read.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it states.
    pub profile: Profile,
    /// Its path, or the URL that it was downloaded from.
    pub origin: String,
    /// Its format.
    pub kind: FileKind,
    /// True if it is of another build and was taken because the caller forced it.
    pub forced: bool,
    /// What went wrong before it was found, one sentence each: a damaged file, a server that did not answer.
    pub problems: Vec<String>,
}

impl SymbolPath {
    /// Searches the path from left to right for the file of this PDB: all folders, then the servers.
    ///
    /// The name comes out of a dump: one that is not a plain file name is an error. None is found: `None`. What was
    /// found is of another build or cannot be read, and nothing better turned up: an error that says so.
    pub fn find(&self, name: &str, id: PdbId, options: &Options) -> Result<Option<Found>> {
        let name = name::check(name)?;
        let mut search = Search { name, id, near: None, problems: Vec::new() };
        let mut found = self.elements.iter().find_map(|element| search.local(element));
        if found.is_none() && options.download {
            found = self.elements.iter().find_map(|element| search.remote(element, &options.limits));
        }
        let near = search.near.take().filter(|_| options.force && found.is_none());
        match found.or_else(|| near.map(|near| search.forced(near))) {
            Some(found) => Ok(Some(Found { problems: search.problems, ..found })),
            _ if search.problems.is_empty() => Ok(None),
            _ => Err(Error::new(search.problems.join("; "))),
        }
    }
}

/// A search under way.
struct Search<'a> {
    name: &'a str,
    id: PdbId,
    /// The first file of another build, and the number of the problem that says so.
    near: Option<(Found, usize)>,
    problems: Vec<String>,
}

impl Search<'_> {
    fn local(&mut self, element: &Element) -> Option<Found> {
        match element {
            Element::Place(path) if path.is_dir() => self.folder(path),
            Element::Place(path) if !path.exists() => None, // as debuggers do: paths outlive their folders
            Element::Place(path) => self.file(path),
            Element::Chain { stores, .. } => stores.iter().find_map(|store| self.folder(store)),
        }
    }

    fn remote(&mut self, element: &Element, limits: &Limits) -> Option<Found> {
        let Element::Chain { stores, servers } = element else { return None };
        let store = stores.first()?;
        for server in servers {
            match download::fetch(server, store, self.name, self.id, limits) {
                Ok(None) => {}
                Ok(Some((profile, origin))) => {
                    let problems = Vec::new();
                    return Some(Found { profile, origin, kind: FileKind::Pdb, forced: false, problems });
                }
                Err(e) => self.problems.push(e.to_string()),
            }
        }
        None
    }

    /// A near match that is taken after all: what was noted of it was that it is refused.
    fn forced(&mut self, (found, number): (Found, usize)) -> Found {
        let taken = self.near_match(&found, "near match taken because it was forced");
        if let Some(problem) = self.problems.get_mut(number) {
            *problem = taken;
        }
        Found { forced: true, ..found }
    }

    fn near_match(&self, found: &Found, what: &str) -> String {
        let theirs = found.profile.id.map_or("no GUID".to_string(), |id| id.to_string());
        format!("{} is of {theirs}, but {} of {} is wanted: {what}", found.origin, self.name, self.id)
    }

    fn folder(&mut self, folder: &Path) -> Option<Found> {
        let candidates = folder::candidates(folder, self.name, self.id);
        candidates.iter().find_map(|path| self.file(path))
    }

    /// Reads a file and compares its identity. A problem is kept, for the case that nothing better turns up.
    fn file(&mut self, path: &Path) -> Option<Found> {
        match read(path) {
            Ok(found) if found.profile.id == Some(self.id) => return Some(found),
            Ok(found) => {
                self.problems.push(self.near_match(&found, "near match refused"));
                self.near.get_or_insert((found, self.problems.len() - 1));
            }
            Err(e) => self.problems.push(e.to_string()),
        }
        None
    }
}

/// Reads a symbol file of any kind: a PDB, one compressed as symbol servers do (`.pd_`), an ISF file.
pub fn read(path: &Path) -> Result<Found> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let kind = if is_isf(&name) { FileKind::Isf } else { FileKind::Pdb };
    let profile = match kind {
        FileKind::Isf => isf::read(path)?,
        FileKind::Pdb => {
            let named = |e: Error| Error::new(format!("{}: {e}", path.display()));
            let bytes = pdb::load(path)?;
            let bytes =
                if expand::is_cabinet(&bytes) { expand::one_file(&bytes).map_err(named)? } else { bytes };
            pdb::parse(&bytes).map_err(named)?
        }
    };
    Ok(Found { profile, origin: path.display().to_string(), kind, forced: false, problems: Vec::new() })
}

/// By its name in lower case.
fn is_isf(name: &str) -> bool {
    name.ends_with(".json") || name.ends_with(".json.xz")
}
