//! Stacks of threads: where a walk starts, the walk itself, and how it ends.
//!
//! Frames come innermost first. Each says how it was found: by a register context, by unwind data, over a trap frame,
//! or by looking for a return address when unwinding could not go on; and the walk says why it ended. A walk that ends
//! early is a result, not an error.

mod all;
mod anchors;
mod claims;
mod halves;
mod link;
mod parameters;
mod places;
mod processors;
mod recursion;
mod registers;
mod start;
mod traps;
mod user;
mod walk;
mod within;
mod wow64;

pub use all::{Ids, ThreadStack, all};
pub use anchors::StatedFault;
use claims::Claims;
pub use parameters::Parameters;
pub use processors::size_below;
pub use recursion::recursion;
pub use registers::Registers;
pub use start::{SWAPPED_OUT, Start, Starts};
pub use traps::{Crossing, Trap};
pub use user::of_minidump;
pub use walk::{Bounds, walk};

use memory::Architecture;

/// How a frame was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Registers that the dump states: of a processor, or saved for a thread.
    Context,
    /// Unwind data of the function called.
    Unwind,
    /// What the compiler left of the frame of the function called in its PDB (x86).
    FrameData,
    /// A chain of frame pointers, where nothing better describes the function.
    FramePointer,
    /// The function called had no unwind data: a leaf.
    Leaf,
    /// Registers that a trap, an interrupt or a system call saved.
    Trap,
    /// A word of the stack that is an address behind a call.
    Scan,
}

impl Method {
    /// As in `frames.method`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Context => "context",
            Method::Unwind => "unwind",
            Method::FrameData => "frame data",
            Method::FramePointer => "frame pointer",
            Method::Leaf => "leaf",
            Method::Trap => "trap",
            Method::Scan => "scan",
        }
    }
}

/// How far a frame can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A word that looks like a return address, and the code that would tell is not in the dump.
    Low,
    /// A word behind a call instruction; it may be left from an earlier call.
    Medium,
    /// Registers, or unwind data from registers.
    High,
}

impl Confidence {
    /// As in `frames.confidence`.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Instruction pointer: the next instruction of the innermost frame and of a trapped one, else a return address.
    pub ip: u64,
    /// Stack pointer.
    pub sp: u64,
    /// How it was found.
    pub method: Method,
    /// How far it can be believed.
    pub confidence: Confidence,
    /// Which stack it lies on.
    pub kind: Kind,
    /// Which instructions its code is of.
    pub set: Architecture,
    /// `ip` is the next instruction, not a return address.
    pub exact: bool,
}

impl Frame {
    /// In user mode.
    pub fn is_user(&self) -> bool {
        self.kind.is_user()
    }
}

/// Which stack a frame lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The thread's own in the kernel.
    Kernel,
    /// The thread's in user mode.
    User,
    /// The 32-bit one of a thread of a 32-bit process on a 64-bit system.
    Wow64,
    /// The one on which a processor runs deferred calls.
    Dpc,
    /// One on which a processor takes interrupts, or traps that may not trust the stack.
    Interrupt,
}

impl Kind {
    /// In user mode.
    pub fn is_user(self) -> bool {
        matches!(self, Kind::User | Kind::Wow64)
    }

    /// As in `frames.stack`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Kernel => "kernel",
            Kind::User => "user",
            Kind::Wow64 => "wow64",
            Kind::Dpc => "dpc",
            Kind::Interrupt => "interrupt",
        }
    }
}

/// Why a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The first function of the thread has no caller.
    ThreadStart,
    /// The kernel part is over and the user part cannot be followed: no such memory.
    UserMode,
    /// Nothing above on the stack looks like a return address.
    StackBase,
    /// Unwinding failed and no return address was found above.
    Lost(unwind::Why),
    /// The stack is not in the dump.
    NoStack,
    /// More frames than a stack can have.
    TooMany,
    /// Where it would start is not known.
    NoStart(&'static str),
}

impl End {
    /// As in `stacks.end_reason`.
    pub fn name(&self) -> &'static str {
        match self {
            End::ThreadStart => "thread start",
            End::UserMode => "user mode",
            End::StackBase => "stack base",
            End::Lost(_) => "lost",
            End::NoStack => "no stack",
            End::TooMany => "too many frames",
            End::NoStart(_) => "no start",
        }
    }

    /// What explains it.
    pub fn detail(&self) -> Option<String> {
        match self {
            End::Lost(why) => Some(why.to_string()),
            End::NoStart(why) => Some((*why).to_string()),
            _ => None,
        }
    }

    /// True if frames may be missing.
    pub fn truncated(&self) -> bool {
        !matches!(self, End::ThreadStart | End::UserMode)
    }
}

/// The frames of a thread, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// The frames.
    pub frames: Vec<Frame>,
    /// Why there are no more.
    pub end: End,
    /// Why unwinding gave way to looking for return addresses, the first time.
    pub gave_way: Option<unwind::Why>,
    /// The registers of the frames whose `ip` is the next instruction.
    pub exact: Vec<Exact>,
    /// Where it went over a trap.
    pub crossings: Vec<Crossing>,
}

/// The registers where a thread stopped or was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact {
    /// Number of the frame in its stack.
    pub frame: usize,
    /// What is known of them there.
    pub registers: Registers,
}
