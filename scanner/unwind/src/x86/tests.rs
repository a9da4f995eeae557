//! x86 by hand: code and stacks byte by byte, programs as compilers write them and as they do not.
mod code;
mod programs;

use super::*;
use crate::MACHINE_I386;

const BASE: u32 = 0x40_0000;
const SP: u32 = 0x10_0000;
/// Where code is, an RVA.
const BEGIN: u32 = 0x1000;
/// An address in code that a call ends at, as far as these tests are concerned.
const RETURN: u32 = BASE + 0x1800;

const PLAIN: &str = "$T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + = ";
const CHAIN: &str = "$T0 $ebp = $eip $T0 4 + ^ = $ebp $T0 ^ = $esp $T0 8 + = ";

/// Code and a stack.
struct Machine {
    code: Vec<u8>,
    stack: Vec<u32>,
}

impl Memory for Machine {
    fn read(&self, va: u64, out: &mut [u8]) -> bool {
        let stack: Vec<u8> = self.stack.iter().flat_map(|word| word.to_le_bytes()).collect();
        let pieces = [(u64::from(BASE + BEGIN), &self.code), (u64::from(SP), &stack)];
        let found = pieces.into_iter().find_map(|(at, bytes)| {
            let from = usize::try_from(va.checked_sub(at)?).ok()?;
            bytes.get(from..from.checked_add(out.len())?)
        });
        found.map(|bytes| out.copy_from_slice(bytes)).is_some()
    }
}

fn machine(code: &[u8], stack: &[u32]) -> Machine {
    let mut code = code.to_vec();
    code.resize(0x1000, 0xcc);
    Machine { code, stack: stack.to_vec() }
}

fn frame(program: &str) -> FrameData<'_> {
    FrameData {
        rva: BEGIN,
        size: 0x100,
        locals: 0,
        params: 0,
        prologue: 0,
        saved: 0,
        start: true,
        function: BEGIN,
        function_end: BEGIN + 0x100,
        split: false,
        kind: Kind::Program(program),
    }
}

fn registers(offset: u32, ebp: u32) -> Registers {
    let mut registers = Registers::new(BASE + BEGIN + offset, SP, ebp);
    [(EBX, 0xb), (ESI, 0x51), (EDI, 0xd1)].into_iter().for_each(|(r, value)| registers.set(r, Some(value)));
    registers
}

fn returns(address: u32) -> bool {
    address == RETURN
}

/// A step; `frame` is the record of the place.
fn go(
    machine: &Machine,
    frame: Option<&FrameData>,
    now: Registers,
    first: bool,
) -> Result<(Registers, Step), Why> {
    let image = Image::from_facts(BASE.into(), 0x4000, MACHINE_I386, 0, 0, machine);
    let place = Place { image: Some(&image), frame, trap: None, returns: &returns, switches: &|_, _| false };
    let mut registers = now;
    let result = step(&place, machine, &mut registers, first);
    if result.is_err() {
        assert_eq!(registers, now, "registers stay as they were");
    }
    result.map(|step| (registers, step))
}
