//! Whose stack is a page?

use super::{exports::Shelf, processors, targets::Targets};
use crate::{
    code::Code,
    reverse::ReverseMap,
    stack::Starts,
    sweeps::{Owner, Page},
};
use memory::{Space, Va};
use nt::{System, process::Process, thread::Ethread, thread::Thread, thread::ThreadState};
use std::{collections::BTreeMap, sync::Arc};

/// No kernel stack is larger, not even a grown one; a range that is lies.
const MOST_KERNEL: u64 = 1 << 20;
/// The same for the committed part of a user stack.
const MOST_USER: u64 = 1 << 30;
/// `_KTHREAD.State`: running, terminated.
const RUNNING: u8 = 2;
const TERMINATED: u8 = 4;
/// Processes whose number fits into [`Owner::Process`].
const MOST_PROCESSES: usize = 0x4000;

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Lowest address.
    pub limit: u64,
    /// One past the highest address.
    pub base: u64,
    /// The same, if it is the stack's top and not only that of a part of it.
    pub top: Option<u64>,
    /// The stack pointer, where it is known.
    pub sp: Option<u64>,
    /// Whose it is; `None`: a processor's.
    pub thread: Option<StackOwner>,
}

/// The thread of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackOwner {
    /// `_ETHREAD`.
    pub ethread: u64,
    /// Its id.
    pub tid: Option<u32>,
    /// Its process's id.
    pub pid: Option<u32>,
}

/// All stacks of one half of an address space, sorted and apart.
#[derive(Debug, Default)]
pub struct Stacks(Vec<Stack>);

impl Stacks {
    /// Of stacks that overlap, the first one counts.
    fn new(found: impl Iterator<Item = Stack>) -> Stacks {
        let mut kept: BTreeMap<u64, Stack> = BTreeMap::new();
        for stack in found {
            let below = kept.range(..stack.base).next_back().map(|(_, other)| other.base);
            if below.is_none_or(|base| base <= stack.limit) {
                kept.insert(stack.limit, stack);
            }
        }
        Stacks(kept.into_values().collect())
    }

    /// The stack that a page lies on: the one with its first byte, or the one that begins on it.
    fn on(&self, page: &Page<'_>) -> Option<&Stack> {
        let first = page.va?.0;
        let after = self.0.partition_point(|stack| stack.base <= first);
        let last = first.saturating_add(page.bytes.len() as u64);
        self.0.get(after).filter(|stack| stack.limit < last)
    }
}

/// What a page is to this sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    KernelStack,
    /// A processor's stack for deferred calls, interrupts or exceptions.
    ProcessorStack,
    UserStack,
    /// Nothing maps it.
    Unmapped,
    /// A kernel module lies there.
    Image,
    /// Other kernel memory.
    Kernel,
    /// Other user memory.
    User,
}

impl Kind {
    /// As in `residue_pages.page_kind`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::KernelStack => "kernel stack",
            Kind::ProcessorStack => "processor stack",
            Kind::UserStack => "user stack",
            Kind::Unmapped => "unmapped",
            Kind::Image => "image",
            Kind::Kernel => "kernel",
            Kind::User => "user",
        }
    }

    /// Whether it is a stack.
    pub fn is_stack(self) -> bool {
        matches!(self, Kind::KernelStack | Kind::ProcessorStack | Kind::UserStack)
    }
}

/// The stacks of all threads and processors.
pub struct Places {
    kernel: Stacks,
    /// By the number of [`Owner::Process`].
    user: Vec<Stacks>,
    /// First and one past the last address of kernel modules, sorted.
    images: Vec<(u64, u64)>,
}

impl Places {
    /// Reads where the stacks of all threads are.
    pub fn new(system: &System<'_>, map: &ReverseMap) -> Places {
        let layout = ThreadState::of(system);
        let size = system.size_of("_ETHREAD");
        let code = Code::of_kernel(system);
        let starts = Starts::new(system, &code);
        let mut found: Vec<(bool, Stack)> = system
            .threads()
            .iter()
            .filter_map(|thread| kernel_stack(system, &layout, size, &starts, thread))
            .collect();
        found.sort_by_key(|(terminated, _)| *terminated); // stable; memory of a dead one may be another's now
        let threads = found.into_iter().map(|(_, stack)| stack);
        let kernel = Stacks::new(threads.chain(processors::stacks(system, &starts)));
        let images =
            system.owners().iter().map(|owner| (owner.base.0, owner.base.0.saturating_add(owner.size)));
        Places { kernel, user: user_stacks(system, map), images: images.collect() }
    }

    /// What a page is to the kernel, and whose kernel stack lies on it.
    pub fn of(&self, page: &Page<'_>) -> (Kind, Option<&Stack>) {
        match page.owner {
            Owner::Nobody => (Kind::Unmapped, None),
            Owner::Process(_) => (Kind::User, None),
            Owner::Kernel => match self.kernel.on(page) {
                Some(stack) if stack.thread.is_none() => (Kind::ProcessorStack, Some(stack)),
                Some(stack) => (Kind::KernelStack, Some(stack)),
                None if self.is_image(page) => (Kind::Image, None),
                None => (Kind::Kernel, None),
            },
        }
    }

    /// Processes that can have user stacks.
    pub fn processes(&self) -> usize {
        self.user.len()
    }

    /// The user stack on a page of a process.
    pub fn user_stack(&self, page: &Page<'_>, index: u16) -> Option<&Stack> {
        self.user.get(usize::from(index))?.on(page)
    }

    fn is_image(&self, page: &Page<'_>) -> bool {
        let Some(va) = page.va else { return false };
        let behind = self.images.partition_point(|image| image.0 <= va.0);
        self.images[..behind].last().is_some_and(|image| va.0 < image.1)
    }
}

/// The kernel stack of a thread, and whether the thread has ended.
fn kernel_stack(
    system: &System<'_>,
    layout: &ThreadState,
    size: u32,
    starts: &Starts<'_>,
    thread: &Thread,
) -> Option<(bool, Stack)> {
    let view = system.view(thread.va, size);
    let (limit, base) = (view.pointer(layout.stack_limit)?.0, view.pointer(layout.stack_base)?.0);
    let sane = system.is_kernel(Va(limit)) && limit < base && base - limit <= MOST_KERNEL;
    let inside = |sp: &u64| (limit..=base).contains(sp);
    let state = view.u8(layout.state);
    let sp = match state {
        Some(RUNNING) => starts.of(thread).registers.ok().map(|(registers, _)| registers.sp()),
        _ => view.pointer(layout.kernel_stack).map(|va| va.0),
    };
    let stack = stack(system, thread, limit, base, sp.filter(inside));
    sane.then_some((state == Some(TERMINATED), stack))
}

fn stack(system: &System<'_>, thread: &Thread, limit: u64, base: u64, sp: Option<u64>) -> Stack {
    let pid = system.processes().get(thread.process).and_then(|process| process.pid);
    let owner = StackOwner { ethread: thread.va.0, tid: thread.tid, pid };
    Stack { limit, base, top: Some(base), sp, thread: Some(owner) }
}

/// User stacks by process, as the threads' `_NT_TIB`s state them.
fn user_stacks(system: &System<'_>, map: &ReverseMap) -> Vec<Stacks> {
    let walked: Vec<Va> =
        (0..MOST_PROCESSES as u16).map_while(|index| map.process(index)).map(|it| it.va).collect();
    let places: BTreeMap<Va, usize> = walked.iter().enumerate().map(|(index, va)| (*va, index)).collect();
    let mut found: Vec<Vec<Stack>> = walked.iter().map(|_| Vec::new()).collect();
    let layout = Ethread::of(system);
    for thread in system.threads() {
        let process = system.processes().get(thread.process);
        let place = process.and_then(|process| Some((process, *places.get(&process.va)?)));
        if let Some((process, place)) = place
            && let Some(stack) = user_stack(system, &layout, process, thread)
        {
            found[place].push(stack);
        }
    }
    found.into_iter().map(|stacks| Stacks::new(stacks.into_iter())).collect()
}

/// `_NT_TIB`: `StackBase` and `StackLimit` follow `ExceptionList` (winnt.h). `StackLimit` is the end of what is committed.
fn user_stack(system: &System<'_>, layout: &Ethread, process: &Process, thread: &Thread) -> Option<Stack> {
    let space: Space<'_> = system.process_space(process.dtb?)?;
    let teb = system.view(thread.va, layout.size).pointer(layout.teb).filter(|va| va.0 != 0)?;
    let width = u64::from(system.pointer_size());
    let word = |number: u64| space.pointer(teb.checked_add(number * width)?).ok();
    let (base, limit) = (word(1)?.0, word(2)?.0);
    let sane = !system.is_kernel(Va(base)) && limit < base && base - limit <= MOST_USER;
    sane.then(|| stack(system, thread, limit, base, None))
}

/// The code of a process.
pub fn code_of<'a>(system: &'a System<'_>, walked: Va, exports: Arc<Shelf>) -> Option<Targets<'a>> {
    let process = system.processes().iter().find(|process| process.va == walked)?;
    let space = system.process_space(process.dtb?)?;
    let halves = nt::peb::Halves::of(system);
    let native = halves.of_process(system, process).into_iter().find(|half| !half.is_wow64)?;
    let images = native.loaded(system)?.into_iter();
    let images = images.filter_map(|image| Some((image.name?, image.base, u64::from(image.size?))));
    Some(Targets::of_process(system.architecture, space, exports, images))
}
