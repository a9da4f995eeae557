//! Who finds layouts for a kernel: asked once for each dump.

use crate::{Layouts, Names, PdbId, Result, Wanted, pack::Known, pdb::frames::Frames, pdb::source::Place};
use std::sync::Arc;

/// What is known of the image whose layouts are wanted. Everything may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// PDB file name of the image's `RSDS` record; text out of a dump, never a path.
    pub pdb_name: Option<String>,
    /// Its GUID and age.
    pub id: Option<PdbId>,
    /// `x86`, `x64` or `ARM64`.
    pub architecture: &'static str,
    /// Build number, such as 19041.
    pub build: Option<u32>,
    /// PE `TimeDateStamp`.
    pub timestamp: Option<u32>,
    /// PE `SizeOfImage`.
    pub size_of_image: Option<u32>,
    /// What the dump's debugger block states of the layouts.
    pub known: Vec<Known>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The layouts; empty when nothing fits.
    pub layouts: Layouts,
    /// For `dumps.symbol_source`: `PDB ...`, `ISF ...`, `pack exact ...`, `pack nearest ...`, `none`.
    pub source: String,
    /// True if types and addresses are those of this very image.
    pub exact: bool,
    /// Build of the image, where its PDB, or its link time and size tell.
    pub build: Option<u32>,
    /// File version `a.b.c.d` of the image, where its link time and size tell.
    pub version: Option<String>,
    /// Names of functions, where a PDB or ISF file of this very image was found.
    pub names: Option<Arc<Names>>,
    /// What went wrong on the way, one sentence each; they become rows of `faults`.
    pub notes: Vec<String>,
}

/// Finds layouts and names.
pub trait Provider: Sync {
    /// The best that there is for this image.
    fn choose(&self, wish: &Wish, wanted: &Wanted) -> Choice;

    /// Functions and lines of addresses relative to any image, by the PDB that its `RSDS` record names: its file name,
    /// which is text out of a dump, and its identity. `None`: there is no such file.
    fn places(&self, _name: &str, _id: PdbId, _rvas: &[u32]) -> Result<Option<Vec<Option<Place>>>> {
        Ok(None)
    }

    /// Frame data of a 32-bit image, by its PDB. `None`: there is no such file.
    fn frames(&self, _name: &str, _id: PdbId) -> Result<Option<Arc<Frames>>> {
        Ok(None)
    }

    /// The file of an image by its file name, which is text out of a dump, link time and size of address space. An
    /// error: a server that failed, or that sent another file.
    fn image(&self, _name: &str, _timestamp: u32, _size: u32) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// The same of files that the user keeps: nothing is downloaded, however many images are asked for, and what was
    /// downloaded before is not used, so that the answer is the same whatever else was converted.
    fn image_at_hand(&self, _name: &str, _timestamp: u32, _size: u32) -> Option<Vec<u8>> {
        None
    }
}

/// Finds nothing.
pub struct NoSymbols;

impl Provider for NoSymbols {
    fn choose(&self, _: &Wish, _: &Wanted) -> Choice {
        Choice { source: "none".into(), ..Choice::default() }
    }
}

/// One profile for every image, whatever it is: for tests and for a file that the user forces.
pub struct OneProfile {
    /// The profile.
    pub profile: crate::Profile,
    /// How it is called in `dumps.symbol_source`.
    pub source: String,
}

impl Provider for OneProfile {
    fn choose(&self, wish: &Wish, wanted: &Wanted) -> Choice {
        let exact = self.profile.id.is_some() && self.profile.id == wish.id;
        let layouts = Layouts::of(&self.profile, wanted);
        let names = Some(Arc::new(Names::new(&self.profile.symbols)));
        Choice { layouts, source: self.source.clone(), exact, names, ..Choice::default() }
    }
}
