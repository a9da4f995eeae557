//! What Windows objects are there, read as values?
//!
//! [`System::open`] finds the kernel in a dump, gets layouts for it, and from then on structures are read by the
//! names that Microsoft gave their members: a file a topic, its layout on top ([`layout!`]). A member that this
//! kernel lacks, or whose memory is not in the dump, is `None`. Lists, trees and tables are walked with a bound and
//! remember where they have been; what ends them early is a [`Problem`](memory::records::Problem) of the system.

#![forbid(unsafe_code)]

pub mod account;
pub mod alpc;
pub mod apc;
mod array;
mod budget;
pub mod callback;
mod census;
mod counters;
mod discover;
pub mod dpc;
pub mod driver;
pub mod eresource;
pub mod exported;
pub mod exports;
mod global;
pub mod handle;
pub mod imports;
pub mod interrupt;
pub mod irp;
mod kdbg;
mod layout;
mod list;
pub mod lock;
pub mod module;
pub mod object;
mod objectcallback;
pub mod owner;
mod pe;
pub mod peb;
pub mod pfn;
pub mod pool;
pub mod poolheap;
pub mod poolpage;
pub mod process;
pub mod processor;
mod pte;
pub mod service;
pub mod shape;
mod system;
pub mod thread;
pub mod timer;
pub mod token;
pub mod trap;
mod unloaded;
pub mod vad;
mod version;
mod view;
pub mod wait;
pub mod work;

pub use counters::Counter;
pub use discover::{Candidate, Depth, KERNEL_FILES, Kernel};
pub use global::GLOBALS;
pub use kdbg::Kdbg;
pub use list::{List, MOST_ENTRIES};
pub use pe::{ImageFacts, MEM_DISCARDABLE, MEM_EXECUTE, MEM_WRITE, directory, image_facts};
pub use symbols;
pub use system::{System, mode_name};
pub use unloaded::Unloaded;
pub use version::{Version, image_version, version_text};
pub use view::View;

/// Everything that this crate reads by name: what a layout pack must hold.
pub fn wanted() -> symbols::Wanted {
    let types = [
        driver::DeviceObject::WANTED,
        driver::DevobjExtension::WANTED,
        driver::DriverExtension::WANTED,
        driver::DriverObject::WANTED,
        driver::FastIoDispatch::WANTED,
        handle::EprocessHandles::WANTED,
        handle::HandleTable::WANTED,
        handle::HandleTableEntry::WANTED,
        object::FileObject::WANTED,
        object::ObjectDirectory::WANTED,
        object::ObjectDirectoryEntry::WANTED,
        object::ObjectHeader::WANTED,
        object::ObjectHeaderCreatorInfo::WANTED,
        object::ObjectHeaderNameInfo::WANTED,
        object::ObjectSymbolicLink::WANTED,
        object::ObjectType::WANTED,
        counters::MiPartition::WANTED,
        counters::MiSystemInformation::WANTED,
        counters::MmPfnList::WANTED,
        module::KldrDataTableEntry::WANTED,
        processor::Kpcr::WANTED,
        processor::Kprcb::WANTED,
        dpc::Kdpc::WANTED,
        dpc::KdpcData::WANTED,
        interrupt::Kinterrupt::WANTED,
        apc::ApcThread::WANTED,
        apc::Kapc::WANTED,
        work::ExWorkQueue::WANTED,
        work::WorkQueueItem::WANTED,
        work::Enode::WANTED,
        work::Epartition::WANTED,
        work::ExPartition::WANTED,
        objectcallback::ObjectTypeCallbacks::WANTED,
        callback::Device::WANTED,
        callback::Driver::WANTED,
        timer::Ktimer::WANTED,
        trap::KtrapFrame::WANTED,
        timer::KtimerTable::WANTED,
        timer::KtimerTableEntry::WANTED,
        account::Account::WANTED,
        account::SessionSpace::WANTED,
        account::Job::WANTED,
        account::Wow64Process::WANTED,
        process::Eprocess::WANTED,
        thread::Ethread::WANTED,
        lock::Section::WANTED,
        lock::SectionDebug::WANTED,
        peb::LdrEntry::WANTED,
        peb::Peb::WANTED,
        peb::PebLdrData::WANTED,
        peb::ProcessParameters::WANTED,
        peb::Wow64Owner::WANTED,
        vad::ControlArea::WANTED,
        vad::Mmvad::WANTED,
        vad::MmvadShort::WANTED,
        vad::Subsection::WANTED,
        vad::VadFile::WANTED,
        vad::VadRoot::WANTED,
        thread::ThreadState::WANTED,
        token::Token::WANTED,
        thread::Kthread::WANTED,
        pte::MmpteSoftware::WANTED,
        pte::MiHardware::WANTED,
    ];
    let types = types.into_iter().chain(resources()).chain(poolheap::wanted()).flatten().copied().collect();
    symbols::Wanted { types, symbols: GLOBALS.to_vec() }
}

/// Pool accounting, locks, waits, I/O requests and ALPC.
fn resources() -> [&'static [symbols::WantedType]; 21] {
    [
        irp::IrpLayout::WANTED,
        irp::IoStackLocation::WANTED,
        irp::ThreadIrps::WANTED,
        irp::IrpFile::WANTED,
        irp::IrpDevice::WANTED,
        irp::IrpDriver::WANTED,
        alpc::KalpcMessage::WANTED,
        alpc::AlpcInfo::WANTED,
        alpc::AlpcPort::WANTED,
        alpc::ThreadMessage::WANTED,
        wait::WaitingThread::WANTED,
        wait::KwaitBlock::WANTED,
        wait::DispatcherHeader::WANTED,
        wait::Kmutant::WANTED,
        wait::FastMutex::WANTED,
        wait::KguardedMutex::WANTED,
        eresource::Eresource::WANTED,
        eresource::OwnerEntry::WANTED,
        pfn::Mmpfn::WANTED,
        pool::BigPages::WANTED,
        pool::TrackerTable::WANTED,
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    /// Names that no public source has; a PDB of the user may.
    const NOWHERE: [&str; 6] = [
        "_HANDLE_TABLE_ENTRY.InheritBit",
        "_KLDR_DATA_TABLE_ENTRY.ObsoleteLoadCount",
        "_KGUARDED_MUTEX.Event",
        "MiSessionList",
        "PsJobList",
        "Wow64ServiceTable",
    ];

    /// What is declared after the pack was made is in no kernel, and nobody is told: every row would just lack it.
    #[test]
    fn the_pack_was_made_after_the_last_member_was_declared() {
        let pack = symbols::pack::Pack::built_in().unwrap();
        let (mut types, mut members, mut variables) = (HashSet::new(), HashSet::new(), HashSet::new());
        for layouts in pack.all_layouts() {
            variables.extend(layouts.symbols.into_keys());
            for (name, layout) in layouts.types {
                members.extend(layout.fields.into_keys().map(|path| format!("{name}.{path}")));
                types.insert(name);
            }
        }
        let wanted = super::wanted();
        let mut missing: Vec<String> = Vec::new();
        for wanted in &wanted.types {
            missing.extend(Some(wanted.name.to_string()).filter(|name| !types.contains(name)));
            let paths = wanted.fields.iter().map(|path| format!("{}.{path}", wanted.name));
            missing.extend(paths.filter(|path| !members.contains(path)));
        }
        missing.extend(wanted.symbols.iter().map(|s| s.to_string()).filter(|s| !variables.contains(s)));
        missing.retain(|name| !NOWHERE.contains(&name.as_str()));
        assert_eq!(missing, [""; 0]);
    }
}
