//! Image files of modules, as many as a Windows may have: the list of modules is the dump's, and may lie.

use nt::{System, owner::Owner};
use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    sync::Arc,
};

/// Files that are looked for; a Windows has some hundred modules.
const MOST_FILES: u32 = 1 << 14;
/// Bytes of files that are read; those of all modules together are a few hundred MiB.
const MOST_BYTES: u64 = 4 << 30;
/// Bytes of a file name.
const LONGEST_NAME: usize = 1024;

/// Files that are at hand, and what there is none of.
pub struct Files<'a> {
    system: &'a System<'a>,
    room: Room,
}

/// What may still be looked for.
struct Room {
    refused: RefCell<HashSet<(String, u32, u32)>>,
    files: Cell<u32>,
    bytes: Cell<u64>,
}

impl<'a> Files<'a> {
    pub fn new(system: &'a System<'a>) -> Files<'a> {
        Files { system, room: Room::new(MOST_FILES, MOST_BYTES) }
    }

    /// The image file of a module, if the user keeps it. Not from a server, nor from the store of one: all are asked for.
    pub fn of(&self, owner: &Owner) -> Option<Arc<Vec<u8>>> {
        let names = self.system.names?;
        let by_headers = self.system.module_headers(owner.base).and_then(|(_, facts)| facts.timestamp);
        let (timestamp, size) = (by_headers.or(owner.timestamp)?, u32::try_from(owner.size).ok()?);
        let look = || names.image_at_hand(&owner.name, timestamp, size);
        self.room.find(&owner.name, timestamp, size, look).map(Arc::new)
    }

    /// Whether more was asked for than is looked for.
    pub fn is_full(&self) -> bool {
        self.room.files.get() == 0 || self.room.bytes.get() == 0
    }
}

impl Room {
    fn new(files: u32, bytes: u64) -> Room {
        Room { refused: RefCell::default(), files: Cell::new(files), bytes: Cell::new(bytes) }
    }

    /// What `look` finds, which is not asked twice for what it has not.
    fn find(
        &self,
        name: &str,
        timestamp: u32,
        size: u32,
        look: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        let key = (name.to_string(), timestamp, size);
        if self.files.get() == 0 || self.bytes.get() == 0 || self.refused.borrow().contains(&key) {
            return None;
        }
        self.files.set(self.files.get() - 1);
        let found = look();
        match &found {
            Some(bytes) => self.bytes.set(self.bytes.get().saturating_sub(bytes.len() as u64)),
            None => drop(self.refused.borrow_mut().insert(key)),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_looked_for_without_end() {
        let asked = Cell::new(0);
        let look = |found: Option<usize>| {
            asked.set(asked.get() + 1);
            found.map(|len| vec![0; len])
        };
        // What is refused once is, for the same build, refused for good.
        let room = Room::new(4, 100);
        for _ in 0..9 {
            assert!(room.find("a.sys", 1, 2, || look(None)).is_none());
        }
        assert_eq!(asked.get(), 1);
        // Others are looked for until there were too many, or too much was read.
        for timestamp in 2..9 {
            room.find("a.sys", timestamp, 2, || look(None));
        }
        assert_eq!(asked.replace(0), 4);
        let room = Room::new(9, 100);
        for _ in 0..9 {
            room.find("a.sys", 1, 2, || look(Some(40)));
        }
        assert_eq!(asked.get(), 3);
        assert!(room.find(&"a".repeat(LONGEST_NAME + 1), 1, 2, || look(Some(1))).is_none());
    }
}
