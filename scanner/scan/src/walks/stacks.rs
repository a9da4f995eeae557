//! `stacks` and `frames`: the stack of every thread.

use crate::{
    Job,
    code::Symbol,
    out::Out,
    stack::{self, End, ThreadStack, recursion},
};
use nt::KERNEL_FILES;
use schema::{
    Sink,
    tables::{FrameRow, Frames, StackRow, Stacks},
};

/// A guard page lies below a stack; what runs over it stops there.
const PAGE: u64 = 0x1000;

/// Exports of the kernel that a thread goes through when it waits, is switched, or crashes: they say nothing of what
/// it does. Names as in the WDK's documents and in the export table of `ntoskrnl.exe`.
const PLUMBING: [&str; 12] = [
    "KeWaitForSingleObject",
    "KeWaitForMultipleObjects",
    "KeWaitForMutexObject",
    "KeDelayExecutionThread",
    "KeRemoveQueue",
    "KeRemoveQueueEx",
    "KeRemoveQueueDpc",
    "KeBugCheck",
    "KeBugCheckEx",
    "KeSynchronizeExecution",
    "KeYieldProcessor",
    "KeExpandKernelStackAndCallout",
];

pub fn stacks(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Stacks>::new(sink);
    let fault = super::crashes::faulted(job);
    for (index, stack) in all(job).iter().enumerate().filter(|(_, stack)| is_listed(job, stack)) {
        let first = fault.filter(|fault| fault.0 == index).map_or(0, |fault| fault.1);
        out.push(stack_row(job, stack, first))?;
    }
    out.finish()
}

pub fn frames(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Frames>::new(sink);
    for stack in all(job).iter().filter(|stack| is_listed(job, stack)) {
        for row in frame_rows(stack) {
            out.push(row)?;
        }
    }
    out.finish()
}

/// The stacks of all threads, walked once.
pub fn all<'a>(job: &'a Job) -> &'a [ThreadStack] {
    let Some(found) = job.found else { return &[] };
    found.stacks.get_or_init(|| match job.system {
        Some(system) => stack::all(system),
        None => {
            let (stacks, problems) = stack::of_minidump(job.dump, job.names);
            if let Ok(mut noted) = found.problems.lock() {
                noted.extend(problems);
            }
            stacks
        }
    })
}

/// What `threads` has no row for has none here: an address that may have been a thread. But the thread that a small dump
/// itself states is one, also where nothing tells its id.
pub fn is_listed(job: &Job, stack: &ThreadStack) -> bool {
    let stated = job.system.and_then(|system| system.stated_thread()).map(|va| va.0);
    let is_stated = stated.is_some() && stack.ids.ethread == stated;
    stack.ids.thread.is_some() || is_stated && !stack.stack.frames.is_empty()
}

/// The row of a stack; what the thread does is told by the frames from `first` on.
fn stack_row(job: &Job, found: &ThreadStack, first: usize) -> StackRow {
    let frames = &found.stack.frames;
    // A function that nothing tells the beginning of is like no other.
    let functions: Vec<_> =
        found.symbols.iter().zip(frames).map(|(s, f)| (&s.module, s.start.unwrap_or(f.ip))).collect();
    let repeats = recursion(&functions);
    let top = frames.first();
    // Where a stack should be and is not; why others were not walked, `detail` says.
    if let (End::NoStart(why @ stack::SWAPPED_OUT), Some(system)) = (found.stack.end, job.system) {
        let at = found.ids.ethread.map(memory::Va);
        system.problem("no_stack", "_KTHREAD", "KernelStack", at, "a stack to walk", why);
    }
    StackRow {
        ethread: found.ids.ethread,
        thread_id: found.ids.thread,
        process_id: found.ids.process,
        start: found.start.map(Into::into),
        frames: frames.len() as u32,
        user_frames: frames.iter().filter(|frame| frame.is_user()).count() as u32,
        end_reason: found.stack.end.name().into(),
        detail: found.stack.end.detail(),
        truncated: found.stack.end.truncated(),
        gave_way: found.stack.gave_way.map(|why| why.to_string()),
        top: top.zip(found.symbols.first()).map(|(frame, symbol)| text(symbol, frame.ip)),
        top_module: found.symbols.first().and_then(|symbol| symbol.module.clone()),
        top_function: telling_from(found, first),
        hash: hash(&found.symbols),
        stack_base: found.base,
        stack_limit: found.limit,
        stack_used: top.and_then(|frame| used(frame.sp, found)),
        recursion_period: repeats.map(|(period, _)| period),
        recursion_count: repeats.map(|(_, count)| count),
    }
}

/// Bytes between the top of a stack and its base. A stack pointer elsewhere (an interrupt's stack) says nothing, one
/// below the limit by less than a page ran over.
fn used(sp: u64, found: &ThreadStack) -> Option<u64> {
    let reach = found.limit.map_or(0, |limit| limit.saturating_sub(PAGE))..found.base?;
    reach.contains(&sp).then(|| reach.end - sp)
}

/// The innermost frame outside of the kernel's plumbing, from this one outwards.
pub fn telling_from(found: &ThreadStack, first: usize) -> Option<String> {
    let named = found.stack.frames.iter().zip(&found.symbols).skip(first);
    let plumbing = |symbol: &Symbol| {
        symbol.name.as_deref().is_none_or(|name| {
            PLUMBING.contains(&name) || name.starts_with("Ki") || name.starts_with("SwapContext")
        })
    };
    let outside = |symbol: &Symbol| symbol.module.as_deref().is_some_and(|module| stem(module) != "nt");
    let mut frames = named.filter(|(_, symbol)| symbol.module.is_some());
    let (frame, symbol) = frames.find(|(_, symbol)| outside(symbol) || !plumbing(symbol))?;
    Some(text(symbol, frame.ip))
}

fn frame_rows(found: &ThreadStack) -> impl Iterator<Item = FrameRow> + '_ {
    let frames = &found.stack.frames;
    let parameters = found.parameters.iter().copied().chain(std::iter::repeat_with(Default::default));
    let named = frames.iter().zip(&found.symbols).zip(parameters);
    named.enumerate().map(
        move |(index, ((frame, symbol), [parameter1, parameter2, parameter3, parameter4]))| FrameRow {
            ethread: found.ids.ethread,
            thread_id: found.ids.thread,
            process_id: found.ids.process,
            index: index as u32,
            ip: frame.ip,
            sp: frame.sp,
            return_address: frames.get(index + 1).filter(|next| !next.exact).map(|next| next.ip),
            module: symbol.module.clone(),
            symbol: symbol.name.clone(),
            offset: symbol.offset,
            source_file: symbol.file.clone(),
            source_line: symbol.line,
            inlined: symbol.inlined.clone(),
            text: text(symbol, frame.ip),
            method: frame.method.name().into(),
            confidence: frame.confidence.name().into(),
            mode: if frame.is_user() { "user" } else { "kernel" }.into(),
            stack: frame.kind.name().into(),
            instruction_set: frame.set.name().into(),
            parameter1,
            parameter2,
            parameter3,
            parameter4,
        },
    )
}

/// `module!function+offset`, as debuggers write it.
pub fn text(symbol: &Symbol, ip: u64) -> String {
    match (&symbol.module, &symbol.name, symbol.offset) {
        (Some(module), Some(name), Some(offset)) => format!("{}!{name}+{offset:#x}", stem(module)),
        (Some(module), None, Some(offset)) => format!("{}+{offset:#x}", stem(module)),
        _ => format!("{ip:#x}"),
    }
}

/// A module's name without its extension; debuggers call every kernel `nt`.
pub fn stem(module: &str) -> &str {
    match KERNEL_FILES.iter().any(|kernel| module.eq_ignore_ascii_case(kernel)) {
        true => "nt",
        false => module.rsplit_once('.').map_or(module, |(stem, _)| stem),
    }
}

/// Over modules and functions; where a function has no name, its beginning in the module stands for it, or the offset.
pub fn hash(symbols: &[Symbol]) -> Option<String> {
    if symbols.is_empty() {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    for symbol in symbols {
        let module = symbol.module.as_deref().unwrap_or("?");
        let function = match (&symbol.name, symbol.offset) {
            (Some(name), _) => name.clone(),
            (None, offset) => format!("{:#x}", symbol.start.or(offset).unwrap_or(0)),
        };
        hasher.update(format!("{module}!{function}\n").as_bytes());
    }
    Some(hasher.finalize().to_hex()[..16].to_string())
}
