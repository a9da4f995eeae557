//! Stacks of processors: on them run deferred calls, interrupts, and the traps for which the processor changes stacks
//! whatever ran before (double fault, NMI, machine check: the interrupt stack table of its task state).

use super::{Kind, link};
use memory::{Architecture, Context, PAGE_SIZE, Va};
use nt::{
    System,
    processor::{Kpcr, Kprcb, Processor},
};
use std::ops::Range;
use unwind::Memory;

/// Offset of the first of seven `IST` pointers in a 64-bit task state (Intel SDM volume 3, figure "64-Bit TSS Format").
const IST: u64 = 0x24;
/// How many there are.
const ISTS: u64 = 7;

/// Bytes at the top of a processor's stack in which a switch to it notes the stack pointer that it came from. By the
/// stacks of interrupts, exceptions and deferred calls in real small dumps (x64, build 19041): the last word but one. On
/// x86 published stacks of deferred calls show it where `KiDispatchInterrupt` has its return address to be: the last word.
pub const SWITCHED: u64 = 0x50;

/// `KERNEL_LARGE_STACK_SIZE` of wdm.h, that of x64: more than this no stack of a processor is believed to have.
const LARGEST: u64 = 0x1_2000;

/// A stack and what it is for.
pub type Place = (Range<u64>, Kind);

/// What runs on a processor, and where.
pub struct OnProcessor {
    /// Its number.
    number: u32,
    /// The thread that it runs.
    thread: Option<u64>,
    /// Its stacks.
    stacks: Vec<Place>,
}

/// All processors.
pub fn of_system(system: &System<'_>) -> Vec<OnProcessor> {
    let (layout, kpcr) = (Kprcb::of(system), Kpcr::of(system));
    let one = |processor: &Processor| {
        let view = system.kprcb(&layout, processor);
        let top = |va: Va| va.0.checked_next_multiple_of(PAGE_SIZE);
        // `DpcStack` leads to the frame at the top, `IsrStack` to the top itself.
        let dpc = view.pointer(layout.dpc_stack).and_then(top).map(|top| (top, Kind::Dpc));
        let isr = view.pointer(layout.isr_stack).and_then(top).map(|top| (top, Kind::Interrupt));
        let tss = processor.kpcr.and_then(|va| system.view(va, 0).pointer(kpcr.tss_base));
        let ists = tss.into_iter().flat_map(|tss| ists(system, tss)).map(|top| (top, Kind::Interrupt));
        let tops = dpc.into_iter().chain(isr).chain(ists);
        OnProcessor {
            number: processor.number,
            thread: view.pointer(layout.current_thread).map(|va| va.0),
            stacks: ranges(system, tops.collect()),
        }
    };
    system.processors().iter().map(one).collect()
}

impl OnProcessor {
    /// The processor that runs a thread.
    pub fn of(all: &[OnProcessor], thread: Va) -> Option<&OnProcessor> {
        all.iter().find(|processor| processor.thread == Some(thread.0))
    }

    /// Its stacks.
    pub fn stacks(&self) -> &[Place] {
        &self.stacks
    }

    /// The register set that is on one of its stacks.
    pub fn context<'c>(&self, contexts: &'c [Context]) -> Option<&'c Context> {
        contexts.iter().find(|context| {
            let own = context.processor.is_none_or(|number| number == self.number);
            own && self.stacks.iter().any(|(range, _)| range.contains(&context.sp()))
        })
    }
}

/// The stack pointer that a switch to a processor's stack noted at the top of it: what the switch came from.
pub fn noted(
    memory: &dyn Memory,
    stack: &Range<u64>,
    width: u64,
    is_stack: impl Fn(u64) -> bool,
) -> Option<u64> {
    let words = (1..=SWITCHED / width).filter_map(|word| stack.end.checked_sub(word * width));
    let read = |at: u64| link::read(memory, at, width).filter(|_| at >= stack.start);
    words.filter_map(read).find(|sp| sp.is_multiple_of(width) && is_stack(*sp))
}

/// Where the stack ends of which this was captured: there, if a switch of stacks left its note, with the address of
/// another stack, where a page ends. Nothing else tells that the dump has all of it: the walk is to come to what is
/// not there.
pub fn end_of(memory: &dyn Memory, captured: &Range<u64>, width: u64, is_stack: impl Fn(u64) -> bool) -> u64 {
    if captured.end.is_multiple_of(PAGE_SIZE) && noted(memory, captured, width, is_stack).is_some() {
        return captured.end;
    }
    (captured.end / PAGE_SIZE).saturating_add(1).saturating_mul(PAGE_SIZE)
}

/// The tops of the stacks that the task state of a processor names.
fn ists(system: &System<'_>, tss: Va) -> Vec<u64> {
    let is_64 = system.architecture == Architecture::X64;
    let read = |index: u64| system.space.u64(Va(tss.0.checked_add(IST + 8 * index)?)).ok();
    (0..ISTS).filter(|_| is_64).filter_map(read).filter(|&top| system.is_kernel(Va(top))).collect()
}

/// Bytes of a processor's stack below its top.
pub fn size_below(system: &System<'_>, top: u64) -> u64 {
    match system.architecture {
        Architecture::X64 => 0x6000, // `KERNEL_STACK_SIZE` of wdm.h, and their distance in dumps
        Architecture::X86 => 0x3000,
        Architecture::Arm64 => mapped_below(system, top),
    }
}

/// The stacks below their tops. None reaches down to the top of another.
fn ranges(system: &System<'_>, mut tops: Vec<(u64, Kind)>) -> Vec<Place> {
    tops.sort_by_key(|(top, _)| *top);
    tops.dedup_by_key(|(top, _)| *top);
    let below = |index: usize| index.checked_sub(1).map_or(0, |index| tops[index].0);
    let range = |(index, &(top, kind)): (usize, &(u64, Kind))| {
        (top.saturating_sub(size_below(system, top)).max(below(index))..top, kind)
    };
    tops.iter().enumerate().map(range).collect()
}

/// Bytes of a stack whose size nothing tells: it ends at a page that is not there, as a guard page lies below it. Small
/// dumps lack what they were not to hold, which says nothing; nor does memory that goes on for longer than a stack.
fn mapped_below(system: &System<'_>, top: u64) -> u64 {
    if system.dump.records.header.triage.is_some() {
        return 0;
    }
    down_to_guard(top, |at| system.space.u64(Va(at)).is_ok())
}

/// Bytes down to the lowest page that is there, 0 if none lacks within the largest stack.
fn down_to_guard(top: u64, is_there: impl Fn(u64) -> bool) -> u64 {
    let page = |number: u64| top.checked_sub(number * PAGE_SIZE);
    let guard = (1..=LARGEST / PAGE_SIZE + 1).find(|number| !page(*number).is_some_and(&is_there));
    guard.map_or(0, |guard| (guard - 1) * PAGE_SIZE)
}

#[cfg(test)]
mod tests {
    use super::{super::traps::saved::Bytes, LARGEST, down_to_guard, end_of, noted};
    use memory::PAGE_SIZE;

    const TOP: u64 = 0xffff_f880_0000_2000;
    const OTHER: u64 = 0xffff_f880_0100_0f00;

    /// A part of a stack that holds the address of another one so far below its end.
    fn part(end: u64, below: u64) -> (Bytes, std::ops::Range<u64>) {
        let mut bytes = vec![0; 0x800];
        let at = bytes.len() - below as usize;
        bytes[at..at + 8].copy_from_slice(&OTHER.to_le_bytes());
        (Bytes { start: end - 0x800, bytes }, end - 0x800..end)
    }

    /// What a dump has of a stack can be cut short: then it has no end there, and no note of a switch.
    #[test]
    fn where_a_captured_stack_ends() {
        let is_stack = |sp: u64| sp == OTHER;
        let end = |end: u64, below: u64| {
            let (bytes, captured) = part(end, below);
            end_of(&bytes, &captured, 8, is_stack)
        };
        assert_eq!(end(TOP, 16), TOP);
        assert_eq!(end(TOP, 0x100), TOP + 0x1000, "no note");
        assert_eq!(end(TOP - 0x40, 16), TOP, "cut, and that is no note");
        let (bytes, captured) = part(TOP, 16);
        assert_eq!(noted(&bytes, &captured, 8, is_stack), Some(OTHER));
        assert_eq!(noted(&bytes, &captured, 8, |_| false), None);
    }

    /// A stack ends at a page that is not there; memory without one is no stack.
    #[test]
    fn a_stack_that_nothing_bounds_is_none() {
        let size = |lowest: u64| down_to_guard(TOP, |at| at >= lowest);
        assert_eq!(size(TOP), 0);
        assert_eq!(size(TOP - 3 * PAGE_SIZE), 3 * PAGE_SIZE);
        assert_eq!(size(TOP - LARGEST), LARGEST);
        assert_eq!(size(TOP - LARGEST - PAGE_SIZE), 0);
    }
}
