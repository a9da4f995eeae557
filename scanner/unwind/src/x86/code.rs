//! What the instructions themselves say, where the frame is not complete: in a prologue, and from a place that leads
//! straight to a return.
//!
//! Only instructions that compilers put there are known; the first other one ends the attempt, so nothing is guessed.
//! Encodings: Intel SDM volume 2.

use super::{EBP, EBX, EDI, ESI, ESP, FrameData, Place, Registers, word};
use crate::{Image, Memory};

/// Most instructions that are looked at.
const MOST: usize = 48;

/// What an instruction does, as far as frames are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Nothing,
    /// Pushes a register, or something else.
    Push(Option<u8>),
    Pop(u8),
    /// `mov ebp, esp`
    Frame,
    /// `and esp, n`
    Align,
    /// `lea esp, [ebp + n]`, `mov esp, ebp`
    Unframe(u32),
    /// `add esp, n`
    Move(u32),
    /// `mov [esp + n], register`
    Store(u8, u32),
    /// `mov register, [esp + n]`
    Load(u8, u32),
    Leave,
    /// Writes a register.
    Write(u8),
    Ret,
    /// A jump or call by this many bytes from the next instruction.
    Jump(u32),
    Call(u32),
    /// `jmp [n]`: to an import.
    Import,
}

/// The caller's registers, if the code tells.
pub(super) fn caller(place: &Place, memory: &dyn Memory, now: &Registers) -> Option<Registers> {
    let image = place.image?;
    let rva = image.rva(now.eip.into())?;
    let prologue = place.frame.filter(|f| f.start && rva.wrapping_sub(f.rva) < f.prologue.max(1));
    if let Some(frame) = prologue
        && let Some(pushes) = Pushes::until(image, frame.rva, rva)
    {
        let caller = pushes.caller(memory, now);
        // Records of hand-written code may begin behind the first pushes.
        if let Some(caller) = caller.filter(|caller| (place.returns)(caller.eip)) {
            return Some(caller);
        }
    }
    straight(place, image, rva, memory, now)
        .or_else(|| unframed(image, rva, memory, now).filter(|caller| (place.returns)(caller.eip)))
}

/// The caller's registers before a function has made its frame pointer: the usual first instructions say how far it is.
fn unframed(image: &Image, rva: u32, memory: &dyn Memory, now: &Registers) -> Option<Registers> {
    const PUSH: u8 = 0x55;
    const MOVE: [[u8; 2]; 2] = [[0x8b, 0xec], [0x89, 0xe5]];
    const PATCHABLE: [u8; 2] = [0x8b, 0xff];
    let pair = |rva: u32| image.u16(rva).map(u16::to_le_bytes).unwrap_or_default();
    let moves = |rva: u32| MOVE.contains(&pair(rva));
    let start = if pair(rva) == PATCHABLE { rva.checked_add(2)? } else { rva };
    let pushes = |rva: u32| image.u8(rva) == Ok(PUSH) && rva.checked_add(1).is_some_and(moves);
    let pushed = moves(rva) && rva.checked_sub(1).is_some_and(pushes);
    if !pushed && !pushes(start) {
        return None;
    }
    let depth = if pushed { 4 } else { 0 };
    let mut caller = Registers { eip: word(memory, now.esp().checked_add(depth)?).ok()?, pushed: 0, ..*now };
    if pushed {
        caller.set(EBP, word(memory, now.esp()).ok());
    }
    caller.set(ESP, Some(now.esp().checked_add(depth + 4)?));
    Some(caller)
}

/// The caller's registers after a call in an epilogue (the check of the cookie comes after some registers were popped).
pub(super) fn epilogue(place: &Place, memory: &dyn Memory, now: &Registers) -> Option<Registers> {
    let image = place.image.filter(|_| now.pushed == 0)?;
    let caller = straight(place, image, image.rva(now.eip.into())?, memory, now)?;
    Some(caller).filter(|caller| (place.returns)(caller.eip))
}

/// Where the register ebp of the caller is, in a function that uses it for something else: pushed by the prologue.
pub(super) fn saved_ebp(
    place: &Place,
    frame: &FrameData,
    memory: &dyn Memory,
    caller: &Registers,
) -> Option<u32> {
    let pushes = Pushes::until(place.image?, frame.rva, frame.rva.checked_add(frame.prologue)?)?;
    let depth = pushes.saved[usize::from(EBP)]?;
    word(memory, caller.esp().checked_sub(4)?.checked_sub(depth)?).ok()
}

/// What the instructions of a prologue pushed, as depths below the return address.
#[derive(Default)]
struct Pushes {
    depth: u32,
    saved: [Option<u32>; 8],
    /// Depth that ebp points at.
    frame: Option<u32>,
    /// Depth from which on the stack pointer was rounded down: above that, depths are counted from ebp, below from esp.
    aligned: Option<u32>,
}

impl Pushes {
    /// From the first instruction of a function to the one at `end`; `None` if there is one that is not understood.
    fn until(image: &Image, start: u32, end: u32) -> Option<Pushes> {
        let (mut pushes, mut at) = (Pushes::default(), start);
        for _ in 0..MOST {
            if at >= end {
                break;
            }
            let (len, does) = instruction(image, at)?;
            pushes.add(does)?;
            at = at.checked_add(len)?;
        }
        (at == end).then_some(pushes)
    }

    fn add(&mut self, does: Does) -> Option<()> {
        match does {
            Does::Push(register) => {
                self.depth = self.depth.checked_add(4)?;
                if let Some(register) = register {
                    self.saved[usize::from(register)].get_or_insert(self.depth);
                }
            }
            Does::Move(bytes) => {
                let depth = i64::from(self.depth) - i64::from(bytes.cast_signed());
                self.depth = u32::try_from(depth).ok()?;
            }
            Does::Store(register, offset) => {
                // Where the stack pointer was rounded down nobody knows how far the return address is.
                let inside = self.aligned.is_none().then(|| self.depth.checked_sub(offset)).flatten();
                let depth = inside.filter(|depth| *depth >= 4);
                if let Some(depth) = depth {
                    self.saved[usize::from(register)].get_or_insert(depth);
                }
            }
            Does::Load(0..=2, _) => {}
            Does::Load(register, _) if self.saved[usize::from(register)].is_some() => {}
            Does::Frame if self.saved[usize::from(EBP)].is_some() => self.frame = Some(self.depth),
            Does::Align if self.frame.is_some() && self.aligned.is_none() => self.aligned = Some(self.depth),
            Does::Write(0..=2) | Does::Nothing => {}
            Does::Write(EBP) if self.frame.is_some() => return None,
            Does::Write(register) if self.saved[usize::from(register)].is_some() => {}
            _ => return None,
        }
        Some(())
    }

    fn caller(&self, memory: &dyn Memory, now: &Registers) -> Option<Registers> {
        let top = now.esp().checked_add(self.depth)?;
        let returns = match (self.frame, self.aligned) {
            (Some(depth), Some(_)) => now.get(EBP)?.checked_add(depth)?,
            _ => top,
        };
        let mut caller = Registers { eip: word(memory, returns).ok()?, pushed: 0, ..*now };
        for register in [EBX, EBP, ESI, EDI] {
            if let Some(depth) = self.saved[usize::from(register)] {
                let from = if self.aligned.is_some_and(|aligned| depth > aligned) { top } else { returns };
                caller.set(register, word(memory, from.checked_sub(depth)?).ok());
            }
        }
        caller.set(ESP, Some(returns.checked_add(4)?));
        Some(caller)
    }
}

/// Executes the code from here to its return, if it leads there without a condition.
fn straight(
    place: &Place,
    image: &Image,
    rva: u32,
    memory: &dyn Memory,
    now: &Registers,
) -> Option<Registers> {
    let (mut at, mut r) = (rva, Registers { pushed: 0, ..*now });
    for _ in 0..MOST {
        let (len, does) = instruction(image, at)?;
        at = at.checked_add(len)?;
        match does {
            Does::Pop(register) => {
                let value = word(memory, r.esp()).ok();
                r.set(ESP, Some(r.esp().checked_add(4)?));
                r.set(register, value);
            }
            Does::Move(bytes) if bytes.cast_signed() >= 0 => r.set(ESP, Some(r.esp().checked_add(bytes)?)),
            Does::Unframe(offset) => r.set(ESP, Some(r.get(EBP)?.wrapping_add(offset))),
            Does::Load(register, offset) => {
                let value = word(memory, r.esp().checked_add(offset)?).ok();
                r.set(register, value);
            }
            Does::Leave => {
                let ebp = r.get(EBP)?;
                r.set(EBP, word(memory, ebp).ok());
                r.set(ESP, Some(ebp.checked_add(4)?));
            }
            Does::Write(register) => r.set(register, None),
            Does::Nothing | Does::Store(..) => {}
            Does::Call(offset) if checks_cookie(image, at.wrapping_add(offset)) => {}
            Does::Jump(offset) if !leaves(place, at.wrapping_add(offset)) => at = at.wrapping_add(offset),
            Does::Ret | Does::Import | Does::Jump(_) => {
                r.eip = word(memory, r.esp()).ok()?;
                r.set(ESP, Some(r.esp().checked_add(4)?));
                // A jump out of the function can also lead to a cold part of it.
                return Some(r).filter(|r| does == Does::Ret || (place.returns)(r.eip));
            }
            _ => return None,
        }
    }
    None
}

/// `__security_check_cookie` starts with `cmp ecx, [__security_cookie]` (after a jump, if linked incrementally); it
/// changes nothing that a frame is made of.
fn checks_cookie(image: &Image, rva: u32) -> bool {
    let mut code = [0; 5];
    let target = match image.read(rva, &mut code) {
        Ok(()) if code[0] == 0xe9 => rva.wrapping_add(5).wrapping_add(le(&code[1..])),
        _ => rva,
    };
    image.u16(target) == Ok(0x0d3b)
}

/// Whether a jump leaves the function: then it is a call that replaces the return.
fn leaves(place: &Place, to: u32) -> bool {
    place.frame.is_some_and(|f| !(f.function..f.function_end).contains(&to))
}

fn le(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// Length and effect of the instruction at an RVA, if it is one of those that are known.
fn instruction(image: &Image, rva: u32) -> Option<(u32, Does)> {
    let mut code = [0; 12];
    let mut whole = code.len() as u32;
    if image.read(rva, &mut code).is_err() {
        whole = (0x1000 - rva % 0x1000).min(whole); // what follows this page is not there
        code = [0; 12];
        image.read(rva, &mut code[..whole as usize]).ok()?;
    }
    decode(&code).filter(|(len, _)| *len <= whole)
}

fn decode(code: &[u8; 12]) -> Option<(u32, Does)> {
    let [first, second, ..] = *code;
    let signed = |byte: u8| i32::from(byte.cast_signed()).cast_unsigned();
    let register = |number: u8| if number == ESP { None } else { Some(number) };
    Some(match (first, second) {
        (0x50..=0x57, _) => (1, Does::Push(register(first & 7))),
        (0x58..=0x5f, _) => (1, Does::Pop(register(first & 7)?)),
        (0x8b, 0xec) | (0x89, 0xe5) => (2, Does::Frame),
        (0x8b, 0xe5) | (0x89, 0xec) => (2, Does::Unframe(0)),
        (0x8d, 0x65) => (3, Does::Unframe(signed(code[2]))),
        (0x8d, 0xa5) => (6, Does::Unframe(le(&code[2..]))),
        (0x89, 0x04..=0x3c) if second & 7 == 4 && code[2] == 0x24 => {
            (3, Does::Store(register(second >> 3)?, 0))
        }
        (0x89, 0x44..=0x7c) if second & 7 == 4 && code[2] == 0x24 => {
            (4, Does::Store(register(second >> 3 & 7)?, signed(code[3])))
        }
        (0x8b, 0x04..=0x3c) if second & 7 == 4 && code[2] == 0x24 => {
            (3, Does::Load(register(second >> 3)?, 0))
        }
        (0x8b, 0x44..=0x7c) if second & 7 == 4 && code[2] == 0x24 => {
            (4, Does::Load(register(second >> 3 & 7)?, signed(code[3])))
        }
        (0x83, 0xc4) => (3, Does::Move(signed(code[2]))),
        (0x83, 0xec) => (3, Does::Move(signed(code[2]).wrapping_neg())),
        (0x83, 0xe4) => (3, Does::Align),
        (0x81, 0xc4) => (6, Does::Move(le(&code[2..]))),
        (0x81, 0xec) => (6, Does::Move(le(&code[2..]).wrapping_neg())),
        (0x6a, _) => (2, Does::Push(None)),
        (0x68, _) => (5, Does::Push(None)),
        (0xc9, _) => (1, Does::Leave),
        (0xc3, _) => (1, Does::Ret),
        (0xc2, _) => (3, Does::Ret),
        (0xf3, 0xc3) => (2, Does::Ret),
        (0xe8, _) => (5, Does::Call(le(&code[1..]))),
        (0xe9, _) => (5, Does::Jump(le(&code[1..]))),
        (0xeb, _) => (2, Does::Jump(signed(second))),
        (0xff, 0x25) => (6, Does::Import),
        (0x90, _) => (1, Does::Nothing),
        (0x0f, 0xae) if code[2] == 0xe8 => (3, Does::Nothing), // lfence
        (0x0f, _) => extended(&code[1..])?,
        (0x05 | 0x0d | 0x25 | 0x2d | 0x35, _) => (5, Does::Write(0)),
        (0x04 | 0x0c | 0x24 | 0x2c | 0x34, _) => (2, Does::Write(0)),
        (0x3d | 0xa9, _) => (5, Does::Nothing),
        (0x3c | 0xa8, _) => (2, Does::Nothing),
        (0x40..=0x4f, _) => (1, Does::Write(register(first & 7)?)),
        (0x99, _) => (1, Does::Write(2)),
        (0x64, 0xa1) => (6, Does::Write(0)),
        (0x64, 0xa3) => (6, Does::Nothing),
        (0x64, _) => prefixed(&code[1..])?,
        (0xa0 | 0xa1, _) => (5, Does::Write(0)),
        (0xa2 | 0xa3, _) => (5, Does::Nothing),
        (0xb0..=0xb7, _) => (2, Does::Write(first & 3)),
        (0xb8..=0xbf, _) => (5, Does::Write(register(first & 7)?)),
        _ => with_operands(code)?,
    })
}

/// Behind the prefix for fs.
fn prefixed(code: &[u8]) -> Option<(u32, Does)> {
    let (len, does) = with_operands(code)?;
    Some((len + 1, does))
}

/// Behind the byte of two-byte opcodes: conditional moves, extensions of bytes and words, flags as bytes.
fn extended(code: &[u8]) -> Option<(u32, Does)> {
    let [opcode, modrm, ..] = *code else { return None };
    let len = 2 + operand_len(code.get(1..)?);
    let does = match opcode {
        0x40..=0x4f | 0xb6 | 0xb7 | 0xbe | 0xbf | 0xaf => Does::Write(modrm >> 3 & 7),
        0x90..=0x9f if modrm < 0xc0 => Does::Nothing,
        0x90..=0x9f => Does::Write(modrm & 3),
        _ => return None,
    };
    Some((len, does)).filter(|(_, does)| *does != Does::Write(ESP))
}

/// Instructions with a ModRM byte.
fn with_operands(code: &[u8]) -> Option<(u32, Does)> {
    let [opcode, modrm, ..] = *code else { return None };
    let (len, register, memory) = (1 + operand_len(code.get(1..)?), modrm >> 3 & 7, modrm < 0xc0);
    let wrote = |register: u8| if register == ESP { None } else { Some(Does::Write(register)) };
    let target = |register: u8| if memory { Some(Does::Nothing) } else { wrote(register) };
    Some(match opcode {
        0x8b if !memory && register == modrm & 7 => (len, Does::Nothing), // mov edi, edi
        0x8b | 0x33 | 0x03 | 0x2b | 0x0b | 0x23 => (len, wrote(register)?),
        0x8d if memory => (len, wrote(register)?),
        0x8a | 0x32 => (len, wrote(register & 3)?),
        0x89 | 0x31 | 0x01 | 0x29 | 0x09 | 0x21 => (len, target(modrm & 7)?),
        0x88 => (len, target(modrm & 3)?),
        0x85 | 0x84 | 0x3b | 0x39 | 0x38 | 0x3a => (len, Does::Nothing),
        0xc7 if register == 0 => (len + 4, target(modrm & 7)?),
        0xc6 if register == 0 => (len + 1, target(modrm & 3)?),
        0x83 if register == 7 => (len + 1, Does::Nothing),
        0x83 => (len + 1, target(modrm & 7)?),
        0x81 if register == 7 => (len + 4, Does::Nothing),
        0x81 => (len + 4, target(modrm & 7)?),
        0x6b => (len + 1, wrote(register)?),
        0x69 => (len + 4, wrote(register)?),
        0xc1 => (len + 1, target(modrm & 7)?),
        0xd1 | 0xd3 => (len, target(modrm & 7)?),
        0xf7 if register == 0 => (len + 4, Does::Nothing),
        0xf7 if register < 4 => (len, target(modrm & 7)?),
        0x13 | 0x1b => (len, wrote(register)?),
        0x0a | 0x22 | 0x2a | 0x02 => (len, wrote(register & 3)?),
        0xf6 if register == 0 => (len + 1, Does::Nothing),
        0xff if register == 6 && memory => (len, Does::Push(None)),
        0xff if register < 2 => (len, target(modrm & 7)?),
        _ => return None,
    })
}

/// Bytes of a ModRM byte with what belongs to it.
fn operand_len(code: &[u8]) -> u32 {
    let [modrm, sib] = [code[0], code.get(1).copied().unwrap_or(0)];
    let has_sib = modrm & 7 == 4 && modrm < 0xc0;
    let displacement = match modrm >> 6 {
        0 if modrm & 7 == 5 || has_sib && sib & 7 == 5 => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    1 + u32::from(has_sib) + displacement
}
