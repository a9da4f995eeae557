//! Which prebuilt library belongs to which target, and how it is known to be the right one.

/// The DuckDB that the `duckdb` crate of the workspace (1.10506) has its bindings for.
pub const VERSION: &str = "1.5.6";

/// Release of the npm packages that carry this DuckDB.
pub const NPM_VERSION: &str = "1.5.6-r.1";

/// What a user can do when there is no prebuilt library to be had.
pub const WAYS_OUT: &str = "set DUCKDB_LIB_DIR to a folder with the DuckDB 1.5.6 library, \
                            or `cargo build --features bundled` (compiles DuckDB, about 30 minutes)";

/// A target that DuckDB publishes a library for.
pub struct Platform {
    /// `<os>-<arch>` as the npm packages spell it; names the cache folder.
    pub key: &'static str,
    /// The file that is loaded at run time.
    pub library: &'static str,
    /// The file that is needed to link, where that is another one (Windows: an import library).
    pub import_library: Option<&'static str>,
    /// Whether the npm package holds all that linking needs. Those for Windows lack the import library.
    pub npm: bool,
    /// Archive of the release on GitHub.
    pub github_archive: &'static str,
    /// SHA-256 of `library`, every accepted one. Empty: none is known here, see [`PLATFORMS`].
    pub sha256: &'static [&'static str],
}

/// Every target with a prebuilt library.
///
/// Only the sum for linux-x64 could be taken from a package that was there to be looked at. A platform without a sum
/// trusts its transport (npm checks the integrity field of its registry, curl checks TLS); the sum of what came is
/// written beside the library, every later build holds it against that, and a warning says all this. A platform with
/// sums takes nothing else, wherever it comes from. To pin another: add its sum here.
pub const PLATFORMS: &[Platform] = &[
    Platform {
        key: "linux-x64",
        library: "libduckdb.so",
        import_library: None,
        npm: true,
        github_archive: "libduckdb-linux-amd64.zip",
        // From npm 1.5.6-r.1. Whether the archive on GitHub holds the same bytes could not be seen; if it does not,
        // it is refused until its sum stands here.
        sha256: &["3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633"],
    },
    Platform {
        key: "linux-arm64",
        library: "libduckdb.so",
        import_library: None,
        npm: true,
        github_archive: "libduckdb-linux-arm64.zip",
        sha256: &[],
    },
    Platform {
        key: "darwin-x64",
        library: "libduckdb.dylib",
        import_library: None,
        npm: true,
        github_archive: "libduckdb-osx-universal.zip",
        sha256: &[],
    },
    Platform {
        key: "darwin-arm64",
        library: "libduckdb.dylib",
        import_library: None,
        npm: true,
        github_archive: "libduckdb-osx-universal.zip",
        sha256: &[],
    },
    Platform {
        key: "win32-x64",
        library: "duckdb.dll",
        import_library: Some("duckdb.lib"),
        npm: false,
        github_archive: "libduckdb-windows-amd64.zip",
        sha256: &[],
    },
    Platform {
        key: "win32-arm64",
        library: "duckdb.dll",
        import_library: Some("duckdb.lib"),
        npm: false,
        github_archive: "libduckdb-windows-arm64.zip",
        sha256: &[],
    },
];

impl Platform {
    /// The files that have to be in the folder.
    pub fn files(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.library), self.import_library].into_iter().flatten()
    }
}

/// The platform of a target, from cargo's `CARGO_CFG_TARGET_{OS,ARCH,ENV}`.
///
/// The Linux libraries are built against glibc and the Windows ones for MSVC, so other ABIs have none.
pub fn find(os: &str, arch: &str, abi: &str) -> Option<&'static Platform> {
    let os = match (os, abi) {
        ("linux", "gnu") => "linux",
        ("macos", _) => "darwin",
        ("windows", "msvc") => "win32",
        _ => return None,
    };
    let arch = match arch {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    let key = format!("{os}-{arch}");
    PLATFORMS.iter().find(|platform| platform.key == key)
}
