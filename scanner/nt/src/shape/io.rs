//! Drivers, devices, files, symbolic links, sections, ports and loader entries.

use super::{Body, Level, Shapes, Verdict};
use memory::Va;
use symbols::Field;

/// `IO_TYPE_DEVICE` and `IO_TYPE_DRIVER`, first members of the objects (`wdm.h`).
const DEVICE: u16 = 3;
const DRIVER: u16 = 4;
/// Dispatch routines that a driver has.
const MAJOR_FUNCTIONS: u32 = 28;
/// Larger images are not believed.
const LARGEST_IMAGE: u32 = 0x2000_0000;

fn verdict(level: Level, why: &'static str) -> Option<Verdict> {
    Some(Verdict { level, why, stated: None })
}

impl Shapes<'_, '_> {
    pub(super) fn judge_driver(&self, body: &Body<'_>) -> Option<Verdict> {
        let (layout, view) = (&self.driver, &body.view);
        for field in [layout.first_device, layout.section, layout.extension, layout.fast_io] {
            self.pointer_or_null(body, field)?;
        }
        self.text(body, layout.name)?;
        let start = view.uint(layout.start)?;
        let size = view.u32(layout.driver_size)?;
        if start % 0x1000 != 0 || size > LARGEST_IMAGE || start != 0 && !self.kernel_pointer(start) {
            return None;
        }
        let routines = self.routines(body)?;
        let extension = view.pointer(layout.extension);
        // The first member of the extension is the driver object.
        let back = extension.is_some_and(|va| Some(va) != body.va && self.leads_to(va, 0, body.va));
        match (back, routines) {
            (true, _) => verdict(Level::High, "its extension leads back to it"),
            (_, true) if body.va.is_none() => verdict(Level::Medium, "its routines can be"),
            _ => verdict(Level::Low, "its pointers can be those of a driver: a copy, or one that is gone"),
        }
    }

    /// Whether a driver has routines; `None` if they cannot be routines.
    fn routines(&self, body: &Body<'_>) -> Option<bool> {
        let first = self.driver.dispatch?.offset;
        let mut some = false;
        for index in 0..MAJOR_FUNCTIONS {
            let offset = first + index * self.width;
            let routine = body.view.uint(Some(Field { offset, size: self.width, bits: None }))?;
            if routine != 0 && !self.kernel_half(routine) {
                return None;
            }
            some |= routine != 0;
        }
        Some(some)
    }

    /// Whether a pointer in memory leads to an address.
    fn leads_to(&self, from: Va, offset: u64, to: Option<Va>) -> bool {
        let at = from.checked_add(offset);
        to.is_some() && at.and_then(|at| self.system.space.pointer(at).ok()) == to
    }

    fn type_at(&self, va: Va) -> Option<u16> {
        self.system.space.u16(va).ok()
    }

    pub(super) fn judge_device(&self, body: &Body<'_>) -> Option<Verdict> {
        let (layout, view) = (&self.device, &body.view);
        let driver = self.pointer(body, layout.driver)?;
        for field in [layout.next, layout.attached, layout.current_irp, layout.vpb, layout.device_extension] {
            self.pointer_or_null(body, field)?;
        }
        let extension = self.pointer(body, layout.extension)?;
        let stack = view.u32(layout.stack_size)? & 0xff;
        if stack > 127 || view.u32(layout.device_type)? > 0xffff {
            return None;
        }
        let owned = self.type_at(driver) == Some(DRIVER);
        // `_DEVOBJ_EXTENSION` has `Type`, `Size`, and then the device object (`wdm.h`).
        let back = self.leads_to(extension, self.width.into(), body.va);
        match (owned, back) {
            (true, true) => verdict(Level::High, "its extension leads back to it, its driver is one"),
            (false, true) => verdict(Level::Medium, "its extension leads back to it"),
            (true, false) if body.va.is_none() => verdict(Level::Medium, "its driver is one"),
            _ => verdict(Level::Low, "its pointers can be those of a device: a copy, or one that is gone"),
        }
    }

    pub(super) fn judge_file(&self, body: &Body<'_>) -> Option<Verdict> {
        let layout = &self.file;
        let device = self.pointer(body, layout.device)?;
        let named = self.text(body, layout.name)?;
        match (self.type_at(device) == Some(DEVICE), named) {
            (true, true) => verdict(Level::High, "its device is one, its name can be"),
            (true, false) => verdict(Level::Medium, "its device is one"),
            _ => verdict(Level::Low, "its pointers can be those of a file"),
        }
    }

    pub(super) fn judge_link(&self, body: &Body<'_>) -> Option<Verdict> {
        let layout = &self.link;
        let dated = self.time(body.view.uint(layout.created)?)?;
        match self.text(body, layout.target) {
            Some(true) if dated => verdict(Level::High, "its time and target can be"),
            // Some links have a routine in the place of the text.
            _ if dated => verdict(Level::Medium, "its time can be"),
            _ => None,
        }
    }

    /// Sections have no member that tells them apart; what the object header says has to do.
    pub(super) fn judge_section(&self, _body: &Body<'_>) -> Option<Verdict> {
        verdict(Level::Medium, "its object header")
    }

    pub(super) fn judge_port(&self, _body: &Body<'_>) -> Option<Verdict> {
        verdict(Level::Medium, "its object header")
    }

    pub(super) fn judge_module(&self, body: &Body<'_>) -> Option<Verdict> {
        let (layout, view) = (&self.module, &body.view);
        let base = self.pointer(body, layout.base).filter(|base| base.0.is_multiple_of(0x1000))?;
        let size = view.u32(layout.size_of_image).filter(|size| (0x1000..=LARGEST_IMAGE).contains(size))?;
        let entry = view.uint(layout.entry_point)?;
        let inside = |va: u64| va.checked_sub(base.0).is_some_and(|at| at < size.into());
        if !size.is_multiple_of(0x20) || entry != 0 && !inside(entry) {
            return None;
        }
        if !self.text(body, layout.base_name)? || !self.text(body, layout.full_name)? {
            return None;
        }
        let linked = self.ring(body, layout.links)?;
        let image = self.system.space.u16(base) == Ok(0x5a4d);
        match (linked, image) {
            (super::Ring::Back, true) => {
                verdict(Level::High, "its list entry leads back, its image is there")
            }
            (_, true) => verdict(Level::Medium, "its image is there"),
            (super::Ring::Back, false) => verdict(Level::Medium, "its list entry leads back"),
            _ => verdict(Level::Low, "its members can be those of a loader entry"),
        }
    }
}
