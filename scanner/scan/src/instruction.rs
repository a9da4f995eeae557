//! One instruction: what it says, and which memory its operand names.
//!
//! x86 and x64 by `iced-x86`. Of ARM64 nothing is decoded: no column is filled from a guess.

use crate::stack::Registers;
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter, OpKind, Register};
use memory::Architecture;

/// Bytes of the longest instruction of x86 and x64.
pub const LONGEST: usize = 15;

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its text in Intel's syntax; addresses are absolute.
    pub text: String,
    /// The operand in memory that it names itself. `push`, `call` and `ret` use the stack too; that is not meant.
    pub operand: Option<Operand>,
}

/// An operand in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    /// Its address; NULL where a register that it depends on is not known, or a segment has a base.
    pub address: Option<u64>,
    /// Bytes.
    pub size: u32,
    /// The base register, as the text names it.
    pub base: Option<String>,
    /// What it held.
    pub base_value: Option<u64>,
}

/// Decodes the instruction at the start of `bytes`, whose address is `ip`; `registers` are those before it runs. `None`
/// for bytes that are no instruction, are cut off, or are another architecture's.
pub fn decode(
    architecture: Architecture,
    bytes: &[u8],
    ip: u64,
    registers: Option<&Registers>,
) -> Option<Instruction> {
    let bits = match architecture {
        Architecture::X64 => 64,
        Architecture::X86 => 32,
        Architecture::Arm64 => return None,
    };
    let mut decoder = Decoder::with_ip(bits, bytes, ip, DecoderOptions::NONE);
    let decoded = decoder.decode();
    if decoded.is_invalid() {
        return None;
    }
    Some(Instruction { text: text(&decoded), operand: operand(&decoded, registers) })
}

/// An instruction in Intel's syntax; addresses are absolute.
pub fn text(decoded: &iced_x86::Instruction) -> String {
    let mut text = String::new();
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_space_after_operand_separator(true);
    formatter.options_mut().set_rip_relative_addresses(false);
    formatter.options_mut().set_branch_leading_zeros(false);
    formatter.format(decoded, &mut text);
    text
}

/// The first operand in memory. Of `movs` and `cmps`, which name two, none: which of them failed is not known.
fn operand(decoded: &iced_x86::Instruction, registers: Option<&Registers>) -> Option<Operand> {
    let mut kinds = decoded.op_kinds().filter(|kind| is_memory(*kind));
    let kind = kinds.next()?;
    // `lea` and `nop` compute an address and use no memory.
    let uses = decoded.memory_size().size() > 0;
    if kinds.next().is_some() || !uses {
        return None;
    }
    let base = base(decoded, kind);
    let address = address(decoded, kind, registers).filter(|_| is_whole(decoded));
    let value = base.and_then(|base| general(base, registers?));
    let (size, base) =
        (decoded.memory_size().size() as u32, base.map(|base| format!("{base:?}").to_lowercase()));
    Some(Operand { address, size, base, base_value: value })
}

/// Whether the operand as written is what the processor uses: `bt` adds the number of the bit, and `pop` computes an
/// address on the stack after it has taken the value.
fn is_whole(decoded: &iced_x86::Instruction) -> bool {
    use iced_x86::Mnemonic::{Bt, Btc, Btr, Bts, Pop};
    match decoded.mnemonic() {
        Bt | Btc | Btr | Bts => decoded.op1_kind() != OpKind::Register,
        Pop => !matches!(decoded.memory_base(), Register::RSP | Register::ESP),
        _ => true,
    }
}

fn is_memory(kind: OpKind) -> bool {
    use OpKind::*;
    matches!(
        kind,
        Memory
            | MemorySegSI
            | MemorySegESI
            | MemorySegRSI
            | MemorySegDI
            | MemorySegEDI
            | MemorySegRDI
            | MemoryESDI
            | MemoryESEDI
            | MemoryESRDI
    )
}

/// The base register of an operand in memory; `None` for an address relative to the instruction, or absolute.
fn base(decoded: &iced_x86::Instruction, kind: OpKind) -> Option<Register> {
    match kind {
        OpKind::Memory => {
            let base = decoded.memory_base();
            (!matches!(base, Register::None | Register::RIP | Register::EIP)).then_some(base)
        }
        OpKind::MemorySegESI => Some(Register::ESI),
        OpKind::MemorySegRSI => Some(Register::RSI),
        OpKind::MemorySegEDI | OpKind::MemoryESEDI => Some(Register::EDI),
        OpKind::MemorySegRDI | OpKind::MemoryESRDI => Some(Register::RDI),
        _ => None, // 16-bit addresses: nobody uses them
    }
}

/// The address that the processor computes.
fn address(decoded: &iced_x86::Instruction, kind: OpKind, registers: Option<&Registers>) -> Option<u64> {
    // The bases of FS and GS are in no register set; those of the others are 0 in flat memory.
    if matches!(decoded.memory_segment(), Register::FS | Register::GS) {
        return None;
    }
    let value = |register: Register| match register {
        Register::None | Register::RIP | Register::EIP => Some(0),
        register => general(register, registers?),
    };
    if kind != OpKind::Memory {
        return value(base(decoded, kind)?);
    }
    let index = value(decoded.memory_index())?.wrapping_mul(decoded.memory_index_scale().into());
    let sum = value(decoded.memory_base())?.wrapping_add(index).wrapping_add(decoded.memory_displacement64());
    let narrow = decoded.memory_base().size() == 4 || decoded.memory_index().size() == 4;
    Some(if narrow || decoded.code_size() == iced_x86::CodeSize::Code32 { sum & 0xffff_ffff } else { sum })
}

/// The value of a general register, if it is known.
fn general(register: Register, registers: &Registers) -> Option<u64> {
    if !register.is_gpr() {
        return None; // vector registers as an index
    }
    let number = register.full_register().number();
    let value = match registers {
        Registers::X64(known) => known.get(number)?,
        Registers::X86(known) => known.get(number as u8)?.into(),
        Registers::Arm64(_) => return None,
    };
    match register.size() {
        8 => Some(value),
        4 => Some(value & 0xffff_ffff),
        1 => Some(value & 0xff), // the index of `xlatb`
        _ => None,               // 16-bit addresses: nobody uses them
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// rax = 0, rbx = 0x1000, rcx = 2; nothing else is known but rsp.
    fn registers() -> Registers {
        let mut registers = unwind::x64::Registers::new(0x40_0000, 0x8000);
        [(0, 0), (3, 0x1000), (1, 2)].into_iter().for_each(|(index, value)| registers.set(index, value));
        Registers::X64(registers)
    }

    /// The text and the address of the instruction's operand. The bytes are those that GNU `as` and `objdump -d -M intel`
    /// agree on.
    fn of(bytes: &[u8]) -> (String, Option<Option<u64>>) {
        let found = decode(Architecture::X64, bytes, 0x40_0000, Some(&registers())).unwrap();
        (found.text, found.operand.map(|operand| operand.address))
    }

    #[test]
    fn operands_in_memory_have_the_address_that_the_processor_computes() {
        assert_eq!(of(&[0x48, 0x8b, 0x48, 0x18]), ("mov rcx, [rax+18h]".into(), Some(Some(0x18))));
        assert_eq!(of(&[0x89, 0x54, 0x8b, 0xf8]), ("mov [rbx+rcx*4-8], edx".into(), Some(Some(0x1000))));
        assert_eq!(of(&[0x8b, 0x05, 0x10, 0, 0, 0]), ("mov eax, [400016h]".into(), Some(Some(0x40_0016))));
        assert_eq!(of(&[0xf3, 0x48, 0xab]).1, Some(None), "rdi is not known");
        assert_eq!(of(&[0x65, 0x48, 0x8b, 0x04, 0x25, 0x88, 1, 0, 0]).1, Some(None), "gs has a base");
        assert_eq!(of(&[0x67, 0x8b, 0x43, 0xff]).1, Some(Some(0xfff)), "a 32-bit address");
    }

    #[test]
    fn what_uses_no_memory_of_its_own_has_no_operand() {
        for (bytes, text) in [
            (&[0x48, 0x8d, 0x48, 0x18][..], "lea rcx, [rax+18h]"),
            (&[0xc3], "ret"),
            (&[0x50], "push rax"),
            (&[0x0f, 0x0b], "ud2"),
            (&[0xcc], "int3"),
        ] {
            assert_eq!(of(bytes), (text.into(), None));
        }
        // The processor adds the number of the bit; `xlatb` adds al, and rax is known.
        assert_eq!(of(&[0x48, 0x0f, 0xa3, 0x0b]), ("bt [rbx], rcx".into(), Some(None)));
        assert_eq!(of(&[0xd7]).1, Some(Some(0x1000)));
        // Two operands: nobody says which.
        assert_eq!(of(&[0xf3, 0x48, 0xa5]).1, None);
    }

    #[test]
    fn the_base_register_is_named_with_its_value() {
        let found = decode(Architecture::X64, &[0x48, 0x8b, 0x48, 0x18], 0, Some(&registers())).unwrap();
        let operand = found.operand.unwrap();
        assert_eq!((operand.base.as_deref(), operand.base_value, operand.size), (Some("rax"), Some(0), 8));
        let unknown = decode(Architecture::X64, &[0x48, 0x8b, 0x48, 0x18], 0, None).unwrap().operand.unwrap();
        assert_eq!((unknown.base.as_deref(), unknown.base_value, unknown.address), (Some("rax"), None, None));
    }

    #[test]
    fn x86_addresses_have_32_bits() {
        let mut registers = unwind::x86::Registers::new(0x40_0000, 0x8000, 0);
        registers.set(0, Some(0xffff_fff0));
        let registers = Registers::X86(registers);
        let found = decode(Architecture::X86, &[0x8b, 0x40, 0x20], 0x40_0000, Some(&registers)).unwrap();
        assert_eq!((found.text.as_str(), found.operand.unwrap().address), ("mov eax, [eax+20h]", Some(0x10)));
    }

    #[test]
    fn bytes_that_are_no_instruction_give_nothing() {
        assert_eq!(decode(Architecture::X64, &[0x06], 0, None), None);
        assert_eq!(decode(Architecture::X64, &[0x48, 0x8b], 0, None), None, "cut off");
        assert_eq!(decode(Architecture::X64, &[], 0, None), None);
        assert_eq!(decode(Architecture::Arm64, &[0, 0, 0x40, 0xf9], 0, None), None);
    }
}
