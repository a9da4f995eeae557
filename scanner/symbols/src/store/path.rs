//! Symbol paths as debuggers write them.
//!
//! Source: Microsoft's public "Symbol path for Windows debuggers" and "Advanced SymSrv use". Elements are separated by
//! `;`: a folder, `srv*STORE*...*SERVER` (also `symsrv*symsrv.dll*...`), where each store on the way keeps what comes
//! from its right, and `cache*STORE` for all that follows. An empty store is the default one, an empty chain
//! Microsoft's server.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

const MICROSOFT: &str = "https://msdl.microsoft.com/download/symbols";

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// A folder or a file.
    Place(PathBuf),
    /// Folders in the layout of a symbol server, the leftmost of which keeps downloads, and servers to ask.
    Chain { stores: Vec<PathBuf>, servers: Vec<String> },
}

/// Where to look for symbol files, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SymbolPath {
    pub(super) elements: Vec<Element>,
}

impl SymbolPath {
    /// From a value of `--symbols`: a file or folder that exists, a URL, or a symbol path. The default store is the
    /// folder that keeps downloads where the text names none.
    pub fn from_option(text: &str, default_store: Option<&Path>) -> Result<SymbolPath> {
        if Path::new(text).exists() {
            return Ok(SymbolPath { elements: vec![Element::Place(text.into())] });
        }
        let path = SymbolPath::parse(text, default_store)?;
        match path.elements.as_slice() {
            [Element::Place(place)] if !place.exists() => {
                Err(Error::new(format!("{}: no such file or folder", place.display())))
            }
            _ => Ok(path),
        }
    }

    /// From the text of `_NT_SYMBOL_PATH`. Folders need not exist.
    pub fn parse(text: &str, default_store: Option<&Path>) -> Result<SymbolPath> {
        let mut cache: Option<PathBuf> = None;
        let mut elements = Vec::new();
        for element in text.split(';').map(str::trim).filter(|element| !element.is_empty()) {
            let mut words = element.split('*').map(str::trim);
            let first = words.next().unwrap_or_default();
            let rest: Vec<&str> = words.collect();
            match first.to_ascii_lowercase().as_str() {
                "cache" => {
                    let store = store(rest.first().copied().unwrap_or_default(), default_store)?;
                    elements.push(Element::Chain { stores: vec![store.clone()], servers: Vec::new() });
                    cache = Some(store);
                }
                "srv" => elements.push(chain(&rest, cache.as_deref(), default_store)?),
                "symsrv" => {
                    elements.push(chain(rest.get(1..).unwrap_or_default(), cache.as_deref(), default_store)?)
                }
                _ if is_url(first) => elements.push(chain(&[first], cache.as_deref(), default_store)?),
                _ => elements.push(Element::Place(element.into())),
            }
        }
        Ok(SymbolPath { elements })
    }

    /// Adds another path behind this one.
    pub fn append(&mut self, other: SymbolPath) {
        self.elements.extend(other.elements);
    }

    /// True if there is nowhere to look.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The files that it names by themselves.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.elements.iter().filter_map(|element| match element {
            Element::Place(path) if path.is_file() => Some(path.as_path()),
            _ => None,
        })
    }

    /// The servers that a search with `download` would ask.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        self.elements
            .iter()
            .flat_map(|element| match element {
                Element::Chain { servers, .. } => servers.as_slice(),
                Element::Place(_) => &[],
            })
            .map(String::as_str)
    }
}

fn chain(words: &[&str], cache: Option<&Path>, default_store: Option<&Path>) -> Result<Element> {
    let mut stores: Vec<PathBuf> = cache.into_iter().map(Path::to_path_buf).collect();
    let mut servers = Vec::new();
    for &word in words {
        match word {
            url if is_url(url) => servers.push(url.trim_end_matches('/').to_string()),
            // `srv*` alone: everything by default. A trailing `*` behind a server says nothing.
            "" if !servers.is_empty() => {}
            word => stores.push(store(word, default_store)?),
        }
    }
    if words.iter().all(|word| word.is_empty()) {
        servers.push(MICROSOFT.into());
    }
    if stores.is_empty() && !servers.is_empty() {
        stores.push(store("", default_store)?);
    }
    Ok(Element::Chain { stores, servers })
}

fn store(word: &str, default_store: Option<&Path>) -> Result<PathBuf> {
    match word {
        "" => default_store.map(Path::to_path_buf).ok_or_else(|| {
            Error::new("the symbol path names no folder to keep downloads in: write srv*FOLDER*SERVER")
        }),
        word => Ok(word.into()),
    }
}

fn is_url(word: &str) -> bool {
    let scheme = word.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(stores: &[&str], servers: &[&str]) -> Element {
        let stores = stores.iter().map(PathBuf::from).collect();
        Element::Chain { stores, servers: servers.iter().map(|server| server.to_string()).collect() }
    }

    #[test]
    fn elements() {
        let check = |text: &str, expected: &[Element]| {
            let path = SymbolPath::parse(text, Some(Path::new("default"))).unwrap();
            assert_eq!(path.elements, expected, "{text}");
        };
        let place = |path: &str| Element::Place(path.into());
        check("", &[]);
        check(" ; ;", &[]);
        check("/a b;C:\\sym", &[place("/a b"), place("C:\\sym")]);
        check("srv*c*https://s/x/", &[chain(&["c"], &["https://s/x"])]);
        check("SRV*c*d*HTTP://s", &[chain(&["c", "d"], &["HTTP://s"])]);
        check("srv**https://s", &[chain(&["default"], &["https://s"])]);
        check("srv*https://s", &[chain(&["default"], &["https://s"])]);
        check("srv*", &[chain(&["default"], &[MICROSOFT])]);
        check("srv", &[chain(&["default"], &[MICROSOFT])]);
        check("srv*\\\\host\\store", &[chain(&["\\\\host\\store"], &[])]);
        check("symsrv*symsrv.dll*c*https://s", &[chain(&["c"], &["https://s"])]);
        check("https://s", &[chain(&["default"], &["https://s"])]);
        check("ftp://s", &[place("ftp://s")]);
        let cached = [place("x"), chain(&["k"], &[]), chain(&["k"], &["https://s"]), place("y")];
        check("x;cache*k;srv*https://s;y", &cached);
        check("cache*", &[chain(&["default"], &[])]);
    }

    #[test]
    fn without_a_folder_to_keep_downloads_in() {
        let error = SymbolPath::parse("srv*https://s", None).unwrap_err().to_string();
        assert!(error.contains("srv*FOLDER*SERVER"), "{error}");
        assert!(
            SymbolPath::from_option("/no/such/folder", None).unwrap_err().to_string().contains("no such")
        );
    }
}
