//! Trap frames on kernel stacks of x64: those that the walk crossed, and words that have the shape of one.
//!
//! What the processor pushes when it traps is five words: rip, cs, eflags, rsp, ss. Their selectors are few, and code
//! that was interrupted on its own stack had its stack pointer right above them; so a machine frame is told by its
//! shape, also below the stack pointer, where it is left from something that has returned. The kernel's handlers build a
//! `_KTRAP_FRAME` around it. Its members lie where they do in the public symbols of every x64 kernel from 7601 to 26100
//! (Rbp 0x158, ErrorCode 0x160, Rip 0x168, FaultAddress 0xd0).

use super::{Claims, Confidence, Exact, Kind, Registers, ThreadStack};
use crate::code::{Code, Symbol};
use memory::{Architecture, PAGE_SIZE, Va};
use nt::System;
use rayon::prelude::*;
use std::{collections::BTreeMap, ops::Range};
use unwind::x64::trap::{self, Cause, MachineFrame, TrapLayout};

/// `_KTRAP_FRAME.Rip`, where the machine frame begins.
const RIP: u64 = 0x168;
/// `_KTRAP_FRAME.Rbp`, from the machine frame downwards.
const RBP_BELOW: u64 = 0x168 - 0x158;
/// `_KTRAP_FRAME.FaultAddress`, the same.
const FAULT_BELOW: u64 = 0x168 - 0xd0;
/// `Rax`, `Rcx`, `Rdx`, `R8` to `R11`, `Rbp` and `Rip` of `_KTRAP_FRAME`: alike in the public symbols of 213 kernels.
const LAYOUT: TrapLayout =
    TrapLayout { volatile: [0x30, 0x38, 0x40, 0x48, 0x50, 0x58, 0x60], rbp: 0x158, rip: RIP as u32 };
/// Bytes of a machine frame.
const SIZE: u64 = 40;
/// No kernel stack is larger, not even a grown one.
const MOST: u64 = 1 << 20;
/// Handlers of page faults: only they note the address.
const PAGE_FAULTS: [&str; 2] = ["KiPageFault", "KiPageFaultShadow"];

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

/// A machine frame, and what is around it.
#[derive(Debug, Clone)]
pub struct Trap {
    /// Address of the machine frame.
    pub at: u64,
    /// Address of the `_KTRAP_FRAME`, where a handler of the kernel made one.
    pub frame: Option<u64>,
    /// What the processor pushed.
    pub machine: MachineFrame,
    /// Frame pointer of what was interrupted.
    pub rbp: Option<u64>,
    /// The error code, where the handler's unwind data says that there is one.
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
        let saved = trap::interrupted(&system.space, &LAYOUT, crossing.at, Cause::Interrupted, &unwound);
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
    /// Code of the process of a stack.
    pub user: &'a (dyn Fn(&ThreadStack, Kind) -> Option<&'a Code<'a>> + Sync),
    /// `_KTHREAD.TrapFrame` of a stack's thread.
    pub stated: &'a (dyn Fn(&ThreadStack) -> Option<u64> + Sync),
}

impl Finder<'_, '_> {
    /// Notes the trap frames of all stacks. No memory is looked through twice, whatever the threads say.
    pub fn add(&self, stacks: &mut [ThreadStack]) {
        if self.system.architecture != Architecture::X64 {
            return;
        }
        let mut claims = Claims::default();
        let mut claim = |stack: &ThreadStack| {
            let range =
                stack.range().filter(|range| range.start < range.end && range.end - range.start <= MOST);
            range.and_then(|range| claims.take(range).ok())
        };
        let ranges: Vec<Option<Range<u64>>> = stacks.iter().map(&mut claim).collect();
        stacks.par_iter_mut().zip(ranges).for_each(|(stack, range)| {
            let mut found = self.crossed(stack);
            for trap in range.into_iter().flat_map(|range| self.shaped(stack, range)) {
                found.entry(trap.at).or_insert(trap);
            }
            stack.traps = found.into_values().collect();
        });
    }

    /// Those that the walk went over.
    fn crossed(&self, stack: &ThreadStack) -> BTreeMap<u64, Trap> {
        let one = |crossing: &Crossing| {
            let at = crossing.at;
            let machine = MachineFrame::read(&self.system.space, at).ok()?;
            let handler = stack.symbols.get(crossing.handler)?;
            let by_kernel = is_kernel(self.system, handler.module.as_deref());
            let word = |below: u64| self.word(at.checked_sub(below)?);
            let page_fault = handler.name.as_deref().is_some_and(|name| PAGE_FAULTS.contains(&name));
            let trap = Trap {
                at,
                frame: at.checked_sub(RIP).filter(|_| by_kernel),
                machine,
                rbp: word(RBP_BELOW).filter(|_| by_kernel),
                error_code: word(8).filter(|_| crossing.error_code),
                fault_address: word(FAULT_BELOW).filter(|_| by_kernel && page_fault),
                source: "walk",
                confidence: crossing.confidence,
                live: Some(true),
                symbol: self.symbol(stack, &machine),
            };
            Some((at, trap))
        };
        stack.stack.crossings.iter().filter_map(one).collect()
    }

    /// Words of the stack with the shape of a machine frame. A `_KTRAP_FRAME` is aligned to 16 bytes.
    fn shaped(&self, stack: &ThreadStack, range: Range<u64>) -> Vec<Trap> {
        let words = self.words(&range);
        let stated = (self.stated)(stack).and_then(|frame| frame.checked_add(RIP));
        let first = (8u64.wrapping_sub(range.start) % 16) as usize / 8;
        let mut found = Vec::new();
        for index in (first..words.len().saturating_sub(SIZE as usize / 8 - 1)).step_by(2) {
            let at = range.start + index as u64 * 8;
            let [rip, cs, flags, rsp, ss] = std::array::from_fn(|word| words[index + word]);
            let Some(machine) = shape(at, [rip, cs, flags, rsp, ss]) else { continue };
            let Some(confidence) = self.judge(&machine) else { continue };
            let is_stated = stated == Some(at);
            found.push(Trap {
                at,
                frame: at.checked_sub(RIP),
                machine,
                rbp: None,
                error_code: None,
                fault_address: None,
                source: if is_stated { "thread" } else { "scan" },
                confidence: if is_stated { Confidence::High } else { confidence },
                live: live(stack, at, &range),
                symbol: self.symbol(stack, &machine),
            });
        }
        found
    }

    /// Whether what was interrupted can be code, and how sure that is.
    fn judge(&self, machine: &MachineFrame) -> Option<Confidence> {
        if machine.is_user() {
            return Some(Confidence::Medium);
        }
        self.code.module(machine.rip)?;
        match self.code.is_executable(machine.rip) {
            Some(true) => Some(Confidence::Medium),
            Some(false) => None,
            None => Some(Confidence::Low),
        }
    }

    fn symbol(&self, stack: &ThreadStack, machine: &MachineFrame) -> Symbol {
        // The frame that stands there knows more than the module does.
        let frames = stack.stack.frames.iter().zip(&stack.symbols);
        let mut same = frames.filter(|(frame, _)| frame.exact && frame.ip == machine.rip);
        if let Some((_, symbol)) = same.next() {
            return symbol.clone();
        }
        let kind = if machine.is_32_bit() { Kind::Wow64 } else { Kind::User };
        let code = if machine.is_user() { (self.user)(stack, kind) } else { Some(self.code) };
        code.map(|code| code.symbol(machine.rip)).unwrap_or_default()
    }

    fn word(&self, at: u64) -> Option<u64> {
        self.system.space.u64(Va(at)).ok()
    }

    /// All words of a stack; those that cannot be read are 0, which is no part of a machine frame.
    fn words(&self, range: &Range<u64>) -> Vec<u64> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let mut at = range.start;
        while at < range.end {
            let next = (at / PAGE_SIZE).saturating_add(1).saturating_mul(PAGE_SIZE).min(range.end);
            let page = &mut bytes[(at - range.start) as usize..(next - range.start) as usize];
            if self.system.space.read(Va(at), page).is_err() {
                page.fill(0);
            }
            at = next;
        }
        bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
    }
}

/// Five words as a machine frame, if they can be one: whole selectors of Windows, flags that exist, and of kernel code
/// the stack pointer that the processor had, which it aligns to 16 bytes before it pushes.
fn shape(at: u64, [rip, cs, flags, rsp, ss]: [u64; 5]) -> Option<MachineFrame> {
    // Bit 1 is always set; bits 3, 5 and 15 and those above 21 never; interrupts are on in user mode.
    let odd = flags & 2 == 0 || flags & !0x3f_7fd7 != 0;
    let user = matches!((cs, ss), (0x33 | 0x23, 0x2b)) && flags & 0x200 != 0 && is_user(rip) && is_user(rsp);
    let own_stack = at.checked_add(SIZE).is_some_and(|above| rsp & !0xf == above);
    let kernel = matches!((cs, ss), (0x10, 0x18 | 0)) && rip >= 1 << 63 && own_stack;
    (!odd && (user || kernel)).then_some(MachineFrame {
        rip,
        cs: cs as u16,
        eflags: flags as u32,
        rsp,
        ss: ss as u16,
    })
}

/// An address that user mode can have: neither in the first 64 KiB nor beyond its half.
fn is_user(va: u64) -> bool {
    (0x1_0000..1 << 56).contains(&va)
}

fn live(stack: &ThreadStack, at: u64, range: &Range<u64>) -> Option<bool> {
    let top = stack.stack.frames.iter().find(|frame| frame.kind == Kind::Kernel)?;
    range.contains(&top.sp).then_some(at >= top.sp)
}

#[cfg(test)]
mod tests {
    use super::shape;

    const AT: u64 = 0xffff_f800_0000_1008;

    #[test]
    fn what_a_machine_frame_looks_like() {
        let kernel = [0xffff_f800_1234_5678, 0x10, 0x1_0246, AT + 40, 0x18];
        assert_eq!(shape(AT, kernel).unwrap().rip, kernel[0]);
        let user = [0x7ff6_1234_5678, 0x33, 0x246, 0x12_3458, 0x2b];
        assert!(shape(AT, user).unwrap().is_user());
        for (index, wrong) in [(0, 0x7ff6_0000_0000), (1, 0x8), (1, 0x1_0000_0010), (2, 0x244), (2, 0x8246)] {
            let mut words = kernel;
            words[index] = wrong;
            assert_eq!(shape(AT, words), None, "{words:x?}");
        }
        // A stack pointer elsewhere, and one that the processor rounded down.
        assert_eq!(shape(AT, [kernel[0], 0x10, 0x246, AT + 0x100, 0x18]), None);
        assert!(shape(AT, [kernel[0], 0x10, 0x246, AT + 48, 0x18]).is_some());
        for (index, wrong) in [(0, 0x1000), (1, 0x10), (2, 0x46), (3, 8), (4, 0x18)] {
            let mut words = user;
            words[index] = wrong;
            assert_eq!(shape(AT, words), None, "{words:x?}");
        }
    }
}
