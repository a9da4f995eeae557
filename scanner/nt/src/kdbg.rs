//! The debugger block `KDDEBUGGER_DATA64`: the kernel's own table of contents.
//!
//! Source: Win32 metadata `KDDEBUGGER_DATA64` (public). Only fields below `Header.Size` exist.

use memory::{Space, Va};
use symbols::pack::Known;

/// What is used of the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kdbg {
    /// Where it is.
    pub va: Va,
    /// `Header.Size`.
    pub size: u32,
    /// True if it had to be decoded.
    pub encoded: bool,
    bytes: Vec<u8>,
    narrow: bool,
}

/// Fields that hold the address of a variable, by the variable's symbol.
const VARIABLES: [(&str, usize); 47] = [
    ("PsLoadedModuleList", 0x48),
    ("PsActiveProcessHead", 0x50),
    ("PspCidTable", 0x58),
    ("ExpSystemResourcesList", 0x60),
    ("KeTimeIncrement", 0x78),
    ("KeBugCheckCallbackListHead", 0x80),
    ("KiBugCheckData", 0x88),
    ("ObpRootDirectoryObject", 0x98),
    ("ObpTypeObjectType", 0xa0),
    ("MmPfnDatabase", 0xc0),
    ("MmNumberOfPagingFiles", 0xe0),
    ("MmLowestPhysicalPage", 0xe8),
    ("MmHighestPhysicalPage", 0xf0),
    ("MmNumberOfPhysicalPages", 0xf8),
    ("MmMaximumNonPagedPoolInBytes", 0x100),
    ("MmPagedPoolStart", 0x120),
    ("MmPagedPoolEnd", 0x128),
    ("MmPagedPoolInfo", 0x130),
    ("MmSizeOfPagedPoolInBytes", 0x140),
    ("MmTotalCommitLimit", 0x148),
    ("MmTotalCommittedPages", 0x150),
    ("MmSharedCommit", 0x158),
    ("MmDriverCommit", 0x160),
    ("MmProcessCommit", 0x168),
    ("MmPagedPoolCommit", 0x170),
    ("MmZeroedPageListHead", 0x180),
    ("MmFreePageListHead", 0x188),
    ("MmStandbyPageListHead", 0x190),
    ("MmModifiedPageListHead", 0x198),
    ("MmModifiedNoWritePageListHead", 0x1a0),
    ("MmAvailablePages", 0x1a8),
    ("MmResidentAvailablePages", 0x1b0),
    ("PoolTrackTable", 0x1b8),
    ("MmHighestUserAddress", 0x1c8),
    ("MmSystemRangeStart", 0x1d0),
    ("MmUserProbeAddress", 0x1d8),
    ("NtBuildLabEx", 0x208),
    ("KiProcessorBlock", 0x218),
    ("MmUnloadedDrivers", 0x220),
    ("MmLastUnloadedDriver", 0x228),
    ("MmSpecialPoolTag", 0x238),
    ("MmAllocatedNonPagedPool", 0x250),
    ("MmPeakCommitment", 0x258),
    ("MmTotalCommitLimitMaximum", 0x260),
    ("CmNtCSDVersion", 0x268),
    ("MmPhysicalMemoryBlock", 0x270),
    ("MmBadPagesDetected", 0x320),
];

/// Fields of two bytes that state a layout: offset in the block, structure, member (empty: size).
const KNOWN: [(usize, &str, &str); 21] = [
    (0x2b0, "_KPRCB", ""),
    (0x2b4, "_KPRCB", "CurrentThread"),
    (0x2be, "_KPRCB", "Number"),
    (0x350, "_KPRCB", "IdleThread"),
    (0x2a8, "_EPROCESS", ""),
    (0x2aa, "_EPROCESS", "Peb"),
    (0x2ac, "_EPROCESS", "InheritedFromUniqueProcessId"),
    (0x2ae, "_EPROCESS", "Pcb.DirectoryTableBase"),
    (0x2c0, "_ETHREAD", ""),
    (0x34c, "_ETHREAD", "IrpList"),
    (0x29a, "_ETHREAD", "Tcb.Teb"),
    (0x29c, "_ETHREAD", "Tcb.KernelStack"),
    (0x29e, "_ETHREAD", "Tcb.InitialStack"),
    (0x2a0, "_ETHREAD", "Tcb.ApcState.Process"),
    (0x2a2, "_ETHREAD", "Tcb.State"),
    (0x35c, "_ETHREAD", "Tcb.WaitReason"),
    // The thread's first member on its own.
    (0x29c, "_KTHREAD", "KernelStack"),
    (0x29e, "_KTHREAD", "InitialStack"),
    (0x2a0, "_KTHREAD", "ApcState.Process"),
    (0x2a2, "_KTHREAD", "State"),
    (0x35c, "_KTHREAD", "WaitReason"),
];

/// Largest `Header.Size` that is believed; the newest known is 0x3a0.
const MOST: u32 = 0x1000;

impl Kdbg {
    /// Reads a block that is not encoded. `None` if there is none at this address.
    pub fn read(space: Space<'_>, va: Va, narrow: bool) -> Option<Kdbg> {
        let mut head = [0; 0x20];
        space.read(va, &mut head).ok()?;
        let size = u32::from_le_bytes(head[0x14..0x18].try_into().ok()?);
        if &head[0x10..0x14] != b"KDBG" || !(0x90..=MOST).contains(&size) {
            return None;
        }
        // A triage dump may hold less of it than its size says.
        let bytes = space.bytes(va, size as usize).map(|bytes| bytes.into_owned()).unwrap_or(head.to_vec());
        Some(Kdbg { va, size, encoded: false, bytes, narrow })
    }

    /// From bytes that were decoded or that the dump holds apart.
    pub fn from_bytes(va: Va, bytes: Vec<u8>, encoded: bool, narrow: bool) -> Option<Kdbg> {
        let size = u32::from_le_bytes(bytes.get(0x14..0x18)?.try_into().ok()?);
        if bytes.get(0x10..0x14)? != b"KDBG" || !(0x90..=MOST).contains(&size) {
            return None;
        }
        Some(Kdbg { va, size, encoded, bytes, narrow })
    }

    /// Base of the kernel image (`KernBase`).
    pub fn kernel_base(&self) -> Option<Va> {
        self.address(0x18)
    }

    /// Address of a variable that the block names.
    pub fn variable(&self, name: &str) -> Option<Va> {
        let at = VARIABLES.iter().find(|(known, _)| *known == name)?.1;
        self.address(at)
    }

    /// `PteBase`.
    pub fn pte_base(&self) -> Option<Va> {
        self.address(0x360)
    }

    /// An offset of two bytes that the block states, by the offset of the field; 0 is `None`.
    pub fn offset(&self, at: usize) -> Option<u32> {
        let bytes = self.field(at, 2)?;
        Some(u32::from(u16::from_le_bytes(bytes.try_into().ok()?))).filter(|&offset| offset != 0)
    }

    /// What the block states of the kernel's layouts: sizes of structures and offsets of members.
    pub fn known(&self) -> Vec<Known> {
        let stated = |&(at, type_name, path): &(usize, &'static str, &'static str)| {
            Some(Known { type_name, path, value: self.offset(at)? })
        };
        KNOWN.iter().filter_map(stated).collect()
    }

    fn address(&self, at: usize) -> Option<Va> {
        let value = u64::from_le_bytes(self.field(at, 8)?.try_into().ok()?);
        // 32-bit systems sign-extend their addresses.
        let value = if self.narrow { value & 0xffff_ffff } else { value };
        (value != 0).then_some(Va(value))
    }

    fn field(&self, at: usize, size: usize) -> Option<&[u8]> {
        let end = at.checked_add(size)?;
        if end > self.size as usize { None } else { self.bytes.get(at..end) }
    }
}
