//! The kernel image through page tables: an image in the kernel's half that is named as Windows' kernel.
//!
//! Source of the ranges: MemProcFS `vmmwininit.c`; of the names: Volatility 3 `constants/windows` (public).

use crate::{ImageFacts, image_facts};
use memory::{Architecture, Image, PAGE_SIZE, PagingMode, Space, Va};

/// A kernel image that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it begins.
    pub base: Va,
    /// How it was found.
    pub source: &'static str,
}

/// PDB names of Windows' kernels.
const PDBS: [&str; 6] =
    ["ntkrnlmp.pdb", "ntkrnlpa.pdb", "ntkrpamp.pdb", "ntoskrnl.pdb", "ntkrla57.pdb", "ntkrnlup.pdb"];
/// Names that their export directories state, and under which modules import from them.
pub const KERNEL_FILES: [&str; 5] =
    ["ntoskrnl.exe", "ntkrnlmp.exe", "ntkrnlpa.exe", "ntkrpamp.exe", "ntkrla57.exe"];

/// How far below a variable of the kernel its image can begin.
const IMAGE_SPAN: u64 = 32 << 20;
/// Pages that are looked at through one root: 32 GiB of address space, all of it mapped.
const MOST_PAGES: u64 = 8 << 20;
/// Pages that are looked at through all roots together: a dump can hold hundreds that look like one.
pub const MOST_OF_ALL: u64 = 4 * MOST_PAGES;

/// The architecture that a paging mode belongs to.
pub fn architecture(mode: PagingMode) -> Architecture {
    match mode {
        PagingMode::X86 | PagingMode::X86Pae => Architecture::X86,
        PagingMode::X64 | PagingMode::X64La57 => Architecture::X64,
        PagingMode::Arm64 => Architecture::Arm64,
    }
}

/// The image whose headers lie closest below an address.
pub fn below(space: Space<'_>, near: Va) -> Option<Va> {
    let page = near.0 & !(PAGE_SIZE - 1);
    let pages = (0..IMAGE_SPAN / PAGE_SIZE).map_while(|n| page.checked_sub(n * PAGE_SIZE)).map(Va);
    pages.into_iter().find(|&base| image_facts(space, base).is_some())
}

/// Looks through the pages of the kernel's half where Windows puts its kernel; takes what it looks at from `pages`.
pub fn search(memory: Image<'_>, space: Space<'_>, mode: PagingMode, pages: &mut u64) -> Option<Found> {
    let mut left = MOST_PAGES.min(*pages);
    let before = left;
    let found = search_in(memory, space, mode, &mut left);
    *pages = pages.saturating_sub(before - left);
    found
}

fn search_in(memory: Image<'_>, space: Space<'_>, mode: PagingMode, left: &mut u64) -> Option<Found> {
    let (first, last) = match mode {
        PagingMode::X86 | PagingMode::X86Pae => (0x8000_0000, 0xffff_ffff),
        _ => (0xffff_f800_0000_0000, 0xffff_f87f_ffff_ffff),
    };
    for page in space.pages_from(Va(first)).take_while(|page| page.va.0 <= last) {
        let start = page.entry?.pa;
        let pages = page.size / PAGE_SIZE;
        let Some(rest) = left.checked_sub(pages) else {
            *left = 0;
            return None;
        };
        *left = rest;
        for at in (0..pages).map(|n| n * PAGE_SIZE) {
            // Two bytes by their physical address: most pages are no beginning of an image.
            let mark = start.checked_add(at).and_then(|pa| memory.bytes(pa, 2).ok());
            if mark != Some(b"MZ") {
                continue;
            }
            let base = page.va.checked_add(at)?;
            if is_kernel(space, base, mode) {
                return Some(Found { base, source: "image in the kernel's half" });
            }
        }
    }
    None
}

/// True if the image at `base` is a kernel of this architecture: by its PDB, by its exports, or, where neither is in
/// the dump, by a section that no other image has.
pub fn is_kernel(space: Space<'_>, base: Va, mode: PagingMode) -> bool {
    let Some(facts) = image_facts(space, base) else { return false };
    if facts.machine != machine(mode) {
        return false;
    }
    let named = |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    match (&facts.pdb_name, export_name(space, base, &facts)) {
        (Some(pdb), _) => named(&PDBS, pdb),
        (None, Some(name)) => named(&KERNEL_FILES, &name),
        (None, None) => facts.sections.iter().any(|(name, _, _)| name == "POOLCODE"),
    }
}

/// `IMAGE_FILE_HEADER.Machine` of an architecture.
pub fn machine(mode: PagingMode) -> u16 {
    match architecture(mode) {
        Architecture::X86 => 0x014c,
        Architecture::X64 => 0x8664,
        Architecture::Arm64 => 0xaa64,
    }
}

/// `IMAGE_EXPORT_DIRECTORY.Name`.
fn export_name(space: Space<'_>, base: Va, facts: &ImageFacts) -> Option<String> {
    let &(directory, size) = facts.directories.first().filter(|directory| directory.1 != 0)?;
    let _ = size;
    let name = space.u32(base.checked_add(u64::from(directory) + 12)?).ok()?;
    let bytes = space.bytes(base.checked_add(name.into())?, 16).ok()?;
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some(bytes[..end].iter().map(|&byte| char::from(byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use memory::{Pa, Pfn, PhysRun, PhysRuns};

    /// Pages of 1 GiB everywhere in the kernel's half, and no kernel in them.
    #[test]
    fn pages_are_counted_over_all_roots() {
        let table = |entry: u64| std::iter::repeat_n(entry.to_le_bytes(), 512).flatten();
        let file: Vec<u8> = table(0x2063).chain(table(0xe3)).collect();
        let (runs, _) = PhysRuns::new(vec![PhysRun { first: Pfn(1), count: 2, offset: 0 }]);
        let memory = Image::new(&file, &runs);
        let space = Space::paged(memory, Pa(0x1000), PagingMode::X64);
        let mut pages = 3 << 18;
        for _ in 0..2 {
            assert_eq!(search(memory, space, PagingMode::X64, &mut pages), None);
            assert_eq!(pages, 0);
        }
    }
}
