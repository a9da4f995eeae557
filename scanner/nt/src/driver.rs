//! Drivers and devices: `_DRIVER_OBJECT` and `_DEVICE_OBJECT`.

use crate::{System, layout};
use memory::Va;
use std::collections::HashSet;
use symbols::Field;

layout! {
    /// `_DRIVER_OBJECT`.
    DriverObject = "_DRIVER_OBJECT" {
        kind: "Type",
        first_device: "DeviceObject",
        flags: "Flags",
        start: "DriverStart",
        driver_size: "DriverSize",
        section: "DriverSection",
        extension: "DriverExtension",
        name: "DriverName",
        fast_io: "FastIoDispatch",
        init: "DriverInit",
        start_io: "DriverStartIo",
        unload: "DriverUnload",
        dispatch: "MajorFunction",
    }
}

layout! {
    /// `_DRIVER_EXTENSION`.
    DriverExtension = "_DRIVER_EXTENSION" {
        add_device: "AddDevice",
        service_key: "ServiceKeyName",
    }
}

layout! {
    /// `_DEVICE_OBJECT`.
    DeviceObject = "_DEVICE_OBJECT" {
        kind: "Type",
        references: "ReferenceCount",
        driver: "DriverObject",
        next: "NextDevice",
        attached: "AttachedDevice",
        current_irp: "CurrentIrp",
        flags: "Flags",
        characteristics: "Characteristics",
        vpb: "Vpb",
        device_extension: "DeviceExtension",
        device_type: "DeviceType",
        stack_size: "StackSize",
        extension: "DeviceObjectExtension",
    }
}

layout! {
    /// `_DEVOBJ_EXTENSION`.
    DevobjExtension = "_DEVOBJ_EXTENSION" {
        attached_to ? "AttachedTo",
        node ? "DeviceNode",
    }
}

layout! {
    /// `_FAST_IO_DISPATCH`: its size, then pointers.
    FastIoDispatch = "_FAST_IO_DISPATCH" {
        table_size: "SizeOfFastIoDispatch",
    }
}

/// No driver has more devices.
const MOST_DEVICES: usize = 1 << 16;
/// `_DEVICE_OBJECT.StackSize` is a signed byte, so no stack of devices is higher.
const HIGHEST_STACK: usize = 127;
/// `IO_TYPE_DEVICE`.
const DEVICE: u64 = 3;

/// Names of the dispatch entries, `wdm.h`.
pub const MAJOR_FUNCTIONS: [&str; 28] = [
    "IRP_MJ_CREATE",
    "IRP_MJ_CREATE_NAMED_PIPE",
    "IRP_MJ_CLOSE",
    "IRP_MJ_READ",
    "IRP_MJ_WRITE",
    "IRP_MJ_QUERY_INFORMATION",
    "IRP_MJ_SET_INFORMATION",
    "IRP_MJ_QUERY_EA",
    "IRP_MJ_SET_EA",
    "IRP_MJ_FLUSH_BUFFERS",
    "IRP_MJ_QUERY_VOLUME_INFORMATION",
    "IRP_MJ_SET_VOLUME_INFORMATION",
    "IRP_MJ_DIRECTORY_CONTROL",
    "IRP_MJ_FILE_SYSTEM_CONTROL",
    "IRP_MJ_DEVICE_CONTROL",
    "IRP_MJ_INTERNAL_DEVICE_CONTROL",
    "IRP_MJ_SHUTDOWN",
    "IRP_MJ_LOCK_CONTROL",
    "IRP_MJ_CLEANUP",
    "IRP_MJ_CREATE_MAILSLOT",
    "IRP_MJ_QUERY_SECURITY",
    "IRP_MJ_SET_SECURITY",
    "IRP_MJ_POWER",
    "IRP_MJ_SYSTEM_CONTROL",
    "IRP_MJ_DEVICE_CHANGE",
    "IRP_MJ_QUERY_QUOTA",
    "IRP_MJ_SET_QUOTA",
    "IRP_MJ_PNP",
];

/// Members of `_FAST_IO_DISPATCH` in their order, `wdm.h`.
const FAST_IO: [&str; 27] = [
    "FastIoCheckIfPossible",
    "FastIoRead",
    "FastIoWrite",
    "FastIoQueryBasicInfo",
    "FastIoQueryStandardInfo",
    "FastIoLock",
    "FastIoUnlockSingle",
    "FastIoUnlockAll",
    "FastIoUnlockAllByKey",
    "FastIoDeviceControl",
    "AcquireFileForNtCreateSection",
    "ReleaseFileForNtCreateSection",
    "FastIoDetachDevice",
    "FastIoQueryNetworkOpenInfo",
    "AcquireForModWrite",
    "MdlRead",
    "MdlReadComplete",
    "PrepareMdlWrite",
    "MdlWriteComplete",
    "FastIoReadCompressed",
    "FastIoWriteCompressed",
    "MdlReadCompleteCompressed",
    "MdlWriteCompleteCompressed",
    "FastIoQueryOpen",
    "ReleaseForModWrite",
    "AcquireForCcFlush",
    "ReleaseForCcFlush",
];

/// An entry point of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `major function` or `fast I/O`.
    pub kind: &'static str,
    /// Position in its table.
    pub index: u32,
    /// `IRP_MJ_...` or the member of `_FAST_IO_DISPATCH`.
    pub name: &'static str,
    /// Where it leads.
    pub target: Va,
}

impl System<'_> {
    /// Every driver object in the directory tree, each once: its address and full name.
    pub fn driver_objects(&self) -> Vec<(Va, String)> {
        let mut seen = HashSet::new();
        let drivers = self
            .directory_tree()
            .iter()
            .filter(|listed| listed.header.type_name.as_deref() == Some("Driver"));
        let name = |listed: &crate::object::Listed| {
            let directory = listed.directory.trim_end_matches('\\'); // the root's name is a backslash itself
            format!("{directory}\\{}", listed.header.name.as_deref().unwrap_or(""))
        };
        let drivers = drivers.filter(|listed| seen.insert(listed.header.body));
        drivers.map(|listed| (listed.header.body, name(listed))).collect()
    }

    /// Dispatch routines of a driver and its fast I/O routines that are not NULL.
    pub fn driver_entries(&self, driver: Va) -> Vec<Entry> {
        let layout = DriverObject::of(self);
        let view = self.view(driver, layout.size);
        let width = self.pointer_size();
        let mut entries = Vec::new();
        let at = |field: Field, index: u32| Field {
            offset: field.offset + index * width,
            size: width,
            bits: None,
        };
        for (index, name) in (0u32..).zip(MAJOR_FUNCTIONS) {
            let target = layout.dispatch.and_then(|field| view.pointer(Some(at(field, index))));
            entries.extend(target.map(|target| Entry { kind: "major function", index, name, target }));
        }
        if let Some(table) = view.pointer(layout.fast_io) {
            let size = self.view(table, 4).u32(FastIoDispatch::of(self).table_size).unwrap_or(0);
            let count = (size / width).saturating_sub(1).min(FAST_IO.len() as u32);
            let table = self.view(table, size.min(0x1000));
            for (index, name) in (0..count).zip(FAST_IO) {
                let field = Field { offset: (index + 1) * width, size: width, bits: None };
                let target = table.pointer(Some(field));
                entries.extend(target.map(|target| Entry { kind: "fast I/O", index, name, target }));
            }
        }
        entries
    }

    /// Devices of a driver, along `NextDevice`. One that names another driver as its own ends the walk: what follows it
    /// is the other's.
    pub fn driver_devices(&self, driver: Va) -> Vec<Va> {
        let (layout, device) = (DriverObject::of(self), DeviceObject::of(self));
        let first = self.view(driver, layout.size).pointer(layout.first_device);
        let along = Along { link: device.next, name: "NextDevice", most: MOST_DEVICES, driver: Some(driver) };
        self.devices_along(first, &along)
    }

    /// Devices attached above one, the nearest first.
    pub fn attached_devices(&self, device: Va) -> Vec<Va> {
        let layout = DeviceObject::of(self);
        let first = self.view(device, layout.size).pointer(layout.attached);
        let along =
            Along { link: layout.attached, name: "AttachedDevice", most: HIGHEST_STACK, driver: None };
        self.devices_along(first, &along)
    }

    fn devices_along(&self, first: Option<Va>, along: &Along) -> Vec<Va> {
        let layout = DeviceObject::of(self);
        let (mut found, mut seen, mut next) = (Vec::new(), HashSet::new(), first);
        let broken = |va, why| {
            self.problem("broken_list", "_DEVICE_OBJECT", along.name, Some(va), "a device object", why)
        };
        while let Some(va) = next {
            let view = self.view(va, layout.size);
            let kind = view.uint(layout.kind);
            if kind != Some(DEVICE) {
                broken(va, if kind.is_some() { "no device object" } else { "no memory" });
                break;
            }
            if !seen.insert(va) {
                broken(va, "a cycle");
                break;
            }
            if found.len() >= along.most {
                broken(va, "more than there can be");
                break;
            }
            found.push(va);
            if along.driver.is_some_and(|driver| view.pointer(layout.driver) != Some(driver)) {
                broken(va, "a device of another driver");
                break;
            }
            next = view.pointer(along.link);
        }
        found
    }
}

/// How devices are followed.
struct Along {
    link: Option<Field>,
    /// Of the link, for `faults`.
    name: &'static str,
    /// Where it ends at the latest.
    most: usize,
    /// Whose devices they must be.
    driver: Option<Va>,
}
