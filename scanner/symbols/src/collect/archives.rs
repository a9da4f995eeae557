//! Archives of headers with offsets: C headers (`bindings-<version>-<arch>.h`), C# structures (`*.g.cs`), and the flat
//! list of ARM64 layouts. They have types and no symbols.

use super::{Collected, flat, four, headers, name_of, overlay, sharp};
use crate::{Error, Layouts, Profile, Result, Wanted, pack::Kernel, xz};
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// A header has a megabyte, a structure some kilobytes.
const MOST: u64 = 16 << 20;
/// An archive of all headers has 41 MB.
const MOST_EXPANDED: u64 = 512 << 20;
/// Archives hold some thousand files.
const MOST_FILES: usize = 10_000;

/// The build whose C# structures are known; its revision is not stated.
const SHARP_BUILD: u32 = 26100;
/// The flat list is of 19030, a preview of this build.
const FLAT_BUILD: u32 = 19041;

/// Reads all archives of the list. Some of them need the C headers of a neighbouring build.
pub fn read(files: &[PathBuf], wanted: &Wanted) -> Result<Collected> {
    let mut collected = Collected::default();
    let mut profiles: BTreeMap<(String, u32, u32), Profile> = BTreeMap::new();
    let mut structures: Vec<(String, String)> = Vec::new();
    for file in files.iter().filter(|file| name_of(file).ends_with(".tar.xz")) {
        for (name, text) in members(file)? {
            if let Some((architecture, build, revision)) = header_name(&name) {
                let pointer_size = if architecture == "x86" { 4 } else { 8 };
                let mut profile = headers::parse(&text, pointer_size);
                overlay::add(&mut profile, build);
                let kernel = kernel(&architecture, build, Some(revision), &source(file));
                collected.kernels.push((kernel, Layouts::of(&profile, wanted)));
                profiles.insert((architecture, build, revision), profile);
            } else if name.ends_with(".g.cs") {
                structures.push((source(file), text));
            }
        }
    }
    let latest = |most: u32| {
        let of =
            profiles.iter().filter(|((architecture, build, _), _)| architecture == "x64" && *build <= most);
        of.max_by_key(|(key, _)| (key.1, key.2)).map(|(_, profile)| profile)
    };
    if let (Some(like), Some((source, _))) = (latest(SHARP_BUILD), structures.first()) {
        let mut profile = Profile { pointer_size: 8, ..Profile::default() };
        for (_, text) in &structures {
            sharp::add(text, like, &mut profile);
        }
        overlay::add(&mut profile, SHARP_BUILD);
        let kernel = kernel("x64", SHARP_BUILD, None, source);
        collected.kernels.push((kernel, Layouts::of(&profile, wanted)));
    }
    for file in
        files.iter().filter(|file| name_of(file).starts_with("arm64_") && name_of(file).ends_with(".toml"))
    {
        let Some(like) = latest(FLAT_BUILD) else { continue };
        let text =
            std::fs::read_to_string(file).map_err(|e| Error::new(format!("{}: {e}", file.display())))?;
        let profile = flat::parse(&text, like);
        let kernel = kernel("ARM64", FLAT_BUILD, None, &source(file));
        collected.kernels.push((kernel, Layouts::of(&profile, wanted)));
    }
    Ok(collected)
}

fn kernel(architecture: &str, build: u32, revision: Option<u32>, source: &str) -> Kernel {
    let architecture = architecture.into();
    Kernel { architecture, build, revision, pdb_name: None, id: None, source: super::word(source) }
}

/// The folder of a collection is its name.
fn source(file: &Path) -> String {
    file.parent().map(name_of).unwrap_or_default()
}

/// `bindings-10.0.19041.1288-x64.h`: architecture, build, revision. Later releases that share a kernel carry the
/// file version of the first one: 19041 up to 19045, 22621 up to 22631.
fn header_name(name: &str) -> Option<(String, u32, u32)> {
    let stem = name.strip_prefix("bindings-")?.strip_suffix(".h")?;
    let (version, architecture) = stem.rsplit_once('-')?;
    let [_, _, build, revision] = four(version)?;
    let build = match build {
        19042..=19045 => 19041,
        22622..=22631 => 22621,
        build => build,
    };
    Some((architecture.into(), build, revision))
}

/// Names and texts of the files of an archive.
pub(super) fn members(path: &Path) -> Result<Vec<(String, String)>> {
    let broken = |why: std::io::Error| Error::new(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(broken)?;
    let mut archive = tar::Archive::new(xz::expand(file, MOST_EXPANDED));
    let mut found = Vec::new();
    for entry in archive.entries().map_err(broken)?.take(MOST_FILES) {
        let entry = entry.map_err(broken)?;
        let name = entry.path().map(|path| name_of(&path)).unwrap_or_default();
        if name.ends_with(".h") || name.ends_with(".g.cs") {
            let mut bytes = Vec::new();
            entry.take(MOST).read_to_end(&mut bytes).map_err(broken)?;
            found.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(found)
}
