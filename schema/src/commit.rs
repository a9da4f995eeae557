//! The note in a committed staging folder: which dump it is of and which tables are in it.
//!
//! A lake may come from somebody else, and a note may be cut off by a power loss. So it counts only
//! when it is whole (its last line is [`END`]) and names nothing but an id and tables as we name them:
//! the names become paths of folders that are moved and removed.

use crate::{disk, lake::check_id};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const FILE: &str = "manifest";
/// The last line of a whole note.
const END: &str = "end";

/// What a staging folder holds.
pub struct Commit {
    pub dump_id: String,
    pub tables: Vec<String>,
}

impl Commit {
    /// Writes the note; [`disk::sync`] waits until it is on the disk.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let lines: Vec<&str> =
            [&self.dump_id].into_iter().chain(&self.tables).map(String::as_str).chain([END]).collect();
        let note = folder.join(FILE);
        disk::write(&note, format!("{}\n", lines.join("\n")).as_bytes())?;
        Ok(note)
    }

    /// The note of `folder`; `None` when there is none, or none that can be believed: nothing of such a
    /// folder has been published, or everything has.
    pub fn read(folder: &Path) -> io::Result<Option<Commit>> {
        match fs::read(folder.join(FILE)) {
            Ok(bytes) => Ok(String::from_utf8(bytes).ok().and_then(|text| Commit::parse(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the note away: the folder has nothing left to publish.
    pub fn remove(folder: &Path) -> io::Result<()> {
        disk::remove_file(&folder.join(FILE))
    }

    fn parse(text: &str) -> Option<Commit> {
        let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
        let [dump_id, tables @ .., END] = lines.as_slice() else { return None };
        let tables = tables.iter().map(|name| name.to_string()).collect();
        Some(Commit { dump_id: dump_id.to_string(), tables }).filter(Commit::is_sound)
    }

    /// True when its words name an id and tables, `dumps` among them: the table that says which dumps
    /// there are.
    pub fn is_sound(&self) -> bool {
        check_id(&self.dump_id).is_ok()
            && self.tables.iter().all(|name| is_table_name(name))
            && self.tables.iter().any(|name| name == "dumps")
    }
}

fn is_table_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
