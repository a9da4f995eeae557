//! Which frames does this stack hold?
//!
//! Unwinding undoes, one frame at a time, what a function did to the registers: from the registers inside it come the
//! registers of its caller. An architecture is a file, all of the same shape: `Registers`, and `step`, which turns
//! them into the caller's. What the function did is told by the image that holds its code ([`Image`]), and what it
//! saved is on the stack; both are read through [`Memory`], so they come from a dump, from an image file or from a test.
//!
//! Nothing here believes what it reads: every walk has a bound, every sum is checked, and what cannot be known is a
//! [`Why`], never a guess.

#![forbid(unsafe_code)]

pub mod arm64;
mod cache;
pub mod call;
mod file;
mod image;
mod memory;
mod why;
pub mod x64;
pub mod x86;

pub use cache::Cached;
pub use file::ImageFile;
pub use image::{Image, MACHINE_AMD64, MACHINE_ARM64, MACHINE_ARM64EC, MACHINE_I386};
pub use memory::Memory;
pub use why::Why;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Unwind data of the function was applied, or its own instructions where they tell.
    Unwound,
    /// The address is in no function that has unwind data: a function that changed nothing but the instruction
    /// pointer, so its return address is on top of the stack (or in the link register).
    Leaf,
    /// As `Unwound`, but the return address was not where it should be, and was found above by a search: what lies
    /// between may be parameters of the next call, or frames that were missed.
    Searched,
    /// What the compiler left of the function's frame in its PDB was applied (x86).
    FrameData,
    /// Nothing describes the function; its frame pointer was believed, and a return address is where it should be.
    FramePointer,
    /// As `Unwound`, but the instruction pointer now is exact, so the next step is a `first` one: a part of an epilogue
    /// that is called, and has already done what it does to its caller's frame.
    Exact,
    /// The function was entered by a trap, an interrupt or a system call: the registers now are those that the
    /// processor saved, and the instruction pointer is the *interrupted* instruction, not a return address, so the
    /// next step is a `first` one.
    MachineFrame {
        /// Virtual address of the instruction pointer in the machine frame, which comes after the error code if it has
        /// one.
        at: u64,
        /// An error code lies below it (x64, and every x86 kernel trap; ARM64 has it in a register).
        error_code: bool,
    },
}
