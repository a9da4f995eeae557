//! System Informer's `kphdyn.xml` (MIT): which kernel image has which link time and size.
//!
//! A line a image: `<data arch="amd64" version="10.0.19041.804" file="ntoskrnl.exe" ... timestamp="0x.." size="0x..">`.

use super::four;
use crate::{Error, Result, pack::ImageVersion, xz};
use std::{fs::File, io::Read, path::Path};

/// The list has two megabytes.
const MOST: u64 = 64 << 20;

/// Reads the list, expanding `.xz`.
pub fn read(path: &Path) -> Result<Vec<ImageVersion>> {
    let broken = |why: std::io::Error| Error::new(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(broken)?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "xz") {
        xz::expand(file, MOST).read_to_string(&mut text).map_err(broken)?;
    } else {
        file.take(MOST).read_to_string(&mut text).map_err(broken)?;
    }
    Ok(text.lines().filter_map(image).collect())
}

fn image(line: &str) -> Option<ImageVersion> {
    let attribute = |name: &str| {
        let start = line.find(&format!(" {name}=\""))? + name.len() + 3;
        line[start..].split('"').next()
    };
    let number = |name: &str| u32::from_str_radix(attribute(name)?.trim_start_matches("0x"), 16).ok();
    let architecture = match attribute("arch")? {
        "amd64" => "x64",
        "arm64" => "ARM64",
        _ => return None,
    };
    let file = attribute("file").filter(|file| file.starts_with("nt"))?;
    let version = attribute("version").and_then(four)?;
    let (timestamp, size) = (number("timestamp")?, number("size")?);
    Some(ImageVersion { architecture: architecture.into(), file: file.into(), version, timestamp, size })
}
