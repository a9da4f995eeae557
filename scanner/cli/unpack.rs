//! Archives among the inputs: a few at a time are expanded into the scratch folder, and what is a dump in them is
//! converted like any other file. Dumps that are to be copied, or that the system does not map, are copied there in the
//! same way.

use crate::{
    Result,
    bulk::{Answer, INTERRUPTED, Origin, Scratch, Task, copy},
    convert::{Batch, Input},
    inputs,
    report::Outcome,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

/// Archives that are expanded at a time, at most, and the bytes that they may have together unless one alone has more.
const GROUP: usize = 64;
const GROUP_BYTES: u64 = 64 << 20;

/// Bytes that an archive may expand to before how many times its size counts, and how many times that may be.
const FREE: u64 = 1 << 30;
const RATIO: u64 = 250;
/// Members of an archive.
const MEMBERS: usize = 100_000;

/// Bytes in the scratch folder at a time, unless the user says otherwise.
const SCRATCH: u64 = 64 << 30;

/// The limits for one of `archives` that are expanded side by side.
fn limits(limit: Option<u64>, archives: usize) -> archive::Limits {
    let bytes = limit.unwrap_or(SCRATCH) / archives.max(1) as u64;
    archive::Limits { bytes, ratio: RATIO, free: FREE, members: MEMBERS }
}

/// What is in one archive, after it was expanded.
struct Expanded {
    archive: PathBuf,
    /// Whether the user named it, and not a folder it lies in.
    named: bool,
    /// It is no archive but a file that was copied.
    copied: bool,
    members: Vec<archive::Member>,
    end: Option<String>,
}

/// Converts the dumps in archives; the value is the number of files in them that are no dumps.
///
/// Errors: there is no scratch folder, or no worker can be started.
pub fn convert(batch: &mut Batch, archives: Vec<(PathBuf, bool)>) -> Result<u64> {
    let mut ignored = 0;
    for group in groups(archives) {
        if INTERRUPTED.load(Ordering::Relaxed) {
            let why = "interrupted before it was converted".to_string();
            batch.refuse(&group.into_iter().map(|(path, _)| (path, why.clone())).collect::<Vec<_>>());
            continue;
        }
        let place = batch.args.scratch.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::new(&place).map_err(|error| format!("no scratch folder: {error}"))?;
        let mut dumps = Vec::new();
        for expanded in expand(batch, &scratch, group)? {
            ignored += sort_out(batch, expanded, &mut dumps);
        }
        batch.convert(dumps)?;
    }
    Ok(ignored)
}

/// Archives side by side: together small, or one large one.
fn groups(archives: Vec<(PathBuf, bool)>) -> Vec<Vec<(PathBuf, bool)>> {
    let (mut groups, mut bytes) = (Vec::<Vec<(PathBuf, bool)>>::new(), 0u64);
    for archive in archives {
        let size = archive.0.metadata().map_or(0, |data| data.len());
        bytes = bytes.saturating_add(size);
        match groups.last_mut() {
            Some(last) if last.len() < GROUP && bytes <= GROUP_BYTES => last.push(archive),
            _ => {
                bytes = size;
                groups.push(vec![archive]);
            }
        }
    }
    groups
}

fn expand(batch: &Batch, scratch: &Scratch, group: Vec<(PathBuf, bool)>) -> Result<Vec<Expanded>> {
    let limits = limits(batch.args.scratch_limit, group.len());
    let empty = |(archive, named): (PathBuf, bool)| {
        let copied = is_copied(batch, &archive);
        Expanded { archive, named, copied, members: Vec::new(), end: None }
    };
    let mut found: Vec<Expanded> = group.into_iter().map(empty).collect();
    let task = |(number, expanded): (usize, &Expanded)| -> Result<(usize, Task)> {
        let (from, folder) =
            (expanded.archive.clone().into_os_string(), scratch.place(number)?.into_os_string());
        let task = match expanded.copied {
            true => Task::Copy(from, folder, limits.bytes),
            false => Task::Expand(from, folder, limits.into()),
        };
        Ok((number, task))
    };
    let tasks = found.iter().enumerate().map(task).collect::<Result<Vec<_>>>()?;
    if !batch.args.copy {
        found.iter().filter(|expanded| expanded.copied).for_each(|expanded| tell_of_copy(&expanded.archive));
    }
    let mut done = |number: usize, answer: Answer| match answer {
        Answer::Expanded { members, end } => {
            found[number].members = members.into_iter().map(archive::Member::from).collect();
            found[number].end = end;
        }
        _ => found[number].end = Some("internal error, please report it".into()),
    };
    let width = batch.jobs();
    batch.crew(tasks.len()).run(tasks, width, &mut done, &|_| ())?;
    Ok(found)
}

/// A dump that can be opened: the file itself, or a copy of it where the system does not map it. The copy goes away with
/// the scratch folder.
pub fn openable(path: &Path) -> Result<(PathBuf, Option<Scratch>)> {
    if memory::Map::refused(path).is_none() {
        return Ok((path.to_path_buf(), None));
    }
    tell_of_copy(path);
    let path = memory::companion_of(path).unwrap_or_else(|| path.to_path_buf());
    let scratch = Scratch::new(&std::env::temp_dir())?;
    let copy = copy::dump(&path, &scratch.place(0)?, SCRATCH)?;
    Ok((copy, Some(scratch)))
}

/// That a file is copied though nobody asked for it.
fn tell_of_copy(path: &Path) {
    let why = memory::Map::refused(path).map(|error| error.to_string()).unwrap_or_default();
    let line = format!("{} cannot be mapped ({why}); a copy in the scratch folder is read", path.display());
    eprintln!("{}", queries::safe::terminal(&line));
}

/// Whether a file is copied as it is.
fn is_copied(batch: &Batch, path: &Path) -> bool {
    !inputs::is_archive(path) && inputs::is_copied(batch.args, path)
}

/// Adds the dumps of an archive to `dumps` and tells what is wrong with it; the value is the number of other files.
fn sort_out(batch: &mut Batch, expanded: Expanded, dumps: &mut Vec<Input>) -> u64 {
    let Expanded { archive, named, copied, members, end } = expanded;
    let (mut ignored, mut found) = (0, BTreeSet::new());
    let forced = batch.args.how.format.is_some();
    let before = dumps.len();
    let mut failed = end.is_some();
    for archive::Member { name, file } in members {
        let origin =
            Origin { archive: archive.clone().into_os_string(), member: (!copied).then(|| name.clone()) };
        match file {
            // Of a file that was named, its conversion says why it is no dump.
            Ok(path) if forced || copied && named || inputs::is_dump(Path::new(&name), &path) => {
                // The state file of a VMware pair and its memory file are one dump.
                let path = memory::companion_of(&path).unwrap_or(path);
                if found.insert(path.clone()) {
                    dumps.push(Input { path, origin: Some(origin) });
                }
            }
            Ok(path) => {
                ignored += 1;
                let _ = std::fs::remove_file(path);
            }
            Err(why) => {
                failed = true;
                batch.tell_failed(Outcome::failed(&archive, why).of_member(name));
            }
        }
    }
    match end {
        Some(why) => batch.tell_failed(Outcome::failed(&archive, why)),
        None if named && !failed && dumps.len() == before => {
            batch.tell_failed(Outcome::failed(&archive, "there is no dump in it"));
        }
        None => {}
    }
    ignored
}
