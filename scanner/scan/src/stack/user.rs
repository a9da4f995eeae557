//! The stacks of a user minidump's threads.
//!
//! The file states registers and stack memory of each thread; images are mostly not in it, so their unwind data comes
//! from image files where the user has them, and else the walk looks for return addresses and says so. The thread with
//! the exception is walked from the registers of the exception: above it are only the system's and the writer's own
//! calls.

use super::{
    Claims, Ids, Kind, Method, Registers, ThreadStack,
    all::{in_user_mode, named},
    link,
    parameters::parameters,
    places,
    within::Within,
};
use crate::code::Code;
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
    let Some(code) = Code::of_minidump(dump, space, names) else { return none() };
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
    let problem = |found: &str| {
        let problem = Problem::new("symbols", "symbols", "", 0, "symbols of a module", found);
        if let Ok(mut problems) = problems.lock() {
            problems.push(Problem { offset: None, ..problem });
        }
    };
    places::name(names, &problem, &|_, _| Some(&code), &mut stacks);
    (stacks, problems.into_inner().unwrap_or_default())
}

/// Where a walk starts.
struct Start {
    id: u32,
    registers: Option<(Registers, &'static str)>,
    /// Top and lowest address of the stack.
    ends: (Option<u64>, Option<u64>),
    /// What the walk may read.
    bounds: Result<Range<u64>, &'static str>,
}

/// Every thread with its registers and its stack.
fn threads(dump: &Dump, architecture: Architecture, space: &Space<'_>) -> Vec<Start> {
    let contexts = Contexts::of(dump);
    let mut claims = Claims::default();
    let start = |thread: &Thread| {
        let registers = contexts.of_thread(thread);
        let sp = registers.map(|(registers, _)| registers.sp());
        let ends = ends(thread, architecture, space, sp);
        let bounds = match (sp, ends.0) {
            (None, _) => Err("no register set in the dump is its own"),
            (Some(sp), Some(base)) if sp < base => claims.take(sp..base),
            (Some(sp), _) => claims.take(sp..sp.saturating_add(UNKNOWN)),
        };
        Start { id: thread.thread_id, registers, ends, bounds }
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
        exception.or_else(own).map(|(context, start)| (Registers::of(context), start))
    }
}

/// Top and lowest address of a thread's stack: as its `NT_TIB` (winnt.h: `StackBase` and `StackLimit` are the second
/// and third pointer, `Self` the seventh) says, where that is in the dump and fits; else the top of the part of it that
/// was captured, which is the stack's.
fn ends(
    thread: &Thread,
    architecture: Architecture,
    space: &Space<'_>,
    sp: Option<u64>,
) -> (Option<u64>, Option<u64>) {
    let width = architecture.pointer_size().into();
    let captured = || {
        let (start, size) = (thread.stack_start?, thread.stack_size?);
        let base = start.checked_add(size)?;
        sp.is_none_or(|sp| (start..base).contains(&sp)).then_some(base)
    };
    match thread.teb.and_then(|teb| stated(space, teb, width, sp)) {
        Some((base, limit)) => (Some(base), Some(limit)),
        None => (captured(), None),
    }
}

/// Top and lowest address of a stack as the `NT_TIB` of its thread says, if this stack pointer is on it.
pub fn stated(space: &Space<'_>, teb: u64, width: u64, sp: Option<u64>) -> Option<(u64, u64)> {
    let word = |index: u64| link::read(space, teb.checked_add(index * width)?, width);
    let (base, limit, own) = (word(1)?, word(2)?, word(6)?);
    let fits = own == teb && limit < base && sp.is_none_or(|sp| (limit..base).contains(&sp));
    fits.then_some((base, limit))
}

impl Start {
    fn walked(self, code: &Code<'_>, space: &Space<'_>, index: usize, ids: Ids) -> ThreadStack {
        let (registers, start, range) = match (self.registers, self.bounds) {
            (Some((registers, start)), Ok(range)) => (registers, start, range),
            (_, Err(why)) => return ThreadStack::without_start(index, ids, self.ends, why),
            (None, Ok(_)) => return ThreadStack::without_start(index, ids, self.ends, "no register set"),
        };
        let memory = Within { space, range: range.clone() };
        let stack = in_user_mode(code, &memory, range, Kind::User, (registers, Method::Context));
        let parameters = parameters(code, space, &stack);
        let symbols = stack.frames.iter().map(|frame| named(code, frame)).collect();
        let (base, limit) = self.ends;
        ThreadStack {
            thread: index,
            ids,
            start: Some(start),
            base,
            limit,
            stack,
            symbols,
            parameters,
            traps: Vec::new(),
        }
    }
}
