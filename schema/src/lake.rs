//! A lake: `LAKE/<table>/dump_id=<id>/part-0.parquet`, a folder for each table, a partition for each
//! dump.

use crate::{
    compact::{self, Compacted, Pairs},
    disk,
    error::{Error, Result},
    publish, shape,
    staged::Staged,
};
use parquet::file::{
    metadata::KeyValue,
    reader::{FileReader, SerializedFileReader},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A folder of tables.
#[derive(Debug)]
pub struct Lake {
    pub(crate) root: PathBuf,
    /// Folders that opening it had to make, the deepest first.
    pub(crate) made: Vec<PathBuf>,
    /// The merged dumps as they were when somebody last asked.
    compacted: Mutex<Arc<Compacted>>,
}

/// What decides whether a dump has to be converted again. Stored in every file's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// BLAKE3 of the content, hexadecimal.
    pub content_hash: String,
    /// Version of the converter.
    pub tool_version: String,
    /// The options that change the rows.
    pub options: String,
    /// Bytes of the file.
    pub file_size: u64,
}

/// Name of the size in the metadata.
const SIZE: &str = "dumplake.file_size";
/// Name of the number of rows of each table, in the metadata of `dumps`: `contexts=2 crashes=0 ...`.
pub(crate) const ROWS: &str = "dumplake.rows";

impl Identity {
    pub(crate) fn pairs(&self) -> [(&'static str, String); 4] {
        [
            ("dumplake.content_hash", self.content_hash.clone()),
            ("dumplake.tool_version", self.tool_version.clone()),
            ("dumplake.options", self.options.clone()),
            (SIZE, self.file_size.to_string()),
        ]
    }
}

impl Lake {
    /// Opens the lake at `root` for writing, creating it when there is nothing. A folder that holds
    /// other things is refused. What an interrupted conversion left is completed or removed.
    pub fn create_or_open(root: &Path) -> Result<Lake> {
        if root.exists() {
            let mut entries = fs::read_dir(root).map_err(|error| Error::new("open", root, error))?;
            // Asked in this order: what another process makes in between is a lake from its first entry on.
            if entries.next().is_some() && !is_lake(root) {
                return Err(Error::new("use", root, "it is a folder with other things in it, not a lake"));
            }
        }
        let staging = publish::staging(root);
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let made = staging.ancestors().take_while(is_new).map(Path::to_path_buf).collect();
        disk::create_folders(&staging).map_err(|error| Error::new("create", root, error))?;
        publish::recover(root)?;
        let merged = Compacted::read(root)?; // nobody would know which rows count
        shape::note(root, || merged.ids().next().is_none() && dump_ids(root).is_empty())?;
        Ok(Lake::at(root, made))
    }

    /// Removes the folders that [`Lake::create_or_open`] made where nothing at all came into them: a mistyped
    /// command must not leave an empty lake behind. True if the lake is gone.
    pub fn discard(self) -> bool {
        if !self.made.contains(&self.root) || !publish::remove_publication_lock(&self.root) {
            return false;
        }
        let _ = shape::forget(&self.root);
        // `remove_dir` refuses a folder that somebody put something into meanwhile.
        let removed = self.made.iter().take_while(|folder| fs::remove_dir(folder).is_ok()).count();
        self.made.iter().take(removed).any(|folder| *folder == self.root)
    }

    /// Opens a lake that must exist. Nothing is written unless an interrupted publication has to be
    /// completed.
    pub fn open(root: &Path) -> Result<Lake> {
        if !is_lake(root) {
            let hint = "it is not a lake; `dumplake convert DUMP -o LAKE` makes one";
            return Err(Error::new("open", root, hint));
        }
        if publish::is_pending(root) {
            publish::recover(root)?;
        }
        Compacted::read(root)?;
        Ok(Lake::at(root, Vec::new()))
    }

    pub(crate) fn at(root: &Path, made: Vec<PathBuf>) -> Lake {
        Lake { root: root.to_path_buf(), made, compacted: Mutex::default() }
    }

    /// The merged dumps as of now. Their lists are read only when the state has changed.
    pub(crate) fn compacted(&self) -> Arc<Compacted> {
        let mut known = self.compacted.lock().unwrap_or_else(PoisonError::into_inner);
        let same = compact::read_text(&self.root).is_ok_and(|text| known.is_of(&text));
        if !same && let Ok(read) = Compacted::read(&self.root) {
            *known = Arc::new(read);
        }
        known.clone()
    }

    /// The lake's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Holds the lock under which dumps are published and removed, as long as the value lives. `None` where nobody can
    /// publish: a lake that was copied, or one that cannot be written.
    pub fn hold(root: &Path) -> Option<File> {
        publish::staging(root).is_dir().then(|| publish::lock_publication(root).ok()).flatten()
    }

    /// Begins to write the tables of one dump.
    pub fn begin(&self, dump_id: &str, identity: &Identity) -> Result<Staged<'_>> {
        check_id(dump_id)?;
        Staged::new(self, Some((dump_id.into(), identity.clone())))
    }

    /// The same for a dump whose id its content gives while it is converted; [`Staged::name`] says it.
    pub fn begin_unnamed(&self) -> Result<Staged<'_>> {
        Staged::new(self, None)
    }

    /// Sizes of the files that the dumps in the lake were made of; a dump of which that is not known is left out
    /// and makes the value incomplete (`false`).
    pub fn file_sizes(&self) -> (BTreeSet<u64>, bool) {
        let sizes: Vec<Option<u64>> =
            self.dump_ids().iter().map(|id| self.stored(id, SIZE)?.parse().ok()).collect();
        (sizes.iter().flatten().copied().collect(), sizes.iter().all(Option::is_some))
    }

    /// A value of the metadata of a dump.
    pub(crate) fn stored(&self, dump_id: &str, key: &str) -> Option<String> {
        self.metadata(dump_id)?.remove(key)
    }

    /// The metadata of a dump; `None` if it is not in the lake, or in a file that cannot be read.
    fn metadata(&self, dump_id: &str) -> Option<Pairs> {
        if let Some(pairs) = self.compacted().pairs(dump_id) {
            return Some(pairs.clone());
        }
        let pairs = self.partition_metadata(dump_id)?.into_iter();
        Some(pairs.filter_map(|pair| Some((pair.key, pair.value?))).collect())
    }

    /// The metadata in a dump's own file.
    pub(crate) fn partition_metadata(&self, dump_id: &str) -> Option<Vec<KeyValue>> {
        let path = self.root.join("dumps").join(format!("dump_id={dump_id}")).join(publish::PART);
        let reader = SerializedFileReader::new(File::open(&path).ok()?).ok()?;
        Some(reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default())
    }

    /// Rows of each table that a dump was converted with, as its conversion counted them. A table without rows has no
    /// file. `None` if the dump is not in the lake, its row of `dumps` cannot be read, or an older version wrote it.
    pub fn rows_of(&self, dump_id: &str) -> Option<BTreeMap<String, u64>> {
        rows_in(&self.metadata(dump_id)?)
    }

    /// True when the lake has this dump, converted with this identity.
    pub fn has(&self, dump_id: &str, identity: &Identity) -> Result<bool> {
        check_id(dump_id)?;
        // A file that cannot be read is as good as none: the dump is converted again.
        let Some(stored) = self.metadata(dump_id) else { return Ok(false) };
        let same = |key: &str, value: &str| stored.get(key).is_some_and(|stored| stored == value);
        Ok(identity.pairs().iter().all(|(key, value)| same(key, value)))
    }

    /// How many dumps have files of their own: those that no compaction has merged.
    pub fn scattered(&self) -> usize {
        let compacted = self.compacted();
        dump_ids(&self.root).iter().filter(|id| !compacted.has(id)).count()
    }

    /// Ids of the dumps in the lake, sorted.
    pub fn dump_ids(&self) -> Vec<String> {
        let mut ids: BTreeSet<String> = dump_ids(&self.root).into_iter().collect();
        ids.extend(self.compacted().ids().map(str::to_string));
        ids.into_iter().collect()
    }
}

/// Rows of each table as the metadata of `dumps` says them.
pub(crate) fn rows_in(pairs: &Pairs) -> Option<BTreeMap<String, u64>> {
    let pair =
        |text: &str| Some((text.split_once('=')?.0.to_string(), text.split_once('=')?.1.parse().ok()?));
    pairs.get(ROWS)?.split(' ').map(pair).collect()
}

fn dump_ids(root: &Path) -> Vec<String> {
    let folder = fs::read_dir(root.join("dumps")).into_iter().flatten().flatten();
    let names = folder.filter_map(|entry| entry.file_name().into_string().ok());
    let ids = names.filter_map(|name| name.strip_prefix("dump_id=").map(str::to_string));
    let mut ids: Vec<String> = ids.filter(|id| check_id(id).is_ok()).collect();
    ids.sort();
    ids
}

fn is_lake(root: &Path) -> bool {
    publish::staging(root).is_dir()
        || root.join("lake.duckdb").is_file()
        || root.join("compacted/state").is_file()
        || !dump_ids(root).is_empty()
}

/// An id becomes a folder name: nothing but the one form that we make is let through.
///
/// # Errors
/// It is not `d` and 16 hexadecimal digits.
pub fn check_id(dump_id: &str) -> Result<()> {
    let digits = dump_id.strip_prefix('d').unwrap_or_default();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match digits.len() == 16 && digits.bytes().all(hex) {
        true => Ok(()),
        false => Err(Error::plain(format!("{dump_id:?} is no dump id (`d` and 16 hexadecimal digits)"))),
    }
}
