//! Trap frames on kernel stacks: those that the walk crossed, and words that have the shape of one.
//!
//! Handlers of the kernel build a `_KTRAP_FRAME` of what was interrupted; on x64 and x86 around the words that the
//! processor pushed. [`saved`] tells one by its shape, also below the stack pointer, where it is left from something that
//! has returned. Where the members lie is what the kernel's layouts say, and nothing else.

pub(super) mod saved;

use super::{Claims, Confidence, Exact, Kind, Registers, ThreadStack, halves::UserHalf, link};
use crate::code::{Code, Symbol, Traps};
use memory::{Architecture, Va};
use nt::System;
use rayon::prelude::*;
use saved::{Bytes, Shapes};
use std::{collections::BTreeMap, ops::Range};
use unwind::x64::trap::{self, Cause, MachineFrame};

use saved::Saved;

/// No kernel stack is larger, not even a grown one.
const MOST: u64 = 1 << 20;
/// Handlers of page faults on x64: only they note the address.
const PAGE_FAULTS: [&str; 2] = ["KiPageFault", "KiPageFaultShadow"];
/// Handlers of x86 whose exceptions have an error code: 8, 10 to 14 and 17 (Intel SDM volume 3, "Exception and Interrupt
/// Reference"); of the others the kernel writes 0.
const WITH_CODE: [&str; 7] =
    ["KiTrap08", "KiTrap0A", "KiTrap0B", "KiTrap0C", "KiTrap0D", "KiTrap0E", "KiTrap11"];
/// Handlers of ARM64 that are entered by exceptions, not by interrupts: `ESR_EL1` and `FAR_EL1` are theirs.
const EXCEPTIONS: [&str; 2] = ["KiKernelExceptionHandler", "KiUserExceptionHandler"];

/// Where a walk went over a machine frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Index of the frame that was entered by the trap; the interrupted one follows.
    pub handler: usize,
    /// Address of the machine frame.
    pub at: u64,
    /// An error code lies below it.
    pub error_code: bool,
    /// How far the walk could be believed there.
    pub confidence: Confidence,
}

/// A trap frame.
#[derive(Debug, Clone)]
pub struct Trap {
    /// What it says.
    pub saved: Saved,
    /// The error code, where the handler that was entered says that there is one.
    pub error_code: Option<u64>,
    /// The address whose page was missing.
    pub fault_address: Option<u64>,
    /// `walk`, `thread` or `scan`.
    pub source: &'static str,
    /// How far it can be believed.
    pub confidence: Confidence,
    /// It lies above the innermost frame's stack pointer; `None` where that is elsewhere.
    pub live: Option<bool>,
    /// What was interrupted.
    pub symbol: Symbol,
}

impl ThreadStack {
    /// Number of the innermost frame that was to go on at `ip`, or, of a breakpoint, behind it.
    pub fn frame_at(&self, ip: u64, breakpoint: bool) -> Option<usize> {
        let at = |ip: u64| self.stack.frames.iter().position(|frame| frame.exact && frame.ip == ip);
        at(ip).or_else(|| at(ip.checked_add(1).filter(|_| breakpoint)?))
    }

    /// The registers of the innermost frame that was to go on at `ip`, and of no other. Where a handler of the kernel
    /// saved those of a fault, the volatile ones are its `_KTRAP_FRAME`'s.
    pub fn registers_at(&self, system: Option<&System<'_>>, ip: u64) -> Option<Registers> {
        let stands = |exact: &&Exact| self.stack.frames.get(exact.frame).is_some_and(|frame| frame.ip == ip);
        let exact = self.stack.exact.iter().find(stands)?;
        let crossing = self.stack.crossings.iter().find(|crossing| crossing.handler + 1 == exact.frame);
        let (Registers::X64(unwound), Some(crossing), Some(system)) = (exact.registers, crossing, system)
        else {
            return Some(exact.registers);
        };
        let handler = self.symbols.get(crossing.handler).and_then(|symbol| symbol.module.as_deref());
        if !is_kernel(system, handler) {
            return Some(exact.registers);
        }
        let Some(layout) = Traps::of(system).x64 else { return Some(exact.registers) };
        let saved = trap::interrupted(&system.space, &layout, crossing.at, Cause::Interrupted, &unwound);
        Some(saved.map_or(exact.registers, |(_, registers)| Registers::X64(registers)))
    }
}

/// Whether this is the name of the kernel's image.
fn is_kernel(system: &System<'_>, module: Option<&str>) -> bool {
    module.is_some() && system.kernel_name() == module
}

/// What finding needs of a system.
pub struct Finder<'a, 'c> {
    /// The system.
    pub system: &'a System<'c>,
    /// Code of the kernel.
    pub code: &'a Code<'a>,
    /// The user half of the process of a stack.
    pub user: &'a (dyn Fn(&ThreadStack) -> Option<&'a UserHalf<'a>> + Sync),
    /// `_KTHREAD.TrapFrame` of a stack's thread.
    pub stated: &'a (dyn Fn(&ThreadStack) -> Option<u64> + Sync),
}

impl Finder<'_, '_> {
    /// Notes the trap frames of all stacks. No memory is looked through twice, whatever the threads say.
    pub fn add(&self, stacks: &mut [ThreadStack]) {
        let mut claims = Claims::default();
        let mut claim = |stack: &ThreadStack| {
            let range =
                stack.range().filter(|range| range.start < range.end && range.end - range.start <= MOST);
            range.and_then(|range| claims.take(range).ok())
        };
        let ranges: Vec<Option<Range<u64>>> = stacks.iter().map(&mut claim).collect();
        let any = ranges.iter().any(Option::is_some);
        if any && !saved::is_known(&self.code.traps, self.system.architecture) {
            let (structure, found) = ("_KTRAP_FRAME", "no such members");
            self.system.problem("missing_field", structure, "", None, "members of a trap frame", found);
        }
        stacks.par_iter_mut().zip(ranges).for_each(|(stack, range)| {
            let mut found = self.crossed(stack);
            for (at, trap) in range.into_iter().flat_map(|range| self.shaped(stack, range)) {
                found.entry(at).or_insert(trap);
            }
            stack.traps = found.into_values().collect();
        });
    }

    /// Those that the walk went over.
    fn crossed(&self, stack: &ThreadStack) -> BTreeMap<u64, Trap> {
        let one = |crossing: &Crossing| {
            let saved = self.crossing(stack, crossing)?;
            let handler = stack.symbols.get(crossing.handler)?;
            let is = |names: &[&str]| handler.name.as_deref().is_some_and(|name| names.contains(&name));
            let trap = Trap {
                saved,
                error_code: self.error_code(&saved, crossing, &is),
                fault_address: self.fault_address(&saved, &is),
                source: "walk",
                confidence: crossing.confidence,
                live: Some(true),
                symbol: self.symbol(stack, &saved),
            };
            Some((crossing.at, trap))
        };
        stack.stack.crossings.iter().filter_map(one).collect()
    }

    /// What is at a crossing. Only a handler of the kernel makes a `_KTRAP_FRAME` around what x64 pushes; the walk over
    /// one of x86 went by its members; and where the unwind data of ARM64 says that registers lie there, that can be
    /// another structure: it is a trap frame if the walk went on at what it says.
    fn crossing(&self, stack: &ThreadStack, crossing: &Crossing) -> Option<Saved> {
        let (memory, traps, at) = (&self.system.space, &self.code.traps, crossing.at);
        match self.system.architecture {
            Architecture::X64 => {
                let saved = Saved::of_machine(at, &MachineFrame::read(memory, at).ok()?);
                let handler = stack.symbols.get(crossing.handler)?;
                let layout = traps.x64.filter(|_| is_kernel(self.system, handler.module.as_deref()));
                let frame = layout.and_then(|layout| at.checked_sub(layout.rip.into()));
                let frame_pointer =
                    layout.zip(frame).and_then(|(layout, frame)| self.word(frame, layout.rbp, 8));
                Some(Saved { frame, frame_pointer, ..saved })
            }
            Architecture::X86 => saved::x86(memory, at.checked_sub(traps.x86?.eip.into())?, traps),
            Architecture::Arm64 => {
                let saved = saved::arm64(memory, at, traps)?;
                let next = stack.stack.frames.get(crossing.handler.checked_add(1)?);
                let goes_on = |next: &super::Frame| (next.ip, next.sp) == (saved.ip, saved.sp);
                next.map_or(saved.user, goes_on).then_some(saved)
            }
        }
    }

    fn error_code(&self, saved: &Saved, crossing: &Crossing, is: &dyn Fn(&[&str]) -> bool) -> Option<u64> {
        match self.system.architecture {
            Architecture::X64 => self.word(crossing.at.checked_sub(8)?, 0, 8).filter(|_| crossing.error_code),
            Architecture::X86 => {
                let known = self.code.traps.error_code.filter(|_| is(&WITH_CODE))?;
                self.word(saved.frame?, known, 4)
            }
            Architecture::Arm64 => None,
        }
    }

    fn fault_address(&self, saved: &Saved, is: &dyn Fn(&[&str]) -> bool) -> Option<u64> {
        let (frame, traps) = (saved.frame?, &self.code.traps);
        let address = || self.word(frame, traps.fault_address?, 8);
        match self.system.architecture {
            Architecture::X64 => address().filter(|_| is(&PAGE_FAULTS)),
            Architecture::X86 => None,
            Architecture::Arm64 => {
                let syndrome = self.word(frame, traps.esr.filter(|_| is(&EXCEPTIONS))?, 4)?;
                address().filter(|_| has_address(syndrome))
            }
        }
    }

    /// Words of the stack with the shape of a trap frame.
    fn shaped(&self, stack: &ThreadStack, range: Range<u64>) -> Vec<(u64, Trap)> {
        let stated = (self.stated)(stack);
        let bytes = Bytes::read(&self.system.space, &range);
        let is_kernel = |va: u64| self.system.is_kernel(Va(va));
        let shapes = Shapes { stack: &bytes, traps: &self.code.traps, stated, is_kernel: &is_kernel };
        let one = |saved: Saved| {
            let is_stated = stated.is_some() && stated == saved.frame;
            let confidence = match self.judge(stack, &saved) {
                _ if is_stated && saved.user => Confidence::High,
                Some(_) if is_stated => Confidence::High,
                judged => judged?,
            };
            let at = saved.at()?;
            let trap = Trap {
                saved,
                error_code: None,
                fault_address: None,
                source: if is_stated { "thread" } else { "scan" },
                confidence,
                live: live(stack, at, &range, &saved),
                symbol: self.symbol(stack, &saved),
            };
            Some((at, trap))
        };
        shapes.all(self.system.architecture).into_iter().filter_map(one).collect()
    }

    /// Whether what was interrupted can be code, and how sure that is.
    fn judge(&self, stack: &ThreadStack, saved: &Saved) -> Option<Confidence> {
        let judged = |code: &Code<'_>| match code.is_executable(saved.ip) {
            Some(executable) => executable.then_some(Confidence::Medium),
            None => Some(Confidence::Low),
        };
        if !saved.user {
            self.code.module(saved.ip)?;
            return judged(self.code);
        }
        let half = (self.user)(stack);
        let code = half
            .and_then(|half| half.code(kind(self.system, saved)))
            .filter(|code| !code.modules().is_empty());
        let Some((half, code)) = half.zip(code) else {
            // Nothing is known of the process. Selectors still tell something, the bits of ARM64 can be any zeros.
            return (saved.set != Architecture::Arm64).then_some(Confidence::Low);
        };
        if code.module(saved.ip).is_some() {
            return judged(code);
        }
        // Code that was made at run time is in no module, but it is in memory.
        let space = half.space()?;
        space.read(Va(saved.ip), &mut [0]).ok()?;
        // Words that only look like a frame of ARM64 lead to data as easily.
        let may_run = || space.entry(Va(saved.ip)).is_ok_and(|entry| entry.user && entry.executable);
        let sure = saved.set != Architecture::Arm64 || may_run();
        Some(if sure { Confidence::Medium } else { Confidence::Low })
    }

    fn symbol(&self, stack: &ThreadStack, saved: &Saved) -> Symbol {
        // The frame that stands there knows more than the module does.
        let frames = stack.stack.frames.iter().zip(&stack.symbols);
        let mut same = frames.filter(|(frame, _)| frame.exact && frame.ip == saved.ip);
        if let Some((_, symbol)) = same.next() {
            return symbol.clone();
        }
        let user = || (self.user)(stack)?.code(kind(self.system, saved));
        let code = if saved.user { user() } else { Some(self.code) };
        code.map(|code| code.symbol(saved.ip)).unwrap_or_default()
    }

    /// A word of the kernel's memory.
    fn word(&self, at: u64, offset: u32, width: u64) -> Option<u64> {
        link::read(&self.system.space, at.checked_add(offset.into())?, width)
    }
}

/// Which code of a process was interrupted.
fn kind(system: &System<'_>, saved: &Saved) -> Kind {
    // A process of x86 has its 32-bit code in its native half.
    if saved.set == system.architecture { Kind::User } else { Kind::Wow64 }
}

/// Whether an exception notes an address, by `ESR_EL1`: an abort of an instruction or of data, from either level, whose
/// bit 10 does not say that the address is not valid (Arm ARM, "ISS encoding for an exception from a Data Abort").
fn has_address(syndrome: u64) -> bool {
    matches!(syndrome >> 26 & 0x3f, 0x20 | 0x21 | 0x24 | 0x25) && syndrome >> 10 & 1 == 0
}

fn live(stack: &ThreadStack, at: u64, range: &Range<u64>, saved: &Saved) -> Option<bool> {
    // The walk came to it from another stack.
    let goes_on = |frame: &super::Frame| frame.exact && (frame.ip, frame.sp) == (saved.ip, saved.sp);
    if stack.stack.frames.iter().skip(1).any(goes_on) {
        return Some(true);
    }
    let top = stack.stack.frames.iter().find(|frame| frame.kind == Kind::Kernel)?;
    range.contains(&top.sp).then_some(at >= top.sp)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Confidence, Frame, Ids, Kind, Method, ThreadStack},
        Architecture,
    };

    /// Only a breakpoint is behind the instruction.
    #[test]
    fn where_the_fault_is() {
        let ids = Ids { ethread: None, thread: None, process: None };
        let mut stack = ThreadStack::without_start(0, ids, (None, None), "");
        let frame = Frame {
            ip: 0x1001,
            sp: 0,
            method: Method::Trap,
            confidence: Confidence::High,
            kind: Kind::Kernel,
            set: Architecture::X64,
            exact: true,
        };
        stack.stack.frames = vec![Frame { ip: 0x1000, exact: false, ..frame }, frame];
        assert_eq!((stack.frame_at(0x1001, false), stack.frame_at(0x1001, true)), (Some(1), Some(1)));
        assert_eq!((stack.frame_at(0x1000, true), stack.frame_at(0x1000, false)), (Some(1), None));
        assert_eq!(stack.frame_at(u64::MAX, true), None);
    }
}
