//! Entry points into the kernel: `interrupts`, `syscalls`, `callbacks`.

use crate::table;

table! {
    /// One row for every present gate of each processor's interrupt descriptor table, and one more for each further interrupt object that shares the vector. x86 and x64 only.
    pub interrupts: Interrupts of InterruptRow {
        /// Processor.
        processor: u32,
        /// Interrupt vector, 0 to 255.
        vector: u32,
        /// Address of the handler (gate, Intel SDM volume 3 chapter 6: offset bits).
        handler: u64,
        /// File name of the loaded kernel module that holds `handler`; NULL if none does.
        handler_module: Option<String>,
        /// `module+offset` of `handler`.
        handler_text: Option<String>,
        /// Code segment (gate: selector).
        selector: u32,
        /// Type of gate (gate: type): 14 or 6 interrupt, 15 or 7 trap, 5 task.
        gate_type: u32,
        /// Lowest privilege that may raise it by an instruction (gate: DPL): 3 user, 0 kernel only.
        dpl: u32,
        /// Stack of the interrupt stack table, 1 to 7, 0 for none (gate: IST); x64 only.
        ist: Option<u32>,
        /// Place in the chain of interrupt objects of one vector, from 0; NULL without an object.
        chain_position: Option<u32>,
        /// Address of the `_KINTERRUPT` (`_KPRCB.InterruptObject[vector]`, else the object whose `DispatchCode` the handler is); NULL for none.
        interrupt_object: Option<u64>,
        /// Interrupt request level (`_KINTERRUPT.Irql`).
        irql: Option<u32>,
        /// Vector that the object states (`_KINTERRUPT.Vector`).
        object_vector: Option<u32>,
        /// True while it is connected (`_KINTERRUPT.Connected`).
        connected: Option<bool>,
        /// The driver's routine (`_KINTERRUPT.ServiceRoutine`).
        service_routine: Option<u64>,
        /// File name of the loaded kernel module that holds `service_routine`; NULL if none does.
        service_routine_module: Option<String>,
        /// `module+offset` of `service_routine`.
        service_routine_text: Option<String>,
        /// Value passed to the routine (`_KINTERRUPT.ServiceContext`).
        service_context: Option<u64>,
        /// The driver's routine for message-signaled interrupts (`_KINTERRUPT.MessageServiceRoutine`); NULL for none.
        message_routine: Option<u64>,
        /// `module+offset` of `message_routine`.
        message_routine_text: Option<String>,
    }
}

table! {
    /// One row for every system service of the kernel's table and of the table of win32k. A target outside of the kernel, or of win32k, deserves a look.
    pub syscalls: Syscalls of SyscallRow {
        /// Number of the table, 0 for the kernel's own, 1 for win32k's (index in `KeServiceDescriptorTableShadow`).
        table_number: u32,
        /// Address of the table (`KiServiceTable`, descriptor's `Base`).
        table_address: u64,
        /// Index in the table.
        index: u32,
        /// Number as user mode states it: `table_number` times 0x1000 plus `index`.
        service: u32,
        /// Raw entry: on x64 and ARM64 the distance from the table times 16 plus a count of stack arguments, on x86 an address.
        entry: u32,
        /// Address of the routine.
        target: u64,
        /// File name of the loaded kernel module that holds `target`; NULL if none does.
        target_module: Option<String>,
        /// `module+offset` of `target`.
        target_text: Option<String>,
        /// Bytes of arguments on the stack: low 4 bits of the entry times 8 on x64, `KiArgumentTable` (descriptor's `Number`) on x86.
        argument_bytes: Option<u32>,
    }
}

table! {
    /// One row for every routine that a driver registered to be called by the kernel. A routine in no loaded module deserves a look.
    pub callbacks: Callbacks of CallbackRow {
        /// What it is called for: `process`, `thread`, `image`, `registry`, `bugcheck`, `bugcheck reason`, `bugcheck pages`, `shutdown`, `last chance shutdown`, `file system registration`, `object before` and `object after` (`ObRegisterCallbacks`: a handle is made or duplicated).
        kind: String,
        /// Kernel variable that leads to it, such as `PspCreateProcessNotifyRoutine`, or `_OBJECT_TYPE.CallbackList`.
        source: String,
        /// Slot of the array or place in the list, from 0.
        slot: u32,
        /// Address of the structure that names the routine: `_EX_CALLBACK_ROUTINE_BLOCK`, `CM_CALLBACK_ENTRY`, `KBUGCHECK_CALLBACK_RECORD`, ...
        entry: u64,
        /// The routine; for shutdown `_DRIVER_OBJECT.MajorFunction[IRP_MJ_SHUTDOWN]` of the device's driver.
        routine: Option<u64>,
        /// File name of the loaded kernel module that holds `routine`; NULL if none does.
        routine_module: Option<String>,
        /// `module+offset` of `routine`.
        routine_text: Option<String>,
        /// Component of a bugcheck callback (`KBUGCHECK_CALLBACK_RECORD.Component`), altitude of a registry callback (`CM_CALLBACK_ENTRY.Altitude`) or of an object callback.
        name: Option<String>,
        /// Value that goes with it: `_EX_CALLBACK_ROUTINE_BLOCK.Context`, cookie of a registry callback, buffer of a bugcheck callback.
        context: Option<u64>,
        /// `KBUGCHECK_CALLBACK_REASON` of a bugcheck reason callback: 2 secondary dump data, 3 dump I/O, 4 add pages, 5 secondary multi-part data, 6 remove pages, 7 triage dump data (wdm.h).
        reason: Option<u32>,
        /// Address of the `_DEVICE_OBJECT` that wants to know of a shutdown.
        device: Option<u64>,
        /// Address of the `_DRIVER_OBJECT` of a shutdown or file-system callback.
        driver: Option<u64>,
        /// Object type whose handles an object callback watches (`_OBJECT_TYPE.Name`).
        object_type: Option<String>,
        /// What an object callback is called for (`OB_OPERATION` of wdm.h): 1 handles are created, 2 duplicated, 3 both.
        operations: Option<u32>,
    }
}
