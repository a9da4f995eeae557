//! The instruction at fault itself: its text, and the memory that its operand names by the registers at the fault.

use crate::{
    code::Code,
    instruction::{self, LONGEST},
    stack::Registers,
};
use memory::{Architecture, PAGE_SIZE, Space, Va};
use schema::tables::CrashRow;

/// The columns of the instruction at `ip`; none where its bytes are not there.
pub fn columns(
    architecture: Architecture,
    code: &Code<'_>,
    space: &Space<'_>,
    ip: Option<u64>,
    registers: Option<Registers>,
) -> CrashRow {
    let found = ip.and_then(|ip| {
        let bytes = bytes(code, space, ip)?;
        instruction::decode(architecture, &bytes, ip, registers.as_ref())
    });
    let Some(found) = found else { return CrashRow::default() };
    let operand = found.operand.as_ref();
    CrashRow {
        fault_instruction: Some(found.text),
        operand_address: operand.and_then(|operand| operand.address),
        operand_size: operand.map(|operand| operand.size),
        operand_base: operand.and_then(|operand| operand.base.clone()),
        operand_base_value: operand.and_then(|operand| operand.base_value),
        ..CrashRow::default()
    }
}

/// As many bytes as the longest instruction has, or as the page has left: from the module, which may be an image file,
/// else from memory.
fn bytes(code: &Code<'_>, space: &Space<'_>, ip: u64) -> Option<Vec<u8>> {
    let left = (PAGE_SIZE - ip % PAGE_SIZE).min(LONGEST as u64) as usize;
    [LONGEST, left].into_iter().find_map(|size| {
        let mut bytes = vec![0; size];
        let of_module = code.module(ip).is_some_and(|module| module.read(ip, &mut bytes));
        (of_module || space.read(Va(ip), &mut bytes).is_ok()).then_some(bytes)
    })
}
