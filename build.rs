//! Lets the `dumplake` binary and its tests find the DuckDB library at run time without environment variables.
//!
//! `queries/build` says where the library is (its `lib_dir`). Linux and macOS write that folder into the binary as a
//! run path, after the folder of the binary itself, so that a copy of the library beside a copied binary works too.
//! Windows has no run path and looks beside the binary, so the DLL is copied there.
//! With the feature `bundled` there is no library, hence no `lib_dir` and nothing to do.

#![forbid(unsafe_code)]

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let Some(lib_dir) = env::var_os("DEP_DUMPLAKE_DUCKDB_LIB_DIR").map(PathBuf::from) else { return };
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("windows") => copy_dll(&lib_dir),
        Ok("macos") => run_path("@loader_path", &lib_dir),
        _ => run_path("$ORIGIN", &lib_dir),
    }
}

fn run_path(beside_binary: &str, lib_dir: &Path) {
    println!("cargo::rustc-link-arg=-Wl,-rpath,{beside_binary}");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib_dir.display());
}

/// Copies the DLL to where cargo puts binaries and where it puts test binaries: `OUT_DIR` is
/// `<profile folder>/build/<package>/out`.
fn copy_dll(lib_dir: &Path) {
    let dll = lib_dir.join("duckdb.dll");
    println!("cargo::rerun-if-changed={}", dll.display());
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    let Some(profile) = out.ancestors().nth(3) else { return };
    for folder in [profile.to_owned(), profile.join("deps")] {
        if let Err(e) = std::fs::copy(&dll, folder.join("duckdb.dll")) {
            println!("cargo::warning=cannot copy {} to {}: {e}", dll.display(), folder.display());
        }
    }
}
