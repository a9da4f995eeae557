//! `irps` and `irp_stack`: I/O requests.

use crate::table;

table! {
    /// One row for every I/O request packet in the list of a thread (`_ETHREAD.IrpList`): what the thread has asked for and has not been told the end of (`!irp`); and for one that a parameter of the bug check leads to, also in small dumps.
    pub irps: Irps of IrpRow {
        /// Address of the `_IRP`.
        irp: u64,
        /// Process id of the thread in whose list it is.
        process_id: Option<u32>,
        /// Thread id of the thread in whose list it is.
        thread_id: Option<u32>,
        /// Address of that thread (`_ETHREAD`); NULL for a request that only the bug check leads to.
        ethread: Option<u64>,
        /// `_IRP.Flags`.
        flags: Option<u32>,
        /// Stack locations (`_IRP.StackCount`): rows of `irp_stack`.
        stack_count: Option<u8>,
        /// Number of the current stack location, from 1 (`_IRP.CurrentLocation`); `stack_count` + 1 before the first driver has it.
        current_location: Option<u8>,
        /// True while it is not completed: `current_location` is at most `stack_count` + 1.
        pending: Option<bool>,
        /// `_IRP.PendingReturned`.
        pending_returned: Option<bool>,
        /// Major function of the current stack location (`_IO_STACK_LOCATION.MajorFunction`).
        major: Option<u8>,
        /// Name of `major` (`IRP_MJ_*`).
        major_name: Option<String>,
        /// Minor function of the current stack location (`_IO_STACK_LOCATION.MinorFunction`).
        minor: Option<u8>,
        /// Name of `minor` for Plug and Play, power, directory control, file system control and WMI.
        minor_name: Option<String>,
        /// Device that has it (`_IO_STACK_LOCATION.DeviceObject` of the current location).
        device: Option<u64>,
        /// Driver of `device` (`_DEVICE_OBJECT.DriverObject`).
        driver: Option<u64>,
        /// Name of `driver` (`_DRIVER_OBJECT.DriverName`).
        driver_name: Option<String>,
        /// The file (`_IRP.Tail.Overlay.OriginalFileObject`).
        file_object: Option<u64>,
        /// Name of `file_object` (`_FILE_OBJECT.FileName`), behind its device's where that has one.
        file_name: Option<String>,
        /// Who asked: 0 the kernel, 1 a program (`_IRP.RequestorMode`).
        requestor_mode: Option<u8>,
        /// NTSTATUS so far (`_IRP.IoStatus.Status`).
        status: Option<u32>,
        /// `_IRP.IoStatus.Information`.
        information: Option<u64>,
        /// True if it is being cancelled (`_IRP.Cancel`).
        cancel: Option<bool>,
        /// `_IRP.CancelRoutine`; NULL where there is none.
        cancel_routine: Option<u64>,
        /// Kernel module of `cancel_routine`, with the offset.
        cancel_module: Option<String>,
        /// `_IRP.MdlAddress`.
        mdl: Option<u64>,
        /// `_IRP.AssociatedIrp`: the system buffer, or the master request.
        system_buffer: Option<u64>,
        /// `_IRP.UserBuffer`.
        user_buffer: Option<u64>,
        /// `_IRP.UserEvent`.
        user_event: Option<u64>,
        /// `_IRP.Tail.Overlay.Thread`: the thread that issued it.
        tail_thread: Option<u64>,
        /// `_IRP.Tail.Overlay.CurrentStackLocation`.
        current_stack_location: Option<u64>,
    }
}

table! {
    /// One row for every stack location of an I/O request packet: what each driver in its way is asked to do.
    pub irp_stack: IrpStack of IrpStackRow {
        /// Address of the `_IRP`.
        irp: u64,
        /// Number of the location, from 1; the highest is the first driver's.
        location: u8,
        /// True for the current location (`_IRP.CurrentLocation`).
        current: bool,
        /// Address of the `_IO_STACK_LOCATION`.
        address: u64,
        /// Major function (`_IO_STACK_LOCATION.MajorFunction`); NULL for a location that is not yet used: all of it is zero.
        major: Option<u8>,
        /// Name of `major` (`IRP_MJ_*`).
        major_name: Option<String>,
        /// Minor function (`_IO_STACK_LOCATION.MinorFunction`).
        minor: Option<u8>,
        /// Name of `minor` for Plug and Play, power, directory control, file system control and WMI.
        minor_name: Option<String>,
        /// `_IO_STACK_LOCATION.Flags`.
        flags: Option<u8>,
        /// `_IO_STACK_LOCATION.Control`: 1 pending returned, 0x20 invoke on cancel, 0x40 on success, 0x80 on error.
        control: Option<u8>,
        /// Device (`_IO_STACK_LOCATION.DeviceObject`); NULL for a location that is not yet used.
        device: Option<u64>,
        /// Driver of `device` (`_DEVICE_OBJECT.DriverObject`).
        driver: Option<u64>,
        /// Name of `driver` (`_DRIVER_OBJECT.DriverName`).
        driver_name: Option<String>,
        /// File (`_IO_STACK_LOCATION.FileObject`).
        file_object: Option<u64>,
        /// Name of `file_object` (`_FILE_OBJECT.FileName`), behind its device's where that has one.
        file_name: Option<String>,
        /// Called when the driver below is done (`_IO_STACK_LOCATION.CompletionRoutine`).
        completion_routine: Option<u64>,
        /// Kernel module of `completion_routine`, with the offset.
        completion_module: Option<String>,
        /// `_IO_STACK_LOCATION.Context`.
        context: Option<u64>,
        /// First word of `_IO_STACK_LOCATION.Parameters`.
        argument1: Option<u64>,
        /// Second word of `_IO_STACK_LOCATION.Parameters`.
        argument2: Option<u64>,
        /// Third word of `_IO_STACK_LOCATION.Parameters`.
        argument3: Option<u64>,
        /// Fourth word of `_IO_STACK_LOCATION.Parameters`.
        argument4: Option<u64>,
    }
}
