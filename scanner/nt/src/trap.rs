//! `_KTRAP_FRAME`: the registers of what a trap, an interrupt or a system call interrupted.
//!
//! Unwind data of x64 leads over a trap frame by the frame of the processor in it; that of ARM64 says only that there
//! is one, and on x86 a frame pointer does.

use crate::layout;

layout! {
    /// `_KTRAP_FRAME` of x86 and of ARM64.
    KtrapFrame = "_KTRAP_FRAME" {
        /// A number that tells debuggers of x86 that this is a trap frame.
        mark ? "DbgArgMark",
        ebp ? "Ebp",
        ebx ? "Ebx",
        esi ? "Esi",
        edi ? "Edi",
        eax ? "Eax",
        ecx ? "Ecx",
        edx ? "Edx",
        eip ? "Eip",
        cs ? "SegCs",
        eflags ? "EFlags",
        /// There only if the processor came from another ring.
        esp ? "HardwareEsp",
        sp ? "Sp",
        lr ? "Lr",
        fp ? "Fp",
        pc ? "Pc",
        /// x0 to x18.
        x ? "X",
    }
}
