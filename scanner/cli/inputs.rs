//! From the paths of the command line to the list of dumps: folders are searched, patterns are
//! expanded, and each file comes once, in one order.

use crate::args::Convert;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use walkdir::WalkDir;

/// What the paths of a command line come to.
#[derive(Default)]
pub struct Inputs {
    /// Dumps to convert, sorted, each once.
    pub dumps: BTreeSet<PathBuf>,
    /// Archives to look into, sorted; each with whether it was named, and not a folder that it lies in. With them the
    /// files that are copied: nobody may map them, or can, to see what they are.
    pub archives: BTreeMap<PathBuf, bool>,
    /// Paths that gave nothing, with the reason.
    pub failed: Vec<(PathBuf, String)>,
    /// Files found in folders that are no dumps.
    pub ignored: u64,
}

/// Files with these extensions are called dumps by whoever made them: one in a folder that we do not
/// recognise is a failure to report, not a file to pass over.
const DUMP_EXTENSIONS: [&str; 7] = ["dmp", "mdmp", "hdmp", "kdmp", "vmem", "vmss", "vmsn"];

/// Expands `paths`. A file that is named is always an input; files in folders are inputs when their
/// content says so. `skip` is the lake, which may lie inside a folder that is converted.
pub fn collect(args: &Convert) -> Inputs {
    let (paths, skip) = (&args.paths, &args.output);
    let mut inputs = Inputs::default();
    let skip = skip.canonicalize().unwrap_or_else(|_| skip.to_path_buf());
    for path in paths {
        for path in expand(path, &mut inputs) {
            match path.is_dir() {
                true => search(&path, args, &skip, &mut inputs),
                false if is_archive(&path) || is_copied(args, &path) => {
                    inputs.archives.insert(pair(path), true);
                }
                false => add(path, &mut inputs),
            }
        }
    }
    inputs
}

/// A path that exists is taken as it is, whatever characters it has; otherwise it may be a pattern.
fn expand(path: &Path, inputs: &mut Inputs) -> Vec<PathBuf> {
    if path.symlink_metadata().is_ok() {
        return vec![path.to_path_buf()];
    }
    let pattern = path.to_string_lossy();
    if !pattern.contains(['*', '?', '[']) {
        inputs.failed.push((path.to_path_buf(), "no such file or folder".into()));
        return Vec::new();
    }
    let found: Vec<PathBuf> = glob::glob(&pattern).into_iter().flatten().flatten().collect();
    if found.is_empty() {
        inputs.failed.push((path.to_path_buf(), "no file matches this pattern".into()));
    }
    found
}

fn add(path: PathBuf, inputs: &mut Inputs) {
    inputs.dumps.insert(pair(path));
}

/// The state file of a VMware pair and its memory file are one dump.
fn pair(path: PathBuf) -> PathBuf {
    memory::companion_of(&path).unwrap_or(path)
}

fn search(folder: &Path, args: &Convert, skip: &Path, inputs: &mut Inputs) {
    let is_lake = |path: &Path| path.canonicalize().is_ok_and(|path| path == skip);
    let walk = WalkDir::new(folder).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| !(entry.file_type().is_dir() && is_lake(entry.path()))) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => consider(entry.into_path(), args, inputs),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_path_buf();
                inputs.failed.push((path, error.to_string()));
            }
        }
    }
}

fn consider(path: PathBuf, args: &Convert, inputs: &mut Inputs) {
    if is_archive(&path) || is_copied(args, &path) {
        inputs.archives.entry(pair(path)).or_insert(false);
    } else if args.how.format.is_some() || is_dump(&path, &path) {
        add(path, inputs);
    } else {
        inputs.ignored += 1;
    }
}

/// Whether a file that is no archive is copied, and its copy read: because that is wished, or because it cannot be mapped.
pub fn is_copied(args: &Convert, path: &Path) -> bool {
    args.copy || memory::Map::refused(path).is_some()
}

/// Whether a file is an archive.
pub fn is_archive(path: &Path) -> bool {
    matches!(archive::kind(path), Ok(Some(_)))
}

/// Whether a file claims to be a dump by its `name`, or is one by its content.
pub fn is_dump(name: &Path, path: &Path) -> bool {
    let extension = name.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    DUMP_EXTENSIONS.contains(&extension.as_str()) || matches!(memory::identify(path), Ok(Some(_)))
}
