//! `drivers`, `driver_dispatch` and `devices`.

use crate::table;

table! {
    /// One row for every driver object (`_DRIVER_OBJECT`): those of the directory tree, those that only memory holds, and the drivers of devices that a parameter of the bug check leads to, also in small dumps.
    pub drivers: Drivers of DriverRow {
        /// Full name, such as `\Driver\disk`: that of the directory tree; of one that is in no directory, what its headers or the driver object itself state, empty where they say nothing.
        name: String,
        /// Address of the `_DRIVER_OBJECT`; NULL for one that only physical memory holds.
        driver: Option<u64>,
        /// Name that the driver object itself states (`_DRIVER_OBJECT.DriverName`).
        stated_name: Option<String>,
        /// Name of its service in the registry (`_DRIVER_EXTENSION.ServiceKeyName`).
        service_key: Option<String>,
        /// First address of its image (`_DRIVER_OBJECT.DriverStart`).
        start: Option<u64>,
        /// Bytes of its image (`_DRIVER_OBJECT.DriverSize`).
        size: Option<u32>,
        /// Loaded module that holds `start`; NULL: no module of the list does.
        module: Option<String>,
        /// Its entry in the module list (`_DRIVER_OBJECT.DriverSection`).
        section: Option<u64>,
        /// `_DRIVER_OBJECT.Flags`: 2 legacy, 4 built in, 8 reinitialize, 0x10 initialized.
        flags: Option<u32>,
        /// Where it began (`_DRIVER_OBJECT.DriverInit`).
        init: Option<u64>,
        /// Routine that starts requests (`_DRIVER_OBJECT.DriverStartIo`); NULL for none.
        start_io: Option<u64>,
        /// Routine that unloads it (`_DRIVER_OBJECT.DriverUnload`); NULL: it cannot be unloaded.
        unload: Option<u64>,
        /// Routine that adds a device (`_DRIVER_EXTENSION.AddDevice`); NULL for none.
        add_device: Option<u64>,
        /// Number of its devices (along `_DEVICE_OBJECT.NextDevice`), as far as the dump has them.
        devices: u32,
        /// Whether the directory tree leads to it.
        in_directory: bool,
        /// Whether the sweep over all of memory met it behind a pool header with its tag.
        found_in_pool: Option<bool>,
        /// Whether the sweep over all of memory recognised it by its own members.
        found_by_shape: Option<bool>,
        /// Physical address of the `_DRIVER_OBJECT`; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// True for one that is in no directory, in memory that the kernel maps and that was not freed: somebody hides it, or it is being loaded right now; NULL where nothing maps it, and in small dumps, which have no directories.
        hidden: Option<bool>,
    }
}

table! {
    /// One row for every entry of a driver's dispatch table (`_DRIVER_OBJECT.MajorFunction`) and of its fast I/O table (`_FAST_IO_DISPATCH`) that is not NULL.
    pub driver_dispatch: DriverDispatch of DriverDispatchRow {
        /// Full name of the driver.
        driver_name: String,
        /// Address of its `_DRIVER_OBJECT`.
        driver: u64,
        /// `major function` or `fast I/O`.
        kind: String,
        /// Position in its table.
        index: u32,
        /// `IRP_MJ_...`, or the member of `_FAST_IO_DISPATCH`.
        name: String,
        /// Where it leads.
        target: u64,
        /// Loaded module that holds the target; NULL: none does.
        module: Option<String>,
        /// The target as `module+offset`.
        target_name: Option<String>,
        /// Whether the target lies in the driver's own image (`_DRIVER_OBJECT.DriverStart`, `DriverSize`).
        in_driver: Option<bool>,
    }
}

table! {
    /// One row for every device object of a driver (`_DEVICE_OBJECT`): of the drivers of the directory tree; and those that the bug check leads to, with the devices attached to them and those of the request that it names, also in small dumps.
    pub devices: Devices of DeviceRow {
        /// Full name, such as `\Device\Harddisk0\DR0`; NULL when it has none.
        name: Option<String>,
        /// Address of the `_DEVICE_OBJECT`.
        device: u64,
        /// Full name of its driver.
        driver_name: String,
        /// Address of its driver's `_DRIVER_OBJECT`.
        driver: u64,
        /// Position among the devices of its driver, from 0; NULL for one that only the bug check leads to.
        position: Option<u32>,
        /// `FILE_DEVICE_*` (`_DEVICE_OBJECT.DeviceType`): 7 disk, 8 file system, 0x22 unknown, ...
        device_type: Option<u32>,
        /// `_DEVICE_OBJECT.Flags` (`DO_*`): 4 buffered I/O, 0x10 direct I/O, 0x40 has a name, 0x80 initializing, ...
        flags: Option<u32>,
        /// `FILE_*` characteristics (`_DEVICE_OBJECT.Characteristics`): 1 removable, 0x80 from Plug and Play, 0x100 secure open, ...
        characteristics: Option<u32>,
        /// The device directly above it (`_DEVICE_OBJECT.AttachedDevice`).
        attached: Option<u64>,
        /// The device directly below it (`_DEVOBJ_EXTENSION.AttachedTo`).
        attached_to: Option<u64>,
        /// How many devices lie above it in its stack.
        above: u32,
        /// How many devices lie below it in its stack; NULL where the chain below cannot be followed.
        below: Option<u32>,
        /// Request that it works on (`_DEVICE_OBJECT.CurrentIrp`); NULL for none.
        current_irp: Option<u64>,
        /// `_DEVICE_OBJECT.ReferenceCount`.
        reference_count: Option<i32>,
        /// Stack locations that a request to it needs (`_DEVICE_OBJECT.StackSize`).
        stack_size: Option<u32>,
        /// Its volume parameter block (`_DEVICE_OBJECT.Vpb`).
        vpb: Option<u64>,
        /// Its driver's own data (`_DEVICE_OBJECT.DeviceExtension`).
        device_extension: Option<u64>,
        /// Its Plug and Play node (`_DEVOBJ_EXTENSION.DeviceNode`).
        device_node: Option<u64>,
    }
}
