//! Which bytes are at this physical or virtual address?
//!
//! A dump *format* only says where pages are: [`open`] recognises a file by its content and yields
//! sorted runs and the [`records`] that the file states by itself. After that nothing knows the
//! format: [`Image`] answers for physical addresses, [`Space`] for virtual ones, and why a page
//! cannot be read is a value, [`Fault`], never a panic. Errors ([`Error`]) are for "cannot go on".

#![deny(unsafe_code)]

mod addr;
mod architecture;
mod bytes;
mod context;
mod error;
mod format;
mod image;
mod map;
mod paging;
pub mod records;
mod runs;
mod space;
mod time;

pub use addr::{PAGE_SIZE, Pa, Pfn, Va};
pub use architecture::Architecture;
pub use bytes::{Bytes, utf16_lossy};
pub use context::{Arm64, Context, Parts, Registers, X64, X86};
pub use error::{Error, ErrorKind, Fault, Result};
pub use format::{Dump, Memory, companion_of, formats, identify, open, state_file_of};
pub use image::Image;
pub use map::Map;
pub use paging::{Entry, EntryKind, PagingMode, SoftwareFormat, looks_like_root};
pub use runs::{PhysRun, PhysRuns, VirtRun, VirtRuns};
pub use space::{Mapped, Space, SpacePages};
pub use time::Time;
