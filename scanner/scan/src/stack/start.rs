//! Where the walk of a thread starts.
//!
//! A running thread's registers are those of a processor: the register set of the header, or of the processor's
//! block. They are told by the stack pointer, which lies in the thread's stack. A thread that does not run has its
//! stack pointer in `_KTHREAD.KernelStack`, as `SwapContext` left it; that function's own frame is small, and the first
//! word in it that is an address behind a call leads back to `KiSwapContext`. No offset of that frame is taken from
//! anywhere: none is public, and it differs between builds.

use super::{
    Kind, Method, Registers, link,
    processors::{self, OnProcessor, Place},
};
use crate::code::Code;
use memory::{Architecture, Context, Va};
use nt::{
    System,
    processor::Kprcb,
    thread::{Thread, ThreadState},
};
use std::ops::Range;
use unwind::{arm64, x64};

/// `_KTHREAD.State`: running.
const RUNNING: u8 = 2;
/// `_KTHREAD.State`: its stack is out, or on the way in.
const TRANSITION: u8 = 6;
/// Why a thread in that state has no frames.
pub const SWAPPED_OUT: &str = "its stack is swapped out";
/// Words above the saved stack pointer in which the return address of `SwapContext` lies.
const SWAP_FRAME: u64 = 24;

/// What is known of a thread's stack before it is walked.
#[derive(Debug, Clone)]
pub struct Start {
    /// Registers to start from, and how they were found; else why there are none.
    pub registers: Result<(Registers, Method), &'static str>,
    /// Addresses of the kernel stack.
    pub range: Option<Range<u64>>,
    /// Stacks of the processor that runs it, if the registers are on one of them.
    pub others: Vec<(Range<u64>, Kind)>,
}

/// Finds starts.
pub struct Starts<'a> {
    system: &'a System<'a>,
    code: &'a Code<'a>,
    layout: ThreadState,
    size: u32,
    contexts: Vec<Context>,
    processors: Vec<OnProcessor>,
}

impl<'a> Starts<'a> {
    /// Collects the register sets of all processors.
    pub fn new(system: &'a System<'a>, code: &'a Code<'a>) -> Starts<'a> {
        let records = &system.dump.records.contexts;
        let mut contexts: Vec<Context> = records.iter().filter(|c| c.has_control()).cloned().collect();
        contexts.extend(of_processors(system));
        let size = system.size_of("_ETHREAD");
        let processors = processors::of_system(system);
        Starts { system, code, layout: ThreadState::of(system), size, contexts, processors }
    }

    /// The stack pointers of all register sets.
    pub fn stack_pointers(&self) -> impl Iterator<Item = u64> + '_ {
        self.contexts.iter().map(Context::sp)
    }

    /// Where the walk of a thread starts.
    pub fn of(&self, thread: &Thread) -> Start {
        let view = self.system.view(thread.va, self.size);
        let layout = &self.layout;
        let base = view.pointer(layout.stack_base).map(|va| va.0);
        let limit = view.pointer(layout.stack_limit).map(|va| va.0);
        let range = limit.zip(base).filter(|(limit, base)| limit < base).map(|(limit, base)| limit..base);
        let state = view.u8(layout.state);
        let running = OnProcessor::of(&self.processors, thread.va)
            .and_then(|processor| Some((processor.stacks(), processor.context(&self.contexts)?)));
        let context = self.context(&range);
        let crashed = if context.is_none() { self.crashed(thread, &range) } else { None };
        let others = match (running, &crashed) {
            (Some((stacks, _)), _) => stacks.to_vec(),
            (None, Some((_, stacks))) => stacks.clone(),
            (None, None) => Vec::new(),
        };
        let registers = match (context, state) {
            (Some(registers), Some(RUNNING) | None) => Ok((registers, Method::Context)),
            (None, Some(RUNNING)) => running
                .map(|(_, context)| Registers::of(context))
                .or_else(|| Some(crashed?.0))
                .map(|registers| (registers, Method::Context))
                .ok_or("it runs, and no register set in the dump has its stack"),
            (_, Some(TRANSITION)) => Err(SWAPPED_OUT),
            (context, _) => {
                let saved = view.pointer(layout.kernel_stack).filter(|va| va.0 != 0);
                let waiting =
                    saved.ok_or("_KTHREAD.KernelStack is not known").and_then(|sp| self.waiting(sp, &range));
                // A thread that just became ready or is being switched can still be on a processor.
                context.map_or(waiting, |registers| Ok((registers, Method::Context)))
            }
        };
        Start { registers, range, others }
    }

    /// The register set whose stack pointer lies in a stack.
    fn context(&self, range: &Option<Range<u64>>) -> Option<Registers> {
        let range = range.as_ref()?;
        let found = self.contexts.iter().find(|context| range.contains(&context.sp()));
        found.map(Registers::of)
    }

    /// The register set of the header belongs to the thread of which a small dump has a copy, also when it crashed on
    /// another stack than its own: in an interrupt, a deferred call or, on newer systems, an exception.
    fn crashed(&self, thread: &Thread, own: &Option<Range<u64>>) -> Option<(Registers, Vec<Place>)> {
        let triage = self.system.dump.records.header.triage.as_ref()?;
        let context = self.contexts.iter().find(|context| context.source == "header")?;
        if self.system.stated_thread()? != thread.va {
            return None;
        }
        let processor = OnProcessor::of(&self.processors, thread.va);
        let mut stacks = processor.map_or(Vec::new(), |processor| processor.stacks().to_vec());
        let top = self.system.narrow(triage.top_of_stack).0;
        let captured = top..top.saturating_add(triage.size_of_call_stack.into());
        if captured.contains(&context.sp()) && !stacks.iter().any(|(range, _)| range.contains(&context.sp()))
        {
            let known = || stacks.iter().map(|(range, _)| range).chain(own);
            let width = u64::from(self.system.pointer_size());
            let is_stack = |sp| known().any(|range| range.contains(&sp));
            let end = processors::end_of(&self.system.space, &captured, width, is_stack);
            stacks.push((captured.start..end, Kind::Interrupt));
        }
        Some((Registers::of(context), stacks))
    }

    /// `_KTHREAD.Teb`.
    pub fn teb(&self, thread: &Thread) -> Option<u64> {
        let stated = self.system.view(thread.va, self.size).pointer(self.layout.teb)?;
        Some(stated.0).filter(|&va| va != 0)
    }

    /// `_KTHREAD.TrapFrame`: of the way from user mode into the kernel.
    pub fn trap_frame(&self, thread: &Thread) -> Option<u64> {
        let stated = self.system.view(thread.va, self.size).pointer(self.layout.trap_frame)?;
        Some(stated.0).filter(|&va| va != 0)
    }

    /// By the unwind data of `SwapContext`, where the kernel's symbols name it and its code is in the dump.
    fn switched_out(&self, sp: u64) -> Option<Registers> {
        let kernel = self.code.module(self.system.kernel.as_ref()?.base.0)?.image()?;
        let global = |name| self.system.global(name).map(|va| va.0);
        let (swap_context, ki_swap_context) = (global("SwapContext"), global("KiSwapContext"));
        let memory = &self.system.space;
        match self.system.architecture {
            Architecture::X64 => {
                let switch = x64::trap::Switch { swap_context, ki_swap_context };
                let found = x64::trap::switched_out(&kernel, memory, sp, switch).ok()?;
                Some(Registers::X64(found.0))
            }
            Architecture::Arm64 => {
                let switch = arm64::Switch { swap_context: swap_context?, ki_swap_context };
                arm64::switched_out(&kernel, memory, sp, switch).ok().map(Registers::Arm64)
            }
            // Nothing in the image tells; the return address is the third word of `_KSWITCH_FRAME`.
            Architecture::X86 => None,
        }
    }

    /// Whether an address is behind a call in `KiSwapContext`, by the kernel's symbols.
    fn is_switch(&self, va: u64) -> bool {
        self.code.symbol(va.wrapping_sub(1)).name.is_some_and(|name| name.contains("KiSwapContext"))
    }

    /// The return address of `SwapContext`.
    fn waiting(&self, sp: Va, range: &Option<Range<u64>>) -> Result<(Registers, Method), &'static str> {
        if range.as_ref().is_some_and(|range| !range.contains(&sp.0)) {
            return Err("_KTHREAD.KernelStack is outside of the stack");
        }
        if let Some(registers) = self.switched_out(sp.0) {
            return Ok((registers, Method::Context));
        }
        let blank = Registers::at(self.system.architecture, 0, 0);
        let width = u64::from(self.system.pointer_size());
        for slot in (0..SWAP_FRAME).filter_map(|word| sp.checked_add(word * width)) {
            let Ok(value) = self.system.space.pointer(slot) else {
                return Err("its stack is not in the dump");
            };
            let va = blank.address(value.0);
            if self.code.may_return_to(va) {
                let mut registers = Registers::at(self.system.architecture, va, slot.0 + width);
                let returns = |word: u64| self.code.may_return_to(blank.address(word));
                let fp = link::below(&self.system.space, range, slot.0, width, &returns);
                fp.into_iter().for_each(|fp| registers.set_frame_pointer(fp));
                let method = if self.is_switch(va) { Method::Context } else { Method::Scan };
                return Ok((registers, method));
            }
        }
        Err("no return address at the saved stack pointer")
    }
}

/// Register sets in `_KPRCB.ProcessorState.ContextFrame`.
fn of_processors(system: &System<'_>) -> Vec<Context> {
    let layout = Kprcb::of(system);
    let read = |processor: &nt::processor::Processor| {
        let at = system.kprcb(&layout, processor).at(layout.context)?;
        let size = memory::Context::size(system.architecture);
        let bytes = system.space.bytes(at, size as usize).ok()?;
        let bytes = memory::Bytes::whole(&bytes, "_KPRCB.ProcessorState.ContextFrame");
        let context = Context::parse(system.architecture, bytes, "processor").ok()?;
        Some(Context { processor: Some(processor.number), ..context })
    };
    system.processors().iter().filter_map(read).filter(Context::has_control).collect()
}
