//! The stacks of all threads.

use super::{
    Bounds, Confidence, End, Exact, Frame, Kind, Method, Registers, Stack, Starts, Trap, places,
    traps::Finder, walk,
};
use crate::code::{Code, Listed, Symbol};
use memory::Space;
use nt::{System, peb::Halves, process::Process, thread::Thread};
use rayon::prelude::*;
use std::{ops::Range, sync::OnceLock};

/// Bytes of stack above the stack pointer that are believed to be its own where its bounds are not known.
const UNKNOWN: u64 = 0x1_0000;

/// Whose a stack is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids {
    /// Address of the `_ETHREAD`; none in a user minidump.
    pub ethread: Option<u64>,
    /// Thread id.
    pub thread: Option<u32>,
    /// Process id.
    pub process: Option<u32>,
}

/// A thread's stack with names.
pub struct ThreadStack {
    /// Its place in `System::threads`, or in the list of a user minidump.
    pub thread: usize,
    /// The thread's names.
    pub ids: Ids,
    /// How the walk started, if it did: as in `stacks.start`.
    pub start: Option<&'static str>,
    /// Top of the kernel stack; of a user minidump that of the user stack.
    pub base: Option<u64>,
    /// Its lowest address.
    pub limit: Option<u64>,
    /// The frames.
    pub stack: Stack,
    /// What each frame is called.
    pub symbols: Vec<Symbol>,
    /// Trap frames on the kernel stack.
    pub traps: Vec<Trap>,
}

impl ThreadStack {
    /// Of a thread that could not be walked.
    pub fn without_start(
        thread: usize,
        ids: Ids,
        (base, limit): (Option<u64>, Option<u64>),
        why: &'static str,
    ) -> ThreadStack {
        let (frames, exact, crossings) = (Vec::new(), Vec::new(), Vec::new());
        let stack = Stack { frames, end: End::NoStart(why), gave_way: None, exact, crossings };
        let (symbols, traps) = (Vec::new(), Vec::new());
        ThreadStack { thread, ids, start: None, base, limit, stack, symbols, traps }
    }

    /// Addresses of the stack, where both ends are known.
    pub fn range(&self) -> Option<Range<u64>> {
        Some(self.limit?..self.base?)
    }
}

/// Walks the stacks of all threads, side by side; the order is that of the threads.
pub fn all(system: &System<'_>) -> Vec<ThreadStack> {
    let code = Code::of_kernel(system);
    let starts = Starts::new(system, &code);
    let users: Vec<UserSpace<'_>> =
        system.processes().iter().map(|process| UserSpace::new(system, process)).collect();
    let images: Vec<OnceLock<Code<'_>>> = users.iter().map(|_| OnceLock::new()).collect();
    let walk_one = |(index, thread): (usize, &Thread)| {
        let user = users.get(thread.process).zip(images.get(thread.process));
        let user_code = user
            .and_then(|(user, code)| Some((user.space.as_ref()?, code.get_or_init(|| user.code(system)))));
        one(system, &code, &starts, index, thread, user_code)
    };
    let mut stacks: Vec<ThreadStack> = system.threads().par_iter().enumerate().map(walk_one).collect();
    let user_code = |stack: &ThreadStack| images.get(system.threads().get(stack.thread)?.process)?.get();
    let code_of = |stack: &ThreadStack, frame: &Frame| {
        if frame.is_user() { user_code(stack) } else { Some(&code) }
    };
    let problem = |found: &str| {
        system.problem("symbols", "symbols", "", None, "symbols of a module", found);
    };
    places::name(system.names, &problem, &code_of, &mut stacks);
    let stated = |stack: &ThreadStack| starts.trap_frame(system.threads().get(stack.thread)?);
    Finder { system, code: &code, user: &user_code, stated: &stated }.add(&mut stacks);
    stacks
}

/// The user half of a process.
struct UserSpace<'a> {
    space: Option<Space<'a>>,
    process: &'a Process,
}

impl<'a> UserSpace<'a> {
    fn new(system: &'a System<'_>, process: &'a Process) -> UserSpace<'a> {
        let space = process.dtb.filter(|_| process.peb.is_some()).and_then(|dtb| system.process_space(dtb));
        UserSpace { space, process }
    }

    /// The images that its loader lists.
    fn code(&'a self, system: &'a System<'_>) -> Code<'a> {
        let halves = Halves::of(system);
        let native = halves.of_process(system, self.process).into_iter().next();
        let loaded = native.and_then(|half| half.loaded(system)).unwrap_or_default();
        let images = loaded.into_iter().filter_map(|image| {
            let size = image.size?.into();
            Some(Listed { name: image.name?, base: image.base, size, timestamp: None, pdb: None })
        });
        static NOTHING: OnceLock<Space<'static>> = OnceLock::new();
        let space: &'a Space<'_> = match &self.space {
            Some(space) => space,
            None => NOTHING.get_or_init(Space::nothing),
        };
        Code::new(space, system.architecture, system.names, images)
    }
}

fn one(
    system: &System<'_>,
    code: &Code<'_>,
    starts: &Starts<'_>,
    index: usize,
    thread: &Thread,
    user: Option<(&Space<'_>, &Code<'_>)>,
) -> ThreadStack {
    let start = starts.of(thread);
    let process = system.processes().get(thread.process).and_then(|process| process.pid);
    let ids = Ids { ethread: Some(thread.va.0), thread: thread.tid, process };
    let ends = (start.range.as_ref().map(|range| range.end), start.range.as_ref().map(|range| range.start));
    let (registers, method) = match start.registers {
        Ok(start) => start,
        Err(why) => return ThreadStack::without_start(index, ids, ends, why),
    };
    let own = start.range.clone().filter(|range| range.contains(&registers.sp()));
    let range = own.unwrap_or(registers.sp()..registers.sp().saturating_add(UNKNOWN));
    let is_user = |va| !system.is_kernel(memory::Va(va));
    let width = u64::from(system.pointer_size());
    let bounds =
        Bounds { memory: &system.space, range: Some(range), width, is_user: &is_user, kind: Kind::Kernel };
    let (mut stack, reached) = walk(code, &bounds, registers, method);
    trust(&mut stack);
    let mut symbols: Vec<Symbol> = stack.frames.iter().map(|frame| named(code, frame)).collect();
    if let Some((registers, (space, code))) = reached.zip(user) {
        let part = in_user_mode(space, code, width, registers);
        symbols.extend(part.frames.iter().map(|frame| named(code, frame)));
        let before = stack.frames.len();
        let shifted = part.exact.into_iter().map(|exact| Exact { frame: before + exact.frame, ..exact });
        stack.exact.extend(shifted);
        stack.frames.extend(part.frames);
        (stack.end, stack.gave_way) = (part.end, stack.gave_way.or(part.gave_way));
    }
    let (base, limit) = ends;
    ThreadStack {
        thread: index,
        ids,
        start: Some(method.name()),
        base,
        limit,
        stack,
        symbols,
        traps: Vec::new(),
    }
}

/// The part of a stack in user mode, from the registers that the system call or trap saved.
fn in_user_mode(space: &Space<'_>, code: &Code<'_>, width: u64, registers: Registers) -> Stack {
    let range = Some(registers.sp()..registers.sp().saturating_add(UNKNOWN));
    let bounds = Bounds { memory: space, range, width, is_user: &|_| true, kind: Kind::User };
    let (mut stack, _) = walk(code, &bounds, registers, Method::Trap);
    trust(&mut stack);
    stack
}

/// A walk that began with a guess and went by unwind data to a natural end has shown that the guess was right.
pub fn trust(stack: &mut Stack) {
    let natural = matches!(stack.end, End::ThreadStart | End::UserMode);
    if natural && stack.gave_way.is_none() {
        stack.frames.iter_mut().for_each(|frame| frame.confidence = Confidence::High);
    }
}

/// What a frame is called: of a return address, by the call before it.
pub fn named(code: &Code<'_>, frame: &Frame) -> Symbol {
    if frame.exact {
        return code.symbol(frame.ip);
    }
    let symbol = code.symbol(frame.ip.wrapping_sub(1));
    Symbol { offset: symbol.offset.map(|offset| offset + 1), ..symbol }
}
