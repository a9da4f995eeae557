//! Variables of the kernel: by symbol where the symbols are those of this very kernel, else from the debugger block.

use crate::System;
use memory::Va;

/// Every kernel variable that is read, by its symbol.
pub const GLOBALS: &[&str] = &[
    "AlpcpPortList",
    "CallbackListHead",
    "CmNtCSDVersion",
    "CmpCallBackCount",
    "CmpCallBackVector",
    "ExNode0",
    "ExPoolState",
    "ExPoolTagTables",
    "ExpPoolQuotaCookie",
    "ExpSystemResourcesList",
    "ExWorkerQueue",
    "HandleTableListHead",
    "IopFsNotifyChangeQueueHead",
    "IopInvalidDeviceRequest",
    "IopNotifyLastChanceShutdownQueueHead",
    "IopNotifyShutdownQueueHead",
    "KdDebuggerDataBlock",
    "KdpDataBlockEncoded",
    "KeBugCheckAddRemovePagesCallbackListHead",
    "KeBugCheckCallbackListHead",
    "KeBugCheckReasonCallbackListHead",
    "KeBugCheckTriageDumpDataArrayListHead",
    "KeMaximumIncrement",
    "KeNodeBlock",
    "KeNumberNodes",
    "KeNumberProcessors",
    "KeServiceDescriptorTable",
    "KeServiceDescriptorTableShadow",
    "KeTickCount",
    "KeTimeIncrement",
    "KiBugCheckData",
    "KiProcessListHead",
    "KiProcessorBlock",
    "KiServiceLimit",
    "KiServiceTable",
    "KiSwapContext",
    "KiSystemCall64",
    "KiSystemCall64Shadow",
    "KiTimerTableListHead",
    "KiWaitAlways",
    "KiWaitNever",
    "MiInvalidPteMask",
    "MiSessionList",
    "MiSessionWsList",
    "MiState",
    "MiSystemPartition",
    "MmAllocatedNonPagedPool",
    "MmAvailablePages",
    "MmDriverCommit",
    "MmFreePageListHead",
    "MmLastUnloadedDriver",
    "MmMaximumNonPagedPoolInBytes",
    "MmModifiedNoWritePageListHead",
    "MmModifiedPageListHead",
    "MmNumberOfPagingFiles",
    "MmNumberOfPhysicalPages",
    "MmPagedPoolCommit",
    "MmPagedPoolEnd",
    "MmPagedPoolInfo",
    "MmPagingFile",
    "MmPeakCommitment",
    "MmPfnDatabase",
    "MmPhysicalMemoryBlock",
    "MmProcessCommit",
    "MmPteBase",
    "MmResidentAvailablePages",
    "MmSharedCommit",
    "MmSizeOfPagedPoolInBytes",
    "MmStandbyPageListHead",
    "MmTotalCommitLimit",
    "MmTotalCommitLimitMaximum",
    "MmTotalCommittedPages",
    "MmUnloadedDrivers",
    "MmZeroedPageListHead",
    "NtBuildLab",
    "NtBuildLabEx",
    "NtBuildNumber",
    "ObHeaderCookie",
    "ObpInfoMaskToOffset",
    "ObpKernelHandleTable",
    "ObpRootDirectoryObject",
    "ObpTypeObjectType",
    "ObTypeIndexTable",
    "PoolBigPageTable",
    "PoolBigPageTableSize",
    "PoolTrackTable",
    "PoolTrackTableExpansion",
    "PoolTrackTableExpansionSize",
    "PoolTrackTableSize",
    "PsActiveProcessHead",
    "PsIdleProcess",
    "PsInitialSystemProcess",
    "PsJobList",
    "PsLoadedModuleList",
    "PsNtosImageBase",
    "PspCidTable",
    "PspCreateProcessNotifyRoutine",
    "PspCreateThreadNotifyRoutine",
    "PspJobList",
    "PspLoadImageNotifyRoutine",
    "PspSystemPartition",
    "SwapContext",
    "Wow64ServiceTable",
];

impl System<'_> {
    /// Address of a variable. Symbols of a neighbouring revision are never used; the debugger block is.
    pub fn global(&self, name: &str) -> Option<Va> {
        let by_symbol = || {
            let rva = self.layouts.symbols.get(name)?;
            self.kernel.as_ref()?.base.checked_add((*rva).into())
        };
        let by_block = || self.kdbg.as_ref()?.variable(name);
        by_symbol().or_else(by_block).or_else(|| self.in_header(name))
    }

    /// The same, with a row in `faults` if the variable cannot be found.
    pub fn needed_global(&self, name: &str) -> Option<Va> {
        let found = self.global(name);
        // Where no kernel was found at all, that is said once.
        let anything = self.kernel.is_some() || self.kdbg.is_some() || !self.layouts.types.is_empty();
        if found.is_none() && anything {
            let expected = "a symbol of this kernel or a field of the debugger block";
            self.problem("missing_symbol", name, "", None, expected, "neither");
        }
        found
    }

    /// Value of a pointer-sized variable; `None` for zero.
    pub fn global_pointer(&self, name: &str) -> Option<Va> {
        let va = self.global(name)?;
        self.space.pointer(va).ok().filter(|value| value.0 != 0)
    }

    /// The variables that a dump header names.
    fn in_header(&self, name: &str) -> Option<Va> {
        let header = &self.dump.records.header;
        let value = match name {
            "PsActiveProcessHead" => header.ps_active_process_head,
            "PsLoadedModuleList" => header.ps_loaded_module_list,
            "KdDebuggerDataBlock" => header.kd_debugger_data_block,
            _ => None,
        };
        value.filter(|&va| va != 0).map(|va| self.narrow(va))
    }
}
