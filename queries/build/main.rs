//! Gets the DuckDB library that `queries` is linked with.
//!
//! Compiling DuckDB's C++ takes about 30 minutes on two cores, so the default is its official prebuilt library.
//! The script looks, in this order, and takes the first that works:
//!
//! 1. feature `bundled`: nothing to do, DuckDB is compiled into the binary;
//! 2. `DUCKDB_LIB_DIR`: the user's own library, taken as it is;
//! 3. the cache, a folder of the user outside of `target` (see `cache.rs`): works offline;
//! 4. the npm package that carries the library for Node.js, fetched with the npm client;
//! 5. the archive of DuckDB's release on GitHub, fetched with curl.
//!
//! What 4 and 5 bring goes into the cache once its checksum is right. If nothing works, one line says what was tried
//! and what the ways out are.
//!
//! The crate `libduckdb-sys` only says "link with duckdb"; *where* it is comes from here: a link search path for
//! everything that links this crate, a run path (rpath) for the tests of this crate, and `lib_dir` for the build
//! script of the root package, which does the same for the `dumplake` binary and its tests.

#![forbid(unsafe_code)]

mod cache;
mod fetch;
mod platform;

use std::env;
use std::path::{Path, PathBuf};

use platform::Platform;

fn main() {
    println!("cargo::rerun-if-changed=build");
    for name in ["DUCKDB_LIB_DIR", "DUMPLAKE_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        return;
    }
    match library_dir() {
        Ok(dir) => announce(&dir),
        Err(message) => println!("cargo::error={message}"),
    }
}

/// Finds or fetches the library; the error is one line for the user.
fn library_dir() -> Result<PathBuf, String> {
    if let Some(dir) = env::var_os("DUCKDB_LIB_DIR").filter(|dir| !dir.is_empty()) {
        let dir = std::path::absolute(dir).map_err(|e| format!("DUCKDB_LIB_DIR: {e}"))?;
        if !dir.is_dir() {
            return Err(format!("DUCKDB_LIB_DIR: {} is no folder", dir.display()));
        }
        return Ok(dir);
    }
    let (os, arch, abi) = (
        cargo_cfg("CARGO_CFG_TARGET_OS"),
        cargo_cfg("CARGO_CFG_TARGET_ARCH"),
        cargo_cfg("CARGO_CFG_TARGET_ENV"),
    );
    let platform = platform::find(&os, &arch, &abi).ok_or_else(|| {
        format!("there is no prebuilt DuckDB for {os}/{arch} {abi}; ways out: {}", platform::WAYS_OUT)
    })?;
    let dir = cache::folder(platform)?;
    println!("cargo::rerun-if-changed={}", dir.join(platform.library).display());
    let found = match cache::verify(&dir, platform) {
        Ok(found) => found,
        Err(absent) => fetch_into(&dir, platform, absent)?,
    };
    if !found.pinned {
        println!(
            "cargo::warning=no checksum of DuckDB {} for {} is pinned in this source; {} ({}) is trusted as it came",
            platform::VERSION,
            platform.key,
            platform.library,
            found.sha256
        );
    }
    Ok(dir)
}

fn fetch_into(dir: &Path, platform: &Platform, absent: String) -> Result<cache::Verified, String> {
    let mut tried = vec![format!("cache: {absent}")];
    for (name, fetch) in fetch::SOURCES {
        let attempt = cache::install(dir, platform, |folder| fetch(platform, folder));
        match attempt {
            Ok(found) => return Ok(found),
            Err(reason) => tried.push(format!("{name}: {reason}")),
        }
    }
    Err(format!(
        "cannot get DuckDB {} ({}); ways out: install npm, {}",
        platform::VERSION,
        tried.join("; "),
        platform::WAYS_OUT
    ))
}

/// Tells cargo, and through it the linker and the root package, where the library is.
fn announce(dir: &Path) {
    let dir = dir.display();
    println!("cargo::rustc-link-search=native={dir}");
    println!("cargo::metadata=lib_dir={dir}");
    if cargo_cfg("CARGO_CFG_TARGET_OS") != "windows" {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }
}

fn cargo_cfg(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
