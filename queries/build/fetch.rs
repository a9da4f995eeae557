//! Where the library is fetched from. A source fills an empty folder with the platform's files, or says in one line
//! why it cannot; whether the bytes are the right ones is judged in `cache.rs`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::platform::{self, Platform};

/// A way to fill a folder with a platform's files.
pub type Source = fn(&Platform, &Path) -> Result<(), String>;

/// Every source with its name, in the order in which they are tried.
pub const SOURCES: &[(&str, Source)] = &[("npm", npm), ("GitHub", github)];

/// The npm package with the library for Node.js. The client finds the registry itself (the user may have a mirror)
/// and checks the integrity of what it got.
fn npm(platform: &Platform, folder: &Path) -> Result<(), String> {
    if !platform.npm {
        return Err("its package for this platform lacks the import library".to_owned());
    }
    let package = format!("@duckdb/node-bindings-{}@{}", platform.key, platform::NPM_VERSION);
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    // One short retry: without a network this has to fail in seconds.
    let options = [
        "--loglevel=error",
        "--prefer-offline",
        "--fetch-retries=1",
        "--fetch-retry-mintimeout=1000",
        "--fetch-timeout=60000",
    ];
    run(Command::new(program).arg("pack").args(options).arg(&package).current_dir(folder))?;
    let archive = with_extension(folder, "tgz").ok_or("npm pack left no archive")?;
    unpack_tgz(&archive, platform, folder)?;
    fs::remove_file(&archive).map_err(|e| e.to_string())
}

/// The archive of DuckDB's own release.
fn github(platform: &Platform, folder: &Path) -> Result<(), String> {
    let url = format!(
        "https://github.com/duckdb/duckdb/releases/download/v{}/{}",
        platform::VERSION,
        platform.github_archive
    );
    let archive = folder.join(platform.github_archive);
    let options =
        ["--fail", "--silent", "--show-error", "--location", "--connect-timeout", "10", "--retry", "1"];
    run(Command::new("curl").args(options).arg("--output").arg(&archive).arg(&url))?;
    unpack_zip(&archive, platform, folder)?;
    fs::remove_file(&archive).map_err(|e| e.to_string())
}

/// Runs a program quietly; the error is what it wrote first to its error output, on one line.
fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| {
        if e.kind() == io::ErrorKind::NotFound { format!("no {program} here") } else { e.to_string() }
    })?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines = errors.lines().map(|line| line.trim_start_matches("npm error ").trim());
    let reason: Vec<&str> = lines.filter(|line| !line.is_empty()).take(2).collect();
    Err(format!("{program} failed: {}", reason.join(", ")))
}

fn with_extension(folder: &Path, extension: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == extension))
}

/// Takes the platform's files out of an archive by their bare names, whatever folder they are in there.
fn unpack_tgz(archive: &Path, platform: &Platform, folder: &Path) -> Result<(), String> {
    let file = File::open(archive).map_err(|e| e.to_string())?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().map_err(|e| e.to_string())? {
        let mut entry = entry.map_err(|e| e.to_string())?;
        let path = entry.path().map_err(|e| e.to_string())?.into_owned();
        if let Some(name) = platform.files().find(|name| path.file_name().is_some_and(|found| found == *name))
        {
            save(&mut entry, &folder.join(name))?;
        }
    }
    Ok(())
}

fn unpack_zip(archive: &Path, platform: &Platform, folder: &Path) -> Result<(), String> {
    let file = File::open(archive).map_err(|e| e.to_string())?;
    let mut zip = zip::ZipArchive::new(file).map_err(|e| e.to_string())?;
    for name in platform.files() {
        let mut entry = zip.by_name(name).map_err(|e| format!("{name}: {e}"))?;
        save(&mut entry, &folder.join(name))?;
    }
    Ok(())
}

fn save(from: &mut impl io::Read, to: &Path) -> Result<(), String> {
    let mut file = File::create(to).map_err(|e| format!("{}: {e}", to.display()))?;
    io::copy(from, &mut file).map(drop).map_err(|e| format!("{}: {e}", to.display()))
}
