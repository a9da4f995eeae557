//! The usual provider: files that the user names, then the layout pack.

use crate::{
    Choice, Layouts, Profile, Provider, Wanted, Wish,
    pack::{Known, Pack, disagreements},
};

/// A profile that the user gave, and where it came from.
pub struct Given {
    /// The profile.
    pub profile: Profile,
    /// For `dumps.symbol_source`: `PDB` or `ISF`, and the file's name.
    pub source: String,
}

/// Files that the user names, then the layout pack.
#[derive(Default)]
pub struct Library<'a> {
    /// What the user gave.
    pub given: Vec<Given>,
    /// The pack; `None` leaves it out.
    pub pack: Option<&'a Pack>,
    /// Take a given file for a kernel that it is not of.
    pub force: bool,
}

impl Provider for Library<'_> {
    fn choose(&self, wish: &Wish, wanted: &Wanted) -> Choice {
        let mut choice = self.given_file(wish, wanted).unwrap_or_default();
        let (notes, version) = (std::mem::take(&mut choice.notes), self.version(wish));
        if choice.source.is_empty() {
            choice = self.pack.and_then(|pack| from_pack(pack, wish, version)).unwrap_or_default();
        }
        if choice.source.is_empty() {
            choice.source = "none".into();
        }
        if choice.exact {
            choice.notes.extend(doubts(&choice.layouts, &wish.known, &choice.source));
        }
        choice.version = version.map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}"));
        choice.notes.splice(0..0, notes);
        choice
    }
}

impl Library<'_> {
    fn given_file(&self, wish: &Wish, wanted: &Wanted) -> Option<Choice> {
        let exact = self.given.iter().find(|given| given.profile.id.is_some() && given.profile.id == wish.id);
        let chosen = exact.or_else(|| self.given.first())?;
        let mut choice = Choice { exact: exact.is_some(), ..Choice::default() };
        let text = |id: Option<crate::PdbId>| id.map_or("no GUID".to_string(), |id| id.to_string());
        if exact.is_none() {
            let (theirs, ours) = (text(chosen.profile.id), text(wish.id));
            let fate = if self.force { "used because it was forced" } else { "refused" };
            choice.notes.push(format!("{} is of {theirs}, the kernel is {ours}: {fate}", chosen.source));
        }
        if exact.is_some() || self.force {
            let forced = if exact.is_some() { "" } else { " (forced, not of this kernel)" };
            choice.source = format!("{}{forced}", chosen.source);
            choice.layouts = Layouts::of(&chosen.profile, wanted);
            if exact.is_none() {
                choice.layouts.symbols.clear(); // addresses of another revision are never right
            }
        }
        Some(choice)
    }

    /// The kernel's file version by its link time and size.
    fn version(&self, wish: &Wish) -> Option<[u32; 4]> {
        let (timestamp, size) = (wish.timestamp?, wish.size_of_image?);
        self.pack?.image(wish.architecture, timestamp, size).map(|image| image.version)
    }
}

fn from_pack(pack: &Pack, wish: &Wish, version: Option<[u32; 4]>) -> Option<Choice> {
    let exact = |(layouts, kernel): (Layouts, &crate::pack::Kernel)| {
        let id = kernel.id.map(|id| id.to_string()).unwrap_or_default();
        let source = format!("pack exact {id} ({})", named(kernel));
        Choice { layouts, source, exact: true, ..Choice::default() }
    };
    if let Some(found) = wish.id.and_then(|id| pack.exact(id)) {
        return Some(exact(found));
    }
    // Link time and size name one file, so its revision names one PDB.
    let same_file =
        version.and_then(|[_, _, build, revision]| pack.of_version(wish.architecture, build, revision));
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
    let notes = found.disagreements.iter().map(|known| disagreement(known, &source)).collect();
    Some(Choice { layouts: without(found.layouts, &found.disagreements), source, notes, ..Choice::default() })
}

fn named(kernel: &crate::pack::Kernel) -> String {
    let revision = kernel.revision.map(|revision| format!(".{revision}")).unwrap_or_default();
    format!("{}{revision} of {}", kernel.build, kernel.source)
}

fn disagreement(known: &Known, source: &str) -> String {
    let Known { type_name, path, value } = known;
    match *path {
        "" => format!("{source}: the dump says that {type_name} has {value:#x} bytes"),
        path => {
            format!("{source}: the dump says that {type_name}.{path} is at {value:#x}, so it is read there")
        }
    }
}

/// A member that the dump states to be elsewhere is read where the dump says.
fn without(mut layouts: Layouts, wrong: &[Known]) -> Layouts {
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

/// What the dump states and the layouts have otherwise, as sentences: symbols that should be exact may not be.
fn doubts(layouts: &Layouts, known: &[Known], source: &str) -> Vec<String> {
    disagreements(layouts, known).iter().map(|known| disagreement(known, source)).collect()
}
