//! The walk: unwind while that works, look for a return address when it does not.

use super::{
    Confidence, Crossing, End, Exact, Frame, Kind, Method, Registers, Stack,
    anchors::{Anchor, StatedFault},
    link, processors,
};
use crate::code::Code;
use memory::Architecture;
use std::ops::Range;
use unwind::{Memory, Step, Why};

/// Why unwinding gives way although the step worked: an overwritten return address, or code that no list has.
const NO_MODULE: &str = "the return address is in no module";
/// Why it gave way although a return address was found: it may be one of another frame.
const NOT_THERE: &str = "the return address is not where the frame data has it";
/// Why a walk does not end at a return address of 0.
const ZERO: &str = "the return address is 0, and this is not where the stack begins";
/// Bytes at the top of a stack in which a thread's first function returns to 0: above it the kernel keeps the floating
/// point state, and in user mode the first stack pointer differs from thread to thread.
const FIRST: u64 = 0x1000;
/// More frames than this no stack holds: a megabyte of words.
const MOST_FRAMES: usize = 0x2_0000;
/// Frames that a walk may find on another stack than the one that it is of.
const OTHER_STACK: usize = 0x1000;
/// Register sets that are kept of a stack: interrupts do not nest deeper than there are levels.
const MOST_EXACT: usize = 32;
/// Bytes of stack that are looked through for a return address after unwinding failed.
const SEARCH: u64 = 0x1_0000;
/// Why a walk ends that comes back: each stack is entered for one that was in use before.
const LEFT: &str = "it leads back to a stack that the walk has left";

/// Where a walk goes on: registers, how they were found, how sure that is, whether their `ip` is the next instruction.
type Found = (Registers, Method, Confidence, bool);

/// The stack is not in the dump.
struct NotThere;

/// The memory and the bounds of a stack.
pub struct Bounds<'a> {
    /// Memory of the stack.
    pub memory: &'a dyn Memory,
    /// Its addresses, where they are known.
    pub range: Option<Range<u64>>,
    /// Bytes of a pointer.
    pub width: u64,
    /// Whether an address is one of user mode, where the walk of a kernel stack ends.
    pub is_user: &'a dyn Fn(u64) -> bool,
    /// Which stack it is, where no other is named.
    pub kind: Kind,
    /// Other stacks that the walk can be on.
    pub others: &'a [(Range<u64>, Kind)],
    /// Where registers were saved on a part of a stack.
    pub saved: Option<&'a StatedFault<'a>>,
}

/// Walks a stack from these registers on. The value beside the stack: the registers in user mode, if it got there.
pub fn walk(
    code: &Code<'_>,
    bounds: &Bounds<'_>,
    start: Registers,
    method: Method,
) -> (Stack, Option<Registers>) {
    let (exact, crossings) = (Vec::new(), Vec::new());
    let anchors = Anchors::default();
    let (frames, on, left) = (Vec::new(), None, Vec::new());
    let mut walk = Walk { code, bounds, frames, exact, gave_way: None, crossings, anchors, on, left };
    let (end, user) = walk.run(start, method);
    let Walk { frames, gave_way, exact, crossings, .. } = walk;
    (Stack { frames, end, gave_way, exact, crossings }, user)
}

struct Walk<'a> {
    code: &'a Code<'a>,
    bounds: &'a Bounds<'a>,
    frames: Vec<Frame>,
    exact: Vec<Exact>,
    gave_way: Option<Why>,
    crossings: Vec<Crossing>,
    anchors: Anchors,
    /// Number of the known stack that it is on.
    on: Option<usize>,
    /// Those that it has left.
    left: Vec<usize>,
}

/// Registers that were saved on a part of a stack, which is looked through once.
#[derive(Default)]
struct Anchors {
    on: Range<u64>,
    found: Vec<Anchor>,
}

impl Walk<'_> {
    fn run(&mut self, mut registers: Registers, method: Method) -> (End, Option<Registers>) {
        let mut word = [0; 8];
        let (mut method, mut confidence, mut exact) = (method, Confidence::High, method != Method::Scan);
        if method == Method::Scan {
            confidence = Confidence::Medium;
        }
        if !self.bounds.memory.read(registers.sp(), &mut word[..self.bounds.width as usize]) {
            self.push(&registers, method, confidence, exact);
            return (End::NoStack, None);
        }
        let most = self.most_frames();
        loop {
            if self.frames.len() >= most {
                return (End::TooMany, None);
            }
            if !self.enter(registers.sp()) {
                return (End::Lost(Why::BadUnwindData(LEFT)), None);
            }
            self.push(&registers, method, confidence, exact);
            let switches = |from: u64, to: u64| self.goes_over(from, to) && !self.has_left(to);
            if !exact {
                registers.switch_back(|sp| self.noted_at(sp));
            }
            let step = registers.step(self.code, self.bounds.memory, exact, &switches);
            if let Ok(Step::MachineFrame { at, error_code }) = step {
                let handler = self.frames.len() - 1;
                self.crossings.push(Crossing { handler, at, error_code, confidence });
            }
            match step {
                Ok(_) if registers.ip() == 0 && self.is_start(&registers) => return (End::ThreadStart, None),
                Ok(_) if registers.ip() == 0 => match self.resume(&registers, Why::BadUnwindData(ZERO)) {
                    Ok(found) => (registers, method, confidence, exact) = found,
                    Err(end) => return (end, None),
                },
                // A return address that merely points there was overwritten.
                Ok(Step::MachineFrame { .. })
                    if !self.bounds.kind.is_user() && (self.bounds.is_user)(registers.ip()) =>
                {
                    return (End::UserMode, Some(registers));
                }
                Ok(step) if self.code.module(registers.ip()).is_some() => {
                    (method, exact) = how(step);
                    let by_code = matches!(method, Method::Unwind | Method::Trap);
                    if method == Method::Scan || !by_code && self.code.could_return_to(registers.ip()) {
                        confidence = confidence.min(Confidence::Medium);
                    }
                    if method == Method::Scan {
                        self.gave_way.get_or_insert(Why::BadUnwindData(NOT_THERE));
                    }
                }
                Ok(_) => match self.resume(&registers, Why::BadUnwindData(NO_MODULE)) {
                    Ok(found) => (registers, method, confidence, exact) = found,
                    Err(end) => return (end, None),
                },
                Err(why) => match self.resume(&registers, why) {
                    Ok(found) => (registers, method, confidence, exact) = found,
                    Err(end) => return (end, None),
                },
            }
        }
    }

    /// Every frame takes a word at least; a walk may lead over another stack before it comes to its own.
    fn most_frames(&self) -> usize {
        let words =
            self.bounds.range.as_ref().map(|range| range.end.saturating_sub(range.start) / self.bounds.width);
        let most = words.and_then(|words| usize::try_from(words.saturating_mul(2)).ok());
        most.map_or(MOST_FRAMES, |most| (most + OTHER_STACK).min(MOST_FRAMES))
    }

    fn push(&mut self, registers: &Registers, method: Method, confidence: Confidence, exact: bool) {
        let (ip, sp, set) = (registers.ip(), registers.sp(), registers.set());
        let kind = self.other(sp).map_or(self.bounds.kind, |(_, kind)| *kind);
        if exact && self.exact.len() < MOST_EXACT {
            self.exact.push(Exact { frame: self.frames.len(), registers: *registers });
        }
        self.frames.push(Frame { ip, sp, method, confidence, kind, set, exact });
    }

    /// Whether two stack pointers are on different stacks, both of them known.
    fn goes_over(&self, from: u64, to: u64) -> bool {
        self.known(from).zip(self.known(to)).is_some_and(|(from, to)| from != to)
    }

    /// Number of the known stack that a stack pointer is on: that of an empty stack is at its end.
    fn known(&self, sp: u64) -> Option<usize> {
        let stacks = || self.bounds.others.iter().map(|(range, _)| range).chain(&self.bounds.range);
        stacks().position(|range| range.contains(&sp)).or_else(|| stacks().position(|range| range.end == sp))
    }

    /// Notes which stack the walk is on; false if it has left that one before.
    fn enter(&mut self, sp: u64) -> bool {
        let Some(stack) = self.known(sp).filter(|stack| self.on != Some(*stack)) else { return true };
        self.left.extend(self.on.replace(stack));
        !self.left.contains(&stack)
    }

    fn has_left(&self, va: u64) -> bool {
        self.known(va).is_some_and(|stack| self.left.contains(&stack))
    }

    /// The other stack that a stack pointer is on.
    fn other(&self, sp: u64) -> Option<&(Range<u64>, Kind)> {
        self.bounds.others.get(self.known(sp)?)
    }

    /// Whether a thread can have started where the return address is 0. One that was overwritten can be 0 too, and on
    /// x86 a frame pointer leads to any two zeros: they count at the top of the stack, and with nothing above them that
    /// has been returned to.
    fn is_start(&self, registers: &Registers) -> bool {
        let sp = registers.sp();
        let range = self.range_of(sp);
        let end = range.map_or(u64::MAX, |range| range.end);
        for at in (sp..end).step_by(self.bounds.width as usize) {
            // What is not there is above the stack.
            let Some(word) = link::read(self.bounds.memory, at, self.bounds.width) else { return true };
            if at - sp >= FIRST || self.judge(registers.address(word)) == Some(Confidence::Medium) {
                return false;
            }
        }
        true
    }

    /// The stack that an address is on, or the one that is walked.
    fn range_of(&self, va: u64) -> Option<Range<u64>> {
        self.other(va).map(|(range, _)| range.clone()).or_else(|| self.bounds.range.clone())
    }

    /// Goes on at the next word of the stack that can be a return address, or at registers that were saved there. A
    /// processor's stack is left for the one on which it was entered.
    fn resume(&mut self, registers: &Registers, why: Why) -> Result<Found, End> {
        let width = self.bounds.width;
        let mut at =
            self.frames.last().map_or(registers.sp(), |frame| frame.sp.max(registers.sp())) / width * width;
        loop {
            let (range, from) = (self.range_of(at), at);
            let end = range.as_ref().map_or(u64::MAX, |range| range.end).min(at.saturating_add(SEARCH));
            match self.search(registers, at..end) {
                Ok(Some(found)) => {
                    self.gave_way.get_or_insert(why);
                    return Ok(found);
                }
                Ok(None) => {}
                Err(NotThere) => {
                    self.gave_way.get_or_insert(why);
                    return Err(End::Lost(why));
                }
            }
            let whole = range.as_ref().is_some_and(|range| end >= range.end);
            if registers.begins() && whole && end.saturating_sub(from) < FIRST {
                return Err(End::ThreadStart);
            }
            self.gave_way.get_or_insert(why);
            match self.entered_from(from).filter(|sp| whole && self.enter(*sp)) {
                Some(sp) => at = sp,
                None if whole => return Err(End::StackBase),
                None => return Err(End::Lost(why)),
            }
        }
    }

    /// The first place on a part of a stack where the walk can go on.
    fn search(&mut self, registers: &Registers, part: Range<u64>) -> Result<Option<Found>, NotThere> {
        let width = self.bounds.width;
        let anchor = self.anchor(registers, &part);
        let record = self.bounds.saved.and_then(|saved| saved.record());
        let mut at = part.start;
        while at < part.end {
            if let Some(anchor) = anchor.filter(|anchor| at >= anchor.from) {
                return Ok(Some((anchor.registers, anchor.method, anchor.confidence, true)));
            }
            if let Some(record) = record.filter(|record| record.contains(&at)) {
                at = record.end.next_multiple_of(width);
                continue;
            }
            let word = link::read(self.bounds.memory, at, width).ok_or(NotThere)?;
            let value = registers.address(word);
            at = at.saturating_add(width);
            if let Some(confidence) = self.judge(value).filter(|sure| may_be_at(registers.set(), at, *sure)) {
                return Ok(Some((self.found(registers, value, at), Method::Scan, confidence, false)));
            }
        }
        Ok(None)
    }

    /// The innermost registers that were saved on a part of a stack, above the last frame.
    fn anchor(&mut self, registers: &Registers, part: &Range<u64>) -> Option<Anchor> {
        let saved = self.bounds.saved?;
        let looked = |anchors: &Anchors| anchors.on.contains(&part.start) && anchors.on.end >= part.end;
        if !looked(&self.anchors) {
            let stack = self.range_of(part.start).map_or(part.end, |range| range.end);
            let on = part.start..part.start.saturating_add(2 * SEARCH).min(stack).max(part.end);
            let returns = |word: u64| self.judge(registers.address(word)).is_some();
            self.anchors = Anchors { found: saved.on(&on, &returns), on };
        }
        let last = self.frames.last().map(|frame| frame.sp).filter(|sp| !self.goes_over(*sp, part.start));
        let passed = last.unwrap_or(part.start);
        // Below the stack pointer lies what is left of something that has returned.
        let ahead = |anchor: &&Anchor| {
            let live = anchor.confidence == Confidence::High || anchor.from >= passed;
            let sp = anchor.registers.sp();
            live && if self.goes_over(passed, sp) { !self.has_left(sp) } else { sp > passed }
        };
        self.anchors.found.iter().find(ahead).copied()
    }

    /// Where the stack pointer was before it went over to this stack of a processor: what the switch leaves at the top.
    fn entered_from(&self, va: u64) -> Option<u64> {
        let Bounds { memory, width, .. } = *self.bounds;
        let is_stack = |sp: u64| self.goes_over(va, sp) && !self.has_left(sp);
        processors::noted(memory, &self.other(va)?.0, width, is_stack)
    }

    /// The same, if a function that called from this stack pointer noted it there before anything else.
    fn noted_at(&self, sp: u64) -> Option<u64> {
        let width = self.bounds.width;
        let top = self.other(sp)?.0.end;
        let noted = link::read(self.bounds.memory, sp, width)?;
        let first = top.checked_sub(sp)? <= processors::SWITCHED;
        (first && self.entered_from(sp) == Some(noted)).then_some(noted)
    }

    /// Registers behind a return address that was found below `at`.
    fn found(&self, registers: &Registers, value: u64, at: u64) -> Registers {
        let returns = |word: u64| matches!(self.judge(registers.address(word)), Some(Confidence::Medium));
        let Bounds { memory, range, width, .. } = self.bounds;
        let fp = link::below(*memory, range, at - width, *width, &returns);
        // Frames of ARM64 have whole pairs of words.
        let at = if matches!(registers, Registers::Arm64(_)) { at.saturating_add(15) & !15 } else { at };
        let mut found = registers.bare(value, at);
        fp.into_iter().for_each(|fp| found.set_frame_pointer(fp));
        found
    }

    /// Whether a word can be a return address, and how sure that is.
    fn judge(&self, value: u64) -> Option<Confidence> {
        self.code.module(value)?;
        match (self.code.is_executable(value), self.code.call_before(value)) {
            (Some(false), _) | (_, Ok(None)) => None,
            (Some(true) | None, Ok(Some(_))) => Some(Confidence::Medium),
            (Some(true) | None, Err(())) => self.code.may_be_inside(value).then_some(Confidence::Low),
        }
    }
}

/// Functions of x64 that call others keep their stack pointer a multiple of 16 (Microsoft's "x64 stack usage"): what
/// is left of that rule in code written by hand shows in the code, where the dump has it.
fn may_be_at(set: Architecture, sp: u64, sure: Confidence) -> bool {
    set != Architecture::X64 || sure > Confidence::Low || sp.is_multiple_of(16)
}

/// How the next frame was found, and whether its instruction pointer is the next instruction.
fn how(step: Step) -> (Method, bool) {
    match step {
        Step::Unwound => (Method::Unwind, false),
        Step::Exact => (Method::Unwind, true),
        Step::Leaf => (Method::Leaf, false),
        Step::FrameData => (Method::FrameData, false),
        Step::Searched => (Method::Scan, false),
        Step::FramePointer => (Method::FramePointer, false),
        Step::MachineFrame { .. } => (Method::Trap, true),
    }
}
