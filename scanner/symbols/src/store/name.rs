//! Which PDB names are harmless: they come out of a dump, and become part of paths and URLs.

use crate::{Error, Result};

/// Names that mean a device on Windows, whatever extension follows.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
const LONGEST: usize = 128;

/// The name, if it is a plain file name; an error that shows it escaped if it is anything else.
///
/// Third-party images often state a whole path of the machine they were built on; whoever has one decides which part
/// of it to ask for.
pub fn check(name: &str) -> Result<&str> {
    let refused = |why: &str| {
        let shown: String = name.chars().take(LONGEST).flat_map(char::escape_default).collect();
        Err(Error::new(format!("the PDB name \"{shown}\" {why}, so nothing is looked up")))
    };
    let odd = |c: char| !(c.is_ascii_graphic() || c == ' ') || "/\\:*?\"<>|".contains(c);
    if name.is_empty() || name.len() > LONGEST {
        return refused("is empty or too long");
    }
    if name.contains(odd) {
        return refused("is not a plain file name");
    }
    if name.starts_with(['.', ' ']) || name.ends_with(['.', ' ']) {
        return refused("begins or ends with a dot or space");
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let port = ["COM", "LPT"].iter().filter_map(|port| stem.strip_prefix(port));
    let port = port.into_iter().any(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()));
    if port || DEVICES.contains(&stem.as_str()) {
        return refused("is the name of a device");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn plain_names() {
        for name in ["ntkrnlmp.pdb", "my driver v1.2.pdb", "a", "COMMON.pdb", "console.pdb", "com10x.pdb"] {
            assert_eq!(check(name), Ok(name));
        }
    }

    #[test]
    fn tricks() {
        let long = "a".repeat(129);
        let tricks = [
            "",
            ".",
            "..",
            "../x.pdb",
            "..\\x.pdb",
            "/etc/passwd",
            "C:x.pdb",
            "\\\\host\\share\\x.pdb",
            "a/b.pdb",
            "x.pdb\0",
            "x\n.pdb",
            "\u{1b}[2J.pdb",
            "x.pdb:stream",
            "nul",
            "NUL.pdb",
            "com1.pdb",
            "LPT9",
            "aux .pdb",
            "CONOUT$.pdb",
            "x.pdb.",
            "x.pdb ",
            " x.pdb",
            ".hidden",
            "a*b",
            "a?b",
            "\u{202e}bdp.exe",
            "é.pdb",
            &long,
        ];
        for name in tricks {
            let error = check(name).unwrap_err().to_string();
            assert!(!error.contains(|c: char| c.is_control() || !c.is_ascii()), "{error:?}");
        }
    }
}
