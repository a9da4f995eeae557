//! Is this root the kernel's? A root is believed when Windows' kernel is found through it.
//!
//! Situation: headers state roots that are stale or another machine's, registers hold those of a process or the user
//! half of one, and freed roots still refer to themselves. Handling: every root has to show the kernel: its debugger
//! block, its process list, or its image.

use super::{build, image};
use crate::{Kdbg, image_facts};
use memory::{Dump, Image, Pa, PagingMode, Space, Va, looks_like_root};

/// How much a root has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is no root of page tables.
    No,
    /// It is one, but no kernel was found through it.
    Root,
    /// The kernel was found through it.
    Kernel,
}

/// What became of a root.
pub struct Trial {
    /// How much it has shown.
    pub verdict: Verdict,
    /// The kernel image, where it was found.
    pub kernel: Option<image::Found>,
    /// Build number by the kernel's own memory.
    pub build: Option<u32>,
    /// In words.
    pub outcome: String,
}

/// Where to look first.
#[derive(Clone, Copy, Default)]
pub struct Hints {
    /// An address in the kernel image.
    pub inside: Option<Va>,
}

/// Tests one root; `pages` is how many pages may be looked at for a kernel.
pub fn test(
    dump: &Dump,
    memory: Image<'_>,
    root: Pa,
    mode: PagingMode,
    hints: Hints,
    pages: &mut u64,
) -> Trial {
    if !looks_like_root(memory, root, mode) {
        let absent = memory.page(root.pfn()).is_err();
        let outcome = if absent { "not in the dump" } else { "no root of page tables" };
        return Trial { verdict: Verdict::No, kernel: None, build: None, outcome: outcome.into() };
    }
    let space = Space::paged(memory, root, mode);
    let narrow = matches!(mode, PagingMode::X86 | PagingMode::X86Pae);
    let stated = Stated::of(dump, narrow);
    let block = stated.block.and_then(|va| Kdbg::read(space, va, narrow));
    let place = Place { memory, space, mode };
    let (kernel, mut words) = kernel(&place, &stated, block.as_ref(), hints, pages);
    let list = stated.processes.map(|head| is_ring(space, head));
    if list == Some(true) {
        words.push("the process list is readable".into());
    }
    let found = kernel.is_some() || block.is_some() || list == Some(true);
    if !found {
        words.push("a root of page tables, but no kernel was found through it".into());
    }
    let number = block.as_ref().and_then(|block| build::of_kdbg(space, block));
    Trial {
        verdict: if found { Verdict::Kernel } else { Verdict::Root },
        kernel,
        build: number.or_else(|| found.then(|| build::of_shared_data(space, mode)).flatten()),
        outcome: words.join("; "),
    }
}

/// Memory as a root shows it.
struct Place<'a> {
    memory: Image<'a>,
    space: Space<'a>,
    mode: PagingMode,
}

/// Addresses that the header states.
struct Stated {
    block: Option<Va>,
    modules: Option<Va>,
    processes: Option<Va>,
}

impl Stated {
    fn of(dump: &Dump, narrow: bool) -> Stated {
        let header = &dump.records.header;
        let mask = if narrow { 0xffff_ffff } else { u64::MAX };
        let address = |value: Option<u64>| value.filter(|&va| va != 0).map(|va| Va(va & mask));
        Stated {
            block: address(header.kd_debugger_data_block),
            modules: address(header.ps_loaded_module_list),
            processes: address(header.ps_active_process_head),
        }
    }
}

/// The kernel image: where the debugger block says, below what is known to lie in it, or anywhere.
fn kernel(
    &Place { memory, space, mode }: &Place<'_>,
    stated: &Stated,
    block: Option<&Kdbg>,
    hints: Hints,
    pages: &mut u64,
) -> (Option<image::Found>, Vec<String>) {
    let mut words = Vec::new();
    if let Some(base) = block.and_then(Kdbg::kernel_base) {
        match image_facts(space, base) {
            Some(_) if image::is_kernel(space, base, mode) => {
                words.push(format!("the debugger block and the kernel at {base} agree"));
                return (Some(image::Found { base, source: "debugger block" }), words);
            }
            Some(_) => words.push(format!("the debugger block names {base}, where no kernel is")),
            None => {
                words.push(format!("the debugger block names {base}, whose headers are not in the dump"));
                return (Some(image::Found { base, source: "debugger block" }), words);
            }
        }
    }
    let below = |near: Va| image::below(space, near).filter(|&base| image::is_kernel(space, base, mode));
    let near = |near: Option<Va>, source| Some(image::Found { base: below(near?)?, source });
    let found = near(hints.inside, "image below the entry of the low stub")
        .or_else(|| near(stated.modules, "image below PsLoadedModuleList"))
        .or_else(|| image::search(memory, space, mode, pages));
    words.extend(found.as_ref().map(|found| format!("the kernel's image is at {}", found.base)));
    (found, words)
}

/// True for the head of a list whose first entry refers back to it.
fn is_ring(space: Space<'_>, head: Va) -> bool {
    let width = if space.pointer_size() == 4 { 4 } else { 8 };
    let back = |next: Va| space.pointer(next.checked_add(width)?).ok();
    space.pointer(head).ok().and_then(back) == Some(head)
}
