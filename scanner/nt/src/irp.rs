//! I/O requests: the `IrpList` of every thread, and the stack of each request.

use crate::{System, View, layout};
use memory::Va;

/// `_IRP.Type` of a request, `_FILE_OBJECT.Type`, `_DEVICE_OBJECT.Type` and `_DRIVER_OBJECT.Type` (WDK, `wdm.h`).
const TYPE_IRP: u64 = 6;
const TYPE_FILE: u64 = 5;
const TYPE_DEVICE: u64 = 3;
/// `IO_TYPE_DRIVER`.
pub const TYPE_DRIVER: u64 = 4;

layout! {
    /// `_IRP`.
    IrpLayout = "_IRP" {
        kind: "Type",
        bytes: "Size",
        mdl: "MdlAddress",
        flags: "Flags",
        system_buffer ? "AssociatedIrp",
        links: "ThreadListEntry",
        status: "IoStatus",
        mode: "RequestorMode",
        pending_returned: "PendingReturned",
        stack_count: "StackCount",
        current: "CurrentLocation",
        cancel: "Cancel",
        event: "UserEvent",
        cancel_routine: "CancelRoutine",
        user_buffer: "UserBuffer",
        tail ? "Tail",
    }
}

layout! {
    /// `_IO_STACK_LOCATION`.
    IoStackLocation = "_IO_STACK_LOCATION" {
        major: "MajorFunction",
        minor: "MinorFunction",
        flags: "Flags",
        control: "Control",
        parameters ? "Parameters",
        device: "DeviceObject",
        file: "FileObject",
        routine: "CompletionRoutine",
        context: "Context",
    }
}

layout! {
    /// The list of requests in `_ETHREAD`.
    ThreadIrps = "_ETHREAD" {
        list: "IrpList",
    }
}

layout! {
    /// What tells a file.
    IrpFile = "_FILE_OBJECT" {
        kind: "Type",
    }
}

layout! {
    /// What leads from a device to its driver.
    IrpDevice = "_DEVICE_OBJECT" {
        kind: "Type",
        driver: "DriverObject",
    }
}

layout! {
    /// What names a driver.
    IrpDriver = "_DRIVER_OBJECT" {
        kind: "Type",
        name: "DriverName",
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Irp {
    /// Where it is.
    pub va: Va,
    /// The thread in whose list it is, among [`System::threads`]; none for one that something else leads to.
    pub thread: Option<usize>,
    /// `Size`.
    pub bytes: Option<u16>,
    /// `MdlAddress`.
    pub mdl: Option<Va>,
    /// `Flags`.
    pub flags: Option<u32>,
    /// `AssociatedIrp`.
    pub system_buffer: Option<Va>,
    /// `IoStatus.Status`.
    pub status: Option<u32>,
    /// `IoStatus.Information`.
    pub information: Option<u64>,
    /// `RequestorMode`: 0 kernel, 1 user.
    pub mode: Option<u8>,
    /// `PendingReturned`.
    pub pending_returned: Option<bool>,
    /// `StackCount`.
    pub stack_count: Option<u8>,
    /// `CurrentLocation`.
    pub current: Option<u8>,
    /// `Cancel`.
    pub cancel: Option<bool>,
    /// `UserEvent`.
    pub event: Option<Va>,
    /// `CancelRoutine`.
    pub cancel_routine: Option<Va>,
    /// `UserBuffer`.
    pub user_buffer: Option<Va>,
    /// `Tail.Overlay.Thread`.
    pub tail_thread: Option<Va>,
    /// `Tail.Overlay.CurrentStackLocation`.
    pub current_at: Option<Va>,
    /// `Tail.Overlay.OriginalFileObject`.
    pub file: Option<Va>,
    /// Its stack; the first is the lowest driver's.
    pub stack: Vec<StackLocation>,
}

impl Irp {
    /// True if a driver has it: completion moves `CurrentLocation` past `StackCount` + 1.
    pub fn is_pending(&self) -> Option<bool> {
        Some(u32::from(self.current?) <= u32::from(self.stack_count?) + 1)
    }

    /// The stack location that `CurrentLocation` numbers, from 1.
    pub fn current_location(&self) -> Option<&StackLocation> {
        let number = self.current?;
        self.stack.iter().find(|location| location.number == number)
    }
}

/// What one driver is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackLocation {
    /// Where it is.
    pub va: Va,
    /// Its number, from 1.
    pub number: u8,
    /// `MajorFunction`.
    pub major: Option<u8>,
    /// `MinorFunction`.
    pub minor: Option<u8>,
    /// `Flags`.
    pub flags: Option<u8>,
    /// `Control`.
    pub control: Option<u8>,
    /// `DeviceObject`.
    pub device: Option<Va>,
    /// `FileObject`.
    pub file: Option<Va>,
    /// `CompletionRoutine`.
    pub routine: Option<Va>,
    /// `Context`.
    pub context: Option<u64>,
    /// `Parameters.Others`: four words.
    pub parameters: [Option<u64>; 4],
}

impl StackLocation {
    /// True for a location that nobody has filled: everything that is read of it is zero.
    pub fn is_unused(&self) -> bool {
        let zero = |byte: Option<u8>| byte == Some(0);
        let bytes = [self.major, self.minor, self.flags, self.control].into_iter().all(zero);
        let words = self.parameters.into_iter().chain([self.context]).flatten().all(|word| word == 0);
        bytes && words && self.device.or(self.file).or(self.routine).is_none()
    }
}

impl System<'_> {
    /// The requests of every thread.
    pub fn irps(&self) -> Vec<Irp> {
        let (irp, location) = (IrpLayout::of(self), IoStackLocation::of(self));
        let (Some(list), Some(links)) = (ThreadIrps::of(self).list, irp.links) else { return Vec::new() };
        let mut found = Vec::new();
        for (index, thread) in self.threads().iter().enumerate() {
            let Some(head) = thread.va.checked_add(list.offset.into()) else { continue };
            let entries = self.list(self.space, head, "_ETHREAD.IrpList").entries;
            let bases = entries.iter().filter_map(|at| at.0.checked_sub(links.offset.into()));
            found.extend(bases.filter_map(|va| request(self, &irp, &location, Va(va), Some(index))));
        }
        found
    }

    /// The request at an address that may be one of something else: by its type, and by its size, which has room for its
    /// stack.
    pub fn irp_at(&self, va: Va) -> Option<Irp> {
        let (irp, location) = (IrpLayout::of(self), IoStackLocation::of(self));
        let view = self.view(va, irp.size);
        view.uint(irp.kind).filter(|&kind| kind == TYPE_IRP)?;
        let (bytes, count) = (view.uint(irp.bytes)?, view.uint(irp.stack_count)?);
        let fits = u64::from(irp.size) + count * u64::from(location.size) <= bytes;
        let whole = irp.size != 0 && location.size != 0 && (1..128).contains(&count);
        let current = view.uint(irp.current).is_some_and(|current| current <= count + 1);
        (fits && whole && current).then(|| request(self, &irp, &location, va, None)).flatten()
    }

    /// Name of the file of a request, if what is said to be a `_FILE_OBJECT` is one.
    pub fn checked_file_name(&self, file: Va) -> Option<String> {
        let layout = IrpFile::of(self);
        self.view(file, layout.size).uint(layout.kind).filter(|&kind| kind == TYPE_FILE)?;
        self.file_name(file)
    }

    /// The driver of a device, and its name.
    pub fn driver_of(&self, device: Va) -> Option<(Va, Option<String>)> {
        let (layout, driver) = (IrpDevice::of(self), IrpDriver::of(self));
        let view = self.view(device, layout.size);
        view.uint(layout.kind).filter(|&kind| kind == TYPE_DEVICE)?;
        let va = view.pointer(layout.driver)?;
        let view = self.view(va, driver.size);
        view.uint(driver.kind).filter(|&kind| kind == TYPE_DRIVER)?;
        Some((va, view.unicode(driver.name)))
    }
}

/// Reads a request; `None`, with a row of `faults`, for what is none.
fn request(
    system: &System<'_>,
    layout: &IrpLayout,
    location: &IoStackLocation,
    va: Va,
    thread: Option<usize>,
) -> Option<Irp> {
    let view = system.view(va, layout.size);
    let kind = view.uint(layout.kind);
    if kind != Some(TYPE_IRP) {
        let found = kind.map_or("no memory".to_string(), |kind| kind.to_string());
        system.problem("bad_type", "_IRP", "Type", Some(va), "6, an I/O request", &found);
        return None;
    }
    let width = u64::from(system.pointer_size());
    // `Tail` follows `UserBuffer`; the members of its `Overlay` have no names in the symbols: four driver words,
    // `Thread`, `AuxiliaryBuffer`, a list entry, `CurrentStackLocation`, `OriginalFileObject` (WDK, `wdm.h`).
    let tail = view.at(layout.tail).or_else(|| view.at(layout.user_buffer)?.checked_add(width));
    let overlay = |word: u64| {
        let at = tail?.checked_add(word * width)?;
        system.space.pointer(at).ok().filter(|va| va.0 != 0)
    };
    let status = view.at(layout.status);
    let mut irp = Irp {
        va,
        thread,
        bytes: view.uint(layout.bytes).map(|value| value as u16),
        mdl: view.pointer(layout.mdl),
        flags: view.u32(layout.flags),
        system_buffer: view.at(layout.system_buffer).and_then(|at| pointer(system, at)),
        status: status.and_then(|at| system.space.u32(at).ok()),
        information: status.and_then(|at| system.space.pointer(at.checked_add(width)?).ok()).map(|va| va.0),
        mode: view.u8(layout.mode),
        pending_returned: view.flag(layout.pending_returned),
        stack_count: view.u8(layout.stack_count),
        current: view.u8(layout.current),
        cancel: view.flag(layout.cancel),
        event: view.pointer(layout.event),
        cancel_routine: view.pointer(layout.cancel_routine),
        user_buffer: view.pointer(layout.user_buffer),
        tail_thread: overlay(4),
        current_at: overlay(8),
        file: overlay(9),
        stack: Vec::new(),
    };
    irp.stack = stack(system, layout, location, &irp);
    Some(irp)
}

fn pointer(system: &System<'_>, at: Va) -> Option<Va> {
    system.space.pointer(at).ok().filter(|va| va.0 != 0)
}

/// The stack locations behind a request.
fn stack(
    system: &System<'_>,
    layout: &IrpLayout,
    location: &IoStackLocation,
    irp: &Irp,
) -> Vec<StackLocation> {
    let count = irp.stack_count.unwrap_or(0);
    // `StackCount` is a signed byte.
    if count > 127 || layout.size == 0 || location.size == 0 {
        let expected = "at most 127 stack locations";
        system.problem("bad_count", "_IRP", "StackCount", Some(irp.va), expected, &count.to_string());
        return Vec::new();
    }
    let at = |number: u8| {
        let offset = u64::from(layout.size) + u64::from(location.size) * u64::from(number - 1);
        irp.va.checked_add(offset)
    };
    let mut found = Vec::new();
    let most = system.left("_IO_STACK_LOCATION", location.size.into());
    for number in (1..=count).take(most.min(127) as usize) {
        let Some(view) = at(number).map(|va| system.view(va, location.size)) else { break };
        if !view.is_whole() {
            let expected = format!("{count} stack locations");
            let text = format!("{} are in the dump", number - 1);
            system.problem("unreadable", "_IRP", "stack", Some(view.va()), &expected, &text);
            break;
        }
        found.push(stack_location(system, location, &view, number));
    }
    system.spend("_IO_STACK_LOCATION", found.len() as u64);
    found
}

fn stack_location(
    system: &System<'_>,
    layout: &IoStackLocation,
    view: &View<'_>,
    number: u8,
) -> StackLocation {
    let width = u64::from(system.pointer_size());
    // In `wdm.h` the parameters follow four bytes, aligned for pointers.
    let first = view.at(layout.parameters).or_else(|| view.va().checked_add(width));
    let parameter = |word: u64| {
        let at = first?.checked_add(word * width)?;
        system.space.pointer(at).ok().map(|va| va.0)
    };
    StackLocation {
        va: view.va(),
        number,
        major: view.u8(layout.major),
        minor: view.u8(layout.minor),
        flags: view.u8(layout.flags),
        control: view.u8(layout.control),
        device: view.pointer(layout.device),
        file: view.pointer(layout.file),
        routine: view.pointer(layout.routine),
        context: view.uint(layout.context),
        parameters: [0, 1, 2, 3].map(parameter),
    }
}
