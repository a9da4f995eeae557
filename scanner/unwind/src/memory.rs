//! Memory of stacks and images, read by virtual address.

use ::memory::{Space, Va};

/// Memory that is read by virtual address. Threads share it.
pub trait Memory: Sync {
    /// Fills `out` with the bytes at `va`; false if one of them is not there, and then `out` has no meaning.
    fn read(&self, va: u64, out: &mut [u8]) -> bool;

    /// True if it is known that not a byte of the page at `page` is there; false says nothing.
    fn lacks_page(&self, _page: u64) -> bool {
        false
    }
}

impl<M: Memory + ?Sized> Memory for &M {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        (**self).read(va, out)
    }
}

impl Memory for Space<'_> {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        Space::read(self, Va(va), out).is_ok()
    }
}
