//! One walk a file; each fills one table.

mod alpc_messages;
mod apcs;
mod callbacks;
mod code;
mod contexts;
mod crashes;
mod critical_sections;
mod discovery;
mod dpcs;
mod drivers;
mod dumps;
mod exceptions;
mod faults;
mod firmware;
mod found;
mod found_objects;
mod handles;
mod interrupts;
mod irps;
mod memory_counters;
mod memory_regions;
mod memory_runs;
mod modules;
mod objects;
mod pool;
mod processes;
mod processors;
mod stacks;
mod stated;
mod streams;
mod syscalls;
mod tag_constants;
mod tagged_blobs;
mod threads;
mod timers;
mod tokens;
mod trap_frames;
mod unloaded_modules;
mod user_modules;
mod vads;
mod waits;
mod work_items;

pub(crate) use crashes::Fault;
pub(crate) use modules::base_name;

use crate::Job;
use schema::{Sink, Table, TableSpec, tables};

/// Fills one table from one dump; the value is the number of rows.
pub type Walk = fn(&Job, &dyn Sink) -> schema::Result<u64>;

/// Every walk with its table. `dumps` counts the faults of all others and comes last.
pub fn all() -> Vec<(&'static TableSpec, Walk)> {
    vec![
        (tables::Discovery::spec(), discovery::walk),
        (tables::MemoryRuns::spec(), memory_runs::walk),
        (tables::MemoryRegions::spec(), memory_regions::walk),
        (tables::MemoryCounters::spec(), memory_counters::walk),
        (tables::Modules::spec(), modules::walk),
        (tables::UnloadedModules::spec(), unloaded_modules::walk),
        (tables::CodeChanges::spec(), code::changes),
        (tables::CodeChecks::spec(), code::checks),
        (tables::CodePages::spec(), code::pages),
        (tables::Vads::spec(), vads::walk),
        (tables::UserModules::spec(), user_modules::walk),
        (tables::CriticalSections::spec(), critical_sections::walk),
        (tables::Contexts::spec(), contexts::walk),
        (tables::Exceptions::spec(), exceptions::walk),
        (tables::Crashes::spec(), crashes::walk),
        (tables::Processes::spec(), processes::walk),
        (tables::Threads::spec(), threads::walk),
        (tables::Stacks::spec(), stacks::stacks),
        (tables::Frames::spec(), stacks::frames),
        (tables::TrapFrames::spec(), trap_frames::walk),
        (tables::Processors::spec(), processors::walk),
        (tables::Interrupts::spec(), interrupts::walk),
        (tables::Syscalls::spec(), syscalls::walk),
        (tables::Timers::spec(), timers::walk),
        (tables::Dpcs::spec(), dpcs::walk),
        (tables::Apcs::spec(), apcs::walk),
        (tables::WorkItems::spec(), work_items::walk),
        (tables::Callbacks::spec(), callbacks::walk),
        (tables::Handles::spec(), handles::walk),
        (tables::Waits::spec(), waits::waits),
        (tables::Eresources::spec(), waits::eresources),
        (tables::EresourceOwners::spec(), waits::owners),
        (tables::Drivers::spec(), drivers::walk),
        (tables::DriverDispatch::spec(), drivers::dispatch),
        (tables::Devices::spec(), drivers::devices),
        (tables::Objects::spec(), objects::walk),
        (tables::ObjectTypes::spec(), objects::types),
        (tables::FoundObjects::spec(), found_objects::walk),
        (tables::AlpcMessages::spec(), alpc_messages::walk),
        (tables::Irps::spec(), irps::irps),
        (tables::IrpStack::spec(), irps::stack),
        (tables::BigPool::spec(), pool::big_pool),
        (tables::PoolTags::spec(), pool::pool_tags),
        (tables::TagConstants::spec(), tag_constants::walk),
        (tables::TaggedBlobs::spec(), tagged_blobs::walk),
        (tables::Firmware::spec(), firmware::walk),
        (tables::Streams::spec(), streams::walk),
        (tables::Tokens::spec(), tokens::walk),
        (tables::TokenSids::spec(), tokens::sids),
        (tables::TokenPrivileges::spec(), tokens::privileges),
        (tables::Faults::spec(), faults::walk),
        (tables::Dumps::spec(), dumps::walk),
    ]
}

/// The process that a user minidump is of; NULL for the kernel.
fn process_id(job: &Job) -> Option<u32> {
    job.dump.records.processes.first().map(|process| process.process_id)
}

fn time(time: Option<memory::Time>) -> Option<schema::Time> {
    time.map(|time| schema::Time(time.0))
}
