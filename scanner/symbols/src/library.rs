//! The usual provider: a symbol path that the user names, then the layout pack.

use crate::{
    Choice, Error, Layouts, Names, PdbId, Place, Provider, Result, Wanted, Wish,
    pack::{ImageVersion, Known, Pack, disagreements, reach},
    pdb::frames::{self, Frames},
    pdb::source,
    store::{self, FileKind, Found, ImageId, Options, SymbolPath},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

mod shared;

use shared::Shared;

/// What servers said of an image file.
#[derive(Default)]
enum Asked {
    /// Nothing, or they had it.
    #[default]
    NotYet,
    /// No server has it; what went wrong, if something did.
    Missing(Option<Error>),
}

/// That under a lock.
type Slot = Arc<Mutex<Asked>>;

/// A symbol path that the user names, then the layout pack.
#[derive(Default)]
pub struct Library<'a> {
    path: SymbolPath,
    options: Options,
    pack: Option<&'a Pack>,
    /// Files and folders of images, before those of the path.
    images: Vec<PathBuf>,
    /// Many dumps are of one kernel, whose PDB is read once.
    found: Mutex<HashMap<(String, PdbId), Choice>>,
    /// Files of other images that there are none of: many dumps have the same modules.
    missing: Mutex<HashSet<(String, PdbId)>>,
    /// What servers said of image files, each under a lock of its own: one is not waited for while another comes.
    asked_images: Mutex<HashMap<(String, ImageId), Slot>>,
    /// Frame data that somebody holds: many processes have the same modules.
    frames: Shared<(String, PdbId), Frames>,
    /// Whether any kernel's layouts were wanted.
    asked: AtomicBool,
    /// Files and URLs that layouts were taken from.
    used: Mutex<HashSet<String>>,
}

impl<'a> Library<'a> {
    /// A library of a symbol path, which may be empty, and a pack, which may be missing.
    pub fn new(path: SymbolPath, options: Options, pack: Option<&'a Pack>) -> Library<'a> {
        Library { path, options, pack, ..Library::default() }
    }

    /// The same with files and folders where images are looked for, before the symbol path.
    pub fn with_images(self, images: Vec<PathBuf>) -> Library<'a> {
        Library { images, ..self }
    }

    /// The pack that ships with the program, and nothing else.
    pub fn built_in() -> Library<'static> {
        Library::new(SymbolPath::default(), Options::default(), Pack::built_in())
    }
}

impl Provider for Library<'_> {
    fn choose(&self, wish: &Wish, wanted: &Wanted) -> Choice {
        self.asked.store(true, Ordering::Relaxed);
        let image = self.image(wish);
        let mut choice = self.file(wish, image, wanted).unwrap_or_default();
        if !choice.exact {
            corrected(&mut choice, &wish.known);
        }
        let notes = std::mem::take(&mut choice.notes);
        if choice.source.is_empty() {
            choice = self.pack.and_then(|pack| from_pack(pack, wish, image)).unwrap_or_default();
        }
        if choice.source.is_empty() {
            choice.source = "none".into();
        }
        if choice.exact {
            choice.notes.extend(doubts(&choice.layouts, &wish.known, &choice.source));
        }
        choice.build = choice.build.or(image.map(|image| image.version[2]));
        choice.version = image.map(|image| image.version).map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}"));
        choice.notes.splice(0..0, notes);
        choice
    }

    fn image_at_hand(&self, name: &str, timestamp: u32, size: u32) -> Option<Vec<u8>> {
        store::image_at_hand(&self.images, &self.path, name, ImageId { timestamp, size })
    }

    fn image(&self, name: &str, timestamp: u32, size: u32) -> Result<Option<Vec<u8>>> {
        let id = ImageId { timestamp, size };
        let local = || store::image(&self.images, &self.path, name, id);
        if let Some(found) = local().map(Some) {
            return Ok(found);
        }
        if !self.options.download {
            return Ok(None);
        }
        let key = (name.to_string(), id);
        let Ok(asked) = self.asked_images.lock().map(|mut all| Arc::clone(all.entry(key).or_default()))
        else {
            return Ok(None);
        };
        // Who asks for one while it is downloaded waits, so that nothing is asked for twice.
        let Ok(mut asked) = asked.lock() else { return Ok(None) };
        if let Asked::Missing(problem) = &*asked {
            return problem.clone().map_or(Ok(None), Err);
        }
        let found = match local() {
            Some(found) => Ok(Some(found)),
            None => store::download_image(&self.path, name, id, &self.options),
        };
        if !matches!(found, Ok(Some(_))) {
            *asked = Asked::Missing(found.as_ref().err().cloned());
        }
        found
    }

    fn places(&self, name: &str, id: PdbId, rvas: &[u32]) -> Result<Option<Vec<Option<Place>>>> {
        let read = |bytes: &[u8]| Ok(source::places(bytes, rvas)?.1);
        self.of_pdb(&(file_name(name), id), read)
    }

    fn frames(&self, name: &str, id: PdbId) -> Result<Option<Arc<Frames>>> {
        self.frames.get((file_name(name), id), |key| self.of_pdb(key, frames::frames))
    }
}

/// The file name of a PDB. Images of third parties often name the whole path of the machine that they were built on.
fn file_name(name: &str) -> String {
    name.rsplit(['\\', '/']).next().unwrap_or_default().to_string()
}

/// What kernels' PDBs are called when nothing in the dump says so.
const USUAL_NAME: &str = "ntkrnlmp.pdb";

/// What `dumps.symbol_source` says of a forced file: its identity is another one, or the dump states none.
const OF_ANOTHER: &str = " forced, of another kernel";
const OF_UNKNOWN: &str = " forced, the dump does not state its kernel's PDB";

impl Library<'_> {
    /// Layouts of a file on the symbol path.
    fn file(&self, wish: &Wish, image: Option<&ImageVersion>, wanted: &Wanted) -> Option<Choice> {
        if self.path.is_empty() {
            return None;
        }
        // A small dump does not hold the kernel's headers; link time and size name the file, and the pack its PDB.
        let of_image = || self.pack?.of_image(image?)?.1.id;
        let name = wish.pdb_name.clone().unwrap_or_else(|| USUAL_NAME.into());
        let Some(id) = wish.id.or_else(of_image) else {
            return Some(self.of_unknown(wish.architecture, wanted));
        };
        let key = (name, id);
        if let Some(known) = self.found.lock().ok().and_then(|found| found.get(&key).cloned()) {
            return Some(known);
        }
        let choice = match self.path.find(&key.0, id, &self.options) {
            Ok(Some(found)) => {
                self.note_use(&found);
                chosen(found, OF_ANOTHER, wish.architecture, wanted)
            }
            Ok(None) => Choice::default(),
            Err(error) => Choice { notes: vec![error.to_string()], ..Choice::default() },
        };
        if let Ok(mut found) = self.found.lock() {
            found.insert(key, choice.clone());
        }
        Some(choice)
    }

    /// For a dump that does not say which PDB its kernel has: nothing, or the first file that the user names and forces.
    fn of_unknown(&self, architecture: &str, wanted: &Wanted) -> Choice {
        let refused = |why: String| Choice { notes: vec![why], ..Choice::default() };
        let what = "the dump does not say which PDB its kernel has";
        let named = self.path.files().next().filter(|_| self.options.force);
        let Some(file) = named else {
            return refused(format!(
                "{what}: --symbols was not used; --force-symbols with a named file uses it all the same"
            ));
        };
        match store::read(file) {
            Ok(found) => {
                self.note_use(&found);
                let mut choice = chosen(Found { forced: true, ..found }, OF_UNKNOWN, architecture, wanted);
                choice.notes.push(format!("{what}: {} was taken because it was forced", file.display()));
                choice
            }
            Err(error) => refused(error.to_string()),
        }
    }

    /// What the PDB of an image says, if there is one.
    fn of_pdb<T>(&self, key: &(String, PdbId), read: impl FnOnce(&[u8]) -> Result<T>) -> Result<Option<T>> {
        if self.path.is_empty() || self.missing.lock().is_ok_and(|missing| missing.contains(key)) {
            return Ok(None);
        }
        let found = self.path.pdb(&key.0, key.1, &self.options);
        if !matches!(found, Ok(Some(_)))
            && let Ok(mut missing) = self.missing.lock()
        {
            missing.insert(key.clone());
        }
        let Some(file) = found? else { return Ok(None) };
        let read = read(&file.bytes).map_err(|e| Error::new(format!("{}: {e}", file.origin)))?;
        if let Ok(mut used) = self.used.lock() {
            used.insert(file.origin);
        }
        Ok(Some(read))
    }

    fn note_use(&self, found: &Found) {
        if let Ok(mut used) = self.used.lock() {
            used.insert(found.origin.clone());
        }
    }

    /// Whether any dump needed symbols.
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Files that the user names and that no kernel's dump was read with, though there was one.
    pub fn unused(&self) -> Vec<&Path> {
        let Ok(used) = self.used.lock() else { return Vec::new() };
        let is_unused = |path: &&Path| !used.contains(&path.display().to_string());
        let asked = self.asked.load(Ordering::Relaxed);
        self.path.files().filter(|_| asked).filter(is_unused).collect()
    }

    /// The kernel's file and its version by link time and size.
    fn image(&self, wish: &Wish) -> Option<&ImageVersion> {
        let (timestamp, size) = (wish.timestamp?, wish.size_of_image?);
        self.pack?.image(wish.architecture, timestamp, size)
    }
}

/// Layouts of a file. Addresses of another revision are never right, so a forced file gives types only. Nobody can
/// force a file of another architecture.
fn chosen(found: Found, why_forced: &str, architecture: &str, wanted: &Wanted) -> Choice {
    let theirs = found.profile.architecture.filter(|&theirs| found.forced && theirs != architecture);
    if let Some(theirs) = theirs {
        let why =
            format!("{} is of {theirs}, but {architecture} is wanted: refused though forced", found.origin);
        return Choice { notes: vec![why], ..Choice::default() };
    }
    let kind = match found.kind {
        FileKind::Pdb => "PDB",
        FileKind::Isf => "ISF",
    };
    let id = found.profile.id.map(|id| id.to_string()).unwrap_or_default();
    let forced = if found.forced { why_forced } else { "" };
    let mut layouts = Layouts::of(&found.profile, wanted);
    if found.forced {
        layouts.symbols.clear();
    }
    let (source, exact) = (format!("{kind} {id}{forced}"), !found.forced);
    let names = (!found.forced).then(|| Arc::new(Names::new(&found.profile.symbols)));
    Choice { layouts, source, exact, names, notes: found.problems, ..Choice::default() }
}

fn from_pack(pack: &Pack, wish: &Wish, image: Option<&ImageVersion>) -> Option<Choice> {
    let exact = |(layouts, kernel): (Layouts, &crate::pack::Kernel)| {
        let id = kernel.id.map(|id| id.to_string()).unwrap_or_default();
        let source = format!("pack exact {id} ({})", named(kernel));
        Choice { layouts, source, exact: true, build: Some(kernel.build), ..Choice::default() }
    };
    if let Some(found) = wish.id.and_then(|id| pack.exact(id)) {
        return Some(exact(found));
    }
    // Link time and size name one file, so its name and revision name one PDB.
    let same_file = image.and_then(|image| pack.of_image(image));
    let version = image.map(|image| image.version);
    if let Some(found) = same_file.filter(|_| wish.id.is_none()) {
        return Some(exact(found));
    }
    let build = version.map(|version| version[2]).or(wish.build)?;
    let Some(found) = pack.nearest(wish.architecture, build, version.map(|version| version[3]), &wish.known)
    else {
        let found = pack.confirmed(wish.architecture, build, &wish.known)?;
        let source = format!("pack other build {}, members that the dump confirms", named(found.kernel));
        return Some(Choice { layouts: found.layouts, source, ..Choice::default() });
    };
    let source = format!("pack nearest revision {}", named(found.kernel));
    let notes = found.disagreements.iter().map(|known| read_there(known, &source)).collect();
    let layouts = without(found.layouts, &found.disagreements, &wish.known);
    Some(Choice { layouts, source, notes, ..Choice::default() })
}

fn named(kernel: &crate::pack::Kernel) -> String {
    let revision = kernel.revision.map(|revision| format!(".{revision}")).unwrap_or_default();
    format!("{}{revision} of {}", kernel.build, kernel.source)
}

fn disagreement(known: &Known, source: &str) -> String {
    let Known { type_name, path, value } = known;
    match *path {
        "" => format!("{source}: the dump says that {type_name} has {value:#x} bytes"),
        path => format!("{source}: the dump says that {type_name}.{path} is at {value:#x}"),
    }
}

/// The same for layouts of another revision, which [`without`] corrects.
fn read_there(known: &Known, source: &str) -> String {
    let said = disagreement(known, source);
    if known.path.is_empty() {
        said
    } else {
        format!(
            "{said}, so it is read there, and what lies behind the last member that the dump confirms is left out"
        )
    }
}

/// A member that the dump states to be elsewhere is read where the dump says. Members behind the last one that the
/// dump confirms may have moved as well, and nobody knows where to: they are left out.
fn without(mut layouts: Layouts, wrong: &[Known], known: &[Known]) -> Layouts {
    let moved: BTreeSet<&str> =
        wrong.iter().filter(|fact| !fact.path.is_empty()).map(|fact| fact.type_name).collect();
    for name in moved {
        let Some(layout) = layouts.types.get_mut(name) else { continue };
        let reach = reach(name, layout, known);
        let stated = |path: &str| known.iter().any(|fact| (fact.type_name, fact.path) == (name, path));
        layout.fields.retain(|path, field| field.offset <= reach || stated(path));
    }
    for known in wrong {
        let Some(layout) = layouts.types.get_mut(known.type_name) else { continue };
        match known.path {
            "" => layout.size = known.value,
            path => {
                if let Some(field) = layout.fields.get_mut(path) {
                    field.offset = known.value;
                }
            }
        }
    }
    layouts
}

/// Layouts of a forced file: where the dump itself states a member, that counts.
fn corrected(choice: &mut Choice, known: &[Known]) {
    let wrong = disagreements(&choice.layouts, known);
    choice.notes.extend(wrong.iter().map(|known| read_there(known, &choice.source)));
    choice.layouts = without(std::mem::take(&mut choice.layouts), &wrong, known);
}

/// What the dump states and the layouts have otherwise, as sentences: symbols that should be exact may not be.
fn doubts(layouts: &Layouts, known: &[Known], source: &str) -> Vec<String> {
    disagreements(layouts, known).iter().map(|known| disagreement(known, source)).collect()
}

#[cfg(test)]
mod tests;
