//! Removing what nobody needs any more after a compaction: partitions of merged dumps, merged files of generations
//! that were merged again.

use super::{
    FOLDER,
    state::{Compacted, is_name},
};
use crate::{
    disk,
    error::{Error, Result},
    lake::{Lake, check_id},
    publish,
};
use std::{collections::BTreeSet, fs, path::Path};

/// Dumps whose partitions are removed under one lock; a conversion waits that long to publish.
const AT_ONCE: usize = 50;

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Dumps whose small files went.
    pub dumps: u64,
    /// Merged files' folders that went.
    pub generations: u64,
}

impl Lake {
    /// Removes the small files of merged dumps, and generations that count no more. Nobody may still read the lake
    /// through views that were written before the compaction.
    ///
    /// # Errors
    /// A compaction is at work, or the file system refuses.
    pub fn prune(&self) -> Result<Pruned> {
        let root = self.root();
        if !root.join(FOLDER).is_dir() {
            return Ok(Pruned::default());
        }
        let _alone = self.alone()?;
        let mut pruned = Pruned::default();
        let leftovers = leftovers(root);
        for some in leftovers.chunks(AT_ONCE) {
            let _publication = publish::lock_publication(root)?;
            // What a killed conversion left half done is told first: its partitions are no leftovers.
            publish::publish_pending(root, |_| true)?;
            let state = Compacted::read(root)?;
            // One that was converted again meanwhile is no leftover.
            for id in some.iter().filter(|id| state.has(id)) {
                publish::retire_all(root, id).map_err(|error| Error::new("remove", &root.join(id), error))?;
                pruned.dumps += 1;
            }
        }
        pruned.generations = self.remove_generations()?;
        Ok(pruned)
    }

    fn remove_generations(&self) -> Result<u64> {
        let _publication = publish::lock_publication(self.root())?;
        let state = Compacted::read(self.root())?;
        let mut removed = 0;
        for entry in fs::read_dir(self.root().join(FOLDER)).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let counts = state.generations.iter().any(|one| one.name == name);
            if is_name(&name) && !counts && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let gone = disk::remove_folder(&entry.path());
                gone.map_err(|error| Error::new("remove", &entry.path(), error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Dumps that have a partition in some table, sorted.
fn leftovers(root: &Path) -> Vec<String> {
    let mut found = BTreeSet::new();
    for table in fs::read_dir(root).into_iter().flatten().flatten() {
        let names = fs::read_dir(table.path()).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let ids = names.filter_map(|name| name.strip_prefix("dump_id=").map(str::to_string));
        found.extend(ids.filter(|id| check_id(id).is_ok()));
    }
    let state = Compacted::read(root).unwrap_or_default();
    found.into_iter().filter(|id| state.has(id)).collect()
}
