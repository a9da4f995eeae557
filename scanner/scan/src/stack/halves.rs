//! The user half of a process, as walks need it: its memory, and the code of the images that its loaders list.

use super::Kind;
use crate::code::{Code, Listed};
use memory::{Architecture, Space};
use nt::{System, peb::Halves, process::Process};
use std::sync::OnceLock;

/// The user half of a process.
pub struct UserHalf<'a> {
    system: &'a System<'a>,
    process: &'a Process,
    space: Option<Space<'a>>,
    native: OnceLock<Code<'a>>,
    narrow: OnceLock<Code<'a>>,
}

impl<'a> UserHalf<'a> {
    /// Of a process; nothing is read yet.
    pub fn new(system: &'a System<'a>, process: &'a Process) -> UserHalf<'a> {
        let space = process.dtb.filter(|_| process.peb.is_some()).and_then(|dtb| system.process_space(dtb));
        UserHalf { system, process, space, native: OnceLock::new(), narrow: OnceLock::new() }
    }

    /// Its memory, where the dump has the way to it.
    pub fn space(&self) -> Option<&Space<'a>> {
        self.space.as_ref()
    }

    /// Whether it has a 32-bit half on a 64-bit system.
    pub fn is_wow64(&self) -> bool {
        self.system.architecture == Architecture::X64 && self.halves().iter().any(|half| half.is_wow64)
    }

    /// The code of user frames of a kind.
    pub fn code(&self, kind: Kind) -> Option<&Code<'a>> {
        let space = self.space?;
        let wow64 = kind == Kind::Wow64;
        let (code, architecture) = match wow64 {
            true => (&self.narrow, Architecture::X86),
            false => (&self.native, self.system.architecture),
        };
        Some(code.get_or_init(|| {
            Code::new(space, architecture, self.system.names, self.images(wow64).into_iter())
        }))
    }

    /// What of its code was looked at.
    pub fn codes(&self) -> impl Iterator<Item = &Code<'a>> {
        [&self.native, &self.narrow].into_iter().filter_map(OnceLock::get)
    }

    fn halves(&self) -> Vec<nt::peb::Half<'a>> {
        Halves::of(self.system).of_process(self.system, self.process)
    }

    /// The images that the loader of a half lists.
    fn images(&self, wow64: bool) -> Vec<Listed> {
        let half = self.halves().into_iter().find(|half| half.is_wow64 == wow64);
        let loaded = half.and_then(|half| half.loaded(self.system)).unwrap_or_default();
        let listed = loaded.into_iter().filter_map(|image| {
            let size = image.size?.into();
            Some(Listed { name: image.name?, base: image.base, size, timestamp: None, pdb: None })
        });
        listed.collect()
    }
}
