//! Why a step could not be made.

use std::fmt;

/// Why unwinding cannot go on. [`Why::name`] is stable, for tables; the `Display` text is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// These bytes are not readable (virtual address).
    NoMemory(u64),
    /// There is no image, or no unwind data, that covers the instruction pointer, and no rule that says what that means.
    NoUnwindData,
    /// The unwind data breaks its own rules; the text says which one.
    BadUnwindData(&'static str),
    /// The caller's stack pointer would not be above the callee's: the frame cannot be real.
    SpNotRising,
    /// The stack pointer is not aligned as this architecture wants it.
    SpNotAligned,
    /// The value of a register that the unwind data builds upon is not known.
    UnknownRegister,
    /// The unwind data says something that this program cannot follow; the text names it.
    NotSupported(&'static str),
    /// This is no image of the architecture that was asked for; the text says why.
    NotAnImage(&'static str),
}

impl Why {
    /// Short, stable name for a column.
    pub fn name(&self) -> &'static str {
        match self {
            Why::NoMemory(_) => "no memory",
            Why::NoUnwindData => "no unwind data",
            Why::BadUnwindData(_) => "bad unwind data",
            Why::SpNotRising => "sp not rising",
            Why::SpNotAligned => "sp not aligned",
            Why::UnknownRegister => "unknown register",
            Why::NotSupported(_) => "not supported",
            Why::NotAnImage(_) => "not an image",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Why::NoMemory(va) => write!(f, "no memory at {va:#x}"),
            Why::BadUnwindData(text) | Why::NotSupported(text) | Why::NotAnImage(text) => {
                write!(f, "{}: {text}", self.name())
            }
            _ => f.write_str(self.name()),
        }
    }
}

impl std::error::Error for Why {}
