//! Real x64 images: those of `../shared`, and any that `DUMPLAKE_IMAGES` (folders, separated by `:`) adds.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Bytes of every x64 image with an exception table, by name.
pub fn images() -> Vec<(String, Vec<u8>)> {
    let mut folders =
        vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/symbols/msseh-fixtures/x64")];
    if let Some(more) = std::env::var_os("DUMPLAKE_IMAGES") {
        folders.extend(std::env::split_paths(&more));
    }
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| collect(folder, &mut paths));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let pe = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes(b.try_into().unwrap()));
        let x64 =
            pe(0x3c).and_then(|at| pe(at as usize + 4)).is_some_and(|machine| machine & 0xffff == 0x8664);
        if x64 && !found.iter().any(|(_, other)| *other == bytes) {
            found.push((path.file_name().unwrap().to_string_lossy().into_owned(), bytes));
        }
    }
    if found.is_empty() {
        eprintln!("skipped: no x64 images in {folders:?}");
    }
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if path.is_dir() {
            collect(&path, found);
        } else if ["exe", "dll", "sys", "pyd", "node"].contains(&extension) {
            found.push(path);
        }
    }
}
