//! What a few bytes of code do that somebody put there: where do they lead?
//!
//! Sources: Intel SDM volume 2 (by `iced-x86`); Arm ARM C4.1 (`B`, `BL`, `BR`, `RET`, `BRK`, `NOP`, `LDR` literal).

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use memory::Architecture;

/// Bytes that are looked at.
pub const LONGEST: usize = 24;

/// What code does, and where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// As `code_changes.effect` has it.
    pub name: &'static str,
    /// Of a jump or call.
    pub target: Option<u64>,
}

/// What leads nowhere, or nobody knows where.
pub const OTHER: Effect = Effect { name: "other", target: None };

/// What the code at an address does first; `pointer` reads one from memory.
pub fn of(architecture: Architecture, bytes: &[u8], va: u64, pointer: &dyn Fn(u64) -> Option<u64>) -> Effect {
    match architecture {
        Architecture::X64 => intel(64, bytes, va, pointer),
        Architecture::X86 => intel(32, bytes, va, pointer),
        Architecture::Arm64 => arm64(bytes, va, pointer),
    }
}

/// The near branches among the instructions of some bytes.
pub fn branches(architecture: Architecture, bytes: &[u8], va: u64) -> Vec<u64> {
    let bits = match architecture {
        Architecture::X64 => 64,
        Architecture::X86 => 32,
        Architecture::Arm64 => return arm64_branch(word(bytes, 0), va).map(|to| to.1).into_iter().collect(),
    };
    let decoder = Decoder::with_ip(bits, bytes, va, DecoderOptions::NONE);
    decoder.into_iter().filter(is_near).map(|code| code.near_branch_target()).collect()
}

/// Bytes of the instruction at the front, and of what fills the space behind it up to the next one.
pub fn length_with_filler(architecture: Architecture, bytes: &[u8]) -> usize {
    let bits = match architecture {
        Architecture::X64 => 64,
        Architecture::X86 => 32,
        Architecture::Arm64 => return 4,
    };
    let mut length = 0;
    for code in &mut Decoder::new(bits, bytes, DecoderOptions::NONE) {
        let filler = matches!(code.mnemonic(), Mnemonic::Nop | Mnemonic::Int3);
        if code.is_invalid() || length > 0 && !filler {
            break;
        }
        length += code.len();
    }
    length
}

fn is_near(code: &Instruction) -> bool {
    matches!(code.flow_control(), FlowControl::UnconditionalBranch | FlowControl::Call)
        && matches!(code.op0_kind(), OpKind::NearBranch64 | OpKind::NearBranch32 | OpKind::NearBranch16)
}

fn intel(bits: u32, bytes: &[u8], va: u64, pointer: &dyn Fn(u64) -> Option<u64>) -> Effect {
    let mut decoder = Decoder::with_ip(bits, bytes, va, DecoderOptions::NONE);
    let first = decoder.decode();
    let (second, third) = (decoder.decode(), decoder.decode());
    let led = |name, code: &Instruction| Effect { name, target: memory_target(code, pointer) };
    match first.flow_control() {
        _ if first.is_invalid() => OTHER,
        FlowControl::UnconditionalBranch if is_near(&first) => {
            Effect { name: "jump", target: Some(first.near_branch_target()) }
        }
        FlowControl::Call if is_near(&first) => {
            Effect { name: "call", target: Some(first.near_branch_target()) }
        }
        FlowControl::IndirectBranch => led("jump", &first),
        FlowControl::IndirectCall => led("call", &first),
        FlowControl::Return => Effect { name: "return", target: None },
        _ if first.code() == Code::Int3 => Effect { name: "breakpoint", target: None },
        FlowControl::Next => several(bits, &first, &second, &third),
        _ => OTHER,
    }
}

/// Jumps and returns that take several instructions.
fn several(bits: u32, first: &Instruction, second: &Instruction, third: &Instruction) -> Effect {
    let jump = |target| Effect { name: "jump", target: Some(target) };
    let is_return = |code: &Instruction| code.flow_control() == FlowControl::Return && !code.is_invalid();
    let constant = |code: &Instruction, operand| code.try_immediate(operand).ok();
    match first.mnemonic() {
        Mnemonic::Nop => Effect { name: "nothing", target: None },
        Mnemonic::Mov if first.op0_kind() == OpKind::Register => {
            let register = first.op0_register();
            let Some(value) = constant(first, 1) else { return OTHER };
            let through =
                second.flow_control() == FlowControl::IndirectBranch && second.op0_register() == register;
            let pushed = second.mnemonic() == Mnemonic::Push && second.op0_register() == register;
            if through || pushed && is_return(third) {
                jump(value)
            } else if is_return(second) && register.full_register() == Register::RAX {
                Effect { name: "return", target: None }
            } else {
                OTHER
            }
        }
        Mnemonic::Xor if is_return(second) && first.op0_register() == first.op1_register() => {
            Effect { name: "return", target: None }
        }
        Mnemonic::Push => {
            let Some(low) = constant(first, 0) else { return OTHER };
            // push low; mov dword [rsp+4], high; ret
            let high = (second.mnemonic() == Mnemonic::Mov
                && second.memory_base() == Register::RSP
                && second.memory_displacement64() == 4)
                .then(|| constant(second, 1))
                .flatten();
            match (is_return(second), high.filter(|_| is_return(third))) {
                (true, _) if bits == 32 => jump(low & 0xffff_ffff),
                (true, _) => jump(low),
                (_, Some(high)) => jump(low & 0xffff_ffff | high << 32),
                _ => OTHER,
            }
        }
        _ => OTHER,
    }
}

/// Where a jump or call through memory leads, if the place of its pointer needs no register.
fn memory_target(code: &Instruction, pointer: &dyn Fn(u64) -> Option<u64>) -> Option<u64> {
    let fixed = matches!(code.memory_base(), Register::RIP | Register::None)
        && code.memory_index() == Register::None
        && matches!(code.segment_prefix(), Register::None);
    (code.op0_kind() == OpKind::Memory && fixed).then(|| pointer(code.memory_displacement64())).flatten()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_le_bytes(*word))
}

/// `B` and `BL`.
fn arm64_branch(word: u32, va: u64) -> Option<(&'static str, u64)> {
    let name = match word >> 26 {
        0b00_0101 => "jump",
        0b10_0101 => "call",
        _ => return None,
    };
    let offset = (((word << 6) as i32) >> 4) as i64;
    Some((name, va.wrapping_add_signed(offset)))
}

fn arm64(bytes: &[u8], va: u64, pointer: &dyn Fn(u64) -> Option<u64>) -> Effect {
    let (first, second) = (word(bytes, 0), word(bytes, 4));
    if let Some((name, target)) = arm64_branch(first, va) {
        return Effect { name, target: Some(target) };
    }
    let none = |name| Effect { name, target: None };
    match first {
        0xd503_201f => none("nothing"),
        0xd65f_03c0 => none("return"),
        _ if first & 0xffe0_001f == 0xd420_0000 => none("breakpoint"),
        // ldr xN, literal; br xN
        _ if first & 0xff00_0000 == 0x5800_0000 && second == 0xd61f_0000 | (first & 0x1f) << 5 => {
            let offset = (((first << 8) as i32) >> 13) as i64 * 4;
            Effect { name: "jump", target: pointer(va.wrapping_add_signed(offset)) }
        }
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(architecture: Architecture, bytes: &[u8]) -> (&'static str, Option<u64>) {
        let effect = of(architecture, bytes, 0x1000, &|at| Some(at + 1));
        (effect.name, effect.target)
    }

    #[test]
    fn ways_to_lead_elsewhere() {
        let x64 = |bytes: &[u8]| told(Architecture::X64, bytes);
        assert_eq!(x64(&[0xe9, 0xfb, 0x0f, 0, 0]), ("jump", Some(0x2000)));
        assert_eq!(x64(&[0xe8, 0xfb, 0x0f, 0, 0]), ("call", Some(0x2000)));
        assert_eq!(x64(&[0xff, 0x25, 0, 0, 0, 0]), ("jump", Some(0x1007)));
        assert_eq!(x64(&[0x48, 0xb8, 1, 2, 0, 0, 0, 0, 0, 0, 0xff, 0xe0]), ("jump", Some(0x201)));
        assert_eq!(x64(&[0x49, 0xba, 1, 2, 0, 0, 0, 0, 0, 0, 0x41, 0xff, 0xe2]), ("jump", Some(0x201)));
        let pushed = [0x68, 1, 2, 0, 0, 0xc7, 0x44, 0x24, 4, 0, 0xf8, 0xff, 0xff, 0xc3];
        assert_eq!(x64(&pushed), ("jump", Some(0xffff_f800_0000_0201)));
        assert_eq!(x64(&[0xff, 0xe0]), ("jump", None));
        assert_eq!(x64(&[0x33, 0xc0, 0xc3]), ("return", None));
        assert_eq!(x64(&[0xb8, 1, 0, 0, 0, 0xc3]), ("return", None));
        assert_eq!(x64(&[0xcc]), ("breakpoint", None));
        assert_eq!(x64(&[0x90, 0x90]), ("nothing", None));
        // Loads of a constant that lead nowhere, and what is no instruction.
        assert_eq!(x64(&[0x48, 0xb8, 1, 2, 0, 0, 0, 0, 0, 0, 0x50, 0x50]), ("other", None));
        assert_eq!(x64(&[0x06]), ("other", None));
        let x86 = |bytes: &[u8]| told(Architecture::X86, bytes);
        assert_eq!(x86(&[0x68, 0, 0, 0, 0x80, 0xc3]), ("jump", Some(0x8000_0000)));
        assert_eq!(x86(&[0xff, 0x25, 0, 0x20, 0, 0]), ("jump", Some(0x2001)));
        let arm = |words: &[u32]| {
            told(Architecture::Arm64, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
        };
        assert_eq!(arm(&[0x1400_0400]), ("jump", Some(0x2000)));
        assert_eq!(arm(&[0x97ff_ffff]), ("call", Some(0xffc)));
        assert_eq!(arm(&[0x5800_0050, 0xd61f_0200]), ("jump", Some(0x1009)));
        assert_eq!(arm(&[0xd65f_03c0]), ("return", None));
        assert_eq!(arm(&[0xaa00_03e0]), ("other", None));
    }

    #[test]
    fn a_site_with_its_filler() {
        let x64 = |bytes: &[u8]| length_with_filler(Architecture::X64, bytes);
        assert_eq!(x64(&[0xff, 0x15, 0, 0, 0, 0, 0x0f, 0x1f, 0x44, 0, 0, 0x48, 0x8b, 0xc1]), 11);
        assert_eq!(x64(&[0x48, 0xff, 0xe0, 0xcc, 0xcc, 0xcc, 0x48, 0x8b, 0xc1]), 6);
        assert_eq!(x64(&[]), 0);
    }
}
