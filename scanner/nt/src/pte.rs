//! Page-table entries that the processor does not follow: where their parts stand in this kernel.
//!
//! The mitigation of L1TF (2018) changed them with an update, so the build does not tell: 7601.17514 has the old ones
//! and 7601.24540 the new ones. Layouts do. Situation: the layouts are of a kernel with entries of another size (an
//! x86 kernel with PAE read by the layouts of one without). Handling: they say nothing then.

use crate::{System, layout};
use memory::{PagingMode, SoftwareFormat};
use symbols::Field;

layout! {
    /// `_MMPTE_SOFTWARE`.
    MmpteSoftware = "_MMPTE_SOFTWARE" {
        number ? "PageFileLow",
        protection ? "Protection",
        swizzle ? "SwizzleBit",
    }
}

layout! {
    /// `_MI_SYSTEM_INFORMATION` (`MiState`): what hides frames from speculation.
    MiHardware = "_MI_SYSTEM_INFORMATION" {
        invalid_mask ? "Hardware.InvalidPteMask",
    }
}

/// What was found of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    format: Option<SoftwareFormat>,
    invalid_mask: Option<u64>,
}

impl Entries {
    /// Of a system whose layouts and root are known.
    pub fn of(system: &System<'_>) -> Entries {
        let Some(mode) = system.mode else { return Entries::default() };
        let layout = MmpteSoftware::of(system);
        let size = if mode == PagingMode::X86 { 4 } else { 8 };
        let format = format(&layout).filter(|_| layout.size == size);
        Entries { format, invalid_mask: mask(system).filter(|_| size == 8) }
    }

    /// A space whose entries are read so.
    pub fn apply<'a>(&self, space: memory::Space<'a>) -> memory::Space<'a> {
        let space = self.format.map_or(space, |format| space.with_software_format(format));
        self.invalid_mask.map_or(space, |mask| space.with_invalid_pte_mask(mask))
    }
}

fn format(layout: &MmpteSoftware) -> Option<SoftwareFormat> {
    let first = |field: Option<Field>, count: u8| Some(field?.bits.filter(|bits| bits.1 == count)?.0);
    Some(SoftwareFormat {
        number_at: first(layout.number, 4)?,
        protection_at: first(layout.protection, 5)?,
        swizzles: first(layout.swizzle, 1).is_some_and(|bit| bit == 4),
    })
}

/// `MiState.Hardware.InvalidPteMask`; a variable of its own before Windows 10.
fn mask(system: &System<'_>) -> Option<u64> {
    if let Some(va) = system.global("MiInvalidPteMask") {
        return system.space.u64(va).ok();
    }
    let layout = MiHardware::of(system);
    system.view(system.global("MiState")?, 0).uint(layout.invalid_mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(first: u8, count: u8) -> Option<Field> {
        Some(Field { offset: 0, size: 8, bits: Some((first, count)) })
    }

    #[test]
    fn three_formats() {
        let of = |number, protection, swizzle| {
            let layout = MmpteSoftware { size: 8, number, protection, swizzle };
            format(&layout).map(|found| (found.number_at, found.protection_at, found.swizzles))
        };
        assert_eq!(of(bits(1, 4), bits(5, 5), None), Some((1, 5, false)));
        assert_eq!(of(bits(12, 4), bits(5, 5), bits(4, 1)), Some((12, 5, true)));
        assert_eq!(of(bits(6, 4), bits(1, 5), None), Some((6, 1, false)));
        assert_eq!(of(bits(1, 3), bits(5, 5), None), None, "no layout that anybody knows");
        assert_eq!(of(None, bits(5, 5), None), None);
    }
}
