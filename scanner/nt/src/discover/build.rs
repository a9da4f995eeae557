//! Which build of Windows is it? What the kernel itself keeps is believed before the header of a dump.
//!
//! Situation: tools that write dumps of running systems state another build than the kernel's; enablement packages
//! change the build that Windows shows, not the kernel. Handling: `NtBuildLab` names the kernel's own build;
//! `KUSER_SHARED_DATA.NtBuildNumber` (since Windows 10) is taken back to the kernel that an enablement package is for.

use crate::Kdbg;
use memory::{PagingMode, Space, Va};

/// Builds that are believed: Windows 2000 to some that are not out yet.
const BELIEVED: std::ops::Range<u32> = 2195..100_000;

/// The first number of `NtBuildLab`, such as `19041.1.amd64fre.vb_release.191206-1406`.
pub fn of_lab(space: Space<'_>, va: Va) -> Option<u32> {
    let mut text = [0; 8];
    space.read(va, &mut text).ok()?;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let ends = text.get(digits).is_some_and(|&byte| byte == b'.');
    let number = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    (ends && BELIEVED.contains(&number)).then_some(number)
}

/// The build by the debugger block.
pub fn of_kdbg(space: Space<'_>, kdbg: &Kdbg) -> Option<u32> {
    of_lab(space, kdbg.variable("NtBuildLabEx")?)
}

/// `KUSER_SHARED_DATA.NtBuildNumber`, which is zero before Windows 10.
pub fn of_shared_data(space: Space<'_>, mode: PagingMode) -> Option<u32> {
    let va = match mode {
        PagingMode::X86 | PagingMode::X86Pae => 0xffdf_0000,
        _ => 0xffff_f780_0000_0000u64,
    };
    space.u32(Va(va + 0x260)).ok().filter(|build| BELIEVED.contains(build)).map(kernels_own)
}

/// The build of the kernel under an enablement package.
pub fn kernels_own(shown: u32) -> u32 {
    match shown {
        18363 => 18362,
        19042..=19045 => 19041,
        22631 => 22621,
        26200 => 26100,
        other => other,
    }
}
