//! Places on a stack where registers were saved: a walk that lost its way goes on there.
//!
//! Whoever looks for return addresses word by word comes past trap frames and `CONTEXT` records, whose words are
//! registers and no return addresses. Where one says what was interrupted on this very stack, the walk goes on with it.
//! Surest are those of the crash: a parameter of the bug check leads to them, or states the instruction that they hold.

use super::{
    Confidence, Method, Registers,
    traps::saved::{self, Bytes, Saved, Shapes},
};
use crate::{
    code::Code,
    names::{Role, STATUS_BREAKPOINT, bugcheck_parameters},
};
use memory::{Context, Va, records::Bugcheck};
use nt::System;
use std::ops::Range;
use unwind::x64::trap::{self, Cause};

/// Saved registers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anchor {
    /// The lowest address of what was saved, or of what is known of it.
    pub from: u64,
    /// What was interrupted.
    pub registers: Registers,
    /// From what: a `CONTEXT` or a trap frame.
    pub method: Method,
    /// High for those of the crash, medium for words that have the shape of one.
    pub confidence: Confidence,
}

/// What the bug check states of the fault.
pub struct StatedFault<'a> {
    system: &'a System<'a>,
    code: &'a Code<'a>,
    /// The `CONTEXT` that a parameter leads to, and its bytes.
    context: Option<(Registers, Range<u64>)>,
    /// The trap frame that a parameter leads to, and the registers in it.
    trap: Option<(u64, Registers)>,
    /// The instruction at fault.
    ip: Option<u64>,
    breakpoint: bool,
}

impl<'a> StatedFault<'a> {
    /// Reads what the parameters lead to.
    pub fn of(system: &'a System<'a>, code: &'a Code<'a>) -> StatedFault<'a> {
        let mut stated = StatedFault { system, code, context: None, trap: None, ip: None, breakpoint: false };
        if let Some(bugcheck) = system.dump.records.header.bugcheck {
            stated.read(&bugcheck);
        }
        stated
    }

    fn read(&mut self, bugcheck: &Bugcheck) {
        let roles = bugcheck_parameters(bugcheck);
        let role = |index: usize| roles.map_or(Role::Other, |roles| roles[index].0);
        let (mut traps, mut others) = (Vec::new(), Vec::new());
        for (index, value) in bugcheck.parameters.iter().enumerate() {
            let Some(value) = value.filter(|value| *value != 0) else { continue };
            match role(index) {
                Role::Context => self.context = self.read_context(value),
                Role::Ip => self.ip = Some(value),
                Role::Code => self.breakpoint = value as u32 == STATUS_BREAKPOINT,
                Role::Trap => traps.push(self.system.narrow(value).0),
                Role::Other => others.push(self.system.narrow(value).0),
                _ => {}
            }
        }
        self.ip = self.context.as_ref().map(|(registers, _)| registers.ip()).or(self.ip);
        self.trap = traps.into_iter().chain(others).find_map(|frame| self.read_trap(frame));
    }

    fn read_context(&self, at: u64) -> Option<(Registers, Range<u64>)> {
        let at = self.system.narrow(at);
        let size = Context::size(self.system.architecture);
        let bytes = self.system.space.bytes(at, size as usize).ok()?;
        let bytes = memory::Bytes::whole(&bytes, "CONTEXT");
        let context = Context::parse(self.system.architecture, bytes, "context record").ok()?;
        context.has_control().then(|| (Registers::of(&context), at.0..at.0.saturating_add(size)))
    }

    /// Many parameters are addresses of something else, and pages of some codes do not name the one that is: what lies
    /// there must have the shape, and hold code that can run.
    fn read_trap(&self, frame: u64) -> Option<(u64, Registers)> {
        let is_kernel = |va: u64| self.system.is_kernel(Va(va));
        let (memory, traps) = (&self.system.space, &self.code.traps);
        let saved = saved::at(memory, frame, traps, &is_kernel, self.system.architecture)?;
        let on_kernel_stack = is_kernel(saved.sp);
        (self.runs(&saved) && on_kernel_stack).then(|| Some((frame, self.registers(&saved)?)))?
    }

    /// The trap frame that a parameter leads to: one that is stated, else one that only has the shape.
    pub fn trap(&self) -> Option<(u64, Registers)> {
        self.trap
    }

    /// The registers in the `CONTEXT` that a parameter leads to.
    pub fn context(&self) -> Option<Registers> {
        self.context.as_ref().map(|(registers, _)| *registers)
    }

    /// Bytes of a record that are no part of a stack.
    pub fn record(&self) -> Option<&Range<u64>> {
        self.context.as_ref().map(|(_, range)| range)
    }

    /// What was saved on this part of a stack, innermost first. `returns` says whether a word can be a return address.
    pub fn on(&self, range: &Range<u64>, returns: &dyn Fn(u64) -> bool) -> Vec<Anchor> {
        let mut found: Vec<Anchor> =
            self.shaped(range).iter().filter_map(|saved| self.anchor(saved, range.start, returns)).collect();
        let context = self.context.iter().map(|(registers, _)| (registers.sp(), *registers, Method::Context));
        let trap = self.trap.map(|(frame, registers)| (frame, registers, Method::Trap));
        for (from, registers, method) in context.chain(trap).filter(|(from, ..)| range.contains(from)) {
            let known = found.iter_mut().find(|anchor| self.is_same(&anchor.registers, &registers));
            match known {
                // The record has more registers than the trap frame below it.
                Some(anchor) => *anchor = Anchor { registers, method, ..*anchor },
                None => found.push(Anchor { from, registers, method, confidence: Confidence::High }),
            }
        }
        found.sort_by_key(|anchor| anchor.from);
        found
    }

    /// Registers saved twice: in a `CONTEXT` a breakpoint is where it is, in a trap frame behind that.
    fn is_same(&self, trap: &Registers, other: &Registers) -> bool {
        trap.sp() == other.sp() && (trap.ip() == other.ip() || self.is_at_fault(trap.ip()))
    }

    fn is_at_fault(&self, ip: u64) -> bool {
        let back = u64::from(self.breakpoint);
        self.ip.is_some_and(|stated| ip == stated || ip.checked_sub(back) == Some(stated))
    }

    /// Words of the shape of a trap frame of code of the kernel.
    fn shaped(&self, range: &Range<u64>) -> Vec<Saved> {
        let bytes = Bytes::read(&self.system.space, range);
        let is_kernel = |va: u64| self.system.is_kernel(Va(va));
        let shapes = Shapes { stack: &bytes, traps: &self.code.traps, stated: None, is_kernel: &is_kernel };
        let all = shapes.all(self.system.architecture);
        let is_fault = |saved: &Saved| !saved.user && self.is_at_fault(saved.ip);
        all.into_iter().filter(|saved| self.runs(saved) || is_fault(saved)).collect()
    }

    /// Code of the kernel was interrupted.
    fn runs(&self, saved: &Saved) -> bool {
        !saved.user && self.code.can_run(saved.ip)
    }

    /// A trap frame begins where its handler's last call was returned to, or where it went over to another stack.
    fn anchor(&self, saved: &Saved, entered: u64, returns: &dyn Fn(u64) -> bool) -> Option<Anchor> {
        let width = u64::from(self.system.pointer_size());
        let called = |frame: &u64| {
            let slot = frame.checked_sub(width)?;
            super::link::read(&self.system.space, slot, width).filter(|word| returns(*word))
        };
        let is_stated = saved.frame.is_some() && saved.frame == self.trap.map(|(frame, _)| frame);
        let sure = self.is_at_fault(saved.ip) || is_stated;
        let frame = saved.frame.filter(|frame| sure || *frame == entered || called(frame).is_some());
        let confidence = if sure { Confidence::High } else { Confidence::Medium };
        let from = frame.or(saved.at())?;
        Some(Anchor { from, registers: self.registers(saved)?, method: Method::Trap, confidence })
    }

    /// The registers that a trap frame holds.
    fn registers(&self, saved: &Saved) -> Option<Registers> {
        let (memory, traps) = (&self.system.space, &self.code.traps);
        let mut bare = Registers::at(saved.set, saved.ip, saved.sp);
        saved.frame_pointer.into_iter().for_each(|fp| bare.set_frame_pointer(fp));
        match bare {
            Registers::X64(_) => {
                let whole = traps.x64.zip(saved.frame).and_then(|(layout, frame)| {
                    trap::trap_frame(memory, &layout, frame, Cause::Interrupted).ok()
                });
                Some(whole.map_or(bare, |(_, registers)| Registers::X64(registers)))
            }
            Registers::X86(_) => {
                let frame = u32::try_from(saved.frame?).ok()?;
                let registers = unwind::x86::trap_frame(memory, frame, traps.x86.as_ref()?).ok()?;
                Some(Registers::X86(registers))
            }
            Registers::Arm64(mut registers) => {
                let (frame, layout) = (saved.frame?, traps.arm64?);
                let member = |offset: u64| super::link::read(memory, frame.checked_add(offset)?, 8);
                registers.set(30, member(layout.lr.into()));
                (0..19u8).for_each(|x| registers.set(x, member(u64::from(layout.x) + 8 * u64::from(x))));
                Some(Registers::Arm64(registers))
            }
        }
    }
}
