//! A frame while it is undone: registers, code by code, become those of the caller.

use super::{
    Registers, TrapFrame,
    code::{Bank, Op},
    strip,
};
use crate::{Memory, Step, Why};

/// Registers on the way from a function to its caller.
pub(super) struct Frame<'a> {
    memory: &'a dyn Memory,
    trap: Option<TrapFrame>,
    registers: Registers,
    /// Pairs that `save_next` adds to the save that follows.
    more: u8,
    /// The return address was loaded from the stack.
    returns: bool,
    /// A place on the stack that could not be read, for the reason.
    missing: Option<u64>,
    /// What ended the frame, if it was not its return address.
    end: Option<Step>,
}

const LR: u8 = 30;

/// Registers that calls preserve: x18 (the platform's), x19 to x28, x29, x30.
const PRESERVED: u32 = 0x7ffc_0000;

/// Offsets of `ARM64EC_NT_CONTEXT`, which overlays the CONTEXT of x64: (register of ARM64, offset). Mapping of registers:
/// Microsoft's "Overview of ARM64EC ABI conventions"; offsets: the CONTEXT of x64 in winnt.h.
const EC: [(u8, u64); 20] = [
    (0, 0x80),   // rcx
    (1, 0x88),   // rdx
    (2, 0xb8),   // r8
    (3, 0xc0),   // r9
    (4, 0xc8),   // r10
    (5, 0xd0),   // r11
    (8, 0x78),   // rax
    (19, 0xd8),  // r12
    (20, 0xe0),  // r13
    (21, 0xe8),  // r14
    (22, 0xf0),  // r15
    (25, 0xa8),  // rsi
    (26, 0xb0),  // rdi
    (27, 0x90),  // rbx
    (29, 0xa0),  // rbp
    (LR, 0x120), // mm0
    (6, 0x130),  // mm1
    (7, 0x140),  // mm2
    (9, 0x150),  // mm3
    (10, 0x160), // mm4
];

impl<'a> Frame<'a> {
    pub(super) fn new(memory: &'a dyn Memory, registers: &Registers, trap: Option<TrapFrame>) -> Frame<'a> {
        let registers = *registers;
        Frame { memory, trap, registers, more: 0, returns: false, missing: None, end: None }
    }

    /// Applies codes in their order.
    pub(super) fn apply(&mut self, ops: impl Iterator<Item = Result<Op, Why>>) -> Result<(), Why> {
        for op in ops {
            self.one(op?)?;
        }
        Ok(())
    }

    fn one(&mut self, op: Op) -> Result<(), Why> {
        if self.more > 0 && !matches!(op, Op::SaveNext | Op::Save { pair: true, .. }) {
            return Err(Why::BadUnwindData("save_next before something that is no pair"));
        }
        match op {
            Op::Alloc(bytes) => self.rise(bytes)?,
            Op::Save { bank, first, pair, at, pre } => {
                let count = if pair { 2 + 2 * self.more } else { 1 };
                self.restore(bank, first, count, if pre { 0 } else { at })?;
                self.rise(if pre { at } else { 0 })?;
                self.more = 0;
            }
            Op::SaveLr { first, at } => {
                self.restore(Bank::X, first, 1, at)?;
                self.restore(Bank::X, LR, 1, at + 8)?;
            }
            Op::SaveNext if self.more < 8 => self.more += 1,
            Op::SaveNext => return Err(Why::BadUnwindData("save_next beyond the last register")),
            Op::SetFp => self.registers.sp = self.fp()?,
            Op::AddFp(bytes) => {
                self.registers.sp = self.fp()?.checked_sub(bytes).ok_or(Why::SpNotRising)?;
            }
            Op::SignLr => self.registers.x[30] = strip(self.registers.x[30]),
            Op::Exact => self.end = Some(Step::Exact),
            Op::TrapFrame => self.trap_frame()?,
            Op::MachineFrame => self.machine_frame()?,
            Op::Context => self.context(0x100, 0x108, (0..31).map(|r| (r, 8 + 8 * u64::from(r))))?,
            Op::EcContext => self.context(0x98, 0xf8, EC.into_iter())?,
            Op::Nop | Op::End | Op::EndC => {}
            Op::Scalable => {
                return Err(Why::NotSupported("a frame of scalable vectors: their length is not known"));
            }
            Op::Reserved => return Err(Why::BadUnwindData("a reserved unwind code")),
        }
        Ok(())
    }

    fn rise(&mut self, bytes: u64) -> Result<(), Why> {
        self.registers.sp = self.registers.sp.checked_add(bytes).ok_or(Why::SpNotRising)?;
        Ok(())
    }

    fn fp(&self) -> Result<u64, Why> {
        self.registers.get(29).ok_or(Why::UnknownRegister)
    }

    /// Loads saved registers. One that cannot be read is not known afterwards; values of vectors are not followed.
    fn restore(&mut self, bank: Bank, first: u8, count: u8, at: u64) -> Result<(), Why> {
        if first + count > if bank == Bank::X { 31 } else { 32 } {
            return Err(Why::BadUnwindData("a save of a register that does not exist"));
        }
        let saved = if bank == Bank::X { count } else { 0 };
        for index in 0..saved {
            self.load(first + index, at + bank.width() * u64::from(index))?;
        }
        Ok(())
    }

    /// Loads one register from `sp + at`.
    fn load(&mut self, register: u8, at: u64) -> Result<(), Why> {
        let va = self.registers.sp.checked_add(at).ok_or(Why::SpNotRising)?;
        let value = self.qword(va).ok();
        self.registers.set(register, value);
        self.returns |= register == LR;
        if value.is_none() {
            self.missing.get_or_insert(va);
        }
        Ok(())
    }

    fn qword(&self, va: u64) -> Result<u64, Why> {
        let mut bytes = [0; 8];
        if self.memory.read(va, &mut bytes) { Ok(u64::from_le_bytes(bytes)) } else { Err(Why::NoMemory(va)) }
    }

    /// A word of a structure at the stack pointer.
    fn member(&self, offset: u64) -> Result<u64, Why> {
        self.qword(self.registers.sp.checked_add(offset).ok_or(Why::SpNotRising)?)
    }

    /// The processor's own: stack pointer and instruction pointer of what was interrupted.
    fn machine_frame(&mut self) -> Result<(), Why> {
        let at = self.registers.sp;
        let (sp, pc) = (self.member(0)?, self.member(8)?);
        if !self.returns {
            self.registers.set(LR, None); // a value of the handler, not of the interrupted code
        }
        self.interrupted(sp, pc, at);
        Ok(())
    }

    fn trap_frame(&mut self) -> Result<(), Why> {
        let layout = self.trap.ok_or(Why::NotSupported("a trap frame whose layout is not given"))?;
        let volatile = (0..19).map(|r| (r, u64::from(layout.x) + 8 * u64::from(r)));
        let chain = [(29, u64::from(layout.fp)), (LR, u64::from(layout.lr))];
        self.context(layout.sp.into(), layout.pc.into(), volatile.chain(chain))
    }

    /// A structure at the stack pointer that holds registers, sp and pc at these offsets.
    fn context(&mut self, sp: u64, pc: u64, members: impl Iterator<Item = (u8, u64)>) -> Result<(), Why> {
        let at = self.registers.sp;
        let (sp, pc) = (self.member(sp)?, self.member(pc)?);
        for (register, offset) in members {
            self.load(register, offset)?;
        }
        self.interrupted(sp, pc, at);
        Ok(())
    }

    fn interrupted(&mut self, sp: u64, pc: u64, at: u64) {
        (self.registers.sp, self.registers.pc) = (sp, pc);
        self.end = Some(Step::MachineFrame { at, error_code: false });
    }

    /// The registers of the caller. `before` are those that the frame began with.
    pub(super) fn finish(
        mut self,
        before: &Registers,
        first: bool,
        switches: &dyn Fn(u64, u64) -> bool,
    ) -> Result<(Registers, Step), Why> {
        let step = self.end.unwrap_or(Step::Unwound);
        if !matches!(step, Step::MachineFrame { .. }) {
            if !first && !self.returns {
                return Err(Why::BadUnwindData("a function that calls and does not save lr"));
            }
            let missing = self.missing.map_or(Why::UnknownRegister, Why::NoMemory);
            self.registers.pc = self.registers.get(LR).ok_or(missing)?;
            self.registers.known &= PRESERVED;
            if self.registers.sp < before.sp && !switches(before.sp, self.registers.sp) {
                return Err(Why::SpNotRising);
            }
            if !self.registers.sp.is_multiple_of(16) {
                return Err(Why::SpNotAligned);
            }
        }
        let same = (self.registers.pc, self.registers.sp) == (before.pc, before.sp);
        if same { Err(Why::SpNotRising) } else { Ok((self.registers, step)) }
    }
}
