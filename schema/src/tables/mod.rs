//! One table a file. Adding one is its file, its `mod` and its word in [`all`].

mod alpc_messages;
mod calls;
mod code;
mod contexts;
mod crashes;
mod discovery;
mod drivers;
mod dumps;
mod entries;
mod exceptions;
mod faults;
mod firmware;
mod found_images;
mod found_objects;
mod handles;
mod irps;
mod memory;
mod memory_counters;
mod modules;
mod needles;
mod objects;
mod pages;
mod pool;
mod pool_blocks;
mod processes;
mod processors;
mod residue;
mod spaces;
mod stacks;
mod streams;
mod tag_constants;
mod tagged_blobs;
mod threads;
mod tokens;
mod waits;

pub use alpc_messages::{AlpcMessageRow, AlpcMessages};
pub use calls::{ApcRow, Apcs, DpcRow, Dpcs, TimerRow, Timers, WorkItemRow, WorkItems};
pub use code::{CodeChangeRow, CodeChanges, CodeCheckRow, CodeChecks, CodePageRow, CodePages};
pub use contexts::{ContextRow, Contexts};
pub use crashes::{CrashRow, Crashes};
pub use discovery::{Discovery, DiscoveryRow};
pub use drivers::{DeviceRow, Devices, DriverDispatch, DriverDispatchRow, DriverRow, Drivers};
pub use dumps::{DumpRow, Dumps};
pub use entries::{CallbackRow, Callbacks, InterruptRow, Interrupts, SyscallRow, Syscalls};
pub use exceptions::{ExceptionRow, Exceptions};
pub use faults::{FaultRow, Faults};
pub use firmware::{Firmware, FirmwareRow};
pub use found_images::{FoundImageRow, FoundImages, FoundRecordRow, FoundRecords};
pub use found_objects::{FoundObjectRow, FoundObjects};
pub use handles::{HandleRow, Handles};
pub use irps::{IrpRow, IrpStack, IrpStackRow, Irps};
pub use memory::{MemoryRegionRow, MemoryRegions, MemoryRunRow, MemoryRuns};
pub use memory_counters::{MemoryCounterRow, MemoryCounters};
pub use modules::{ModuleRow, Modules, UnloadedModuleRow, UnloadedModules};
pub use needles::{NeedleRow, Needles};
pub use objects::{ObjectRow, ObjectTypeRow, ObjectTypes, Objects};
pub use pages::{PageRow, Pages};
pub use pool::{BigPool, BigPoolRow, PoolTagRow, PoolTags};
pub use pool_blocks::{PoolAllocationRow, PoolAllocations, PoolPageRow, PoolPages};
pub use processes::{ProcessRow, Processes};
pub use processors::{ProcessorRow, Processors};
pub use residue::{Residue, ResiduePageRow, ResiduePages, ResidueRow};
pub use spaces::{CriticalSectionRow, CriticalSections, UserModuleRow, UserModules, VadRow, Vads};
pub use stacks::{FrameRow, Frames, StackRow, Stacks, TrapFrameRow, TrapFrames};
pub use streams::{StreamRow, Streams};
pub use tag_constants::{TagConstantRow, TagConstants};
pub use tagged_blobs::{TaggedBlobRow, TaggedBlobs};
pub use threads::{ThreadRow, Threads};
pub use tokens::{TokenPrivilegeRow, TokenPrivileges, TokenRow, TokenSidRow, TokenSids, Tokens};
pub use waits::{EresourceOwnerRow, EresourceOwners, EresourceRow, Eresources, WaitRow, Waits};

use crate::{Table, TableSpec};
use std::sync::OnceLock;

/// Every table, in the order of the manual.
pub fn all() -> &'static [&'static TableSpec] {
    static ALL: OnceLock<Vec<&'static TableSpec>> = OnceLock::new();
    ALL.get_or_init(|| {
        vec![
            Dumps::spec(),
            Faults::spec(),
            Crashes::spec(),
            Discovery::spec(),
            MemoryRuns::spec(),
            MemoryRegions::spec(),
            Pages::spec(),
            Residue::spec(),
            ResiduePages::spec(),
            FoundImages::spec(),
            FoundRecords::spec(),
            Needles::spec(),
            MemoryCounters::spec(),
            Modules::spec(),
            UnloadedModules::spec(),
            CodeChecks::spec(),
            CodeChanges::spec(),
            CodePages::spec(),
            Vads::spec(),
            UserModules::spec(),
            CriticalSections::spec(),
            Contexts::spec(),
            Exceptions::spec(),
            Processes::spec(),
            Threads::spec(),
            Stacks::spec(),
            Frames::spec(),
            TrapFrames::spec(),
            Processors::spec(),
            Interrupts::spec(),
            Syscalls::spec(),
            Timers::spec(),
            Dpcs::spec(),
            Apcs::spec(),
            WorkItems::spec(),
            Callbacks::spec(),
            Handles::spec(),
            Drivers::spec(),
            DriverDispatch::spec(),
            Devices::spec(),
            Objects::spec(),
            ObjectTypes::spec(),
            FoundObjects::spec(),
            Tokens::spec(),
            TokenSids::spec(),
            TokenPrivileges::spec(),
            Waits::spec(),
            Eresources::spec(),
            EresourceOwners::spec(),
            AlpcMessages::spec(),
            Irps::spec(),
            IrpStack::spec(),
            BigPool::spec(),
            PoolTags::spec(),
            TagConstants::spec(),
            PoolAllocations::spec(),
            PoolPages::spec(),
            TaggedBlobs::spec(),
            Firmware::spec(),
            Streams::spec(),
        ]
    })
}
