//! How much of one thing a dump can hold: no more than its memory has room for.
//!
//! Situation: each list, table and tree is walked with a bound, but a dump can have a million heads that all lead into
//! one list of a million entries, and page tables can map one page a million times. Handling: all walks of one name
//! together may look at as many things as fit into the memory of the dump, some times over, since several tables
//! are made of one walk. What is beyond is left out, and `faults` says so.

use crate::System;

/// So many things of a name are always looked at, however small the dump is.
const ALWAYS: u64 = 1 << 20;
/// How often the memory of a dump is looked at for the things of one name.
const TIMES: u64 = 4;

impl System<'_> {
    /// How many more things called `name`, of at least `size` bytes each, may be looked at. None: `faults` says so.
    pub(crate) fn left(&self, name: &str, size: u64) -> u64 {
        let most = ALWAYS.saturating_add((self.bytes / size.max(1)).saturating_mul(TIMES));
        let spent = self.spent.lock().map_or(0, |spent| spent.get(name).copied().unwrap_or(0));
        let left = most.saturating_sub(spent);
        if left == 0 {
            let expected = format!("at most {most} in a dump of this size");
            self.problem("too_many", name, "", None, &expected, "more");
        }
        left
    }

    /// Text that the dump has room for: a million rows can all name one text of 64 KiB. `None`, and a row in `faults`,
    /// once the texts of one `name` together are longer than the dump some times over.
    pub fn text(&self, name: &str, text: Option<String>) -> Option<String> {
        let text = text?;
        let length = text.len() as u64;
        if self.left(name, 1) < length {
            let expected = "no more text than a dump of this size has room for";
            self.problem("too_many", name, "", None, expected, "more");
            return None;
        }
        self.spend(name, length);
        Some(text)
    }

    /// Notes that `count` things were looked at.
    pub(crate) fn spend(&self, name: &str, count: u64) {
        if let Ok(mut spent) = self.spent.lock() {
            match spent.get_mut(name) {
                Some(known) => *known = known.saturating_add(count),
                None => drop(spent.insert(name.into(), count)),
            }
        }
    }
}
