//! Opening a system: from an address space to the kernel, its build and its layouts.

use super::System;
use crate::{discover, pte::Entries, wanted};
use memory::{PagingMode, Va};
use symbols::Provider;

impl System<'_> {
    /// Notes what the header states wrongly of the root, and what was tried in vain.
    pub(super) fn judge_roots(&self, searched: &[&str]) {
        let told = |source: &str| self.candidates.iter().find(|candidate| candidate.source == source);
        let used = self.candidates.iter().find(|candidate| candidate.chosen);
        let header =
            told("header").filter(|_| !self.candidates.iter().any(|c| c.chosen && c.source == "header"));
        if let Some(header) = header {
            let expected = match used {
                Some(used) => format!("the kernel's root, {} by {}", used.root, used.source),
                None => "the kernel's root of page tables".into(),
            };
            let found = format!("{}: {}", header.root, header.outcome);
            self.problem("invalid", "DUMP_HEADER", "DirectoryTableBase", None, &expected, &found);
        }
        if used.is_none_or(|used| used.kernel_base.is_none() && used.outcome.contains("no kernel")) {
            let tried = self.candidates.iter().map(|c| format!("{} {}: {}", c.source, c.root, c.outcome));
            let searched = searched.iter().map(|part| format!("searched {part}"));
            let all: Vec<String> = tried.take(8).chain(searched).collect();
            let found = if all.is_empty() { "nothing to try".into() } else { all.join("; ") };
            let expected = "a root of page tables through which a Windows kernel is found";
            self.problem("no_kernel", "discovery", "", None, expected, &found);
        }
    }

    pub(super) fn find_kernel(&mut self, found: Option<(Va, &'static str)>, provider: &dyn Provider) {
        if found.is_some() {
            self.kernel = discover::kernel(self, found);
        }
        self.kdbg = discover::kdbg::find(self);
        if self.kernel.is_none() {
            self.kernel = discover::kernel(self, None);
        }
        if self.kdbg.is_none() && self.mode.is_some() {
            self.kdbg = discover::kdbg::in_image(self);
        }
        self.find_build();
        self.find_layouts(provider);
        if self.kdbg.is_none() {
            self.kdbg = discover::kdbg::find(self); // an encoded one needs symbols
        }
        if let Some((better, space)) = discover::better_root(self) {
            self.candidates.iter_mut().for_each(|candidate| candidate.chosen = false);
            (self.root, self.space) = (Some(better.root), space);
            self.candidates.push(better);
        }
        self.find_build();
        self.space = self.space.with_build(self.build);
        self.entries = Entries::of(self);
        self.space = self.entries.apply(self.space);
    }

    /// Takes the build that the kernel itself states, and notes where the header states another.
    fn find_build(&mut self) {
        let lab = self.global("NtBuildLabEx").or_else(|| self.global("NtBuildLab"));
        let by_lab = lab.and_then(|va| discover::of_lab(self.space, va));
        let shared = || discover::of_shared_data(self.space, self.mode?);
        let Some(build) = by_lab.or_else(shared) else { return };
        let header = self.dump.records.header.build;
        if let Some(stated) = header.filter(|&stated| discover::kernels_own(stated) != build) {
            let expected = format!("{build}, which the kernel's memory states");
            self.problem("invalid", "DUMP_HEADER", "MinorVersion", None, &expected, &stated.to_string());
        }
        self.build = build;
    }

    /// The public layouts of x86 before Windows 8 are of kernels without PAE, whose page-table entries are half as
    /// large. Structures that hold such entries are none of a kernel with PAE, and nobody knows its own.
    fn without_entries_of_4_bytes(&mut self) {
        let small = |name: &str| self.layouts.size(name) == Some(4);
        if self.mode != Some(PagingMode::X86Pae) || !WITH_ENTRIES.iter().any(|name| small(name)) {
            return;
        }
        self.layouts.types.retain(|name, _| !WITH_ENTRIES.contains(&name.as_str()));
        let (expected, found) =
            ("layouts of a kernel with PAE", "those of one without; what differs is left out");
        self.problem("no_layouts", "_MMPTE", "", None, expected, found);
    }

    fn find_layouts(&mut self, provider: &dyn Provider) {
        self.choice = provider.choose(&self.wish(), &wanted());
        self.layouts = std::mem::take(&mut self.choice.layouts);
        if self.build == 0 {
            self.build = self.choice.build.unwrap_or(0);
        }
        for note in self.choice.notes.clone() {
            self.problem("symbols", "symbols", "", None, "symbols of this kernel", &note);
        }
        self.without_entries_of_4_bytes();
        if self.layouts.types.is_empty() {
            let expected = "layouts of this kernel from a PDB, an ISF file or the built-in pack";
            let found = format!("{} build {}", self.architecture.name(), self.build);
            self.problem("no_layouts", "symbols", "", None, expected, &found);
        }
    }
}

/// Structures that hold page-table entries by value, the entries first: they differ with PAE (public symbols of XP).
const WITH_ENTRIES: [&str; 9] = [
    "_MMPTE_SOFTWARE",
    "_MMPTE_TRANSITION",
    "_MMPTE_PROTOTYPE",
    "_MMPTE_SUBSECTION",
    "_MMPTE_HARDWARE",
    "_HARDWARE_PTE",
    "_MMPTE",
    "_MMPFN",
    "_SEGMENT",
];

/// The name of a paging mode, as in `discovery.mode`.
pub fn mode_name(mode: PagingMode) -> &'static str {
    match mode {
        PagingMode::X86 => "x86",
        PagingMode::X86Pae => "x86 PAE",
        PagingMode::X64 => "x64 4 levels",
        PagingMode::X64La57 => "x64 5 levels",
        PagingMode::Arm64 => "ARM64",
    }
}
