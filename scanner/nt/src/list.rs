//! Doubly linked lists, followed with a bound and a memory.

use crate::System;
use memory::{Space, Va};
use std::collections::HashSet;

/// No list of Windows is longer; one that is has been damaged.
pub const MOST_ENTRIES: usize = 1 << 20;

/// What an entry of a list takes at least: its links, and something that they link.
pub(crate) const ENTRY: u64 = 256;

/// A `LIST_ENTRY` ring: a head, and entries that are embedded in structures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Addresses of the `LIST_ENTRY` of each element, in order; those found backwards only come last.
    pub entries: Vec<Va>,
    /// How many of the entries following `Flink` found.
    pub forward: usize,
    /// True if the list came back to its head.
    pub closed: bool,
}

impl<'a> System<'a> {
    /// Follows a list forward. If it does not come back to its head, it is followed backward too, and `faults` says
    /// where it broke. `name` is how the list is called there.
    pub fn list(&self, space: Space<'a>, head: Va, name: &str) -> List {
        if let Err(fault) = space.pointer(head) {
            // A list that is not in the dump is not a broken one: a small dump lacks most of them.
            self.unreadable(name, "Flink", head, &fault);
            return List { entries: Vec::new(), forward: 0, closed: false };
        }
        if self.left(name, ENTRY) == 0 {
            return List { entries: Vec::new(), forward: 0, closed: false };
        }
        let mut seen = HashSet::from([head]);
        let mut entries = Vec::new();
        let broken = self.follow(space, head, 0, &mut seen, &mut entries);
        let forward = entries.len();
        self.spend(name, forward as u64);
        let Some(why) = broken else { return List { entries, forward, closed: true } };
        self.problem("broken_list", name, "Flink", Some(why.0), "a ring that ends at its head", &why.1);
        let mut back = Vec::new();
        let width = u64::from(self.pointer_size());
        let broken = self.follow(space, head, width, &mut seen, &mut back);
        self.spend(name, back.len() as u64);
        if let Some((at, why)) = broken {
            // Meeting what the forward walk found is how a backward walk ends well.
            if !entries.contains(&at) {
                self.problem("broken_list", name, "Blink", Some(at), "a ring that ends at its head", &why);
            }
        }
        entries.extend(back.into_iter().rev());
        List { entries, forward, closed: false }
    }

    /// Follows pointers at `offset` of each entry. `None` if it ended at the head, else where and why it did not.
    fn follow(
        &self,
        space: Space<'a>,
        head: Va,
        offset: u64,
        seen: &mut HashSet<Va>,
        entries: &mut Vec<Va>,
    ) -> Option<(Va, String)> {
        let mut at = head;
        loop {
            let link = match at.checked_add(offset) {
                Some(link) => space.pointer(link),
                None => return Some((at, "an address at the end of memory".into())),
            };
            let next = match link {
                Ok(next) => next,
                // An entry that cannot be read is none, unless it is the head itself.
                Err(fault) => {
                    if at != head {
                        entries.pop();
                    }
                    return Some((at, fault.to_string()));
                }
            };
            if next == head {
                return None;
            }
            if !self.is_kernel(next) && self.is_kernel(head) {
                return Some((at, format!("a link to {next}, which is no kernel address")));
            }
            if !seen.insert(next) {
                return Some((next, "an entry that was met before: a cycle".into()));
            }
            if entries.len() >= MOST_ENTRIES {
                return Some((next, format!("more than {MOST_ENTRIES} entries")));
            }
            entries.push(next);
            at = next;
        }
    }
}
