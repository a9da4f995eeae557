//! A conversion that is killed at every step it takes, and what is in the lake afterwards.

use crate::{
    Lake,
    scratch::{ID, Scratch, content, convert, identity, staged, staging},
};
use std::{cell::Cell, collections::BTreeMap, fs, io, path::Path};

/// What happens at the step that is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// The process is killed just before it: nothing happens from then on, not even cleaning up.
    Before,
    /// The process is killed half-way through it.
    Within,
    /// The step alone fails: a full disk, a virus scanner that holds the file.
    Fails,
}

thread_local! {
    /// Steps until the end, and which; `None` outside of these tests.
    static PLAN: Cell<Option<(u32, End)>> = const { Cell::new(None) };
    static REACHED: Cell<bool> = const { Cell::new(false) };
}

/// Called before every step on the disk of the code under test.
pub fn step(half: impl FnOnce()) -> io::Result<()> {
    let Some((left, end)) = PLAN.get() else { return Ok(()) };
    if left > 0 {
        PLAN.set(Some((left - 1, end)));
        return Ok(());
    }
    REACHED.set(true);
    match end {
        End::Fails => PLAN.set(None),
        End::Before => {}
        End::Within => {
            half();
            PLAN.set(Some((0, End::Before)));
        }
    }
    Err(io::Error::other("the test ends here"))
}

/// Runs `job` up to its step `number`; true when it came to that step.
pub fn ended(number: u32, end: End, job: impl FnOnce()) -> bool {
    PLAN.set(Some((number, end)));
    REACHED.set(false);
    job();
    PLAN.set(None);
    REACHED.get()
}

pub const OLD: [&str; 3] = ["dumps", "modules", "threads"];
pub const NEW: [&str; 3] = ["contexts", "dumps", "modules"];
pub const OTHER: &str = "dfedcba9876543210";

pub fn tables(names: &[&str], version: &str) -> BTreeMap<String, String> {
    names.iter().map(|name| (name.to_string(), version.to_string())).collect()
}

/// A lake with another dump, and with an old conversion of ours when `replaced`.
fn lake_with(root: &Path, replaced: bool) {
    let lake = Lake::create_or_open(root).unwrap();
    convert(&lake, OTHER, "other", &OLD).unwrap();
    if replaced {
        convert(&lake, ID, "old", &OLD).unwrap();
    }
}

/// True when a reader who comes right after the end sees no mixture: a dump that is in `dumps` has all
/// tables of one version.
fn is_whole_or_absent(root: &Path, replaced: bool) -> bool {
    let found = content(root, ID);
    let old = if replaced { tables(&OLD, "old") } else { BTreeMap::new() };
    !found.contains_key("dumps") || found == old || found == tables(&NEW, "new")
}

/// Ends a conversion at each of its steps; returns how many there are.
fn end_at_every_step(end: End, replaced: bool) -> u32 {
    let scratch = Scratch::new(&format!("{end:?}-{replaced}"));
    for number in 0.. {
        let root = scratch.0.join(number.to_string());
        lake_with(&root, replaced);
        let reached = ended(number, end, || {
            let lake = Lake::create_or_open(&root);
            let _ = lake.and_then(|lake| convert(&lake, ID, "new", &NEW));
        });
        let (old, new) = (tables(&OLD, "old"), tables(&NEW, "new"));
        let case = format!("{end:?} step {number}, replaced: {replaced}");
        assert!(is_whole_or_absent(&root, replaced), "{case}: {:?}", content(&root, ID));
        let lake = Lake::create_or_open(&root).unwrap_or_else(|error| panic!("{case}: {error}"));
        let found = content(&root, ID);
        let old = if replaced { old } else { BTreeMap::new() };
        assert!(found == old || found == new, "{case}: {found:?}");
        assert_eq!(lake.has(ID, &identity("new")).unwrap(), found == new, "{case}");
        assert_eq!(staging(&root), Vec::<String>::new(), "{case}");
        convert(&lake, ID, "new", &NEW).unwrap();
        assert_eq!(content(&root, ID), new, "{case}: a rerun completes it");
        assert_eq!(content(&root, OTHER), tables(&OLD, "other"), "{case}: others are left alone");
        fs::remove_dir_all(&root).unwrap();
        if !reached {
            return number;
        }
    }
    unreachable!()
}

#[test]
fn a_kill_at_any_step_leaves_the_old_tables_or_the_new() {
    for end in [End::Before, End::Within, End::Fails] {
        // The number of steps is there to notice a hook that is gone: claiming, three tables, their
        // syncs, the note, the rename, three tables moved.
        let first = end_at_every_step(end, false);
        assert!((25..60).contains(&first), "{first} steps");
        let second = end_at_every_step(end, true);
        assert!(second >= first + 6, "{second} steps: three old tables are retired");
    }
}

/// The same for two dumps that are committed together: each is there whole, or as it was before.
#[test]
fn a_kill_at_any_step_of_a_common_commit() {
    const SECOND: &str = "d00000000000000aa";
    let scratch = Scratch::new("common");
    for number in 0.. {
        let root = scratch.0.join(number.to_string());
        lake_with(&root, true);
        let reached = ended(number, End::Before, || {
            let lake = Lake::at(&root, Vec::new());
            let staged = [ID, SECOND].map(|id| staged(&lake, id, "new", &NEW));
            let _ = staged.into_iter().collect::<crate::Result<Vec<_>>>().and_then(crate::commit);
        });
        let (old, new) = (tables(&OLD, "old"), tables(&NEW, "new"));
        let second = content(&root, SECOND);
        assert!(is_whole_or_absent(&root, true), "step {number}: {:?}", content(&root, ID));
        assert!(!second.contains_key("dumps") || second == new, "step {number}: {second:?}");
        Lake::create_or_open(&root).unwrap_or_else(|error| panic!("step {number}: {error}"));
        let (first, second) = (content(&root, ID), content(&root, SECOND));
        assert!(first == old || first == new, "step {number}: {first:?}");
        assert!(second.is_empty() || second == new, "step {number}: {second:?}");
        assert_eq!(staging(&root), Vec::<String>::new(), "step {number}");
        assert_eq!(content(&root, OTHER), tables(&OLD, "other"), "step {number}");
        fs::remove_dir_all(&root).unwrap();
        if !reached {
            assert!(number > 50, "{number} steps");
            return;
        }
    }
}

/// Opening is itself cut off, again and again, until it comes through.
#[test]
fn a_kill_while_a_lake_is_recovered_does_no_harm() {
    let scratch = Scratch::new("recovery");
    let total = end_count(&scratch.0.join("count"));
    for first in 0..total {
        let root = scratch.0.join(first.to_string());
        lake_with(&root, true);
        ended(first, End::Before, || drop(convert(&Lake::at(&root, Vec::new()), ID, "new", &NEW)));
        let mut attempts = 0;
        while ended(attempts, End::Within, || drop(Lake::create_or_open(&root))) {
            assert!(is_whole_or_absent(&root, true), "step {first}, then {attempts}");
            attempts += 1;
            assert!(attempts < 100, "step {first}: opening never comes through");
        }
        let found = content(&root, ID);
        assert!(found == tables(&OLD, "old") || found == tables(&NEW, "new"), "step {first}: {found:?}");
        assert_eq!(staging(&root), Vec::<String>::new(), "step {first}");
        fs::remove_dir_all(&root).unwrap();
    }
}

/// Steps of a conversion that replaces another.
fn end_count(root: &Path) -> u32 {
    lake_with(root, true);
    PLAN.set(Some((1000, End::Before)));
    convert(&Lake::at(root, Vec::new()), ID, "new", &NEW).unwrap();
    1000 - PLAN.take().unwrap().0
}

/// A removal: the dump is there whole or not at all, whoever looks, and is gone once the note was written.
#[test]
fn a_kill_at_any_step_of_a_removal() {
    for end in [End::Before, End::Within, End::Fails] {
        let scratch = Scratch::new(&format!("removal-{end:?}"));
        for number in 0.. {
            let case = format!("{end:?} step {number}");
            let root = scratch.0.join(number.to_string());
            lake_with(&root, true);
            let reached = ended(number, end, || {
                let _ = Lake::at(&root, Vec::new()).remove(ID);
            });
            let found = content(&root, ID);
            assert!(!found.contains_key("dumps") || found == tables(&OLD, "old"), "{case}: {found:?}");
            let began = !found.contains_key("dumps");
            let lake = Lake::open(&root).unwrap_or_else(|error| panic!("{case}: {error}"));
            let found = content(&root, ID);
            assert!(found.is_empty() || !began && found == tables(&OLD, "old"), "{case}: {found:?}");
            Lake::create_or_open(&root).unwrap(); // empties the trash
            assert_eq!(staging(&root), Vec::<String>::new(), "{case}");
            assert_eq!(content(&root, OTHER), tables(&OLD, "other"), "{case}: others are left alone");
            convert(&lake, ID, "new", &NEW).unwrap();
            assert_eq!(content(&root, ID), tables(&NEW, "new"), "{case}: a conversion brings it back");
            assert!(lake.remove(ID).unwrap() && content(&root, ID).is_empty(), "{case}");
            fs::remove_dir_all(&root).unwrap();
            if !reached {
                assert!(number > 6, "{case}");
                break;
            }
        }
    }
}
