//! From a virtual address to a physical one: one bounded walk for every architecture.
//!
//! What differs between architectures is data ([`Rules`], one constant each in [`x86`], [`x64`] and
//! [`arm64`]): how many levels, how an entry is cut, which entries end the walk early as large pages.
//! What Windows writes into entries that the processor does not look at is decoded in [`software`].

mod arm64;
mod pages;
mod recent;
mod root;
mod software;
#[cfg(test)]
mod tests;
mod walk;
mod x64;
mod x86;

pub(crate) use pages::Pages;
pub use root::looks_like_root;
pub(crate) use software::Software;
pub use software::SoftwareFormat;
pub(crate) use walk::Walk;

use crate::addr::{Pa, Va};

/// How virtual addresses are translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PagingMode {
    /// 32-bit x86, two levels of 1024 entries of 4 bytes.
    X86,
    /// 32-bit x86 with physical address extension: 4 pointers, then two levels of 512 entries of 8 bytes.
    X86Pae,
    /// x64 with 4 levels, 48-bit addresses.
    X64,
    /// x64 with 5 levels, 57-bit addresses.
    X64La57,
    /// ARM64, 4 KiB granule, 4 levels, both halves from one root unless a user root is given.
    Arm64,
}

/// What a leaf of the page tables says about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// First physical address of the page.
    pub pa: Pa,
    /// Bytes of the page: 4 KiB, 2 MiB, 4 MiB or 1 GiB.
    pub size: u64,
    /// The entry as it stands in memory (of a prototype page: the prototype's).
    pub raw: u64,
    /// How the entry leads to the page.
    pub kind: EntryKind,
    /// The processor may write. False for pages in transition.
    pub writable: bool,
    /// User mode may access. False for pages in transition.
    pub user: bool,
    /// The processor may execute. False for pages in transition.
    pub executable: bool,
}

impl Entry {
    /// Where `va`, an address in the page of this entry, is in physical memory.
    pub(crate) fn at(&self, va: Va) -> Pa {
        Pa(self.pa.0 | va.0 & (self.size - 1)) // pages are aligned to their size, a power of two
    }
}

/// How an entry leads to its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// The processor follows it.
    Valid,
    /// Windows took it from the process, but the page is still in memory (`_MMPTE_TRANSITION`).
    Transition,
    /// It refers to a prototype entry, which leads to the page (`_MMPTE_PROTOTYPE`).
    Prototype,
}

/// The constants of one architecture.
pub(crate) struct Rules {
    /// Bytes of an entry: 4 or 8.
    pub entry_size: u64,
    /// The levels from the root down.
    pub levels: &'static [Level],
    /// Bits of the root register that are the root's address.
    pub root_mask: u64,
    /// Bits of an entry that are a frame's address.
    pub frame_mask: u64,
    /// Bits that must be zero in every valid entry.
    pub reserved: u64,
    /// Bits of a virtual address that mean something; above them it is sign-extended when `canonical`.
    pub va_bits: u32,
    /// True when addresses are sign-extended from `va_bits`; else those above are not addresses at all.
    pub canonical: bool,
    /// What the processor makes of the bits of an entry.
    pub valid: fn(entry: u64, last: bool) -> bool,
    /// True when a valid entry above the last level is a page.
    pub large: fn(entry: u64) -> bool,
    /// Access rights of an entry: writable, user, executable.
    pub rights: fn(entry: u64, kernel_va: bool) -> [bool; 3],
    /// True when an entry's rights are cut by those of the levels above.
    pub rights_add_up: bool,
}

/// One level of tables.
pub(crate) struct Level {
    /// Lowest bit of the virtual address that indexes it.
    pub shift: u32,
    /// Number of index bits.
    pub bits: u32,
    /// The page that an entry of this level can be, where it can.
    pub large: Option<Large>,
    /// Bits that must be zero in a valid entry of this level that refers to a table.
    pub reserved: u64,
}

/// A large page of some level.
pub(crate) struct Large {
    /// The page's physical address.
    pub frame: fn(entry: u64) -> u64,
    /// Bits that must be zero.
    pub reserved: u64,
}

impl PagingMode {
    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            PagingMode::X86 => &x86::PLAIN,
            PagingMode::X86Pae => &x86::PAE,
            PagingMode::X64 => &x64::FOUR_LEVELS,
            PagingMode::X64La57 => &x64::FIVE_LEVELS,
            PagingMode::Arm64 => &arm64::RULES,
        }
    }

    /// The mode of a system; `pae` matters on x86 only. Five levels cannot be told from the
    /// architecture: the kernel's name (`ntkrla57.exe`) or CR4 tells.
    pub fn of(architecture: crate::records::Architecture, pae: bool) -> PagingMode {
        use crate::records::Architecture;
        match (architecture, pae) {
            (Architecture::X86, false) => PagingMode::X86,
            (Architecture::X86, true) => PagingMode::X86Pae,
            (Architecture::X64, _) => PagingMode::X64,
            (Architecture::Arm64, _) => PagingMode::Arm64,
        }
    }
}

impl Rules {
    /// True when `va` can be translated at all.
    pub fn is_canonical(&self, va: u64) -> bool {
        self.extend(va & low_bits(self.va_bits)) == va
    }

    /// The canonical form of the low bits of an address.
    pub fn extend(&self, low: u64) -> u64 {
        let sign = low >> (self.va_bits - 1) & 1 == 1;
        if self.canonical && sign { low | !low_bits(self.va_bits) } else { low }
    }

    /// True for an address in the upper half, the kernel's.
    pub fn is_kernel(&self, va: u64) -> bool {
        va >> (self.va_bits - 1) & 1 == 1
    }
}

/// A mask of the lowest `bits` bits, fewer than 64.
pub(crate) const fn low_bits(bits: u32) -> u64 {
    (1 << bits) - 1
}
