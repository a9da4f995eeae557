//! Carries out the instructions of a function on a stack of its own, as far as they move the stack pointer, save
//! registers or give them back. Written from the instruction set alone: it knows nothing of unwind data.

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};
use std::collections::HashMap;
use unwind::{Memory, x64};

/// Stack pointer at the entry of the function: the return address is there.
pub const ENTRY_SP: u64 = 0x7ff0_0000_0ff8;
/// The return address.
pub const RETURN: u64 = 0x1122_3344_5566;
/// What a slot gives that nobody wrote a known value to.
const POISON: u64 = 0xdead_dead_dead_dead;

/// Registers and stack.
#[derive(Clone)]
pub struct State {
    pub gpr: [Option<u64>; 16],
    slots: HashMap<u64, u64>,
}

impl Memory for State {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let value = self.slots.get(&va).copied().unwrap_or(POISON);
        out.copy_from_slice(&value.to_le_bytes()[..out.len()]);
        true
    }
}

/// Where a function goes on.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// To the next instruction.
    On,
    /// To the next instruction, after a call.
    Called,
    /// Nowhere: it returned.
    Returned,
    /// To these addresses; the flag says whether to the next instruction too.
    Jumps(u64, bool),
    /// Somewhere that is not known, or nowhere.
    Unknown,
}

/// The value that a register has at entry.
pub fn initial(register: usize) -> u64 {
    if register == x64::RSP { ENTRY_SP } else { 0x1000_0000_0000 + 0x0101_0000 * register as u64 }
}

impl State {
    pub fn entry() -> State {
        let gpr = std::array::from_fn(|register| Some(initial(register)));
        State { gpr, slots: HashMap::from([(ENTRY_SP, RETURN)]) }
    }

    pub fn sp(&self) -> u64 {
        self.gpr[x64::RSP].unwrap()
    }

    /// What a debugger would see.
    pub fn registers(&self, rip: u64) -> x64::Registers {
        let mut registers = x64::Registers::new(rip, self.sp());
        for (index, value) in self.gpr.iter().enumerate() {
            registers.set(index, value.unwrap_or(POISON));
        }
        registers
    }

    /// Whether every register that must be preserved is as it was at entry.
    pub fn is_restored(&self) -> bool {
        (0..16).filter(|r| x64::NONVOLATILE >> r & 1 != 0).all(|r| self.gpr[r] == Some(initial(r)))
    }

    fn store(&mut self, at: u64, value: Option<u64>) {
        match value {
            Some(value) if at.is_multiple_of(8) => self.slots.insert(at, value),
            _ => self.forget(at, 8),
        };
    }

    fn forget(&mut self, at: u64, bytes: u64) -> Option<u64> {
        (at & !7..at.saturating_add(bytes)).step_by(8).for_each(|slot| {
            self.slots.remove(&slot);
        });
        None
    }

    fn push(&mut self, value: Option<u64>) {
        let sp = self.sp() - 8;
        self.gpr[x64::RSP] = Some(sp);
        self.store(sp, value);
    }

    fn pop(&mut self) -> Option<u64> {
        let sp = self.sp();
        self.gpr[x64::RSP] = Some(sp + 8);
        self.slots.get(&sp).copied()
    }

    /// Address of a memory operand, if it can be known and no segment is in it.
    fn address(&self, i: &Instruction) -> Option<u64> {
        let value = |register| match register {
            Register::None => Some(0),
            Register::RIP => None,
            _ => number(register).and_then(|number| self.gpr[number]),
        };
        let based = i.segment_prefix() == Register::None && i.memory_base() != Register::None;
        let index = value(i.memory_index())?.wrapping_mul(i.memory_index_scale().into());
        let sum = value(i.memory_base())?.wrapping_add(index).wrapping_add(i.memory_displacement64());
        based.then_some(sum)
    }

    /// Value of a 64-bit operand.
    fn operand(&self, i: &Instruction, operand: u32) -> Option<u64> {
        match i.op_kind(operand) {
            OpKind::Register => {
                let value = self.gpr[number(i.op_register(operand))?]?;
                match i.op_register(operand).size() {
                    8 => Some(value),
                    4 => Some(value & 0xffff_ffff),
                    _ => None,
                }
            }
            OpKind::Memory if i.memory_size().size() == 8 => self.slots.get(&self.address(i)?).copied(),
            OpKind::Memory => None,
            _ => Some(i.immediate(operand)),
        }
    }

    /// Carries out an instruction; false if the stack pointer is lost.
    pub fn run(&mut self, i: &Instruction, factory: &mut InstructionInfoFactory) -> Next {
        match i.flow_control() {
            FlowControl::Next => {}
            FlowControl::UnconditionalBranch => return Next::Jumps(i.near_branch_target(), false),
            FlowControl::ConditionalBranch => return Next::Jumps(i.near_branch_target(), true),
            FlowControl::Call | FlowControl::IndirectCall => {
                self.call();
                return Next::Called;
            }
            FlowControl::Return => return Next::Returned,
            _ => return Next::Unknown,
        }
        if i.mnemonic() == Mnemonic::Hlt {
            return Next::Unknown;
        }
        self.plain(i, factory);
        if self.gpr[x64::RSP].is_some() { Next::On } else { Next::Unknown }
    }

    /// A callee gives nonvolatile registers back, and rax if it is `__chkstk`, which gets a number of bytes in it.
    fn call(&mut self) {
        self.gpr[0] = self.gpr[0].filter(|bytes| *bytes < 0x1000_0000);
        for register in [1, 2, 8, 9, 10, 11] {
            self.gpr[register] = None;
        }
    }

    fn plain(&mut self, i: &Instruction, factory: &mut InstructionInfoFactory) {
        match i.mnemonic() {
            Mnemonic::Push => self.push(self.operand(i, 0)),
            Mnemonic::Pushfq => self.push(None),
            Mnemonic::Popfq => drop(self.pop()),
            Mnemonic::Pop if i.op0_kind() == OpKind::Register => {
                self.gpr[number(i.op0_register()).unwrap()] = self.pop();
            }
            Mnemonic::Leave => {
                self.gpr[x64::RSP] = self.gpr[x64::RBP];
                if self.gpr[x64::RSP].is_some() {
                    self.gpr[x64::RBP] = self.pop();
                }
            }
            _ if i.op0_kind() == OpKind::Register && i.op0_register().is_gpr64() && self.computes(i) => {}
            Mnemonic::Mov if i.op0_kind() == OpKind::Register && i.op0_register().is_gpr32() => {
                self.gpr[number(i.op0_register()).unwrap()] = self.operand(i, 1).map(|v| v & 0xffff_ffff);
            }
            Mnemonic::Mov if i.op0_kind() == OpKind::Memory && i.memory_size().size() == 8 => {
                if let Some(at) = self.address(i) {
                    self.store(at, self.operand(i, 1));
                }
            }
            _ => self.forget_written(i, factory),
        }
    }

    /// Instructions that compute a 64-bit register.
    fn computes(&mut self, i: &Instruction) -> bool {
        let target = number(i.op0_register()).unwrap();
        let both = |operation: fn(u64, u64) -> u64| Some(operation(self.gpr[target]?, self.operand(i, 1)?));
        let value = match i.mnemonic() {
            Mnemonic::Mov => self.operand(i, 1),
            Mnemonic::Lea => self.address(i),
            Mnemonic::Add => both(u64::wrapping_add),
            // How much `alloca` takes is not known; any amount will do.
            Mnemonic::Sub
                if target == x64::RSP && self.operand(i, 1).is_none_or(|size| size > 0x1000_0000) =>
            {
                Some(self.sp() - 0x50)
            }
            Mnemonic::Sub => both(u64::wrapping_sub),
            Mnemonic::And => both(|a, b| a & b),
            _ => return false,
        };
        self.gpr[target] = value;
        true
    }

    /// Registers and slots that an instruction writes get values that are not known.
    fn forget_written(&mut self, i: &Instruction, factory: &mut InstructionInfoFactory) {
        let writes = |access| {
            matches!(
                access,
                OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
            )
        };
        let info = factory.info(i);
        let at = self.address(i);
        for memory in info.used_memory().iter().filter(|memory| writes(memory.access())) {
            if let (Some(at), false) = (at, i.code() == Code::Push_rm64) {
                self.forget(at, memory.memory_size().size() as u64);
            }
        }
        for register in info.used_registers().iter().filter(|register| writes(register.access())) {
            if let Some(number) = number(register.register()) {
                self.gpr[number] = None;
            }
        }
    }
}

/// Number of a general register of any size.
fn number(register: Register) -> Option<usize> {
    let full = register.full_register();
    full.is_gpr64().then(|| full.number())
}
