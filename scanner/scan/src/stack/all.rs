//! The stacks of all threads.

use super::{
    Bounds, Claims, Confidence, End, Exact, Frame, Kind, Method, Parameters, Registers, Stack, Start, Starts,
    Trap, anchors::StatedFault, halves::UserHalf, parameters::parameters, places, traps::Finder, user, walk,
    wow64,
};
use crate::code::{Code, Symbol};
use memory::Space;
use nt::{System, thread::Thread};
use rayon::prelude::*;
use std::{collections::BTreeMap, ops::Range};
use unwind::Memory;

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
    /// What each frame's function was called with, as far as that is home.
    pub parameters: Vec<Parameters>,
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
        let (symbols, parameters, traps) = (Vec::new(), Vec::new(), Vec::new());
        ThreadStack { thread, ids, start: None, base, limit, stack, symbols, parameters, traps }
    }

    /// Addresses of the stack, where both ends are known.
    pub fn range(&self) -> Option<Range<u64>> {
        Some(self.limit?..self.base?)
    }
}

/// Walks the stacks of all threads, side by side; the order is that of the threads.
pub fn all(system: &System<'_>) -> Vec<ThreadStack> {
    let code = Code::of_kernel(system);
    let (starts, fault) = (Starts::new(system, &code), StatedFault::of(system, &code));
    let users: Vec<UserHalf<'_>> =
        system.processes().iter().map(|process| UserHalf::new(system, process)).collect();
    let narrow = narrow(system, &starts, &users);
    let walk_one = |(index, thread): (usize, &Thread)| {
        let narrow = narrow.get(index).and_then(Option::as_ref);
        let (user, teb) = (users.get(thread.process), starts.teb(thread));
        let walker = Walker { system, code: &code, user, narrow, stated: &fault, teb };
        walker.walked(index, thread, starts.of(thread))
    };
    let mut stacks: Vec<ThreadStack> = system.threads().par_iter().enumerate().map(walk_one).collect();
    let user = |stack: &ThreadStack| users.get(system.threads().get(stack.thread)?.process);
    let code_of = |stack: &ThreadStack, frame: &Frame| {
        if frame.is_user() { user(stack)?.code(frame.kind) } else { Some(&code) }
    };
    let problem = |found: &str| {
        system.problem("symbols", "symbols", "", None, "symbols of a module", found);
    };
    places::name(system.names, &problem, &code_of, &mut stacks);
    places::tell([&code].into_iter().chain(users.iter().flat_map(UserHalf::codes)), &|found| {
        system.problem("symbols", "symbols", "", None, "the file of an image", found);
    });
    let stated = |stack: &ThreadStack| starts.trap_frame(system.threads().get(stack.thread)?);
    Finder { system, code: &code, user: &user, stated: &stated }.add(&mut stacks);
    stacks
}

/// Where the 32-bit parts of threads start. No two of a process have the same stack.
fn narrow(system: &System<'_>, starts: &Starts<'_>, users: &[UserHalf<'_>]) -> Vec<Option<wow64::Start>> {
    let is_wow64: Vec<bool> = users.iter().map(UserHalf::is_wow64).collect();
    let mut claims: BTreeMap<usize, Claims> = BTreeMap::new();
    let mut start = |thread: &Thread| {
        let process = thread.process;
        let space = users.get(process).filter(|_| is_wow64.get(process) == Some(&true))?.space()?;
        let start = wow64::Start::read(space, starts.teb(thread)?)?;
        claims.entry(process).or_default().take(start.stack()).is_ok().then_some(start)
    };
    system.threads().iter().map(&mut start).collect()
}

/// Walks the stack of one thread.
struct Walker<'a, 'u> {
    system: &'a System<'a>,
    code: &'a Code<'a>,
    user: Option<&'u UserHalf<'a>>,
    narrow: Option<&'u wow64::Start>,
    /// What the bug check says of its stack.
    stated: &'u StatedFault<'a>,
    /// `_KTHREAD.Teb`.
    teb: Option<u64>,
}

impl Walker<'_, '_> {
    fn walked(&self, index: usize, thread: &Thread, start: Start) -> ThreadStack {
        let system = self.system;
        let process = system.processes().get(thread.process).and_then(|process| process.pid);
        let ids = Ids { ethread: Some(thread.va.0), thread: thread.tid, process };
        let ends =
            (start.range.as_ref().map(|range| range.end), start.range.as_ref().map(|range| range.start));
        let (registers, method) = match start.registers {
            Ok(start) => start,
            Err(why) => return ThreadStack::without_start(index, ids, ends, why),
        };
        let is_own = |range: &Range<u64>| range.contains(&registers.sp()) || !start.others.is_empty();
        let own = start.range.clone().filter(is_own);
        let range = own.unwrap_or(registers.sp()..registers.sp().saturating_add(UNKNOWN));
        let is_user = |va| !system.is_kernel(memory::Va(va));
        let width = u64::from(system.pointer_size());
        let (memory, kind) = (&system.space, Kind::Kernel);
        let (range, others, saved) = (Some(range), &start.others, Some(self.stated));
        let bounds = Bounds { memory, range, width, is_user: &is_user, kind, others, saved };
        let (mut stack, reached) = walk(self.code, &bounds, registers, method);
        trust(&mut stack);
        let symbols = stack.frames.iter().map(|frame| named(self.code, frame)).collect();
        let parameters = parameters(self.code, memory, &stack);
        let ((base, limit), traps) = (ends, Vec::new());
        let start = Some(method.name());
        let mut walked =
            ThreadStack { thread: index, ids, start, base, limit, stack, symbols, parameters, traps };
        if let Some(registers) = reached {
            self.go_on_in_user_mode(&mut walked, registers);
        }
        walked
    }

    /// The part in user mode, from the registers that the system call or trap saved; and that in 32-bit code, which is
    /// behind 64-bit code unless it is where the trap came.
    fn go_on_in_user_mode(&self, walked: &mut ThreadStack, registers: Registers) {
        let Some((user, space)) = self.user.and_then(|user| Some((user, user.space()?))) else { return };
        let at = walked.stack.crossings.last().map(|crossing| crossing.at);
        let trapped = at.and_then(|at| wow64::trapped(&self.system.space, at, &registers));
        if trapped.is_none() {
            let Some(code) = user.code(Kind::User) else { return };
            let sp = registers.sp();
            let width = self.system.pointer_size().into();
            let stated = self.teb.and_then(|teb| user::tib(space, teb, width, Some(sp)));
            let range = sp..stated.map_or(sp.saturating_add(UNKNOWN), |(base, _)| base);
            let part = in_user_mode(code, space, range, Kind::User, (registers, Method::Trap));
            walked.extend(code, space, part);
        }
        let part = self.narrow.zip(user.code(Kind::Wow64).filter(|_| self.narrow.is_some()));
        if let Some((part, code)) =
            part.and_then(|(start, code)| Some((start.walked(space, code, trapped)?, code)))
        {
            walked.extend(code, space, part);
        }
    }
}

impl ThreadStack {
    /// Adds what lies outwards. The walk was whole if both parts are.
    pub(super) fn extend(&mut self, code: &Code<'_>, space: &Space<'_>, part: Stack) {
        self.parameters.extend(parameters(code, space, &part));
        self.symbols.extend(part.frames.iter().map(|frame| named(code, frame)));
        let before = self.stack.frames.len();
        let shifted = part.exact.into_iter().map(|exact| Exact { frame: before + exact.frame, ..exact });
        self.stack.exact.extend(shifted);
        self.stack.frames.extend(part.frames);
        self.stack.end = if self.stack.end.truncated() { self.stack.end } else { part.end };
        self.stack.gave_way = self.stack.gave_way.or(part.gave_way);
    }
}

/// The part of a stack in user mode: 64-bit code, 32-bit code, all of a user minidump's stack.
pub fn in_user_mode(
    code: &Code<'_>,
    memory: &dyn Memory,
    range: Range<u64>,
    kind: Kind,
    (registers, method): (Registers, Method),
) -> Stack {
    let (range, width) = (Some(range), registers.set().pointer_size().into());
    let bounds = Bounds { memory, range, width, is_user: &|_| true, kind, others: &[], saved: None };
    let (mut stack, _) = walk(code, &bounds, registers, method);
    trust(&mut stack);
    stack
}

/// A walk that began with a guess and went by unwind data to a natural end has shown that the guess was right.
fn trust(stack: &mut Stack) {
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
