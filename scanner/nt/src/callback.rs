//! Routines that drivers registered to be called by the kernel.
//!
//! The structures are in no PDB but are public: `KBUGCHECK_CALLBACK_RECORD` and `KBUGCHECK_REASON_CALLBACK_RECORD` in
//! wdm.h, the others as volatility3 has them in `callbacks-x64.json` and `callbacks-x86.json`. Offsets are of
//! (64-bit, 32-bit) kernels.

use crate::{System, View, layout};
use memory::{PAGE_SIZE, Va};
use symbols::Field;

layout! {
    /// `_DEVICE_OBJECT`, as far as it leads to its driver.
    Device = "_DEVICE_OBJECT" {
        driver: "DriverObject",
    }
}

layout! {
    /// `_DRIVER_OBJECT`, as far as it has routines.
    Driver = "_DRIVER_OBJECT" {
        major: "MajorFunction",
    }
}

/// `IRP_MJ_SHUTDOWN`.
const SHUTDOWN: u32 = 0x10;

/// A registered routine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Callback {
    /// What it is called for.
    pub kind: &'static str,
    /// Variable that leads to it.
    pub source: &'static str,
    /// Slot or place in the list.
    pub slot: u32,
    /// Address of the structure.
    pub entry: Va,
    /// The routine.
    pub routine: Option<Va>,
    /// Component or altitude.
    pub name: Option<String>,
    /// Value that goes with it.
    pub context: Option<u64>,
    /// Reason of a bugcheck reason callback.
    pub reason: Option<u32>,
    /// Device of a shutdown callback.
    pub device: Option<Va>,
    /// Driver of a shutdown or file-system callback.
    pub driver: Option<Va>,
    /// Object type of an object callback.
    pub object_type: Option<String>,
    /// `OB_OPERATION` bits of an object callback.
    pub operations: Option<u32>,
}

/// What a list or an array holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Array of `EX_FAST_REF` to `EX_CALLBACK_ROUTINE_BLOCK`, with its number of slots: since Windows Vista, before.
    Blocks(u32, u32),
    /// `CM_CALLBACK_ENTRY`.
    Registry,
    /// `KBUGCHECK_CALLBACK_RECORD`.
    Bugcheck,
    /// `KBUGCHECK_REASON_CALLBACK_RECORD`.
    Reason,
    /// `SHUTDOWN_PACKET`.
    Shutdown,
    /// `NOTIFICATION_PACKET`.
    FileSystem,
}

/// Every source. The arrays of notify routines have 512 bytes in the x64 kernels 7601 to 22000 (distance to the next
/// symbol), which is 64 slots; for 32-bit kernels before Windows Vista 8 slots are documented.
const SOURCES: &[(&str, &str, Shape)] = &[
    ("process", "PspCreateProcessNotifyRoutine", Shape::Blocks(64, 8)),
    ("thread", "PspCreateThreadNotifyRoutine", Shape::Blocks(64, 8)),
    ("image", "PspLoadImageNotifyRoutine", Shape::Blocks(64, 8)),
    ("registry", "CmpCallBackVector", Shape::Blocks(0, 100)),
    ("registry", "CallbackListHead", Shape::Registry),
    ("bugcheck", "KeBugCheckCallbackListHead", Shape::Bugcheck),
    ("bugcheck reason", "KeBugCheckReasonCallbackListHead", Shape::Reason),
    ("bugcheck pages", "KeBugCheckAddRemovePagesCallbackListHead", Shape::Reason),
    ("shutdown", "IopNotifyShutdownQueueHead", Shape::Shutdown),
    ("last chance shutdown", "IopNotifyLastChanceShutdownQueueHead", Shape::Shutdown),
    ("file system registration", "IopFsNotifyChangeQueueHead", Shape::FileSystem),
];

/// Sources that some builds do not have.
const OPTIONAL: &[&str] =
    &["CmpCallBackVector", "CallbackListHead", "KeBugCheckAddRemovePagesCallbackListHead"];

impl System<'_> {
    /// Every registered routine, source by source.
    pub fn callbacks(&self) -> Vec<Callback> {
        let mut found = Vec::new();
        for &(kind, source, shape) in SOURCES {
            let at =
                if OPTIONAL.contains(&source) { self.global(source) } else { self.needed_global(source) };
            let Some(at) = at else { continue };
            let new = |(slot, entry): (u32, Va)| {
                let empty = Callback { kind, source, slot, entry, ..Callback::default() };
                self.callback(empty, shape)
            };
            match shape {
                Shape::Blocks(new_slots, old_slots) => {
                    let slots = if self.build < 6000 { old_slots } else { new_slots };
                    found.extend(self.blocks(source, at, slots).into_iter().map(new));
                }
                _ => {
                    let list = self.list(self.space, at, source);
                    found.extend((0..).zip(list.entries).map(new));
                }
            }
        }
        let registry = ["CmpCallBackVector", "CallbackListHead"];
        if registry.iter().all(|name| self.global(name).is_none()) {
            let (expected, found) = ("it or CmpCallBackVector", "neither");
            self.problem("missing_symbol", "CallbackListHead", "", None, expected, found);
        }
        found.extend(crate::objectcallback::all(self));
        found
    }

    /// Slot and address of the blocks of an array.
    fn blocks(&self, source: &str, array: Va, slots: u32) -> Vec<(u32, Va)> {
        let width = self.pointer_size();
        let count_bits = if width == 8 { 0xf } else { 7 };
        let mut found = Vec::new();
        for slot in 0..slots {
            let Some(at) = array.checked_add(u64::from(slot * width)) else { break };
            let block = match self.space.pointer(at) {
                Ok(reference) => Va(reference.0 & !count_bits),
                Err(fault) => {
                    self.unreadable(source, &slot.to_string(), at, &fault);
                    break;
                }
            };
            if self.is_kernel(block) {
                found.push((slot, block));
            } else if block.0 != 0 {
                let (expected, wrong) = ("the address of an EX_CALLBACK_ROUTINE_BLOCK", block.to_string());
                self.problem("wild_pointer", source, &slot.to_string(), Some(at), expected, &wrong);
            }
        }
        found
    }

    fn callback(&self, callback: Callback, shape: Shape) -> Callback {
        let view = self.view(callback.entry, 0);
        let wide = self.pointer_size() == 8;
        let place = |(at64, at32): (u32, u32), size: u32| {
            Some(Field { offset: if wide { at64 } else { at32 }, size, bits: None })
        };
        let width = self.pointer_size();
        let pointer = |at| view.pointer(place(at, width));
        let value = |at, size| view.uint(place(at, size));
        let (source, entry) = (callback.source, callback.entry);
        let read = match shape {
            Shape::Blocks(..) => {
                Callback { routine: pointer((8, 4)), context: value((0x10, 8), width), ..callback }
            }
            Shape::Registry => Callback {
                routine: pointer((0x28, 0x1c)),
                context: value((0x18, 0x10), 8),
                name: view.unicode(place((0x30, 0x20), 2 * width)),
                ..callback
            },
            Shape::Bugcheck => Callback {
                routine: pointer((0x10, 8)),
                context: value((0x18, 0xc), width),
                name: pointer((0x28, 0x14)).and_then(|va| self.component(va)),
                ..callback
            },
            Shape::Reason => Callback {
                routine: pointer((0x10, 8)),
                name: pointer((0x18, 0xc)).and_then(|va| self.component(va)),
                reason: value((0x28, 0x14), 4).map(|reason| reason as u32),
                ..callback
            },
            Shape::Shutdown => self.shutdown(pointer((0x10, 8)), callback),
            Shape::FileSystem => {
                Callback { driver: pointer((0x10, 8)), routine: pointer((0x18, 0xc)), ..callback }
            }
        };
        if read.routine.is_none() {
            let expected = "the address of a routine";
            self.problem("unreadable", source, "", Some(entry), expected, "none");
        }
        read
    }

    /// The routine of a shutdown notification is its driver's.
    fn shutdown(&self, device: Option<Va>, callback: Callback) -> Callback {
        let (of_device, of_driver) = (Device::of(self), Driver::of(self));
        let driver = device.and_then(|va| self.view(va, of_device.size).pointer(of_device.driver));
        let routine = |driver: Va| -> Option<Va> {
            let size = self.pointer_size();
            let major = of_driver.major?;
            let slot = Field { offset: major.offset.checked_add(SHUTDOWN * size)?, size, bits: None };
            self.view(driver, of_driver.size).pointer(Some(slot))
        };
        Callback { device, driver, routine: driver.and_then(routine), ..callback }
    }

    /// A component name: at most 64 characters, ended by NUL.
    fn component(&self, va: Va) -> Option<String> {
        let view: View = self.view(va, 0);
        let text = |size| view.ascii(Some(Field { offset: 0, size, bits: None }));
        // The page behind it may not be there.
        let in_page = (PAGE_SIZE - va.0 % PAGE_SIZE) as u32;
        let whole = |text: &String| text.len() < in_page as usize;
        let text = text(64).or_else(|| text(in_page.min(64)).filter(whole));
        text.filter(|text| !text.is_empty())
    }
}
