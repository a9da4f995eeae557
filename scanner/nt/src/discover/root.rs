//! The root of the kernel's page tables: candidates in order of trust, until one shows a kernel.

use super::{
    AddressSpace, Candidate, Depth,
    image::{MOST_OF_ALL, architecture},
    scan, stub,
    trial::{self, Hints, Trial, Verdict},
};
use crate::{System, process::Eprocess};
use memory::{Architecture, Dump, Image, Pa, PagingMode, Space};
use std::collections::HashSet;

/// Most candidates that a file states which are tried.
const MOST_STATED: usize = 64;
/// Most roots that are tried in one part of memory: the search for a kernel through each costs something, and roots
/// share the kernel's half.
const MOST_SCANNED: usize = 32;

/// All that was tried so far.
struct Search<'a> {
    dump: &'a Dump,
    memory: Image<'a>,
    tried: HashSet<(Pa, PagingMode)>,
    candidates: Vec<Candidate>,
    /// Pages that may still be looked at for a kernel, through whatever root.
    pages: u64,
    /// The best so far: its position and what it has shown.
    best: Option<(usize, Trial)>,
}

/// Finds the address space. Without a root it is empty, and the candidates say why.
pub(super) fn address_space<'a>(dump: &'a Dump, memory: Image<'a>, depth: Depth) -> AddressSpace<'a> {
    let (tried, candidates, pages) = (HashSet::new(), Vec::new(), MOST_OF_ALL);
    let mut search = Search { dump, memory, tried, candidates, pages, best: None };
    search.stated();
    if !search.is_found() {
        search.low_stub();
    }
    // A dump that names its root, and the root looks like one, may just not hold the kernel.
    let weak = search.best.is_some();
    let depth = if weak { depth.min(Depth::Near).max(whole(depth)) } else { depth };
    let searched = if search.is_found() { Vec::new() } else { search.scan(depth) };
    search.finish(searched)
}

/// Asking for everything means everything.
fn whole(depth: Depth) -> Depth {
    if depth == Depth::Whole { depth } else { Depth::Near }
}

impl<'a> Search<'a> {
    fn is_found(&self) -> bool {
        self.best.as_ref().is_some_and(|(_, trial)| trial.verdict == Verdict::Kernel)
    }

    /// What the file states: its header, and the registers of processors. All of them are tried, for the record.
    fn stated(&mut self) {
        let header = &self.dump.records.header;
        let hints = header.directory_table_base.iter().map(|&root| ("header", root));
        let hints = hints.chain(header.root_hints.iter().map(|&root| ("CPU state", root)));
        for (source, value) in hints.take(MOST_STATED) {
            for mode in modes(header.architecture, header.pae_enabled) {
                if self.attempt(source, root_of(value, mode), mode, Hints::default()) == Verdict::Kernel {
                    break;
                }
            }
        }
    }

    fn low_stub(&mut self) {
        let x64 = self.dump.records.header.architecture.is_none_or(|it| it == Architecture::X64);
        let Some(stub) = x64.then(|| stub::find(self.memory)).flatten() else { return };
        for mode in [PagingMode::X64La57, PagingMode::X64] {
            let hints = Hints { inside: Some(stub.entry) };
            if self.attempt("low stub", stub.root, mode, hints) == Verdict::Kernel {
                return;
            }
        }
    }

    /// Roots by their looks, part by part; gives the parts that were searched.
    fn scan(&mut self, depth: Depth) -> Vec<&'static str> {
        let header = &self.dump.records.header;
        let modes = modes(header.architecture, header.pae_enabled);
        let mut searched = Vec::new();
        for step in &scan::steps(self.memory, depth) {
            searched.push(step.name);
            let source = format!("scan of {}", step.name);
            let roots = scan::roots(self.memory, step, &modes);
            for (root, mode) in roots.take(MOST_SCANNED) {
                if self.attempt(&source, root, mode, Hints::default()) == Verdict::Kernel {
                    return searched;
                }
            }
        }
        searched
    }

    /// Tries a root unless it was tried before, and keeps the better one.
    fn attempt(&mut self, source: &str, root: Pa, mode: PagingMode, hints: Hints) -> Verdict {
        if root.0 == 0 || !self.tried.insert((root, mode)) {
            return Verdict::No;
        }
        let trial = trial::test(self.dump, self.memory, root, mode, hints, &mut self.pages);
        let verdict = trial.verdict;
        self.candidates.push(candidate(source, root, mode, &trial));
        if self.best.as_ref().is_none_or(|(_, best)| best.verdict < verdict) && verdict != Verdict::No {
            self.best = Some((self.candidates.len() - 1, trial));
        }
        verdict
    }

    fn finish(mut self, searched: Vec<&'static str>) -> AddressSpace<'a> {
        let header = &self.dump.records.header;
        // A root that only looks like one is used if the file states it, never if it was merely come across.
        let usable = |(at, trial): &(usize, Trial)| {
            let source = self.candidates.get(*at).map(|candidate| candidate.source.as_str());
            trial.verdict == Verdict::Kernel || matches!(source, Some("header" | "CPU state" | "low stub"))
        };
        let best = self.best.take().filter(usable);
        let chosen = best.as_ref().and_then(|(at, _)| self.candidates.get_mut(*at));
        let Some(chosen) = chosen else {
            return AddressSpace {
                architecture: header.architecture.unwrap_or(Architecture::X64),
                mode: None,
                space: Space::nothing(),
                root: None,
                kernel: None,
                candidates: self.candidates,
                searched,
            };
        };
        chosen.chosen = true;
        let (root, mode) = (chosen.root, chosen.mode);
        AddressSpace {
            architecture: architecture(mode),
            mode: Some(mode),
            space: Space::paged(self.memory, root, mode).with_build(header.build.unwrap_or(0)),
            root: Some(root),
            kernel: best.and_then(|(_, trial)| trial.kernel).map(|found| (found.base, found.source)),
            candidates: self.candidates,
            searched,
        }
    }
}

fn candidate(source: &str, root: Pa, mode: PagingMode, trial: &Trial) -> Candidate {
    Candidate {
        source: source.into(),
        root,
        mode,
        kernel_base: trial.kernel.as_ref().map(|found| found.base),
        build: trial.build,
        outcome: trial.outcome.clone(),
        chosen: false,
    }
}

/// A register or header field without the bits that are no address.
fn root_of(value: u64, mode: PagingMode) -> Pa {
    Pa(match mode {
        PagingMode::X86Pae => value & 0xffff_ffe0,
        PagingMode::X86 => value & 0xffff_f000,
        // The low bits may hold a PCID, the high ones an ASID or flags.
        _ => value & 0x0000_ffff_ffff_f000,
    })
}

/// The paging modes of an architecture, in the order in which roots have to be asked: those that pass as another last.
fn modes(architecture: Option<Architecture>, pae: Option<bool>) -> Vec<PagingMode> {
    use PagingMode::{Arm64, X64, X64La57, X86, X86Pae};
    let x86 = match pae {
        Some(true) => vec![X86Pae],
        Some(false) => vec![X86],
        None => vec![X86Pae, X86],
    };
    match architecture {
        Some(Architecture::X64) => vec![X64La57, X64],
        Some(Architecture::X86) => x86,
        Some(Architecture::Arm64) => vec![Arm64],
        None => [Arm64, X64La57, X64].into_iter().chain(x86).collect(),
    }
}

/// The root of the process `System`, for a system that was found by a root of unknown owner: the process that a root
/// was come across of may have ended.
pub(crate) fn better_root<'a>(system: &System<'a>) -> Option<(Candidate, Space<'a>)> {
    let (memory, mode) = (system.dump.image()?, system.mode?);
    let chosen = system.candidates.iter().find(|candidate| candidate.chosen)?;
    if matches!(chosen.source.as_str(), "header" | "CPU state") {
        return None;
    }
    let layout = Eprocess::of(system);
    let process = system.global_pointer("PsInitialSystemProcess")?;
    let root = root_of(system.view(process, layout.size).uint(layout.dtb)?, mode);
    if Some(root) == system.root {
        return None;
    }
    let mut pages = MOST_OF_ALL;
    let trial = trial::test(system.dump, memory, root, mode, Hints::default(), &mut pages);
    let same = trial.kernel.as_ref().map(|found| found.base) == system.kernel.as_ref().map(|k| k.base);
    if trial.verdict != Verdict::Kernel || !same {
        return None;
    }
    let better = candidate("PsInitialSystemProcess", root, mode, &trial);
    Some((Candidate { chosen: true, ..better }, Space::paged(memory, root, mode)))
}
