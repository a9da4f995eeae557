//! The stacks of a user minidump's threads.
//!
//! The file states registers and stack memory of each thread; images are mostly not in it, so their unwind data comes
//! from image files where the user has them, and else the walk looks for return addresses and says so. The thread with
//! the exception is walked from the registers of the exception: above it are only the system's and the writer's own
//! calls.
//!
//! A 32-bit process that a 64-bit writer saw has threads of two halves: registers are those of the 64-bit layer or, with
//! a code segment of 32-bit code or in a record of their own, those of the process's own code.

use super::{
    Claims, Ids, Kind, Method, Registers, ThreadStack,
    all::{in_user_mode, named},
    link,
    parameters::parameters,
    places,
    within::Within,
    wow64,
};
use crate::code::{Code, ProcessCode};
use memory::{
    Architecture, Context, Dump, Space,
    records::{Problem, Thread},
};
use nt::symbols::Provider;
use rayon::prelude::*;
use std::{collections::HashMap, ops::Range, sync::Mutex};

/// Bytes above the stack pointer that are believed to be the stack where nothing bounds it: the default reserve.
const UNKNOWN: u64 = 0x10_0000;

/// Walks the stacks of all threads, side by side; the order is that of the threads. What could not be read about
/// symbols comes beside.
pub fn of_minidump(dump: &Dump, names: Option<&dyn Provider>) -> (Vec<ThreadStack>, Vec<Problem>) {
    let none = || (Vec::new(), Vec::new());
    let (Some(architecture), Some(space)) = (dump.records.header.architecture, dump.captured()) else {
        return none();
    };
    let Some(code) = ProcessCode::new(dump, space, names) else { return none() };
    let pid = dump.records.processes.first().map(|process| process.process_id);
    let threads = threads(dump, architecture, &space);
    let mut stacks: Vec<ThreadStack> = threads
        .into_par_iter()
        .enumerate()
        .map(|(index, thread)| {
            let ids = Ids { ethread: None, thread: Some(thread.id), process: pid };
            thread.walked(&code, &space, index, ids)
        })
        .collect();
    let problems = Mutex::new(Vec::new());
    let note = |expected: &str, found: &str| {
        let problem = Problem::new("symbols", "symbols", "", 0, expected, found);
        if let Ok(mut problems) = problems.lock() {
            problems.push(Problem { offset: None, ..problem });
        }
    };
    let pdb = |found: &str| note("symbols of a module", found);
    places::name(names, &pdb, &|_, frame| Some(code.of(frame.set)), &mut stacks);
    places::tell(code.known(), &|found| note("the file of an image", found));
    (stacks, problems.into_inner().unwrap_or_default())
}

/// Where a walk starts.
struct Start {
    id: u32,
    registers: Option<(Registers, &'static str)>,
    /// The stack is the 32-bit one of a thread that has two.
    kind: Kind,
    /// Top and lowest address of the stack.
    ends: (Option<u64>, Option<u64>),
    /// What the walk may read.
    bounds: Result<Range<u64>, &'static str>,
    /// Where it goes on in 32-bit code.
    narrow: Option<wow64::Start>,
}

/// Every thread with its registers and its stack.
fn threads(dump: &Dump, architecture: Architecture, space: &Space<'_>) -> Vec<Start> {
    let contexts = Contexts::of(dump);
    let (mut claims, mut narrow_claims) = (Claims::default(), Claims::default());
    let start = |thread: &Thread| {
        let registers = contexts.of_thread(thread);
        let set = registers.map_or(architecture, |(registers, _)| registers.set());
        let sp = registers.map(|(registers, _)| registers.sp());
        let ends = ends(thread, architecture, set, space, sp);
        let bounds = match (sp, ends.0) {
            (None, _) => Err("no register set in the dump is its own"),
            (Some(sp), Some(base)) if sp < base => claims.take(sp..base),
            (Some(sp), _) => claims.take(sp..sp.saturating_add(UNKNOWN)),
        };
        let has_layer = registers.is_some() && set == Architecture::X64;
        let mut narrow = tebs(thread, architecture, set)
            .find_map(|teb| wow64::Start::read(space, teb))
            .filter(|_| has_layer);
        narrow = narrow.filter(|narrow| narrow_claims.take(narrow.stack()).is_ok());
        let kind = if set == Architecture::X86 && architecture != set { Kind::Wow64 } else { Kind::User };
        Start { id: thread.thread_id, registers, kind, ends, bounds, narrow }
    };
    dump.records.threads.iter().map(start).collect()
}

/// The register sets of a dump by thread.
struct Contexts<'a> {
    threads: HashMap<u32, &'a Context>,
    exceptions: HashMap<u32, &'a Context>,
}

impl<'a> Contexts<'a> {
    fn of(dump: &'a Dump) -> Contexts<'a> {
        let (mut threads, mut exceptions) = (HashMap::new(), HashMap::new());
        for context in dump.records.contexts.iter().filter(|context| context.has_control()) {
            let Some(id) = context.thread_id else { continue };
            match context.source {
                "thread" => threads.entry(id).or_insert(context),
                "exception" => exceptions.entry(id).or_insert(context),
                _ => continue,
            };
        }
        Contexts { threads, exceptions }
    }

    fn of_thread(&self, thread: &Thread) -> Option<(Registers, &'static str)> {
        let exception = self.exceptions.get(&thread.thread_id).map(|context| (*context, "exception"));
        let own = || self.threads.get(&thread.thread_id).map(|context| (*context, "context"));
        let registers = |context| wow64::narrowed(context).unwrap_or_else(|| Registers::of(context));
        exception.or_else(own).map(|(context, start)| (registers(context), start))
    }
}

/// Where the TEB of a thread can be that code of these instructions uses. The list has the one of the writer's half;
/// that of 32-bit code is two pages behind the other.
fn tebs(thread: &Thread, stated: Architecture, set: Architecture) -> impl Iterator<Item = u64> {
    let listed = thread.teb;
    let other = listed.and_then(|teb| match (stated, set) {
        (Architecture::X64, Architecture::X86) => teb.checked_add(wow64::TEB32),
        (Architecture::X86, Architecture::X64) => teb.checked_sub(wow64::TEB32),
        _ => None,
    });
    listed.into_iter().chain(other)
}

/// Top and lowest address of a thread's stack: as its `NT_TIB` (winnt.h: `StackBase` and `StackLimit` are the second
/// and third pointer, `Self` the seventh) says, where that is in the dump and fits; else the top of the part of it that
/// was captured, which is the stack's.
fn ends(
    thread: &Thread,
    stated: Architecture,
    set: Architecture,
    space: &Space<'_>,
    sp: Option<u64>,
) -> (Option<u64>, Option<u64>) {
    let width = set.pointer_size().into();
    let captured = || {
        let (start, size) = (thread.stack_start?, thread.stack_size?);
        let base = start.checked_add(size)?;
        sp.is_none_or(|sp| (start..base).contains(&sp)).then_some(base)
    };
    match tebs(thread, stated, set).find_map(|teb| tib(space, teb, width, sp)) {
        Some((base, limit)) => (Some(base), Some(limit)),
        None => (captured(), None),
    }
}

/// Top and lowest address of a stack as the `NT_TIB` of its thread says, if this stack pointer is on it.
pub fn tib(space: &Space<'_>, teb: u64, width: u64, sp: Option<u64>) -> Option<(u64, u64)> {
    let word = |index: u64| link::read(space, teb.checked_add(index * width)?, width);
    let (base, limit, own) = (word(1)?, word(2)?, word(6)?);
    let fits = own == teb && limit < base && sp.is_none_or(|sp| (limit..base).contains(&sp));
    fits.then_some((base, limit))
}

impl Start {
    fn walked(self, code: &ProcessCode<'_>, space: &Space<'_>, index: usize, ids: Ids) -> ThreadStack {
        let (registers, start, range) = match (self.registers, self.bounds) {
            (Some((registers, start)), Ok(range)) => (registers, start, range),
            (_, Err(why)) => return ThreadStack::without_start(index, ids, self.ends, why),
            (None, Ok(_)) => return ThreadStack::without_start(index, ids, self.ends, "no register set"),
        };
        let memory = Within { space, range: range.clone() };
        let own: &Code<'_> = code.of(registers.set());
        let stack = in_user_mode(own, &memory, range, self.kind, (registers, Method::Context));
        let parameters = parameters(own, space, &stack);
        let symbols = stack.frames.iter().map(|frame| named(own, frame)).collect();
        let ((base, limit), start, traps) = (self.ends, Some(start), Vec::new());
        let mut walked =
            ThreadStack { thread: index, ids, start, base, limit, stack, symbols, parameters, traps };
        if let Some(narrow) = self.narrow {
            let code = code.of(Architecture::X86);
            narrow.walked(space, code, None).into_iter().for_each(|part| walked.extend(code, space, part));
        }
        walked
    }
}
