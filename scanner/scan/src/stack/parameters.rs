//! The first four parameters of a frame, where they are home.
//!
//! x64 passes them in registers. The caller leaves four words above the return address in which a function may store
//! them, and only its own first instructions tell whether it does: nothing is taken from a function whose code is not
//! there, nor from a slot in which something else was stored. Not even that says that the slot was not changed since.
//! On x86 they lie above the return address. The frame data of a PDB says how many bytes there are; where only a frame
//! pointer leads there, nobody does, so that four words are given.

use super::{Frame, Method, Stack, link};
use crate::code::Code;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use memory::Architecture;
use unwind::Memory;

/// Values of the first four parameters.
pub type Parameters = [Option<u64>; 4];

/// Bytes of code in which a function stores its parameters: four stores, and those of saved registers between.
const PROLOGUE: usize = 48;
/// The registers of the parameters in their order.
const REGISTERS: [Register; 4] = [Register::RCX, Register::RDX, Register::R8, Register::R9];

/// The parameters of all frames of a part of a stack.
pub fn parameters(code: &Code<'_>, memory: &dyn Memory, stack: &Stack) -> Vec<Parameters> {
    let outer = stack.frames.iter().skip(1).map(Some).chain([None]);
    let of = |(frame, outer): (&Frame, Option<&Frame>)| match outer {
        // Where the return address was is known only when unwinding led to it.
        Some(outer) if !outer.exact && outer.sp > frame.sp => of_frame(code, memory, frame, outer),
        _ => Parameters::default(),
    };
    stack.frames.iter().zip(outer).map(of).collect()
}

fn of_frame(code: &Code<'_>, memory: &dyn Memory, frame: &Frame, outer: &Frame) -> Parameters {
    match (frame.set, outer.method) {
        (Architecture::X64, Method::Unwind | Method::Leaf) => home(code, memory, frame, outer.sp),
        (Architecture::X86, Method::FramePointer) => {
            std::array::from_fn(|index| link::read(memory, outer.sp.checked_add(index as u64 * 4)?, 4))
        }
        (Architecture::X86, Method::FrameData | Method::Unwind) => {
            pushed(code, memory, frame, outer).unwrap_or_default()
        }
        _ => Parameters::default(),
    }
}

/// Those that the caller of a function of x86 pushed, as many as its frame data states.
fn pushed(code: &Code<'_>, memory: &dyn Memory, frame: &Frame, outer: &Frame) -> Option<Parameters> {
    let at = frame.ip.checked_sub(u64::from(!frame.exact))?;
    let count = u64::from(code.module(at)?.frame_data(at)?.params / 4);
    // They begin above the return address, if that is where the walk went on.
    link::read(memory, outer.sp.checked_sub(4)?, 4).filter(|word| *word == outer.ip)?;
    let word = |index: u64| link::read(memory, outer.sp.checked_add(index * 4)?, 4);
    Some([0, 1, 2, 3].map(|index| word(index).filter(|_| index < count)))
}

/// Those that a function of x64 stored above its return address.
fn home(code: &Code<'_>, memory: &dyn Memory, frame: &Frame, home: u64) -> Parameters {
    let found = || {
        let at = frame.ip.checked_sub(u64::from(!frame.exact))?;
        let module = code.module(at)?;
        let start = module.function_start(u32::try_from(at - module.base).ok()?)?;
        let mut bytes = [0; PROLOGUE];
        let there = (5..=PROLOGUE).rev().find(|&len| module.read(start, &mut bytes[..len]))?;
        let stored = stores(&bytes[..there]);
        let value = |index: usize| {
            let Store { end, size } = stored[index]?;
            // The instruction has run: the frame is behind it, or in a part of the function that lies elsewhere.
            let ran = !(start..start.checked_add(end as u64)?).contains(&frame.ip);
            link::read(memory, home.checked_add(index as u64 * 8)?, size as u64).filter(|_| ran)
        };
        Some(std::array::from_fn(value))
    };
    found().unwrap_or_default()
}

/// A parameter that a function stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Store {
    /// Offset behind the instruction.
    end: usize,
    /// Bytes that it stores.
    size: usize,
}

/// Which parameters the first instructions of a function store in their places: `mov [rsp+8], rcx` and its kin, also
/// over `mov rax, rsp`. The first instruction of another kind ends it, as after a push the places are others.
fn stores(code: &[u8]) -> [Option<Store>; 4] {
    let (mut found, mut rax_is_rsp) = ([None; 4], false);
    // Code that is cut off is no instruction.
    for instruction in Decoder::new(64, code, DecoderOptions::NONE) {
        if (instruction.mnemonic(), instruction.op0_register(), instruction.op1_register())
            == (Mnemonic::Mov, Register::RAX, Register::RSP)
        {
            rax_is_rsp = true;
            continue;
        }
        let Some((register, slot)) = stored(&instruction, rax_is_rsp) else { break };
        let own = REGISTERS.get(slot) == Some(&register.full_register());
        if let Some(place) = found.get_mut(slot) {
            let (end, size) = (instruction.next_ip() as usize, register.size());
            *place = own.then_some(Store { end, size });
        }
    }
    found
}

/// The register that an instruction stores above the return address, and in which word there: 0 is the first one.
fn stored(instruction: &Instruction, rax_is_rsp: bool) -> Option<(Register, usize)> {
    let kinds = (instruction.mnemonic(), instruction.op0_kind(), instruction.op1_kind());
    let base = instruction.memory_base();
    let at = instruction.memory_displacement64();
    let (register, index) = (instruction.op1_register(), instruction.memory_index());
    let plain = kinds == (Mnemonic::Mov, OpKind::Memory, OpKind::Register)
        && (base == Register::RSP || base == Register::RAX && rax_is_rsp)
        && (index, instruction.segment_prefix()) == (Register::None, Register::None)
        && (register.is_gpr64() || register.is_gpr32());
    (plain && at.is_multiple_of(8) && (8..=0x20).contains(&at)).then(|| (register, at as usize / 8 - 1))
}

#[cfg(test)]
mod tests {
    use super::{Store, stores};

    fn store(end: usize, size: usize) -> Option<Store> {
        Some(Store { end, size })
    }

    #[test]
    fn stores_of_parameters() {
        // mov [rsp+8], rcx; mov [rsp+10h], edx; mov [rsp+18h], r8; mov [rsp+20h], r9d; push rbx
        let all = [
            0x48, 0x89, 0x4c, 0x24, 0x08, 0x89, 0x54, 0x24, 0x10, 0x4c, 0x89, 0x44, 0x24, 0x18, 0x44, 0x89,
            0x4c, 0x24, 0x20, 0x53,
        ];
        assert_eq!(stores(&all), [store(5, 8), store(9, 4), store(14, 8), store(19, 4)]);
        // mov rax, rsp; mov [rax+8], rbx; mov [rax+10h], rdx
        let saved = [0x48, 0x8b, 0xc4, 0x48, 0x89, 0x58, 0x08, 0x48, 0x89, 0x50, 0x10, 0x55];
        assert_eq!(stores(&saved), [None, store(11, 8), None, None]);
        // mov [rsp+8], rcx; mov [rsp+8], rbx: what was stored is gone.
        let gone = [0x48, 0x89, 0x4c, 0x24, 0x08, 0x48, 0x89, 0x5c, 0x24, 0x08, 0xc3];
        assert_eq!(stores(&gone), [None; 4]);
        // push rbx; mov [rsp+10h], rcx: the second is another place than it seems.
        assert_eq!(stores(&[0x53, 0x48, 0x89, 0x4c, 0x24, 0x10]), [None; 4]);
        // mov [rax+8], rcx without knowing rax; mov [rcx+..], mov [rsp+28h].
        assert_eq!(stores(&[0x48, 0x89, 0x48, 0x08]), [None; 4]);
        assert_eq!(stores(&[0x48, 0x89, 0x4c, 0x24, 0x28]), [None; 4]);
        assert_eq!(stores(&[]), [None; 4]);
    }
}
