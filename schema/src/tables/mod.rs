//! One table a file. Adding one is its file, its `mod` and its word in [`all`].

mod calls;
mod contexts;
mod discovery;
mod dumps;
mod entries;
mod exceptions;
mod faults;
mod handles;
mod memory;
mod memory_counters;
mod modules;
mod processes;
mod processors;
mod streams;
mod tagged_blobs;
mod threads;

pub use calls::{ApcRow, Apcs, DpcRow, Dpcs, TimerRow, Timers, WorkItemRow, WorkItems};
pub use contexts::{ContextRow, Contexts};
pub use discovery::{Discovery, DiscoveryRow};
pub use dumps::{DumpRow, Dumps};
pub use entries::{CallbackRow, Callbacks, InterruptRow, Interrupts, SyscallRow, Syscalls};
pub use exceptions::{ExceptionRow, Exceptions};
pub use faults::{FaultRow, Faults};
pub use handles::{HandleRow, Handles};
pub use memory::{MemoryRegionRow, MemoryRegions, MemoryRunRow, MemoryRuns};
pub use memory_counters::{MemoryCounterRow, MemoryCounters};
pub use modules::{ModuleRow, Modules, UnloadedModuleRow, UnloadedModules};
pub use processes::{ProcessRow, Processes};
pub use processors::{ProcessorRow, Processors};
pub use streams::{StreamRow, Streams, TokenRow, Tokens};
pub use tagged_blobs::{TaggedBlobRow, TaggedBlobs};
pub use threads::{ThreadRow, Threads};

use crate::{Table, TableSpec};
use std::sync::OnceLock;

/// Every table, in the order of the manual.
pub fn all() -> &'static [&'static TableSpec] {
    static ALL: OnceLock<Vec<&'static TableSpec>> = OnceLock::new();
    ALL.get_or_init(|| {
        vec![
            Dumps::spec(),
            Faults::spec(),
            Discovery::spec(),
            MemoryRuns::spec(),
            MemoryRegions::spec(),
            MemoryCounters::spec(),
            Modules::spec(),
            UnloadedModules::spec(),
            Contexts::spec(),
            Exceptions::spec(),
            Processes::spec(),
            Threads::spec(),
            Processors::spec(),
            Interrupts::spec(),
            Syscalls::spec(),
            Timers::spec(),
            Dpcs::spec(),
            Apcs::spec(),
            WorkItems::spec(),
            Callbacks::spec(),
            Handles::spec(),
            Tokens::spec(),
            TaggedBlobs::spec(),
            Streams::spec(),
        ]
    })
}
