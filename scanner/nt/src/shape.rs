//! What kernel objects look like, for whoever finds one in memory without a list that leads to it.
//!
//! A pool tag is easy to overwrite, a list easy to unlink from. What a kernel object needs to work is harder to take
//! away: the kind in its dispatcher header, list heads that lead back to it, a page-table root that is memory, an owner
//! that is a process. A [`Verdict`] says how much of that holds and why.
//!
//! Dispatcher headers: up to Windows 7 `Size` is the size of `_KPROCESS` or `_KTHREAD` in words of 4 bytes (as public
//! scanners such as volatility's `psdispscan` use it); the triage dumps of Windows 10 and 11 have 0 there for processes
//! and flags for threads, so that nothing is concluded from it.

mod header;
mod io;
mod run;

pub use header::Named;

use crate::{
    System, View,
    alpc::AlpcPort,
    driver::{DeviceObject, DriverObject},
    module::KldrDataTableEntry,
    object::{FileObject, ObjectHeader, ObjectSymbolicLink},
    process::Eprocess,
    thread::{Ethread, ThreadState},
};
use memory::Va;
use symbols::Field;

/// What a found object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `_EPROCESS`.
    Process,
    /// `_ETHREAD`.
    Thread,
    /// `_DRIVER_OBJECT`.
    Driver,
    /// `_DEVICE_OBJECT`.
    Device,
    /// `_FILE_OBJECT`.
    File,
    /// `_KMUTANT`.
    Mutant,
    /// `_OBJECT_SYMBOLIC_LINK`.
    SymbolicLink,
    /// `_SECTION`.
    Section,
    /// `_ALPC_PORT`, before Windows Vista `_LPCP_PORT_OBJECT`.
    Port,
    /// `_KLDR_DATA_TABLE_ENTRY`.
    Module,
}

/// A kind, its structure, the names of its type, the tags of its pool blocks.
type Known = (Kind, &'static str, &'static [&'static str], &'static [&'static [u8; 4]]);

/// Every kind with its name, the name of its object type, and the pool tags of its allocations.
const KINDS: [Known; 10] = [
    (Kind::Process, "process", &["Process"], &[b"Proc"]),
    (Kind::Thread, "thread", &["Thread"], &[b"Thre"]),
    (Kind::Driver, "driver", &["Driver"], &[b"Driv"]),
    (Kind::Device, "device", &["Device"], &[b"Devi"]),
    (Kind::File, "file", &["File"], &[b"File"]),
    (Kind::Mutant, "mutant", &["Mutant"], &[b"Muta"]),
    (Kind::SymbolicLink, "symbolic link", &["SymbolicLink"], &[b"Symb"]),
    (Kind::Section, "section", &["Section"], &[b"Sect"]),
    (Kind::Port, "port", &["ALPC Port", "Port"], &[b"ALPC", b"Port"]),
    (Kind::Module, "module", &[], &[b"MmLd"]),
];

impl Kind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Kind> {
        KINDS.iter().map(|row| row.0)
    }

    /// In words.
    pub fn name(self) -> &'static str {
        KINDS[self as usize].1
    }

    /// Names of its object type; none for what is no object of the object manager.
    pub fn types(self) -> &'static [&'static str] {
        KINDS[self as usize].2
    }

    /// Tags of the pool blocks that hold it, without the protected bit.
    pub fn tags(self) -> impl Iterator<Item = u32> {
        KINDS[self as usize].3.iter().map(|tag| u32::from_le_bytes(**tag))
    }
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It may be a copy, or memory that looks alike.
    Low,
    /// What can be checked holds, but little can be.
    Medium,
    /// Independent members agree.
    High,
}

impl Level {
    /// In words.
    pub fn name(self) -> &'static str {
        ["low", "medium", "high"][self as usize]
    }
}

/// What the members of a candidate say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How sure.
    pub level: Level,
    /// Why.
    pub why: &'static str,
    /// The address that the object's own list heads state.
    pub stated: Option<Va>,
}

/// Memory that may hold an object.
#[derive(Clone)]
pub struct Body<'a> {
    /// Its members; those outside of what is known cannot be read.
    pub view: View<'a>,
    /// Where it is, if the kernel's page tables lead to it.
    pub va: Option<Va>,
    /// The low 12 bits of its address, which page tables do not change.
    pub low: u64,
}

/// What the two pointers of a list head or list entry say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ring {
    /// Its neighbours lead back to it.
    Back,
    /// It points to itself, so it states its own address.
    Itself(Va),
    /// They are addresses of the kernel; more cannot be said.
    Plausible,
    /// Its neighbours know another entry: it is a copy, or was taken out of its list.
    Apart,
}

/// How objects of this kernel look.
pub struct Shapes<'s, 'a> {
    system: &'s System<'a>,
    width: u32,
    header: ObjectHeader,
    process: Eprocess,
    thread: Ethread,
    state: ThreadState,
    driver: DriverObject,
    device: DeviceObject,
    file: FileObject,
    link: ObjectSymbolicLink,
    port: AlpcPort,
    module: KldrDataTableEntry,
    named: [Option<Named>; KINDS.len()],
    /// `ObpInfoMaskToOffset`: bytes of the optional headers by their mask.
    fronts: Option<Box<[u8; 256]>>,
}

/// 1995 and 2100 as FILETIME: no Windows NT object is older, and later ones are no times.
const TIMES: std::ops::Range<u64> = 124_333_920_000_000_000..157_469_184_000_000_000;

impl<'s, 'a> Shapes<'s, 'a> {
    /// The shapes of this kernel's objects.
    pub fn of(system: &'s System<'a>) -> Shapes<'s, 'a> {
        let mut named = [None; KINDS.len()];
        for kind in Kind::all() {
            named[kind as usize] = Named::of(system, kind);
        }
        Shapes {
            system,
            width: system.pointer_size(),
            header: ObjectHeader::of(system),
            process: Eprocess::of(system),
            thread: Ethread::of(system),
            state: ThreadState::of(system),
            driver: DriverObject::of(system),
            device: DeviceObject::of(system),
            file: FileObject::of(system),
            link: ObjectSymbolicLink::of(system),
            port: AlpcPort::of(system),
            module: KldrDataTableEntry::of(system),
            named,
            fronts: header::fronts(system),
        }
    }

    /// Whether memory has the members of an object of a kind; the dispatcher header is not looked at.
    pub fn judge(&self, kind: Kind, body: &Body<'_>) -> Option<Verdict> {
        match kind {
            Kind::Process => self.judge_process(body),
            Kind::Thread => self.judge_thread(body),
            Kind::Driver => self.judge_driver(body),
            Kind::Device => self.judge_device(body),
            Kind::File => self.judge_file(body),
            Kind::Mutant => self.judge_mutant(body),
            Kind::SymbolicLink => self.judge_link(body),
            Kind::Section => self.judge_section(body),
            Kind::Port => self.judge_port(body),
            Kind::Module => self.judge_module(body),
        }
    }

    /// Whether enough of a kind's layout is known to recognise one by its own members. Of links, sections and ports the
    /// first members are those of many other things.
    pub fn knows_members(&self, kind: Kind) -> bool {
        let known = |fields: &[Option<Field>]| fields.iter().all(Option::is_some);
        let (process, thread, driver) = (&self.process, &self.thread, &self.driver);
        let (device, file, module) = (&self.device, &self.file, &self.module);
        match kind {
            Kind::Process => {
                let times = known(&[process.create_time, process.exit_time]);
                times && known(&[process.threads, process.links, process.pid, process.name, process.dtb])
            }
            Kind::Thread => {
                let stack =
                    known(&[self.state.stack_base.or(self.state.initial_stack), self.state.stack_limit]);
                stack && known(&[thread.links, thread.owner, thread.tid, thread.pid])
            }
            Kind::Driver => {
                let pointers = [driver.first_device, driver.section, driver.extension, driver.fast_io];
                let image = [driver.name, driver.start, driver.driver_size, driver.dispatch];
                driver.size != 0 && known(&pointers) && known(&image)
            }
            Kind::Device => {
                let pointers = [device.driver, device.next, device.attached, device.current_irp, device.vpb];
                let more = [device.device_extension, device.extension, device.stack_size, device.device_type];
                device.size != 0 && known(&pointers) && known(&more)
            }
            Kind::File => file.size != 0 && known(&[file.device, file.name]),
            Kind::Mutant => self.knows_headers(kind),
            Kind::Module => {
                let image = [module.base, module.size_of_image, module.entry_point, module.links];
                known(&image) && known(&[module.base_name, module.full_name])
            }
            Kind::SymbolicLink | Kind::Section | Kind::Port => false,
        }
    }

    /// Whether the headers in front of a kind are known: then one can be recognised behind its pool header. Loader
    /// entries lie right behind theirs, and need their members known.
    pub fn knows_headers(&self, kind: Kind) -> bool {
        match kind {
            Kind::Module => self.knows_members(kind),
            _ => {
                let told = self.named[kind as usize].is_some();
                self.header_size().is_some() && (told || self.knows_members(kind))
            }
        }
    }

    /// Bytes of the structure of a kind, 0 where the layouts do not say.
    pub fn size(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Process => self.process.size,
            Kind::Thread => self.thread.size,
            Kind::Driver => self.driver.size,
            Kind::Device => self.device.size,
            Kind::File => self.file.size,
            Kind::SymbolicLink => self.link.size,
            Kind::Port => self.port.size,
            Kind::Module => self.module.size,
            Kind::Mutant | Kind::Section => 0,
        }
    }

    /// Windows in the dump.
    pub fn system(&self) -> &'s System<'a> {
        self.system
    }

    /// Bytes of a pointer: 4 or 8.
    pub fn pointer_size(&self) -> u32 {
        self.width
    }

    /// `DllBase` of a loader entry.
    pub fn module_base(&self) -> Option<Field> {
        self.module.base
    }

    /// An aligned address of the kernel's half.
    pub(crate) fn kernel_pointer(&self, value: u64) -> bool {
        let canonical = if self.width == 4 { value <= 0xffff_ffff } else { value >> 56 == 0xff };
        canonical && value.is_multiple_of(u64::from(self.width)) && self.system.is_kernel(Va(value))
    }

    /// A pointer member that must lead into the kernel's half.
    pub(crate) fn pointer(&self, body: &Body<'_>, field: Option<Field>) -> Option<Va> {
        body.view.uint(field).filter(|&value| self.kernel_pointer(value)).map(Va)
    }

    /// The same, or NULL.
    pub(crate) fn pointer_or_null(&self, body: &Body<'_>, field: Option<Field>) -> Option<()> {
        let field = Field { size: self.width, ..field? }; // of a list entry, its first pointer
        let value = body.view.uint(Some(field))?;
        (value == 0 || self.kernel_pointer(value)).then_some(())
    }

    /// A `_LIST_ENTRY` member; `None` unless both pointers lead into the kernel's half.
    pub(crate) fn ring(&self, body: &Body<'_>, links: Option<Field>) -> Option<Ring> {
        let (offset, width) = (links?.offset, self.width);
        let part = |offset| Some(Field { offset, size: width, bits: None });
        let next = body.view.uint(part(offset))?;
        let last = body.view.uint(part(offset.checked_add(width)?))?;
        if !self.kernel_pointer(next) || !self.kernel_pointer(last) {
            return None;
        }
        let offset = u64::from(offset);
        let itself = next == last && next & 0xfff == body.low.wrapping_add(offset) & 0xfff;
        let Some(here) = body.va.map(|va| va.0.wrapping_add(offset)) else {
            return Some(if itself { Ring::Itself(Va(next.wrapping_sub(offset))) } else { Ring::Plausible });
        };
        if itself {
            return Some(if next == here { Ring::Back } else { Ring::Apart });
        }
        let space = self.system.space;
        let neighbours = [space.pointer(Va(next.wrapping_add(width.into()))), space.pointer(Va(last))];
        Some(match neighbours {
            [Ok(before), Ok(behind)] if before.0 == here && behind.0 == here => Ring::Back,
            [Ok(_), Ok(_)] => Ring::Apart,
            _ => Ring::Plausible,
        })
    }

    /// A `UNICODE_STRING` member whose lengths and buffer agree; true if it has text.
    pub(crate) fn text(&self, body: &Body<'_>, field: Option<Field>) -> Option<bool> {
        let offset = field?.offset;
        let lengths = body.view.u32(Some(Field { offset, size: 4, bits: None }))?;
        let (length, most) = (lengths & 0xffff, lengths >> 16);
        let buffer =
            body.view.uint(Some(Field { offset: offset + self.width, size: self.width, bits: None }))?;
        let fits = length <= most && length % 2 == 0;
        // A text that was never set has three zeros.
        let empty = length == 0 && (buffer == 0 || self.kernel_half(buffer));
        (fits && (empty || self.kernel_half(buffer) && buffer % 2 == 0)).then_some(length != 0)
    }

    fn kernel_half(&self, value: u64) -> bool {
        self.kernel_pointer(value & !u64::from(self.width - 1))
    }

    /// 0 or a time that can be one: whether it is set.
    pub(crate) fn time(&self, value: u64) -> Option<bool> {
        match value {
            0 => Some(false),
            value => TIMES.contains(&value).then_some(true),
        }
    }
}

/// The offset behind `Type`, its flags and `SignalState` of `_DISPATCHER_HEADER` in every Windows.
pub(crate) const WAIT_LIST: Option<Field> = Some(Field { offset: 8, size: 8, bits: None });
