//! `_KTRAP_FRAME`: the registers of what a trap, an interrupt or a system call interrupted.
//!
//! Unwind data of x64 leads over a trap frame by the frame of the processor in it; that of ARM64 says only that there
//! is one, and on x86 a frame pointer does. Each architecture has members of its own, and no kernel has all of these.

use crate::layout;

layout! {
    /// `_KTRAP_FRAME` of x86, x64 and ARM64.
    KtrapFrame = "_KTRAP_FRAME" {
        /// A number that tells debuggers of x86 that this is a trap frame.
        mark ? "DbgArgMark",
        /// The same value as `Ebp`, for debuggers.
        debug_ebp ? "DbgEbp",
        /// The same value as `Eip`, for debuggers.
        debug_eip ? "DbgEip",
        ebp ? "Ebp",
        ebx ? "Ebx",
        esi ? "Esi",
        edi ? "Edi",
        eax ? "Eax",
        ecx ? "Ecx",
        edx ? "Edx",
        /// Of x86: what the processor pushed, or 0 in its place.
        error_code ? "ErrCode",
        eip ? "Eip",
        cs ? "SegCs",
        eflags ? "EFlags",
        /// There only if the processor came from another ring.
        esp ? "HardwareEsp",
        /// The same.
        ss ? "HardwareSegSs" | "SegSs",
        rax ? "Rax",
        rcx ? "Rcx",
        rdx ? "Rdx",
        r8 ? "R8",
        r9 ? "R9",
        r10 ? "R10",
        r11 ? "R11",
        rbp ? "Rbp",
        rip ? "Rip",
        rsp ? "Rsp",
        /// Of a page fault the address that was accessed (x64, ARM64).
        fault_address ? "FaultAddress",
        /// Flags and exception level of what was interrupted (`SPSR_EL1`).
        spsr ? "Spsr",
        /// Why the exception was taken (`ESR_EL1`).
        esr ? "Esr",
        sp ? "Sp",
        lr ? "Lr",
        fp ? "Fp",
        pc ? "Pc",
        /// x0 to x18.
        x ? "X",
    }
}
