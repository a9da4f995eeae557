//! The page-frame database: what Windows knows of each physical page.

use crate::{System, View, layout};
use memory::{PAGE_SIZE, Pfn, Va};
use std::borrow::Cow;

layout! {
    /// `_MMPFN`.
    Mmpfn = "_MMPFN" {
        location ? "u3.e1.PageLocation",
        modified ? "u3.e1.Modified",
        /// In a part of its own since Windows 10.
        priority ? "u3.e3.Priority" | "u3.e1.Priority",
        references ? "u3.ReferenceCount" | "u3.e2.ReferenceCount",
        shares ? "u2.ShareCount",
        pte ? "PteAddress",
        pte_frame ? "u4.PteFrame",
        prototype ? "u4.PrototypePte",
    }
}

/// `_MMPFN.u3.e1.PageLocation`: which list the page is on (`MMLISTS`, public symbols).
const LISTS: [&str; 8] =
    ["zeroed", "free", "standby", "modified", "modified no write", "bad", "active", "transition"];

/// What the database says of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Name of the list that it is on; `active` is none.
    pub list: Option<&'static str>,
    /// It differs from what is on disk.
    pub modified: Option<bool>,
    /// 0 to 7.
    pub priority: Option<u8>,
    /// `ReferenceCount`.
    pub references: Option<u32>,
    /// `ShareCount`, of active pages the number of entries of page tables that lead to it; of others the member is a
    /// link.
    pub shares: Option<u64>,
    /// Address of the entry that leads to it (`PteAddress`).
    pub pte: Option<Va>,
    /// Frame of the table that holds that entry (`PteFrame`).
    pub pte_frame: Option<u64>,
    /// That entry is a prototype: the page belongs to a section.
    pub prototype: Option<bool>,
}

/// Reads the database.
pub struct Frames<'s, 'a> {
    system: &'s System<'a>,
    layout: Mmpfn,
    base: Va,
}

impl<'s, 'a> Frames<'s, 'a> {
    /// `None` if nothing says where it is or what its entries look like.
    pub fn new(system: &'s System<'a>) -> Option<Frames<'s, 'a>> {
        let layout = Mmpfn::of(system);
        // The header and the debugger block name the variable or the database itself; the variable leads to it.
        let base = system.global_pointer("MmPfnDatabase")?;
        (layout.size != 0 && layout.location.is_some() && system.is_kernel(base)).then_some(Frames {
            system,
            layout,
            base,
        })
    }

    /// For many frames one after the other.
    pub fn in_order(&self) -> InOrder<'_, 's, 'a> {
        InOrder { frames: self, page: u64::MAX, bytes: None }
    }

    /// The entry of a frame; `None` if it is not in the dump.
    pub fn get(&self, pfn: Pfn) -> Option<Frame> {
        self.frame(&self.system.view(self.at(pfn)?, self.layout.size))
    }

    fn at(&self, pfn: Pfn) -> Option<Va> {
        self.base.checked_add(pfn.0.checked_mul(self.layout.size.into())?)
    }

    fn frame(&self, view: &View<'a>) -> Option<Frame> {
        if !view.is_whole() {
            return None;
        }
        let layout = &self.layout;
        let location = view.u8(layout.location)?;
        let list = LISTS.get(usize::from(location)).copied();
        let active = list == Some("active");
        Some(Frame {
            list,
            modified: view.flag(layout.modified),
            priority: view.u8(layout.priority),
            references: view.u32(layout.references),
            shares: view.uint(layout.shares).filter(|_| active),
            pte: view.pointer(layout.pte).filter(|va| va.0 != 0),
            pte_frame: view.uint(layout.pte_frame).filter(|_| active),
            prototype: view.flag(layout.prototype),
        })
    }
}

/// The database read frame after frame: the page of it that was read last is kept, since looking for a page takes longer
/// than reading the 85 entries that lie on it.
pub struct InOrder<'f, 's, 'a> {
    frames: &'f Frames<'s, 'a>,
    page: u64,
    bytes: Option<&'a [u8]>,
}

impl InOrder<'_, '_, '_> {
    /// As [`Frames::get`].
    pub fn get(&mut self, pfn: Pfn) -> Option<Frame> {
        let (frames, va) = (self.frames, self.frames.at(pfn)?);
        let (page, offset) = (va.0 & !(PAGE_SIZE - 1), (va.0 % PAGE_SIZE) as usize);
        if self.page != page {
            self.bytes = match frames.system.space.bytes(Va(page), PAGE_SIZE as usize) {
                Ok(Cow::Borrowed(bytes)) => Some(bytes),
                _ => None,
            };
            self.page = page;
        }
        let size = frames.layout.size as usize;
        match self.bytes.and_then(|bytes| bytes.get(offset..offset.checked_add(size)?)) {
            Some(bytes) => {
                let system = frames.system;
                frames.frame(&View::within(system.space, va, bytes, system.pointer_size()))
            }
            // On two pages, or on one that is not there as a whole.
            None => frames.get(pfn),
        }
    }
}
