//! Pool tags in images: as operands of instructions, and as data.
//!
//! A tag is four bytes of text, and text is rare in code. So the first question to each place is whether four bytes
//! can be text at all, which is a few operations on a number; only then is it looked up, and only then is the
//! instruction in front of it looked at.
//!
//! Sources: Intel SDM volume 2 (`MOV`, `PUSH`, `CMP` with a 32-bit immediate, ModRM and SIB); Arm ARM C6.2 (`MOVZ`,
//! `MOVK`).

use memory::Architecture;
use std::{collections::HashSet, ops::Range};

/// Bit 31 of a tag: its allocations are protected.
const PROTECTED: u32 = 1 << 31;
/// Bytes of the longest instruction in front of its immediate that [`takes_immediate`] knows.
const BEFORE: usize = 7;
/// Instructions of ARM64 within which the upper half of a constant follows the lower one.
const NEAR: usize = 4;
/// Of eight bytes so many are the first of four.
const PLACES: usize = 5;
/// Bytes behind a place that decide whether a tag is there.
pub const BEHIND: usize = 4 * (NEAR + 1);
/// Bytes in front of one, in whole instructions of ARM64.
pub const IN_FRONT: usize = 8;

/// The tags to look for, without their protected bit.
#[derive(Debug)]
pub struct Tags {
    known: HashSet<u32>,
    /// A bit for each hash of a tag: what is no tag mostly ends here.
    bits: Box<[u64; 1024]>,
}

impl Tags {
    /// Of all that are given those that are text: others would be met by chance.
    pub fn new(tags: impl Iterator<Item = u32>) -> Tags {
        let known: HashSet<u32> = tags.map(|tag| tag & !PROTECTED).filter(|&tag| is_text(tag)).collect();
        let mut bits = Box::new([0; 1024]);
        for &tag in &known {
            let (word, bit) = hash(tag);
            bits[word] |= bit;
        }
        Tags { known, bits }
    }

    /// True if there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn has(&self, number: u32) -> bool {
        if !may_be_text(number) {
            return false;
        }
        let (word, bit) = hash(number & !PROTECTED);
        self.bits[word] & bit != 0 && self.known.contains(&(number & !PROTECTED))
    }

    /// Shows the tags that begin in a part of the code, as operands of instructions, by their offset. What lies around
    /// the part is there to see instructions whole.
    pub fn in_code(
        &self,
        architecture: Architecture,
        code: &[u8],
        part: Range<usize>,
        mut hit: impl FnMut(usize, u32),
    ) {
        if architecture == Architecture::Arm64 {
            return self.in_arm64(code, part, hit);
        }
        let mut look = |at: usize| {
            let number = code.get(at..).map_or(0, number);
            if self.has(number) && takes_immediate(&code[at.saturating_sub(BEFORE)..at]) {
                hit(at, number);
            }
        };
        let end = part.end.min(code.len().saturating_sub(3));
        let mut at = part.start;
        while at < end {
            let Some(eight) = code.get(at..).and_then(<[u8]>::first_chunk) else {
                (at..end).for_each(&mut look); // the last few
                return;
            };
            let mut places = text_places(u64::from_le_bytes(*eight));
            while places != 0 {
                let place = at + places.trailing_zeros() as usize / 8;
                if place < end {
                    look(place);
                }
                places &= places - 1;
            }
            at += PLACES;
        }
    }

    /// `MOVZ Wd, #low` and soon `MOVK Wd, #high, LSL #16`.
    fn in_arm64(&self, code: &[u8], part: Range<usize>, mut hit: impl FnMut(usize, u32)) {
        for at in part.step_by(4) {
            let Some(low) =
                code.get(at..).and_then(<[u8]>::first_chunk).map(|word| u32::from_le_bytes(*word))
            else {
                return;
            };
            if low & 0x7fe0_0000 != 0x5280_0000 {
                continue;
            }
            let upper = |word: &u32| word & 0x7fe0_001f == 0x72a0_0000 | low & 0x1f;
            let Some(high) = code[at + 4..].chunks_exact(4).take(NEAR).map(number).find(upper) else {
                continue;
            };
            let number = low >> 5 & 0xffff | (high >> 5 & 0xffff) << 16;
            if self.has(number) {
                hit(at, number);
            }
        }
    }

    /// Shows the tags that begin in a part of the data, at multiples of four, and that are no part of a longer text.
    pub fn in_data(&self, data: &[u8], part: Range<usize>, mut hit: impl FnMut(usize, u32)) {
        let alone = |byte: Option<&u8>| byte.is_none_or(|byte| !(0x20..0x7f).contains(byte));
        for at in (part.start..part.end.min(data.len().saturating_sub(3))).step_by(4) {
            let number = number(&data[at..]);
            let before = at.checked_sub(1).and_then(|at| data.get(at));
            if self.has(number) && alone(before) && alone(data.get(at + 4)) {
                hit(at, number);
            }
        }
    }
}

/// Places of eight bytes at which four bytes begin that may be text: bit 6 of each of the first [`PLACES`] bytes.
fn text_places(eight: u64) -> u64 {
    // Bit 5 or bit 6 is set in 0x20 to 0x7f; the last byte of a tag may have bit 7 too.
    let text = (eight | eight << 1) & 0x4040_4040_4040_4040;
    let plain = text & !(eight >> 1);
    plain & plain >> 8 & plain >> 16 & text >> 24
}

/// A word of [`Tags::bits`] and the bit in it.
fn hash(tag: u32) -> (usize, u64) {
    let hash = tag.wrapping_mul(0x9e37_79b1) >> 16;
    ((hash >> 6) as usize & 1023, 1 << (hash & 63))
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Whether no byte is below 0x20 or, but for the protected bit, above 0x7f: fast, and true of all text.
fn may_be_text(number: u32) -> bool {
    // Bits 5 and 6 of each byte: one of them is set in 0x20 to 0x7f.
    number & 0x0080_8080 == 0 && (number | number << 1) & 0x4040_4040 == 0x4040_4040
}

/// Four characters that can be printed, one of them no blank.
fn is_text(tag: u32) -> bool {
    let bytes = tag.to_le_bytes();
    bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) && bytes != *b"    "
}

/// Whether an instruction of x86 or x64 ends here but for its immediate of four bytes.
fn takes_immediate(before: &[u8]) -> bool {
    // MOV r32, imm32; PUSH imm32; CMP EAX, imm32.
    if before.last().is_some_and(|&opcode| matches!(opcode, 0xb8..=0xbf | 0x68 | 0x3d)) {
        return true;
    }
    // MOV r/m32, imm32 (C7 /0) and CMP r/m32, imm32 (81 /7), with ModRM, SIB and displacement.
    (2..=before.len()).any(|length| match before[before.len() - length..] {
        [0xc7, modrm, ref rest @ ..] => modrm >> 3 & 7 == 0 && operand_length(modrm, rest) == length - 1,
        [0x81, modrm, ref rest @ ..] => modrm >> 3 & 7 == 7 && operand_length(modrm, rest) == length - 1,
        _ => false,
    })
}

/// Bytes of ModRM, SIB and displacement.
fn operand_length(modrm: u8, rest: &[u8]) -> usize {
    let (kind, rm) = (modrm >> 6, modrm & 7);
    let sib = usize::from(kind != 3 && rm == 4);
    let displacement = match kind {
        0 if rm == 5 => 4,
        0 if rm == 4 && rest.first().is_some_and(|sib| sib & 7 == 5) => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    1 + sib + displacement
}

#[cfg(test)]
mod tests;
