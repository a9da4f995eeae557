//! The code of a user minidump's process: one set of instructions, or of a 32-bit process on x64 two.
//!
//! The list of modules of such a process has the images of both halves, and nothing in it tells them apart: their
//! headers do, where the dump holds them. An image whose headers are elsewhere may be of either half.

use super::{Code, Listed};
use crate::walks::base_name;
use memory::{Architecture, Dump, Space, Va, records::Module};
use nt::symbols::{PdbId, Provider};
use std::sync::OnceLock;
use unwind::{MACHINE_AMD64, MACHINE_I386};

/// Where a PE header is at most.
const FAR: u32 = 0x1_0000;

/// The code of a process, by the instructions it is of.
pub struct ProcessCode<'a> {
    dump: &'a Dump,
    space: Space<'a>,
    provider: Option<&'a dyn Provider>,
    stated: Architecture,
    /// That of the stated architecture, and of the other half.
    halves: [OnceLock<Code<'a>>; 2],
}

impl<'a> ProcessCode<'a> {
    /// Of a user minidump; nothing is read yet. `None` if it states no architecture.
    pub fn new(
        dump: &'a Dump,
        space: Space<'a>,
        provider: Option<&'a dyn Provider>,
    ) -> Option<ProcessCode<'a>> {
        let stated = dump.records.header.architecture?;
        Some(ProcessCode { dump, space, provider, stated, halves: Default::default() })
    }

    /// The code that these instructions can be in.
    pub fn of(&self, set: Architecture) -> &Code<'a> {
        let half = &self.halves[usize::from(set != self.stated)];
        half.get_or_init(|| {
            let modules = self.dump.records.modules.iter().filter(|module| self.may_hold(module, set));
            Code::new(self.space, set, self.provider, modules.map(listed))
        })
    }

    /// What of it was looked at.
    pub fn known(&self) -> impl Iterator<Item = &Code<'a>> {
        self.halves.iter().filter_map(OnceLock::get)
    }

    /// The instructions at an address, as the headers of its module say; else those that the dump states. `None` where
    /// they may be of either half: where 32-bit code of an x64 process can be, and no headers say that it is none.
    pub fn set_at(&self, va: u64) -> Option<Architecture> {
        let holds = |module: &&Module| va.wrapping_sub(module.base) < module.size;
        let module = self.dump.records.modules.iter().find(holds);
        match (self.stated, module.and_then(|module| self.machine(module))) {
            (Architecture::X64, Some(MACHINE_I386)) => Some(Architecture::X86),
            (Architecture::X86, Some(MACHINE_AMD64)) => Some(Architecture::X64),
            (Architecture::X64, Some(MACHINE_AMD64)) => Some(Architecture::X64),
            (Architecture::X64, _) if va < 1 << 32 => None,
            (stated, _) => Some(stated),
        }
    }

    /// Whether a module may hold instructions of a set.
    fn may_hold(&self, module: &Module, set: Architecture) -> bool {
        let fits = module.base.checked_add(module.size).is_some_and(|end| end <= 1 << 32);
        match set {
            Architecture::X86 => fits && self.machine(module) != Some(MACHINE_AMD64),
            Architecture::X64 => !fits || self.machine(module) != Some(MACHINE_I386),
            Architecture::Arm64 => true,
        }
    }

    /// `IMAGE_FILE_HEADER.Machine`, where the headers are in the dump.
    fn machine(&self, module: &Module) -> Option<u16> {
        let at = |offset: u32| Some(Va(module.base.checked_add(offset.into())?));
        let signature = self.space.u16(at(0)?).ok().filter(|mz| *mz == 0x5a4d);
        let pe = self.space.u32(at(0x3c)?).ok().filter(|pe| signature.is_some() && *pe < FAR)?;
        self.space.u32(at(pe)?).ok().filter(|signature| *signature == 0x4550)?;
        self.space.u16(at(pe + 4)?).ok()
    }
}

/// As the list of modules states it.
fn listed(module: &Module) -> Listed {
    Listed {
        name: module.path.as_deref().map(base_name).unwrap_or_default(),
        base: module.base,
        size: module.size,
        timestamp: module.timestamp,
        pdb: stated_pdb(module),
    }
}

/// Its PDB.
fn stated_pdb(module: &Module) -> Option<(String, PdbId)> {
    let id = PdbId::parse(module.pdb_guid.as_deref()?, module.pdb_age?)?;
    Some((module.pdb_name.clone()?, id))
}
