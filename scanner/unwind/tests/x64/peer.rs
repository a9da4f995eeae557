//! Another unwinder, as a second opinion: `pe-unwind-info` (Mozilla).

use super::emulator::State;
use pe_unwind_info::x86_64::{FunctionTableEntries, Register, UnwindState, XmmRegister};
use unwind::{Memory, x64};

/// Its view of the registers.
struct View<'a> {
    state: &'a State,
    registers: x64::Registers,
}

impl UnwindState for View<'_> {
    fn read_register(&mut self, register: Register) -> u64 {
        self.registers.gpr[usize::from(register as u8)]
    }

    fn read_stack(&mut self, at: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.state.read(at, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }

    fn write_register(&mut self, register: Register, value: u64) {
        self.registers.gpr[usize::from(register as u8)] = value;
    }

    fn write_xmm_register(&mut self, _: XmmRegister, _: u128) {}
}

/// The caller's registers as it sees them: `table` is the exception table, `file` the image file.
pub fn step(table: &[u8], file: &[u8], state: &State, rva: u32, ip: u64) -> Option<x64::Registers> {
    let mut view = View { state, registers: state.registers(ip) };
    let rip = FunctionTableEntries::parse(table).unwind_frame_with_image(&mut view, file, rva)?;
    view.registers.rip = rip;
    Some(view.registers)
}
