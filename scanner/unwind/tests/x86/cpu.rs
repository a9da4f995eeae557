//! An x86 processor that follows the stack pointer, what is on the stack, and the registers that calls preserve. What
//! else instructions compute is junk.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register,
};
use std::collections::BTreeMap;

/// A value that no register or stack slot begins with.
pub const JUNK: u32 = 0xdead_dead;
/// Stack pointer at the first instruction of a function; the return address is there.
pub const SP: u32 = 0x0030_0000;
/// Set in a value that was loaded from memory which is not the stack.
const LOADED: u32 = 0x8000_0000;
pub const CALLER: u32 = 0x7765_4321;

const ORDER: [Register; 8] = [
    Register::EAX,
    Register::ECX,
    Register::EDX,
    Register::EBX,
    Register::ESP,
    Register::EBP,
    Register::ESI,
    Register::EDI,
];

/// Registers and the stack.
#[derive(Clone)]
pub struct Cpu {
    pub eip: u32,
    pub gpr: [u32; 8],
    pub stack: BTreeMap<u32, u32>,
    /// Bytes pushed since the last call that are not saved registers.
    pub pending: u32,
    /// False after a call of which nobody knows how many parameters it takes off the stack.
    pub sure: bool,
}

/// Where an instruction leads.
pub enum Flow {
    Next,
    Jump(u32),
    Branch(u32),
    /// To a function, or through a pointer at an address, or elsewhere.
    Call(Target),
    Return,
    Stop,
}

pub enum Target {
    Function(u32),
    Pointer(u32),
    Unknown,
}

pub fn decode(code: &[u8], eip: u32) -> Instruction {
    Decoder::with_ip(32, code, eip.into(), DecoderOptions::NONE).decode()
}

impl Cpu {
    /// At the first instruction of a function.
    pub fn entered(eip: u32) -> Cpu {
        let gpr = std::array::from_fn(|r| match r {
            4 => SP,
            5 => SP + 0x400,
            _ => 0xc0de_0000 + r as u32,
        });
        Cpu { eip, gpr, stack: BTreeMap::from([(SP, CALLER)]), pending: 0, sure: true }
    }

    pub fn esp(&self) -> u32 {
        self.gpr[4]
    }

    fn get(&self, register: Register) -> u32 {
        ORDER.iter().position(|r| *r == register).map_or(JUNK, |index| self.gpr[index])
    }

    fn set(&mut self, register: Register, value: u32) {
        let whole = register.is_gpr().then(|| register.full_register32());
        if let Some(index) = ORDER.iter().position(|r| Some(*r) == whole) {
            self.gpr[index] = if register.size() == 4 { value } else { JUNK };
        }
    }

    fn address(&self, i: &Instruction) -> u32 {
        if i.segment_prefix() == Register::FS {
            return JUNK;
        }
        let part = |register| if register == Register::None { 0 } else { self.get(register) };
        let index = part(i.memory_index()).wrapping_mul(i.memory_index_scale());
        part(i.memory_base()).wrapping_add(index).wrapping_add(i.memory_displacement32())
    }

    /// What is at an address. Elsewhere than on the stack it is a mark of where it came from, for calls through it.
    fn load(&self, at: u32) -> u32 {
        let elsewhere =
            if at < SP - (1 << 20) || at > SP + (1 << 20) && at < LOADED { at | LOADED } else { JUNK };
        self.stack.get(&at).copied().unwrap_or(elsewhere)
    }

    fn store(&mut self, at: u32, value: u32) {
        if at.abs_diff(SP) < 1 << 20 {
            self.stack.insert(at, value);
        }
    }

    pub fn push(&mut self, value: u32) {
        self.gpr[4] = self.gpr[4].wrapping_sub(4);
        self.store(self.gpr[4], value);
    }

    pub fn pop(&mut self) -> u32 {
        let value = self.load(self.gpr[4]);
        self.gpr[4] = self.gpr[4].wrapping_add(4);
        value
    }

    fn operand(&self, i: &Instruction, number: u32) -> u32 {
        match i.op_kind(number) {
            OpKind::Register => self.get(i.op_register(number)),
            OpKind::Memory if i.memory_size().size() == 4 => self.load(self.address(i)),
            OpKind::Memory => JUNK,
            kind if kind >= OpKind::Immediate8 && kind <= OpKind::Immediate8to64 => {
                i.immediate(number) as u32
            }
            _ => JUNK,
        }
    }

    /// Executes an instruction; leaves `eip` to the caller.
    pub fn execute(&mut self, i: &Instruction) -> Flow {
        let target = i.near_branch32();
        match i.flow_control() {
            FlowControl::UnconditionalBranch => return Flow::Jump(target),
            FlowControl::ConditionalBranch => return Flow::Branch(target),
            FlowControl::Call if i.op0_kind() == OpKind::NearBranch32 => {
                return Flow::Call(Target::Function(target));
            }
            FlowControl::Return => return Flow::Return,
            FlowControl::IndirectCall => {
                let plain = i.op0_kind() == OpKind::Memory && i.memory_base() == Register::None;
                let loaded = self.operand(i, 0);
                if i.op0_kind() == OpKind::Register && loaded & LOADED != 0 && loaded & !LOADED < 1 << 30 {
                    return Flow::Call(Target::Pointer(loaded & !LOADED));
                }
                let pointer =
                    if plain { Target::Pointer(i.memory_displacement32()) } else { Target::Unknown };
                return Flow::Call(pointer);
            }
            FlowControl::Next => self.plain(i),
            _ => return Flow::Stop,
        }
        if i.is_invalid() { Flow::Stop } else { Flow::Next }
    }

    fn plain(&mut self, i: &Instruction) {
        match i.mnemonic() {
            Mnemonic::Push => {
                let value = self.operand(i, 0);
                let saves = i.op0_kind() == OpKind::Register && Cpu::entered(0).gpr.contains(&value);
                self.pending += if saves { 0 } else { 4 };
                self.push(value);
            }
            Mnemonic::Pop => {
                let value = self.pop();
                self.pending = self.pending.saturating_sub(4);
                match i.op0_kind() {
                    OpKind::Register => self.set(i.op0_register(), value),
                    _ => self.store(self.address(i), value),
                }
            }
            Mnemonic::Leave => {
                self.gpr[4] = self.gpr[5];
                self.gpr[5] = self.pop();
            }
            Mnemonic::Mov => self.write(i, self.operand(i, 1)),
            Mnemonic::Lea => self.write(i, self.address(i)),
            Mnemonic::Add | Mnemonic::Sub | Mnemonic::And if i.op0_kind() == OpKind::Register => {
                let (left, right) = (self.operand(i, 0), self.operand(i, 1));
                let known = left != JUNK && right != JUNK;
                let value = match i.mnemonic() {
                    Mnemonic::Add => left.wrapping_add(right),
                    Mnemonic::Sub => left.wrapping_sub(right),
                    _ => left & right,
                };
                if i.op0_register() == Register::ESP && i.mnemonic() == Mnemonic::Add {
                    self.pending = self.pending.saturating_sub(right);
                }
                self.write(i, if known { value } else { JUNK });
            }
            _ => self.other(i),
        }
    }

    fn write(&mut self, i: &Instruction, value: u32) {
        match i.op0_kind() {
            OpKind::Register => self.set(i.op0_register(), value),
            _ if i.memory_size().size() == 4 => self.store(self.address(i), value),
            _ => self.store(self.address(i) & !3, JUNK),
        }
    }

    /// Whatever the instruction writes is junk afterwards.
    fn other(&mut self, i: &Instruction) {
        let writes = |access| {
            matches!(
                access,
                OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
            )
        };
        let increment = i.stack_pointer_increment();
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(i);
        for register in info.used_registers().iter().filter(|r| writes(r.access())).map(|r| r.register()) {
            if register != Register::ESP || increment == 0 {
                self.set(register, JUNK);
            }
        }
        for memory in info.used_memory().iter().filter(|m| writes(m.access())) {
            let at = memory.virtual_address(0, |register, _, _| Some(self.get(register).into()));
            for slot in 0..memory.memory_size().size().div_ceil(4) as u32 {
                self.store((at.unwrap_or(0) as u32 & !3).wrapping_add(4 * slot), JUNK);
            }
        }
        self.gpr[4] = self.gpr[4].wrapping_add_signed(increment);
    }

    /// What a call leaves whose callee takes so many bytes of parameters off the stack.
    pub fn call(&mut self, takes: u32) {
        (self.gpr[0], self.gpr[1], self.gpr[2]) = (JUNK, JUNK, JUNK);
        self.gpr[4] = self.gpr[4].wrapping_add(takes);
        self.pending = self.pending.saturating_sub(takes);
    }
}
