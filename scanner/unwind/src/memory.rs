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

    fn lacks_page(&self, page: u64) -> bool {
        (**self).lacks_page(page)
    }
}

impl Memory for Space<'_> {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        Space::read(self, Va(va), out).is_ok()
    }

    /// A page that no page table leads to is lacking as a whole; captured blocks begin and end anywhere.
    fn lacks_page(&self, page: u64) -> bool {
        !self.is_captured() && Space::read(self, Va(page), &mut [0]).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::memory::{Image, Pa, PagingMode, Pfn, PhysRun, PhysRuns};

    #[test]
    fn only_pages_of_page_tables_are_known_to_lack() {
        let (file, run) = ([0; 0x2000], PhysRun { first: Pfn(0), count: 2, offset: 0 });
        let (runs, _) = PhysRuns::new(vec![run]);
        let paged = Space::paged(Image::new(&file, &runs), Pa(0x1000), PagingMode::X64);
        assert!(paged.lacks_page(0x5000) && (&paged as &dyn Memory).lacks_page(0x5000));
        assert!(!Space::nothing().lacks_page(0x5000));
    }
}
