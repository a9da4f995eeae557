//! Which dumps are in merged files: `LAKE/compacted/state`, replaced by one rename.
//!
//! ```text
//! generation 00f3c2a1b4d5e697     a folder with a file for each table, and `members`
//! gone d0123456789abcdef          a dump of it that was converted again or removed since
//! end
//! ```
//!
//! A dump that is a member of a generation and not gone from it is *merged*: its rows are those in the generation's
//! files, and a partition of it is a leftover that nobody has to read. Of any other dump the partition counts.

use super::FOLDER;
use crate::{
    disk,
    error::{Error, Result},
    lake::check_id,
    publish,
};
use arrow::array::{Array, AsArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

const STATE: &str = "state";
/// The last line of a whole state.
const END: &str = "end";
/// What the conversions of a generation's dumps said of them: dump, key, value.
pub const MEMBERS: &str = "members.parquet";

/// Merged files that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Name of its folder: 16 hexadecimal digits.
    pub name: String,
    /// Dumps that have rows in it which count no more.
    pub gone: BTreeSet<String>,
}

/// What the metadata of a dump's own files said.
pub type Pairs = BTreeMap<String, String>;

/// The merged dumps of a lake, at one moment.
#[derive(Debug, Default)]
pub struct Compacted {
    /// The text of the state.
    pub(super) text: Vec<u8>,
    /// Its generations, the oldest first.
    pub generations: Vec<Generation>,
    /// Merged dumps: the number of their generation, and what is known of them.
    pub(super) dumps: BTreeMap<String, (usize, Pairs)>,
    /// Generations whose list of members cannot be read: their dumps are not in the lake, for all that we know.
    pub(super) unknown: Vec<PathBuf>,
}

impl Compacted {
    /// The state of the lake at `root`.
    ///
    /// Errors: it cannot be read, or is none. Then nobody knows which rows count.
    pub fn read(root: &Path) -> Result<Compacted> {
        let text = read_text(root)?;
        let generations = parse(&text).ok_or_else(|| {
            Error::new("use", &path(root), "it is damaged, or of a newer version of dumplake")
        })?;
        let mut found = Compacted { text, generations, ..Compacted::default() };
        for (number, generation) in found.generations.iter().enumerate() {
            let file = generation.folder(root).join(MEMBERS);
            match members(&file) {
                Some(members) => {
                    let merged = members.into_iter().filter(|(id, _)| !generation.gone.contains(id));
                    found.dumps.extend(merged.map(|(id, pairs)| (id, (number, pairs))));
                }
                None => found.unknown.push(file),
            }
        }
        Ok(found)
    }

    /// True if it was read from a state with this text.
    pub(crate) fn is_of(&self, text: &[u8]) -> bool {
        self.text == text
    }

    /// True if the rows of this dump are in merged files.
    pub fn has(&self, dump_id: &str) -> bool {
        self.dumps.contains_key(dump_id)
    }

    /// Merged dumps, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.dumps.keys().map(String::as_str)
    }

    /// The generations whose members are known: of others nobody can say which rows count.
    pub fn known(&self) -> impl Iterator<Item = &Generation> {
        let is_known = |one: &&Generation| {
            !self.unknown.iter().any(|file| file.parent().is_some_and(|it| it.ends_with(&one.name)))
        };
        self.generations.iter().filter(is_known)
    }

    /// What is known of a merged dump.
    pub(crate) fn pairs(&self, dump_id: &str) -> Option<&Pairs> {
        self.dumps.get(dump_id).map(|(_, pairs)| pairs)
    }

    /// The generation of a merged dump.
    pub fn generation_of(&self, dump_id: &str) -> Option<&Generation> {
        self.generations.get(self.dumps.get(dump_id)?.0)
    }

    /// Writes the state that has these generations. With its rename the new state counts.
    pub(super) fn write(root: &Path, generations: &[Generation]) -> Result<()> {
        let mut text = String::new();
        for generation in generations {
            text += &format!("generation {}\n", generation.name);
            generation.gone.iter().for_each(|id| text += &format!("gone {id}\n"));
        }
        text += &format!("{END}\n");
        let (new, folder) = (publish::staging(root).join("compacted.new"), root.join(FOLDER));
        let _ = fs::remove_file(&new); // what a kill left; one at a time comes here
        let place = |new: &Path| {
            disk::write(new, text.as_bytes())?;
            disk::sync(root, &[new.to_path_buf()])?;
            disk::create_folders(&folder)?;
            disk::rename(new, &path(root))?;
            disk::sync_folder(&folder)
        };
        place(&new).map_err(|error| Error::new("write", &path(root), error))
    }
}

impl Generation {
    /// Its folder in the lake at `root`.
    pub fn folder(&self, root: &Path) -> PathBuf {
        root.join(FOLDER).join(&self.name)
    }

    /// Its file of a table; `None` if it has none.
    pub fn file(&self, root: &Path, table: &str) -> Option<PathBuf> {
        Some(self.folder(root).join(format!("{table}.parquet"))).filter(|file| file.is_file())
    }
}

/// Says that the merged rows of these dumps count no more, where they did. The publication lock is held.
pub fn bury(root: &Path, dumps: &[&str]) -> Result<()> {
    let mut state = Compacted::read(root)?;
    // A generation whose members cannot be read now may have the dump, and be readable again later.
    let known: BTreeSet<String> = state.known().map(|one| one.name.clone()).collect();
    let mut changed = false;
    for (number, generation) in state.generations.iter_mut().enumerate() {
        let has = |id: &str| state.dumps.get(id).is_some_and(|(of, _)| *of == number);
        for id in dumps.iter().filter(|id| !known.contains(&generation.name) || has(id)) {
            changed |= generation.gone.insert(id.to_string());
        }
    }
    if changed { Compacted::write(root, &state.generations) } else { Ok(()) }
}

fn path(root: &Path) -> PathBuf {
    root.join(FOLDER).join(STATE)
}

/// The text of the state, empty where there is none.
pub fn read_text(root: &Path) -> Result<Vec<u8>> {
    match fs::read(path(root)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| Error::new("read", &path(root), error)),
    }
}

/// The names become paths and SQL, so nothing but what we write ourselves is let through.
fn parse(text: &[u8]) -> Option<Vec<Generation>> {
    let mut found: Vec<Generation> = Vec::new();
    let Some(lines) = std::str::from_utf8(text).ok()?.strip_suffix('\n') else {
        return text.is_empty().then_some(found);
    };
    let body = lines.strip_suffix(END)?;
    for line in body.lines() {
        match line.split_once(' ')? {
            ("generation", name) if is_name(name) => {
                found.push(Generation { name: name.into(), gone: BTreeSet::new() });
            }
            ("gone", id) if check_id(id).is_ok() => drop(found.last_mut()?.gone.insert(id.into())),
            _ => return None,
        }
    }
    Some(found)
}

/// True for a name of a generation.
pub fn is_name(name: &str) -> bool {
    name.len() == 16 && check_id(&format!("d{name}")).is_ok()
}

fn members(file: &Path) -> Option<BTreeMap<String, Pairs>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file).ok()?).ok()?;
    let mut found: BTreeMap<String, Pairs> = BTreeMap::new();
    for batch in builder.build().ok()? {
        let batch = batch.ok()?;
        let [ids, keys, values] = [0, 1, 2].map(|at| batch.columns().get(at)?.as_string_opt::<i32>());
        let (ids, keys, values) = (ids?, keys?, values?);
        for row in 0..batch.num_rows() {
            if ids.is_null(row)
                || keys.is_null(row)
                || values.is_null(row)
                || check_id(ids.value(row)).is_err()
            {
                return None;
            }
            let pairs = found.entry(ids.value(row).into()).or_default();
            pairs.insert(keys.value(row).into(), values.value(row).into());
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_whole_or_none() {
        let good = "generation 0123456789abcdef\ngone d0123456789abcdef\ngeneration fedcba9876543210\nend\n";
        let parsed = parse(good.as_bytes()).unwrap();
        assert_eq!(parsed.iter().map(|one| one.gone.len()).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(parse(b"").unwrap(), []);
        assert_eq!(parse(b"end\n").unwrap(), []);
        for at in 1..good.len() {
            assert!(parse(&good.as_bytes()[..at]).is_none(), "{at}");
        }
        for bad in
            ["generation ../../../../etc\nend\n", "gone d0123456789abcdef\nend\n", "x y\nend\n", "\nend\n"]
        {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
