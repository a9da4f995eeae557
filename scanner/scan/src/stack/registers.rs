//! Registers of any architecture, as a walk needs them.

use crate::code::{Code, Module};
use memory::Context;
use unwind::{Memory, Step, Why, arm64, x64, x86};

/// What a walk carries from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registers {
    /// x64.
    X64(x64::Registers),
    /// ARM64.
    Arm64(arm64::Registers),
    /// x86.
    X86(x86::Registers),
}

impl Registers {
    /// Only where it is and where its stack is: after looking for a return address.
    pub fn bare(&self, ip: u64, sp: u64) -> Registers {
        match self {
            Registers::X64(_) => Registers::X64(x64::Registers::new(ip, sp)),
            Registers::Arm64(_) => Registers::Arm64(bare_arm64(ip, sp)),
            Registers::X86(_) => Registers::X86(bare_x86(ip, sp)),
        }
    }

    /// Those of an architecture at a place.
    pub fn at(architecture: memory::Architecture, ip: u64, sp: u64) -> Registers {
        match architecture {
            memory::Architecture::X64 => Registers::X64(x64::Registers::new(ip, sp)),
            memory::Architecture::Arm64 => Registers::Arm64(bare_arm64(ip, sp)),
            memory::Architecture::X86 => Registers::X86(bare_x86(ip, sp)),
        }
    }

    /// Those of a register set that the dump states.
    pub fn of(context: &Context) -> Registers {
        match &context.registers {
            memory::Registers::X64(c) => {
                let mut registers = x64::Registers::new(c.rip, c.rsp);
                if context.has_integer() {
                    let values = [
                        c.rax, c.rcx, c.rdx, c.rbx, c.rsp, c.rbp, c.rsi, c.rdi, c.r8, c.r9, c.r10, c.r11,
                        c.r12, c.r13, c.r14, c.r15,
                    ];
                    values.iter().enumerate().for_each(|(index, value)| registers.set(index, *value));
                }
                Registers::X64(registers)
            }
            memory::Registers::Arm64(c) => Registers::Arm64((&**c).into()),
            memory::Registers::X86(c) => {
                let mut registers = x86::Registers::new(c.eip, c.esp, c.ebp);
                if context.has_integer() {
                    for (number, value) in
                        [(0, c.eax), (1, c.ecx), (2, c.edx), (3, c.ebx), (6, c.esi), (7, c.edi)]
                    {
                        registers.set(number, Some(value));
                    }
                }
                Registers::X86(registers)
            }
        }
    }

    /// Sets the frame pointer, where it is one by rule: not on x64.
    pub fn set_frame_pointer(&mut self, value: u64) {
        match self {
            Registers::X64(_) => {}
            Registers::Arm64(registers) => registers.set(29, Some(value)),
            Registers::X86(registers) => registers.set(5, u32::try_from(value).ok()),
        }
    }

    /// Goes back over a switch of stacks that noted the stack pointer it came from: only on x86, where functions that do
    /// so have no frame pointer to go back by.
    pub fn switch_back(&mut self, noted: impl FnOnce(u64) -> Option<u64>) {
        if let Registers::X86(registers) = self
            && let Some(sp) = noted(registers.esp().into()).and_then(|sp| u32::try_from(sp).ok())
        {
            registers.set(4, Some(sp));
            registers.pushed = 0;
        }
    }

    /// The frame pointer is 0: where a thread of x86 begins.
    pub fn begins(&self) -> bool {
        matches!(self, Registers::X86(registers) if registers.get(5) == Some(0))
    }

    /// A word of the stack as a code address: on ARM64 return addresses are signed.
    pub fn address(&self, word: u64) -> u64 {
        if matches!(self, Registers::Arm64(_)) { arm64::strip(word) } else { word }
    }

    /// Which instructions they belong to.
    pub fn set(&self) -> memory::Architecture {
        match self {
            Registers::X64(_) => memory::Architecture::X64,
            Registers::Arm64(_) => memory::Architecture::Arm64,
            Registers::X86(_) => memory::Architecture::X86,
        }
    }

    /// Instruction pointer.
    pub fn ip(&self) -> u64 {
        match self {
            Registers::X64(registers) => registers.rip,
            Registers::Arm64(registers) => arm64::strip(registers.pc),
            Registers::X86(registers) => registers.eip.into(),
        }
    }

    /// Stack pointer.
    pub fn sp(&self) -> u64 {
        match self {
            Registers::X64(registers) => registers.sp(),
            Registers::Arm64(registers) => registers.sp,
            Registers::X86(registers) => registers.esp().into(),
        }
    }

    /// Turns them into those of the caller. `switches` says whether two stack pointers are on different stacks.
    pub fn step(
        &mut self,
        code: &Code<'_>,
        stack: &dyn Memory,
        first: bool,
        switches: &dyn Fn(u64, u64) -> bool,
    ) -> Result<Step, Why> {
        let ip = self.ip();
        let lookup = if first { ip } else { ip.wrapping_sub(1) };
        let image = code.module(lookup).and_then(Module::image);
        if let Registers::X86(registers) = self {
            let returns = |va: u32| code.may_return_to(va.into());
            let switches: &dyn Fn(u32, u32) -> bool = &|from, to| switches(from.into(), to.into());
            let frame = code.module(lookup).and_then(|module| module.frame_data(lookup));
            let (image, frame, trap) = (image.as_ref(), frame.as_ref(), code.traps.x86.as_ref());
            let step = |returns: &dyn Fn(u32) -> bool, registers: &mut x86::Registers| {
                x86::step(&x86::Place { image, frame, trap, returns, switches }, stack, registers, first)
            };
            let mut caller = *registers;
            let result = step(&returns, &mut caller);
            let sure = match result {
                Ok(step) => {
                    matches!(step, Step::MachineFrame { .. }) || caller.eip == 0 || returns(caller.eip)
                }
                Err(_) => false,
            };
            // Where the dump does not hold the code, an address in it may do.
            let perhaps = |va: u32| returns(va) || code.could_return_to(va.into());
            if !sure && let Ok(step) = step(&perhaps, registers) {
                return Ok(step);
            }
            return result.inspect(|_| *registers = caller);
        }
        match (self, image) {
            (Registers::X64(registers), Some(image)) if image.machine == unwind::MACHINE_AMD64 => {
                x64::step_between(&image, stack, registers, first, switches)
            }
            (Registers::Arm64(registers), Some(image)) => {
                registers.pc = arm64::strip(registers.pc);
                arm64::step_over(&image, stack, registers, first, code.traps.arm64, switches)
            }
            (Registers::X64(_) | Registers::Arm64(_), None) if code.module(lookup).is_some() => {
                Err(Why::NotAnImage("its headers are not in the dump"))
            }
            _ => Err(Why::NoUnwindData),
        }
    }
}

/// Nothing is known but where it is and where its stack is.
fn bare_arm64(pc: u64, sp: u64) -> arm64::Registers {
    arm64::Registers { pc, sp, x: [0; 31], known: 0 }
}

/// The same.
fn bare_x86(eip: u64, esp: u64) -> x86::Registers {
    let mut registers = x86::Registers::new(eip as u32, esp as u32, 0);
    registers.set(5, None); // ebp
    registers
}
