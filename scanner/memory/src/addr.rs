//! Addresses as types: physical, virtual and page-frame numbers never mix by accident.

use std::fmt;

/// Bytes in a page frame, on every architecture that Windows runs on (4 KiB granule on ARM64).
pub const PAGE_SIZE: u64 = 0x1000;

/// A physical address.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pa(pub u64);

/// A virtual address, in canonical form where the architecture has one.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Va(pub u64);

/// A page-frame number: a physical address divided by [`PAGE_SIZE`].
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pfn(pub u64);

impl Pa {
    /// The frame that holds this address.
    pub fn pfn(self) -> Pfn {
        Pfn(self.0 / PAGE_SIZE)
    }

    /// The address `bytes` further, `None` past the end of the address space.
    pub fn checked_add(self, bytes: u64) -> Option<Pa> {
        self.0.checked_add(bytes).map(Pa)
    }
}

impl Va {
    /// The address `bytes` further, `None` past the end of the address space.
    pub fn checked_add(self, bytes: u64) -> Option<Va> {
        self.0.checked_add(bytes).map(Va)
    }
}

impl Pfn {
    /// First address of the frame, `None` where the number is beyond 52 bits of frames.
    pub fn pa(self) -> Option<Pa> {
        self.0.checked_mul(PAGE_SIZE).map(Pa)
    }
}

macro_rules! hex {
    ($($type:ident),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({:#x})"), self.0)
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    )*};
}
hex!(Pa, Va, Pfn);
